//! Alerts in the JSON API.

use axum::extract::{Extension, Path, Query};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::model::{AlertSeverity, AlertStatus};
use super::seen::{Asker, incidents_of};
use super::service;
use super::store::{self, Alert, Filter};
use super::view;
use crate::clock::Timestamp;
use crate::error::{Error, FieldErrors, Result};
use crate::inbox::{Delivery, Inbox, Kind};
use crate::incidents::{DeclareInput, IncidentId};
use crate::web::{Access, Cursor, Cx, Limit, Page, Routes};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/alerts", Access::VIEWER, list)
        .post("/api/v1/alerts", Access::RESPONDER, create)
        .get("/api/v1/alerts/noise", Access::VIEWER, noise)
        .get("/api/v1/alerts/{id}", Access::VIEWER, show)
        .post("/api/v1/alerts/{id}/acknowledge", Access::RESPONDER, acknowledge)
        .post("/api/v1/alerts/{id}/resolve", Access::RESPONDER, resolve)
        .post("/api/v1/alerts/{id}/promote", Access::RESPONDER, promote)
}

/// Counting stops here; a list that long is narrowed, not counted.
const COUNT_AT_MOST: i64 = 100_000;

/// The list's narrowing, as pages and the API take it from the URL.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ListQuery {
    pub status: String,
    pub severity: String,
    pub service: String,
    pub source: String,
    pub rule: String,
    pub q: String,
    pub incident: String,
    pub noise: String,
    pub flapping: String,
    pub from: String,
    pub to: String,
    pub cursor: String,
    pub limit: Limit,
}

impl ListQuery {
    /// The query string that gives this list again, from its first page.
    pub fn as_query(&self) -> String {
        let pairs = [
            ("status", &self.status),
            ("severity", &self.severity),
            ("service", &self.service),
            ("source", &self.source),
            ("rule", &self.rule),
            ("q", &self.q),
            ("incident", &self.incident),
            ("noise", &self.noise),
            ("flapping", &self.flapping),
            ("from", &self.from),
            ("to", &self.to),
        ];
        let given = pairs.into_iter().filter(|(_, v)| !v.is_empty());
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish()
    }

    /// Whether nothing but the state narrows the list.
    pub fn is_by_status_only(&self) -> bool {
        let others = [
            &self.severity,
            &self.service,
            &self.source,
            &self.rule,
            &self.q,
            &self.incident,
            &self.noise,
            &self.flapping,
            &self.from,
            &self.to,
        ];
        others.iter().all(|t| t.is_empty())
    }

    pub fn with_cursor(&self, cursor: &str) -> String {
        format!("{}&cursor={cursor}", self.as_query())
    }

    /// # Errors
    /// `Invalid` with every parameter that means nothing.
    pub fn filter(&self, now: Timestamp) -> Result<Filter> {
        let mut errors = FieldErrors::default();
        let status = match self.status.as_str() {
            "" | "all" => None,
            text => AlertStatus::parse(text).or_else(|| {
                errors.add("status", "is firing or resolved");
                None
            }),
        };
        let severity = match self.severity.as_str() {
            "" => None,
            text => AlertSeverity::parse(text).or_else(|| {
                errors.add("severity", "is critical, error, warning or info");
                None
            }),
        };
        let mut time = |field: &str, text: &str| match text {
            "" => None,
            text => Timestamp::parse(text).or_else(|| {
                errors.add(field, "is not a time");
                None
            }),
        };
        let (from, to) = (time("from", &self.from), time("to", &self.to));
        let (incident, in_incident) = match self.incident.as_str() {
            "" => (None, None),
            "none" => (None, Some(false)),
            "any" => (None, Some(true)),
            text => {
                if let Some(id) = IncidentId::parse(text) {
                    (Some(id.0), None)
                } else {
                    errors.add("incident", "is INC-n, none or any");
                    (None, None)
                }
            }
        };
        let cursor = Cursor::from_param(Some(&self.cursor))?;
        errors.into_result()?;
        let yes_no = |text: &str| match text {
            "yes" | "true" => Some(true),
            "no" | "false" => Some(false),
            _ => None,
        };
        Ok(Filter {
            status,
            severity,
            service: self.service.trim().to_owned(),
            source: self.source.trim().to_owned(),
            rule: self.rule.trim().to_owned(),
            text: self.q.trim().chars().take(200).collect(),
            incident,
            in_incident,
            noise: yes_no(&self.noise),
            flapping_at: (yes_no(&self.flapping) == Some(true)).then_some(now),
            acknowledged: None,
            from,
            to,
            after: cursor.map(|c| (Timestamp::from_micros(c.sort), c.id)),
        })
    }
}

/// One page of alerts that match. Who has counted all that match already says how many they are;
/// else they are counted, but no further than `count_at_most`.
pub(super) async fn page(
    cx: &Cx,
    query: &ListQuery,
    known_total: Option<i64>,
    count_at_most: i64,
) -> Result<Page<Alert>> {
    let filter = query.filter(cx.now())?;
    let db = &cx.state.db;
    if let Some(id) = filter.incident {
        // Whether a private incident has alerts is nobody else's business.
        crate::incidents::get_visible(db, IncidentId(id), Asker::of(cx.actor()?).viewer()).await?;
    }
    let rows = store::list(db, &filter, query.limit.get() + 1).await?;
    let total = match known_total {
        Some(total) => total,
        None => store::count(db, &filter, count_at_most).await?,
    };
    let cursor_of = |a: &Alert| Cursor { sort: a.state.started_at.as_micros(), id: a.id };
    Ok(Page::cut(rows, query.limit, total, cursor_of))
}

