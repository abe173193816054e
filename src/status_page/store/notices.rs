//! Notices as their writers see them: with drafts, withdrawn ones, and the incident behind.

use std::collections::BTreeMap;

use super::word;
use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Tx, Where};
use crate::error::Result;
use crate::incidents::IncidentId;
use crate::status_page::model::input::NewDraft;
use crate::status_page::model::{ComponentState, NoticeKind, NoticeState};

/// A notice with all its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub id: i64,
    pub kind: NoticeKind,
    pub incident: Option<IncidentId>,
    pub title: String,
    pub state: NoticeState,
    pub starts_at: Timestamp,
    pub ends_at: Option<Timestamp>,
    pub resolved_at: Option<Timestamp>,
    pub published_at: Option<Timestamp>,
    pub withdrawn_at: Option<Timestamp>,
    pub created_by: String,
    pub created_at: Timestamp,
    /// Title of the draft, when there is one.
    pub draft_title: Option<String>,
}

impl Notice {
    pub fn is_public(&self) -> bool {
        self.published_at.is_some() && self.withdrawn_at.is_none()
    }

    /// What its writers call it.
    pub fn name(&self) -> &str {
        let title = if self.title.is_empty() { self.draft_title.as_deref().unwrap_or_default() } else { &self.title };
        if title.is_empty() { "Untitled draft" } else { title }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    kind: String,
    incident_id: Option<i64>,
    title: String,
    state: String,
    starts_at: Timestamp,
    ends_at: Option<Timestamp>,
    resolved_at: Option<Timestamp>,
    published_at: Option<Timestamp>,
    withdrawn_at: Option<Timestamp>,
    created_by: String,
    created_at: Timestamp,
    draft_title: Option<String>,
}

impl Row {
    fn into_notice(self) -> Result<Notice> {
        Ok(Notice {
            id: self.id,
            kind: word(NoticeKind::parse, &self.kind, "kind of notice")?,
            incident: self.incident_id.map(IncidentId),
            title: self.title,
            state: word(NoticeState::parse, &self.state, "notice state")?,
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            resolved_at: self.resolved_at,
            published_at: self.published_at,
            withdrawn_at: self.withdrawn_at,
            created_by: self.created_by,
            created_at: self.created_at,
            draft_title: self.draft_title,
        })
    }
}

const SELECT: &str = "SELECT n.id, n.kind, n.incident_id, n.title, n.state, n.starts_at, n.ends_at, n.resolved_at, \
    n.published_at, n.withdrawn_at, n.created_by, n.created_at, d.title AS draft_title FROM status_notices n \
    LEFT JOIN status_drafts d ON d.notice_id = n.id";

pub async fn find(db: &Db, id: i64) -> Result<Option<Notice>> {
    let row: Option<Row> = db.fetch_optional(Sql::built(format!("{SELECT} WHERE n.id = $1")), args![id]).await?;
    row.map(Row::into_notice).transpose()
}

/// Newest first.
pub async fn page(db: &Db, beyond: Option<(Timestamp, i64)>, limit: i64) -> Result<Vec<Notice>> {
    let mut w = Where::new();
    if let Some((at, id)) = beyond {
        w.and_all("(n.starts_at, n.id) < (?, ?)", args![at, id]);
    }
    let limit = w.bind(limit);
    let (sql, values) = w.statement(SELECT, &format!("ORDER BY n.starts_at DESC, n.id DESC LIMIT {limit}"));
    db.fetch_all::<Row>(sql, values).await?.into_iter().map(Row::into_notice).collect()
}

pub async fn count(db: &Db) -> Result<i64> {
    db.fetch_scalar("SELECT COUNT(*) FROM status_notices", args![]).await
}

/// Of one incident, newest first; at most 20.
pub async fn of_incident(db: &Db, incident: IncidentId) -> Result<Vec<Notice>> {
    let sql = format!("{SELECT} WHERE n.incident_id = $1 ORDER BY n.id DESC LIMIT 20");
    db.fetch_all::<Row>(Sql::built(sql), args![incident.0]).await?.into_iter().map(Row::into_notice).collect()
}

pub async fn insert(tx: &Tx, kind: NoticeKind, incident: Option<IncidentId>, by: &str, now: Timestamp) -> Result<i64> {
    tx.insert(
        "INSERT INTO status_notices (kind, incident_id, title, state, starts_at, created_by, created_at, updated_at) \
         VALUES ($1, $2, '', $3, $4, $5, $4, $4) RETURNING id",
        args![kind.as_str(), incident.map(|i| i.0), NoticeState::of(kind)[0].as_str(), now, by],
    )
    .await
}

/// What is published of the notice itself.
pub async fn publish(tx: &Tx, notice: &Notice, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE status_notices SET title = $1, state = $2, starts_at = $3, ends_at = $4, resolved_at = $5, \
         published_at = COALESCE(published_at, $6), withdrawn_at = NULL, updated_at = $6 WHERE id = $7",
        args![
            &notice.title,
            notice.state.as_str(),
            notice.starts_at,
            notice.ends_at,
            notice.resolved_at,
            now,
            notice.id
        ],
    )
    .await
    .map(drop)
}

