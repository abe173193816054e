//! The filter of a list as it stands in the URL, for the page and for the API.

use serde::{Deserialize, Serialize};

use super::model::{ChangeKind, ChangeStatus};
use super::store::Filter;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::{FieldErrors, Result};
use crate::fields;
use crate::services;
use crate::web::Cursor;

/// Empty texts do not filter.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct ListQuery {
    pub service: String,
    pub environment: String,
    pub kind: String,
    pub status: String,
    pub version: String,
    pub from: String,
    pub to: String,
    #[serde(skip_serializing)]
    pub cursor: String,
    #[serde(skip_serializing)]
    pub limit: crate::web::Limit,
}

impl ListQuery {
    /// # Errors
    /// `Invalid`, naming each field that cannot be read.
    pub async fn filter(&self, db: &Db, now: Timestamp) -> Result<Filter> {
        let mut errors = FieldErrors::default();
        let mut filter = Filter {
            environment: non_empty(&self.environment).map(|e| e.to_lowercase()),
            version: non_empty(&self.version),
            from: fields::moment(&mut errors, "from", &self.from, now),
            to: fields::moment(&mut errors, "to", &self.to, now),
            ..Filter::default()
        };
        if let Some(text) = non_empty(&self.kind) {
            match ChangeKind::parse_lenient(&text) {
                Some(kind) => filter.kinds.push(kind),
                None => errors.add("kind", ChangeKind::unknown(&text)),
            }
        }
        if let Some(text) = non_empty(&self.status) {
            match ChangeStatus::parse_lenient(&text) {
                Some(status) => filter.statuses.push(status),
                None => errors.add("status", ChangeStatus::unknown(&text)),
            }
        }
        if let Some(slug) = non_empty(&self.service) {
            match services::find_id(db, &slug).await? {
                Some(id) => filter.services.push(id),
                None => errors.add("service", format!("the catalogue does not know '{slug}'")),
            }
        }
        match Cursor::from_param(Some(&self.cursor)) {
            Ok(cursor) => filter.beyond = cursor.map(|c| (Timestamp::from_micros(c.sort), c.id)),
            Err(_) => errors.add("cursor", "is not one that an earlier page gave"),
        }
        errors.into_result()?;
        Ok(filter)
    }

    /// Whether anything but the place in the list is chosen.
    pub fn is_filtered(&self) -> bool {
        [&self.service, &self.environment, &self.kind, &self.status, &self.version, &self.from, &self.to]
            .iter()
            .any(|t| !t.is_empty())
    }

    /// The same list from another place: `/deployments?…`.
    pub fn url(&self, cursor: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let pairs = [
            ("service", &self.service),
            ("environment", &self.environment),
            ("kind", &self.kind),
            ("status", &self.status),
            ("version", &self.version),
            ("from", &self.from),
            ("to", &self.to),
        ];
        for (name, value) in pairs.into_iter().filter(|(_, v)| !v.is_empty()) {
            query.append_pair(name, value);
        }
        if !cursor.is_empty() {
            query.append_pair("cursor", cursor);
        }
        let query = query.finish();
        if query.is_empty() { "/deployments".to_owned() } else { format!("/deployments?{query}") }
    }
}

fn non_empty(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
