//! Requests through the company's services, as spans: fine ones, and ones that fail at the bottom.

use chrono::TimeDelta;

use super::company::path_to;
use crate::clock::Timestamp;
use crate::seeded::Seeded;

/// One span; times are offsets from the trace's start.
#[derive(Clone, Debug)]
pub struct SpanPlan {
    /// 16 hex digits.
    pub id: String,
    pub parent: Option<String>,
    pub service: &'static str,
    pub operation: String,
    /// `server`, `client` or `internal`.
    pub kind: &'static str,
    pub offset_us: i64,
    pub duration_us: i64,
    /// Type and message of the exception.
    pub error: Option<(&'static str, &'static str)>,
    /// The version that served it, where it matters.
    pub version: Option<String>,
}

#[derive(Clone, Debug)]
pub struct TracePlan {
    /// 32 hex digits.
    pub id: String,
    pub start: Timestamp,
    /// Parents come before their children.
    pub spans: Vec<SpanPlan>,
}

impl TracePlan {
    pub fn end(&self) -> Timestamp {
        let last = self.spans.iter().map(|s| s.offset_us + s.duration_us).max().unwrap_or(0);
        self.start + TimeDelta::microseconds(last)
    }
}

pub fn healthy(seeded: &mut Seeded, target: &'static str, at: Timestamp) -> TracePlan {
    let mut trace = start(seeded, at);
    let duration = seeded.between(20_000, 90_000);
    descend(seeded, &mut trace, &path_to(target), duration, None);
    trace
}

/// A request that fails at `target`; everything above it fails in turn.
pub fn failed(
    seeded: &mut Seeded,
    target: &'static str,
    at: Timestamp,
    error: (&'static str, &'static str),
    version: Option<&str>,
) -> TracePlan {
    let mut trace = start(seeded, at);
    let duration = seeded.between(400_000, 4_200_000);
    descend(seeded, &mut trace, &path_to(target), duration, Some(error));
    if let Some(last) = trace.spans.iter_mut().rev().find(|s| s.service == target && s.kind == "server") {
        last.version = version.map(str::to_owned);
    }
    trace
}

fn start(seeded: &mut Seeded, at: Timestamp) -> TracePlan {
    TracePlan { id: format!("{:016x}{:016x}", seeded.next_u64(), seeded.next_u64() | 1), start: at, spans: Vec::new() }
}

/// One server span per service on the path, a client span for each call, and some inner work.
fn descend(
    seeded: &mut Seeded,
    trace: &mut TracePlan,
    path: &[&'static str],
    duration: i64,
    error: Option<(&'static str, &'static str)>,
) {
    let (mut parent, mut offset, mut length) = (None, 0, duration);
    for (depth, service) in path.iter().enumerate() {
        let failed = error.is_some();
        let last = depth + 1 == path.len();
        let thrown = if last { error } else { error.map(|_| ("UpstreamError", "the call below failed")) };
        let server = push(seeded, trace, parent.take(), service, server_operation(service), "server", (offset, length));
        mark(trace, thrown);
        let before = seeded.between(800, (length / 12).max(801));
        if seeded.chance(0.6) {
            let work = before.min(length / 6);
            push(seeded, trace, Some(server.clone()), service, "authorize".to_owned(), "internal", (offset, work));
        }
        if last {
            let query = (offset + before, (length - before) * 9 / 10);
            push(seeded, trace, Some(server), service, format!("SELECT {service}"), "client", query);
            mark(trace, error);
            break;
        }
        let next = path.get(depth + 1).copied().unwrap_or(service);
        let call = (offset + before, (length - before) * 19 / 20);
        if !failed {
            let side = (offset + before / 2, (length / 9).max(300));
            push(seeded, trace, Some(server.clone()), service, "GET cache".to_owned(), "client", side);
        }
        let client = push(seeded, trace, Some(server), service, format!("POST {next}"), "client", call);
        mark(trace, error.map(|_| ("UpstreamError", "the call below failed")));
        offset = call.0 + 350.min(call.1 / 10);
        length = (call.1 * 9 / 10).max(500);
        parent = Some(client);
    }
}

fn push(
    seeded: &mut Seeded,
    trace: &mut TracePlan,
    parent: Option<String>,
    service: &'static str,
    operation: String,
    kind: &'static str,
    (offset_us, duration_us): (i64, i64),
) -> String {
    let id = format!("{:016x}", seeded.next_u64() | 1);
    trace.spans.push(SpanPlan {
        id: id.clone(),
        parent,
        service,
        operation,
        kind,
        offset_us,
        duration_us: duration_us.max(1),
        error: None,
        version: None,
    });
    id
}

fn mark(trace: &mut TracePlan, error: Option<(&'static str, &'static str)>) {
    if let Some(span) = trace.spans.last_mut() {
        span.error = error;
    }
}

fn server_operation(service: &str) -> String {
    match service {
        "storefront" => "POST /basket/pay".to_owned(),
        "order-queue" | "event-pipeline" => format!("publish {service}"),
        _ => format!("POST /{service}/v1"),
    }
}
