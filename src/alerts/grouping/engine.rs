//! Which group an alert joins, and why. Pure: the caller brings the open groups, the rules in
//! order and who calls whom, and carries out what is decided.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::rule::{FOLLOWS_WITHIN, GroupBy, Rule, Target};
use crate::alerts::model::AlertSeverity;
use crate::clock::{Timestamp, human_duration};

/// What the engine needs to know of an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub id: i64,
    pub source: String,
    pub rule: String,
    pub title: String,
    pub severity: Option<AlertSeverity>,
    pub service: Option<String>,
    pub environment: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub started_at: Timestamp,
    /// `None` while it fires.
    pub ended_at: Option<Timestamp>,
}

impl Candidate {
    /// The value that a matcher or a grouping label means; empty when there is none.
    pub fn attribute(&self, name: &str) -> &str {
        if let Some(value) = self.labels.get(name) {
            // The alert's own fields were read from labels, with more care.
            if !matches!(name, "severity" | "service" | "environment") {
                return value;
            }
        }
        match name {
            "service" => self.service.as_deref().unwrap_or_default(),
            "severity" => self.severity.map(AlertSeverity::as_str).unwrap_or_default(),
            "source" => &self.source,
            "environment" => self.environment.as_deref().unwrap_or_default(),
            "rule" => &self.rule,
            "title" => &self.title,
            _ => "",
        }
    }
}

/// Who calls whom, in both directions.
#[derive(Clone, Debug, Default)]
pub struct Neighbours(HashMap<String, HashSet<String>>);

impl Neighbours {
    pub fn of<'a>(edges: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut map: HashMap<String, HashSet<String>> = HashMap::new();
        for (a, b) in edges {
            map.entry(a.to_owned()).or_default().insert(b.to_owned());
            map.entry(b.to_owned()).or_default().insert(a.to_owned());
        }
        Self(map)
    }

    fn connected(&self, a: &str, b: &str) -> bool {
        self.0.get(a).is_some_and(|others| others.contains(b))
    }
}

/// Alerts that belong together, and their incident once they have one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The database's id; `None` for one that was made in this run.
    pub id: Option<i64>,
    pub rule_name: String,
    /// Values of the grouping labels; empty for grouping by connection.
    pub key: String,
    pub services: BTreeSet<String>,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    pub members: i64,
    /// The worst severity among the members.
    pub worst: Option<AlertSeverity>,
    /// The incident's number, once there is one (in a replay, any number).
    pub incident: Option<i64>,
    /// When that incident was resolved.
    pub resolved_at: Option<Timestamp>,
}

/// What becomes of one alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is over before it lasted long enough, or too young: decide again at this moment.
    Held { until: Timestamp },
    /// Nothing but the list.
    Listed { reason: String },
    /// It joined the group at this index.
    Joined { group: usize, reason: String },
    /// It joined, and the group's resolved incident opens again.
    Reopened { group: usize, reason: String },
}

/// The rules and the graph for one run over some alerts.
#[derive(Debug)]
pub struct Engine<'a> {
    rules: &'a [Rule],
    neighbours: &'a Neighbours,
    /// Groups that may still be joined, those of the database first.
    pub groups: Vec<Group>,
}

impl<'a> Engine<'a> {
    pub const fn new(rules: &'a [Rule], neighbours: &'a Neighbours, groups: Vec<Group>) -> Self {
        Self { rules, neighbours, groups }
    }

