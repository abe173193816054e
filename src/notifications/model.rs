//! Events, channels and the rules between them. Pure.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::fields::text_enum;

text_enum! {
    /// What can be told. The words are sent to receivers and must stay.
    pub enum EventKind("kind of event") {
        IncidentDeclared = "incident.declared",
        IncidentStatus = "incident.status_changed",
        IncidentSeverity = "incident.severity_changed",
        IncidentRole = "incident.role_assigned",
        IncidentCalled = "incident.role_called",
        IncidentUpdate = "incident.updated",
        IncidentUpdateDue = "incident.update_due",
        IncidentUnacknowledged = "incident.unacknowledged",
        IncidentSuspect = "incident.suspect_found",
        IncidentResolved = "incident.resolved",
        IncidentMerged = "incident.merged",
        TaskAssigned = "task.assigned",
        FollowUpOverdue = "follow_up.overdue",
        PostmortemPublished = "postmortem.published",
        ReportReady = "report.ready",
        StatusPublished = "status_page.published",
        ChannelDisabled = "channel.disabled",
        Test = "test",
    }
}

impl EventKind {
    /// For people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::IncidentDeclared => "Incident declared",
            Self::IncidentStatus => "Status changed",
            Self::IncidentSeverity => "Severity changed",
            Self::IncidentRole => "Role assigned",
            Self::IncidentCalled => "Role called by an alert rule",
            Self::IncidentUpdate => "Update posted",
            Self::IncidentUpdateDue => "Update overdue",
            Self::IncidentUnacknowledged => "Not acknowledged in time",
            Self::IncidentSuspect => "Suspect found",
            Self::IncidentResolved => "Incident resolved",
            Self::IncidentMerged => "Incident merged",
            Self::TaskAssigned => "Task assigned",
            Self::FollowUpOverdue => "Follow-up overdue",
            Self::PostmortemPublished => "Postmortem published",
            Self::ReportReady => "Report ready",
            Self::StatusPublished => "Status page update",
            Self::ChannelDisabled => "Channel disabled",
            Self::Test => "Test message",
        }
    }
}

text_enum! {
    /// Where notifications go.
    pub enum ChannelKind("kind of channel") {
        Slack = "slack",
        Teams = "teams",
        Discord = "discord",
        Email = "email",
        Webhook = "webhook",
    }
}

impl ChannelKind {
    /// For people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Slack => "Slack (incoming webhook)",
            Self::Teams => "Microsoft Teams (workflow webhook)",
            Self::Discord => "Discord (webhook)",
            Self::Email => "E-mail",
            Self::Webhook => "Signed webhook (Standard Webhooks)",
        }
    }
}

/// Something that happened and may be told, with all that a receiver needs: the message must still be
/// right when it is sent minutes later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub kind: EventKind,
    /// What it is about, as people call it: `INC-12`.
    pub subject: String,
    pub title: String,
    /// `SEV1` to `SEV4`.
    #[serde(default)]
    pub severity: Option<String>,
    #[serde(default)]
    pub status: Option<String>,
    /// Slugs.
    #[serde(default)]
    pub services: Vec<String>,
    /// Roles that this concerns: `commander`, `communications`, …
    #[serde(default)]
    pub roles: Vec<String>,
    /// One or two sentences more: the reason of a status change, the first suspect.
    #[serde(default)]
    pub text: Option<String>,
    /// Who did it; empty when Faultline itself did.
    #[serde(default)]
    pub actor: Option<String>,
    /// The page to open, from the root: `/incidents/INC-12`.
    pub path: String,
    /// Told only on channels that are trusted with private incidents.
    #[serde(default)]
    pub private: bool,
    pub occurred_at: Timestamp,
    /// Queued at most once for each key; for reminders that a job may find due twice.
    #[serde(default)]
    pub once_key: Option<String>,
}

impl Event {
    pub fn new(kind: EventKind, subject: impl Into<String>, title: impl Into<String>, at: Timestamp) -> Self {
        let subject = subject.into();
        Self {
            kind,
            title: title.into(),
            path: format!("/incidents/{subject}"),
            subject,
            severity: None,
            status: None,
            services: Vec::new(),
            roles: Vec::new(),
            text: None,
            actor: None,
            private: false,
            occurred_at: at,
            once_key: None,
        }
    }
}

