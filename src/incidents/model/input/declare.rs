//! Declaring an incident: by form, by API, from an alert, or backfilled from memory.

use serde::Deserialize;

use crate::clock::Timestamp;
use crate::error::FieldErrors;
use crate::fields;

use super::super::{Kind, MilestoneName, MilestoneTimes, Severity, Source, Status};

/// What was typed or sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DeclareInput {
    #[serde(deserialize_with = "fields::text")]
    pub title: String,
    #[serde(deserialize_with = "fields::text")]
    pub severity: String,
    #[serde(deserialize_with = "fields::words")]
    pub services: Vec<String>,
    #[serde(deserialize_with = "fields::text")]
    pub summary: String,
    #[serde(deserialize_with = "fields::text")]
    pub kind: String,
    #[serde(deserialize_with = "fields::text")]
    pub status: String,
    #[serde(deserialize_with = "fields::flag")]
    pub private: bool,
    #[serde(deserialize_with = "fields::text")]
    pub impact_started_at: String,
    #[serde(deserialize_with = "fields::text")]
    pub detected_at: String,
    #[serde(deserialize_with = "fields::text")]
    pub declared_at: String,
    #[serde(deserialize_with = "fields::text")]
    pub acknowledged_at: String,
    #[serde(deserialize_with = "fields::text")]
    pub identified_at: String,
    #[serde(deserialize_with = "fields::text")]
    pub mitigated_at: String,
    #[serde(deserialize_with = "fields::text")]
    pub impact_ended_at: String,
    #[serde(deserialize_with = "fields::text")]
    pub resolved_at: String,
    /// Slug of the template to start from: it fills what is empty, and gives its tasks.
    #[serde(deserialize_with = "fields::text")]
    pub template: String,
    /// What it is declared from, kept as evidence: `trace:…`, `deployment:…` or `alert:…`.
    #[serde(deserialize_with = "fields::text")]
    pub attach: String,
    /// Whoever declares it takes the command.
    #[serde(deserialize_with = "fields::flag")]
    pub lead: bool,
}

/// One lifecycle time with its provenance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMilestone {
    pub name: MilestoneName,
    pub at: Timestamp,
    pub source: Source,
    pub reason: String,
}

/// A checked declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declare {
    pub title: String,
    pub summary: String,
    pub severity: Severity,
    pub status: Status,
    pub kind: Kind,
    pub private: bool,
    /// Slugs; whether the catalogue knows them is checked by the action.
    pub services: Vec<String>,
    pub milestones: Vec<NewMilestone>,
}

impl Declare {
    pub fn times(&self) -> MilestoneTimes {
        self.milestones.iter().map(|m| (m.name, m.at)).collect()
    }

    /// Puts a better-founded value in the place of one that was taken from the declaration; for
    /// rooms that know the first signal. What a person typed is replaced as well: call this before
    /// offering the form, or not at all.
    pub fn put(&mut self, milestone: NewMilestone) {
        self.milestones.retain(|m| m.name != milestone.name);
        self.milestones.push(milestone);
        self.milestones.sort_by_key(|m| m.name);
    }
}

/// What the milestones that nobody typed are taken from.
const TAKEN_FROM_DECLARATION: &str = "taken as the time of the declaration";

impl DeclareInput {
    /// The typed value of a milestone's field.
    pub fn milestone(&self, name: MilestoneName) -> &str {
        match name {
            MilestoneName::ImpactStarted => &self.impact_started_at,
            MilestoneName::Detected => &self.detected_at,
            MilestoneName::Declared => &self.declared_at,
            MilestoneName::Acknowledged => &self.acknowledged_at,
            MilestoneName::Identified => &self.identified_at,
            MilestoneName::Mitigated => &self.mitigated_at,
            MilestoneName::ImpactEnded => &self.impact_ended_at,
            MilestoneName::Resolved => &self.resolved_at,
        }
    }

    /// `source` is what the typed times came from: a person, or an import.
    ///
    /// # Errors
    /// Every complaint, by field.
    pub fn normalize(&self, now: Timestamp, source: Source) -> Result<Declare, FieldErrors> {
        let mut errors = FieldErrors::default();
        let title = fields::title(&mut errors, "title", &self.title);
        let summary = fields::limited(&mut errors, "summary", &self.summary, super::MAX_SUMMARY);
        let severity = self.read_severity(&mut errors);
        let kind = self.read_kind(&mut errors);
        if self.services.len() > super::MAX_SERVICES {
            errors
                .add("services", format!("are {}; at most {} can be named", self.services.len(), super::MAX_SERVICES));
        }
        let typed = self.typed_times(&mut errors, now);
        let status = self.read_status(&mut errors, &typed);
        let milestones = complete(&mut errors, typed, kind, status, source, now);
        let declare = Declare {
            title,
            summary,
            severity,
            status,
            kind,
            private: self.private,
            services: self.services.clone(),
            milestones,
        };
        if errors.is_empty() { Ok(declare) } else { Err(errors) }
    }

