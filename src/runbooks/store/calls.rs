//! Calls that runs make.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Tx};
use crate::error::Result;
use crate::runbooks::model::calls::{CallState, MadeCall, Prepared};

use super::word;

const COLUMNS: &str =
    "id, run_id, step_id, request, state, asked_by, asked_by_name, asked_at, http_status, answer, ended_at";

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    run_id: i64,
    step_id: String,
    request: String,
    state: String,
    asked_by: Option<i64>,
    asked_by_name: String,
    asked_at: Timestamp,
    http_status: Option<i64>,
    answer: String,
    ended_at: Option<Timestamp>,
}

impl Row {
    fn into_call(self) -> Result<MadeCall> {
        Ok(MadeCall {
            request: serde_json::from_str(&self.request)?,
            state: word(CallState::parse, &self.state, "call state")?,
            id: self.id,
            run_id: self.run_id,
            step_id: self.step_id,
            asked_by_id: self.asked_by,
            asked_by: self.asked_by_name,
            asked_at: self.asked_at,
            http_status: self.http_status,
            answer: self.answer,
            ended_at: self.ended_at,
        })
    }
}

pub struct NewCall<'a> {
    pub run_id: i64,
    pub step_id: &'a str,
    pub request: &'a Prepared,
    pub by_id: Option<i64>,
    pub by: &'a str,
    pub at: Timestamp,
}

pub async fn insert(tx: &Tx, new: &NewCall<'_>) -> Result<i64> {
    tx.insert(
        "INSERT INTO runbook_calls (run_id, step_id, request, state, asked_by, asked_by_name, asked_at) \
         VALUES ($1, $2, $3, 'waiting', $4, $5, $6) RETURNING id",
        args![new.run_id, new.step_id, serde_json::to_string(new.request)?, new.by_id, new.by, new.at],
    )
    .await
}

/// Of one run, newest first; at most `limit`.
pub async fn of_run(db: &Db, run_id: i64, limit: i64) -> Result<Vec<MadeCall>> {
    let sql = format!("SELECT {COLUMNS} FROM runbook_calls WHERE run_id = $1 ORDER BY id DESC LIMIT $2");
    let rows = db.fetch_all::<Row>(Sql::built(sql), args![run_id, limit]).await?;
    rows.into_iter().map(Row::into_call).collect()
}

/// The oldest call that nobody makes yet, taken for this node until `lease_until`.
pub async fn take(tx: &Tx, lease_until: Timestamp) -> Result<Option<MadeCall>> {
    let sql = format!(
        "UPDATE runbook_calls SET state = 'running', lease_until = $1 WHERE id = (SELECT w.id FROM runbook_calls w \
         WHERE w.state = 'waiting' ORDER BY w.id LIMIT 1) AND state = 'waiting' RETURNING {COLUMNS}"
    );
    let row = tx.fetch_optional::<Row>(Sql::built(sql), args![lease_until]).await?;
    row.map(Row::into_call).transpose()
}

/// `false` when the call was settled already.
pub async fn end(
    tx: &Tx,
    id: i64,
    state: CallState,
    status: Option<i64>,
    answer: &str,
    now: Timestamp,
) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE runbook_calls SET state = $1, http_status = $2, answer = $3, ended_at = $4, lease_until = NULL \
             WHERE id = $5 AND state = 'running'",
            args![state.as_str(), status, answer, now, id],
        )
        .await?;
    Ok(changed == 1)
}

/// Calls whose node went away in the middle: nobody knows whether they arrived, so they are not repeated.
pub async fn lost(db: &Db, now: Timestamp, limit: i64) -> Result<Vec<MadeCall>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM runbook_calls WHERE state = 'running' AND lease_until < $1 ORDER BY id LIMIT $2"
    );
    let rows = db.fetch_all::<Row>(Sql::built(sql), args![now, limit]).await?;
    rows.into_iter().map(Row::into_call).collect()
}
