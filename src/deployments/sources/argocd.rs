//! Argo CD notifications. Argo CD has no fixed body: the sender pastes the template that we publish in
//! the documentation of the source, and this reads what it yields. A whole `app` object is read too.

use serde_json::Value;

use super::json::{at, body, first_text, short_commit, text, time_at};
use super::{Delivery, Parsed, Unreadable};
use crate::deployments::model::{ChangeEvent, ChangeKind, ChangeSource, ChangeStatus};

pub(super) fn parse(delivery: &Delivery<'_>) -> Result<Parsed, Unreadable> {
    let json = body(delivery)?;
    let app = first_text(&json, &["app", "app.metadata.name"]).ok_or_else(|| Unreadable::missing("app"))?;
    let phase =
        first_text(&json, &["phase", "app.status.operationState.phase"]).ok_or_else(|| Unreadable::missing("phase"))?;
    let status =
        ChangeStatus::parse_lenient(&phase).ok_or_else(|| Unreadable(format!("phase '{phase}' is not known")))?;
    let revision =
        first_text(&json, &["revision", "app.status.operationState.syncResult.revision", "app.status.sync.revision"]);
    let started = time_of(&json, &["started_at", "app.status.operationState.startedAt"]);
    let finished = time_of(&json, &["finished_at", "app.status.operationState.finishedAt"]);
    let is_rollback = text(&json, "kind").is_some_and(|k| ChangeKind::parse_lenient(&k) == Some(ChangeKind::Rollback));
    // A sync is one operation of one application: its start tells two syncs of one revision apart.
    let operation = started.map_or_else(|| revision.clone().unwrap_or_default(), |t| t.to_rfc3339());
    Ok(Parsed::one(ChangeEvent {
        source: ChangeSource::Argocd,
        external_id: format!("{app}@{operation}"),
        service: first_text(&json, &["service", "app.metadata.labels.app"]).unwrap_or_else(|| app.clone()),
        environment: first_text(
            &json,
            &[
                "environment",
                "app.metadata.labels.environment",
                "app.metadata.labels.env",
                "app.spec.destination.namespace",
            ],
        )
        .unwrap_or_default(),
        kind: if is_rollback { ChangeKind::Rollback } else { ChangeKind::Deployment },
        status,
        version: text(&json, "version").or_else(|| image_tag(&json)).or_else(|| revision.as_deref().map(short_commit)),
        commit: revision,
        author: first_text(&json, &["author", "app.status.operationState.operation.initiatedBy.username"]),
        title: first_text(&json, &["message", "app.status.operationState.message"]),
        url: text(&json, "url"),
        started_at: started,
        finished_at: status.is_over().then_some(finished).flatten(),
        reported_at: finished.filter(|_| status.is_over()).or(started).unwrap_or(delivery.received_at),
    }))
}

fn time_of(json: &Value, paths: &[&str]) -> Option<crate::clock::Timestamp> {
    paths.iter().find_map(|p| time_at(json, p))
}

/// The tag of the first image: `1.4.2` of `registry.example/shop/cart:1.4.2@sha256:…`.
fn image_tag(json: &Value) -> Option<String> {
    let images = at(json, "images").or_else(|| at(json, "app.status.summary.images"))?;
    let first = match images {
        Value::Array(list) => list.first()?.as_str()?.to_owned(),
        // Go's template prints a list as `[a b]`.
        Value::String(s) => s.trim_matches(['[', ']']).split_whitespace().next()?.to_owned(),
        _ => return None,
    };
    let without_digest = first.split('@').next()?;
    let name = without_digest.rsplit('/').next()?;
    name.split_once(':').map(|(_, tag)| tag.to_owned()).filter(|t| !t.is_empty())
}
