//! Runs, and the records of their steps.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Tx};
use crate::error::Result;
use crate::incidents::model::IncidentId;
use crate::runbooks::model::record::{Run, RunState};
use crate::runbooks::model::{Outcome, StepRecord};

use super::word;

const SELECT: &str = "SELECT u.id, u.incident_id, u.runbook_id, r.slug AS runbook_slug, r.title AS runbook_title, \
    u.version, u.state, u.filled, u.reason, u.started_by_name, u.started_at, u.lead_id, u.lead_name, u.ended_at, \
    u.ended_by_name, u.end_note FROM runbook_runs u JOIN runbooks r ON r.id = u.runbook_id";

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    incident_id: i64,
    runbook_id: i64,
    runbook_slug: String,
    runbook_title: String,
    version: i64,
    state: String,
    filled: String,
    reason: String,
    started_by_name: String,
    started_at: Timestamp,
    lead_id: Option<i64>,
    lead_name: String,
    ended_at: Option<Timestamp>,
    ended_by_name: Option<String>,
    end_note: String,
}

impl Row {
    fn into_run(self) -> Result<Run> {
        Ok(Run {
            id: self.id,
            incident: IncidentId(self.incident_id),
            runbook_id: self.runbook_id,
            runbook_slug: self.runbook_slug,
            runbook_title: self.runbook_title,
            version: self.version,
            state: word(RunState::parse, &self.state, "run state")?,
            filled: self.filled,
            reason: self.reason,
            started_by: self.started_by_name,
            started_at: self.started_at,
            lead_id: self.lead_id,
            lead: self.lead_name,
            ended_at: self.ended_at,
            ended_by: self.ended_by_name,
            end_note: self.end_note,
        })
    }
}

pub struct NewRun<'a> {
    pub incident: IncidentId,
    pub runbook_id: i64,
    pub version: i64,
    pub filled: &'a str,
    pub reason: &'a str,
    pub by_id: Option<i64>,
    pub by: &'a str,
    pub at: Timestamp,
}

pub async fn insert(tx: &Tx, new: &NewRun<'_>) -> Result<i64> {
    tx.insert(
        "INSERT INTO runbook_runs (incident_id, runbook_id, version, state, filled, reason, started_by, \
         started_by_name, started_at, lead_id, lead_name) VALUES ($1, $2, $3, 'running', $4, $5, $6, $7, $8, $6, $7) RETURNING id",
        args![new.incident.0, new.runbook_id, new.version, new.filled, new.reason, new.by_id, new.by, new.at],
    )
    .await
}

pub async fn find(db: &Db, incident: IncidentId, run_id: i64) -> Result<Option<Run>> {
    let sql = format!("{SELECT} WHERE u.incident_id = $1 AND u.id = $2");
    let row = db.fetch_optional::<Row>(Sql::built(sql), args![incident.0, run_id]).await?;
    row.map(Row::into_run).transpose()
}

/// The incident that a run belongs to.
pub async fn incident_of(db: &Db, run_id: i64) -> Result<IncidentId> {
    db.fetch_scalar("SELECT incident_id FROM runbook_runs WHERE id = $1", args![run_id]).await.map(IncidentId)
}

/// A run of this runbook that is still going on in the incident.
pub async fn find_running(db: &Db, incident: IncidentId, runbook_id: i64) -> Result<Option<Run>> {
    let sql = format!(
        "{SELECT} WHERE u.incident_id = $1 AND u.runbook_id = $2 AND u.state = 'running' ORDER BY u.id LIMIT 1"
    );
    let row = db.fetch_optional::<Row>(Sql::built(sql), args![incident.0, runbook_id]).await?;
    row.map(Row::into_run).transpose()
}

/// Of one incident, newest first; at most `limit`.
pub async fn of_incident(db: &Db, incident: IncidentId, limit: i64) -> Result<Vec<Run>> {
    let sql = format!("{SELECT} WHERE u.incident_id = $1 ORDER BY u.id DESC LIMIT $2");
    let rows = db.fetch_all::<Row>(Sql::built(sql), args![incident.0, limit]).await?;
    rows.into_iter().map(Row::into_run).collect()
}

/// Ends a run that is still going on.
pub async fn end(tx: &Tx, run_id: i64, state: RunState, by: &str, note: &str, at: Timestamp) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE runbook_runs SET state = $1, ended_at = $2, ended_by_name = $3, end_note = $4 WHERE id = $5 AND state = 'running'",
            args![state.as_str(), at, by, note, run_id],
        )
        .await?;
    Ok(changed == 1)
}

/// Takes up a run that had ended.
pub async fn resume(tx: &Tx, run_id: i64) -> Result<()> {
    tx.execute(
        "UPDATE runbook_runs SET state = 'running', ended_at = NULL, ended_by_name = NULL, end_note = '' WHERE id = $1",
        args![run_id],
    )
    .await?;
    Ok(())
}

