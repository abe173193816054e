//! What is sent to `POST /api/v1/deployments`, and typed into the form. Pure.

use serde::Deserialize;

use super::model::{ChangeEvent, ChangeKind, ChangeSource, ChangeStatus, DEFAULT_ENVIRONMENT};
use super::sources::DERIVED;
use crate::clock::Timestamp;
use crate::error::FieldErrors;
use crate::fields;

/// As sent or typed: nothing is checked yet.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DeploymentInput {
    #[serde(deserialize_with = "fields::text")]
    pub service: String,
    #[serde(deserialize_with = "fields::text")]
    pub version: String,
    #[serde(deserialize_with = "fields::text")]
    pub environment: String,
    #[serde(deserialize_with = "fields::text")]
    pub kind: String,
    #[serde(deserialize_with = "fields::text")]
    pub status: String,
    #[serde(deserialize_with = "fields::text")]
    pub commit: String,
    #[serde(deserialize_with = "fields::text")]
    pub author: String,
    #[serde(deserialize_with = "fields::text")]
    pub title: String,
    #[serde(deserialize_with = "fields::text")]
    pub url: String,
    #[serde(deserialize_with = "fields::text")]
    pub started_at: String,
    #[serde(deserialize_with = "fields::text")]
    pub finished_at: String,
    /// Names the change, so that a later call about it is one more report.
    #[serde(deserialize_with = "fields::id_text")]
    pub external_id: String,
}

impl DeploymentInput {
    /// # Errors
    /// Every complaint, by field.
    pub fn normalize(&self, now: Timestamp) -> Result<ChangeEvent, FieldErrors> {
        let mut errors = FieldErrors::default();
        let service = fields::required(&mut errors, "service", &self.service, 200);
        let kind = word(&mut errors, "kind", &self.kind, ChangeKind::parse_lenient, ChangeKind::unknown);
        let status = word(&mut errors, "status", &self.status, ChangeStatus::parse_lenient, ChangeStatus::unknown);
        let kind = kind.unwrap_or(ChangeKind::Deployment);
        let version = fields::limited(&mut errors, "version", &self.version, 200);
        if version.is_empty() && matches!(kind, ChangeKind::Deployment | ChangeKind::Rollback) {
            errors.add("version", "is needed");
        }
        let started_at = fields::past_moment(&mut errors, "started_at", &self.started_at, now);
        let finished_at = fields::past_moment(&mut errors, "finished_at", &self.finished_at, now);
        if let (Some(start), Some(end)) = (started_at, finished_at)
            && end < start
        {
            errors.add(
                "finished_at",
                format!("{} UTC lies before the start, {} UTC", end.to_minute(), start.to_minute()),
            );
        }
        let status = status.unwrap_or(match (started_at, finished_at) {
            (Some(_), None) => ChangeStatus::Started,
            _ => ChangeStatus::Succeeded,
        });
        let url = fields::limited(&mut errors, "url", &self.url, 2000);
        if !url.is_empty() && !url.starts_with("https://") && !url.starts_with("http://") {
            errors.add("url", "must begin with https:// or http://");
        }
        let environment = match fields::limited(&mut errors, "environment", &self.environment, 100).to_lowercase() {
            none if none.is_empty() => DEFAULT_ENVIRONMENT.to_owned(),
            named => named,
        };
        let named = fields::limited(&mut errors, "external_id", &self.external_id, 400);
        let optional = |errors: &mut FieldErrors, field: &str, value: &str, limit: usize| {
            Some(fields::limited(errors, field, value, limit)).filter(|v| !v.is_empty())
        };
        let event = ChangeEvent {
            source: ChangeSource::Api,
            external_id: if named.is_empty() {
                format!("{DERIVED}{service}|{environment}|{kind}|{version}")
            } else {
                named
            },
            commit: optional(&mut errors, "commit", &self.commit, 100),
            author: optional(&mut errors, "author", &self.author, 200),
            title: optional(&mut errors, "title", &self.title, 500),
            version: Some(version).filter(|v| !v.is_empty()),
            url: Some(url).filter(|u| !u.is_empty()),
            service,
            environment,
            kind,
            status,
            started_at,
            finished_at,
            reported_at: finished_at.filter(|_| status.is_over()).or(started_at).unwrap_or(now),
        };
        if errors.is_empty() { Ok(event) } else { Err(errors) }
    }
}

/// A word from a fixed list; nothing typed is no complaint.
fn word<T>(
    errors: &mut FieldErrors,
    field: &str,
    text: &str,
    read: impl Fn(&str) -> Option<T>,
    complaint: impl Fn(&str) -> String,
) -> Option<T> {
    if text.trim().is_empty() {
        return None;
    }
    let found = read(text);
    if found.is_none() {
        errors.add(field, complaint(text));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

    #[test]
    fn the_least_that_is_needed_is_a_service_and_a_version() {
        let input: DeploymentInput =
            serde_json::from_str(r#"{"service":"cart","version":"v1.2.3","started_at":"2026-09-21T14:00:00Z"}"#)
                .unwrap();
        let event = input.normalize(NOW).unwrap();
        assert_eq!((event.environment.as_str(), event.status), ("production", ChangeStatus::Started));
        assert_eq!(event.reported_at, Timestamp::parse("2026-09-21T14:00:00Z").unwrap());
        let flag =
            DeploymentInput { service: "cart".into(), kind: "feature-flag".into(), ..DeploymentInput::default() };
        assert_eq!(flag.normalize(NOW).unwrap().kind, ChangeKind::FeatureFlag);
    }

    #[test]
    fn complaints_come_all_at_once() {
        let input = DeploymentInput {
            kind: "magic".into(),
            status: "exploded".into(),
            started_at: "2026-09-21T14:00:00Z".into(),
            finished_at: "2026-09-21T13:00:00Z".into(),
            url: "javascript:alert(1)".into(),
            ..DeploymentInput::default()
        };
        let errors = input.normalize(NOW).unwrap_err();
        for field in ["service", "kind", "status", "version", "finished_at", "url"] {
            assert!(errors.has(field), "{field}");
        }
        let future = DeploymentInput {
            service: "cart".into(),
            version: "1".into(),
            started_at: "2099-01-01T00:00:00Z".into(),
            ..DeploymentInput::default()
        };
        assert!(future.normalize(NOW).unwrap_err().has("started_at"));
    }
}
