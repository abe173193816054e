//! Our own JSON, for pipelines without an adapter: an object, or a list of them.
//!
//! `{service, version?, environment?, kind?, status?, started_at?, finished_at?, commit?, author?, url?,
//! title?, id?}`. Without an `id` a change is named by service, environment, kind and version (see
//! [`DERIVED`]), so that a pipeline that tells "started" and later "succeeded" names one change.

use serde_json::Value;

use super::json::{at, body, first_text, time};
use super::{Delivery, MAX_CHANGES, Parsed, Unreadable};
use crate::clock::Timestamp;
use crate::deployments::model::{ChangeEvent, ChangeKind, ChangeSource, ChangeStatus};

/// Begins the external id of a change whose sender gave none. The same version may go live again
/// months later under the same derived name; whoever stores it decides whether that is a new change.
pub const DERIVED: &str = "derived:";

pub(super) fn parse(delivery: &Delivery<'_>) -> Result<Parsed, Unreadable> {
    let json = body(delivery)?;
    let list = match &json {
        Value::Array(list) => list.as_slice(),
        Value::Object(_) => std::slice::from_ref(&json),
        _ => return Err(Unreadable("the body is neither an object nor a list of objects".into())),
    };
    if list.is_empty() {
        return Ok(Parsed::ignore("the list is empty"));
    }
    if list.len() > MAX_CHANGES {
        return Err(Unreadable(format!("{} changes in one delivery; at most {MAX_CHANGES}", list.len())));
    }
    let changes = list
        .iter()
        .enumerate()
        .map(|(i, item)| one(delivery, item).map_err(|e| Unreadable(format!("change {}: {e}", i + 1))))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Parsed { changes, ..Parsed::default() })
}

fn one(delivery: &Delivery<'_>, item: &Value) -> Result<ChangeEvent, Unreadable> {
    let service =
        first_text(item, &["service", "service_name", "app"]).ok_or_else(|| Unreadable::missing("service"))?;
    let environment = first_text(item, &["environment", "env"]).unwrap_or_default();
    let version = first_text(item, &["version", "tag"]);
    let kind = word(item, &["kind", "type"], ChangeKind::parse_lenient)?.unwrap_or(ChangeKind::Deployment);
    let status = word(item, &["status", "state"], ChangeStatus::parse_lenient)?;
    let started = moment(item, "started_at")?;
    let finished = moment(item, "finished_at")?;
    // Without a status: over when an end is given, or when nothing is said at all ("v2 is live").
    let status = status.unwrap_or(match (started, finished) {
        (Some(_), None) => ChangeStatus::Started,
        _ => ChangeStatus::Succeeded,
    });
    let external_id = first_text(item, &["id", "external_id", "deployment_id"]).unwrap_or_else(|| {
        format!("{DERIVED}{service}|{environment}|{kind}|{}", version.as_deref().unwrap_or_default())
    });
    Ok(ChangeEvent {
        source: ChangeSource::Generic,
        external_id,
        service,
        environment,
        kind,
        status,
        version,
        commit: first_text(item, &["commit", "sha"]),
        author: first_text(item, &["author", "user"]),
        title: first_text(item, &["title", "summary", "description"]),
        url: first_text(item, &["url", "link"]),
        started_at: started,
        finished_at: finished,
        reported_at: finished.filter(|_| status.is_over()).or(started).unwrap_or(delivery.received_at),
    })
}

/// A word from a fixed list: absent is fine, unknown is named.
fn word<T>(item: &Value, paths: &[&str], read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Unreadable> {
    match first_text(item, paths) {
        None => Ok(None),
        Some(text) => read(&text)
            .map(Some)
            .ok_or_else(|| Unreadable(format!("{} '{text}' is not known", paths.first().copied().unwrap_or("word")))),
    }
}

/// A time: absent is fine, unreadable is named rather than guessed.
fn moment(item: &Value, field: &str) -> Result<Option<Timestamp>, Unreadable> {
    match at(item, field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let read = match value {
                Value::String(s) if s.trim().is_empty() => return Ok(None),
                Value::String(s) => time(s),
                other => super::json::time_at(&serde_json::json!({ "t": other }), "t"),
            };
            read.map(Some).ok_or_else(|| Unreadable(format!("{field} '{value}' is not a time")))
        }
    }
}
