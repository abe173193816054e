//! CDEvents, bare or over CloudEvents (structured, batch, and binary with `ce-*` headers).
//!
//! `service.deployed`, `upgraded`, `published`, `removed` and `rolledback` are changes of the service
//! that the subject names. `environment.*` events are infrastructure changes when `customData.service`
//! says whose. The type is matched by its words, so that any version of the format is read.

use serde_json::Value;

use super::json::{at, body, first_text, last_segment, text, time_at};
use super::{Delivery, MAX_CHANGES, Parsed, Unreadable};
use crate::deployments::model::{ChangeEvent, ChangeKind, ChangeSource, ChangeStatus};

pub(super) fn parse(delivery: &Delivery<'_>) -> Result<Parsed, Unreadable> {
    match body(delivery)? {
        Value::Array(batch) if batch.len() > MAX_CHANGES => {
            Err(Unreadable(format!("{} events in one batch; at most {MAX_CHANGES}", batch.len())))
        }
        Value::Array(batch) => batch.iter().enumerate().try_fold(Parsed::default(), |mut all, (i, event)| {
            all.absorb(one(delivery, event).map_err(|e| Unreadable(format!("event {}: {e}", i + 1)))?);
            Ok(all)
        }),
        event => one(delivery, &event),
    }
}

/// The attributes that CloudEvents and CDEvents both have; the inner ones win.
struct Attributes {
    id: Option<String>,
    source: Option<String>,
    kind: Option<String>,
}

fn one(delivery: &Delivery<'_>, event: &Value) -> Result<Parsed, Unreadable> {
    let inner = at(event, "data").filter(|d| d.is_object()).unwrap_or(event);
    let attributes = attributes(delivery, event, inner);
    let kind = attributes.kind.ok_or_else(|| Unreadable::missing("context.type"))?;
    let Some(words) = kind.strip_prefix("dev.cdevents.") else {
        return Ok(Parsed::ignore(format!("'{kind}' is not a CDEvent")));
    };
    let mut words = words.split('.');
    let (noun, verb) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let change = match (noun, verb) {
        ("service", "deployed" | "upgraded" | "published" | "removed") => ChangeKind::Deployment,
        ("service", "rolledback") => ChangeKind::Rollback,
        ("environment", "created" | "modified" | "deleted") => ChangeKind::Infrastructure,
        _ => return Ok(Parsed::ignore(format!("'{noun}.{verb}' changes nothing that runs"))),
    };
    let named = first_text(inner, &["customData.service", "customData.service_name"]);
    let subject = text(inner, "subject.id");
    let service = match noun {
        "service" => named.or_else(|| subject.clone().map(|s| last_segment(&s).to_owned())),
        _ => named,
    };
    let Some(service) = service else {
        return if noun == "service" {
            Err(Unreadable::missing("subject.id"))
        } else {
            Ok(Parsed::ignore("an environment event says whose in customData.service; this one does not"))
        };
    };
    let id = attributes.id.ok_or_else(|| Unreadable::missing("context.id"))?;
    let source = attributes.source.unwrap_or_default();
    let when = time_at(inner, "context.timestamp").or_else(|| time_at(event, "time")).unwrap_or(delivery.received_at);
    Ok(Parsed::one(ChangeEvent {
        source: ChangeSource::Cdevents,
        external_id: format!("{source}#{id}"),
        service,
        environment: environment(inner, noun, subject.as_deref()),
        kind: change,
        status: ChangeStatus::Succeeded,
        version: first_text(inner, &["customData.version"])
            .or_else(|| text(inner, "subject.content.artifactId").and_then(|p| purl_version(&p))),
        commit: first_text(inner, &["customData.commit", "customData.sha"]),
        author: first_text(inner, &["customData.author", "subject.content.user"]),
        title: Some(format!("{noun} {verb}")),
        url: first_text(inner, &["customData.url", "subject.content.uri"]),
        started_at: Some(when),
        finished_at: Some(when),
        reported_at: when,
    }))
}

fn attributes(delivery: &Delivery<'_>, outer: &Value, inner: &Value) -> Attributes {
    let pick = |context: &str, plain: &str, header: &str| {
        text(inner, context).or_else(|| text(outer, plain)).or_else(|| delivery.header(header).map(str::to_owned))
    };
    Attributes {
        id: pick("context.id", "id", "ce-id"),
        source: pick("context.source", "source", "ce-source"),
        kind: pick("context.type", "type", "ce-type"),
    }
}

fn environment(inner: &Value, noun: &str, subject: Option<&str>) -> String {
    let named = if noun == "environment" {
        text(inner, "subject.content.name").or_else(|| subject.map(str::to_owned))
    } else {
        first_text(inner, &["subject.content.environment.id", "subject.content.environment.name"])
    };
    named.map(|e| last_segment(&e).to_owned()).unwrap_or_default()
}

/// The version in a package URL: its `tag` qualifier, else what follows `@`; digests are shortened.
fn purl_version(purl: &str) -> Option<String> {
    let (name, qualifiers) = purl.split_once('?').unwrap_or((purl, ""));
    if let Some((_, tag)) = url::form_urlencoded::parse(qualifiers.as_bytes()).find(|(k, _)| k == "tag") {
        return Some(tag.into_owned());
    }
    let (_, version) = name.rsplit_once('@')?;
    let version = version.replace("%3A", ":").replace("%3a", ":");
    Some(match version.strip_prefix("sha256:") {
        Some(digest) => format!("sha256:{}", digest.chars().take(12).collect::<String>()),
        None => version,
    })
}
