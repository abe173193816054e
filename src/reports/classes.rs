//! What a person says about an incident for the reports: who noticed first, what kind of cause, where.
//!
//! The record itself tells most of it; what is chosen here stands above that.

use askama::Template;
use axum::Json;
use axum::extract::{Form, Path};
use axum::response::Response;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::json;

use super::filters::viewer;
use super::model::facts::Detection;
use super::store::choices::{self, Classes};
use crate::audit;
use crate::error::{Error, FieldErrors, Result};
use crate::fields;
use crate::incidents::hooks::{IncidentPanel, Panel, PanelContext, Place};
use crate::incidents::{IncidentId, get_visible};
use crate::web::{Access, ApiJson, Cx, Routes, redirect_with_flash};

pub fn routes() -> Routes {
    Routes::new().post("/incidents/{incident}/classes", Access::RESPONDER, put).put(
        "/api/v1/incidents/{id}/classes",
        Access::RESPONDER,
        api_put,
    )
}

/// Kinds of causes that are offered; others may be written.
const CAUSES: [&str; 9] =
    ["change", "configuration", "capacity", "dependency", "defect", "hardware", "network", "security", "procedure"];

/// On the incident's page.
pub struct ClassesPanel;

#[derive(Template)]
#[template(path = "reports/_classes.html")]
struct PanelHtml {
    id: i64,
    classes: Classes,
    causes: &'static [&'static str],
    may_respond: bool,
}

impl PanelHtml {
    const fn detections(&self) -> &'static [Detection] {
        Detection::ALL
    }
}

impl IncidentPanel for ClassesPanel {
    fn id(&self) -> &'static str {
        "for-reports"
    }

    fn place(&self) -> Place {
        Place::Side
    }

    fn order(&self) -> i32 {
        60
    }

    fn render<'a>(&'a self, context: &'a PanelContext<'a>) -> BoxFuture<'a, Result<Option<Panel>>> {
        async move {
            let id = context.incident.id.0;
            let classes = choices::classes(context.db, id).await?.unwrap_or_default();
            let html = PanelHtml { id, classes, causes: &CAUSES, may_respond: context.may_respond }
                .render()
                .map_err(|e| Error::Internal(format!("rendering: {e}")))?;
            Ok(Some(Panel { title: "For the reports".into(), html, ..Panel::default() }))
        }
        .boxed()
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ClassesForm {
    detected_by: String,
    cause: String,
    environment: String,
}

impl ClassesForm {
    fn check(&self) -> Result<Classes> {
        let mut errors = FieldErrors::default();
        let detected_by = match self.detected_by.trim() {
            "" => String::new(),
            word => Detection::parse(word).map_or_else(
                || {
                    errors.add("detected_by", Detection::unknown(word));
                    String::new()
                },
                |d| d.as_str().to_owned(),
            ),
        };
        let mut word = |field: &str, text: &str| {
            let text = fields::limited(&mut errors, field, text, 60).to_lowercase();
            if text.contains(',') {
                errors.add(field, "may hold no comma");
            }
            text
        };
        let (cause, environment) = (word("cause", &self.cause), word("environment", &self.environment));
        errors.into_result()?;
        Ok(Classes { detected_by, cause, environment })
    }
}

async fn save(cx: &Cx, id: IncidentId, form: &ClassesForm) -> Result<Classes> {
    let actor = cx.actor()?;
    get_visible(&cx.state.db, id, viewer(actor)).await?;
    let classes = form.check()?;
    let tx = cx.state.db.begin().await?;
    choices::put_classes(&tx, id.0, &classes, &actor.name, cx.now()).await?;
    audit::record(&tx, cx.now(), actor, "incident.classified", ("incident", &id.to_string()), &json!(classes)).await?;
    tx.commit().await?;
    Ok(classes)
}

fn read(id: &str) -> Result<IncidentId> {
    IncidentId::parse(id).ok_or_else(|| Error::not_found(format!("incident {id}")))
}

async fn put(cx: Cx, Path(id): Path<String>, Form(form): Form<ClassesForm>) -> Result<Response> {
    let id = read(&id)?;
    save(&cx, id, &form).await?;
    Ok(redirect_with_flash(&format!("/incidents/{id}"), "Saved for the reports."))
}

async fn api_put(cx: Cx, Path(id): Path<String>, ApiJson(form): ApiJson<ClassesForm>) -> Result<Json<Classes>> {
    Ok(Json(save(&cx, read(&id)?, &form).await?))
}
