//! The JSON API of postmortems.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State as AxumState};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::model::review::ReviewVerdict;
use super::model::{self, Listed, SectionKey, State};
use super::service::comments::{self, NewRemark};
use super::service::review::{self, AudienceInput};
use super::service::{self, Document, Edit, Filter, Saved, duties};
use super::web::{by, viewer};
use crate::accounts::{self, Actor, Role};
use crate::audit;
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::{Error, FieldErrors, Result};
use crate::fields;
use crate::incidents::{Incident, IncidentId, get_visible};
use crate::state::AppState;
use crate::web::{Access, ApiJson, Cursor, Limit, Page, Routes};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/postmortems", Access::VIEWER, list)
        .get("/api/v1/incidents/{id}/postmortem", Access::VIEWER, show)
        .post("/api/v1/incidents/{id}/postmortem", Access::RESPONDER, draft)
        .put("/api/v1/incidents/{id}/postmortem", Access::RESPONDER, save)
        .post("/api/v1/incidents/{id}/postmortem/reviewers", Access::RESPONDER, ask)
        .post("/api/v1/incidents/{id}/postmortem/review", Access::RESPONDER, answer)
        .put("/api/v1/incidents/{id}/postmortem/audience", Access::RESPONDER, set_audience)
        .post("/api/v1/incidents/{id}/postmortem/comments", Access::RESPONDER, comment)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    q: String,
    state: String,
    service: String,
    cause: String,
    tag: String,
    limit: Limit,
    cursor: Option<String>,
}

async fn list(
    AxumState(state): AxumState<AppState>,
    actor: Actor,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Listed>>> {
    let viewer = viewer(&actor);
    let mut filter = Filter {
        state: State::parse(&query.state),
        service: query.service,
        found: service::found(&state.db, &query.q, viewer, state.now()).await?,
        text: query.q,
        cause: query.cause,
        tag: query.tag,
        private_too: actor.can(Role::Responder),
        beyond: None,
    };
    let total = service::count(&state.db, &filter, viewer, 10_000).await?;
    filter.beyond = Cursor::from_param(query.cursor.as_deref())?.map(|c| (Timestamp::from_micros(c.sort), c.id));
    let items = service::page(&state.db, &filter, viewer, query.limit.get() + 1).await?;
    Ok(Json(Page::cut(items, query.limit, total, |l| Cursor { sort: l.updated_at.as_micros(), id: l.id })))
}

async fn incident_of(state: &AppState, actor: &Actor, id: &str) -> Result<Incident> {
    let parsed = IncidentId::parse(id).ok_or_else(|| Error::not_found(format!("The incident '{id}'")))?;
    get_visible(&state.db, parsed, viewer(actor)).await
}

fn document_json(incident: &Incident, document: &Document) -> Value {
    let head = &document.head;
    json!({
        "incident": incident.id,
        "title": incident.title,
        "state": head.state,
        "version": head.version,
        "audience": head.audience,
        "created_by": head.created_by,
        "created_at": head.created_at,
        "updated_at": head.updated_at,
        "published_at": head.published_at,
        "published_by": head.published_by,
        "sections": document.sections,
        "markdown": model::to_markdown(&format!("{}: {}", incident.id, incident.title), &document.plain_sections()),
    })
}

async fn show(AxumState(state): AxumState<AppState>, Path(id): Path<String>, actor: Actor) -> Result<Json<Value>> {
    let incident = incident_of(&state, &actor, &id).await?;
    let document = review::readable(&state.db, &incident, &actor).await?;
    let mut body = document_json(&incident, &document);
    let review = review::of(&state.db, document.head.id).await?;
    let (cause, tags) = service::library::about(&state.db, document.head.id).await?;
    body["cause"] = json!(cause);
    body["tags"] = json!(tags);
    body["due_at"] = json!(duties::duty(&state.db, incident.id).await?.and_then(|(due, _)| due));
    body["reviewers"] = json!(review.reviewers);
    body["checklist"] = json!(review.checks);
    body["comments"] = json!(review.comments);
    Ok(Json(body))
}

/// Drafts it from the record: 201, or 200 when one is there already.
async fn draft(AxumState(state): AxumState<AppState>, Path(id): Path<String>, actor: Actor) -> Result<Response> {
    let incident = incident_of(&state, &actor, &id).await?;
    if let Some(document) = service::find(&state.db, incident.id).await? {
        return Ok(Json(document_json(&incident, &document)).into_response());
    }
    let now = state.now();
    let tx = state.db.begin().await?;
    let document = service::draft(&tx, &incident, &by(&actor), now).await?;
    audit::record(&tx, now, &actor, "postmortem.draft", ("incident", &incident.id.to_string()), &json!({})).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(document_json(&incident, &document))).into_response())
}

