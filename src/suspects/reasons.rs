//! From findings to suspects with reasons: every number that moved a suspect is said in a sentence, with the trace,
//! change, alert or log line where it can be looked at.

use std::collections::BTreeMap;

use super::changes;
use super::forest::Node;
use super::headline;
use super::latency::{Part, Slowing};
use super::model::{Change, EvidenceRef, Ranking, Reason, Signal, Suspect, SuspectKind};
use super::patterns::{Departure, Event};
use super::ranking::{Findings, Standing, scaled};

/// Strength under which a finding is not worth a sentence.
const TELLING: f64 = 0.1;
/// Operations named per service, and reasons per suspect, at most.
const OPERATIONS: usize = 3;
const REASONS: usize = 6;

pub(super) fn ranking(
    f: &Findings<'_>,
    standings: &BTreeMap<String, Standing>,
    on: impl Fn(Signal) -> bool,
) -> Ranking {
    let mut suspects = Vec::new();
    for (service, standing) in standings {
        let mut reasons = telemetry_reasons(f, service, &on);
        let latest = on(Signal::Change).then(|| latest_change(f, service)).flatten();
        if let Some((change, lag)) = latest {
            reasons.push(change_reason(f, change, lag));
        }
        suspects.extend(operations(f, service, standing.score));
        sort_reasons(&mut reasons);
        suspects.push(suspect(SuspectKind::Service, service, standing.score, reasons));
    }
    for change in &f.seen.changes {
        suspects.extend(deployment(f, standings, change, &on));
    }
    suspects.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then_with(|| order(a.kind).cmp(&order(b.kind)))
            .then_with(|| a.service.cmp(&b.service))
            .then_with(|| a.operation.cmp(&b.operation))
            .then_with(|| a.change.cmp(&b.change))
    });
    for (at, suspect) in suspects.iter_mut().enumerate() {
        suspect.rank = at + 1;
    }
    Ranking { headline: headline::sentence(f, &suspects), suspects, missing: missing(f) }
}

const fn order(kind: SuspectKind) -> u8 {
    match kind {
        SuspectKind::Service => 0,
        SuspectKind::Deployment => 1,
        SuspectKind::Operation => 2,
    }
}

fn suspect(kind: SuspectKind, service: &str, score: f64, reasons: Vec<Reason>) -> Suspect {
    Suspect {
        rank: 0,
        kind,
        service: service.to_owned(),
        operation: None,
        version: None,
        change: None,
        score: rounded(score),
        reasons,
    }
}

/// Four decimals: more is noise, and this way a kept ranking reads back the same.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

fn sort_reasons(reasons: &mut Vec<Reason>) {
    for reason in reasons.iter_mut() {
        reason.strength = rounded(reason.strength);
    }
    reasons.sort_by(|a, b| b.strength.total_cmp(&a.strength).then_with(|| a.text.cmp(&b.text)));
    reasons.truncate(REASONS);
}

