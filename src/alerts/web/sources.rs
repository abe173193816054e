//! `/settings/sources`: how each sender is set up, its secrets and mapping, its last delivery, a test.

use askama::Template;
use axum::extract::{Extension, Form, Path};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::accounts::{Role, Scope, service as accounts};
use crate::alerts::guide::{self, Guide};
use crate::alerts::ingest::MAPPED;
use crate::alerts::sources::mapping::Mapping;
use crate::alerts::sources::{Source, read};
use crate::audit;
use crate::error::{Error, FieldErrors, Result};
use crate::inbox::store::{self as inbox_store, Head, SourceSettings};
use crate::inbox::{Delivery, Inbox, Kind};
use crate::web::{Access, Cx, Routes, Shell, redirect_with_flash, render, render_with_status};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/settings/sources", Access::ADMIN, list)
        .get("/settings/sources/{source}", Access::ADMIN, show)
        .post("/settings/sources/{source}/token", Access::ADMIN, token)
        .post("/settings/sources/{source}/secrets", Access::ADMIN, secrets)
        .post("/settings/sources/{source}/mapping", Access::ADMIN, mapping)
        .post("/settings/sources/{source}/test", Access::ADMIN, test)
}

/// The kind and name under which the inbox knows a source.
const fn door(source: Source) -> (Kind, &'static str) {
    match source {
        Source::JUnit => (Kind::Checks, "junit"),
        Source::Check => (Kind::Checks, "generic"),
        other => (Kind::Alerts, other.as_str()),
    }
}

fn find(name: &str) -> Result<Source> {
    Source::parse(name).ok_or_else(|| Error::not_found(format!("The source '{}'", read::clean(name, 40))))
}

#[derive(Template)]
#[template(path = "alerts/sources.html")]
struct ListPage {
    shell: Shell,
    rows: Vec<(Source, Option<Head>)>,
}

async fn list(cx: Cx) -> Result<Response> {
    let mut rows = Vec::with_capacity(Source::ALL.len());
    for source in Source::ALL {
        let (kind, name) = door(source);
        rows.push((source, inbox_store::last_of(&cx.state.db, kind, name).await?));
    }
    render(&ListPage { shell: cx.shell("Alert sources"), rows })
}

#[derive(Template)]
#[template(path = "alerts/source.html")]
struct SourcePage {
    shell: Shell,
    guide: Guide,
    last: Option<Head>,
    /// A token that was made just now, shown once.
    new_token: Option<String>,
    has_secrets: bool,
    mapping: String,
    /// What the mapping makes of the last delivery.
    preview: Option<Preview>,
    errors: FieldErrors,
}

/// The outcome of a mapping on a real body.
struct Preview {
    events: Vec<(String, String, String, String)>,
    problems: Vec<String>,
}

impl SourcePage {
    fn is_generic(&self) -> bool {
        self.guide.source == Source::Generic
    }

    fn name(&self) -> &'static str {
        self.guide.source.as_str()
    }

    fn mapped_url(&self) -> String {
        self.guide.url.replace("/generic", "/mapped")
    }
}

async fn source_page(cx: &Cx, source: Source, new_token: Option<String>) -> Result<SourcePage> {
    let (kind, name) = door(source);
    let db = &cx.state.db;
    let set = inbox_store::settings(db, kind, name).await?;
    let mapped = inbox_store::settings(db, Kind::Alerts, MAPPED).await?;
    let token = new_token.clone().unwrap_or_else(|| guide::TOKEN_PLACEHOLDER.to_owned());
    Ok(SourcePage {
        shell: cx.shell(source.title()),
        guide: guide::guide(source, &cx.state.config.base_url, &token),
        last: inbox_store::last_of(db, kind, name).await?,
        new_token,
        has_secrets: !set.secret_list().is_empty(),
        mapping: mapped.mapping,
        preview: None,
        errors: FieldErrors::default(),
    })
}

async fn show(cx: Cx, Path(name): Path<String>) -> Result<Response> {
    render(&source_page(&cx, find(&name)?, None).await?)
}

