//! What the ranking takes in and what it gives back. All times are nanoseconds since the Unix epoch, as spans carry
//! them; durations are milliseconds unless a name says otherwise.

use serde::{Deserialize, Serialize};

/// Everything known about one incident. Any list may be empty: what is missing weakens the suspects and is named in
/// [`Ranking::missing`], it never fails the ranking.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// When users began to feel it. Spans and changes before it are not evidence of harm.
    pub impact_started_at: i64,
    /// Telemetry of a healthy stretch of the same system.
    pub baseline: Telemetry,
    /// Telemetry around the incident; what lies before the impact is left aside.
    pub incident: Telemetry,
    pub changes: Vec<Change>,
    pub alerts: Vec<AlertSignal>,
    /// Who calls whom, from the catalogue; calls seen in the spans are added to it.
    pub dependencies: Vec<Dependency>,
}

#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    pub spans: Vec<Span>,
    pub logs: Vec<LogLine>,
}

#[derive(Clone, Debug, Default)]
pub struct Span {
    pub trace_id: String,
    pub span_id: String,
    pub parent_id: Option<String>,
    pub service: String,
    pub operation: String,
    /// `service.version` of the sender, when it says so.
    pub version: Option<String>,
    pub start: i64,
    pub end: i64,
    pub error: bool,
}

#[derive(Clone, Debug, Default)]
pub struct LogLine {
    pub time: i64,
    pub service: String,
    pub trace_id: Option<String>,
    pub span_id: Option<String>,
    /// True at level ERROR or worse; when the sender gave no level it is read from the body.
    pub error: bool,
    pub body: String,
}

/// A deployment or another change of one service.
#[derive(Clone, Debug)]
pub struct Change {
    /// The caller's own name for it, handed back in [`Suspect::change`] and in evidence.
    pub id: String,
    pub service: String,
    pub version: String,
    pub at: i64,
}

#[derive(Clone, Debug)]
pub struct AlertSignal {
    pub id: String,
    pub service: String,
    pub at: i64,
}

#[derive(Clone, Debug)]
pub struct Dependency {
    pub caller: String,
    pub callee: String,
}

/// The signals, one by one, so that the evaluation can leave each out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// A service's own work got slower.
    OwnTime,
    /// The gap between a caller's span and the callee's span grew.
    CallGap,
    /// Requests take a course (calls and log lines) that healthy ones never take.
    Pattern,
    /// The known courses are taken in other shares than before.
    Mix,
    /// Spans that failed with nothing failing beneath them.
    Error,
    /// Error lines that belong to no span.
    Log,
    /// A change shortly before the impact.
    Change,
    /// One version fails or slows, another does not.
    VersionSplit,
    /// An alert names the service.
    Alert,
}

impl Signal {
    pub const ALL: [Self; 9] = [
        Self::OwnTime,
        Self::CallGap,
        Self::Pattern,
        Self::Mix,
        Self::Error,
        Self::Log,
        Self::Change,
        Self::VersionSplit,
        Self::Alert,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::OwnTime => "own_time",
            Self::CallGap => "call_gap",
            Self::Pattern => "pattern",
            Self::Mix => "mix",
            Self::Error => "error",
            Self::Log => "log",
            Self::Change => "change",
            Self::VersionSplit => "version_split",
            Self::Alert => "alert",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuspectKind {
    Service,
    Operation,
    Deployment,
}

impl SuspectKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Operation => "operation",
            Self::Deployment => "deployment",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Service, Self::Operation, Self::Deployment].into_iter().find(|k| k.name() == text)
    }
}

/// Where a reason can be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum EvidenceRef {
    /// An example trace.
    Trace(String),
    /// The [`Change::id`].
    Change(String),
    /// The [`AlertSignal::id`].
    Alert(String),
    /// The log line's words, cut.
    Log(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    pub signal: Signal,
    /// One sentence for a person.
    pub text: String,
    /// 0 to 1: how strong the signal is by itself.
    pub strength: f64,
    pub evidence: Option<EvidenceRef>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    pub rank: usize,
    pub kind: SuspectKind,
    pub service: String,
    pub operation: Option<String>,
    pub version: Option<String>,
    /// The [`Change::id`] of a deployment.
    pub change: Option<String>,
    /// 0 to 1; comparable between incidents. Under [`super::ranking::CLEAR`] nothing is suspected in earnest.
    pub score: f64,
    pub reasons: Vec<Reason>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// What happened and what is suspected, in one sentence; none while nothing is suspected in earnest.
    pub headline: Option<String>,
    /// All kinds in one order, best first.
    pub suspects: Vec<Suspect>,
    /// What was not there to judge by, in words.
    pub missing: Vec<String>,
}

impl Suspect {
    /// What it is called on a page: the service, with its operation or version.
    pub fn title(&self) -> String {
        match (&self.operation, &self.version) {
            (Some(operation), _) => format!("{} {operation}", self.service),
            (None, Some(version)) if !version.is_empty() => format!("{} {version}", self.service),
            _ => self.service.clone(),
        }
    }
}

impl Ranking {
    pub fn services(&self) -> impl Iterator<Item = &Suspect> {
        self.of_kind(SuspectKind::Service)
    }

    pub fn deployments(&self) -> impl Iterator<Item = &Suspect> {
        self.of_kind(SuspectKind::Deployment)
    }

    fn of_kind(&self, kind: SuspectKind) -> impl Iterator<Item = &Suspect> {
        self.suspects.iter().filter(move |s| s.kind == kind)
    }
}