pub async fn set_lead(tx: &Tx, run_id: i64, lead_id: Option<i64>, lead: &str) -> Result<()> {
    tx.execute("UPDATE runbook_runs SET lead_id = $1, lead_name = $2 WHERE id = $3", args![lead_id, lead, run_id])
        .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct RecordRow {
    run_id: i64,
    step_id: String,
    outcome: String,
    branch: Option<i64>,
    author_name: String,
    at: Timestamp,
    note: String,
    output: String,
}

impl RecordRow {
    fn into_record(self) -> Result<(i64, StepRecord)> {
        let record = StepRecord {
            outcome: word(Outcome::parse, &self.outcome, "step outcome")?,
            step_id: self.step_id,
            branch: self.branch.and_then(|b| usize::try_from(b).ok()),
            by: self.author_name,
            at: self.at,
            note: self.note,
            output: self.output,
        };
        Ok((self.run_id, record))
    }
}

/// Longest history of one run: a decision can lead back any number of times.
pub const MAX_RECORDS: i64 = 2_000;

/// In the order in which they were made.
pub async fn records(db: &Db, run_id: i64) -> Result<Vec<StepRecord>> {
    let rows = db
        .fetch_all::<RecordRow>(
            "SELECT run_id, step_id, outcome, branch, author_name, at, note, output FROM runbook_run_records \
             WHERE run_id = $1 ORDER BY number LIMIT $2",
            args![run_id, MAX_RECORDS],
        )
        .await?;
    rows.into_iter().map(|row| row.into_record().map(|(_, record)| record)).collect()
}

/// Of all runs of an incident, in one query, in the order in which they were made.
pub async fn records_of_incident(db: &Db, incident: IncidentId) -> Result<Vec<(i64, StepRecord)>> {
    let rows = db
        .fetch_all::<RecordRow>(
            "SELECT c.run_id, c.step_id, c.outcome, c.branch, c.author_name, c.at, c.note, c.output \
             FROM runbook_run_records c JOIN runbook_runs u ON u.id = c.run_id \
             WHERE u.incident_id = $1 ORDER BY c.run_id, c.number LIMIT $2",
            args![incident.0, MAX_RECORDS],
        )
        .await?;
    rows.into_iter().map(RecordRow::into_record).collect()
}

/// `false` when somebody else recorded in the same moment (the number is taken).
pub async fn insert_record(
    tx: &Tx,
    run_id: i64,
    number: i64,
    record: &StepRecord,
    author_id: Option<i64>,
) -> Result<bool> {
    let branch = record.branch.and_then(|b| i64::try_from(b).ok());
    let changed = tx
        .execute(
            "INSERT INTO runbook_run_records (run_id, number, step_id, outcome, branch, author_id, author_name, at, note, output) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (run_id, number) DO NOTHING",
            args![run_id, number, &record.step_id, record.outcome.as_str(), branch, author_id, &record.by, record.at, &record.note, &record.output],
        )
        .await?;
    Ok(changed == 1)
}

/// How often a runbook was run, and when last.
pub async fn usage(db: &Db, runbook_id: i64) -> Result<(i64, Option<Timestamp>)> {
    db.fetch_one("SELECT COUNT(*), MAX(started_at) FROM runbook_runs WHERE runbook_id = $1", args![runbook_id]).await
}

/// A run of a runbook, for measuring how well it works.
#[derive(sqlx::FromRow)]
pub struct UsedRow {
    pub id: i64,
    pub state: String,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

/// Newest first, of incidents that anybody may see; at most `limit`.
pub async fn of_runbook(db: &Db, runbook_id: i64, limit: i64) -> Result<Vec<UsedRow>> {
    db.fetch_all(
        "SELECT u.id, u.state, u.started_at, u.ended_at FROM runbook_runs u JOIN incidents i ON i.id = u.incident_id \
         WHERE u.runbook_id = $1 AND NOT i.private ORDER BY u.started_at DESC, u.id DESC LIMIT $2",
        args![runbook_id, limit],
    )
    .await
}

/// Records of the newest `limit` runs of a runbook, in one query, in the order in which they were made.
pub async fn records_of_runbook(db: &Db, runbook_id: i64, limit: i64) -> Result<Vec<(i64, StepRecord)>> {
    let rows = db
        .fetch_all::<RecordRow>(
            "SELECT c.run_id, c.step_id, c.outcome, c.branch, c.author_name, c.at, c.note, '' AS output \
             FROM runbook_run_records c WHERE c.run_id IN (SELECT u.id FROM runbook_runs u \
             JOIN incidents i ON i.id = u.incident_id WHERE u.runbook_id = $1 AND NOT i.private \
             ORDER BY u.started_at DESC, u.id DESC LIMIT $2) ORDER BY c.run_id DESC, c.number",
            args![runbook_id, limit],
        )
        .await?;
    rows.into_iter().map(RecordRow::into_record).collect()
}

/// Start, end, and whether this runbook was run, of the newest resolved real incidents since a moment.
pub async fn resolved_incidents(
    db: &Db,
    runbook_id: i64,
    since: Timestamp,
    limit: i64,
) -> Result<Vec<(Timestamp, Timestamp, bool)>> {
    db.fetch_all(
        "SELECT i.started_at, i.ended_at, EXISTS (SELECT 1 FROM runbook_runs u WHERE u.incident_id = i.id \
         AND u.runbook_id = $1) AS used FROM incidents i WHERE i.kind = 'real' AND NOT i.private \
         AND i.status IN ('resolved', 'closed') AND i.ended_at IS NOT NULL AND i.started_at >= $2 \
         ORDER BY i.started_at DESC LIMIT $3",
        args![runbook_id, since, limit],
    )
    .await
}