    fn read_severity(&self, errors: &mut FieldErrors) -> Severity {
        if self.severity.trim().is_empty() {
            errors.add("severity", "is needed");
        }
        Severity::read(&self.severity).unwrap_or_else(|| {
            if !errors.has("severity") {
                errors.add("severity", Severity::unknown(&self.severity));
            }
            Severity::Sev3
        })
    }

    fn read_kind(&self, errors: &mut FieldErrors) -> Kind {
        if self.kind.trim().is_empty() {
            return Kind::Real;
        }
        Kind::parse(&self.kind).unwrap_or_else(|| {
            errors.add("kind", Kind::unknown(&self.kind));
            Kind::Real
        })
    }

    /// Nothing typed means triage, or resolved when the time of that was typed.
    fn read_status(&self, errors: &mut FieldErrors, typed: &MilestoneTimes) -> Status {
        let ended = typed.get(MilestoneName::Resolved).is_some();
        if self.status.trim().is_empty() {
            return if ended { Status::Resolved } else { Status::Triage };
        }
        match Status::parse(&self.status) {
            None => errors.add("status", Status::unknown(&self.status)),
            Some(Status::Declined | Status::Merged) => errors.add("status", "cannot be an end that is reached later"),
            Some(status) if ended && status.is_open() => {
                errors.add("status", format!("cannot be {status} when a time of resolution is given"));
            }
            Some(status) => return status,
        }
        Status::Triage
    }

    fn typed_times(&self, errors: &mut FieldErrors, now: Timestamp) -> MilestoneTimes {
        let mut typed = MilestoneTimes::default();
        for name in MilestoneName::ALL {
            let field = format!("{name}_at");
            if let Some(at) = fields::moment(errors, &field, self.milestone(*name), now) {
                // Only whether it lies in the future: the order is checked when all are known.
                match MilestoneTimes::default().check(*name, at, now) {
                    Ok(()) => typed.set(*name, Some(at)),
                    Err(message) => errors.add(&field, message),
                }
            }
        }
        typed
    }
}

/// Adds the times that follow from declaring now with this status, and checks the order of all.
/// A backfilled or imported incident gets none of them: now says nothing about then.
fn complete(
    errors: &mut FieldErrors,
    typed: MilestoneTimes,
    kind: Kind,
    status: Status,
    source: Source,
    now: Timestamp,
) -> Vec<NewMilestone> {
    let mut all = typed;
    let over = matches!(status, Status::Resolved | Status::Closed);
    if kind == Kind::Backfilled || source == Source::Import {
        if over && typed.get(MilestoneName::Resolved).is_none() && !errors.has("resolved_at") {
            errors.add("resolved_at", "is needed for a past incident that is over");
        }
    } else {
        fill_from_declaration(&mut all, status, over, now);
    }
    for violation in all.violations() {
        let culprit = [violation.later, violation.earlier].into_iter().find(|n| typed.get(*n).is_some());
        errors.add(&format!("{}_at", culprit.unwrap_or(violation.later)), violation.to_string());
    }
    all.iter()
        .map(|(name, at)| {
            let was_typed = typed.get(name).is_some();
            let taken = !was_typed && name != MilestoneName::Declared;
            NewMilestone {
                name,
                at,
                source: if was_typed { source } else { Source::Person },
                reason: if taken { TAKEN_FROM_DECLARATION.to_owned() } else { String::new() },
            }
        })
        .collect()
}

