//! The wire formats: raw body in, [`AlertEvent`]s out. Pure functions; no clock, no database.
//!
//! Every reader ignores fields it does not know, says exactly which field it cannot read, and
//! takes the deduplication key from the source's own identifier:
//!
//! | source | key |
//! | --- | --- |
//! | alertmanager, prometheus | fingerprint of the labels |
//! | grafana | organisation and fingerprint; the rule's id in the old format |
//! | datadog | alert cycle key, else monitor id and scope, else event id |
//! | newrelic | issue id |
//! | sentry | issue id, or metric alert id |
//! | honeycomb | trigger id |
//! | elastic | rule id and alert id |
//! | pagerduty | `dedup_key`; the incident's id in its own webhooks |
//! | generic | `dedup_key`, else the labels, else the whole event |
//! | junit, checks | service, environment, suite and name of the check |

pub mod alertmanager;
pub mod check;
pub mod datadog;
pub mod elastic;
pub mod generic;
pub mod grafana;
pub mod honeycomb;
pub mod junit;
pub mod labels;
pub mod mapping;
pub mod newrelic;
pub mod pagerduty;
pub mod prometheus;
pub mod read;
pub mod sentry;

use std::fmt;

use super::model::AlertEvent;
use crate::clock::Timestamp;

/// The systems whose alerts are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    Alertmanager,
    /// The Alertmanager API: Prometheus' and Loki's rulers send to us as to an Alertmanager.
    Prometheus,
    Grafana,
    Datadog,
    NewRelic,
    Sentry,
    Honeycomb,
    Elastic,
    PagerDuty,
    Generic,
    /// Test results of CI and synthetic checks.
    JUnit,
    Check,
}

impl Source {
    pub const ALL: [Self; 12] = [
        Self::Alertmanager,
        Self::Prometheus,
        Self::Grafana,
        Self::Datadog,
        Self::NewRelic,
        Self::Sentry,
        Self::Honeycomb,
        Self::Elastic,
        Self::PagerDuty,
        Self::Generic,
        Self::JUnit,
        Self::Check,
    ];

    /// The name in URLs and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::Prometheus => "prometheus",
            Self::Grafana => "grafana",
            Self::Datadog => "datadog",
            Self::NewRelic => "newrelic",
            Self::Sentry => "sentry",
            Self::Honeycomb => "honeycomb",
            Self::Elastic => "elastic",
            Self::PagerDuty => "pagerduty",
            Self::Generic => "generic",
            Self::JUnit => "junit",
            Self::Check => "check",
        }
    }

    /// The name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Alertmanager => "Prometheus Alertmanager",
            Self::Prometheus => "Prometheus or Loki (direct)",
            Self::Grafana => "Grafana",
            Self::Datadog => "Datadog",
            Self::NewRelic => "New Relic",
            Self::Sentry => "Sentry",
            Self::Honeycomb => "Honeycomb",
            Self::Elastic => "Elastic (Kibana)",
            Self::PagerDuty => "PagerDuty",
            Self::Generic => "Generic JSON",
            Self::JUnit => "JUnit test results",
            Self::Check => "Synthetic check",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text)
    }
}

/// One thing in a body that could not be read, with the place: `alerts[3].labels`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub path: String,
    pub reason: String,
}

impl Problem {
    pub fn at(path: &str, reason: impl Into<String>) -> Self {
        Self { path: path.to_owned(), reason: reason.into() }
    }

    /// About the body as a whole.
    pub fn body(reason: impl Into<String>) -> Self {
        Self::at("", reason)
    }

    /// The same problem, seen from one level further out.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        self.path = match (self.path.is_empty(), self.path.starts_with('[')) {
            (true, _) => outer.to_owned(),
            (false, true) => format!("{outer}{}", self.path),
            (false, false) => format!("{outer}.{}", self.path),
        };
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.reason) } else { write!(f, "{}: {}", self.path, self.reason) }
    }
}

/// What a delivery holds, as it reached us.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    pub body: &'a [u8],
    pub content_type: &'a str,
    /// The query of the URL; CI senders name their service and environment there.
    pub query: &'a [(String, String)],
    /// The value of the header that names the kind of event (`Sentry-Hook-Resource`).
    pub resource: &'a str,
    pub received_at: Timestamp,
}

impl Input<'_> {
    pub fn query(&self, name: &str) -> Option<String> {
        let found = self.query.iter().find(|(k, v)| k == name && !v.trim().is_empty());
        found.map(|(_, v)| read::clean(v, read::MAX_TITLE))
    }
}

/// What was read: the events, the members that could not be read, and remarks for the admin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    pub events: Vec<AlertEvent>,
    pub problems: Vec<Problem>,
    /// Why a well-formed delivery holds no alert, or less than its sender may think.
    pub notes: Vec<String>,
}

impl Parsed {
    pub fn of(events: Vec<AlertEvent>) -> Self {
        Self { events, ..Self::default() }
    }

    pub fn nothing(note: impl Into<String>) -> Self {
        Self { notes: vec![note.into()], ..Self::default() }
    }

    /// Reads each member of a list by itself, so that one broken member costs only itself.
    pub fn each<'a>(
        list: &str,
        members: impl IntoIterator<Item = &'a serde_json::Value>,
        mut read: impl FnMut(&'a serde_json::Value) -> Result<AlertEvent, Problem>,
    ) -> Self {
        let mut parsed = Self::default();
        for (i, member) in members.into_iter().enumerate() {
            match read(member) {
                Ok(event) => parsed.events.push(event),
                Err(problem) => parsed.problems.push(problem.within(&format!("{list}[{i}]"))),
            }
        }
        parsed
    }

    /// An error when there were members and none could be read.
    fn or_refused(self) -> Result<Self, Problem> {
        match self.problems.first() {
            Some(first) if self.events.is_empty() => {
                let more = self.problems.len() - 1;
                let tail = if more == 0 { String::new() } else { format!(" (and {more} more like it)") };
                Err(Problem::at(&first.path, format!("{}{tail}", first.reason)))
            }
            _ => Ok(self),
        }
    }

    /// The remarks and problems in one line, for the inbox; `None` when there are none.
    pub fn remark(&self) -> Option<String> {
        let all: Vec<String> =
            self.notes.iter().cloned().chain(self.problems.iter().take(5).map(ToString::to_string)).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

/// Reads a delivery of one source.
pub fn parse(source: Source, input: &Input<'_>) -> Result<Parsed, Problem> {
    if source == Source::JUnit {
        return junit::parse(input)?.or_refused();
    }
    let body = read::json(input.body, input.content_type)?;
    let mut parsed = match source {
        Source::Alertmanager => alertmanager::parse(&body),
        Source::Prometheus => prometheus::parse(&body, input.received_at),
        Source::Grafana => grafana::parse(&body),
        Source::Datadog => datadog::parse(&body),
        Source::NewRelic => newrelic::parse(&body),
        Source::Sentry => sentry::parse(&body, input.resource),
        Source::Honeycomb => honeycomb::parse(&body),
        Source::Elastic => elastic::parse(&body),
        Source::PagerDuty => pagerduty::parse(&body),
        Source::Generic => generic::parse(&body),
        Source::Check | Source::JUnit => check::parse(&body, input),
    }?;
    for event in &mut parsed.events {
        labels::enrich(event);
    }
    parsed.or_refused()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
