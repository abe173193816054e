//! What is attached to an incident: evidence and tasks; and the change of its details.

use serde::Deserialize;

use crate::clock::Timestamp;
use crate::error::FieldErrors;
use crate::fields::{self, MAX_TITLE, past_moment};

use super::super::evidence::safe_link;
use super::super::{EvidenceKind, Kind, Severity, TaskKind, TaskState};
use super::{MAX_EXCERPT, MAX_REASON, MAX_SERVICES, MAX_SUMMARY};

/// `POST …/evidence`. Which field names the thing depends on the kind.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct EvidenceInput {
    #[serde(deserialize_with = "fields::text")]
    pub kind: String,
    #[serde(deserialize_with = "fields::text")]
    pub title: String,
    /// Why it matters.
    #[serde(deserialize_with = "fields::text")]
    pub note: String,
    /// An id or an address, whatever the kind; the named fields below are the same thing.
    #[serde(deserialize_with = "fields::text")]
    pub reference: String,
    #[serde(deserialize_with = "fields::text")]
    pub trace_id: String,
    #[serde(deserialize_with = "fields::text")]
    pub traceparent: String,
    #[serde(deserialize_with = "fields::text")]
    pub url: String,
    #[serde(deserialize_with = "fields::id_text")]
    pub deployment_id: String,
    #[serde(deserialize_with = "fields::id_text")]
    pub alert_id: String,
    /// The excerpt itself.
    #[serde(deserialize_with = "fields::text")]
    pub text: String,
    #[serde(deserialize_with = "fields::text")]
    pub occurred_at: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvidence {
    pub kind: EvidenceKind,
    pub title: String,
    pub note: String,
    /// Trace id, deployment id, alert id or address, as it was given; empty for a pasted excerpt.
    pub reference: String,
    pub url: String,
    /// The pasted excerpt.
    pub text: String,
    pub occurred_at: Option<Timestamp>,
}

impl EvidenceInput {
    /// # Errors
    /// Every complaint, by field.
    pub fn normalize(&self, now: Timestamp) -> Result<NewEvidence, FieldErrors> {
        let mut errors = FieldErrors::default();
        let kind = EvidenceKind::parse(&self.kind).unwrap_or_else(|| {
            let empty = self.kind.trim().is_empty();
            errors.add("kind", if empty { "is needed".to_owned() } else { EvidenceKind::unknown(&self.kind) });
            EvidenceKind::Link
        });
        let text = fields::limited(&mut errors, "text", &self.text, MAX_EXCERPT);
        let reference = self.reference_of(kind);
        if let Some((field, message)) = missing(kind, &reference, &text)
            && errors.is_empty()
        {
            errors.add(field, message);
        }
        if kind == EvidenceKind::Link && !reference.is_empty() && safe_link(&reference).is_none() {
            errors.add("url", "must be an http or https address");
        }
        let evidence = NewEvidence {
            kind,
            title: fields::limited(&mut errors, "title", &self.title, MAX_TITLE),
            note: fields::limited(&mut errors, "note", &self.note, MAX_SUMMARY),
            url: safe_link(&self.url).unwrap_or_default(),
            reference: fields::limited(&mut errors, "reference", &reference, 2_000),
            text,
            occurred_at: past_moment(&mut errors, "occurred_at", &self.occurred_at, now),
        };
        if errors.is_empty() { Ok(evidence) } else { Err(errors) }
    }

    fn reference_of(&self, kind: EvidenceKind) -> String {
        let named: &[&String] = match kind {
            EvidenceKind::Trace => &[&self.trace_id, &self.traceparent, &self.reference, &self.url],
            EvidenceKind::Deployment => &[&self.deployment_id, &self.reference],
            EvidenceKind::Alert => &[&self.alert_id, &self.reference],
            EvidenceKind::Link => &[&self.url, &self.reference],
            EvidenceKind::Log | EvidenceKind::Image | EvidenceKind::File => &[&self.reference],
        };
        named.iter().map(|v| v.trim()).find(|v| !v.is_empty()).unwrap_or_default().to_owned()
    }
}

fn missing(kind: EvidenceKind, reference: &str, text: &str) -> Option<(&'static str, &'static str)> {
    match kind {
        EvidenceKind::Log if text.is_empty() => Some(("text", "is needed: paste the lines")),
        EvidenceKind::Trace if reference.is_empty() => {
            Some(("trace_id", "is needed: an id, a traceparent, or the address of the trace's page"))
        }
        EvidenceKind::Deployment if reference.is_empty() => Some(("deployment_id", "is needed")),
        EvidenceKind::Alert if reference.is_empty() => Some(("alert_id", "is needed")),
        EvidenceKind::Link if reference.is_empty() => Some(("url", "is needed")),
        EvidenceKind::Image | EvidenceKind::File => Some(("kind", "is attached by uploading it")),
        _ => None,
    }
}

/// `POST …/tasks` and its edit.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TaskInput {
    #[serde(deserialize_with = "fields::text")]
    pub title: String,
    #[serde(deserialize_with = "fields::text")]
    pub kind: String,
    /// The e-mail address of its owner.
    #[serde(deserialize_with = "fields::text")]
    pub owner: String,
    #[serde(deserialize_with = "fields::text")]
    pub due_at: String,
    #[serde(deserialize_with = "fields::text")]
    pub state: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTask {
    pub title: String,
    pub kind: TaskKind,
    /// Empty for nobody yet; whether the account exists is checked by the action.
    pub owner: String,
    pub due_at: Option<Timestamp>,
    pub state: TaskState,
}

