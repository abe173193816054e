//! What is known of an incident when its postmortem is drafted: plain data, gathered by the service.

use chrono::NaiveDate;

use crate::clock::Timestamp;
use crate::incidents::model::{EntryKind, IncidentId, Kind, MilestoneName, MilestoneTimes, Severity, Source};

#[derive(Clone, Debug)]
pub struct Record {
    pub incident: IncidentId,
    pub title: String,
    pub severity: Severity,
    pub kind: Kind,
    /// As written on the incident; may be empty.
    pub summary: String,
    pub services: Vec<String>,
    pub commander: Option<String>,
    pub times: Vec<RecordedTime>,
    pub alerts: Vec<AlertFact>,
    pub changes: Vec<ChangeFact>,
    pub suspects: Vec<SuspectFact>,
    /// The story layer, in order of time.
    pub story: Vec<StoryEntry>,
    pub steps: Vec<StepFact>,
    pub follow_ups: Vec<FollowUp>,
    pub evidence: Vec<EvidenceFact>,
    /// Kept traces, ready to be drawn.
    pub traces: Vec<TraceFigure>,
    /// What was measured around each confirmed cause.
    pub comparisons: Vec<Comparison>,
    /// Alerts around the beginning that told nobody.
    pub unheeded: Vec<UnheededAlert>,
}

/// A trace as bars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceFigure {
    pub title: String,
    /// In order of reading.
    pub bars: Vec<Bar>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    pub depth: usize,
    pub service: String,
    pub operation: String,
    /// From the trace's start, in microseconds.
    pub offset_us: i64,
    pub duration_us: i64,
    pub failed: bool,
    pub is_first_error: bool,
}

/// A service before and after a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    pub service: String,
    pub at: Timestamp,
    pub before: Side,
    pub after: Side,
}

/// What spans say of a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Side {
    pub requests: i64,
    pub errors: i64,
    /// 95th percentile in microseconds.
    pub p95_us: Option<i64>,
}

impl Side {
    /// 0 to 1; 0 without requests.
    pub fn error_share(self) -> f64 {
        if self.requests == 0 { 0.0 } else { self.errors as f64 / self.requests as f64 }
    }
}

/// An alert of an affected service that led to nothing, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnheededAlert {
    pub title: String,
    pub service: String,
    pub at: Timestamp,
    pub reason: String,
}