/// What is left out stays. Either `sections` by key, or the whole as `markdown`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct SaveInput {
    sections: BTreeMap<String, String>,
    #[serde(deserialize_with = "fields::text")]
    markdown: String,
    #[serde(deserialize_with = "fields::text")]
    state: String,
    /// A kind of cause, for the library.
    cause: Option<String>,
    tags: Option<Vec<String>>,
    /// Publish although the review is not through.
    #[serde(deserialize_with = "fields::flag")]
    confirm: bool,
    /// The document's version that was read. When another one stands, nothing is overwritten.
    version: Option<i64>,
}

impl SaveInput {
    fn texts(&self) -> Result<Vec<(SectionKey, String)>> {
        let mut errors = FieldErrors::default();
        let mut texts = Vec::new();
        for (name, body) in &self.sections {
            match SectionKey::parse(name) {
                Some(key) => texts.push((key, body.clone())),
                None => errors.add(&format!("sections.{name}"), SectionKey::unknown(name)),
            }
        }
        errors.into_result()?;
        texts.extend(model::from_markdown(&self.markdown).into_iter().map(|s| (s.key, s.body)));
        Ok(texts)
    }
}

async fn save(
    AxumState(state): AxumState<AppState>,
    Path(id): Path<String>,
    actor: Actor,
    ApiJson(input): ApiJson<SaveInput>,
) -> Result<Json<Value>> {
    let incident = incident_of(&state, &actor, &id).await?;
    let texts = input.texts()?;
    let now = state.now();
    let tx = state.db.begin().await?;
    let document = service::draft(&tx, &incident, &by(&actor), now).await?;
    if input.version.is_some_and(|read| read != document.head.version) {
        return Err(Error::Conflict(format!("the postmortem is at version {} meanwhile", document.head.version)));
    }
    let document = save_all(&tx, &incident, document, &input, texts, &actor, now).await?;
    let detail = json!({ "state": document.head.state, "version": document.head.version });
    audit::record(&tx, now, &actor, "postmortem.save", ("incident", &incident.id.to_string()), &detail).await?;
    tx.commit().await?;
    Ok(Json(document_json(&incident, &document)))
}

