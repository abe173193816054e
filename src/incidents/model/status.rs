//! The state machine: which status may follow which, and what a change does to the milestones.
//!
//! `triage → investigating → identified → monitoring → resolved → closed`. Forward moves may skip
//! states. Moving back (the fix did not hold) needs a reason and clears the milestones of the states
//! that were left again; their history keeps the earlier values. `declined` and `merged` are ends:
//! only undoing the merge leaves `merged`.

use crate::fields::text_enum;

use super::MilestoneName;

text_enum! {
    /// Where an incident stands.
    pub enum Status("status") {
        Triage = "triage",
        Investigating = "investigating",
        Identified = "identified",
        Monitoring = "monitoring",
        Resolved = "resolved",
        Closed = "closed",
        Declined = "declined",
        Merged = "merged",
    }
}

/// What changing from one status to another means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    pub from: Status,
    pub to: Status,
    /// To be set to the moment of the change, unless a value stands.
    pub sets: Option<MilestoneName>,
    /// To be cleared: they belong to states that were left by moving back.
    pub clears: Vec<MilestoneName>,
}

/// Why a change of status is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the incident is already {0}")]
    Unchanged(Status),
    #[error("a {0} incident cannot change its status")]
    Ended(Status),
    #[error("a merged incident is set free by undoing its merge")]
    IsMerged,
    #[error("an incident becomes merged by merging it into another one")]
    MergeInstead,
    #[error("a {0} incident cannot be declined any more")]
    TooLateToDecline(Status),
    #[error("an incident cannot go back to triage")]
    BackToTriage,
    #[error("going back from {from} to {to} needs a reason")]
    NeedsReason { from: Status, to: Status },
}

impl Refusal {
    /// Whether a better-filled form would be accepted; else the state forbids it.
    pub const fn is_about_the_reason(&self) -> bool {
        matches!(self, Self::NeedsReason { .. })
    }
}

impl Status {
    /// The path from first to last; the ends are not on it.
    pub const PATH: [Self; 6] =
        [Self::Triage, Self::Investigating, Self::Identified, Self::Monitoring, Self::Resolved, Self::Closed];

