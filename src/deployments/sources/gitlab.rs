//! GitLab webhooks: `deployment`, `build` (job), `pipeline` and `release`; and `merge_request`, for what a
//! merged one names.
//!
//! The three hooks about one deployment agree on the job that ran it (`deployable_id` = job id), so it
//! is that job which names the change. A job or pipeline counts when it has an environment.

use serde_json::Value;

use super::json::{at, body, first_text, last_segment, short_commit, text, time_at};
use super::{Delivery, Merge, Parsed, Unreadable};
use crate::deployments::model::{
    ChangeEvent, ChangeKind, ChangeSource, ChangeStatus, DEFAULT_ENVIRONMENT, looks_like_version,
};

pub(super) fn parse(delivery: &Delivery<'_>) -> Result<Parsed, Unreadable> {
    let json = body(delivery)?;
    match text(&json, "object_kind").as_deref() {
        Some("deployment") => deployment(delivery, &json),
        Some("build") => job(delivery, &json),
        Some("pipeline") => pipeline(delivery, &json),
        Some("release") => release(delivery, &json),
        Some("merge_request") => merge_request(&json),
        Some(other) => Ok(Parsed::ignore(format!("GitLab's '{other}' event is not a deployment"))),
        None => Err(Unreadable::missing("object_kind")),
    }
}

/// <https://docs.gitlab.com/user/project/integrations/webhook_events/#merge-request-events>. The hook comes at
/// every change of a request; `action` says that this one is the merge itself.
fn merge_request(json: &Value) -> Result<Parsed, Unreadable> {
    if text(json, "object_attributes.action").as_deref() != Some("merge") {
        return Ok(Parsed::ignore("a merge request that was not merged just now settles nothing"));
    }
    let number = text(json, "object_attributes.iid").ok_or_else(|| Unreadable::missing("object_attributes.iid"))?;
    let merge = Merge::new(
        format!("{}!{number}", project(json)?),
        text(json, "object_attributes.title"),
        text(json, "object_attributes.description"),
    );
    Ok(Parsed::merged(merge, text(json, "object_attributes.target_branch"), text(json, "project.default_branch")))
}

fn project(json: &Value) -> Result<String, Unreadable> {
    if let Some(path) = text(json, "project.path_with_namespace") {
        return Ok(path);
    }
    // Job events have no project object: the repository's page ends in the same path.
    let homepage = first_text(json, &["repository.homepage", "project.web_url"]);
    homepage
        .and_then(|h| url::Url::parse(&h).ok())
        .map(|u| u.path().trim_matches('/').to_owned())
        .filter(|p| !p.is_empty())
        .or_else(|| text(json, "repository.name"))
        .ok_or_else(|| Unreadable::missing("project.path_with_namespace"))
}

/// `None` for a state in which nothing is deployed and nothing will be unless somebody acts.
fn status(word: &str) -> Result<Option<ChangeStatus>, Unreadable> {
    match word {
        "skipped" | "manual" => Ok(None),
        "canceling" | "waiting_for_resource" | "preparing" => Ok(Some(ChangeStatus::Pending)),
        other => ChangeStatus::parse_lenient(other)
            .map(Some)
            .ok_or_else(|| Unreadable(format!("status '{other}' is not known"))),
    }
}

fn version(reference: Option<String>, short_sha: Option<String>) -> Option<String> {
    reference.filter(|r| looks_like_version(r)).or(short_sha)
}

fn kind_of(names: &[Option<String>]) -> ChangeKind {
    let is_rollback = names.iter().flatten().any(|n| n.to_lowercase().contains("rollback"));
    if is_rollback { ChangeKind::Rollback } else { ChangeKind::Deployment }
}

fn deployment(delivery: &Delivery<'_>, json: &Value) -> Result<Parsed, Unreadable> {
    let project = project(json)?;
    let word = text(json, "status").ok_or_else(|| Unreadable::missing("status"))?;
    let Some(status) = status(&word)? else {
        return Ok(Parsed::ignore(format!("a deployment that is '{word}' changes nothing")));
    };
    let external_id = match (text(json, "deployable_id"), text(json, "deployment_id")) {
        (Some(job), _) => format!("{project}/jobs/{job}"),
        (None, Some(id)) => format!("{project}/deployments/{id}"),
        (None, None) => return Err(Unreadable::missing("deployment_id")),
    };
    let changed = time_at(json, "status_changed_at").unwrap_or(delivery.received_at);
    // Only the short commit is a field of its own; the whole one stands at the end of its page's address.
    let commit = text(json, "commit_url")
        .map(|u| last_segment(&u).to_owned())
        .filter(|c| c.len() == 40 && c.bytes().all(|b| b.is_ascii_hexdigit()));
    Ok(Parsed::one(ChangeEvent {
        source: ChangeSource::Gitlab,
        external_id,
        service: last_segment(&project).to_owned(),
        environment: text(json, "environment").unwrap_or_default(),
        kind: ChangeKind::Deployment,
        status,
        version: version(text(json, "ref"), text(json, "short_sha")),
        commit: commit.or_else(|| text(json, "short_sha")),
        author: first_text(json, &["user.username", "user.name"]),
        title: text(json, "commit_title"),
        url: first_text(json, &["deployable_url", "commit_url"]),
        started_at: (status == ChangeStatus::Started).then_some(changed),
        finished_at: status.is_over().then_some(changed),
        reported_at: changed,
    }))
}

