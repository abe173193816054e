//! Finding incidents: the filters of a URL, and one page of what they leave.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::{Error, FieldErrors, Result};
use crate::fields::{self, when};
use crate::services;
use crate::web::{Cursor, Limit, Page};

use super::super::model::record::Incident;
use super::super::model::{IncidentId, Kind, MilestoneTimes, Severity, Status};
use super::super::store::lists::{self as store, Filter, Viewer};

/// The filters as a URL holds them; empty ones do not filter. `status` and `severity` may hold
/// several words with commas between them; the status `open` means every state that needs work.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ListQuery {
    #[serde(deserialize_with = "fields::words")]
    pub status: Vec<String>,
    #[serde(deserialize_with = "fields::words")]
    pub severity: Vec<String>,
    #[serde(deserialize_with = "fields::words")]
    pub kind: Vec<String>,
    #[serde(deserialize_with = "fields::text")]
    pub service: String,
    #[serde(deserialize_with = "fields::text")]
    pub team: String,
    #[serde(deserialize_with = "fields::text")]
    pub q: String,
    /// Of the start: a day, a time, or `-7d`.
    #[serde(deserialize_with = "fields::text")]
    pub from: String,
    #[serde(deserialize_with = "fields::text")]
    pub to: String,
    #[serde(deserialize_with = "fields::text")]
    pub cursor: String,
    pub limit: Limit,
}

impl ListQuery {
    /// # Errors
    /// Every word that cannot be read, by field.
    pub fn normalize(&self, now: Timestamp) -> Result<Filter, FieldErrors> {
        let mut errors = FieldErrors::default();
        let mut filter = Filter::default();
        for word in &self.status {
            match Status::parse(word) {
                Some(status) => filter.statuses.push(status),
                None if word.eq_ignore_ascii_case("open") => filter.statuses.extend(Status::OPEN),
                None => errors.add("status", Status::unknown(word)),
            }
        }
        for word in &self.severity {
            match Severity::read(word) {
                Some(severity) => filter.severities.push(severity),
                None => errors.add("severity", Severity::unknown(word)),
            }
        }
        for word in &self.kind {
            match Kind::parse(word) {
                Some(kind) => filter.kinds.push(kind),
                None => errors.add("kind", Kind::unknown(word)),
            }
        }
        filter.from = day_or_moment(&mut errors, "from", &self.from, now);
        filter.to = day_or_moment(&mut errors, "to", &self.to, now);
        filter.text = Some(self.q.trim().to_owned()).filter(|q| !q.is_empty());
        filter.team = Some(self.team.trim().to_owned()).filter(|t| !t.is_empty());
        match Cursor::from_param(Some(self.cursor.as_str())) {
            Ok(cursor) => filter.beyond = cursor.map(|c| (Timestamp::from_micros(c.sort), c.id)),
            Err(error) => errors.add("cursor", error.to_string()),
        }
        if errors.is_empty() { Ok(filter) } else { Err(errors) }
    }
}

fn day_or_moment(errors: &mut FieldErrors, field: &str, text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let read = Timestamp::parse(&format!("{text}T00:00")).or_else(|| when::parse(text, now));
    if read.is_none() {
        errors.add(field, format!("'{text}' is not a time: use a day such as 2026-11-23, or {}", when::HINT));
    }
    read
}

impl ListQuery {
    /// These filters as a URL's query, continued after `cursor`.
    pub fn to_url(&self, cursor: &str) -> String {
        let mut url = url::form_urlencoded::Serializer::new(String::new());
        let (status, severity, kind) = (self.status.join(","), self.severity.join(","), self.kind.join(","));
        let fields = [
            ("status", status.as_str()),
            ("severity", &severity),
            ("kind", &kind),
            ("service", &self.service),
            ("team", &self.team),
            ("q", &self.q),
            ("from", &self.from),
            ("to", &self.to),
            ("cursor", cursor),
        ];
        for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
            url.append_pair(name, value);
        }
        url.finish()
    }
}

