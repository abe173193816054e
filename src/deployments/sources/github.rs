//! GitHub webhooks: `deployment`, `deployment_status`, `workflow_run` and `release`; and `pull_request`, for
//! what a merged one names.
//!
//! The service is the repository's name, unless the deployment's payload names one (`service`), as a
//! monorepo's should. The version is the payload's `version`, else the ref when it looks like one,
//! else the short commit. A workflow counts as a deployment when its name or file says so.

use serde_json::Value;

use super::json::{at, body, first_text, last_segment, short_commit, text, time_at};
use super::{Delivery, Merge, Parsed, Unreadable};
use crate::deployments::model::{
    ChangeEvent, ChangeKind, ChangeSource, ChangeStatus, DEFAULT_ENVIRONMENT, looks_like_version,
};

pub(super) fn parse(delivery: &Delivery<'_>) -> Result<Parsed, Unreadable> {
    let json = unwrapped(delivery)?;
    let event = delivery.header("x-github-event").map_or_else(|| guess_event(&json).to_owned(), str::to_owned);
    match event.as_str() {
        "deployment" => deployment(delivery, &json, ChangeStatus::Pending).map(Parsed::one),
        "deployment_status" => deployment_status(delivery, &json),
        "workflow_run" => workflow_run(delivery, &json),
        "release" => release(delivery, &json),
        "pull_request" => pull_request(&json),
        "ping" => Ok(Parsed::ignore("GitHub's ping: the webhook is set up")),
        other => Ok(Parsed::ignore(format!("GitHub's '{other}' event is not a deployment"))),
    }
}

/// The JSON of either content type that GitHub offers: plain, or in a form's `payload` field.
fn unwrapped(delivery: &Delivery<'_>) -> Result<Value, Unreadable> {
    let is_form = delivery.header("content-type").is_some_and(|t| t.starts_with("application/x-www-form-urlencoded"));
    if !is_form {
        return body(delivery);
    }
    let payload = url::form_urlencoded::parse(delivery.body).find(|(name, _)| name == "payload");
    let (_, payload) = payload.ok_or_else(|| Unreadable::missing("payload"))?;
    body(&Delivery { body: payload.as_bytes(), ..*delivery })
}

/// For deliveries that were replayed by hand without their headers.
fn guess_event(json: &Value) -> &'static str {
    ["deployment_status", "workflow_run", "release", "deployment", "pull_request"]
        .into_iter()
        .find(|key| at(json, key).is_some_and(Value::is_object))
        .unwrap_or("unknown")
}

fn repository(json: &Value) -> Result<String, Unreadable> {
    first_text(json, &["repository.full_name", "repository.name"])
        .ok_or_else(|| Unreadable::missing("repository.full_name"))
}

fn deployment(delivery: &Delivery<'_>, json: &Value, status: ChangeStatus) -> Result<ChangeEvent, Unreadable> {
    let repo = repository(json)?;
    let id = text(json, "deployment.id").ok_or_else(|| Unreadable::missing("deployment.id"))?;
    let commit = text(json, "deployment.sha");
    let reference = text(json, "deployment.ref").filter(|r| looks_like_version(r));
    let declared = text(json, "deployment.payload.kind").and_then(|k| ChangeKind::parse_lenient(&k));
    let is_rollback = text(json, "deployment.task").is_some_and(|t| t.to_lowercase().contains("rollback"));
    let created = time_at(json, "deployment.created_at");
    Ok(ChangeEvent {
        source: ChangeSource::Github,
        external_id: format!("{repo}/deployments/{id}"),
        service: text(json, "deployment.payload.service").unwrap_or_else(|| last_segment(&repo).to_owned()),
        environment: first_text(json, &["deployment_status.environment", "deployment.environment"]).unwrap_or_default(),
        kind: declared.unwrap_or(if is_rollback { ChangeKind::Rollback } else { ChangeKind::Deployment }),
        status,
        version: text(json, "deployment.payload.version").or(reference).or_else(|| commit.as_deref().map(short_commit)),
        author: first_text(json, &["deployment.creator.login", "sender.login"]),
        title: text(json, "deployment.description"),
        url: commit_url(json, commit.as_deref()),
        commit,
        started_at: None,
        finished_at: None,
        reported_at: created.unwrap_or(delivery.received_at),
    })
}

fn commit_url(json: &Value, commit: Option<&str>) -> Option<String> {
    Some(format!("{}/commit/{}", text(json, "repository.html_url")?, commit?))
}

fn deployment_status(delivery: &Delivery<'_>, json: &Value) -> Result<Parsed, Unreadable> {
    let state = text(json, "deployment_status.state").ok_or_else(|| Unreadable::missing("deployment_status.state"))?;
    let status = match state.as_str() {
        "inactive" => {
            return Ok(Parsed::ignore("'inactive' means that a later deployment took over, which is told by itself"));
        }
        other => ChangeStatus::parse_lenient(other)
            .ok_or_else(|| Unreadable(format!("deployment_status.state '{other}' is not known")))?,
    };
    let at = time_at(json, "deployment_status.created_at").unwrap_or(delivery.received_at);
    let mut event = deployment(delivery, json, status)?;
    // The deployment's own creation is the best start that GitHub tells for one that is already over.
    event.started_at = match status.rank() {
        0 => None,
        1 => Some(at),
        _ => time_at(json, "deployment.created_at"),
    };
    event.finished_at = status.is_over().then_some(at);
    event.reported_at = at;
    let page = ["deployment_status.log_url", "deployment_status.target_url", "deployment_status.environment_url"];
    event.url = first_text(json, &page).or(event.url);
    event.title = text(json, "deployment_status.description").or(event.title);
    Ok(Parsed::one(event))
}

