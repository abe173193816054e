//! What people say about a suspect, and how often the first suspect was right.

use std::collections::BTreeMap;

use serde::Serialize;

use super::model::{Suspect, SuspectKind};
use crate::clock::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Caused,
    Fixed,
    NotIt,
}

impl Verdict {
    pub const ALL: [Self; 3] = [Self::Caused, Self::Fixed, Self::NotIt];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caused => "caused",
            Self::Fixed => "fixed",
            Self::NotIt => "not_it",
        }
    }

    /// As a button and in a sentence.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Caused => "Caused by",
            Self::Fixed => "Fixed by",
            Self::NotIt => "Not it",
        }
    }

    /// As a button on the change's own page.
    pub const fn of_change(self) -> &'static str {
        match self {
            Self::Caused => "Caused it",
            Self::Fixed => "Fixed it",
            Self::NotIt => "Neither",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.as_str() == text)
    }
}

/// Whom a verdict is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Subject {
    pub kind: SuspectKind,
    pub service: String,
    pub operation: String,
    pub version: String,
    pub deployment_id: Option<i64>,
}

impl Subject {
    /// The service, with its operation or version.
    pub fn name(&self) -> String {
        let what = if self.operation.is_empty() { &self.version } else { &self.operation };
        format!("{} {what}", self.service).trim_end().to_owned()
    }

    /// The same as it stands in a sentence.
    pub fn title(&self) -> String {
        match self.kind {
            SuspectKind::Deployment => format!("the deployment of {}", self.name()),
            SuspectKind::Service | SuspectKind::Operation => self.name(),
        }
    }

    /// Whether this names the suspect of a ranking.
    pub fn is_about(&self, suspect: &Suspect) -> bool {
        self.kind == suspect.kind
            && self.service == suspect.service
            && self.operation == suspect.operation.as_deref().unwrap_or_default()
            && self.version == suspect.version.as_deref().unwrap_or_default()
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Given {
    pub subject: Subject,
    pub verdict: Verdict,
    /// Place of the service among the suspects when the verdict was given.
    pub service_rank: Option<i64>,
    pub score: f64,
    #[serde(skip)]
    pub by_user_id: Option<i64>,
    pub by_name: String,
    pub at: Timestamp,
}

/// A confirmed cause of an incident.
#[derive(Clone, Debug)]
pub struct Cause {
    pub service: String,
    /// Its place among the suspects when it was confirmed.
    pub service_rank: Option<i64>,
    /// When the incident began.
    pub started_at: Timestamp,
}

/// How often the ranking was right about confirmed causes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Accuracy {
    pub confirmed: usize,
    pub first: usize,
    pub in_first_3: usize,
}

impl Accuracy {
    fn add(&mut self, cause: &Cause) {
        self.confirmed += 1;
        self.first += usize::from(cause.service_rank == Some(1));
        self.in_first_3 += usize::from(cause.service_rank.is_some_and(|r| r <= 3));
    }

    /// “75 %”, or a dash of nothing.
    pub fn first_percent(&self) -> String {
        percent(self.first, self.confirmed)
    }

    pub fn in_first_3_percent(&self) -> String {
        percent(self.in_first_3, self.confirmed)
    }
}

fn percent(part: usize, whole: usize) -> String {
    (part * 100 + whole / 2).checked_div(whole).map_or_else(|| "–".to_owned(), |share| format!("{share} %"))
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct AccuracyReport {
    pub overall: Accuracy,
    pub by_service: BTreeMap<String, Accuracy>,
    /// “2026-11”, newest last.
    pub by_month: BTreeMap<String, Accuracy>,
}

pub fn accuracy(causes: &[Cause]) -> AccuracyReport {
    let mut out = AccuracyReport::default();
    for cause in causes {
        out.overall.add(cause);
        out.by_service.entry(cause.service.clone()).or_default().add(cause);
        out.by_month.entry(cause.started_at.format("%Y-%m")).or_default().add(cause);
    }
    out
}
