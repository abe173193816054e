//! A grouping rule: what a person fills in, what is wrong with it, and the defaults that hold
//! while nobody wrote any.

use chrono::TimeDelta;

use super::matcher::Matcher;
use crate::alerts::model::AlertSeverity;
use crate::clock::human_duration;
use crate::error::{Error, FieldErrors, Result};
use crate::incidents::model::Role;

/// How alerts that match a rule are told apart into groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// The same service, or services that call each other directly.
    ConnectedServices,
    /// The same service only.
    Service,
    /// The same values of these labels.
    Labels(Vec<String>),
    /// Everything that the rule matches is one group.
    Everything,
}

impl GroupBy {
    pub fn as_text(&self) -> String {
        match self {
            Self::ConnectedServices => "connected".to_owned(),
            Self::Service => "service".to_owned(),
            Self::Everything => "everything".to_owned(),
            Self::Labels(names) => format!("labels:{}", names.join(",")),
        }
    }

    /// Takes back what [`GroupBy::as_text`] gave.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "connected" => Some(Self::ConnectedServices),
            "service" => Some(Self::Service),
            "everything" => Some(Self::Everything),
            other => other.strip_prefix("labels:").map(|names| Self::Labels(names_of(names))),
        }
    }

    pub fn words(&self) -> String {
        match self {
            Self::ConnectedServices => "same or directly connected service".to_owned(),
            Self::Service => "same service".to_owned(),
            Self::Everything => "all together".to_owned(),
            Self::Labels(names) => format!("same {}", names.join(", ")),
        }
    }
}

fn names_of(text: &str) -> Vec<String> {
    text.split([',', ' ', '\n']).map(str::trim).filter(|n| !n.is_empty()).map(ToOwned::to_owned).collect()
}

/// What becomes of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// An incident opens; at this SEV number, else at the one that the worst alert suggests.
    Open(Option<u8>),
    /// Alerts join the open incident of their service, but never open one.
    Attach,
    /// Alerts stay in the list.
    ListOnly,
}

