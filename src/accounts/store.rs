//! SQL over users, sessions, tokens and settings.

use super::model::{Session, Token, User};
use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::Result;

#[derive(sqlx::FromRow)]
pub(super) struct Credentials {
    pub id: i64,
    pub password_hash: String,
    pub disabled_at: Option<Timestamp>,
}

#[derive(Clone, sqlx::FromRow)]
pub(super) struct SessionUser {
    pub session_id: i64,
    pub last_seen_at: Timestamp,
    pub expires_at: Timestamp,
    pub user_id: i64,
    pub name: String,
    pub role: String,
}

#[derive(sqlx::FromRow)]
pub(super) struct TokenRow {
    pub id: i64,
    pub name: String,
    pub role: String,
    pub last_used_at: Option<Timestamp>,
}

const USER: &str = "SELECT id, email, name, role, time_zone, created_at, disabled_at FROM users";

pub(super) async fn any_user(db: &Db) -> Result<bool> {
    Ok(db.fetch_optional::<(i64,)>("SELECT id FROM users LIMIT 1", args![]).await?.is_some())
}

pub(super) async fn list_users(db: &Db, limit: i64) -> Result<Vec<User>> {
    let sql = crate::db::Sql::built(format!("{USER} ORDER BY name, id LIMIT $1"));
    db.fetch_all(sql, args![limit]).await
}

pub(super) async fn find_user(db: &Db, id: i64) -> Result<Option<User>> {
    db.fetch_optional(crate::db::Sql::built(format!("{USER} WHERE id = $1")), args![id]).await
}

pub(super) async fn find_credentials(db: &Db, email: &str) -> Result<Option<Credentials>> {
    db.fetch_optional("SELECT id, password_hash, disabled_at FROM users WHERE email = $1", args![email]).await
}

/// `None` when the address is taken.
pub(super) async fn insert_user(
    tx: &Tx,
    now: Timestamp,
    (email, name, role): (&str, &str, &str),
    password_hash: &str,
) -> Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "INSERT INTO users (email, name, password_hash, role, created_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (email) DO NOTHING RETURNING id",
            args![email, name, password_hash, role, now],
        )
        .await?;
    Ok(row.map(|r| r.0))
}

pub(super) async fn update_user(tx: &Tx, id: i64, role: &str, disabled_at: Option<Timestamp>) -> Result<u64> {
    tx.execute("UPDATE users SET role = $2, disabled_at = $3 WHERE id = $1", args![id, role, disabled_at]).await
}

pub(super) async fn set_password(tx: &Tx, id: i64, hash: &str) -> Result<u64> {
    tx.execute("UPDATE users SET password_hash = $2 WHERE id = $1", args![id, hash]).await
}

pub(super) async fn admins(db: &Db) -> Result<i64> {
    db.fetch_scalar("SELECT COUNT(*) FROM users WHERE role = 'admin' AND disabled_at IS NULL", args![]).await
}

pub(super) async fn insert_session(
    tx: &Tx,
    user_id: i64,
    token_hash: &str,
    user_agent: &str,
    (now, expires_at): (Timestamp, Timestamp),
) -> Result<i64> {
    tx.insert(
        "INSERT INTO sessions (user_id, token_hash, user_agent, created_at, last_seen_at, expires_at)
         VALUES ($1, $2, $3, $4, $4, $5) RETURNING id",
        args![user_id, token_hash, user_agent, now, expires_at],
    )
    .await
}

pub(super) async fn find_session(db: &Db, token_hash: &str) -> Result<Option<SessionUser>> {
    db.fetch_optional(
        "SELECT s.id AS session_id, s.last_seen_at, s.expires_at, u.id AS user_id, u.name, u.role
         FROM sessions s JOIN users u ON u.id = s.user_id
         WHERE s.token_hash = $1 AND u.disabled_at IS NULL",
        args![token_hash],
    )
    .await
}

pub(super) async fn touch_session(tx: &Tx, id: i64, now: Timestamp) -> Result<u64> {
    tx.execute("UPDATE sessions SET last_seen_at = $2 WHERE id = $1", args![id, now]).await
}

pub(super) async fn delete_session_by_hash(tx: &Tx, token_hash: &str) -> Result<u64> {
    tx.execute("DELETE FROM sessions WHERE token_hash = $1", args![token_hash]).await
}

pub(super) async fn delete_session(tx: &Tx, user_id: i64, id: i64) -> Result<u64> {
    tx.execute("DELETE FROM sessions WHERE user_id = $1 AND id = $2", args![user_id, id]).await
}

pub(super) async fn delete_sessions_of(tx: &Tx, user_id: i64) -> Result<u64> {
    tx.execute("DELETE FROM sessions WHERE user_id = $1", args![user_id]).await
}

pub(super) async fn delete_expired_sessions(tx: &Tx, now: Timestamp, idle_since: Timestamp) -> Result<u64> {
    tx.execute("DELETE FROM sessions WHERE expires_at < $1 OR last_seen_at < $2", args![now, idle_since]).await
}

pub(super) async fn list_sessions(db: &Db, user_id: i64) -> Result<Vec<Session>> {
    db.fetch_all(
        "SELECT id, user_agent, created_at, last_seen_at, expires_at FROM sessions
         WHERE user_id = $1 ORDER BY last_seen_at DESC LIMIT 50",
        args![user_id],
    )
    .await
}

pub(super) async fn insert_token(
    tx: &Tx,
    (name, scope, role): (&str, &str, &str),
    (prefix, hash): (&str, &str),
    created_by: Option<i64>,
    now: Timestamp,
) -> Result<i64> {
    tx.insert(
        "INSERT INTO tokens (name, scope, role, prefix, token_hash, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
        args![name, scope, role, prefix, hash, created_by, now],
    )
    .await
}

pub(super) async fn find_token(db: &Db, hash: &str, scope: &str) -> Result<Option<TokenRow>> {
    db.fetch_optional(
        "SELECT id, name, role, last_used_at FROM tokens WHERE token_hash = $1 AND scope = $2 AND revoked_at IS NULL",
        args![hash, scope],
    )
    .await
}

pub(super) async fn touch_token(tx: &Tx, id: i64, now: Timestamp) -> Result<u64> {
    tx.execute("UPDATE tokens SET last_used_at = $2 WHERE id = $1", args![id, now]).await
}

pub(super) async fn revoke_token(tx: &Tx, id: i64, now: Timestamp) -> Result<u64> {
    tx.execute("UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL", args![id, now]).await
}

pub(super) async fn list_tokens(db: &Db) -> Result<Vec<Token>> {
    db.fetch_all(
        "SELECT id, name, scope, role, prefix, created_at, last_used_at, revoked_at
         FROM tokens ORDER BY id DESC LIMIT 200",
        args![],
    )
    .await
}

pub(super) async fn get_setting(db: &Db, name: &str) -> Result<Option<String>> {
    let row: Option<(String,)> = db.fetch_optional("SELECT value FROM settings WHERE name = $1", args![name]).await?;
    Ok(row.map(|r| r.0))
}

pub(super) async fn put_setting(tx: &Tx, name: &str, value: &str, now: Timestamp) -> Result<u64> {
    tx.execute(
        "INSERT INTO settings (name, value, updated_at) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
        args![name, value, now],
    )
    .await
}

pub(super) async fn delete_setting(tx: &Tx, name: &str) -> Result<u64> {
    tx.execute("DELETE FROM settings WHERE name = $1", args![name]).await
}
