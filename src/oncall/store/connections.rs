//! Connections to PagerDuty and GoAlert, how incidents stand there, and what was heard.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Tx};
use crate::error::{Error, Result};
use crate::incidents::IncidentId;
use crate::oncall::model::connect::{ConnectionKind, Standing};

/// One connection. `Debug` shows no secret.
#[derive(Clone, sqlx::FromRow)]
pub struct Connection {
    pub id: i64,
    pub name: String,
    pub kind: String,
    pub url: String,
    pub routing_key: String,
    pub signing_secret: String,
    pub sends_from: String,
    pub team: String,
    pub enabled: bool,
    pub disabled_reason: String,
    pub last_answer: String,
    pub given_up_in_row: i64,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Connection {
    /// # Errors
    /// `Internal` for a word that no version wrote.
    pub fn kind(&self) -> Result<ConnectionKind> {
        ConnectionKind::parse(&self.kind).ok_or_else(|| Error::Internal(format!("connection of kind '{}'", self.kind)))
    }

    pub fn label(&self) -> &'static str {
        ConnectionKind::parse(&self.kind).map_or("", ConnectionKind::label)
    }
}

const SELECT: &str = "SELECT id, name, kind, url, routing_key, signing_secret, sends_from, team, enabled, \
    disabled_reason, last_answer, given_up_in_row FROM oncall_connections";

/// By name; at most 50.
pub async fn all(db: &Db) -> Result<Vec<Connection>> {
    db.fetch_all(Sql::built(format!("{SELECT} ORDER BY name LIMIT 50")), args![]).await
}

pub async fn find(db: &Db, id: i64) -> Result<Option<Connection>> {
    db.fetch_optional(Sql::built(format!("{SELECT} WHERE id = $1")), args![id]).await
}

pub async fn find_by_token(db: &Db, id: i64, hash: &str) -> Result<Option<Connection>> {
    db.fetch_optional(Sql::built(format!("{SELECT} WHERE id = $1 AND token_hash = $2")), args![id, hash]).await
}

/// `None` when the name is taken.
pub async fn insert(tx: &Tx, new: &Connection, token_hash: &str, now: Timestamp) -> Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "INSERT INTO oncall_connections (name, kind, url, routing_key, signing_secret, token_hash, sends_from, team, \
             enabled, disabled_reason, last_answer, given_up_in_row, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, TRUE, '', '', 0, $9, $9) ON CONFLICT (name) DO NOTHING RETURNING id",
            args![
                &new.name,
                &new.kind,
                &new.url,
                &new.routing_key,
                &new.signing_secret,
                token_hash,
                &new.sends_from,
                &new.team,
                now
            ],
        )
        .await?;
    Ok(row.map(|r| r.0))
}

pub async fn set_secret(tx: &Tx, id: i64, secret: &str, now: Timestamp) -> Result<u64> {
    tx.execute(
        "UPDATE oncall_connections SET signing_secret = $1, updated_at = $2 WHERE id = $3",
        args![secret, now, id],
    )
    .await
}

pub async fn enable(tx: &Tx, id: i64, enabled: bool, reason: &str, now: Timestamp) -> Result<u64> {
    tx.execute(
        "UPDATE oncall_connections SET enabled = $1, disabled_reason = $2, given_up_in_row = 0, updated_at = $3 WHERE id = $4",
        args![enabled, reason, now, id],
    )
    .await
}

pub async fn note_answer(tx: &Tx, id: i64, answer: &str, given_up_in_row: i64) -> Result<()> {
    tx.execute(
        "UPDATE oncall_connections SET last_answer = $1, given_up_in_row = $2 WHERE id = $3",
        args![answer, given_up_in_row, id],
    )
    .await
    .map(drop)
}

pub async fn delete(tx: &Tx, id: i64) -> Result<u64> {
    tx.execute("DELETE FROM oncall_connections WHERE id = $1", args![id]).await
}

/// How an incident stands on both sides.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Link {
    pub id: i64,
    pub connection_id: i64,
    pub incident_id: i64,
    pub wanted: String,
    pub remote: String,
    pub remote_id: String,
    pub attempts: i64,
}

impl Link {
    pub fn wanted(&self) -> Standing {
        Standing::parse(&self.wanted).unwrap_or(Standing::Triggered)
    }

    pub fn remote(&self) -> Option<Standing> {
        Standing::parse(&self.remote)
    }
}

const LINK: &str = "l.id, l.connection_id, l.incident_id, l.wanted, l.remote, l.remote_id, l.attempts";

/// Pairs of connection and incident that nobody has linked and that call for it: open, real, not private,
/// bad enough, of the connection's team, declared since the connection was made.
///
/// `CROSS JOIN` has SQLite begin with the few connections (mostly none), not with the incidents.
pub async fn unlinked(db: &Db, limit: i64) -> Result<Vec<(i64, i64)>> {
    db.fetch_all(
        "SELECT c.id, i.id FROM oncall_connections c CROSS JOIN incidents i \
         WHERE c.enabled AND i.severity <= c.sends_from AND i.status IN ('triage', 'investigating', 'identified', 'monitoring') AND i.kind = 'real' \
         AND i.private = FALSE AND i.created_at >= c.created_at AND (c.team = '' OR EXISTS (SELECT 1 \
             FROM incident_services x JOIN services s ON s.id = x.service_id \
             WHERE x.incident_id = i.id AND s.owner_team = c.team)) \
         AND NOT EXISTS (SELECT 1 FROM oncall_links l WHERE l.connection_id = c.id AND l.incident_id = i.id) \
         ORDER BY i.id, c.id LIMIT $1",
        args![limit],
    )
    .await
}