    /// Somebody still has to work on it.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Triage | Self::Investigating | Self::Identified | Self::Monitoring)
    }

    /// The statuses of incidents that need work, as they stand in the database.
    pub const OPEN: [Self; 4] = [Self::Triage, Self::Investigating, Self::Identified, Self::Monitoring];

    /// For headings and buttons.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Triage => "Triage",
            Self::Investigating => "Investigating",
            Self::Identified => "Identified",
            Self::Monitoring => "Monitoring",
            Self::Resolved => "Resolved",
            Self::Closed => "Closed",
            Self::Declined => "Declined",
            Self::Merged => "Merged",
        }
    }

    /// What a responder does next while the incident stands so.
    pub const fn next_step(self) -> &'static str {
        match self {
            Self::Triage => "Decide whether this is an incident: start investigating, or decline it.",
            Self::Investigating => "Find the cause: look at the suspects, attach what you find, follow a runbook.",
            Self::Identified => "Make it stop: roll back, fail over or shed load, and record each step.",
            Self::Monitoring => "Watch until it stays good, then resolve.",
            Self::Resolved => "Write down what was learned, then close.",
            Self::Closed => "Nothing is left to do here.",
            Self::Declined => "Nothing is left to do: this was not an incident.",
            Self::Merged => "Work goes on in the incident that this one was merged into.",
        }
    }

    /// The milestone that reaching this status stands for.
    pub const fn milestone(self) -> Option<MilestoneName> {
        match self {
            Self::Triage => Some(MilestoneName::Declared),
            Self::Investigating => Some(MilestoneName::Acknowledged),
            Self::Identified => Some(MilestoneName::Identified),
            Self::Monitoring => Some(MilestoneName::Mitigated),
            Self::Resolved => Some(MilestoneName::Resolved),
            Self::Closed | Self::Declined | Self::Merged => None,
        }
    }

    fn place(self) -> Option<usize> {
        Self::PATH.iter().position(|s| *s == self)
    }

    /// What may follow, best guess first: the next state, further ones, then the ways back.
    pub fn options(self) -> Vec<Self> {
        let mut all = Self::PATH.to_vec();
        all.push(Self::Declined);
        let mut options: Vec<_> = all.into_iter().filter(|to| self.change_to(*to, Some("any")).is_ok()).collect();
        let place = self.place().unwrap_or(usize::MAX);
        options.sort_by_key(|to| match to.place() {
            Some(p) if p > place => (0, p),
            Some(p) => (1, p),
            None => (2, 0),
        });
        options
    }

    /// Whether the change is allowed, and what it does to the milestones. An empty reason is none.
    pub fn change_to(self, to: Self, reason: Option<&str>) -> Result<Transition, Refusal> {
        if self == to {
            return Err(Refusal::Unchanged(to));
        }
        let from = match (self, self.place()) {
            (Self::Merged, _) => return Err(Refusal::IsMerged),
            (_, None) => return Err(Refusal::Ended(self)),
            (_, Some(place)) => place,
        };
        let forward = Transition { from: self, to, sets: to.milestone(), clears: Vec::new() };
        match (to, to.place()) {
            (Self::Merged, _) => Err(Refusal::MergeInstead),
            (Self::Declined, _) if !self.is_open() => Err(Refusal::TooLateToDecline(self)),
            (_, None) => Ok(forward),
            (_, Some(target)) if target > from => Ok(forward),
            (Self::Triage, _) => Err(Refusal::BackToTriage),
            (_, Some(target)) => {
                if reason.is_none_or(|r| r.trim().is_empty()) {
                    return Err(Refusal::NeedsReason { from: self, to });
                }
                // Whatever lies beyond the target is not true any more, however it was reached.
                let mut clears: Vec<_> = Self::PATH.iter().skip(target + 1).filter_map(|s| s.milestone()).collect();
                if to != Self::Resolved && self.place() >= Self::Resolved.place() {
                    clears.push(MilestoneName::ImpactEnded);
                }
                Ok(Transition { clears, ..forward })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forward_moves_may_skip_and_set_only_their_own_milestone() {
        let t = Status::Triage.change_to(Status::Resolved, None).unwrap();
        assert_eq!(t.sets, Some(MilestoneName::Resolved));
        assert!(t.clears.is_empty());
        assert_eq!(Status::Resolved.change_to(Status::Closed, None).unwrap().sets, None);
    }

    #[test]
    fn going_back_needs_a_reason_and_clears_what_is_not_true_any_more() {
        let refused = Status::Resolved.change_to(Status::Investigating, Some("  ")).unwrap_err();
        assert_eq!(refused.to_string(), "going back from resolved to investigating needs a reason");
        let t = Status::Resolved.change_to(Status::Investigating, Some("errors are back")).unwrap();
        assert_eq!(
            t.clears,
            [MilestoneName::Identified, MilestoneName::Mitigated, MilestoneName::Resolved, MilestoneName::ImpactEnded]
        );
        let t = Status::Monitoring.change_to(Status::Identified, Some("fix did not hold")).unwrap();
        assert_eq!(t.clears, [MilestoneName::Mitigated, MilestoneName::Resolved]);
    }

    #[test]
    fn ends_are_ends() {
        assert_eq!(Status::Declined.change_to(Status::Triage, Some("x")), Err(Refusal::Ended(Status::Declined)));
        assert_eq!(Status::Merged.change_to(Status::Resolved, Some("x")), Err(Refusal::IsMerged));
        assert_eq!(Status::Triage.change_to(Status::Merged, None), Err(Refusal::MergeInstead));
        assert_eq!(
            Status::Closed.change_to(Status::Declined, Some("x")),
            Err(Refusal::TooLateToDecline(Status::Closed))
        );
        assert!(Status::Declined.options().is_empty());
    }

    #[test]
    fn options_start_with_the_next_state() {
        use Status::*;
        assert_eq!(Triage.options(), [Investigating, Identified, Monitoring, Resolved, Closed, Declined]);
        assert_eq!(Resolved.options(), [Closed, Investigating, Identified, Monitoring]);
    }

    fn any_status() -> impl Strategy<Value = Status> {
        proptest::sample::select(Status::ALL)
    }

    proptest! {
        #[test]
        fn a_change_never_sets_what_it_clears(from in any_status(), to in any_status()) {
            if let Ok(t) = from.change_to(to, Some("because")) {
                prop_assert!(t.sets.is_none_or(|m| !t.clears.contains(&m)));
                prop_assert_ne!(t.from, t.to);
            }
        }

        #[test]
        fn no_walk_leaves_an_end_and_none_reaches_merged(steps in proptest::collection::vec(any_status(), 0..40)) {
            let mut at = Status::Triage;
            let mut ended = false;
            for to in steps {
                if let Ok(t) = at.change_to(to, Some("because")) {
                    prop_assert!(!ended);
                    at = t.to;
                    ended = at == Status::Declined;
                }
            }
            prop_assert_ne!(at, Status::Merged);
        }

        #[test]
        fn without_a_reason_one_only_moves_forward(from in any_status(), to in any_status()) {
            if from.change_to(to, None).is_ok() && to != Status::Declined {
                prop_assert!(from.place() < to.place());
            }
        }
    }
}