async fn save_all(
    tx: &Tx,
    incident: &Incident,
    mut document: Document,
    input: &SaveInput,
    texts: Vec<(SectionKey, String)>,
    actor: &Actor,
    now: Timestamp,
) -> Result<Document> {
    for (key, body) in texts {
        let base = document.section(key).map_or(0, |s| s.version);
        document = match service::save(tx, incident, &Edit { key, body, base }, &by(actor), now).await? {
            Saved::Done(document) => document,
            Saved::Clash(clash) => {
                return Err(Error::Conflict(format!("{} changed “{}” meanwhile", clash.by, clash.key.title())));
            }
        };
    }
    if input.cause.is_some() || input.tags.is_some() {
        let (cause, tags) = service::library::about(tx, document.head.id).await?;
        let cause = input.cause.clone().unwrap_or(cause);
        let tags = input.tags.clone().unwrap_or(tags).join(",");
        service::set_about(tx, incident, &cause, &tags, now).await?;
        document = service::get(tx, incident.id).await?;
    }
    if input.state.trim().is_empty() {
        return Ok(document);
    }
    let to = State::parse(&input.state).ok_or_else(|| Error::invalid("state", State::unknown(&input.state)))?;
    if to == document.head.state {
        return Ok(document);
    }
    actor.require(service::role_for(document.head.state, to))?;
    if to == State::Published {
        service::check_review(tx, incident, input.confirm, &by(actor), now).await?;
    }
    service::change_state(tx, incident, to, &by(actor), now).await
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AskInput {
    /// An e-mail address.
    #[serde(deserialize_with = "fields::text")]
    reviewer: String,
}

async fn ask(
    AxumState(state): AxumState<AppState>,
    Path(id): Path<String>,
    actor: Actor,
    ApiJson(input): ApiJson<AskInput>,
) -> Result<Json<Value>> {
    let incident = incident_of(&state, &actor, &id).await?;
    let people = accounts::service::list_users(&state.db).await?;
    let email = input.reviewer.trim();
    let user = people.iter().find(|u| u.email.eq_ignore_ascii_case(email) && u.disabled_at.is_none());
    let user = user.ok_or_else(|| Error::invalid("reviewer", format!("nobody has the address '{email}'")))?;
    let tx = state.db.begin().await?;
    review::ask(&tx, &incident, (user.id, &user.name), &by(&actor), state.now()).await?;
    let found = review::of(&tx, service::get(&tx, incident.id).await?.head.id).await?;
    tx.commit().await?;
    Ok(Json(json!({ "reviewers": found.reviewers })))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AnswerInput {
    /// `approved`, `changes` or `waiting`.
    #[serde(deserialize_with = "fields::text")]
    verdict: String,
    #[serde(deserialize_with = "fields::text")]
    note: String,
}

async fn answer(
    AxumState(state): AxumState<AppState>,
    Path(id): Path<String>,
    actor: Actor,
    ApiJson(input): ApiJson<AnswerInput>,
) -> Result<Json<Value>> {
    let incident = incident_of(&state, &actor, &id).await?;
    let verdict = ReviewVerdict::parse(&input.verdict)
        .ok_or_else(|| Error::invalid("verdict", ReviewVerdict::unknown(&input.verdict)))?;
    let tx = state.db.begin().await?;
    review::answer(&tx, &incident, verdict, &input.note, &by(&actor), state.now()).await?;
    let found = review::of(&tx, service::get(&tx, incident.id).await?.head.id).await?;
    tx.commit().await?;
    Ok(Json(json!({ "reviewers": found.reviewers })))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ReadersInput {
    #[serde(deserialize_with = "fields::text")]
    audience: String,
    /// Keys of the sections of the public text.
    #[serde(deserialize_with = "fields::words")]
    sections: Vec<String>,
    /// What the public text leaves out.
    words: Vec<String>,
}

async fn set_audience(
    AxumState(state): AxumState<AppState>,
    Path(id): Path<String>,
    actor: Actor,
    ApiJson(input): ApiJson<ReadersInput>,
) -> Result<Json<Value>> {
    let incident = incident_of(&state, &actor, &id).await?;
    let now = state.now();
    let detail = json!({ "audience": input.audience });
    let wanted = AudienceInput { audience: input.audience, sections: input.sections, words: input.words.join("\n") };
    let tx = state.db.begin().await?;
    review::set_audience(&tx, &incident, &wanted, &by(&actor), now).await?;
    audit::record(&tx, now, &actor, "postmortem.audience", ("incident", &incident.id.to_string()), &detail).await?;
    let document = service::get(&tx, incident.id).await?;
    tx.commit().await?;
    Ok(Json(document_json(&incident, &document)))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CommentInput {
    #[serde(deserialize_with = "fields::text")]
    section: String,
    #[serde(deserialize_with = "fields::text")]
    comment: String,
    /// The section as it should be.
    suggestion: Option<String>,
    /// The version of the section that was read; the present one without it.
    version: Option<i64>,
}

async fn comment(
    AxumState(state): AxumState<AppState>,
    Path(id): Path<String>,
    actor: Actor,
    ApiJson(input): ApiJson<CommentInput>,
) -> Result<Response> {
    let incident = incident_of(&state, &actor, &id).await?;
    let section = SectionKey::parse(&input.section)
        .ok_or_else(|| Error::invalid("section", SectionKey::unknown(&input.section)))?;
    let tx = state.db.begin().await?;
    let document = service::get(&tx, incident.id).await?;
    let base = input.version.unwrap_or_else(|| document.section(section).map_or(0, |s| s.version));
    let remark = NewRemark { section, body: input.comment, suggestion: input.suggestion, base };
    let comment = comments::add(&tx, &incident, &remark, &by(&actor), state.now()).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(json!({ "id": comment }))).into_response())
}