    /// The first rule that matches.
    pub fn rule_for(&self, alert: &Candidate) -> Option<&'a Rule> {
        self.rules.iter().find(|r| r.matcher.matches(alert))
    }

    /// Decides about one firing alert that has no group yet.
    pub fn offer(&mut self, alert: &Candidate, now: Timestamp) -> Outcome {
        let Some(rule) = self.rule_for(alert) else {
            return Outcome::Listed { reason: "no rule matches".to_owned() };
        };
        if rule.target == Target::ListOnly {
            return Outcome::Listed { reason: format!("rule '{}' only lists", rule.name) };
        }
        let until = alert.started_at + rule.hold;
        if now < until || alert.ended_at.is_some_and(|end| end < until) {
            return Outcome::Held { until };
        }
        let key = key_of(rule, alert);
        if let Some((group, why)) = self.find(rule, &key, alert) {
            return self.join(group, rule, alert, &why);
        }
        if rule.target == Target::Attach {
            return Outcome::Listed { reason: format!("rule '{}' found no open incident to join", rule.name) };
        }
        let reason = format!("rule '{}': first alert of its group ({})", rule.name, subject(rule, alert, &key));
        self.groups.push(Group {
            id: None,
            rule_name: rule.name.clone(),
            key,
            services: alert.service.iter().cloned().collect(),
            first_at: alert.started_at,
            last_at: alert.started_at,
            members: 1,
            worst: alert.severity,
            incident: None,
            resolved_at: None,
        });
        Outcome::Joined { group: self.groups.len() - 1, reason }
    }

    /// The group to join: one that is open, else one whose incident may be reopened. The newest
    /// first, because a storm fills the newest.
    fn find(&self, rule: &Rule, key: &str, alert: &Candidate) -> Option<(usize, String)> {
        self.groups.iter().enumerate().rev().find_map(|(i, group)| {
            let open_long_enough = group.resolved_at.is_none_or(|at| {
                alert.started_at <= at + rule.reopen_within && rule.reopen_within > chrono::TimeDelta::zero()
            });
            // Only a group that already is an incident may be joined without a rule of its own.
            let attachable = rule.target != Target::Attach || group.incident.is_some();
            if !open_long_enough || !attachable {
                return None;
            }
            let near =
                alert.started_at <= group.last_at + rule.window && alert.started_at >= group.first_at - rule.window;
            if !near && group.resolved_at.is_none() {
                return None;
            }
            self.belongs(rule, key, alert, group).map(|why| (i, why))
        })
    }

    /// Why the alert belongs to the group, if it does; time apart.
    fn belongs(&self, rule: &Rule, key: &str, alert: &Candidate, group: &Group) -> Option<String> {
        if rule.group_by != GroupBy::ConnectedServices {
            let same = group.key == key && (group.rule_name == rule.name || rule.target == Target::Attach);
            return same.then(|| subject(rule, alert, key));
        }
        match &alert.service {
            Some(service) if group.services.contains(service) => Some(format!("same service {service}")),
            Some(service) => {
                let other = group.services.iter().find(|other| self.neighbours.connected(service, other))?;
                Some(format!("{service} and {other} call each other directly"))
            }
            // Without a service, only the same rule of the source connects.
            None => (group.services.is_empty() && group.key == key)
                .then(|| format!("no service known, same rule '{}'", alert.rule)),
        }
    }

    fn join(&mut self, at: usize, rule: &Rule, alert: &Candidate, why: &str) -> Outcome {
        let Some(group) = self.groups.get_mut(at) else {
            return Outcome::Listed { reason: "its group is gone".to_owned() };
        };
        let apart = (alert.started_at - group.last_at).abs();
        let reason = format!("rule '{}': {why}, {} apart", rule.name, human_duration(apart));
        group.first_at = group.first_at.min(alert.started_at);
        group.last_at = group.last_at.max(alert.started_at);
        group.members += 1;
        group.worst = worse(group.worst, alert.severity);
        group.services.extend(alert.service.iter().cloned());
        let reopens = group.resolved_at.take().is_some();
        if reopens { Outcome::Reopened { group: at, reason } } else { Outcome::Joined { group: at, reason } }
    }

    /// The latest incident that a new group continues: same services, resolved a short time ago.
    pub fn follows(&self, group: &Group) -> Option<i64> {
        let earlier = self.groups.iter().filter(|g| {
            let recent = g.resolved_at.is_some_and(|at| group.first_at - at <= FOLLOWS_WITHIN);
            let related =
                if group.services.is_empty() { g.key == group.key } else { !g.services.is_disjoint(&group.services) };
            recent && related
        });
        earlier.max_by_key(|g| g.resolved_at).and_then(|g| g.incident)
    }

    /// Whether a group without an incident becomes one now.
    pub fn is_ripe(group: &Group, rule: &Rule) -> bool {
        group.incident.is_none() && matches!(rule.target, Target::Open(_)) && group.members >= rule.min_count
    }
}

/// `None` is less than any severity.
pub fn worse(a: Option<AlertSeverity>, b: Option<AlertSeverity>) -> Option<AlertSeverity> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)), // Critical is the smallest.
        (a, b) => a.or(b),
    }
}

fn key_of(rule: &Rule, alert: &Candidate) -> String {
    match &rule.group_by {
        GroupBy::Labels(names) => {
            names.iter().map(|n| format!("{n}={}", alert.attribute(n))).collect::<Vec<_>>().join(", ")
        }
        GroupBy::Service => format!("service={}", alert.attribute("service")),
        GroupBy::Everything => "all".to_owned(),
        GroupBy::ConnectedServices => match &alert.service {
            Some(_) => String::new(),
            None => format!("rule={}", alert.rule),
        },
    }
}

fn subject(rule: &Rule, alert: &Candidate, key: &str) -> String {
    match (&rule.group_by, &alert.service) {
        (GroupBy::ConnectedServices, Some(service)) => format!("service {service}"),
        (GroupBy::Everything, _) => "everything that matches".to_owned(),
        _ => key.to_owned(),
    }
}