fn latest_change<'a>(f: &'a Findings<'_>, service: &str) -> Option<(&'a Change, f64)> {
    f.seen
        .changes
        .iter()
        .filter(|c| c.service == service)
        .filter_map(|c| Some((c, changes::lag_minutes(c, f.seen.impact_started_at)?)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
}

fn change_reason(f: &Findings<'_>, change: &Change, lag: f64) -> Reason {
    let factor = changes::odds_factor(lag, &f.tuned);
    Reason {
        signal: Signal::Change,
        text: format!("{} was changed to {} {} before the impact", change.service, change.version, span_of_time(lag)),
        strength: 1.0 - 1.0 / factor,
        evidence: Some(EvidenceRef::Change(change.id.clone())),
    }
}

fn deployment(
    f: &Findings<'_>,
    standings: &BTreeMap<String, Standing>,
    change: &Change,
    on: &impl Fn(Signal) -> bool,
) -> Option<Suspect> {
    let lag = changes::lag_minutes(change, f.seen.impact_started_at)?;
    let standing = standings.get(&change.service)?;
    let factor = if on(Signal::Change) { changes::odds_factor(lag, &f.tuned) } else { 1.0 };
    let mut reasons = telemetry_reasons(f, &change.service, on);
    reasons.push(change_reason(f, change, lag));
    sort_reasons(&mut reasons);
    Some(Suspect {
        version: Some(change.version.clone()),
        change: Some(change.id.clone()),
        ..suspect(SuspectKind::Deployment, &change.service, scaled(standing.telemetry, factor), reasons)
    })
}

/// Everything the telemetry says about one service.
fn telemetry_reasons(f: &Findings<'_>, service: &str, on: &impl Fn(Signal) -> bool) -> Vec<Reason> {
    let mut out = Vec::new();
    if on(Signal::Alert) {
        if let Some(alert) = f.seen.alerts.iter().filter(|a| a.service == service).min_by_key(|a| a.at) {
            let text = format!("an alert names {service}");
            let evidence = Some(EvidenceRef::Alert(alert.id.clone()));
            out.push(Reason { signal: Signal::Alert, text, strength: f.tuned.alert, evidence });
        }
    }
    let Some(id) = f.names.find(service) else { return out };
    slow_reasons(f, id, &mut out);
    let mut departures: Vec<&Departure> =
        f.patterns.departures.iter().filter(|d| d.place.0 == id && d.strength >= TELLING).collect();
    departures.sort_by(|a, b| b.strength.total_cmp(&a.strength));
    out.extend(departures.into_iter().take(2).map(|d| departure_reason(f, d)));
    if let Some((shift, place)) = f.patterns.mix.get(&id).filter(|m| m.0 >= TELLING) {
        let text = format!(
            "{} takes its known courses in other shares than before (shift of {})",
            f.names.text(place.1),
            percent(*shift)
        );
        out.push(Reason { signal: Signal::Mix, text, strength: shift * f.tuned.mix, evidence: None });
    }
    if let Some(x) = f.failing.get(&id) {
        let text = if x.lost * 2 > x.hits {
            format!("in {} of {} requests that should have reached {service}, calls to it got no answer", x.hits, x.of)
        } else {
            let operation = f.names.text(x.operation);
            format!(
                "{} of {} requests through {service} failed in {operation} with nothing failing beneath it",
                x.hits, x.of
            )
        };
        out.push(Reason { signal: Signal::Error, text, strength: x.strength, evidence: trace(f, x.example) });
    }
    if let Some(x) = f.complaining.get(&id) {
        let words = f.templates.text(x.template);
        let text = format!("{service} logged {} errors like “{}”", x.hits, cut(&words));
        out.push(Reason {
            signal: Signal::Log,
            text,
            strength: x.strength,
            evidence: Some(EvidenceRef::Log(cut(&words))),
        });
    }
    if let Some(x) = f.splits.get(&id) {
        let text = format!(
            "{} of {} visits to version {} went badly, {} of {} to others",
            x.bad,
            x.of,
            f.names.text(x.version),
            x.other_bad,
            x.other_of
        );
        out.push(Reason { signal: Signal::VersionSplit, text, strength: x.strength, evidence: None });
    }
    out
}

fn slow_reasons(f: &Findings<'_>, id: u32, out: &mut Vec<Reason>) {
    let service = f.names.text(id);
    let own: Vec<(&Part, &Slowing)> =
        f.latency.parts.iter().filter(|(p, _)| matches!(p, Part::Own(s, _) if *s == id)).collect();
    let slowed = own.iter().filter(|(_, s)| s.strength >= TELLING).count();
    if let Some((Part::Own(_, op), worst)) = own.iter().max_by(|a, b| a.1.strength.total_cmp(&b.1.strength)) {
        if worst.strength >= TELLING {
            let spread = if slowed > 1 && slowed == own.len() {
                format!("; all {slowed} of its operations slowed, as when its machine is short of something")
            } else {
                String::new()
            };
            let text = format!("{service} itself takes {} in {}{spread}", change_in_time(worst), f.names.text(*op));
            out.push(Reason {
                signal: Signal::OwnTime,
                text,
                strength: worst.strength,
                evidence: trace(f, worst.example),
            });
        }
    }
    let gaps = |inbound: bool| {
        f.latency
            .parts
            .iter()
            .filter_map(move |(p, s)| match *p {
                Part::Gap(caller, callee) if inbound && callee == id => Some((caller, s)),
                Part::Gap(caller, callee) if !inbound && caller == id => Some((callee, s)),
                _ => None,
            })
            .filter(|(_, s)| s.strength >= TELLING)
            .max_by(|a, b| a.1.strength.total_cmp(&b.1.strength))
    };
    let standing = f.latency.by_service.get(&id).copied().unwrap_or_default();
    if let Some((caller, s)) = gaps(true) {
        let text = format!("calls from {} wait {} before {service} answers", f.names.text(caller), change_in_time(s));
        out.push(Reason { signal: Signal::CallGap, text, strength: standing.inbound, evidence: trace(f, s.example) });
    }
    if let Some((callee, s)) = gaps(false) {
        let text = format!("its calls to {} wait {} outside that service", f.names.text(callee), change_in_time(s));
        out.push(Reason { signal: Signal::CallGap, text, strength: standing.outbound, evidence: trace(f, s.example) });
    }
}

fn departure_reason(f: &Findings<'_>, d: &Departure) -> Reason {
    let operation = f.names.text(d.place.1);
    let count = format!("{} of {} comparable requests", d.hits, d.of);
    let text = match (d.missing.first(), d.new.first()) {
        (None, None) => format!("callers stop right after calling {operation}, in {} of {} calls", d.hits, d.of),
        (Some(gone), None) => format!("in {operation}, {count} lack {}{}", event(f, gone), more(d.missing.len())),
        (None, Some(new)) => {
            format!("in {operation}, {count} have {}{}, never seen before", event(f, new), more(d.new.len()))
        }
        (Some(gone), Some(new)) => {
            format!("in {operation}, {count} have {} instead of {}", event(f, new), event(f, gone))
        }
    };
    Reason { signal: Signal::Pattern, text, strength: d.strength, evidence: trace(f, d.example) }
}

fn event(f: &Findings<'_>, event: &Event) -> String {
    match *event {
        Event::Local(op) => f.names.text(op).to_owned(),
        Event::Call(service, op) => format!("the call to {} {}", f.names.text(service), f.names.text(op)),
        Event::Lost(service) => format!("a call to {} without an answer", f.names.text(service)),
        Event::Line(template, error) => {
            format!("the {}log line “{}”", if error { "error " } else { "" }, cut(&f.templates.text(template)))
        }
    }
}

fn more(n: usize) -> String {
    if n > 1 { format!(" and {} more", n - 1) } else { String::new() }
}

/// The operations of a service that something is known against.
fn operations(f: &Findings<'_>, service: &str, score: f64) -> Vec<Suspect> {
    let Some(id) = f.names.find(service) else { return Vec::new() };
    let mut found: BTreeMap<u32, Vec<Reason>> = BTreeMap::new();
    for (part, slowing) in &f.latency.parts {
        if let Part::Own(s, op) = *part {
            if s == id && slowing.strength >= TELLING {
                let text = format!("takes {} itself", change_in_time(slowing));
                let evidence = trace(f, slowing.example);
                let reason = Reason { signal: Signal::OwnTime, text, strength: slowing.strength, evidence };
                found.entry(op).or_default().push(reason);
            }
        }
    }
    for d in f.patterns.departures.iter().filter(|d| d.place.0 == id && d.strength >= TELLING) {
        found.entry(d.place.1).or_default().push(departure_reason(f, d));
    }
    let mut suspects: Vec<Suspect> = found
        .into_iter()
        .map(|(op, mut reasons)| {
            let strength = super::stats::either(reasons.iter().map(|r| r.strength));
            sort_reasons(&mut reasons);
            let operation = Some(f.names.text(op).to_owned());
            Suspect { operation, ..suspect(SuspectKind::Operation, service, score * strength, reasons) }
        })
        .collect();
    suspects.sort_by(|a, b| b.score.total_cmp(&a.score));
    suspects.truncate(OPERATIONS);
    suspects
}

fn missing(f: &Findings<'_>) -> Vec<String> {
    let mut out = Vec::new();
    let mut note = |absent: bool, text: &str| {
        if absent {
            out.push(text.to_owned());
        }
    };
    note(f.incident.nodes.is_empty(), "no spans since the impact: nothing can be said about slowness or call patterns");
    note(f.seen.baseline.spans.is_empty(), "no spans of a healthy stretch to compare with");
    note(f.seen.incident.logs.is_empty(), "no log lines of the incident");
    note(f.seen.baseline.logs.is_empty(), "no log lines of a healthy stretch to compare with");
    note(f.seen.changes.is_empty(), "no changes are known in the day before the impact");
    out
}

fn trace(f: &Findings<'_>, at: usize) -> Option<EvidenceRef> {
    let node: &Node = f.incident.nodes.get(at)?;
    Some(EvidenceRef::Trace(f.seen.incident.spans.get(node.source)?.trace_id.clone()))
}

fn change_in_time(s: &Slowing) -> String {
    format!("{} (was {})", duration(s.after_ms), duration(s.before_ms))
}

pub(super) fn duration(ms: f64) -> String {
    if ms >= 9_950.0 {
        format!("{:.0} s", ms / 1e3)
    } else if ms >= 995.0 {
        format!("{:.1} s", ms / 1e3)
    } else if ms >= 9.95 {
        format!("{ms:.0} ms")
    } else {
        format!("{ms:.1} ms")
    }
}

fn span_of_time(minutes: f64) -> String {
    if minutes < 1.0 {
        "less than a minute".to_owned()
    } else if minutes < 90.0 {
        format!("{minutes:.0} min")
    } else {
        format!("{:.1} h", minutes / 60.0)
    }
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn cut(text: &str) -> String {
    const LONGEST: usize = 100;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}