pub async fn withdraw(tx: &Tx, id: i64, now: Timestamp) -> Result<u64> {
    tx.execute(
        "UPDATE status_notices SET withdrawn_at = $1, updated_at = $1 WHERE id = $2 AND published_at IS NOT NULL \
         AND withdrawn_at IS NULL",
        args![now, id],
    )
    .await
}

pub async fn delete(tx: &Tx, id: i64) -> Result<()> {
    tx.execute("DELETE FROM status_notices WHERE id = $1", args![id]).await.map(drop)
}

/// A kept draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub content: NewDraft,
    pub version: i64,
    pub updated_by: String,
    pub updated_at: Timestamp,
}

#[derive(sqlx::FromRow)]
struct DraftRow {
    title: String,
    state: String,
    text: String,
    impacts: String,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
    version: i64,
    updated_by: String,
    updated_at: Timestamp,
}

pub async fn draft(db: &Db, notice: i64) -> Result<Option<Draft>> {
    let row: Option<DraftRow> = db
        .fetch_optional(
            "SELECT title, state, text, impacts, starts_at, ends_at, version, updated_by, updated_at \
             FROM status_drafts WHERE notice_id = $1",
            args![notice],
        )
        .await?;
    let Some(r) = row else { return Ok(None) };
    let impacts: BTreeMap<i64, ComponentState> = serde_json::from_str(&r.impacts)?;
    let content = NewDraft {
        title: r.title,
        state: word(NoticeState::parse, &r.state, "notice state")?,
        text: r.text,
        impacts,
        starts_at: r.starts_at,
        ends_at: r.ends_at,
        version: Some(r.version),
    };
    Ok(Some(Draft { content, version: r.version, updated_by: r.updated_by, updated_at: r.updated_at }))
}

/// Keeps the draft with the next version; the caller has checked the one before.
pub async fn save_draft(tx: &Tx, notice: i64, draft: &NewDraft, version: i64, by: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO status_drafts (notice_id, title, state, text, impacts, starts_at, ends_at, version, updated_by, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (notice_id) DO UPDATE SET title = excluded.title, \
         state = excluded.state, text = excluded.text, impacts = excluded.impacts, starts_at = excluded.starts_at, \
         ends_at = excluded.ends_at, version = excluded.version, updated_by = excluded.updated_by, \
         updated_at = excluded.updated_at",
        args![
            notice,
            &draft.title,
            draft.state.as_str(),
            &draft.text,
            serde_json::to_string(&draft.impacts)?,
            draft.starts_at,
            draft.ends_at,
            version,
            by,
            now
        ],
    )
    .await
    .map(drop)
}

