//! The JSON API of runbooks and runs.

use axum::Extension;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::hooks::Sources;
use super::model::record::{Origin, Runbook};
use super::model::{MadeCall, Step, StepKind};
use super::service::edit::{self, Draft};
use super::service::runs::{self, RecordInput, RunView, StartInput};
use super::service::{self, calls, get_version, lead, parse_stored};
use super::store::runbooks as store;
use super::web::{by, viewer};
use crate::accounts::{self, Actor};
use crate::audit;
use crate::error::{Error, Result};
use crate::fields;
use crate::incidents::{Incident, IncidentId, get_visible};
use crate::outbound::Policy;
use crate::state::AppState;
use crate::web::{Access, ApiJson, Cursor, Idempotent, Limit, Page, Routes};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/runbooks", Access::VIEWER, list)
        .post("/api/v1/runbooks", Access::RESPONDER, create)
        .get("/api/v1/runbooks/{slug}", Access::VIEWER, show)
        .put("/api/v1/runbooks/{slug}", Access::RESPONDER, update)
        .get("/api/v1/incidents/{id}/runs", Access::VIEWER, list_runs)
        .post("/api/v1/incidents/{id}/runs", Access::RESPONDER, start)
        .get("/api/v1/incidents/{id}/runs/{run}", Access::VIEWER, show_run)
        .post("/api/v1/incidents/{id}/runs/{run}/steps", Access::RESPONDER, record)
        .post("/api/v1/incidents/{id}/runs/{run}/steps/{step}/call", Access::RESPONDER, call)
        .post("/api/v1/incidents/{id}/runs/{run}/stop", Access::RESPONDER, stop)
        .post("/api/v1/incidents/{id}/runs/{run}/resume", Access::RESPONDER, resume)
        .post("/api/v1/incidents/{id}/runs/{run}/lead", Access::RESPONDER, change_lead)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    q: String,
    service: String,
    tag: String,
    owner: String,
    limit: Limit,
    cursor: Option<String>,
}

async fn list(State(state): State<AppState>, Query(query): Query<ListQuery>) -> Result<Json<Page<Runbook>>> {
    let mut filter = store::Filter {
        text: query.q,
        service: query.service,
        tag: query.tag.to_lowercase(),
        owner: query.owner,
        ..store::Filter::default()
    };
    let total = store::count(&state.db, &filter, 10_000).await?;
    if let Some(cursor) = Cursor::from_param(query.cursor.as_deref())? {
        filter.after = store::title_of(&state.db, cursor.id).await?.map(|title| (title, cursor.id));
    }
    let items = store::page(&state.db, &filter, query.limit.get() + 1).await?;
    Ok(Json(Page::cut(items, query.limit, total, |r| Cursor { sort: 0, id: r.id })))
}

/// A runbook with its text and steps.
#[derive(Serialize)]
struct Full {
    #[serde(flatten)]
    runbook: Runbook,
    source: String,
    steps: Vec<Step>,
}

async fn full(state: &AppState, runbook: Runbook) -> Result<Full> {
    let version = get_version(&state.db, &runbook, runbook.version).await?;
    let steps = parse_stored(&version.source)?.steps;
    Ok(Full { runbook, source: version.source, steps })
}

async fn show(State(state): State<AppState>, Path(slug): Path<String>) -> Result<Json<Full>> {
    let runbook = service::get(&state.db, &slug).await?;
    full(&state, runbook).await.map(Json)
}

/// `source` is the whole Markdown with its front matter.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct SaveInput {
    #[serde(deserialize_with = "fields::text")]
    slug: String,
    #[serde(deserialize_with = "fields::text")]
    source: String,
    #[serde(deserialize_with = "fields::text")]
    note: String,
    /// The version that the change starts from; without it, the current one.
    version: Option<i64>,
}

impl SaveInput {
    fn draft(&self) -> Draft {
        let note = self.note.chars().take(300).collect();
        Draft { source: self.source.clone(), note, origin: Origin::Api }
    }
}

async fn create(
    State(state): State<AppState>,
    actor: Actor,
    headers: HeaderMap,
    ApiJson(input): ApiJson<SaveInput>,
) -> Result<Response> {
    let now = state.now();
    let idempotent = Idempotent::new(&headers, &actor, &format!("POST /runbooks {}", serde_json::to_string(&input)?));
    let tx = state.db.begin().await?;
    if let Some(answer) = idempotent.earlier(&tx).await? {
        return Ok(answer);
    }
    let runbook = edit::create(&tx, Some(&input.slug), &input.draft(), &by(&actor), now).await?;
    audit::record(&tx, now, &actor, "runbook.create", ("runbook", &runbook.slug), &json!({})).await?;
    let answer = idempotent.keep(&tx, now, StatusCode::CREATED, &serde_json::to_value(&runbook)?).await?;
    tx.commit().await?;
    Ok(answer)
}

