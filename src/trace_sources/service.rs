//! The actions on trace sources: configuring, testing, queueing a fetch and carrying it out.

use chrono::TimeDelta;
use serde_json::json;

use crate::accounts::Actor;
use crate::audit;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::incidents::{self, By, IncidentId};
use crate::logs;
use crate::outbound::{Outbound, Policy};
use crate::state::AppState;
use crate::telemetry::lookup::Pasted;
use crate::traces::{self, SpanStore};

use super::adapters::{self, Fault, Found};
use super::model::{Fetch, FetchState, Said, SourceInput, TraceSource, Wanted, candidates, key_text, next_pause};
use super::store::{self, Ending, NewFetch};

/// What calls the sources, under the rules of the configuration.
pub fn outbound(config: &Config) -> Result<Outbound> {
    let policy = Policy::parse(&config.outbound_allow).map_err(|e| Error::invalid("outbound_allow", e))?;
    Outbound::new(policy).map_err(|e| Error::Internal(e.to_string()))
}

pub async fn list(db: &Db) -> Result<Vec<TraceSource>> {
    store::sources(db).await
}

pub async fn get(db: &Db, id: i64) -> Result<TraceSource> {
    store::source(db, id).await?.ok_or_else(|| Error::not_found(format!("trace source {id}")))
}

fn taken() -> Error {
    Error::invalid("name", "is taken by another source")
}

/// # Errors
/// `Invalid` with every complaint.
pub async fn create(state: &AppState, actor: &Actor, input: &SourceInput) -> Result<i64> {
    let new = input.normalize(None).map_err(Error::Invalid)?;
    let tx = state.db.begin().await?;
    let id = store::insert_source(&tx, &new, state.now()).await?.ok_or_else(taken)?;
    audit_source(&tx, state.now(), actor, "trace_source.create", id, &new.name).await?;
    tx.commit().await?;
    Ok(id)
}

/// Empty credentials keep the standing ones.
///
/// # Errors
/// `Invalid` with every complaint; `NotFound`.
pub async fn change(state: &AppState, actor: &Actor, id: i64, input: &SourceInput) -> Result<()> {
    let tx = state.db.begin().await?;
    let standing = get(&tx, id).await?;
    let new = input.normalize(Some(&standing)).map_err(Error::Invalid)?;
    if !store::update_source(&tx, id, &new, state.now()).await? {
        return Err(taken());
    }
    audit_source(&tx, state.now(), actor, "trace_source.change", id, &new.name).await?;
    tx.commit().await
}

/// What was fetched from it stays.
pub async fn remove(state: &AppState, actor: &Actor, id: i64) -> Result<TraceSource> {
    let tx = state.db.begin().await?;
    let standing = get(&tx, id).await?;
    store::delete_source(&tx, id).await?;
    audit_source(&tx, state.now(), actor, "trace_source.remove", id, &standing.name).await?;
    tx.commit().await?;
    Ok(standing)
}

async fn audit_source(tx: &Tx, now: Timestamp, actor: &Actor, action: &'static str, id: i64, name: &str) -> Result<()> {
    audit::record(tx, now, actor, action, ("trace_source", &id.to_string()), &json!({ "name": name })).await
}

/// Asks a source something small. `Ok` holds what it said, `Err` why it failed.
pub async fn test(state: &AppState, id: i64) -> Result<Result<String, String>> {
    let source = get(&state.db, id).await?;
    let said = adapters::test(&outbound(&state.config)?, &source).await.map_err(|fault| words(&fault));
    let tx = state.db.begin().await?;
    store::note_health(&tx, id, said.as_ref().err().map(String::as_str), state.now()).await?;
    tx.commit().await?;
    Ok(said)
}

fn words(fault: &Fault) -> String {
    match fault {
        Fault::Unknown => "does not know this trace".to_owned(),
        Fault::OnlyLinked(_) => "gives no spans by its API; the page is linked".to_owned(),
        Fault::Later(why, _) | Fault::Refused(why) => why.clone(),
    }
}

/// What was pasted, with the sources that may know it; `None` when nothing can be asked.
pub async fn resolvable(db: &Db, text: &str) -> Result<Option<(String, Pasted)>> {
    let Some(pasted) = Pasted::parse(text) else { return Ok(None) };
    let Some(key) = pasted.keys.first().copied() else { return Ok(None) };
    let able = !candidates(&store::sources(db).await?, &pasted).is_empty();
    Ok(able.then(|| (key_text(key), pasted)))
}

