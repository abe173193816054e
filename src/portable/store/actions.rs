//! Action items, and who reviewed the postmortem.

use std::collections::BTreeMap;

use super::MAX_PEOPLE;
use crate::args;
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::portable::document::{Action, Reviewer};

/// Task and what it has as an action item.
pub async fn actions(db: &Db, id: i64) -> Result<BTreeMap<i64, Action>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        task_id: i64,
        #[sqlx(flatten)]
        action: Action,
    }
    let rows: Vec<Row> = db
        .fetch_all(
            "SELECT a.task_id, a.type, a.priority, a.link, a.link_key, a.reopened_because FROM action_items a \
             JOIN incident_tasks t ON t.id = a.task_id WHERE t.incident_id = $1",
            args![id],
        )
        .await?;
    Ok(rows.into_iter().map(|r| (r.task_id, r.action)).collect())
}

pub async fn insert_action(tx: &Tx, task: i64, action: &Action) -> Result<()> {
    tx.execute(
        "INSERT INTO action_items (task_id, type, priority, link, link_key, reopened_because) \
         VALUES ($1, $2, $3, $4, $5, $6)",
        args![task, &action.kind, &action.priority, &action.link, &action.link_key, &action.reopened_because],
    )
    .await
    .map(drop)
}

pub async fn reviewers(db: &Db, postmortem: i64) -> Result<Vec<Reviewer>> {
    let mut all: Vec<Reviewer> = db
        .fetch_all(
            "SELECT u.email, r.name, r.verdict, r.note, r.asked_by_name, r.asked_at, r.answered_at \
             FROM postmortem_reviewers r JOIN users u ON u.id = r.user_id WHERE r.postmortem_id = $1 LIMIT $2",
            args![postmortem, MAX_PEOPLE],
        )
        .await?;
    all.sort_by(|a, b| (a.asked_at, &a.person.email).cmp(&(b.asked_at, &b.person.email)));
    Ok(all)
}

pub async fn insert_reviewer(tx: &Tx, postmortem: i64, reviewer: &Reviewer, user_id: i64) -> Result<()> {
    tx.execute(
        "INSERT INTO postmortem_reviewers (postmortem_id, user_id, name, verdict, note, asked_by_name, asked_at, \
         answered_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        args![
            postmortem,
            user_id,
            &reviewer.person.name,
            &reviewer.verdict,
            &reviewer.note,
            &reviewer.asked_by_name,
            reviewer.asked_at,
            reviewer.answered_at
        ],
    )
    .await
    .map(drop)
}