pub async fn discard_draft(tx: &Tx, notice: i64) -> Result<u64> {
    tx.execute("DELETE FROM status_drafts WHERE notice_id = $1", args![notice]).await
}

/// A published update with who published it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Update {
    pub id: i64,
    pub state: String,
    pub text: String,
    pub published_at: Timestamp,
    pub published_by: String,
    pub corrected_at: Option<Timestamp>,
}

impl Update {
    pub fn label(&self) -> &'static str {
        NoticeState::parse(&self.state).map_or("", NoticeState::label)
    }
}

/// Newest first; at most 500.
pub async fn updates(db: &Db, notice: i64) -> Result<Vec<Update>> {
    db.fetch_all(
        "SELECT id, state, text, published_at, published_by, corrected_at FROM status_updates \
         WHERE notice_id = $1 ORDER BY id DESC LIMIT 500",
        args![notice],
    )
    .await
}

pub async fn insert_update(tx: &Tx, notice: i64, draft: &NewDraft, by: &str, now: Timestamp) -> Result<i64> {
    tx.insert(
        "INSERT INTO status_updates (notice_id, state, text, published_at, published_by) \
         VALUES ($1, $2, $3, $4, $5) RETURNING id",
        args![notice, draft.state.as_str(), &draft.text, now, by],
    )
    .await
}

pub async fn correct_update(tx: &Tx, notice: i64, update: i64, text: &str, now: Timestamp) -> Result<u64> {
    tx.execute(
        "UPDATE status_updates SET text = $1, corrected_at = $2 WHERE id = $3 AND notice_id = $4",
        args![text, now, update, notice],
    )
    .await
}

/// The impacts of a notice that last.
pub async fn open_impacts(db: &Db, notice: i64) -> Result<BTreeMap<i64, ComponentState>> {
    let rows: Vec<(i64, String)> = db
        .fetch_all(
            "SELECT component_id, state FROM status_impacts WHERE notice_id = $1 AND until_at IS NULL ORDER BY id",
            args![notice],
        )
        .await?;
    rows.into_iter().map(|(id, state)| Ok((id, word(ComponentState::parse, &state, "component state")?))).collect()
}

/// Every component that the notice ever concerned, with its last state.
pub async fn last_impacts(db: &Db, notice: i64) -> Result<BTreeMap<i64, ComponentState>> {
    let rows: Vec<(i64, String)> = db
        .fetch_all("SELECT component_id, state FROM status_impacts WHERE notice_id = $1 ORDER BY id", args![notice])
        .await?;
    rows.into_iter().map(|(id, state)| Ok((id, word(ComponentState::parse, &state, "component state")?))).collect()
}

/// Ends the impact of a component at `at`; one that would end before it began never was.
pub async fn end_impact(tx: &Tx, notice: i64, component: i64, at: Timestamp) -> Result<()> {
    tx.execute(
        "DELETE FROM status_impacts WHERE notice_id = $1 AND component_id = $2 AND until_at IS NULL AND from_at >= $3",
        args![notice, component, at],
    )
    .await?;
    tx.execute(
        "UPDATE status_impacts SET until_at = $3 WHERE notice_id = $1 AND component_id = $2 AND until_at IS NULL",
        args![notice, component, at],
    )
    .await
    .map(drop)
}

pub async fn insert_impact(
    tx: &Tx,
    notice: i64,
    (component, state): (i64, ComponentState),
    from: Timestamp,
    until: Option<Timestamp>,
) -> Result<()> {
    tx.execute(
        "INSERT INTO status_impacts (notice_id, component_id, state, from_at, until_at) VALUES ($1, $2, $3, $4, $5)",
        args![notice, component, state.as_str(), from, until],
    )
    .await
    .map(drop)
}

pub async fn clear_impacts(tx: &Tx, notice: i64) -> Result<()> {
    tx.execute("DELETE FROM status_impacts WHERE notice_id = $1", args![notice]).await.map(drop)
}
