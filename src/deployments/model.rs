//! What a change is, and the rules by which reports about it are joined. Pure: no database, no HTTP.
//!
//! One change is reported several times (queued, started, succeeded), by several systems, twice, and
//! out of order. [`Progress::join`] therefore is a least upper bound: the same reports in any order,
//! any number of times, end in the same state.

use chrono::TimeDelta;

pub use super::words::{ChangeKind, ChangeSource, ChangeStatus};

use crate::clock::Timestamp;

/// One report about one change, whatever system sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeEvent {
    pub source: ChangeSource,
    /// Names the change at its source, the same in every report about it: the key for deduplication.
    pub external_id: String,
    pub service: String,
    pub environment: String,
    pub kind: ChangeKind,
    pub status: ChangeStatus,
    pub version: Option<String>,
    pub commit: Option<String>,
    pub author: Option<String>,
    pub title: Option<String>,
    pub url: Option<String>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// When the source says that this status was reached.
    pub reported_at: Timestamp,
}

/// Used when a sender names no environment.
pub const DEFAULT_ENVIRONMENT: &str = "production";

/// Words for the same environment: pipelines and spans often use different ones.
const SAME: [&[&str]; 4] = [
    &["production", "prod", "prd", "live"],
    &["staging", "stage", "stg"],
    &["development", "develop", "dev"],
    &["testing", "test", "qa"],
];

/// All names of an environment, with the one given; none for an unknown environment, which may be any.
pub fn same_environment(name: &str) -> Vec<&str> {
    let name = name.trim();
    if name.is_empty() {
        return Vec::new();
    }
    let known = SAME.iter().find(|words| words.iter().any(|w| name.eq_ignore_ascii_case(w)));
    known.map_or_else(|| vec![name], |words| words.to_vec())
}

/// A sender's clock may run ahead by this much before its time is disbelieved.
const CLOCK_SLACK: TimeDelta = TimeDelta::minutes(5);

/// Times before this are defaults of broken senders (1970, year 1), not deployments.
const EARLIEST: Timestamp = Timestamp::from_secs(946_684_800); // 2000-01-01

/// A time from a sender, or `None` when it cannot be true: in the future, or before the year 2000.
pub fn plausible(at: Timestamp, received_at: Timestamp) -> Option<Timestamp> {
    (at >= EARLIEST && at <= received_at + CLOCK_SLACK).then_some(at)
}

impl ChangeEvent {
    /// Trims and bounds every text, lower-cases the environment, and drops times that cannot be true
    /// and links that are not http(s). Times in order: a change does not end before it starts.
    pub fn normalised(mut self, received_at: Timestamp) -> Self {
        self.external_id = clip(&self.external_id, 500);
        self.service = clip(&self.service, 200);
        self.environment = match clip(&self.environment, 100).to_lowercase() {
            empty if empty.is_empty() => DEFAULT_ENVIRONMENT.to_owned(),
            named => named,
        };
        self.version = clip_option(self.version, 200);
        self.commit = clip_option(self.commit, 100);
        self.author = clip_option(self.author, 200);
        self.title = clip_option(self.title, 500);
        self.url = clip_option(self.url, 2000).filter(|u| u.starts_with("https://") || u.starts_with("http://"));
        self.reported_at = plausible(self.reported_at, received_at).unwrap_or(received_at);
        self.started_at = self.started_at.and_then(|t| plausible(t, received_at));
        self.finished_at = self.finished_at.and_then(|t| plausible(t, received_at));
        if let (Some(start), Some(end)) = (self.started_at, self.finished_at)
            && end < start
        {
            self.finished_at = None;
        }
        self
    }

    /// What this report alone says of the change's progress.
    pub fn progress(&self) -> Progress {
        let started = self.status.rank() >= 1;
        Progress {
            status: self.status,
            status_at: self.reported_at,
            started_at: self.started_at.or_else(|| started.then_some(self.reported_at)),
            finished_at: self.status.is_over().then(|| self.finished_at.unwrap_or(self.reported_at)),
        }
    }
}

/// At most `max` characters, trimmed, without control characters.
fn clip(text: &str, max: usize) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(max).collect()
}

fn clip_option(text: Option<String>, max: usize) -> Option<String> {
    text.map(|t| clip(&t, max)).filter(|t| !t.is_empty())
}

