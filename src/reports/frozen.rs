//! Freezing reports, running them again, sharing them, and the schedule.
//!
//! A frozen report may be opened by whoever has its address, so it counts only incidents that are not
//! private, whoever froze it; its page says so.

use chrono::TimeDelta;
use chrono_tz::Tz;
use sha2::{Digest, Sha256};

use super::json::excluded;
use super::ledger::Ledger;
use super::model::frozen::{Difference, Included, Kept};
use super::model::scope::{GroupBy, Scope, ScopeQuery};
use super::model::slices::{period_before, period_end};
use super::service::{Behind, Desk, NOBODY};
use super::sheets::{self, Page};
use super::store::frozen::{self as store, Edit, Head, Link, New, Schedule};
use crate::accounts::Actor;
use crate::audit;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::notifications::{self, Event, EventKind};
use crate::state::AppState;

/// More incidents than this are not kept one by one.
const MOST_INCIDENTS: usize = 200_000;
/// How long one node may work on a scheduled report.
const LEASE: TimeDelta = TimeDelta::minutes(10);

/// Printed with every frozen report.
pub const VISIBILITY: &str =
    "Private incidents are not counted, whoever froze the report: it can be shared by its address.";

/// The report of a scope as it would be frozen now.
///
/// # Errors
/// `Invalid` when too many incidents would have to be kept.
pub async fn run(ledger: &Ledger, db: &Db, scope: &Scope, now: Timestamp) -> Result<Kept> {
    let desk = Desk::open(ledger, db, NOBODY, now).await?;
    let question = desk.question(scope);
    let report = desk.report(&question).await?;
    if report.total.n > MOST_INCIDENTS {
        return Err(Error::invalid(
            "from",
            format!("at most {MOST_INCIDENTS} incidents can be frozen; shorten the period"),
        ));
    }
    let mut sheet = sheets::build(Page::Summary, &desk, scope, now).await?;
    sheet.notes.pop();
    sheet.notes.push(VISIBILITY.to_owned());
    let all = desk.behind(&question, Behind { take: MOST_INCIDENTS, ..Behind::default() }).await?;
    let mut included: Vec<Included> =
        all.0.iter().map(|c| Included { number: c.number, values: c.values.clone() }).collect();
    included.sort_by_key(|i| i.number);
    // Gaps in the other measures would list nearly everything.
    let main: Vec<_> = report.excluded.iter().filter(|e| e.missing == 0 || e.missing & 0b1111 != 0).copied().collect();
    Ok(Kept {
        sheet,
        measures: question.definitions.iter().map(|d| d.key.to_string()).collect(),
        definitions: question.definitions.iter().map(super::model::measures::Definition::printed).collect(),
        included,
        excluded: excluded(&main, &question.definitions),
    })
}

/// # Errors
/// `Invalid` when too many incidents would have to be kept.
pub async fn freeze(state: &AppState, ledger: &Ledger, scope: &Scope, title: &str, actor: &Actor) -> Result<i64> {
    let now = state.now();
    let kept = run(ledger, &state.db, scope, now).await?;
    let tx = state.db.begin().await?;
    let query = scope.to_query();
    let new = New {
        title,
        query: &query,
        kept: &kept,
        author_id: actor.user_id,
        author_name: &actor.name,
        schedule_id: None,
    };
    let id = store::insert(&tx, &new, now).await?;
    let detail = serde_json::json!({ "title": title, "filters": query, "data_hash": kept.data_hash() });
    audit::record(&tx, now, actor, "report.frozen", ("report", &id.to_string()), &detail).await?;
    tx.commit().await?;
    Ok(id)
}

/// # Errors
/// `NotFound`.
pub async fn get(db: &Db, id: i64) -> Result<(Head, Kept)> {
    let head = store::find(db, id).await?.ok_or_else(|| Error::not_found(format!("frozen report {id}")))?;
    let kept = store::body(db, id).await?;
    Ok((head, kept))
}

/// How the same question is answered today.
pub struct Rerun {
    pub difference: Difference,
    pub data_hash: String,
    /// Corrections of times, since it was frozen, of the incidents that differ.
    pub edits: Vec<Edit>,
}

/// # Errors
/// What the database says.
pub async fn rerun(state: &AppState, ledger: &Ledger, head: &Head, kept: &Kept) -> Result<Rerun> {
    let scope = scope_of(&head.query, state.now())?;
    let now = run(ledger, &state.db, &scope, state.now()).await?;
    let difference = Difference::between(kept, &now);
    let names = difference
        .shifted
        .iter()
        .map(|s| &s.incident)
        .chain(difference.added.iter().chain(&difference.removed).map(|m| &m.incident));
    let mut numbers: Vec<i64> = names.filter_map(|n| n.trim_start_matches("INC-").parse().ok()).collect();
    numbers.dedup();
    let mut edits = store::edits(&state.db, &numbers, head.created_at).await?;
    // What became private since is not told by its corrections.
    let titles = super::store::titles(&state.db, NOBODY, numbers).await?;
    edits.retain(|e| titles.contains_key(&e.incident_id));
    Ok(Rerun { difference, data_hash: now.data_hash(), edits })
}

