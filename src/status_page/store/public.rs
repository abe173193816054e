//! What the public may read: published, not withdrawn, nothing else.

use super::word;
use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Value};
use crate::error::Result;
use crate::status_page::model::{ComponentState, Impact, NoticeKind, NoticeState, PublicNotice, PublicUpdate};

/// Notices on one page.
const MAX_NOTICES: i64 = 200;
/// Updates of the notices on one page.
const MAX_UPDATES: i64 = 2_000;
const MAX_IMPACTS: i64 = 10_000;
pub const MAX_COMPONENTS: i64 = 200;

/// How the page introduces itself.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Head {
    pub title: String,
    pub intro: String,
    pub is_public: bool,
    pub revision: i64,
}

pub async fn head(db: &Db) -> Result<Head> {
    db.fetch_one("SELECT title, intro, is_public, revision FROM status_page WHERE id = 1", args![]).await
}

/// A component as the public sees it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ComponentRow {
    pub id: i64,
    pub name: String,
    pub description: String,
    pub group_name: String,
    pub created_at: Timestamp,
}

pub async fn components(db: &Db) -> Result<Vec<ComponentRow>> {
    db.fetch_all(
        "SELECT id, name, description, group_name, created_at FROM status_components ORDER BY position, id LIMIT $1",
        args![MAX_COMPONENTS],
    )
    .await
}

#[derive(sqlx::FromRow)]
struct ImpactRow {
    component_id: i64,
    state: String,
    from_at: Timestamp,
    until_at: Option<Timestamp>,
}

/// Impacts that last, or ended after `since`.
pub async fn impacts(db: &Db, since: Timestamp) -> Result<Vec<Impact>> {
    let rows: Vec<ImpactRow> = db
        .fetch_all(
            "SELECT m.component_id, m.state, m.from_at, m.until_at FROM status_impacts m \
             JOIN status_notices n ON n.id = m.notice_id WHERE (m.until_at IS NULL OR m.until_at > $1) \
             AND n.published_at IS NOT NULL AND n.withdrawn_at IS NULL ORDER BY m.id DESC LIMIT $2",
            args![since, MAX_IMPACTS],
        )
        .await?;
    rows.into_iter()
        .map(|r| {
            Ok(Impact {
                component: r.component_id,
                state: word(ComponentState::parse, &r.state, "component state")?,
                from: r.from_at,
                until: r.until_at,
            })
        })
        .collect()
}

/// Which notices to read.
#[derive(Clone, Copy, Debug)]
pub enum Which {
    /// Begun in this span, and everything that is not over.
    SinceOrStanding(Timestamp),
    Between(Timestamp, Timestamp),
    /// Those with the newest updates, for feeds.
    Newest(i64),
    One(i64),
}

impl Which {
    fn clause(self) -> (&'static str, Vec<Value>) {
        match self {
            Self::SinceOrStanding(since) => {
                ("(n.starts_at >= $2 OR n.resolved_at IS NULL) ORDER BY n.starts_at DESC, n.id DESC", args![since])
            }
            Self::Between(from, until) => {
                ("n.starts_at >= $2 AND n.starts_at < $3 ORDER BY n.starts_at DESC, n.id DESC", args![from, until])
            }
            Self::Newest(count) => (
                "n.id IN (SELECT u.notice_id FROM status_updates u ORDER BY u.published_at DESC, u.id DESC LIMIT $2) \
                 ORDER BY n.starts_at DESC, n.id DESC",
                args![count],
            ),
            Self::One(id) => ("n.id = $2", args![id]),
        }
    }
}

#[derive(sqlx::FromRow)]
struct NoticeRow {
    id: i64,
    kind: String,
    title: String,
    state: String,
    starts_at: Timestamp,
    ends_at: Option<Timestamp>,
    resolved_at: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct UpdateRow {
    id: i64,
    notice_id: i64,
    state: String,
    text: String,
    published_at: Timestamp,
    corrected_at: Option<Timestamp>,
}

/// With their updates (newest first) and the names of their components, in three queries; at most 200.
pub async fn notices(db: &Db, which: Which) -> Result<Vec<PublicNotice>> {
    let (clause, more) = which.clause();
    let mut values = args![MAX_NOTICES];
    values.extend(more);
    let sql = format!(
        "SELECT n.id, n.kind, n.title, n.state, n.starts_at, n.ends_at, n.resolved_at FROM status_notices n \
         WHERE n.published_at IS NOT NULL AND n.withdrawn_at IS NULL AND {clause} LIMIT $1"
    );
    let rows: Vec<NoticeRow> = db.fetch_all(crate::db::Sql::built(sql), values).await?;
    let mut notices = rows
        .into_iter()
        .map(|r| {
            Ok(PublicNotice {
                id: r.id,
                kind: word(NoticeKind::parse, &r.kind, "kind of notice")?,
                title: r.title,
                state: word(NoticeState::parse, &r.state, "notice state")?,
                components: Vec::new(),
                started_at: r.starts_at,
                ends_at: r.ends_at,
                resolved_at: r.resolved_at,
                updates: Vec::new(),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    add_updates(db, &mut notices).await?;
    add_components(db, &mut notices).await?;
    Ok(notices)
}

async fn add_updates(db: &Db, notices: &mut [PublicNotice]) -> Result<()> {
    let mut w = crate::db::Where::new();
    w.and_any("u.notice_id", notices.iter().map(|n| n.id));
    let (sql, values) = w.statement(
        "SELECT u.id, u.notice_id, u.state, u.text, u.published_at, u.corrected_at FROM status_updates u",
        &format!("ORDER BY u.id DESC LIMIT {MAX_UPDATES}"),
    );
    for r in db.fetch_all::<UpdateRow>(sql, values).await? {
        let Some(notice) = notices.iter_mut().find(|n| n.id == r.notice_id) else { continue };
        notice.updates.push(PublicUpdate {
            id: r.id,
            state: word(NoticeState::parse, &r.state, "notice state")?,
            text: r.text,
            published_at: r.published_at,
            corrected_at: r.corrected_at,
        });
    }
    Ok(())
}

async fn add_components(db: &Db, notices: &mut [PublicNotice]) -> Result<()> {
    let mut w = crate::db::Where::new();
    w.and_any("m.notice_id", notices.iter().map(|n| n.id));
    let (sql, values) = w.statement(
        "SELECT DISTINCT m.notice_id, c.name, c.position, c.id FROM status_impacts m \
         JOIN status_components c ON c.id = m.component_id",
        "ORDER BY c.position, c.id LIMIT 5000",
    );
    for (notice, name, _, _) in db.fetch_all::<(i64, String, i64, i64)>(sql, values).await? {
        if let Some(notice) = notices.iter_mut().find(|n| n.id == notice) {
            notice.components.push(name);
        }
    }
    Ok(())
}

/// When the first and the last published notice began.
pub async fn span(db: &Db) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
    db.fetch_one(
        "SELECT MIN(starts_at), MAX(starts_at) FROM status_notices WHERE published_at IS NOT NULL AND withdrawn_at IS NULL",
        args![],
    )
    .await
}