/// Queues a fetch. Pasting the same trace again while it is being fetched gives the same fetch.
///
/// # Errors
/// `Invalid` (field `reference`) when the text names no trace or no source can be asked.
pub async fn request(state: &AppState, actor: &Actor, reference: &str, source_id: Option<i64>) -> Result<i64> {
    let named = Pasted::parse(reference).is_some();
    let tx = state.db.begin().await?;
    let Some((key, _)) = resolvable(&tx, reference).await? else {
        let message = if named {
            "can be asked of no trace source: none is configured and enabled"
        } else {
            "names no trace: paste an id, a traceparent or the address of a trace's page"
        };
        return Err(Error::invalid("reference", message));
    };
    if let Some(id) = source_id {
        get(&tx, id).await.map_err(|_| Error::invalid("source", "is no trace source"))?;
    }
    if let Some(open) = store::open_fetch(&tx, &key, source_id).await? {
        return Ok(open.id);
    }
    let pasted = clipped(reference);
    let new = NewFetch { trace_key: &key, pasted: &pasted, source_id, piece: None, asked_by: &actor.name };
    let id = store::insert_fetch(&tx, &new, state.now()).await?;
    tx.commit().await?;
    Ok(id)
}

/// Queues a fetch for a piece of evidence, in the transaction that attached it.
pub async fn request_for_evidence(
    tx: &Tx,
    incident: IncidentId,
    evidence_id: i64,
    (key, pasted): (&str, &str),
    by: &str,
    now: Timestamp,
) -> Result<()> {
    let standing = store::of_evidence(tx, &[evidence_id]).await?.pop();
    match standing {
        Some(fetch) if fetch.is_open() => {}
        Some(fetch) => drop(store::restart(tx, fetch.id, now).await?),
        None => {
            let pasted = clipped(pasted);
            let new = NewFetch {
                trace_key: key,
                pasted: &pasted,
                source_id: None,
                piece: Some((incident.0, evidence_id)),
                asked_by: by,
            };
            store::insert_fetch(tx, &new, now).await?;
        }
    }
    Ok(())
}

fn clipped(text: &str) -> String {
    text.trim().chars().take(2_000).collect()
}

pub async fn get_fetch(db: &Db, id: i64) -> Result<Fetch> {
    store::fetch(db, id).await?.ok_or_else(|| Error::not_found(format!("fetch {id}")))
}

/// Starts a fetch that was given up again.
pub async fn retry(state: &AppState, id: i64) -> Result<Fetch> {
    let tx = state.db.begin().await?;
    let fetch = get_fetch(&tx, id).await?;
    if store::restart(&tx, id, state.now()).await? {
        announce(&tx, &fetch);
    }
    tx.commit().await?;
    Ok(fetch)
}

fn announce(tx: &Tx, fetch: &Fetch) {
    tx.announce(format!("trace-fetch:{}", fetch.id));
    if let Some(incident) = fetch.incident_id {
        tx.announce(format!("incident:{incident}"));
    }
}

/// How long a node may take for one attempt before another takes over.
const LEASE: TimeDelta = TimeDelta::minutes(5);
/// Fetches that wait at once are carried out so many together.
const TOGETHER: i64 = 4;
/// Ended fetches without evidence are forgotten after this.
const KEEP: TimeDelta = TimeDelta::days(14);

/// Carries out what is due; tells how many attempts that were.
pub async fn run_due(state: &AppState, outbound: &Outbound) -> Result<usize> {
    let due = store::due(&state.db, state.now(), TOGETHER).await?;
    let attempts = due.iter().map(|id| attempt(state, outbound, *id));
    for outcome in futures::future::join_all(attempts).await {
        outcome?;
    }
    Ok(due.len())
}

pub async fn forget(state: &AppState) -> Result<()> {
    let tx = state.db.begin().await?;
    store::forget(&tx, state.now() - KEEP).await?;
    tx.commit().await
}

async fn attempt(state: &AppState, outbound: &Outbound, id: i64) -> Result<()> {
    let lease = state.random.secret();
    let tx = state.db.begin().await?;
    let Some(fetch) = store::claim(&tx, id, &lease, state.now() + LEASE, state.now()).await? else { return Ok(()) };
    announce(&tx, &fetch);
    tx.commit().await?;

    let mut tried = Tried::default();
    let found = match locally(state, &fetch).await? {
        Some(found) => Some(found),
        None => ask_all(state, outbound, &fetch, &mut tried).await?,
    };
    let outcome = match found {
        Some(found) => complete(state, &fetch, &lease, found, &mut tried).await,
        None => give_up_or_wait(state, &fetch, &lease, &tried).await,
    };
    match outcome {
        // The lease's end lets another try follow; but a fault that comes back must end some day.
        Err(error) if !matches!(error, Error::Unavailable(_)) => {
            tried.said.push(Said { source: "Faultline".to_owned(), said: error.public_message() });
            tracing::warn!(fetch = id, %error, "keeping a fetched trace failed");
            tried.is_later = true;
            give_up_or_wait(state, &fetch, &lease, &tried).await
        }
        other => other,
    }
}

/// What the sources said at this attempt.
#[derive(Default)]
struct Tried {
    said: Vec<Said>,
    /// One of them may give it later.
    is_later: bool,
    retry_after_s: Option<u64>,
    /// All that answered did not know the trace.
    all_unknown: bool,
    /// The page of a source that gives no spans.
    page: Option<String>,
}

