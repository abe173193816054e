//! The log of deliveries, for people.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Where};
use crate::error::Result;

use super::super::model::EventKind;

/// What a list shows of a delivery.
#[derive(Clone, Debug, sqlx::FromRow, serde::Serialize)]
pub struct Delivery {
    pub id: i64,
    pub channel_id: i64,
    pub channel: String,
    pub kind: String,
    pub subject: String,
    pub status: String,
    pub attempts: i64,
    /// When it is tried (again), while it waits.
    pub next_at: Timestamp,
    pub sent_at: Option<Timestamp>,
    pub created_at: Timestamp,
    /// The last answer.
    pub answer: Option<String>,
    pub http_status: Option<i64>,
    #[serde(skip)]
    pub event: String,
    /// What it tells has become private since.
    #[serde(skip)]
    pub hidden: bool,
    #[serde(skip)]
    pub may_see_private: bool,
}

impl Delivery {
    /// The event for people; its word when a newer version wrote it.
    pub fn event_label(&self) -> String {
        EventKind::parse(&self.kind).map_or_else(|| self.kind.clone(), |kind| kind.label().to_owned())
    }

    pub fn can_retry(&self) -> bool {
        matches!(self.status.as_str(), "failed" | "dropped") && self.kind != "test"
    }
}

#[derive(Clone, Debug, sqlx::FromRow, serde::Serialize)]
pub struct Attempt {
    pub at: Timestamp,
    pub http_status: Option<i64>,
    pub answer: String,
    pub duration_ms: i64,
}

/// What the list is narrowed to; empty means all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub channel: Option<i64>,
    pub status: String,
    pub kind: String,
    pub subject: String,
    /// Deliveries before this one.
    pub before: Option<i64>,
}

impl Filter {
    fn conditions(&self) -> Where {
        let mut w = Where::new();
        if let Some(channel) = self.channel {
            w.and("d.channel_id = ?", channel);
        }
        for (clause, value) in
            [("d.status = ?", &self.status), ("d.kind = ?", &self.kind), ("d.subject = ?", &self.subject)]
        {
            if !value.is_empty() {
                w.and(clause, value);
            }
        }
        w
    }
}

const SELECT: &str = "SELECT d.id, d.channel_id, c.name AS channel, d.kind, d.subject, d.status, d.attempts, d.next_at, \
     d.sent_at, d.created_at, a.answer, a.http_status, e.event, e.hidden, c.may_see_private FROM notification_deliveries d \
     JOIN notification_channels c ON c.id = d.channel_id JOIN outbox_events e ON e.id = d.event_id \
     LEFT JOIN notification_attempts a ON a.id = \
       (SELECT MAX(l.id) FROM notification_attempts l WHERE l.delivery_id = d.id)";

/// Newest first.
pub async fn list(db: &Db, filter: &Filter, limit: i64) -> Result<Vec<Delivery>> {
    let mut w = filter.conditions();
    if let Some(before) = filter.before {
        w.and("d.id < ?", before);
    }
    let limit = w.bind(limit);
    let (sql, args) = w.statement(SELECT, &format!("ORDER BY d.id DESC LIMIT {limit}"));
    db.fetch_all(sql, args).await
}

pub async fn count(db: &Db, filter: &Filter) -> Result<i64> {
    let (sql, args) = filter.conditions().statement("SELECT COUNT(*) FROM notification_deliveries d", "");
    db.fetch_scalar(sql, args).await
}

pub async fn find(db: &Db, id: i64) -> Result<Option<Delivery>> {
    let mut w = Where::new();
    w.and("d.id = ?", id);
    let (sql, args) = w.statement(SELECT, "");
    db.fetch_optional(sql, args).await
}

/// Oldest first; at most 200.
pub async fn attempts(db: &Db, id: i64) -> Result<Vec<Attempt>> {
    db.fetch_all(
        "SELECT at, http_status, answer, duration_ms FROM notification_attempts WHERE delivery_id = $1 ORDER BY id LIMIT 200",
        args![id],
    )
    .await
}
