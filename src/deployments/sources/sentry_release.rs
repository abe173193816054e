//! Sentry releases and deploys, in the shape of Sentry's own release API: `{version, projects[],
//! dateReleased, url, deploy{environment, dateStarted, dateFinished, url}}`. One change for each project.
//! A version written `package@1.2.3` loses its package.

use serde_json::Value;

use super::json::{at, body, first_text, text, time_at};
use super::{Delivery, Parsed, Unreadable};
use crate::deployments::model::{ChangeEvent, ChangeKind, ChangeSource, ChangeStatus};

pub(super) fn parse(delivery: &Delivery<'_>) -> Result<Parsed, Unreadable> {
    let json = body(delivery)?;
    let release = at(&json, "data.release").or_else(|| at(&json, "release")).filter(|r| r.is_object()).unwrap_or(&json);
    let full = text(release, "version").ok_or_else(|| Unreadable::missing("version"))?;
    let version = full.rsplit('@').next().unwrap_or(&full).to_owned();
    let deploy = ["deploy", "lastDeploy"].iter().find_map(|k| at(release, k).filter(|d| d.is_object()));
    let projects = projects(release);
    if projects.is_empty() {
        return Err(Unreadable::missing("projects"));
    }
    let of_deploy = |name: &str| deploy.and_then(|d| time_at(d, name));
    let finished = of_deploy("dateFinished").or_else(|| time_at(release, "dateReleased"));
    let started = of_deploy("dateStarted").or_else(|| time_at(release, "dateStarted")).or(finished);
    // A release that was only created has not gone live yet.
    let status = match (finished, started) {
        (Some(_), _) => ChangeStatus::Succeeded,
        (None, Some(_)) => ChangeStatus::Started,
        (None, None) => ChangeStatus::Pending,
    };
    let environment = deploy.and_then(|d| text(d, "environment")).or_else(|| text(release, "environment"));
    let environment = environment.unwrap_or_default();
    let changes = projects
        .into_iter()
        .map(|project| ChangeEvent {
            source: ChangeSource::Sentry,
            external_id: format!("{project}/{full}/{environment}"),
            service: project,
            environment: environment.clone(),
            kind: ChangeKind::Deployment,
            status,
            version: Some(version.clone()),
            commit: first_text(release, &["ref", "commit", "lastCommit.id"]),
            author: first_text(release, &["owner.email", "lastCommit.author.email", "authors.0.email"]),
            title: deploy.and_then(|d| text(d, "name")),
            url: deploy.and_then(|d| text(d, "url")).or_else(|| text(release, "url")),
            started_at: started,
            finished_at: finished,
            reported_at: finished
                .or(started)
                .or_else(|| time_at(release, "dateCreated"))
                .unwrap_or(delivery.received_at),
        })
        .collect();
    Ok(Parsed { changes, ..Parsed::default() })
}

/// Sentry lists projects as slugs when it is asked and as objects when it answers.
fn projects(release: &Value) -> Vec<String> {
    let listed = at(release, "projects").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut named: Vec<String> = listed
        .iter()
        .filter_map(|p| p.as_str().map(str::to_owned).or_else(|| first_text(p, &["slug", "name"])))
        .collect();
    if named.is_empty() {
        named.extend(first_text(release, &["project", "project_slug"]));
    }
    named
}
