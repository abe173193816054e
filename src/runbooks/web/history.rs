//! Versions of a runbook, what changed between them, and the version that waits for a decision.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use axum_extra::extract::Form;
use serde::Deserialize;
use serde_json::json;

use super::super::model::record::{Runbook, Version};
use super::super::service::{self, edit, get_version};
use super::super::store::runbooks as store;
use super::by;
use crate::audit;
use crate::difference::{self, Line};
use crate::error::Result;
use crate::web::{Cx, Shell, redirect_with_flash, render};

#[derive(Template)]
#[template(path = "runbooks/versions.html")]
struct VersionsPage {
    shell: Shell,
    runbook: Runbook,
    versions: Vec<Version>,
}

pub(super) async fn list(cx: Cx, Path(slug): Path<String>) -> Result<Response> {
    let runbook = service::get(&cx.state.db, &slug).await?;
    let versions = store::versions(&cx.state.db, runbook.id, 200).await?;
    render(&VersionsPage { shell: cx.shell(format!("Versions of {}", runbook.title)), runbook, versions })
}

#[derive(Template)]
#[template(path = "runbooks/version.html")]
struct VersionPage {
    shell: Shell,
    runbook: Runbook,
    version: Version,
    /// What it is compared with: the version before it, or the current one when it waits.
    compared_with: Option<i64>,
    lines: Vec<Line>,
    is_pending: bool,
}

pub(super) async fn show(cx: Cx, Path((slug, number)): Path<(String, i64)>) -> Result<Response> {
    let runbook = service::get(&cx.state.db, &slug).await?;
    let version = get_version(&cx.state.db, &runbook, number).await?;
    let is_pending = runbook.pending_version == Some(number);
    let compared_with = if is_pending { Some(runbook.version) } else { (number > 1).then_some(number - 1) };
    let old = match compared_with {
        Some(n) => store::version(&cx.state.db, runbook.id, n).await?.map(|v| v.source).unwrap_or_default(),
        None => String::new(),
    };
    let lines = difference::lines(&old, &version.source);
    let shell = cx.shell(format!("{}, version {number}", runbook.title));
    render(&VersionPage { shell, runbook, version, compared_with, lines, is_pending })
}

pub(super) async fn restore(cx: Cx, Path((slug, number)): Path<(String, i64)>) -> Result<Response> {
    let (actor, now) = (cx.actor()?, cx.now());
    let tx = cx.state.db.begin().await?;
    let runbook = edit::restore(&tx, &slug, number, &by(actor), now).await?;
    audit::record(&tx, now, actor, "runbook.restore", ("runbook", &slug), &json!({ "version": number })).await?;
    tx.commit().await?;
    Ok(redirect_with_flash(
        &runbook.path(),
        &format!("Version {number} is current again, as version {}.", runbook.version),
    ))
}

#[derive(Deserialize)]
pub(super) struct DecideForm {
    /// `file` or `page`.
    #[serde(default)]
    take: String,
}

pub(super) async fn decide(cx: Cx, Path(slug): Path<String>, Form(form): Form<DecideForm>) -> Result<Response> {
    let (actor, now) = (cx.actor()?, cx.now());
    let take_file = form.take == "file";
    let tx = cx.state.db.begin().await?;
    let runbook = edit::decide_pending(&tx, &slug, take_file, now).await?;
    audit::record(&tx, now, actor, "runbook.decide", ("runbook", &slug), &json!({ "take_file": take_file })).await?;
    tx.commit().await?;
    let message = if take_file { "The file's text is current now." } else { "The page stays as it is." };
    Ok(redirect_with_flash(&runbook.path(), message))
}
