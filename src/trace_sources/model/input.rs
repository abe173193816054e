//! What a person may set of a source, and what is refused.

use serde::Deserialize;
use url::Url;

use super::{SourceKind, TraceSource, same_host};
use crate::error::FieldErrors;
use crate::fields;

/// What is typed to add or change a source. Empty credentials keep the standing ones.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct SourceInput {
    #[serde(deserialize_with = "fields::text")]
    pub name: String,
    #[serde(deserialize_with = "fields::text")]
    pub kind: String,
    #[serde(deserialize_with = "fields::text")]
    pub base_url: String,
    #[serde(deserialize_with = "fields::text")]
    pub page_url: String,
    #[serde(deserialize_with = "fields::id_text")]
    pub scope: String,
    #[serde(deserialize_with = "fields::text")]
    pub username: String,
    #[serde(deserialize_with = "fields::text")]
    pub secret: String,
    #[serde(deserialize_with = "fields::text")]
    pub secret_extra: String,
    /// Forget the standing credentials.
    #[serde(deserialize_with = "fields::flag")]
    pub forget_secret: bool,
    #[serde(deserialize_with = "fields::maybe_flag")]
    pub enabled: Option<bool>,
}

/// Checked values of a source.
#[derive(Clone)]
pub struct NewSource {
    pub name: String,
    pub kind: SourceKind,
    pub base_url: String,
    pub page_url: String,
    pub scope: String,
    pub username: String,
    pub secret: String,
    pub secret_extra: String,
    pub enabled: bool,
}

const MAX_NAME: usize = 80;
const MAX_TEXT: usize = 500;
const MAX_SECRET: usize = 4_000;

impl SourceInput {
    /// What a form for changing a source starts with; without credentials.
    pub fn of(source: &TraceSource) -> Self {
        Self {
            name: source.name.clone(),
            kind: source.kind.as_str().to_owned(),
            base_url: source.base_url.clone(),
            page_url: source.page_url.clone(),
            scope: source.scope.clone(),
            username: source.username.clone(),
            secret: String::new(),
            secret_extra: String::new(),
            forget_secret: false,
            enabled: Some(source.enabled),
        }
    }

    /// # Errors
    /// Every complaint, by field.
    pub fn normalize(&self, standing: Option<&TraceSource>) -> Result<NewSource, FieldErrors> {
        let mut errors = FieldErrors::default();
        let kind = standing.map(|s| s.kind).or_else(|| SourceKind::parse(&self.kind)).unwrap_or_else(|| {
            errors.add("kind", SourceKind::unknown(&self.kind));
            SourceKind::Jaeger
        });
        let base_url = address(&mut errors, "base_url", &self.base_url);
        if base_url.is_empty() && !errors.has("base_url") {
            errors.add("base_url", "is needed");
        }
        let scope = fields::limited(&mut errors, "scope", &self.scope, MAX_TEXT);
        check_scope(&mut errors, kind, &scope);
        let mut new = NewSource {
            name: fields::required(&mut errors, "name", &self.name, MAX_NAME),
            kind,
            page_url: address(&mut errors, "page_url", &self.page_url),
            base_url,
            scope,
            username: fields::limited(&mut errors, "username", &self.username, MAX_TEXT),
            secret: header_safe(&mut errors, "secret", &self.secret),
            secret_extra: header_safe(&mut errors, "secret_extra", &self.secret_extra),
            enabled: self.enabled.unwrap_or_else(|| standing.is_none_or(|s| s.enabled)),
        };
        if let Some(standing) = standing.filter(|_| !self.forget_secret) {
            keep_secrets(&mut errors, &mut new, standing);
        }
        if errors.is_empty() { Ok(new) } else { Err(errors) }
    }
}

