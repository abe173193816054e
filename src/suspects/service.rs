//! Ranking a live incident and keeping the ranking; what people say of it is in [`says`].

mod says;

pub use says::{About, VerdictInput, about_change, give_verdict, say_of_change};

use chrono::TimeDelta;

use super::headline::changes_between;
use super::model::{Ranking, SuspectKind};
use super::store::{self, Kept};
use super::verdict::{AccuracyReport, Given, Verdict, accuracy};
use super::{gather, ranking};
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::incidents::{self, Append, By, EntryKind, Incident, IncidentId};

/// Suspects kept of one ranking.
const KEPT: usize = 30;
/// Suspects with a lower score are only kept among the first five of their kind.
const LEAST: f64 = 0.02;
/// How soon the ranking of an open incident is computed again: often while telemetry of the window comes in, then
/// rarely.
const SOON: TimeDelta = TimeDelta::seconds(15);
const LATER: TimeDelta = TimeDelta::minutes(5);
const FRESH_FOR: TimeDelta = TimeDelta::minutes(20);

/// Ranks one incident and keeps the result; tells what it is now.
pub async fn compute(db: &Db, incident: &Incident, now: Timestamp) -> Result<Kept> {
    let impact = gather::impact(db, incident).await?;
    let seen = gather::observation(db, incident, impact, now).await?;
    let (span_count, log_count) = (count(seen.incident.spans.len()), count(seen.incident.logs.len()));
    let ranking = tokio::task::spawn_blocking(move || shortened(ranking::rank(&seen)))
        .await
        .map_err(|e| Error::Internal(format!("ranking suspects: {e}")))?;
    let old = store::find(db, incident.id).await?;
    let kept = with_history(
        old,
        Kept {
            impact_at: impact,
            span_count,
            log_count,
            computed_at: now,
            ranking,
            changed: Vec::new(),
            changed_at: now,
        },
    );
    let age = now - impact;
    let due_at = now + if age < FRESH_FOR { SOON } else { LATER };
    let tx = db.begin().await?;
    store::save(&tx, incident.id, &kept, due_at).await?;
    if kept.changed_at == now {
        tell(&tx, incident, &kept, now).await?;
        tx.announce(format!("incident:{}", incident.id.0));
    }
    tx.commit().await?;
    Ok(kept)
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Carries over what changed last when nothing did now.
fn with_history(old: Option<Kept>, mut new: Kept) -> Kept {
    let Some(old) = old else { return new };
    new.changed = changes_between(&old.ranking, &new.ranking);
    if new.changed.is_empty() && old.ranking.headline == new.ranking.headline {
        (new.changed, new.changed_at) = (old.changed, old.changed_at);
    }
    new
}

/// The sentence goes onto the timeline once, when there is one.
async fn tell(tx: &Tx, incident: &Incident, kept: &Kept, now: Timestamp) -> Result<()> {
    let Some(headline) = &kept.ranking.headline else { return Ok(()) };
    let first = kept.ranking.suspects.first().map(super::model::Suspect::title).unwrap_or_default();
    let entry = Append::activity(EntryKind::Suspect, headline, now)
        .linked(format!("{}/suspects", incident.path()))
        .keyed(format!("suspects:{first}"));
    incidents::append_timeline(tx, incident.id, &entry, &By::system("Faultline"), now).await.map(drop)
}

fn shortened(mut ranking: Ranking) -> Ranking {
    let mut of_kind = std::collections::BTreeMap::<SuspectKind, usize>::new();
    ranking.suspects.retain(|s| {
        let n = of_kind.entry(s.kind).or_default();
        *n += 1;
        s.score >= LEAST || *n <= 5
    });
    ranking.suspects.truncate(KEPT);
    for (at, suspect) in ranking.suspects.iter_mut().enumerate() {
        suspect.rank = at + 1;
    }
    ranking
}

/// The kept ranking, computed now when there is none or the incident is open and it is old.
pub async fn current(db: &Db, incident: &Incident, now: Timestamp) -> Result<Kept> {
    const OLD: TimeDelta = TimeDelta::seconds(2);
    match store::find(db, incident.id).await? {
        Some(kept) if incident.ended_at.is_some() || now - kept.computed_at < OLD => Ok(kept),
        _ => compute(db, incident, now).await,
    }
}

pub async fn find(db: &Db, incident: IncidentId) -> Result<Option<Kept>> {
    store::find(db, incident).await
}

pub async fn verdicts(db: &Db, incident: IncidentId) -> Result<Vec<Given>> {
    store::verdicts(db, incident).await
}

/// Confirmed causes of an incident, newest first: for the postmortem and its reports.
pub async fn confirmed(db: &Db, incident: IncidentId) -> Result<Vec<Given>> {
    let mut all = store::verdicts(db, incident).await?;
    all.retain(|v| v.verdict == Verdict::Caused);
    Ok(all)
}

/// How often the first suspect was right about incidents of a period.
pub async fn accuracy_between(db: &Db, from: Timestamp, to: Timestamp) -> Result<AccuracyReport> {
    Ok(accuracy(&store::causes(db, from, to).await?))
}

/// Ranks the open incidents whose ranking is due; tells how many.
pub async fn rank_due(db: &Db, now: Timestamp) -> Result<usize> {
    const AT_ONCE: i64 = 10;
    /// A node that died while ranking keeps an incident from the others for this long.
    const LEASE: TimeDelta = TimeDelta::minutes(2);
    let mut done = 0;
    for id in store::due(db, now, AT_ONCE).await? {
        let tx = db.begin().await?;
        let mine = store::claim(&tx, id, now, now + LEASE).await?;
        tx.commit().await?;
        if mine {
            let everyone = incidents::Viewer { all: true, user_id: 0 };
            compute(db, &incidents::get_visible(db, id, everyone).await?, now).await?;
            done += 1;
        }
    }
    Ok(done)
}