/// An incident with what a list shows beside it.
#[derive(Clone, Debug)]
pub struct Listed {
    pub incident: Incident,
    pub services: Vec<String>,
    pub commander: Option<String>,
}

/// What a URL's filters mean.
///
/// # Errors
/// `Invalid` for filters that cannot be read, and (field `service`) for an unknown service.
pub async fn filter_of(db: &Db, query: &ListQuery, now: Timestamp) -> Result<Filter> {
    let mut filter = query.normalize(now).map_err(Error::Invalid)?;
    if !query.service.trim().is_empty() {
        let id = services::find_id(db, query.service.trim()).await?;
        let unknown = || Error::invalid("service", format!("the catalogue does not know '{}'", query.service.trim()));
        filter.service_id = Some(id.ok_or_else(unknown)?);
    }
    Ok(filter)
}

/// Newest start first. `count_to` bounds the counting: a page says "1,000+", the API counts all.
///
/// # Errors
/// `Invalid` for filters that cannot be read, and (field `service`) for an unknown service.
pub async fn list(db: &Db, query: &ListQuery, viewer: Viewer, count_to: i64, now: Timestamp) -> Result<Page<Listed>> {
    let db = &db.gathering();
    let filter = filter_of(db, query, now).await?;
    let all = Filter { beyond: None, ..filter.clone() };
    let (incidents, total) = tokio::try_join!(
        store::page(db, &filter, viewer, query.limit.get() + 1),
        store::count(db, &all, viewer, count_to)
    )?;
    let page = Page::cut(incidents, query.limit, total, |i| Cursor { sort: i.started_at.as_micros(), id: i.id.0 });
    Ok(Page { items: beside(db, page.items).await?, next_cursor: page.next_cursor, total: page.total })
}

/// The standing milestones of several incidents, in one query.
pub async fn times_of(db: &Db, ids: &[IncidentId]) -> Result<BTreeMap<IncidentId, MilestoneTimes>> {
    let mut all: BTreeMap<IncidentId, MilestoneTimes> = BTreeMap::new();
    for (id, name, at) in store::times_of(db, ids).await? {
        all.entry(id).or_default().set(name, Some(at));
    }
    Ok(all)
}

/// Adds services and commanders: two queries, however many rows.
async fn beside(db: &Db, incidents: Vec<Incident>) -> Result<Vec<Listed>> {
    let ids: Vec<IncidentId> = incidents.iter().map(|i| i.id).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let (slugs, names) = tokio::try_join!(store::services_of(db, &ids), store::commanders_of(db, &ids))?;
    let mut services: BTreeMap<IncidentId, Vec<String>> = BTreeMap::new();
    for (id, slug) in slugs {
        services.entry(id).or_default().push(slug);
    }
    let mut commanders: BTreeMap<IncidentId, String> = names.into_iter().collect();
    Ok(incidents
        .into_iter()
        .map(|incident| Listed {
            services: services.remove(&incident.id).unwrap_or_default(),
            commander: commanders.remove(&incident.id),
            incident,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_from_a_url_and_complaints_name_their_field() {
        let now = Timestamp::parse("2026-11-23T10:00:00Z").unwrap();
        let query: ListQuery =
            serde_json::from_str(r#"{"status":"open","severity":"1,sev2","from":"2026-11-01"}"#).unwrap();
        let filter = query.normalize(now).unwrap();
        assert_eq!((filter.statuses.len(), filter.severities.len()), (4, 2));
        assert_eq!(filter.from.unwrap().to_minute(), "2026-11-01 00:00");
        let bad: ListQuery =
            serde_json::from_str(r#"{"status":"x","severity":"9","kind":"y","from":"z","cursor":"1"}"#).unwrap();
        let errors = bad.normalize(now).unwrap_err();
        for field in ["status", "severity", "kind", "from", "cursor"] {
            assert!(errors.has(field), "{field}");
        }
    }
}
