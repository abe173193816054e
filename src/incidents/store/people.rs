//! Roles, and who may see a private incident.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx, like_contains};
use crate::error::Result;
use crate::incidents::model::record::RoleHolder;
use crate::incidents::model::{IncidentId, Role};

use super::word;

/// Who holds a role now.
pub async fn holders(db: &Db, id: IncidentId) -> Result<Vec<RoleHolder>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        role: String,
        user_id: i64,
        name: String,
        email: String,
        assigned_at: Timestamp,
    }
    let rows = db.fetch_all::<Row>("SELECT r.role, r.user_id, u.name, u.email, r.assigned_at FROM incident_roles r JOIN users u ON u.id = r.user_id \
         WHERE r.incident_id = $1 AND r.released_at IS NULL", args![id.0]).await?;
    let mut holders = rows
        .into_iter()
        .map(|r| {
            Ok(RoleHolder {
                role: word(Role::parse, &r.role, "role")?,
                user_id: r.user_id,
                name: r.name,
                email: r.email,
                since: r.assigned_at,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    holders.sort_by_key(|h| h.role);
    Ok(holders)
}

pub async fn release(tx: &Tx, id: IncidentId, role: Role, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE incident_roles SET released_at = $1 WHERE incident_id = $2 AND role = $3 AND released_at IS NULL",
        args![now, id.0, role.as_str()],
    )
    .await?;
    Ok(())
}

pub async fn assign(tx: &Tx, id: IncidentId, role: Role, user_id: i64, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO incident_roles (incident_id, role, user_id, assigned_at) VALUES ($1, $2, $3, $4)",
        args![id.0, role.as_str(), user_id, now],
    )
    .await?;
    Ok(())
}

/// A person who was named for a private incident.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Named {
    pub user_id: i64,
    pub name: String,
    pub email: String,
}

/// By name; at most 500.
pub async fn named(db: &Db, id: IncidentId) -> Result<Vec<Named>> {
    let rows = db
        .fetch_all::<Named>(
            "SELECT p.user_id, u.name, u.email FROM incident_people p JOIN users u ON u.id = p.user_id \
         WHERE p.incident_id = $1 ORDER BY u.name, u.id LIMIT 500",
            args![id.0],
        )
        .await?;
    Ok(rows)
}

/// Whether any private incident names this account.
pub async fn is_named_anywhere(db: &Db, user_id: i64) -> Result<bool> {
    let found = db
        .fetch_optional::<(i64,)>("SELECT user_id FROM incident_people WHERE user_id = $1 LIMIT 1", args![user_id])
        .await?;
    Ok(found.is_some())
}

pub async fn is_named(db: &Db, id: IncidentId, user_id: i64) -> Result<bool> {
    let row: Option<(i64,)> = db
        .fetch_optional(
            "SELECT user_id FROM incident_people WHERE incident_id = $1 AND user_id = $2",
            args![id.0, user_id],
        )
        .await?;
    Ok(row.is_some())
}

pub async fn name(tx: &Tx, id: IncidentId, user_id: i64, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO incident_people (incident_id, user_id, added_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        args![id.0, user_id, now],
    )
    .await?;
    Ok(())
}

pub async fn unname(tx: &Tx, id: IncidentId, user_id: i64) -> Result<()> {
    tx.execute("DELETE FROM incident_people WHERE incident_id = $1 AND user_id = $2", args![id.0, user_id]).await?;
    Ok(())
}

/// An account that can be given work.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Account {
    pub id: i64,
    pub name: String,
    pub email: String,
}

/// Who answers to this address; else to this name or this part before the `@`. At most 3.
pub async fn accounts_called(db: &Db, who: &str) -> Result<Vec<Account>> {
    let who = who.to_lowercase();
    let by_address = db
        .fetch_optional::<Account>(
            "SELECT id, name, email FROM users WHERE email = $1 AND disabled_at IS NULL",
            args![&who],
        )
        .await?;
    if who.is_empty() || who.contains('@') || by_address.is_some() {
        return Ok(by_address.into_iter().collect());
    }
    let at_any_host = like_contains(&format!("{who}@"));
    db.fetch_all::<Account>(
        "SELECT id, name, email FROM users WHERE disabled_at IS NULL AND (LOWER(name) = $1 OR email LIKE $2 ESCAPE '\\') \
         ORDER BY id LIMIT 3",
        args![&who, at_any_host.trim_start_matches('%')],
    )
    .await
}

/// By name, for choosing; at most 200.
pub async fn accounts(db: &Db) -> Result<Vec<Account>> {
    db.fetch_all::<Account>(
        "SELECT id, name, email FROM users WHERE disabled_at IS NULL ORDER BY name, id LIMIT 200",
        args![],
    )
    .await
}