async fn update(
    State(state): State<AppState>,
    Path(slug): Path<String>,
    actor: Actor,
    ApiJson(input): ApiJson<SaveInput>,
) -> Result<Json<Full>> {
    let now = state.now();
    let tx = state.db.begin().await?;
    let runbook = service::get(&tx, &slug).await?;
    let base = input.version.unwrap_or(runbook.version);
    let saved = edit::save(&tx, &runbook, base, &input.draft(), &by(&actor), now).await?;
    let detail = json!({ "from": base, "to": saved.version });
    audit::record(&tx, now, &actor, "runbook.save", ("runbook", &slug), &detail).await?;
    tx.commit().await?;
    full(&state, saved).await.map(Json)
}

async fn incident_of(state: &AppState, actor: &Actor, id: &str) -> Result<Incident> {
    let parsed = IncidentId::parse(id).ok_or_else(|| Error::not_found(format!("The incident '{id}'")))?;
    get_visible(&state.db, parsed, viewer(actor)).await
}

/// A run and each of its steps.
fn run_json(view: &RunView) -> Value {
    let steps: Vec<Value> = view
        .steps
        .iter()
        .zip(&view.progress.steps)
        .map(|(step, place)| {
            let record = place.record.and_then(|r| view.records.get(r));
            json!({
                "id": step.id,
                "kind": step.kind,
                "title": step.title,
                "expected_s": step.expected_s,
                "branches": if step.kind == StepKind::Decide { json!(step.branches.iter().map(|b| &b.label).collect::<Vec<_>>()) } else { Value::Null },
                "state": place.state.as_str(),
                "by": record.map(|r| &r.by),
                "at": record.map(|r| r.at),
                "note": record.map(|r| &r.note),
                "output": record.map(|r| &r.output),
                "branch": record.and_then(|r| step.branches.get(r.branch?)).map(|b| &b.label),
            })
        })
        .collect();
    json!({
        "id": view.run.id,
        "incident": view.run.incident,
        "runbook": view.run.runbook_slug,
        "title": view.run.runbook_title,
        "version": view.run.version,
        "state": view.run.state,
        "lead": view.run.lead,
        "started_by": view.run.started_by,
        "started_at": view.run.started_at,
        "ended_at": view.run.ended_at,
        "reason": view.run.reason,
        "values": view.values,
        "current_step": view.progress.current.and_then(|i| view.steps.get(i)).map(|s| &s.id),
        "steps": steps,
    })
}

async fn list_runs(State(state): State<AppState>, Path(id): Path<String>, actor: Actor) -> Result<Json<Value>> {
    let incident = incident_of(&state, &actor, &id).await?;
    let views = runs::views_of_incident(&state.db, incident.id).await?;
    let items: Vec<Value> = views.iter().map(run_json).collect();
    Ok(Json(json!({ "total": items.len(), "items": items, "next_cursor": null })))
}

async fn start(
    State(state): State<AppState>,
    Path(id): Path<String>,
    actor: Actor,
    headers: HeaderMap,
    sources: Option<Extension<Sources>>,
    ApiJson(input): ApiJson<StartInput>,
) -> Result<Response> {
    let incident = incident_of(&state, &actor, &id).await?;
    let sources = sources.map(|Extension(s)| s).unwrap_or_default();
    let known = sources.known(&state.db, &incident, &state.config.base_url).await?;
    let request = format!("POST {}/runs {} {:?}", incident.id, input.runbook, input.values);
    let idempotent = Idempotent::new(&headers, &actor, &request);
    let now = state.now();
    let tx = state.db.begin().await?;
    if let Some(answer) = idempotent.earlier(&tx).await? {
        return Ok(answer);
    }
    let run = runs::start(&tx, incident.id, &input, known.values, &by(&actor), now).await?;
    let view = runs::view(&tx, incident.id, run.id).await?;
    let answer = idempotent.keep(&tx, now, StatusCode::CREATED, &run_json(&view)).await?;
    tx.commit().await?;
    Ok(answer)
}

