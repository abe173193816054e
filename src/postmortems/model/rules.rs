//! Rules for postmortems: which incidents need one, by when, and what its draft asks for beyond the record.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::Serialize;

use super::SectionKey;
use crate::clock::Timestamp;
use crate::error::FieldErrors;
use crate::fields::{self, text_enum};
use crate::incidents::Severity;

text_enum! {
    /// What kind of cause it was: how the library is sorted.
    pub enum CauseKind("kind of cause") {
        Change = "change",
        Configuration = "configuration",
        Capacity = "capacity",
        Dependency = "dependency",
        Data = "data",
        Infrastructure = "infrastructure",
        Security = "security",
        Monitoring = "monitoring",
        Other = "other",
    }
}

impl CauseKind {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Change => "A change of code",
            Self::Configuration => "Configuration",
            Self::Capacity => "Capacity or load",
            Self::Dependency => "A dependency or third party",
            Self::Data => "Data",
            Self::Infrastructure => "Infrastructure",
            Self::Security => "Security",
            Self::Monitoring => "Monitoring",
            Self::Other => "Something else",
        }
    }
}

/// Longest stretch of silence in the story before the lint remarks on it, in minutes.
pub const DEFAULT_GAP: i64 = 30;
/// Rules that are kept.
pub const MAX_RULES: usize = 50;
/// Longest guidance of one section, in bytes.
const MAX_GUIDANCE: usize = 5_000;
/// Most tags of one postmortem, and the longest, in characters.
const MAX_TAGS: usize = 20;
const MAX_TAG: usize = 40;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    pub id: i64,
    pub position: i64,
    pub name: String,
    /// `SEV1` …; an empty list does not restrict.
    pub severities: Vec<String>,
    /// Teams that own a service of the incident.
    pub teams: Vec<String>,
    pub required: bool,
    pub due_days: i64,
    pub gap_minutes: i64,
    /// Markdown that the draft of a section ends with, by the section's key.
    pub guidance: BTreeMap<String, String>,
}

impl Rule {
    pub fn fits(&self, severity: Severity, teams: &[String]) -> bool {
        let same = |a: &String, b: &str| a.eq_ignore_ascii_case(b);
        (self.severities.is_empty() || self.severities.iter().any(|s| same(s, severity.as_str())))
            && (self.teams.is_empty() || self.teams.iter().any(|t| teams.iter().any(|own| same(t, own))))
    }

    /// When the postmortem of an incident that ended then has to be published.
    pub fn due_at(&self, ended_at: Timestamp) -> Option<Timestamp> {
        self.required.then(|| ended_at + TimeDelta::days(self.due_days))
    }

    pub fn guidance_of(&self, key: &SectionKey) -> &str {
        self.guidance.get(key.as_str()).map_or("", String::as_str)
    }
}

/// The first that fits, in order.
pub fn first_fit<'a>(rules: &'a [Rule], severity: Severity, teams: &[String]) -> Option<&'a Rule> {
    rules.iter().find(|r| r.fits(severity, teams))
}

/// What was typed for a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleInput {
    pub name: String,
    pub position: String,
    pub severities: Vec<String>,
    /// Separated by commas.
    pub teams: String,
    pub required: bool,
    pub due_days: String,
    pub gap_minutes: String,
    pub guidance: BTreeMap<String, String>,
}

impl RuleInput {
    pub fn of(rule: &Rule) -> Self {
        Self {
            name: rule.name.clone(),
            position: rule.position.to_string(),
            severities: rule.severities.clone(),
            teams: rule.teams.join(", "),
            required: rule.required,
            due_days: rule.due_days.to_string(),
            gap_minutes: rule.gap_minutes.to_string(),
            guidance: rule.guidance.clone(),
        }
    }

    pub fn guidance_of(&self, key: &SectionKey) -> &str {
        self.guidance.get(key.as_str()).map_or("", String::as_str)
    }

    pub fn has_severity(&self, severity: &Severity) -> bool {
        self.severities.iter().any(|s| s.eq_ignore_ascii_case(severity.as_str()))
    }

