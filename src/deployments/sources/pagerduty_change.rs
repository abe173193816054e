//! PagerDuty change events (`POST /v2/change/enqueue`): `{routing_key, payload{…}, links[]}`.
//!
//! They carry neither an id nor fields for a version, so the id is a digest of what they say and the
//! version is taken from `custom_details` or from the summary. They are sent after the fact: without a
//! word about the outcome the change has succeeded.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::json::{body, first_text, text, time_at};
use super::{Delivery, Parsed, Unreadable};
use crate::deployments::model::{ChangeEvent, ChangeKind, ChangeSource, ChangeStatus, looks_like_version};

pub(super) fn parse(delivery: &Delivery<'_>) -> Result<Parsed, Unreadable> {
    let json = body(delivery)?;
    let summary = text(&json, "payload.summary").ok_or_else(|| Unreadable::missing("payload.summary"))?;
    let named = first_text(&json, &["payload.custom_details.service", "payload.custom_details.service_name"]);
    let source = text(&json, "payload.source");
    let service = named.or_else(|| source.clone()).ok_or_else(|| Unreadable::missing("payload.source"))?;
    let when = time_at(&json, "payload.timestamp").unwrap_or(delivery.received_at);
    let status = first_text(&json, &["payload.custom_details.status", "payload.custom_details.build_state"])
        .and_then(|word| ChangeStatus::parse_lenient(&word))
        .unwrap_or(ChangeStatus::Succeeded);
    let detail = |name: &str| text(&json, &format!("payload.custom_details.{name}"));
    Ok(Parsed::one(ChangeEvent {
        source: ChangeSource::Pagerduty,
        external_id: digest(&summary, source.as_deref(), text(&json, "payload.timestamp").as_deref()),
        service,
        environment: detail("environment").unwrap_or_default(),
        kind: kind(&json, &summary),
        status,
        version: detail("version").or_else(|| version_in(&summary)),
        commit: detail("commit").or_else(|| detail("sha")),
        author: detail("author").or_else(|| detail("user")),
        title: Some(summary),
        url: first_text(&json, &["links.0.href", "client_url"]),
        started_at: Some(when),
        finished_at: status.is_over().then_some(when),
        reported_at: when,
    }))
}

fn kind(json: &Value, summary: &str) -> ChangeKind {
    let declared = text(json, "payload.custom_details.kind").and_then(|k| ChangeKind::parse_lenient(&k));
    declared.unwrap_or_else(|| {
        let summary = summary.to_lowercase();
        if summary.contains("rollback") || summary.contains("rolled back") {
            ChangeKind::Rollback
        } else if summary.contains("feature flag") {
            ChangeKind::FeatureFlag
        } else {
            ChangeKind::Deployment
        }
    })
}

fn version_in(summary: &str) -> Option<String> {
    summary
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | ':' | ';' | '(' | ')' | '"' | '\''))
        .map(|word| word.trim_end_matches('.'))
        .find(|word| looks_like_version(word))
        .map(str::to_owned)
}

fn digest(summary: &str, source: Option<&str>, timestamp: Option<&str>) -> String {
    let mut hash = Sha256::new();
    for part in [summary, source.unwrap_or_default(), timestamp.unwrap_or_default()] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..16])
}