fn workflow_run(delivery: &Delivery<'_>, json: &Value) -> Result<Parsed, Unreadable> {
    let repo = repository(json)?;
    let run = text(json, "workflow_run.id").ok_or_else(|| Unreadable::missing("workflow_run.id"))?;
    let name = ["workflow.name", "workflow_run.name", "workflow_run.path", "workflow.path"]
        .iter()
        .filter_map(|p| text(json, p))
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase();
    let Some(kind) = workflow_kind(&name) else {
        return Ok(Parsed::ignore(
            "a workflow counts as a deployment when its name or file says deploy, release or rollback",
        ));
    };
    let word = first_text(json, &["workflow_run.conclusion", "workflow_run.status"])
        .ok_or_else(|| Unreadable::missing("workflow_run.status"))?;
    let status = match word.as_str() {
        "skipped" | "neutral" | "stale" | "action_required" => {
            return Ok(Parsed::ignore(format!("the workflow ended as '{word}': nothing was deployed")));
        }
        other => ChangeStatus::parse_lenient(other)
            .ok_or_else(|| Unreadable(format!("workflow_run.conclusion '{other}' is not known")))?,
    };
    let commit = text(json, "workflow_run.head_sha");
    let branch = text(json, "workflow_run.head_branch").filter(|b| looks_like_version(b));
    let updated = time_at(json, "workflow_run.updated_at").unwrap_or(delivery.received_at);
    Ok(Parsed::one(ChangeEvent {
        source: ChangeSource::Github,
        external_id: format!("{repo}/actions/runs/{run}"),
        service: last_segment(&repo).to_owned(),
        environment: named_environment(&name).to_owned(),
        kind,
        status,
        version: branch.or_else(|| commit.as_deref().map(short_commit)),
        commit,
        author: first_text(json, &["workflow_run.actor.login", "sender.login"]),
        title: first_text(json, &["workflow_run.display_title", "workflow_run.head_commit.message"]),
        url: text(json, "workflow_run.html_url"),
        started_at: (status.rank() > 0).then(|| time_at(json, "workflow_run.run_started_at")).flatten(),
        finished_at: status.is_over().then_some(updated),
        reported_at: updated,
    }))
}

/// <https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request>
fn pull_request(json: &Value) -> Result<Parsed, Unreadable> {
    if at(json, "pull_request.merged").and_then(Value::as_bool) != Some(true) {
        return Ok(Parsed::ignore("a pull request that is not merged settles nothing"));
    }
    let number = first_text(json, &["pull_request.number", "number"])
        .ok_or_else(|| Unreadable::missing("pull_request.number"))?;
    let merge = Merge::new(
        format!("{}#{number}", repository(json)?),
        text(json, "pull_request.title"),
        text(json, "pull_request.body"),
    );
    Ok(Parsed::merged(merge, text(json, "pull_request.base.ref"), text(json, "repository.default_branch")))
}

fn workflow_kind(name: &str) -> Option<ChangeKind> {
    if name.contains("rollback") {
        Some(ChangeKind::Rollback)
    } else if name.contains("deploy") || name.contains("release") {
        Some(ChangeKind::Deployment)
    } else {
        None
    }
}

/// Workflows carry no environment of their own; many name it ("Deploy to staging").
fn named_environment(name: &str) -> &'static str {
    const NAMED: [(&str, &str); 4] =
        [("staging", "staging"), ("canary", "canary"), ("preview", "preview"), ("sandbox", "sandbox")];
    NAMED.iter().find(|(word, _)| name.contains(word)).map_or(DEFAULT_ENVIRONMENT, |(_, environment)| environment)
}

/// A published release is a change of production; a pre-release is one of the environment `prerelease`.
fn release(delivery: &Delivery<'_>, json: &Value) -> Result<Parsed, Unreadable> {
    let action = text(json, "action").unwrap_or_default();
    if action != "published" && action != "released" {
        return Ok(Parsed::ignore(format!("a release that is '{action}' changes nothing that runs")));
    }
    let repo = repository(json)?;
    let tag = text(json, "release.tag_name").ok_or_else(|| Unreadable::missing("release.tag_name"))?;
    let is_pre = at(json, "release.prerelease").and_then(Value::as_bool).unwrap_or(false);
    let published = time_at(json, "release.published_at").unwrap_or(delivery.received_at);
    Ok(Parsed::one(ChangeEvent {
        source: ChangeSource::Github,
        external_id: format!("{repo}/releases/{tag}"),
        service: last_segment(&repo).to_owned(),
        environment: if is_pre { "prerelease" } else { DEFAULT_ENVIRONMENT }.to_owned(),
        kind: ChangeKind::Deployment,
        status: ChangeStatus::Succeeded,
        version: Some(tag),
        commit: text(json, "release.target_commitish").filter(|c| c.len() == 40),
        author: first_text(json, &["release.author.login", "sender.login"]),
        title: text(json, "release.name"),
        url: text(json, "release.html_url"),
        started_at: Some(published),
        finished_at: Some(published),
        reported_at: published,
    }))
}