/// The trace may have come by itself meanwhile.
async fn locally(state: &AppState, fetch: &Fetch) -> Result<Option<(String, Found)>> {
    let whole = traces::service::view::whole(&state.db, &fetch.trace_key).await?;
    Ok(whole.map(|w| ("this store".to_owned(), Found { spans: w.spans, ..Found::default() })))
}

async fn ask_all(
    state: &AppState,
    outbound: &Outbound,
    fetch: &Fetch,
    tried: &mut Tried,
) -> Result<Option<(String, Found)>> {
    let sources = store::sources(&state.db).await?;
    let wanted =
        Wanted::parse(&fetch.trace_key).ok_or_else(|| Error::Internal(format!("fetch {} holds no id", fetch.id)))?;
    let mut asked = match fetch.source_id {
        Some(id) => sources.into_iter().filter(|s| s.id == id).collect(),
        None => Pasted::parse(&fetch.pasted).map(|p| candidates(&sources, &p)).unwrap_or_default(),
    };
    tried.all_unknown = true;
    if asked.is_empty() {
        tried.all_unknown = false;
        tried.said.push(Said { source: "Faultline".to_owned(), said: "no enabled source can be asked".to_owned() });
    }
    for source in asked.drain(..) {
        let outcome = adapters::fetch(outbound, &source, &wanted).await;
        let failure = match &outcome {
            Err(fault @ (Fault::Later(..) | Fault::Refused(_))) => Some(words(fault)),
            _ => None,
        };
        let tx = state.db.begin().await?;
        store::note_health(&tx, source.id, failure.as_deref(), state.now()).await?;
        tx.commit().await?;
        let fault = match outcome {
            Ok(found) => return Ok(Some((source.name, found))),
            Err(fault) => fault,
        };
        tried.all_unknown &= matches!(fault, Fault::Unknown);
        tried.said.push(Said { source: source.name.clone(), said: words(&fault) });
        match fault {
            Fault::Later(_, after) => {
                tried.is_later = true;
                tried.retry_after_s = tried.retry_after_s.max(after);
            }
            Fault::OnlyLinked(page) => tried.page = Some(page),
            Fault::Unknown | Fault::Refused(_) => {}
        }
    }
    Ok(None)
}

/// Stores the spans, keeps them with the incident, and ends the fetch.
async fn complete(
    state: &AppState,
    fetch: &Fetch,
    lease: &str,
    (name, found): (String, Found),
    tried: &mut Tried,
) -> Result<()> {
    let Found { spans, logs, remark } = found;
    let Some(trace_id) = spans.first().map(|s| s.trace_id) else {
        return Err(Error::Internal(format!("fetch {} found no spans", fetch.id)));
    };
    let count = spans.len();
    SpanStore::new(state.db.clone(), state.clock.clone()).store(spans).await?;
    if !logs.is_empty() {
        logs::service::take_in(&state.db, &logs, state.now()).await?;
    }
    let whole = traces::service::view::whole(&state.db, &trace_id.to_string()).await?;
    let whole = whole.ok_or_else(|| Error::Internal(format!("the fetched trace {trace_id} was not stored")))?;
    let said = format!("{count} spans and {} log lines. {remark}", logs.len());
    tried.said.push(Said { source: name.clone(), said: said.trim().to_owned() });

    let resolved = traces::evidence_of(&state.db, &whole).await?;
    let tx = state.db.begin().await?;
    let ending =
        Ending { state: FetchState::Done, outcome: &tried.said, trace_id: &trace_id.to_string(), next_at: None };
    if !store::finish(&tx, fetch.id, lease, &ending, state.now()).await? {
        // Another node took over; it keeps the same trace.
        return Ok(());
    }
    if let (Some(incident), Some(piece)) = (fetch.incident_id, fetch.evidence_id) {
        let by = By::system(&name);
        incidents::complete_evidence(&tx, IncidentId(incident), piece, &resolved, &by, state.now()).await?;
    }
    announce(&tx, fetch);
    tx.commit().await
}

async fn give_up_or_wait(state: &AppState, fetch: &Fetch, lease: &str, tried: &Tried) -> Result<()> {
    let pause = if tried.is_later || tried.all_unknown {
        next_pause(fetch.attempts, !tried.is_later && tried.all_unknown, tried.retry_after_s)
    } else {
        None
    };
    let state_after = match (&tried.page, pause) {
        (Some(_), _) if !tried.is_later => FetchState::Linked,
        (_, Some(_)) => FetchState::Waiting,
        _ => FetchState::Failed,
    };
    let next_at = pause.filter(|_| state_after == FetchState::Waiting).map(|p| state.now() + p);
    let tx = state.db.begin().await?;
    let ending = Ending { state: state_after, outcome: &tried.said, trace_id: "", next_at };
    if store::finish(&tx, fetch.id, lease, &ending, state.now()).await?
        && state_after == FetchState::Linked
        && let (Some(incident), Some(piece), Some(page)) = (fetch.incident_id, fetch.evidence_id, &tried.page)
    {
        incidents::link_evidence(&tx, IncidentId(incident), piece, page).await?;
    }
    announce(&tx, fetch);
    tx.commit().await
}
