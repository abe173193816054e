//! `/settings/changes`: how each pipeline is set up, its secrets, its last delivery, a test.

use askama::Template;
use axum::extract::{Extension, Form, Path};
use axum::response::Response;
use serde::Deserialize;

use super::guide::{self, Guide, SOURCES};
use super::model::ChangeSource;
use crate::accounts::{Role, Scope, service as accounts};
use crate::audit;
use crate::error::{Error, FieldErrors, Result};
use crate::inbox::store::{self as inbox_store, Head, SourceSettings};
use crate::inbox::{Delivery, Inbox, Kind};
use crate::web::{Access, Cx, Routes, Shell, redirect_with_flash, render};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/settings/changes", Access::ADMIN, list)
        .get("/settings/changes/{source}", Access::ADMIN, show)
        .post("/settings/changes/{source}/token", Access::ADMIN, token)
        .post("/settings/changes/{source}/secrets", Access::ADMIN, secrets)
        .post("/settings/changes/{source}/test", Access::ADMIN, test)
}

fn find(name: &str) -> Result<ChangeSource> {
    let known = ChangeSource::parse(name).filter(|s| SOURCES.contains(s));
    known.ok_or_else(|| {
        let shown: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
        Error::not_found(format!("The source '{shown}'"))
    })
}

#[derive(Template)]
#[template(path = "deployments/sources.html")]
struct ListPage {
    shell: Shell,
    rows: Vec<(ChangeSource, Option<Head>)>,
}

impl ListPage {
    fn title(&self, source: &ChangeSource) -> &'static str {
        guide::title(*source)
    }
}

async fn list(cx: Cx) -> Result<Response> {
    let mut rows = Vec::with_capacity(SOURCES.len());
    for source in SOURCES {
        rows.push((source, inbox_store::last_of(&cx.state.db, Kind::Changes, source.as_str()).await?));
    }
    render(&ListPage { shell: cx.shell("Change sources"), rows })
}

#[derive(Template)]
#[template(path = "deployments/source.html")]
struct SourcePage {
    shell: Shell,
    guide: Guide,
    last: Option<Head>,
    /// A token that was made just now, shown once.
    new_token: Option<String>,
    has_secrets: bool,
    errors: FieldErrors,
}

async fn source_page(cx: &Cx, source: ChangeSource, new_token: Option<String>) -> Result<SourcePage> {
    let db = &cx.state.db;
    let set = inbox_store::settings(db, Kind::Changes, source.as_str()).await?;
    let token = new_token.as_deref().unwrap_or(guide::TOKEN_PLACEHOLDER);
    let guide = guide::guide(source, &cx.state.config.base_url, token);
    Ok(SourcePage {
        shell: cx.shell(format!("Changes from {}", guide.title)).live(&["inbox"]),
        guide,
        last: inbox_store::last_of(db, Kind::Changes, source.as_str()).await?,
        new_token,
        has_secrets: !set.secret_list().is_empty(),
        errors: FieldErrors::default(),
    })
}

async fn show(cx: Cx, Path(name): Path<String>) -> Result<Response> {
    render(&source_page(&cx, find(&name)?, None).await?)
}

async fn token(cx: Cx, Path(name): Path<String>) -> Result<Response> {
    let source = find(&name)?;
    let title = format!("Changes: {}", guide::title(source));
    let (_, secret) = accounts::add_token(&cx.state, cx.actor()?, &title, Scope::Ingest, Role::Viewer).await?;
    // Shown once, and a page that other open tabs' live updates would fetch again must not lose it.
    let mut page = source_page(&cx, source, Some(secret)).await?;
    page.shell = cx.shell(page.shell.title.clone());
    render(&page)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SecretsForm {
    secrets: String,
}

/// Replaces the signing secrets; an empty field takes them away. They are never shown again.
async fn secrets(cx: Cx, Path(name): Path<String>, Form(form): Form<SecretsForm>) -> Result<Response> {
    let source = find(&name)?;
    if super::receive::scheme(source).is_none() {
        return Err(Error::not_found("A signature of this source"));
    }
    let actor = cx.actor()?;
    let tx = cx.state.db.begin().await?;
    let old = inbox_store::settings(&tx, Kind::Changes, source.as_str()).await?;
    let set = SourceSettings { secrets: form.secrets.trim().chars().take(4_000).collect(), mapping: old.mapping };
    let count = set.secret_list().len();
    inbox_store::save_settings(&tx, Kind::Changes, source.as_str(), &set, cx.now(), &actor.name).await?;
    let detail = serde_json::json!({ "secrets": count });
    audit::record(&tx, cx.now(), actor, "source.secrets", ("change source", source.as_str()), &detail).await?;
    tx.commit().await?;
    let said = if count == 0 {
        "No secrets: a token is enough."
    } else {
        "Saved. Every delivery must now be signed with one of them."
    };
    Ok(redirect_with_flash(&format!("/settings/changes/{source}"), said))
}

/// Sends the guide's example through the inbox, as its sender would.
async fn test(cx: Cx, Extension(inbox): Extension<Inbox>, Path(name): Path<String>) -> Result<Response> {
    let source = find(&name)?;
    let guide = guide::guide(source, &cx.state.config.base_url, guide::TOKEN_PLACEHOLDER);
    let delivery = Delivery {
        id: 0,
        kind: Kind::Changes,
        source: source.as_str().to_owned(),
        received_at: cx.now(),
        token_name: format!("test by {}", cx.actor()?.name),
        path: guide::path(source),
        content_type: "application/json".to_owned(),
        headers: std::collections::BTreeMap::new(),
        body: guide.example.as_bytes().to_vec(),
    };
    let id = inbox.accept(delivery, 202).await?;
    inbox.process_one(id).await?;
    let said = "The example went through the inbox; it is listed as a change of the service faultline-test.";
    Ok(redirect_with_flash(&format!("/settings/deliveries/{id}"), said))
}