async fn list(cx: Cx, Query(query): Query<ListQuery>) -> Result<Json<Page<Value>>> {
    let page = page(&cx, &query, None, COUNT_AT_MOST).await?;
    let visible = incidents_of(&cx.state.db, &page.items, Asker::of(cx.actor()?)).await?;
    Ok(Json(page.map(|a| view::json(&a, visible.id_of(&a)))))
}

/// The rules of thirty days, those with the most noise first.
async fn noise(cx: Cx) -> Result<Json<Value>> {
    let rules = store::noise::noise(&cx.state.db, cx.now() - chrono::TimeDelta::days(30), 100).await?;
    Ok(Json(json!({ "days": 30, "items": rules })))
}

async fn shown(cx: &Cx, alert: &Alert) -> Result<Value> {
    let visible = incidents_of(&cx.state.db, std::slice::from_ref(alert), Asker::of(cx.actor()?)).await?;
    Ok(view::json(alert, visible.id_of(alert)))
}

async fn show(cx: Cx, Path(id): Path<i64>) -> Result<Json<Value>> {
    let alert = service::get(&cx.state.db, id).await?;
    Ok(Json(shown(&cx, &alert).await?))
}

/// Takes generic alerts from a program, through the inbox like every other delivery, and answers
/// with what they became.
async fn create(
    cx: Cx,
    Extension(inbox): Extension<Inbox>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Result<Response> {
    let content_type = headers.get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let delivery = Delivery {
        id: 0,
        kind: Kind::Alerts,
        source: super::sources::Source::Generic.as_str().to_owned(),
        received_at: cx.now(),
        token_name: cx.actor()?.name.clone(),
        path: cx.path.clone(),
        content_type: content_type.chars().take(200).collect(),
        headers: std::collections::BTreeMap::new(),
        body: body.to_vec(),
    };
    let parsed = match super::ingest::read(&delivery) {
        Ok(parsed) => parsed,
        Err(error) => {
            inbox.reject(delivery, &error).await;
            return Err(error);
        }
    };
    let is_list = serde_json::from_slice::<Value>(&body).is_ok_and(|b| b.is_array() || b.get("alerts").is_some());
    let keys: Vec<String> = parsed.events.iter().map(|e| e.key.as_str().to_owned()).collect();
    let id = inbox.accept_unchecked(delivery, 201).await?;
    inbox.process_one(id).await?;
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let alerts = store::by_keys(&cx.state.db, &keys).await?;
    let visible = incidents_of(&cx.state.db, &alerts, Asker::of(cx.actor()?)).await?;
    let mut items: Vec<Value> = alerts.iter().map(|a| view::json(a, visible.id_of(a))).collect();
    let answer = match (is_list, items.pop()) {
        (false, Some(one)) => one,
        (_, last) => {
            items.extend(last);
            json!({ "items": items })
        }
    };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

async fn acknowledge(cx: Cx, Path(id): Path<i64>) -> Result<Json<Value>> {
    let by = Asker::of(cx.actor()?).by();
    let tx = cx.state.db.begin().await?;
    let alert = service::acknowledge(&tx, id, &by, cx.now()).await?;
    tx.commit().await?;
    Ok(Json(shown(&cx, &alert).await?))
}

async fn resolve(cx: Cx, Path(id): Path<i64>) -> Result<Json<Value>> {
    let by = Asker::of(cx.actor()?).by();
    let tx = cx.state.db.begin().await?;
    let alert = service::resolve(&tx, id, &by, cx.now()).await?;
    tx.commit().await?;
    Ok(Json(shown(&cx, &alert).await?))
}

/// What a program may say otherwise than the alert does; all of it is optional.
fn merged(prefill: DeclareInput, given: DeclareInput) -> DeclareInput {
    let or = |given: String, ours: String| if given.trim().is_empty() { ours } else { given };
    DeclareInput {
        title: or(given.title, prefill.title),
        severity: or(given.severity, prefill.severity),
        services: if given.services.is_empty() { prefill.services } else { given.services },
        summary: or(given.summary, prefill.summary),
        impact_started_at: or(given.impact_started_at, prefill.impact_started_at),
        detected_at: or(given.detected_at, prefill.detected_at),
        kind: given.kind,
        status: given.status,
        private: given.private,
        ..DeclareInput::default()
    }
}

async fn promote(cx: Cx, Path(id): Path<i64>, body: axum::body::Bytes) -> Result<Response> {
    let given: DeclareInput = if body.iter().all(u8::is_ascii_whitespace) {
        DeclareInput::default()
    } else {
        serde_json::from_slice(&body)
            .map_err(|e| Error::BadRequest(format!("The body is not what promote takes: {e}")))?
    };
    let by = Asker::of(cx.actor()?).by();
    let alert = service::get(&cx.state.db, id).await?;
    let input = merged(service::prefill(&alert), given);
    let declare = service::read_declaration(&alert, &input, cx.now())?;
    let tx = cx.state.db.begin().await?;
    let incident = service::promote(&tx, id, &declare, &by, cx.now()).await?;
    tx.commit().await?;
    let answer = json!({
        "id": incident, "title": declare.title, "severity": declare.severity.as_str(), "status": declare.status.as_str(),
        "services": declare.services, "url": format!("{}/incidents/{incident}", cx.state.config.base_url),
    });
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}