    /// # Errors
    /// Every complaint, by field.
    pub fn normalize(&self) -> Result<Rule, FieldErrors> {
        let mut errors = FieldErrors::default();
        let name = fields::required(&mut errors, "name", &self.name, 100);
        let mut number = |field: &str, typed: &str, default: i64, max: i64| match typed.trim() {
            "" => default,
            typed => typed.parse().ok().filter(|n| (0..=max).contains(n)).unwrap_or_else(|| {
                errors.add(field, format!("must be a whole number from 0 to {max}"));
                default
            }),
        };
        let position = number("position", &self.position, 10, 10_000);
        let due_days = number("due_days", &self.due_days, 14, 365);
        let gap_minutes = number("gap_minutes", &self.gap_minutes, DEFAULT_GAP, 1_440).max(1);
        let mut severities = Vec::new();
        for typed in &self.severities {
            match Severity::parse(typed) {
                Some(severity) => severities.push(severity.to_string()),
                None => errors.add("severities", Severity::unknown(typed)),
            }
        }
        let teams: Vec<String> =
            self.teams.split(',').map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).take(50).collect();
        let mut guidance = BTreeMap::new();
        for (key, text) in self.guidance.iter().filter(|(_, text)| !text.trim().is_empty()) {
            if SectionKey::parse(key).is_none() {
                errors.add(&format!("guidance.{key}"), SectionKey::unknown(key));
            }
            crate::markdown::check_size(&mut errors, &format!("guidance.{key}"), text, MAX_GUIDANCE);
            guidance.insert(key.clone(), text.replace("\r\n", "\n").replace('\0', "").trim().to_owned());
        }
        let required = self.required;
        let rule = Rule { id: 0, position, name, severities, teams, required, due_days, gap_minutes, guidance };
        if errors.is_empty() { Ok(rule) } else { Err(errors) }
    }
}

/// Tags as they are kept: lower case, each once, without what is no word.
pub fn tags(errors: &mut FieldErrors, typed: &str) -> Vec<String> {
    let mut found: Vec<String> = typed
        .split(',')
        .map(|t| t.split_whitespace().collect::<Vec<_>>().join("-").to_lowercase())
        .filter(|t| !t.is_empty())
        .collect();
    found.sort();
    found.dedup();
    if found.len() > MAX_TAGS || found.iter().any(|t| t.chars().count() > MAX_TAG || t.chars().any(char::is_control)) {
        errors.add("tags", format!("at most {MAX_TAGS} tags of {MAX_TAG} characters"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(severities: &[&str], teams: &[&str]) -> Rule {
        let owned = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
        Rule {
            id: 1,
            position: 1,
            name: "r".to_owned(),
            severities: owned(severities),
            teams: owned(teams),
            required: true,
            due_days: 5,
            gap_minutes: 30,
            guidance: BTreeMap::new(),
        }
    }

    #[test]
    fn the_first_rule_that_fits_counts() {
        let rules = [rule(&["SEV1"], &[]), rule(&[], &["payments"]), rule(&["SEV2"], &["web"])];
        let teams = |t: &str| vec![t.to_owned()];
        let fit = |severity, team: &str| {
            first_fit(&rules, severity, &teams(team)).map(|r| r.severities.len() + r.teams.len() * 10)
        };
        assert_eq!(fit(Severity::Sev1, "web"), Some(1));
        assert_eq!(fit(Severity::Sev3, "Payments"), Some(10));
        assert_eq!(fit(Severity::Sev2, "web"), Some(11));
        assert_eq!(fit(Severity::Sev4, "web"), None);
    }

    #[test]
    fn what_is_typed_is_checked_all_at_once() {
        let input = RuleInput {
            position: "x".to_owned(),
            due_days: "-1".to_owned(),
            severities: vec!["SEV9".to_owned()],
            guidance: [("nonsense".to_owned(), "x".to_owned())].into(),
            ..RuleInput::default()
        };
        let errors = input.normalize().unwrap_err();
        let fields: Vec<_> = errors.0.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(fields, ["name", "position", "due_days", "severities", "guidance.nonsense"]);
    }

    #[test]
    fn tags_have_one_form() {
        let mut errors = FieldErrors::default();
        assert_eq!(tags(&mut errors, "Retry  storm, cache,, Cache "), ["cache", "retry-storm"]);
        assert!(errors.is_empty());
        tags(&mut errors, &"x".repeat(41));
        assert!(errors.has("tags"));
    }
}
