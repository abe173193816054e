//! Many thousand plain incidents for benches: `faultline bench-data`.
//!
//! This is the one place that writes other rooms' tables itself: a hundred thousand declarations
//! through the actions would take minutes and add nothing to what a bench measures. The rows are those
//! that the actions would leave: head, milestones, services, a status change and a timeline entry.

use chrono::TimeDelta;

use super::company::SERVICES;
use crate::clock::Timestamp;
use crate::db::{Db, Rows, Tx};
use crate::error::{Error, Result};
use crate::seeded::Seeded;
use crate::services::{self, model::ServiceInput};

/// Incidents of one transaction: big enough to be quick, small enough for others to get a turn.
const CHUNK: usize = 2_000;

/// Adds `count` resolved incidents spread evenly over the years before `now`, after those that exist.
///
/// # Errors
/// What the database says.
pub async fn fill(db: &Db, count: usize, years: i64, now: Timestamp) -> Result<()> {
    let mut seeded = Seeded::new(super::year::SEED).fork("bulk");
    let tx = db.begin().await?;
    let mut service_ids = Vec::new();
    for service in &SERVICES {
        if services::find_id(&tx, service.slug).await?.is_none() {
            let input = ServiceInput {
                slug: service.slug.to_owned(),
                owner_team: service.team.to_owned(),
                tier: service.tier.to_string(),
                ..ServiceInput::default()
            };
            services::create(&tx, &input.normalize().map_err(Error::Invalid)?, now).await?;
        }
        service_ids.extend(services::find_id(&tx, service.slug).await?);
    }
    tx.commit().await?;
    let span = TimeDelta::days(365 * years).num_seconds();
    let mut made = 0;
    while made < count {
        let size = CHUNK.min(count - made);
        let tx = db.begin().await?;
        chunk(&tx, &mut seeded, size, (now, span), &service_ids).await?;
        tx.commit().await?;
        made += size;
    }
    Ok(())
}

/// Milestones in their order, with the median of minutes since the one before.
const COURSE: [(&str, f64); 5] =
    [("detected", 6.0), ("declared", 2.0), ("acknowledged", 2.0), ("mitigated", 25.0), ("resolved", 30.0)];

async fn chunk(
    tx: &Tx,
    seeded: &mut Seeded,
    size: usize,
    (now, span): (Timestamp, i64),
    service_ids: &[i64],
) -> Result<()> {
    let last: i64 = tx.fetch_scalar("SELECT COALESCE(MAX(id), 0) FROM incidents", vec![]).await?;
    let courses: Vec<Vec<(&str, Timestamp)>> = (0..size).map(|_| course(seeded, now, span)).collect();
    let mut heads = Rows::new(HEADS, 10, "");
    for times in &courses {
        let severity =
            seeded.pick(&["SEV1", "SEV2", "SEV2", "SEV3", "SEV3", "SEV3", "SEV4"]).copied().unwrap_or("SEV3");
        let (began, ended) = ends(times);
        let title = format!("Generated: requests fail ({})", began.to_minute());
        heads.push([
            title.into(),
            severity.into(),
            "closed".into(),
            "real".into(),
            false.into(),
            began.into(),
            ended.into(),
            "bench".into(),
            began.into(),
            ended.into(),
        ]);
    }
    tx.insert_rows(heads).await?;
    // Both engines number the rows of one statement in their order.
    let ids: Vec<(i64,)> =
        tx.fetch_all("SELECT id FROM incidents WHERE id > $1 ORDER BY id", crate::args![last]).await?;
    let (mut milestones, mut links) = (Rows::new(MILESTONES, 7, ""), Rows::new(LINKS, 2, ""));
    let (mut steps, mut entries) = (Rows::new(STEPS, 5, ""), Rows::new(ENTRIES, 7, ""));
    for ((id,), times) in ids.into_iter().zip(&courses) {
        let (began, ended) = ends(times);
        for (name, at) in times {
            let at = *at;
            milestones.push([
                id.into(),
                (*name).into(),
                at.into(),
                at.into(),
                "alert".into(),
                "bench".into(),
                at.into(),
            ]);
        }
        if let Some(service) = seeded.pick(service_ids) {
            links.push([id.into(), (*service).into()]);
        }
        steps.push([id.into(), "closed".into(), ended.into(), ended.into(), "bench".into()]);
        let text = "Declared by the bench".into();
        entries.push([
            id.into(),
            "activity".into(),
            "declared".into(),
            text,
            began.into(),
            began.into(),
            "bench".into(),
        ]);
    }
    for rows in [milestones, links, steps, entries] {
        tx.insert_rows(rows).await?;
    }
    Ok(())
}

fn course(seeded: &mut Seeded, now: Timestamp, span: i64) -> Vec<(&'static str, Timestamp)> {
    let mut at = now - TimeDelta::seconds(seeded.between(86_400, span.max(86_401)));
    let mut times = vec![("impact_started", at)];
    for (name, minutes) in COURSE {
        #[expect(clippy::cast_possible_truncation, reason = "a skewed draw around some minutes")]
        let seconds = (seeded.skewed(minutes, 0.8) * 60.0).min(10_000.0) as i64;
        at = at + TimeDelta::seconds(seconds);
        times.push((name, at));
    }
    times
}

/// The first and the last moment.
fn ends(times: &[(&str, Timestamp)]) -> (Timestamp, Timestamp) {
    let at = |time: Option<&(&str, Timestamp)>| time.map(|t| t.1).unwrap_or_default();
    (at(times.first()), at(times.last()))
}

const HEADS: &str = "INSERT INTO incidents (title, severity, status, kind, private, started_at, ended_at, \
    created_by_name, created_at, updated_at)";
const MILESTONES: &str =
    "INSERT INTO incident_milestones (incident_id, name, at, raw_at, source, author_name, recorded_at)";
const LINKS: &str = "INSERT INTO incident_services (incident_id, service_id)";
const STEPS: &str = "INSERT INTO incident_status_changes (incident_id, to_status, at, recorded_at, author_name)";
const ENTRIES: &str =
    "INSERT INTO timeline_entries (incident_id, layer, kind, text, occurred_at, recorded_at, author_name)";