impl TaskInput {
    /// # Errors
    /// Every complaint, by field.
    pub fn normalize(&self, now: Timestamp) -> Result<NewTask, FieldErrors> {
        let mut errors = FieldErrors::default();
        let title = fields::title(&mut errors, "title", &self.title);
        let kind = word(&mut errors, "kind", &self.kind, TaskKind::Now, TaskKind::parse, TaskKind::unknown);
        let state = word(&mut errors, "state", &self.state, TaskState::Open, TaskState::parse, TaskState::unknown);
        let owner = fields::limited(&mut errors, "owner", &self.owner, 320);
        let due_at = fields::moment(&mut errors, "due_at", &self.due_at, now);
        if errors.is_empty() { Ok(NewTask { title, kind, owner, due_at, state }) } else { Err(errors) }
    }
}

/// `PATCH /incidents/{INC-n}`: what is left out stays.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PatchInput {
    pub title: Option<String>,
    pub summary: Option<String>,
    pub severity: Option<String>,
    pub kind: Option<String>,
    #[serde(deserialize_with = "fields::maybe_words")]
    pub services: Option<Vec<String>>,
    #[serde(deserialize_with = "fields::maybe_flag")]
    pub private: Option<bool>,
    #[serde(deserialize_with = "fields::text")]
    pub reason: String,
    /// The version that was read. When another one stands, nothing is overwritten.
    pub version: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    pub title: Option<String>,
    pub summary: Option<String>,
    pub severity: Option<Severity>,
    pub kind: Option<Kind>,
    pub services: Option<Vec<String>>,
    pub private: Option<bool>,
    pub reason: String,
    pub version: Option<i64>,
}

impl PatchInput {
    /// # Errors
    /// Every complaint, by field.
    pub fn normalize(&self) -> Result<Patch, FieldErrors> {
        let mut errors = FieldErrors::default();
        let severity = self.severity.as_deref().and_then(|text| {
            let severity = Severity::read(text);
            if severity.is_none() {
                errors.add("severity", Severity::unknown(text));
            }
            severity
        });
        let kind = self.kind.as_deref().and_then(|text| {
            let kind = Kind::parse(text);
            if kind.is_none() {
                errors.add("kind", Kind::unknown(text));
            }
            kind
        });
        if self.services.as_ref().is_some_and(|s| s.len() > MAX_SERVICES) {
            errors.add("services", format!("can be {MAX_SERVICES} at most"));
        }
        let patch = Patch {
            title: self.title.as_deref().map(|t| fields::title(&mut errors, "title", t)),
            summary: self.summary.as_deref().map(|s| fields::limited(&mut errors, "summary", s, MAX_SUMMARY)),
            severity,
            kind,
            services: self.services.clone(),
            private: self.private,
            reason: fields::limited(&mut errors, "reason", &self.reason, MAX_REASON),
            version: self.version,
        };
        if errors.is_empty() { Ok(patch) } else { Err(errors) }
    }
}

fn word<T: Copy>(
    errors: &mut FieldErrors,
    field: &str,
    text: &str,
    default: T,
    parse: fn(&str) -> Option<T>,
    unknown: fn(&str) -> String,
) -> T {
    if text.trim().is_empty() {
        return default;
    }
    parse(text).unwrap_or_else(|| {
        errors.add(field, unknown(text));
        default
    })
}

#[cfg(test)]
mod tests {
    use super::super::TimelineInput;
    use super::*;

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-23T10:00:30Z").unwrap()
    }

    #[test]
    fn evidence_names_what_its_kind_needs() {
        let add = |kind: &str| EvidenceInput { kind: kind.into(), ..EvidenceInput::default() };
        for (kind, field) in [
            ("trace", "trace_id"),
            ("deployment", "deployment_id"),
            ("alert", "alert_id"),
            ("log", "text"),
            ("link", "url"),
            ("", "kind"),
            ("image", "kind"),
        ] {
            assert!(add(kind).normalize(now()).unwrap_err().has(field), "{kind}");
        }
        let link = EvidenceInput { url: "javascript:alert(1)".into(), ..add("link") };
        assert!(link.normalize(now()).unwrap_err().has("url"));
        let trace = EvidenceInput { url: "https://jaeger.example/trace/abc".into(), ..add("trace") };
        assert_eq!(trace.normalize(now()).unwrap().reference, "https://jaeger.example/trace/abc");
        let by_number: EvidenceInput = serde_json::from_str(r#"{"kind":"alert","alert_id":12}"#).unwrap();
        assert_eq!(by_number.normalize(now()).unwrap().reference, "12");
    }

    #[test]
    fn a_patch_changes_only_what_was_sent() {
        let patch =
            serde_json::from_str::<PatchInput>(r#"{"severity":"sev1","services":[]}"#).unwrap().normalize().unwrap();
        assert_eq!(patch, Patch { severity: Some(Severity::Sev1), services: Some(vec![]), ..Patch::default() });
        assert!(PatchInput { title: Some(" ".into()), ..PatchInput::default() }.normalize().unwrap_err().has("title"));
    }

    #[test]
    fn too_long_and_unstorable_texts_are_refused_with_the_limit() {
        let long = TaskInput { title: "x".repeat(201), ..TaskInput::default() };
        assert_eq!(long.normalize(now()).unwrap_err().of("title"), Some("has 201 characters; at most 200 are kept"));
        let nul = TimelineInput { text: "a\0b".into(), ..TimelineInput::default() };
        assert!(nul.normalize(now()).unwrap_err().has("text"));
    }
}