/// Filters as they were kept.
///
/// # Errors
/// `Invalid` when they cannot be read any more.
pub fn scope_of(query: &str, now: Timestamp) -> Result<Scope> {
    let query: ScopeQuery = serde_urlencoded(query);
    Scope::parse(&query, now, Tz::UTC)
}

fn serde_urlencoded(query: &str) -> ScopeQuery {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let map: serde_json::Map<String, serde_json::Value> =
        pairs.map(|(k, v)| (k.into_owned(), serde_json::Value::String(v.into_owned()))).collect();
    serde_json::from_value(serde_json::Value::Object(map)).unwrap_or_default()
}

/// Makes an address that opens a report or a chart without signing in, and gives its secret: it is shown
/// once, and only its hash is kept.
///
/// # Errors
/// What the database says.
pub async fn share(state: &AppState, actor: &Actor, link: Link) -> Result<String> {
    let secret = state.random.secret();
    let tx = state.db.begin().await?;
    let id = store::insert_link(&tx, &hash(&secret), &link).await?;
    let detail = serde_json::json!({ "kind": link.kind, "title": link.title, "report": link.report_id });
    audit::record(&tx, state.now(), actor, "report.link_made", ("report_link", &id.to_string()), &detail).await?;
    tx.commit().await?;
    Ok(secret)
}

/// # Errors
/// `NotFound` also for one that was withdrawn before.
pub async fn revoke(state: &AppState, actor: &Actor, id: i64) -> Result<()> {
    let tx = state.db.begin().await?;
    if !store::revoke_link(&tx, id, state.now()).await? {
        return Err(Error::not_found("this link"));
    }
    let none = serde_json::json!({});
    audit::record(&tx, state.now(), actor, "report.link_withdrawn", ("report_link", &id.to_string()), &none).await?;
    tx.commit().await
}

/// What a secret opens.
///
/// # Errors
/// `NotFound` for one that opens nothing, or nothing any more.
pub async fn opened(state: &AppState, kind: &str, secret: &str) -> Result<Link> {
    let found = store::link_by_hash(&state.db, kind, &hash(secret), state.now()).await?;
    found.ok_or_else(|| Error::not_found("what this link opened"))
}

fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// Freezes every scheduled report that is due, and tells of it. Gives the number of reports.
///
/// # Errors
/// What the database says; one report that fails keeps its error and does not stop the others.
pub async fn run_due(state: &AppState, ledger: &Ledger) -> Result<usize> {
    let mut done = 0;
    loop {
        let now = state.now();
        let tx = state.db.begin().await?;
        let due = store::lease_due(&tx, now, now + LEASE).await?;
        tx.commit().await?;
        let Some(due) = due else { return Ok(done) };
        let period = GroupBy::parse(&due.period).unwrap_or(GroupBy::Month);
        let zone: Tz = due.zone.parse().unwrap_or(Tz::UTC);
        let next = period_end(period, now, zone).unwrap_or(now + TimeDelta::days(31));
        let tx = match scheduled(state, ledger, &due, period, zone).await {
            Ok((scope, kept)) => {
                let tx = state.db.begin().await?;
                announce(&tx, &due, &scope, &kept, now).await?;
                store::advance(&tx, due.id, next, "").await?;
                tx
            }
            Err(error) => {
                tracing::warn!(%error, schedule = due.id, "a scheduled report failed");
                let tx = state.db.begin().await?;
                store::advance(&tx, due.id, now + TimeDelta::hours(1), &error.to_string()).await?;
                tx
            }
        };
        tx.commit().await?;
        done += 1;
    }
}

/// The period that was over when the schedule fell due.
async fn scheduled(
    state: &AppState,
    ledger: &Ledger,
    due: &Schedule,
    period: GroupBy,
    zone: Tz,
) -> Result<(Scope, Kept)> {
    let (first, last) = period_before(period, due.next_at.min(state.now()), zone)
        .ok_or_else(|| Error::Internal("the calendar ends here".into()))?;
    let mut query = serde_urlencoded(&due.query);
    query.from = first.to_string();
    query.to = last.to_string();
    query.tz = zone.name().to_owned();
    let scope = Scope::parse(&query, state.now(), zone)?;
    let kept = run(ledger, &state.db, &scope, state.now()).await?;
    Ok((scope, kept))
}

async fn announce(tx: &crate::db::Tx, due: &Schedule, scope: &Scope, kept: &Kept, now: Timestamp) -> Result<()> {
    let title = format!("{}, {} to {}", due.title, scope.from_text(), scope.to_text());
    let query = scope.to_query();
    let new = New {
        title: &title,
        query: &query,
        kept,
        author_id: None,
        author_name: &due.created_by_name,
        schedule_id: Some(due.id),
    };
    let id = store::insert(tx, &new, now).await?;
    let main = kept.sheet.numbers.iter().take(5).map(|n| format!("{}: {}", n.label, n.value.text));
    let mut event = Event::new(EventKind::ReportReady, format!("report {id}"), title.clone(), now);
    event.path = format!("/reports/frozen/{id}");
    event.text = Some(main.collect::<Vec<_>>().join(" · "));
    event.once_key = Some(format!("report-schedule:{}:{}", due.id, due.next_at.as_micros()));
    notifications::queue(tx, event).await
}
