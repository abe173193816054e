//! Templates: what a declaration starts from, chosen by hand, by service or by alert.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::FieldErrors;
use crate::fields;
use crate::services::slug_of;

use super::input::{DeclareInput, MAX_SERVICES, MAX_SUMMARY};
use super::{Kind, Severity};

/// Lines of tasks, and of follow-ups, of one template.
const MAX_TASKS: usize = 20;

/// A template as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Template {
    pub id: i64,
    pub slug: String,
    pub name: String,
    pub title: String,
    pub severity: Severity,
    pub kind: Kind,
    pub private: bool,
    pub services: Vec<String>,
    pub summary: String,
    /// One task each.
    pub tasks: Vec<String>,
    pub follow_ups: Vec<String>,
    /// Slug of the service whose incidents it is offered for; empty for none.
    pub for_service: String,
    /// Words of an alert's name for which it is offered; empty for none.
    pub for_alert: String,
    pub updated_by: String,
    pub updated_at: Timestamp,
    pub version: i64,
}

impl Template {
    /// Fills what was left empty; what was typed stays.
    pub fn fill(&self, input: &mut DeclareInput) {
        let fill = |field: &mut String, value: &str| {
            if field.trim().is_empty() {
                value.clone_into(field);
            }
        };
        fill(&mut input.title, &self.title);
        fill(&mut input.severity, self.severity.as_str());
        fill(&mut input.kind, self.kind.as_str());
        fill(&mut input.summary, &self.summary);
        if input.services.is_empty() {
            input.services.clone_from(&self.services);
        }
        input.private |= self.private;
    }

    /// Whether it is meant for one of these services, or for an alert of this name.
    pub fn suits(&self, services: &[String], alert: &str) -> bool {
        let alert = alert.to_lowercase();
        let words = || self.for_alert.split_whitespace().map(str::to_lowercase);
        (!self.for_service.is_empty() && services.contains(&self.for_service))
            || (!self.for_alert.is_empty() && !alert.is_empty() && words().all(|word| alert.contains(&word)))
    }
}

/// `POST /incident-templates` and the form.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TemplateInput {
    #[serde(deserialize_with = "fields::text")]
    pub name: String,
    #[serde(deserialize_with = "fields::text")]
    pub title: String,
    #[serde(deserialize_with = "fields::text")]
    pub severity: String,
    #[serde(deserialize_with = "fields::text")]
    pub kind: String,
    #[serde(deserialize_with = "fields::flag")]
    pub private: bool,
    #[serde(deserialize_with = "fields::words")]
    pub services: Vec<String>,
    #[serde(deserialize_with = "fields::text")]
    pub summary: String,
    /// One a line.
    #[serde(deserialize_with = "fields::text")]
    pub tasks: String,
    #[serde(deserialize_with = "fields::text")]
    pub follow_ups: String,
    #[serde(deserialize_with = "fields::text")]
    pub for_service: String,
    #[serde(deserialize_with = "fields::text")]
    pub for_alert: String,
    /// The version that was read. When another one stands, nothing is overwritten.
    pub version: Option<i64>,
}

impl From<&Template> for TemplateInput {
    fn from(t: &Template) -> Self {
        Self {
            name: t.name.clone(),
            title: t.title.clone(),
            severity: t.severity.as_str().to_owned(),
            kind: t.kind.as_str().to_owned(),
            private: t.private,
            services: t.services.clone(),
            summary: t.summary.clone(),
            tasks: t.tasks.join("\n"),
            follow_ups: t.follow_ups.join("\n"),
            for_service: t.for_service.clone(),
            for_alert: t.for_alert.clone(),
            version: Some(t.version),
        }
    }
}