async fn show_run(
    State(state): State<AppState>,
    Path((id, run)): Path<(String, i64)>,
    actor: Actor,
) -> Result<Json<Value>> {
    let incident = incident_of(&state, &actor, &id).await?;
    let view = runs::view(&state.db, incident.id, run).await?;
    let mut body = run_json(&view);
    let calls = calls::of_run(&state.db, run).await?;
    body["calls"] = calls.iter().map(call_json).collect();
    Ok(Json(body))
}

fn call_json(call: &MadeCall) -> Value {
    json!({
        "id": call.id,
        "step": call.step_id,
        "state": call.state,
        "request": call.request,
        "by": call.asked_by,
        "asked_at": call.asked_at,
        "http_status": call.http_status,
        "answer": call.answer,
        "ended_at": call.ended_at,
    })
}

async fn record(
    State(state): State<AppState>,
    Path((id, run)): Path<(String, i64)>,
    actor: Actor,
    ApiJson(input): ApiJson<RecordInput>,
) -> Result<Json<Value>> {
    let incident = incident_of(&state, &actor, &id).await?;
    let tx = state.db.begin().await?;
    let view = runs::record(&tx, incident.id, run, &input, &by(&actor), state.now()).await?;
    tx.commit().await?;
    Ok(Json(run_json(&view)))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StopInput {
    #[serde(deserialize_with = "fields::text")]
    reason: String,
}

async fn stop(
    State(state): State<AppState>,
    Path((id, run)): Path<(String, i64)>,
    actor: Actor,
    ApiJson(input): ApiJson<StopInput>,
) -> Result<Json<Value>> {
    let incident = incident_of(&state, &actor, &id).await?;
    let tx = state.db.begin().await?;
    let view = runs::stop(&tx, incident.id, run, &input.reason, &by(&actor), state.now()).await?;
    tx.commit().await?;
    Ok(Json(run_json(&view)))
}

/// Sends a webhook step's request, in the background. Without `confirm` it only says what would be sent.
#[derive(Default, Deserialize)]
#[serde(default)]
struct CallInput {
    #[serde(deserialize_with = "fields::flag")]
    confirm: bool,
}

async fn call(
    State(state): State<AppState>,
    Path((id, run, step)): Path<(String, i64, String)>,
    actor: Actor,
    ApiJson(input): ApiJson<CallInput>,
) -> Result<Response> {
    let incident = incident_of(&state, &actor, &id).await?;
    let policy = Policy::parse(&state.config.outbound_allow).map_err(|e| Error::invalid("outbound_allow", e))?;
    if !input.confirm {
        let view = runs::view(&state.db, incident.id, run).await?;
        let (_, request) = calls::request_of(&view, &step, &policy)?;
        return Ok(Json(json!({ "request": request, "sent": false })).into_response());
    }
    let tx = state.db.begin().await?;
    let call = calls::ask(&tx, incident.id, (run, &step), &policy, &by(&actor), state.now()).await?;
    tx.commit().await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "call": call, "sent": true }))).into_response())
}

async fn resume(
    State(state): State<AppState>,
    Path((id, run)): Path<(String, i64)>,
    actor: Actor,
) -> Result<Json<Value>> {
    let incident = incident_of(&state, &actor, &id).await?;
    let tx = state.db.begin().await?;
    lead::resume(&tx, incident.id, run, &by(&actor), state.now()).await?;
    let view = runs::view(&tx, incident.id, run).await?;
    tx.commit().await?;
    Ok(Json(run_json(&view)))
}

/// To whom the run is handed, by address; to the asker without one.
#[derive(Default, Deserialize)]
#[serde(default)]
struct LeadInput {
    #[serde(deserialize_with = "fields::text")]
    to: String,
}

async fn change_lead(
    State(state): State<AppState>,
    Path((id, run)): Path<(String, i64)>,
    actor: Actor,
    ApiJson(input): ApiJson<LeadInput>,
) -> Result<Json<Value>> {
    let incident = incident_of(&state, &actor, &id).await?;
    let to = input.to.trim();
    let people = accounts::service::list_users(&state.db).await?;
    let tx = state.db.begin().await?;
    if to.is_empty() {
        lead::take_over(&tx, incident.id, run, &by(&actor), state.now()).await?;
    } else {
        let found = people.iter().find(|u| u.email.eq_ignore_ascii_case(to) && u.disabled_at.is_none());
        let found = found.ok_or_else(|| Error::invalid("to", format!("nobody has the address '{to}'")))?;
        lead::hand_over(&tx, incident.id, run, (found.id, &found.name), &by(&actor), state.now()).await?;
    }
    let view = runs::view(&tx, incident.id, run).await?;
    tx.commit().await?;
    Ok(Json(run_json(&view)))
}