impl Target {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open(_) => "open",
            Self::Attach => "attach",
            Self::ListOnly => "list",
        }
    }

    pub fn words(self) -> String {
        match self {
            Self::Open(Some(n)) => format!("open a SEV{n} incident"),
            Self::Open(None) => "open an incident at the alert's severity".to_owned(),
            Self::Attach => "join an open incident".to_owned(),
            Self::ListOnly => "only list".to_owned(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// 0 for a default, which is not in the database.
    pub id: i64,
    pub name: String,
    pub matcher: Matcher,
    pub group_by: GroupBy,
    /// An alert joins a group when it began within this time of another one in it.
    pub window: TimeDelta,
    /// An alert must last this long before it counts.
    pub hold: TimeDelta,
    /// So many alerts must be in the group before it becomes an incident.
    pub min_count: i64,
    pub target: Target,
    /// Within this time after the resolution a new alert reopens the incident; zero means never.
    pub reopen_within: TimeDelta,
    /// Slugs of runbooks to attach.
    pub runbooks: Vec<String>,
    /// Incident roles to notify when it opens.
    pub notify: Vec<String>,
}

impl Rule {
    pub fn hold_words(&self) -> String {
        human_duration(self.hold)
    }

    pub fn window_words(&self) -> String {
        human_duration(self.window)
    }
}

/// An incident that was resolved no longer ago than this is named as the one before.
pub const FOLLOWS_WITHIN: TimeDelta = TimeDelta::hours(24);

/// What holds after all written rules, and alone while none is written: what is critical or an
/// error opens an incident after thirty seconds, together with whatever is directly connected and
/// began within ten minutes; warnings join an open incident; the rest is listed.
pub fn defaults() -> Vec<Rule> {
    let rule = |name: &str, severity: &str, target| Rule {
        id: 0,
        name: name.to_owned(),
        matcher: Matcher::parse(severity).unwrap_or_default(),
        group_by: GroupBy::ConnectedServices,
        window: TimeDelta::minutes(10),
        hold: TimeDelta::seconds(30),
        min_count: 1,
        target,
        reopen_within: TimeDelta::zero(),
        runbooks: Vec::new(),
        notify: Vec::new(),
    };
    vec![
        rule("Default: critical alerts", "severity = critical", Target::Open(None)),
        rule("Default: errors", "severity = error", Target::Open(None)),
        rule("Default: warnings", "severity = warning", Target::Attach),
        rule("Default: the rest", "", Target::ListOnly),
    ]
}

/// What was typed into the rule form.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default)]
pub struct RuleInput {
    pub name: String,
    pub matchers: String,
    pub group_by: String,
    pub group_labels: String,
    pub window_minutes: String,
    pub hold_seconds: String,
    pub min_count: String,
    pub target: String,
    pub severity: String,
    pub reopen_minutes: String,
    pub runbooks: String,
    pub notify: String,
}

impl RuleInput {
    /// The empty form, with sensible values.
    pub fn suggested() -> Self {
        let text = |s: &str| s.to_owned();
        Self {
            group_by: text("connected"),
            window_minutes: text("10"),
            hold_seconds: text("60"),
            min_count: text("1"),
            target: text("open"),
            reopen_minutes: text("0"),
            ..Self::default()
        }
    }

    pub fn of(rule: &Rule) -> Self {
        let (group_by, group_labels) = match &rule.group_by {
            GroupBy::Labels(names) => ("labels".to_owned(), names.join(", ")),
            other => (other.as_text(), String::new()),
        };
        Self {
            name: rule.name.clone(),
            matchers: rule.matcher.to_string(),
            group_by,
            group_labels,
            window_minutes: rule.window.num_minutes().to_string(),
            hold_seconds: rule.hold.num_seconds().to_string(),
            min_count: rule.min_count.to_string(),
            target: rule.target.as_str().to_owned(),
            severity: match rule.target {
                Target::Open(Some(n)) => format!("SEV{n}"),
                _ => String::new(),
            },
            reopen_minutes: rule.reopen_within.num_minutes().to_string(),
            runbooks: rule.runbooks.join(", "),
            notify: rule.notify.join(", "),
        }
    }

    /// The rule that was meant; all complaints together.
    ///
    /// # Errors
    /// [`Error::Invalid`] with a message beside each field.
    pub fn normalize(&self, id: i64) -> Result<Rule> {
        let mut errors = FieldErrors::default();
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > 120 {
            errors.add("name", "give the rule a name of at most 120 characters");
        }
        let matcher = Matcher::parse(&self.matchers).unwrap_or_else(|message| {
            errors.add("matchers", message);
            Matcher::default()
        });
        let group_by = match self.group_by.as_str() {
            "labels" => GroupBy::Labels(names_of(&self.group_labels)),
            other => GroupBy::parse(other).unwrap_or_else(|| {
                errors.add("group_by", "choose how alerts are grouped");
                GroupBy::Service
            }),
        };
        if let GroupBy::Labels(names) = &group_by
            && (names.is_empty() || names.len() > 8)
        {
            errors.add("group_labels", "name one to eight labels");
        }
        let window = number(&mut errors, "window_minutes", &self.window_minutes, 1, 1_440);
        let hold = number(&mut errors, "hold_seconds", &self.hold_seconds, 0, 86_400);
        let min_count = number(&mut errors, "min_count", &self.min_count, 1, 10_000);
        let reopen = number(&mut errors, "reopen_minutes", &self.reopen_minutes, 0, 10_080);
        let target = self.target(&mut errors);
        let rule = Rule {
            id,
            name: name.to_owned(),
            matcher,
            group_by,
            window: TimeDelta::minutes(window),
            hold: TimeDelta::seconds(hold),
            min_count,
            target,
            reopen_within: TimeDelta::minutes(reopen),
            runbooks: slugs(&mut errors, &self.runbooks),
            notify: roles(&mut errors, &self.notify),
        };
        if errors.is_empty() { Ok(rule) } else { Err(Error::Invalid(errors)) }
    }

    fn target(&self, errors: &mut FieldErrors) -> Target {
        let severity = self.severity.trim();
        match self.target.as_str() {
            "open" if severity.is_empty() => Target::Open(None),
            "open" => {
                if let Some(s) = AlertSeverity::from_words(severity) {
                    Target::Open(Some(s.sev_number()))
                } else {
                    errors.add("severity", "choose SEV1 to SEV4, or the alert's own");
                    Target::Open(None)
                }
            }
            "attach" => Target::Attach,
            "list" => Target::ListOnly,
            _ => {
                errors.add("target", "choose what becomes of the group");
                Target::ListOnly
            }
        }
    }
}

/// At most eight slugs; an address of a runbook's page is taken for its slug.
fn slugs(errors: &mut FieldErrors, text: &str) -> Vec<String> {
    let found: Vec<String> = names_of(text)
        .iter()
        .map(|n| n.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_lowercase())
        .collect();
    if found.len() > 8 {
        errors.add("runbooks", "name at most eight runbooks");
    }
    found
}

/// Roles of an incident, in the words of the notification rules.
fn roles(errors: &mut FieldErrors, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for name in names_of(text) {
        match Role::parse(&name.to_lowercase()) {
            Some(role) if found.contains(&role.as_str().to_owned()) => {}
            Some(role) => found.push(role.as_str().to_owned()),
            None => errors.add("notify", Role::unknown(&name)),
        }
    }
    found
}

fn number(errors: &mut FieldErrors, field: &str, text: &str, min: i64, max: i64) -> i64 {
    match text.trim().parse::<i64>() {
        Ok(n) if (min..=max).contains(&n) => n,
        _ => {
            errors.add(field, format!("a whole number from {min} to {max}"));
            min
        }
    }
}