fn job(delivery: &Delivery<'_>, json: &Value) -> Result<Parsed, Unreadable> {
    let Some(environment) = text(json, "environment.name") else {
        return Ok(Parsed::ignore("a job without an environment deploys nothing"));
    };
    let action = text(json, "environment.action").unwrap_or_else(|| "start".into());
    if action != "start" {
        return Ok(Parsed::ignore(format!("a job that does '{action}' to an environment deploys nothing")));
    }
    let project = project(json)?;
    let id = text(json, "build_id").ok_or_else(|| Unreadable::missing("build_id"))?;
    let word = text(json, "build_status").ok_or_else(|| Unreadable::missing("build_status"))?;
    let Some(status) = status(&word)? else {
        return Ok(Parsed::ignore(format!("a job that is '{word}' deploys nothing")));
    };
    let commit = text(json, "sha");
    let (started, finished) = (time_at(json, "build_started_at"), time_at(json, "build_finished_at"));
    Ok(Parsed::one(ChangeEvent {
        source: ChangeSource::Gitlab,
        external_id: format!("{project}/jobs/{id}"),
        service: last_segment(&project).to_owned(),
        environment,
        kind: kind_of(&[text(json, "build_name"), text(json, "build_stage")]),
        status,
        version: version(text(json, "ref"), commit.as_deref().map(short_commit)),
        commit,
        author: first_text(json, &["user.username", "user.name"]),
        title: first_text(json, &["commit.message", "build_name"]),
        url: text(json, "repository.homepage").map(|h| format!("{h}/-/jobs/{id}")),
        started_at: started,
        finished_at: status.is_over().then_some(finished).flatten(),
        reported_at: finished.or(started).or_else(|| time_at(json, "build_created_at")).unwrap_or(delivery.received_at),
    }))
}

fn pipeline(delivery: &Delivery<'_>, json: &Value) -> Result<Parsed, Unreadable> {
    let project = project(json)?;
    let builds = at(json, "builds").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut parsed = Parsed::default();
    for build in builds {
        if let Some(event) = pipeline_build(delivery, json, &project, build)? {
            parsed.changes.push(event);
        }
    }
    if parsed.changes.is_empty() {
        parsed.ignored.push("no job of this pipeline has deployed to an environment".into());
    }
    Ok(parsed)
}

fn pipeline_build(
    delivery: &Delivery<'_>,
    json: &Value,
    project: &str,
    build: &Value,
) -> Result<Option<ChangeEvent>, Unreadable> {
    let is_start = text(build, "environment.action").is_none_or(|a| a == "start");
    let (Some(environment), Some(id), Some(word), true) =
        (text(build, "environment.name"), text(build, "id"), text(build, "status"), is_start)
    else {
        return Ok(None);
    };
    let Some(status) = status(&word)? else { return Ok(None) };
    let commit = text(json, "object_attributes.sha");
    let (started, finished) = (time_at(build, "started_at"), time_at(build, "finished_at"));
    Ok(Some(ChangeEvent {
        source: ChangeSource::Gitlab,
        external_id: format!("{project}/jobs/{id}"),
        service: last_segment(project).to_owned(),
        environment,
        kind: kind_of(&[text(build, "name"), text(build, "stage")]),
        status,
        version: version(text(json, "object_attributes.ref"), commit.as_deref().map(short_commit)),
        author: first_text(build, &["user.username", "user.name"]).or_else(|| text(json, "user.username")),
        title: text(json, "commit.message"),
        url: text(json, "project.web_url").map(|p| format!("{p}/-/jobs/{id}")),
        commit,
        started_at: started,
        finished_at: status.is_over().then_some(finished).flatten(),
        reported_at: finished.or(started).or_else(|| time_at(build, "created_at")).unwrap_or(delivery.received_at),
    }))
}

fn release(delivery: &Delivery<'_>, json: &Value) -> Result<Parsed, Unreadable> {
    let action = text(json, "action").unwrap_or_else(|| "create".into());
    if action != "create" {
        return Ok(Parsed::ignore(format!("a release's '{action}' changes nothing that runs")));
    }
    let project = project(json)?;
    let tag = text(json, "tag").ok_or_else(|| Unreadable::missing("tag"))?;
    let released = ["released_at", "created_at"].iter().find_map(|p| time_at(json, p)).unwrap_or(delivery.received_at);
    Ok(Parsed::one(ChangeEvent {
        source: ChangeSource::Gitlab,
        external_id: format!("{project}/releases/{tag}"),
        service: last_segment(&project).to_owned(),
        environment: DEFAULT_ENVIRONMENT.to_owned(),
        kind: ChangeKind::Deployment,
        status: ChangeStatus::Succeeded,
        version: Some(tag),
        commit: text(json, "commit.id"),
        author: text(json, "commit.author.name"),
        title: text(json, "name"),
        url: text(json, "url"),
        started_at: Some(released),
        finished_at: Some(released),
        reported_at: released,
    }))
}
