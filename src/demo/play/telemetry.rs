//! Traces as an OpenTelemetry SDK would send them.

use std::sync::Arc;

use crate::demo::traces::{SpanPlan, TracePlan};
use crate::error::{Error, Result};
use crate::telemetry::{AttrValue, Attributes, Resource, SpanId, TraceId};
use crate::traces::model::{Span, SpanEvent, SpanKind, SpanStatus};

/// # Errors
/// `Internal` for an id that is not hexadecimal: the plan is at fault then.
pub(super) fn spans(trace: &TracePlan) -> Result<Vec<Span>> {
    let fault = |e: String| Error::Internal(format!("demo: {e}"));
    let trace_id = TraceId::parse_strict(&trace.id).map_err(fault)?;
    trace
        .spans
        .iter()
        .map(|plan| {
            let span_id = SpanId::parse_strict(&plan.id).map_err(fault)?;
            let parent = plan.parent.as_deref().map(SpanId::parse_strict).transpose().map_err(fault)?;
            Ok(span(trace, plan, trace_id, span_id, parent))
        })
        .collect()
}

fn span(trace: &TracePlan, plan: &SpanPlan, trace_id: TraceId, span_id: SpanId, parent: Option<SpanId>) -> Span {
    let start_nanos = (trace.start.as_micros() + plan.offset_us).saturating_mul(1_000);
    let end_nanos = start_nanos.saturating_add(plan.duration_us.saturating_mul(1_000));
    Span {
        trace_id,
        span_id,
        parent,
        kind: match plan.kind {
            "server" => SpanKind::Server,
            "client" => SpanKind::Client,
            _ => SpanKind::Internal,
        },
        name: plan.operation.clone(),
        start_nanos,
        end_nanos,
        status: if plan.error.is_some() { SpanStatus::Error } else { SpanStatus::Unset },
        status_message: plan.error.map_or_else(String::new, |(_, message)| message.to_owned()),
        attributes: attributes(plan),
        events: plan.error.map(|(kind, message)| exception(kind, message, end_nanos)).into_iter().collect(),
        links: Vec::new(),
        resource: Arc::new(resource(plan)),
        scope: Some("meridian-rpc".to_owned()),
    }
}

fn resource(plan: &SpanPlan) -> Resource {
    let text = |value: &str| AttrValue::Text(value.to_owned());
    let mut attributes = vec![("service.name".to_owned(), text(plan.service))];
    attributes.push(("deployment.environment.name".to_owned(), text("production")));
    if let Some(version) = &plan.version {
        attributes.push(("service.version".to_owned(), text(version)));
    }
    Resource {
        service: plan.service.to_owned(),
        version: plan.version.clone(),
        environment: Some("production".to_owned()),
        instance: Some(format!("{}-7d9f", plan.service)),
        attributes: Attributes(attributes),
    }
}

fn attributes(plan: &SpanPlan) -> Attributes {
    let text = |value: &str| AttrValue::Text(value.to_owned());
    let pairs = match plan.kind {
        "server" => vec![
            ("http.request.method".to_owned(), text("POST")),
            ("http.route".to_owned(), text(plan.operation.trim_start_matches("POST "))),
            ("http.response.status_code".to_owned(), AttrValue::Int(if plan.error.is_some() { 500 } else { 200 })),
        ],
        "client" if plan.operation.starts_with("SELECT") => vec![
            ("db.system.name".to_owned(), text("postgresql")),
            (
                "db.query.text".to_owned(),
                text(&format!("{} WHERE id = ?", plan.operation.replacen("SELECT", "SELECT * FROM", 1))),
            ),
        ],
        "client" => vec![("rpc.system".to_owned(), text("http"))],
        _ => Vec::new(),
    };
    Attributes(pairs)
}

fn exception(kind: &str, message: &str, at_nanos: i64) -> SpanEvent {
    let text = |value: &str| AttrValue::Text(value.to_owned());
    SpanEvent {
        at_nanos,
        name: "exception".to_owned(),
        attributes: Attributes(vec![
            ("exception.type".to_owned(), text(kind)),
            ("exception.message".to_owned(), text(message)),
        ]),
    }
}
