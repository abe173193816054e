//! Action items: what a task has more, once it has to outlive its incident.

use serde::Serialize;

use crate::clock::Timestamp;
use crate::error::FieldErrors;
use crate::fields::text_enum;
use crate::incidents::IncidentId;
use crate::incidents::model::TaskState;

text_enum! {
    /// What an action item is good for.
    pub enum ActionType("type of action item") {
        Prevent = "prevent",
        Detect = "detect",
        Mitigate = "mitigate",
    }
}

impl ActionType {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Prevent => "Prevent",
            Self::Detect => "Detect sooner",
            Self::Mitigate => "Mitigate faster",
        }
    }
}

text_enum! {
    pub enum Priority("priority") {
        High = "high",
        Medium = "medium",
        Low = "low",
    }
}

/// An issue elsewhere that an action item is tracked by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IssueLink {
    pub url: String,
    /// As changes name it: `acme/shop#12`, `OPS-7`; empty when it cannot be told.
    pub key: String,
}

impl IssueLink {
    /// Reads the address of an issue in GitHub, GitLab or Jira. Other addresses are kept without a name.
    pub fn parse(errors: &mut FieldErrors, field: &str, typed: &str) -> Self {
        let typed = typed.trim();
        if typed.is_empty() {
            return Self::default();
        }
        let is_web = |u: &url::Url| matches!(u.scheme(), "http" | "https") && u.has_host() && u.username().is_empty();
        let Some(url) = url::Url::parse(typed).ok().filter(is_web).filter(|_| typed.len() <= 500) else {
            errors.add(field, "must be the address of an issue, such as https://github.com/acme/shop/issues/12");
            return Self { url: typed.to_owned(), key: String::new() };
        };
        Self { key: key_of(&url), url: typed.to_owned() }
    }
}

fn key_of(url: &url::Url) -> String {
    let parts: Vec<&str> = url.path().split('/').filter(|p| !p.is_empty() && *p != "-").collect();
    match parts.as_slice() {
        [.., "browse", key] if is_jira_key(key) => key.to_uppercase(),
        [project @ .., "issues" | "pull" | "merge_requests", number]
            if project.len() >= 2 && number.chars().all(|c| c.is_ascii_digit()) =>
        {
            format!("{}#{number}", project.join("/").to_lowercase())
        }
        _ => String::new(),
    }
}

/// `OPS-7`
fn is_jira_key(text: &str) -> bool {
    text.split_once('-').is_some_and(|(project, number)| {
        project.len() >= 2
            // Trackers allow digits in a project's key, but `v1-2` is a version far more often.
            && project.chars().all(|c| c.is_ascii_alphabetic())
            && !number.is_empty()
            && number.chars().all(|c| c.is_ascii_digit())
    })
}

/// What a change's texts name: `AI-12` gives the number, `OPS-7` and `acme/shop#12` a key, upper and
/// lower case as [`IssueLink`] has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    pub items: Vec<i64>,
    pub keys: Vec<String>,
}

pub fn named_in(text: &str) -> Named {
    let mut named = Named::default();
    for word in text.split(|c: char| !(c.is_alphanumeric() || "-#/_.".contains(c))) {
        let word = word.trim_matches(['.', '-', '/', '_']);
        let upper = word.to_uppercase();
        if let Some(n) = upper.strip_prefix("AI-").and_then(|n| n.parse().ok()) {
            named.items.push(n);
        } else if is_jira_key(word) {
            named.keys.push(upper);
        } else if let Some((project, number)) = word.split_once('#')
            && project.contains('/')
            && !number.is_empty()
            && number.chars().all(|c| c.is_ascii_digit())
        {
            named.keys.push(word.to_lowercase());
        }
        if named.items.len() + named.keys.len() >= 50 {
            break;
        }
    }
    named
}

/// An action item as lists and pages show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ActionItem {
    #[serde(skip)]
    pub task_id: i64,
    /// `AI-12`: what a change names to close it.
    pub key: String,
    pub incident: IncidentId,
    pub incident_title: String,
    pub severity: String,
    pub title: String,
    pub state: TaskState,
    #[serde(rename = "type")]
    pub kind: Option<ActionType>,
    pub priority: Priority,
    pub owner: Option<String>,
    pub owner_email: Option<String>,
    pub due_at: Option<Timestamp>,
    pub link: String,
    pub link_key: String,
    /// The deployment that closed it.
    pub closed_by: Option<i64>,
    pub reopened_because: String,
    pub done_at: Option<Timestamp>,
    pub updated_at: Timestamp,
}

impl ActionItem {
    pub fn is_open(&self) -> bool {
        self.state == TaskState::Open
    }

    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.is_open() && self.due_at.is_some_and(|due| due < now)
    }

    pub fn path(&self) -> String {
        format!("/action-items/{}", self.task_id)
    }
}

/// A number as people and changes name it.
pub fn key(task_id: i64) -> String {
    format!("AI-{task_id}")
}

/// `AI-12` or `12`.
pub fn parse_key(text: &str) -> Option<i64> {
    let text = text.trim();
    text.strip_prefix("AI-").or_else(|| text.strip_prefix("ai-")).unwrap_or(text).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(url: &str) -> (String, bool) {
        let mut errors = FieldErrors::default();
        (IssueLink::parse(&mut errors, "link", url).key, errors.is_empty())
    }

    #[test]
    fn issues_are_known_by_their_short_names() {
        let cases = [
            ("https://github.com/Acme/shop/issues/12", "acme/shop#12"),
            ("https://github.com/acme/shop/pull/7", "acme/shop#7"),
            ("https://gitlab.example/group/sub/shop/-/issues/3", "group/sub/shop#3"),
            ("https://acme.atlassian.net/browse/OPS-41", "OPS-41"),
            ("https://tracker.example/t/99", ""),
        ];
        for (url, key) in cases {
            assert_eq!(link(url), (key.to_owned(), true), "{url}");
        }
        for bad in ["javascript:alert(1)", "OPS-7", "https://me:pw@github.com/a/b/issues/1", "ftp://a/b"] {
            assert!(!link(bad).1, "{bad}");
        }
        assert_eq!(link(""), (String::new(), true));
    }

    #[test]
    fn changes_name_items_in_many_ways() {
        let named = named_in("Fixes ai-12, OPS-7 (see acme/Shop#3); not AIR-x, #5, utf-8 or v1-2");
        assert_eq!(named.items, [12]);
        assert_eq!(named.keys, ["OPS-7", "acme/shop#3", "UTF-8"]);
        assert_eq!(named_in(&"AI-1 ".repeat(1000)).items.len(), 50);
    }
}