/// Which events a channel is told. An empty list does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    pub events: Vec<EventKind>,
    pub severities: Vec<String>,
    pub services: Vec<String>,
    pub roles: Vec<String>,
}

impl Rule {
    /// Whether the rule lets an event through. All given conditions must hold; within one, any value.
    /// An event without a severity or service passes a rule that asks for one only if it asks for none.
    pub fn matches(&self, event: &Event) -> bool {
        // A test and the news that a channel was switched off are sent to their channel directly.
        if matches!(event.kind, EventKind::Test | EventKind::ChannelDisabled) {
            return false;
        }
        let severity_fits = self.severities.is_empty()
            || event.severity.as_ref().is_some_and(|s| self.severities.iter().any(|w| w.eq_ignore_ascii_case(s)));
        (self.events.is_empty() || self.events.contains(&event.kind))
            && severity_fits
            && any_in_common(&self.services, &event.services)
            && any_in_common(&self.roles, &event.roles)
    }
}

fn any_in_common(wanted: &[String], given: &[String]) -> bool {
    wanted.is_empty() || wanted.iter().any(|w| given.iter().any(|g| g.eq_ignore_ascii_case(w)))
}

/// One rule as it is applied: to which channel it leads, and whether that one is trusted with privacy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub channel_id: i64,
    pub may_see_private: bool,
    pub rule: Rule,
}

/// The channels that an event goes to: each at most once, however many of its rules match, in the order
/// of the rules.
pub fn channels_for(event: &Event, routes: &[Route]) -> Vec<i64> {
    let mut chosen = Vec::new();
    for route in routes {
        let is_trusted = !event.private || route.may_see_private;
        if is_trusted && route.rule.matches(event) && !chosen.contains(&route.channel_id) {
            chosen.push(route.channel_id);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event() -> Event {
        Event {
            severity: Some("SEV2".into()),
            services: vec!["cart".into(), "checkout".into()],
            roles: vec!["commander".into()],
            ..Event::new(EventKind::IncidentDeclared, "INC-1", "Cart is down", Timestamp::from_secs(0))
        }
    }

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn conditions_are_joined_by_and_values_by_or() {
        let event = event();
        let rule = |events: &[EventKind], severities: &[&str], services: &[&str], roles: &[&str]| Rule {
            events: events.to_vec(),
            severities: words(severities),
            services: words(services),
            roles: words(roles),
        };
        assert!(Rule::default().matches(&event));
        assert!(rule(&[EventKind::IncidentDeclared], &["sev2", "SEV1"], &["checkout"], &[]).matches(&event));
        assert!(!rule(&[EventKind::IncidentResolved], &[], &[], &[]).matches(&event));
        assert!(!rule(&[], &["SEV1"], &[], &[]).matches(&event));
        assert!(!rule(&[], &[], &["search"], &[]).matches(&event));
        assert!(!rule(&[], &[], &[], &["scribe"]).matches(&event));
        let unrated = Event { severity: None, ..event };
        assert!(!rule(&[], &["SEV2"], &[], &[]).matches(&unrated));
    }

    #[test]
    fn words_round_trip() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::parse(kind.as_str()), Some(*kind));
        }
        for kind in ChannelKind::ALL {
            assert_eq!(ChannelKind::parse(kind.as_str()), Some(*kind));
        }
        assert_eq!(EventKind::parse("incident.exploded"), None);
    }

    #[test]
    fn an_event_survives_the_outbox() {
        let stored = serde_json::to_string(&event()).expect("serialisable");
        assert_eq!(serde_json::from_str::<Event>(&stored).expect("readable"), event());
    }

    proptest! {
        #[test]
        fn private_events_reach_only_trusted_channels_and_nobody_is_told_twice(
            routes in prop::collection::vec((0i64..4, any::<bool>()), 0..10), private in any::<bool>(),
        ) {
            let routes: Vec<_> = routes
                .into_iter()
                .map(|(channel_id, may_see_private)| Route { channel_id, may_see_private, rule: Rule::default() })
                .collect();
            let chosen = channels_for(&Event { private, ..event() }, &routes);
            let mut unique = chosen.clone();
            unique.sort_unstable();
            unique.dedup();
            prop_assert_eq!(unique.len(), chosen.len());
            for channel in chosen {
                prop_assert!(routes.iter().any(|r| r.channel_id == channel && (r.may_see_private || !private)));
            }
        }
    }
}
