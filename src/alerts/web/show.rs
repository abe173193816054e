//! One alert: what it says, what was said about it, and making an incident of it.

use askama::Template;
use axum::extract::{Form, Path};
use axum::http::StatusCode;
use axum::response::Response;

use super::list::Row;
use crate::accounts::Role;
use crate::alerts::seen::{Asker, incidents_of};
use crate::alerts::service;
use crate::alerts::store::{self, Alert, AlertLog, Signal};
use crate::error::{Error, FieldErrors, Result};
use crate::inbox;
use crate::incidents::{DeclareInput, Severity};
use crate::web::{Cx, Shell, redirect, redirect_with_flash, render, render_with_status};

#[derive(Template)]
#[template(path = "alerts/show.html")]
struct ShowPage {
    shell: Shell,
    row: Row,
    signals: Vec<Signal>,
    log: Vec<AlertLog>,
    /// The newest delivery that told of it, as received; empty when it is not kept (any more) or not for this reader.
    payload: String,
    payload_is_cut: bool,
}

impl ShowPage {
    const fn alert(&self) -> &Alert {
        &self.row.alert
    }
}

const HISTORY: i64 = 100;
/// How much of a delivery the page shows, in bytes: one may hold thousands of alerts.
const PAYLOAD: usize = 20_000;

pub(super) async fn show(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    let db = &cx.state.db;
    let alert = service::get(db, id).await?;
    let visible = incidents_of(db, std::slice::from_ref(&alert), Asker::of(cx.actor()?)).await?;
    let (signals, log) = (store::signals(db, id, HISTORY).await?, store::log(db, id, HISTORY).await?);
    let shell = cx.shell(&alert.title).live(&["alerts"]);
    let raw = match alert.last_delivery_id {
        id if id > 0 && cx.actor()?.can(Role::Responder) => inbox::store::raw_body(db, id).await?,
        _ => None,
    };
    let (payload, payload_is_cut) = raw.map(|(bytes, _)| inbox::body::pretty(&bytes, PAYLOAD)).unwrap_or_default();
    render(&ShowPage { shell, row: Row::of(alert, &visible, cx.now()), signals, log, payload, payload_is_cut })
}

#[derive(Template)]
#[template(path = "alerts/promote.html")]
struct PromotePage {
    shell: Shell,
    alert: Alert,
    form: DeclareInput,
    errors: FieldErrors,
}

impl PromotePage {
    fn services(&self) -> String {
        self.form.services.join(", ")
    }
}

/// The form's time field takes no zone and no seconds.
fn for_field(mut form: DeclareInput) -> DeclareInput {
    for time in [&mut form.impact_started_at, &mut form.detected_at] {
        if let Some(at) = crate::clock::Timestamp::parse(time) {
            *time = at.to_input();
        }
    }
    form
}

pub(super) async fn promote_form(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    let alert = service::get(&cx.state.db, id).await?;
    if let Some(path) = standing_incident(&cx, &alert).await? {
        return Ok(redirect(&path));
    }
    let form = for_field(service::prefill(&alert));
    render(&PromotePage {
        shell: cx.shell("Make an incident of this alert"),
        alert,
        form,
        errors: FieldErrors::default(),
    })
}

/// The page of the incident that the alert belongs to, where the asker may see it.
async fn standing_incident(cx: &Cx, alert: &Alert) -> Result<Option<String>> {
    let visible = incidents_of(&cx.state.db, std::slice::from_ref(alert), Asker::of(cx.actor()?)).await?;
    Ok(visible.id_of(alert).map(|id| format!("/incidents/{id}")))
}

pub(super) async fn promote(cx: Cx, Path(id): Path<i64>, Form(form): Form<DeclareInput>) -> Result<Response> {
    let now = cx.now();
    let alert = service::get(&cx.state.db, id).await?;
    let by = Asker::of(cx.actor()?).by();
    let outcome = async {
        let declare = service::read_declaration(&alert, &form, now)?;
        let tx = cx.state.db.begin().await?;
        let incident = service::promote(&tx, id, &declare, &by, now).await?;
        tx.commit().await?;
        Ok(incident)
    }
    .await;
    match outcome {
        Ok(incident) => {
            Ok(redirect_with_flash(&format!("/incidents/{incident}"), "Declared; the alert is kept with it."))
        }
        Err(Error::Invalid(errors)) => {
            let page = PromotePage { shell: cx.shell("Make an incident of this alert"), alert, form, errors };
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(other) => Err(other),
    }
}

impl PromotePage {
    const SEVERITIES: [Severity; 4] = [Severity::Sev1, Severity::Sev2, Severity::Sev3, Severity::Sev4];
}
