//! What a list of rules would have made of past alerts, without touching anything.

use std::collections::BTreeSet;

use super::engine::{Candidate, Engine, Neighbours, Outcome};
use super::rule::{Rule, Target};
use crate::alerts::model::AlertSeverity;
use crate::clock::Timestamp;

/// An incident that would have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WouldBe {
    pub opened_at: Timestamp,
    pub rule_name: String,
    pub severity: u8,
    pub title: String,
    pub services: BTreeSet<String>,
    pub alerts: i64,
    /// When the last of its alerts ended; `None` while one fires.
    pub over_at: Option<Timestamp>,
}

impl WouldBe {
    pub fn service_names(&self) -> String {
        self.services.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    pub incidents: Vec<WouldBe>,
    /// Alerts that were over before they counted.
    pub blips: usize,
    /// Alerts that would only be listed.
    pub listed: usize,
    /// Alerts that joined a group which never had enough of them.
    pub waiting: i64,
    pub alerts: usize,
}

impl Replay {
    /// As many as a page lists.
    pub fn first_hundred(&self) -> &[WouldBe] {
        self.incidents.get(..100).unwrap_or(&self.incidents)
    }
}

/// Runs episodes through the rules in the order in which they would have counted. An incident of
/// the past is taken as over once all of its alerts are.
pub fn replay(rules: &[Rule], neighbours: &Neighbours, episodes: &[Candidate], now: Timestamp) -> Replay {
    let mut engine = Engine::new(rules, neighbours, Vec::new());
    let mut result = Replay { alerts: episodes.len(), ..Replay::default() };
    let mut ends: Vec<Option<Timestamp>> = Vec::new();
    let mut firsts: Vec<(String, usize)> = Vec::new();
    let hold = |c: &Candidate| engine_hold(rules, c);
    let mut order: Vec<&Candidate> = episodes.iter().collect();
    order.sort_by_key(|c| (c.started_at + hold(c), c.started_at, c.id));
    for alert in order {
        let at = (alert.started_at + hold(alert)).min(now);
        close_what_is_over(&mut engine, &ends, at);
        match engine.offer(alert, at) {
            Outcome::Held { .. } => result.blips += 1,
            Outcome::Listed { .. } => result.listed += 1,
            Outcome::Joined { group, .. } | Outcome::Reopened { group, .. } => {
                if group == ends.len() {
                    ends.push(alert.ended_at);
                    firsts.push((alert.title.clone(), 0));
                } else if let Some(end) = ends.get_mut(group) {
                    *end = match (*end, alert.ended_at) {
                        (Some(a), Some(b)) => Some(a.max(b)),
                        _ => None,
                    };
                }
                let open =
                    engine.groups.get(group).zip(engine.rule_for(alert)).is_some_and(|(g, r)| Engine::is_ripe(g, r));
                if open && let Some(g) = engine.groups.get_mut(group) {
                    g.incident = Some(i64::try_from(group).unwrap_or(i64::MAX));
                    if let Some(first) = firsts.get_mut(group) {
                        first.1 = result.incidents.len();
                    }
                    result.incidents.push(would_be(g, rules, &alert.title, at));
                }
            }
        }
    }
    for (group, (_, index)) in engine.groups.iter().zip(&firsts) {
        match (group.incident, result.incidents.get_mut(*index)) {
            (Some(_), Some(incident)) => {
                incident.alerts = group.members;
                incident.services.clone_from(&group.services);
            }
            _ => result.waiting += group.members,
        }
    }
    for (end, (group, (_, index))) in ends.iter().zip(engine.groups.iter().zip(&firsts)) {
        if group.incident.is_some()
            && let Some(incident) = result.incidents.get_mut(*index)
        {
            incident.over_at = *end;
        }
    }
    result
}

fn engine_hold(rules: &[Rule], alert: &Candidate) -> chrono::TimeDelta {
    rules.iter().find(|r| r.matcher.matches(alert)).map_or_else(chrono::TimeDelta::zero, |r| r.hold)
}

fn close_what_is_over(engine: &mut Engine<'_>, ends: &[Option<Timestamp>], at: Timestamp) {
    for (group, end) in engine.groups.iter_mut().zip(ends) {
        if group.resolved_at.is_none() && group.incident.is_some() && end.is_some_and(|e| e <= at) {
            group.resolved_at = *end;
        }
    }
}

fn would_be(group: &super::Group, rules: &[Rule], title: &str, at: Timestamp) -> WouldBe {
    let fixed = rules.iter().find(|r| r.name == group.rule_name).and_then(|r| match r.target {
        Target::Open(severity) => severity,
        Target::Attach | Target::ListOnly => None,
    });
    WouldBe {
        opened_at: at,
        rule_name: group.rule_name.clone(),
        severity: fixed.unwrap_or_else(|| group.worst.unwrap_or(AlertSeverity::Warning).sev_number()),
        title: title.to_owned(),
        services: group.services.clone(),
        alerts: group.members,
        over_at: None,
    }
}