pub async fn insert_link(tx: &Tx, connection: i64, incident: i64, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO oncall_links (connection_id, incident_id, wanted, remote, remote_id, attempts, next_at, updated_at) \
         VALUES ($1, $2, 'triggered', '', '', 0, $3, $3) ON CONFLICT (connection_id, incident_id) DO NOTHING",
        args![connection, incident, now],
    )
    .await
    .map(drop)
}

/// Links whose incident stands otherwise than was last seen, with how it stands.
pub async fn changed(db: &Db, limit: i64) -> Result<Vec<(i64, String)>> {
    db.fetch_all(
        "SELECT id, stands FROM (SELECT l.id AS id, l.wanted AS wanted, CASE \
             WHEN i.status IN ('resolved', 'closed', 'declined', 'merged') THEN 'resolved' \
             WHEN EXISTS (SELECT 1 FROM incident_milestones m WHERE m.incident_id = i.id AND m.name = 'acknowledged' \
                 AND m.at IS NOT NULL) THEN 'acknowledged' ELSE 'triggered' END AS stands \
         FROM oncall_links l JOIN incidents i ON i.id = l.incident_id \
         JOIN oncall_connections c ON c.id = l.connection_id WHERE c.enabled \
         AND NOT (l.wanted = 'resolved' AND i.status IN ('resolved', 'closed', 'declined', 'merged'))) AS seen \
         WHERE stands <> wanted ORDER BY id LIMIT $1",
        args![limit],
    )
    .await
}

pub async fn want(tx: &Tx, link: i64, wanted: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE oncall_links SET wanted = $1, attempts = 0, next_at = $2, updated_at = $2 WHERE id = $3",
        args![wanted, now, link],
    )
    .await
    .map(drop)
}

/// Takes links that are due, for so long that a call ends before somebody else may take them.
pub async fn claim(tx: &Tx, now: Timestamp, lease_until: Timestamp, limit: i64) -> Result<Vec<Link>> {
    let sql = "UPDATE oncall_links SET lease_until = $1 WHERE id IN (SELECT l.id FROM oncall_links l \
        JOIN oncall_connections c ON c.id = l.connection_id WHERE c.enabled AND l.next_at <= $2 \
        AND (l.lease_until IS NULL OR l.lease_until <= $2) ORDER BY l.next_at, l.id LIMIT $3) \
        AND (lease_until IS NULL OR lease_until <= $2) \
        RETURNING id, connection_id, incident_id, wanted, remote, remote_id, attempts";
    tx.fetch_all(sql, args![lease_until, now, limit]).await
}

/// Lays a claimed link down again; what was changed meanwhile stays wanted.
pub async fn settle(tx: &Tx, link: &Link, next_at: Option<Timestamp>, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE oncall_links SET remote = $1, remote_id = $2, attempts = $3, \
         next_at = CASE WHEN wanted = $4 THEN $5 ELSE $6 END, lease_until = NULL, updated_at = $6 WHERE id = $7",
        args![&link.remote, &link.remote_id, link.attempts, &link.wanted, next_at, now, link.id],
    )
    .await
    .map(drop)
}

/// The link that the other side speaks of: by its own id, else by our incident's number.
pub async fn find_link(db: &Db, connection: i64, remote_id: &str, incident: Option<i64>) -> Result<Option<Link>> {
    let by_id = format!(
        "SELECT {LINK} FROM oncall_links l WHERE l.connection_id = $1 AND l.remote_id = $2 AND $2 <> '' ORDER BY l.id DESC LIMIT 1"
    );
    if let Some(link) = db.fetch_optional(Sql::built(by_id), args![connection, remote_id]).await? {
        return Ok(Some(link));
    }
    let by_incident = format!("SELECT {LINK} FROM oncall_links l WHERE l.connection_id = $1 AND l.incident_id = $2");
    db.fetch_optional(Sql::built(by_incident), args![connection, incident.unwrap_or_default()]).await
}

/// What the other side says about itself.
pub async fn hear(tx: &Tx, link: i64, remote_id: &str, remote: Option<Standing>, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE oncall_links SET remote_id = $1, remote = COALESCE($2, remote), updated_at = $3 WHERE id = $4",
        args![remote_id, remote.map(|r| r.as_str()), now, link],
    )
    .await
    .map(drop)
}

/// `false` for an event that was carried out before. Old ones are forgotten in passing.
pub async fn receive(tx: &Tx, connection: i64, event: &str, now: Timestamp) -> Result<bool> {
    tx.execute("DELETE FROM oncall_received WHERE at < $1", args![now - chrono::TimeDelta::days(30)]).await?;
    let new = tx
        .execute(
            "INSERT INTO oncall_received (connection_id, event_id, at) VALUES ($1, $2, $3) \
             ON CONFLICT (connection_id, event_id) DO NOTHING",
            args![connection, event, now],
        )
        .await?;
    Ok(new == 1)
}

/// How one incident stands elsewhere: the connection's name and kind, and the standing there.
pub async fn standings(db: &Db, incident: IncidentId) -> Result<Vec<(String, String, String)>> {
    db.fetch_all(
        "SELECT c.name, l.remote, l.wanted FROM oncall_links l JOIN oncall_connections c ON c.id = l.connection_id \
         WHERE l.incident_id = $1 ORDER BY c.name LIMIT 50",
        args![incident.0],
    )
    .await
}
