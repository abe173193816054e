//! What the labels of an alert say beyond themselves: its service, environment, severity, runbook
//! and trace. Label names differ by house, so each has a list, the surest first.

use std::collections::BTreeMap;

use super::read;
use crate::alerts::model::{AlertEvent, AlertSeverity};

const SERVICE: [&str; 12] = [
    "service",
    "service_name",
    "service.name",
    "servicename",
    "app_kubernetes_io_name",
    "app.kubernetes.io/name",
    "app",
    "application",
    "deployment",
    "container",
    "project",
    "job",
];
const ENVIRONMENT: [&str; 6] =
    ["environment", "env", "deployment_environment", "deployment.environment", "deployment_environment_name", "stage"];
const SEVERITY: [&str; 4] = ["severity", "priority", "level", "urgency"];
const RUNBOOK: [&str; 4] = ["runbook_url", "runbook", "runbookUrl", "playbook_url"];
const TRACE: [&str; 5] = ["trace_id", "traceID", "traceId", "trace.id", "traceparent"];

fn first<'a>(maps: [&'a BTreeMap<String, String>; 2], names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| maps.iter().find_map(|m| m.get(*name))).map(|v| v.trim()).filter(|v| !v.is_empty())
}

/// Fills in what the event does not say itself.
pub fn enrich(event: &mut AlertEvent) {
    let maps = [&event.labels, &event.annotations];
    if event.service.is_none() {
        event.service = first(maps, &SERVICE).and_then(service_name);
    }
    if event.environment.is_none() {
        event.environment = first(maps, &ENVIRONMENT).map(|v| read::clean(v, 100));
    }
    if event.severity.is_none() {
        event.severity = first(maps, &SEVERITY).and_then(AlertSeverity::from_words);
    }
    if event.trace_id.is_none() {
        event.trace_id = first(maps, &TRACE).and_then(read::trace_id);
    }
    if event.runbook_url.is_none() {
        let url = first(maps, &RUNBOOK).map(ToOwned::to_owned);
        event.runbook_url = read::link("Runbook", url).map(|l| l.url);
    }
}

/// A service's name as a label has it: `namespace/name` keeps its name; a port or an address is
/// no service.
pub fn service_name(text: &str) -> Option<String> {
    let name = text.rsplit('/').next().unwrap_or(text).trim();
    let looks_like_address = name.contains(':') || name.parse::<std::net::IpAddr>().is_ok();
    (!name.is_empty() && !looks_like_address).then(|| read::clean(name, 100))
}

/// `key:value` tags, as Datadog lists them.
pub fn from_tags<'a>(tags: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    tags.map(str::trim)
        .filter(|t| !t.is_empty())
        .take(read::MAX_LABELS)
        .map(|tag| match tag.split_once(':') {
            Some((k, v)) => (read::clean(k, read::MAX_TITLE), read::clean(v, read::MAX_LABEL_VALUE)),
            None => (read::clean(tag, read::MAX_TITLE), String::new()),
        })
        .collect()
}

/// The identity of a label set as Prometheus and Alertmanager compute it: FNV-1a (64 bit) over the
/// sorted names and values, each closed by the byte 255; 16 hex digits. The same alert has the same
/// fingerprint whether Prometheus sends it directly or through Alertmanager.
pub fn fingerprint(labels: &BTreeMap<String, String>) -> String {
    const OFFSET: u64 = 14_695_981_039_346_656_037;
    const PRIME: u64 = 1_099_511_628_211;
    let bytes = labels.iter().flat_map(|(k, v)| k.bytes().chain([255]).chain(v.bytes()).chain([255]));
    let hash = bytes.fold(OFFSET, |h, b| (h ^ u64::from(b)).wrapping_mul(PRIME));
    format!("{hash:016x}")
}