impl TemplateInput {
    /// The template without its place in the database (id, slug's uniqueness, version).
    ///
    /// # Errors
    /// Every complaint, by field; whether the catalogue knows the services is checked by the action.
    pub fn normalize(&self, by: &str, now: Timestamp) -> Result<Template, FieldErrors> {
        let mut errors = FieldErrors::default();
        let name = fields::title(&mut errors, "name", &self.name);
        let title: String = self.title.split_whitespace().collect::<Vec<_>>().join(" ");
        if self.services.len() > MAX_SERVICES {
            errors.add("services", format!("are {}; at most {MAX_SERVICES} can be named", self.services.len()));
        }
        let severity = Severity::read(&self.severity).unwrap_or_else(|| {
            errors.add("severity", Severity::unknown(&self.severity));
            Severity::Sev3
        });
        let kind = match self.kind.trim() {
            "" => Kind::Real,
            word => Kind::parse(word).unwrap_or_else(|| {
                errors.add("kind", Kind::unknown(word));
                Kind::Real
            }),
        };
        let template = Template {
            id: 0,
            slug: slug_of(&name).unwrap_or_default(),
            title: fields::limited(&mut errors, "title", &title, fields::MAX_TITLE),
            severity,
            kind,
            private: self.private,
            services: self.services.clone(),
            summary: fields::limited(&mut errors, "summary", &self.summary, MAX_SUMMARY),
            tasks: lines(&mut errors, "tasks", &self.tasks),
            follow_ups: lines(&mut errors, "follow_ups", &self.follow_ups),
            for_service: fields::limited(&mut errors, "for_service", &self.for_service, fields::MAX_TITLE),
            for_alert: fields::limited(&mut errors, "for_alert", &self.for_alert, fields::MAX_TITLE),
            updated_by: by.to_owned(),
            updated_at: now,
            version: 1,
            name,
        };
        if template.slug.is_empty() && !errors.has("name") {
            errors.add("name", "needs a letter or a digit");
        }
        if errors.is_empty() { Ok(template) } else { Err(errors) }
    }
}

fn lines(errors: &mut FieldErrors, field: &str, text: &str) -> Vec<String> {
    let lines: Vec<String> = text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect();
    if lines.len() > MAX_TASKS {
        errors.add(field, format!("are {}; at most {MAX_TASKS} are kept", lines.len()));
    }
    if let Some(long) = lines.iter().find(|l| l.chars().count() > fields::MAX_TITLE) {
        let start: String = long.chars().take(30).collect();
        errors.add(field, format!("'{start}…' has more than {} characters", fields::MAX_TITLE));
    }
    fields::limited(errors, field, text, MAX_TASKS * (fields::MAX_TITLE + 2));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(change: impl FnOnce(&mut TemplateInput)) -> Template {
        let mut input =
            TemplateInput { name: "Database down".into(), severity: "SEV1".into(), ..TemplateInput::default() };
        change(&mut input);
        input.normalize("Ada", Timestamp::from_secs(0)).unwrap()
    }

    #[test]
    fn it_fills_what_is_empty_and_leaves_what_was_typed() {
        let t = template(|t| {
            t.title = "Database is down".into();
            t.services = vec!["db".into()];
            t.summary = "Call the vendor".into();
        });
        let mut input = DeclareInput { title: "Mine".into(), ..DeclareInput::default() };
        t.fill(&mut input);
        assert_eq!(
            (input.title.as_str(), input.severity.as_str(), input.summary.as_str()),
            ("Mine", "SEV1", "Call the vendor")
        );
        assert_eq!(input.services, ["db"]);
    }

    #[test]
    fn it_suits_its_service_and_alerts_with_all_of_its_words() {
        let t = template(|t| {
            t.for_service = "db".into();
            t.for_alert = "certificate expir".into();
        });
        assert!(t.suits(&["web".into(), "db".into()], ""));
        assert!(t.suits(&[], "TLS Certificate of web expires"));
        assert!(!t.suits(&["web".into()], "Certificate renewed"));
        assert!(!template(|_| {}).suits(&[String::new()], ""));
    }

    #[test]
    fn tasks_are_lines() {
        assert_eq!(template(|t| t.tasks = " call \n\n page db team".into()).tasks, ["call", "page db team"]);
        let long = TemplateInput {
            name: "x".into(),
            severity: "1".into(),
            tasks: "x".repeat(300),
            ..TemplateInput::default()
        };
        assert!(long.normalize("", Timestamp::from_secs(0)).unwrap_err().has("tasks"));
    }
}