/// A milestone with where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedTime {
    pub name: MilestoneName,
    pub at: Timestamp,
    pub source: Source,
    /// Differs from the value that was recorded first.
    pub corrected: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertFact {
    pub title: String,
    pub service: Option<String>,
    pub source: String,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// Deliveries of it.
    pub count: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeFact {
    pub service: String,
    pub version: String,
    pub environment: String,
    /// `deployment`, `rollback`, `configuration`, `flag` …
    pub kind: String,
    pub at: Timestamp,
    pub link: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Open,
    Confirmed,
    FixedBy,
    Rejected,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuspectFact {
    /// `service`, `operation` or `deployment`.
    pub kind: String,
    pub name: String,
    pub reasons: Vec<String>,
    pub verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoryEntry {
    pub at: Timestamp,
    /// Markdown, as a person wrote it.
    pub text: String,
    pub kind: EntryKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepFact {
    pub runbook: String,
    pub runbook_slug: String,
    pub step: String,
    /// `done`, `skipped` or `failed`.
    pub outcome: String,
    pub at: Timestamp,
    pub note: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowUp {
    pub title: String,
    pub owner: Option<String>,
    pub due: Option<NaiveDate>,
    pub is_done: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceFact {
    /// For people: `Trace`, `Link` …
    pub kind: String,
    pub title: String,
    /// A page of ours or an address elsewhere; may be empty.
    pub link: String,
}

impl Record {
    pub fn at(&self, name: MilestoneName) -> Option<Timestamp> {
        self.times.iter().find(|t| t.name == name).map(|t| t.at)
    }

    pub fn milestones(&self) -> MilestoneTimes {
        self.times.iter().map(|t| (t.name, t.at)).collect()
    }

    /// From the first moment that counts to the last: impact (or detection) to resolution.
    pub fn window(&self) -> Option<(Timestamp, Timestamp)> {
        let start = self.milestones().start()?;
        let end = self.at(MilestoneName::Resolved).or_else(|| self.at(MilestoneName::Mitigated))?;
        (start <= end).then_some((start, end))
    }

    pub fn confirmed(&self) -> impl Iterator<Item = &SuspectFact> {
        self.suspects.iter().filter(|s| s.verdict == Verdict::Confirmed)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn at(text: &str) -> Timestamp {
        Timestamp::parse(&format!("2026-03-01T{text}:00Z")).expect("the test's own time")
    }

    /// A failure of an hour and a half, with everything recorded.
    pub fn full() -> Record {
        use MilestoneName::*;
        let time = |name, when, source| RecordedTime { name, at: at(when), source, corrected: name == Detected };
        let entry = |when, text: &str| StoryEntry { at: at(when), text: text.to_owned(), kind: EntryKind::Note };
        Record {
            incident: IncidentId(7),
            title: "Checkout fails".to_owned(),
            severity: Severity::Sev2,
            kind: Kind::Real,
            summary: String::new(),
            services: vec!["cart".to_owned(), "checkout".to_owned()],
            commander: Some("Ada".to_owned()),
            times: vec![
                time(ImpactStarted, "10:00", Source::Trace),
                time(Detected, "10:10", Source::Alert),
                time(Acknowledged, "10:12", Source::Person),
                time(Identified, "10:30", Source::Person),
                time(Mitigated, "11:00", Source::Person),
                time(Resolved, "11:30", Source::Person),
            ],
            alerts: vec![
                AlertFact {
                    title: "Slow".to_owned(),
                    service: None,
                    source: "grafana".to_owned(),
                    first_seen: at("10:20"),
                    last_seen: at("10:40"),
                    count: 1,
                },
                AlertFact {
                    title: "High | errors".to_owned(),
                    service: Some("cart".to_owned()),
                    source: "alertmanager".to_owned(),
                    first_seen: at("10:08"),
                    last_seen: at("11:00"),
                    count: 12,
                },
            ],
            changes: vec![
                ChangeFact {
                    service: "cart".to_owned(),
                    version: "1.4.0".to_owned(),
                    environment: "production".to_owned(),
                    kind: "deployment".to_owned(),
                    at: at("09:55"),
                    link: String::new(),
                },
                ChangeFact {
                    service: "cart".to_owned(),
                    version: "1.3.9".to_owned(),
                    environment: "production".to_owned(),
                    kind: "rollback".to_owned(),
                    at: at("10:55"),
                    link: String::new(),
                },
            ],
            suspects: vec![
                SuspectFact {
                    kind: "deployment".to_owned(),
                    name: "cart 1.4.0".to_owned(),
                    reasons: vec!["errors rose 60 % after it".to_owned()],
                    verdict: Verdict::Confirmed,
                },
                SuspectFact {
                    kind: "service".to_owned(),
                    name: "database".to_owned(),
                    reasons: vec![],
                    verdict: Verdict::Rejected,
                },
            ],
            story: vec![
                entry("09:50", "Release started"),
                entry("10:15", "Errors in **cart**,\nfrom 10:08 on"),
                entry("10:55", "cart rolled back"),
                entry("11:45", "Thanks to everybody"),
            ],
            steps: vec![StepFact {
                runbook: "Roll back".to_owned(),
                runbook_slug: "roll-back".to_owned(),
                step: "undo the rollout".to_owned(),
                outcome: "done".to_owned(),
                at: at("10:54"),
                note: "went well".to_owned(),
            }],
            follow_ups: vec![FollowUp {
                title: "Add a canary".to_owned(),
                owner: Some("Ada".to_owned()),
                due: NaiveDate::from_ymd_opt(2026, 4, 1),
                is_done: false,
            }],
            evidence: vec![EvidenceFact {
                kind: "Trace".to_owned(),
                title: "POST /cart fails".to_owned(),
                link: "/traces/abc".to_owned(),
            }],
            traces: vec![],
            comparisons: vec![],
            unheeded: vec![],
        }
    }

    /// Nothing but a title.
    pub fn sparse() -> Record {
        Record {
            incident: IncidentId(1),
            title: "Something".to_owned(),
            severity: Severity::Sev4,
            kind: Kind::Backfilled,
            summary: String::new(),
            services: vec![],
            commander: None,
            times: vec![],
            alerts: vec![],
            changes: vec![],
            suspects: vec![],
            story: vec![],
            steps: vec![],
            follow_ups: vec![],
            evidence: vec![],
            traces: vec![],
            comparisons: vec![],
            unheeded: vec![],
        }
    }

    #[test]
    fn the_window_runs_from_impact_to_resolution() {
        assert_eq!(full().window(), Some((at("10:00"), at("11:30"))));
        assert_eq!(sparse().window(), None);
    }
}