/// Standing credentials stay with their host: else who may change an address could have them sent to
/// themselves.
fn keep_secrets(errors: &mut FieldErrors, new: &mut NewSource, standing: &TraceSource) {
    let moved = Url::parse(&new.base_url).is_ok_and(|url| !same_host(&url, &standing.base_url));
    let kept = [
        (&mut new.secret, &standing.secret, "secret"),
        (&mut new.secret_extra, &standing.secret_extra, "secret_extra"),
    ];
    for (value, old, field) in kept {
        if value.is_empty() && !old.is_empty() {
            if moved {
                errors.add(field, "must be typed again, because the address leads to another host");
            } else {
                old.clone_into(value);
            }
        }
    }
}

fn address(errors: &mut FieldErrors, field: &str, typed: &str) -> String {
    let typed = fields::limited(errors, field, typed, MAX_TEXT);
    if typed.is_empty() {
        return String::new();
    }
    match Url::parse(&typed) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            if !url.username().is_empty() || url.password().is_some() {
                errors.add(field, "must not hold a user name or password: there are fields for them");
            } else if url.query().is_some() || url.fragment().is_some() {
                errors.add(field, "must end before any '?' or '#'");
            }
            url.as_str().trim_end_matches('/').to_owned()
        }
        _ => {
            errors.add(field, "must be an http:// or https:// address");
            typed
        }
    }
}

/// The scope goes into paths, headers and queries, so its letters are few.
fn check_scope(errors: &mut FieldErrors, kind: SourceKind, scope: &str) {
    if let Some((label, _, true)) = kind.scope()
        && scope.is_empty()
    {
        errors.add("scope", format!("is needed: {label}"));
    }
    if kind == SourceKind::NewRelic && !scope.is_empty() && !scope.bytes().all(|b| b.is_ascii_digit()) {
        errors.add("scope", "is a number");
    }
    if let Some(bad) = scope.chars().find(|c| !(c.is_ascii_alphanumeric() || "-_.*,/:|".contains(*c))) {
        errors.add("scope", format!("must not hold '{bad}'"));
    }
}

fn header_safe(errors: &mut FieldErrors, field: &str, value: &str) -> String {
    if !value.trim().bytes().all(|b| (32..127).contains(&b)) {
        errors.add(field, "holds a character that no header can carry");
    }
    fields::limited(errors, field, value, MAX_SECRET)
}

#[cfg(test)]
mod tests {
    use super::super::tests::source;
    use super::*;

    #[test]
    fn a_secret_is_kept_but_never_moved_to_another_host() {
        let standing = source(1, SourceKind::Jaeger, "http://jaeger:16686", "");
        let mut input =
            SourceInput { name: "j".into(), base_url: "http://jaeger:16686/q/".into(), ..SourceInput::of(&standing) };
        let kept = input.normalize(Some(&standing)).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((kept.secret.as_str(), kept.base_url.as_str()), ("hunter2", "http://jaeger:16686/q"));
        input.base_url = "http://evil:16686".into();
        assert!(input.normalize(Some(&standing)).err().is_some_and(|e| e.has("secret")));
        input.forget_secret = true;
        assert_eq!(input.normalize(Some(&standing)).unwrap_or_else(|e| panic!("{e}")).secret, "");
        assert!(!format!("{standing:?}").contains("hunter2"));
        assert!(!serde_json::to_string(&standing).expect("JSON").contains("hunter2"));
    }

    #[test]
    fn every_fault_of_a_form_is_named() {
        let input = SourceInput {
            kind: "newrelic".into(),
            base_url: "ftp://x".into(),
            page_url: "https://me:pw@x".into(),
            scope: "12 OR 1".into(),
            secret: "a\nb".into(),
            ..SourceInput::default()
        };
        let errors = input.normalize(None).err().expect("refused");
        for field in ["name", "base_url", "page_url", "scope", "secret"] {
            assert!(errors.has(field), "{field}");
        }
        assert!(
            SourceInput { kind: "kibana".into(), ..SourceInput::default() }
                .normalize(None)
                .err()
                .is_some_and(|e| e.has("kind"))
        );
    }
}
