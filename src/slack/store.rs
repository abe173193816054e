//! Which Slack user is which account.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::Result;

/// A Slack user with the account that acts for them.
#[derive(Clone, Debug, sqlx::FromRow, serde::Serialize)]
pub struct SlackPerson {
    pub slack_user_id: String,
    #[serde(skip)]
    pub user_id: i64,
    pub name: String,
    pub email: String,
    pub role: String,
    #[serde(skip)]
    pub disabled_at: Option<Timestamp>,
    pub added_at: Timestamp,
    pub added_by: String,
}

const SELECT: &str = "SELECT p.slack_user_id, p.user_id, u.name, u.email, u.role, u.disabled_at, p.added_at, p.added_by \
     FROM slack_people p JOIN users u ON u.id = p.user_id";

/// By name; at most 500.
pub(super) async fn all(db: &Db) -> Result<Vec<SlackPerson>> {
    let sql = crate::db::Sql::built(format!("{SELECT} ORDER BY u.name, p.slack_user_id LIMIT 500"));
    db.fetch_all(sql, args![]).await
}

pub(super) async fn find(db: &Db, slack_user_id: &str) -> Result<Option<SlackPerson>> {
    let sql = crate::db::Sql::built(format!("{SELECT} WHERE p.slack_user_id = $1"));
    db.fetch_optional(sql, args![slack_user_id]).await
}

pub(super) async fn put(tx: &Tx, slack_user_id: &str, user_id: i64, by: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO slack_people (slack_user_id, user_id, added_at, added_by) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (slack_user_id) DO UPDATE SET user_id = $2, added_at = $3, added_by = $4",
        args![slack_user_id, user_id, now, by],
    )
    .await
    .map(drop)
}

/// Whether it was there.
pub(super) async fn remove(tx: &Tx, slack_user_id: &str) -> Result<bool> {
    Ok(tx.execute("DELETE FROM slack_people WHERE slack_user_id = $1", args![slack_user_id]).await? > 0)
}