/// How far one change has come, joined from all reports about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub status: ChangeStatus,
    pub status_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

impl Progress {
    /// Joins two reports. The status never goes backwards: over beats under way beats pending. Of two
    /// ends the later report wins (a failed job that was run again and succeeded). The start is the
    /// earliest that anybody reported; the end belongs to the winning status.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let key = |p: &Self| (p.status.rank(), p.status_at, p.status, p.finished_at);
        let winner = if key(&other) > key(&self) { other } else { self };
        let started_at = match (self.started_at, other.started_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self { started_at, ..winner }
    }
}

/// A change as it stands, joined from all reports.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Deployment {
    pub id: i64,
    /// Slug.
    pub service: String,
    #[serde(skip)]
    pub service_name: String,
    pub environment: String,
    pub kind: ChangeKind,
    pub status: ChangeStatus,
    #[serde(skip)]
    pub status_at: Timestamp,
    /// Empty, like the texts below it, when nobody told.
    pub version: String,
    pub commit: String,
    pub author: String,
    pub title: String,
    pub url: String,
    pub source: ChangeSource,
    pub external_id: String,
    /// Seen in the service's own spans.
    pub observed: bool,
    /// The start, or until one is known the first report.
    #[serde(skip)]
    pub at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

impl Deployment {
    pub fn progress(&self) -> Progress {
        Progress {
            status: self.status,
            status_at: self.status_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
        }
    }

    /// Joins one more report about this change. Texts that are known stay; what was missing is filled in.
    pub fn absorb(&mut self, event: &ChangeEvent) {
        let joined = self.progress().join(event.progress());
        (self.status, self.status_at) = (joined.status, joined.status_at);
        (self.started_at, self.finished_at) = (joined.started_at, joined.finished_at);
        self.at = joined.started_at.unwrap_or(self.at);
        let fill = |known: &mut String, told: &Option<String>| {
            if let (true, Some(told)) = (known.is_empty(), told) {
                known.clone_from(told);
            }
        };
        fill(&mut self.version, &event.version);
        fill(&mut self.commit, &event.commit);
        fill(&mut self.author, &event.author);
        fill(&mut self.title, &event.title);
        fill(&mut self.url, &event.url);
        self.observed |= event.source == ChangeSource::Observed;
        if self.kind == ChangeKind::Deployment {
            self.kind = event.kind;
        }
    }

    /// `cart v1.3.2 in production`: how lists, evidence and timelines name a change.
    pub fn headline(&self) -> String {
        let what = if self.version.is_empty() { self.kind.label().to_lowercase() } else { self.version.clone() };
        format!("{} {what} in {}", self.service, self.environment)
    }

    /// From start to end.
    pub fn duration(&self) -> Option<chrono::TimeDelta> {
        Some(self.finished_at? - self.started_at?)
    }
}

/// Recognises a rollback: the version that now goes live was live earlier and another one was live
/// in between. `earlier` are the versions that went live before in the same environment, newest first.
/// What the sender declared stands, except that a plain deployment may turn out to be a rollback.
pub fn recognise_kind<'a>(
    declared: ChangeKind,
    version: Option<&str>,
    earlier: impl IntoIterator<Item = &'a str>,
) -> ChangeKind {
    let (ChangeKind::Deployment, Some(version)) = (declared, version) else { return declared };
    let mut earlier = earlier.into_iter();
    match earlier.next() {
        Some(current) if current != version && earlier.any(|v| v == version) => ChangeKind::Rollback,
        _ => declared,
    }
}