async fn token(cx: Cx, Path(name): Path<String>) -> Result<Response> {
    let source = find(&name)?;
    let (_, secret) = accounts::add_token(&cx.state, cx.actor()?, source.title(), Scope::Ingest, Role::Viewer).await?;
    render(&source_page(&cx, source, Some(secret)).await?)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SecretsForm {
    secrets: String,
}

/// Replaces the signing secrets; an empty field takes them away. They are never shown again.
async fn secrets(cx: Cx, Path(name): Path<String>, Form(form): Form<SecretsForm>) -> Result<Response> {
    let source = find(&name)?;
    let (kind, door_name) = door(source);
    let actor = cx.actor()?;
    let tx = cx.state.db.begin().await?;
    let old = inbox_store::settings(&tx, kind, door_name).await?;
    let set = SourceSettings { secrets: form.secrets.trim().chars().take(4_000).collect(), mapping: old.mapping };
    let count = set.secret_list().len();
    inbox_store::save_settings(&tx, kind, door_name, &set, cx.now(), &actor.name).await?;
    let detail = serde_json::json!({ "secrets": count });
    audit::record(&tx, cx.now(), actor, "source.secrets", ("source", door_name), &detail).await?;
    tx.commit().await?;
    let said = if count == 0 {
        "No secrets: a token is enough."
    } else {
        "Saved. Every delivery must now be signed with one of them."
    };
    Ok(redirect_with_flash(&format!("/settings/sources/{name}"), said))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MappingForm {
    mapping: String,
    /// `try` or `save`.
    #[serde(rename = "do")]
    action: String,
}

async fn mapping(cx: Cx, Path(name): Path<String>, Form(form): Form<MappingForm>) -> Result<Response> {
    let source = find(&name)?;
    if source != Source::Generic {
        return Err(Error::not_found("A mapping for this source"));
    }
    let parsed = match Mapping::parse(&form.mapping) {
        Ok(parsed) => parsed,
        Err(message) => {
            let mut page = source_page(&cx, source, None).await?;
            page.errors.add("mapping", message);
            page.mapping = form.mapping;
            return render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
    };
    if form.action == "save" {
        let actor = cx.actor()?;
        let tx = cx.state.db.begin().await?;
        let set = SourceSettings { secrets: String::new(), mapping: form.mapping };
        inbox_store::save_settings(&tx, Kind::Alerts, MAPPED, &set, cx.now(), &actor.name).await?;
        audit::record(&tx, cx.now(), actor, "source.mapping", ("source", MAPPED), &serde_json::json!({})).await?;
        tx.commit().await?;
        return Ok(redirect_with_flash("/settings/sources/generic", "Saved. Failed deliveries can be replayed now."));
    }
    let mut page = source_page(&cx, source, None).await?;
    page.preview = Some(preview(&cx, &parsed).await?);
    page.mapping = form.mapping;
    render(&page)
}

async fn preview(cx: &Cx, mapping: &Mapping) -> Result<Preview> {
    let nothing = |why: &str| Preview { events: Vec::new(), problems: vec![why.to_owned()] };
    let db = &cx.state.db;
    let Some(last) = inbox_store::last_of(db, Kind::Alerts, MAPPED).await? else {
        return Ok(nothing("no delivery of this kind has arrived yet: send one to the address above, then try again"));
    };
    let Some(delivery) = inbox_store::find(db, last.id).await? else { return Ok(nothing("the last delivery is gone")) };
    let parsed = read::json(&delivery.body, &delivery.content_type).and_then(|body| mapping.apply(&body));
    Ok(match parsed {
        Err(problem) => nothing(&problem.to_string()),
        Ok(parsed) => Preview {
            events: parsed
                .events
                .iter()
                .take(20)
                .map(|e| {
                    let severity = e.severity.map_or("not said", |s| s.as_str()).to_owned();
                    (e.title.clone(), e.status.as_str().to_owned(), severity, e.service.clone().unwrap_or_default())
                })
                .collect(),
            problems: parsed.problems.iter().map(ToString::to_string).collect(),
        },
    })
}

/// Sends the guide's example through the inbox, as its sender would.
async fn test(cx: Cx, Extension(inbox): Extension<Inbox>, Path(name): Path<String>) -> Result<Response> {
    let source = find(&name)?;
    let (kind, door_name) = door(source);
    let guide = guide::guide(source, &cx.state.config.base_url, guide::TOKEN_PLACEHOLDER);
    let delivery = Delivery {
        id: 0,
        kind,
        source: door_name.to_owned(),
        received_at: cx.now(),
        token_name: format!("test by {}", cx.actor()?.name),
        path: guide::path(source).to_owned(),
        content_type: String::new(),
        headers: std::collections::BTreeMap::new(),
        body: guide.example.as_bytes().to_vec(),
    };
    let id = inbox.accept(delivery, 202).await?;
    inbox.process_one(id).await?;
    Ok(redirect_with_flash(
        &format!("/settings/deliveries/{id}"),
        "The example went through the inbox; its alert is in the list.",
    ))
}