fn fill_from_declaration(all: &mut MilestoneTimes, status: Status, over: bool, now: Timestamp) {
    use MilestoneName::{Acknowledged, Declared, Detected, Identified, Mitigated, Resolved};
    let declared = all.get(Declared).unwrap_or(now);
    all.set(Declared, Some(declared));
    // What is entered when it is over already was noticed before it was declared.
    let known = [Acknowledged, Identified, Mitigated, Resolved].iter().filter_map(|n| all.get(*n));
    let first_sign = known.chain([declared]).min();
    all.set(Detected, all.get(Detected).or(first_sign));
    if status != Status::Triage {
        let taken_on = all.get(Resolved).map_or(declared, |resolved| resolved.min(declared));
        all.set(Acknowledged, all.get(Acknowledged).or(Some(taken_on)));
    }
    if status == Status::Monitoring {
        all.set(Mitigated, all.get(Mitigated).or(Some(now)));
    }
    if over {
        all.set(Resolved, all.get(Resolved).or(Some(now)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-23T10:00:00Z").unwrap()
    }

    fn input() -> DeclareInput {
        DeclareInput { title: "Checkout fails".into(), severity: "SEV2".into(), ..DeclareInput::default() }
    }

    fn at(declare: &Declare, name: MilestoneName) -> Option<String> {
        declare.times().get(name).map(Timestamp::to_minute)
    }

    #[test]
    fn the_shortest_declaration_is_detected_and_declared_now() {
        let d = input().normalize(now(), Source::Person).unwrap();
        assert_eq!((d.status, d.kind, d.private), (Status::Triage, Kind::Real, false));
        assert_eq!(at(&d, MilestoneName::Declared).as_deref(), Some("2026-11-23 10:00"));
        let detected = d.milestones.iter().find(|m| m.name == MilestoneName::Detected).unwrap();
        assert_eq!((detected.at, detected.reason.as_str()), (now(), TAKEN_FROM_DECLARATION));
        assert_eq!(at(&d, MilestoneName::Acknowledged), None);
    }

    #[test]
    fn all_complaints_come_at_once() {
        let bad = DeclareInput {
            title: "  ".into(),
            severity: "P1".into(),
            kind: "joke".into(),
            status: "merged".into(),
            impact_started_at: "soon".into(),
            detected_at: "2030-01-01T00:00:00Z".into(),
            ..DeclareInput::default()
        };
        let errors = bad.normalize(now(), Source::Person).unwrap_err();
        for field in ["title", "severity", "kind", "status", "impact_started_at", "detected_at"] {
            assert!(errors.has(field), "{field} in {errors}");
        }
    }

    #[test]
    fn an_order_violation_is_shown_beside_what_was_typed() {
        let bad = DeclareInput { impact_started_at: "09:30".into(), detected_at: "09:00".into(), ..input() };
        let errors = bad.normalize(now(), Source::Person).unwrap_err();
        let message = errors.of("detected_at").unwrap();
        assert!(message.contains("09:30:00") && message.contains("09:00:00"), "{message}");
    }

    #[test]
    fn a_backfilled_incident_gets_only_the_times_that_were_typed() {
        let past = DeclareInput {
            kind: "backfilled".into(),
            impact_started_at: "2025-01-05 10:00".into(),
            resolved_at: "2025-01-05T11:00:00Z".into(),
            ..input()
        };
        let d = past.normalize(now(), Source::Import).unwrap();
        assert_eq!(d.status, Status::Resolved);
        assert_eq!(d.milestones.len(), 2);
        assert!(d.milestones.iter().all(|m| m.source == Source::Import));
        let open_end = DeclareInput { kind: "backfilled".into(), status: "closed".into(), ..input() };
        assert!(open_end.normalize(now(), Source::Import).unwrap_err().has("resolved_at"));
    }

    #[test]
    fn a_real_incident_entered_after_its_end_is_in_order() {
        let late = DeclareInput { impact_started_at: "08:00".into(), resolved_at: "09:00".into(), ..input() };
        let d = late.normalize(now(), Source::Person).unwrap();
        assert_eq!(d.status, Status::Resolved);
        assert!(d.times().violations().is_empty());
        assert_eq!(at(&d, MilestoneName::Declared).as_deref(), Some("2026-11-23 10:00"));
        assert_eq!(at(&d, MilestoneName::Detected).as_deref(), Some("2026-11-23 09:00"));
    }

    #[test]
    fn json_and_forms_are_read_alike() {
        let json: DeclareInput =
            serde_json::from_str(r#"{"title":"x","services":["cart","pay","cart"],"private":true,"summary":null}"#)
                .unwrap();
        assert_eq!(json.services, ["cart", "pay"]);
        assert!(json.private);
        let form: DeclareInput =
            serde_json::from_str(r#"{"title":"x","services":"cart, pay cart","private":"on"}"#).unwrap();
        assert_eq!((form.services, form.private), (json.services, true));
        assert!(serde_json::from_str::<DeclareInput>(r#"{"services":7}"#).is_err());
    }

    proptest! {
        /// Whatever is accepted is in order and has its status's milestone.
        #[test]
        fn what_is_accepted_is_in_order(
            minutes in proptest::collection::vec(proptest::option::of(0i64..120), MilestoneName::COUNT),
            status in proptest::sample::select(&["", "triage", "investigating", "identified", "monitoring", "resolved", "closed"][..]),
            kind in proptest::sample::select(&["real", "drill", "backfilled"][..]),
        ) {
            let typed = |i: usize| minutes[i].map(|m| format!("-{m}m")).unwrap_or_default();
            let form = DeclareInput {
                kind: kind.into(),
                status: status.into(),
                impact_started_at: typed(0),
                detected_at: typed(1),
                declared_at: typed(2),
                acknowledged_at: typed(3),
                identified_at: typed(4),
                mitigated_at: typed(5),
                impact_ended_at: typed(6),
                resolved_at: typed(7),
                ..input()
            };
            if let Ok(d) = form.normalize(now(), Source::Person) {
                prop_assert!(d.times().violations().is_empty());
                prop_assert_eq!(d.status.is_open(), d.times().get(MilestoneName::Resolved).is_none());
            }
        }
    }
}