/// True for `v1.3.2`, `1.3`, `2024.11.02-rc1`, `cart@1.2.0`: a digit, a dot and no blank.
pub fn looks_like_version(text: &str) -> bool {
    let text = text.rsplit('@').next().unwrap_or(text);
    let digits = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let well_formed = digits.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+'));
    digits.starts_with(|c: char| c.is_ascii_digit())
        && well_formed
        && digits.split_once('.').is_some_and(|(_, minor)| minor.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(status: ChangeStatus, at: i64) -> ChangeEvent {
        ChangeEvent {
            source: ChangeSource::Generic,
            external_id: "1".into(),
            service: "cart".into(),
            environment: "production".into(),
            kind: ChangeKind::Deployment,
            status,
            version: Some("1.2.3".into()),
            commit: None,
            author: None,
            title: None,
            url: None,
            started_at: None,
            finished_at: None,
            reported_at: Timestamp::from_secs(at),
        }
    }

    fn any_progress() -> impl Strategy<Value = Progress> {
        (0..ChangeStatus::ALL.len(), 1_600_000_000i64..1_600_000_050)
            .prop_map(|(status, at)| event(ChangeStatus::ALL[status], at).progress())
    }

    proptest! {
        /// Deliveries come late, doubled and in any order; the state does not depend on it.
        #[test]
        fn reports_in_any_order_and_number_end_in_one_state(
            (reports, shuffled) in prop::collection::vec(any_progress(), 1..8)
                .prop_flat_map(|v| (Just(v.clone()), Just(v).prop_shuffle())),
        ) {
            let fold = |list: &[Progress]| list.iter().copied().reduce(Progress::join);
            let once = fold(&reports);
            let doubled: Vec<_> = shuffled.iter().chain(&shuffled).copied().collect();
            prop_assert_eq!(once, fold(&doubled));
        }

        #[test]
        fn a_status_never_goes_backwards(a in any_progress(), b in any_progress()) {
            let joined = a.join(b);
            prop_assert!(joined.status.rank() >= a.status.rank());
            prop_assert!(joined.status.rank() >= b.status.rank());
        }

        #[test]
        fn the_last_version_of_any_history_is_a_rollback_only_if_it_returned(
            history in prop::collection::vec(0u8..4, 1..12), next in 0u8..4,
        ) {
            let newest_first: Vec<String> = history.iter().rev().map(u8::to_string).collect();
            let version = next.to_string();
            let kind = recognise_kind(
                ChangeKind::Deployment, Some(&version), newest_first.iter().map(String::as_str));
            let returned = newest_first[0] != version && newest_first[1..].contains(&version);
            prop_assert_eq!(kind == ChangeKind::Rollback, returned);
        }
    }

    #[test]
    fn a_rerun_that_succeeds_beats_the_earlier_failure_but_not_the_other_way_round() {
        let failed = event(ChangeStatus::Failed, 100).progress();
        let rerun = event(ChangeStatus::Succeeded, 200).progress();
        assert_eq!(failed.join(rerun).status, ChangeStatus::Succeeded);
        assert_eq!(rerun.join(failed).status, ChangeStatus::Succeeded);
        assert_eq!(rerun.join(event(ChangeStatus::Started, 300).progress()).status, ChangeStatus::Succeeded);
    }

    #[test]
    fn impossible_times_are_dropped_and_texts_bounded() {
        let now = Timestamp::from_secs(1_700_000_000);
        let mut raw = event(ChangeStatus::Succeeded, 1_700_100_000);
        raw.started_at = Some(Timestamp::from_secs(0));
        raw.finished_at = Some(Timestamp::from_secs(1_699_999_000));
        raw.environment = "  Production\n ".into();
        raw.url = Some("javascript:alert(1)".into());
        raw.version = Some("v".repeat(5000));
        let clean = raw.normalised(now);
        assert_eq!(clean.reported_at, now);
        assert_eq!(clean.started_at, None);
        assert_eq!(clean.finished_at, Some(Timestamp::from_secs(1_699_999_000)));
        assert_eq!(clean.environment, "production");
        assert_eq!(clean.url, None);
        assert_eq!(clean.version.map(|v| v.len()), Some(200));
    }

    #[test]
    fn an_end_before_the_start_is_not_believed() {
        let mut raw = event(ChangeStatus::Succeeded, 1_600_000_000);
        raw.started_at = Some(Timestamp::from_secs(1_600_000_000));
        raw.finished_at = Some(Timestamp::from_secs(1_500_000_000));
        assert_eq!(raw.normalised(Timestamp::from_secs(1_700_000_000)).finished_at, None);
    }

    #[test]
    fn versions_are_told_from_branches() {
        for version in ["v1.3.2", "1.3", "2024.11.02-rc1", "cart@1.2.0", "1.0.0+build.5"] {
            assert!(looks_like_version(version), "{version}");
        }
        for branch in ["main", "master", "feature/1.2", "v", "", "f95f852", "release candidate 1.2", "1."] {
            assert!(!looks_like_version(branch), "{branch}");
        }
    }
}
