//! Who leads, and who may see.

use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};

use super::super::model::record::RoleHolder;
use super::super::model::{EntryKind, IncidentId, Role};
use super::super::store::people as store;
use super::events::{self, EventKind};
use super::timeline::{Append, append_timeline};
use super::{By, announce, lock};

pub use store::Named;

/// A person to give a role or access to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub user_id: i64,
    pub name: String,
}

pub async fn roles(db: &Db, id: IncidentId) -> Result<Vec<RoleHolder>> {
    store::holders(db, id).await
}

/// Gives a role to a person, or takes it from its holder with `None`. The hand-over is recorded, and
/// the new holder may see a private incident.
pub async fn assign_role(
    tx: &Tx,
    id: IncidentId,
    role: Role,
    to: Option<&Person>,
    by: &By,
    now: Timestamp,
) -> Result<()> {
    lock(tx, id, now).await?;
    let holder = roles(tx, id).await?.into_iter().find(|h| h.role == role);
    if holder.as_ref().map(|h| h.user_id) == to.map(|p| p.user_id) {
        return Ok(());
    }
    store::release(tx, id, role, now).await?;
    if let Some(person) = to {
        store::assign(tx, id, role, person.user_id, now).await?;
        store::name(tx, id, person.user_id, now).await?;
    }
    let text = match (&holder, to) {
        (None, Some(to)) => format!("{} is now {}", to.name, role.label()),
        (Some(from), Some(to)) => format!("{} handed over {} to {}", from.name, role.label(), to.name),
        (Some(from), None) => format!("{} is no longer {}", from.name, role.label()),
        (None, None) => return Ok(()),
    };
    append_timeline(tx, id, &Append::activity(EntryKind::Role, text, now), by, now).await?;
    let detail = serde_json::json!({
        "role": role, "from": holder.map(|h| h.name), "to": to.map(|p| &p.name), "by": by.name
    });
    events::record(tx, id, EventKind::RoleAssigned, &detail, now).await?;
    announce(tx, id);
    Ok(())
}

/// Who may see the incident while it is private, besides administrators.
pub async fn named(db: &Db, id: IncidentId) -> Result<Vec<Named>> {
    store::named(db, id).await
}

/// Whether any private incident names this account.
pub async fn is_named_anywhere(db: &Db, user_id: i64) -> Result<bool> {
    store::is_named_anywhere(db, user_id).await
}

/// Lets a person see a private incident.
pub async fn grant_access(tx: &Tx, id: IncidentId, person: &Person, by: &By, now: Timestamp) -> Result<()> {
    if store::is_named(tx, id, person.user_id).await? {
        return Ok(());
    }
    store::name(tx, id, person.user_id, now).await?;
    let text = format!("{} may see this incident", person.name);
    append_timeline(tx, id, &Append::activity(EntryKind::Access, text, now), by, now).await?;
    Ok(())
}

/// Takes that away.
///
/// # Errors
/// `Conflict` for a person who holds a role: it is handed over first.
pub async fn revoke_access(tx: &Tx, id: IncidentId, person: &Person, by: &By, now: Timestamp) -> Result<()> {
    if roles(tx, id).await?.iter().any(|h| h.user_id == person.user_id) {
        return Err(Error::Conflict(format!("{} holds a role here; hand it over first", person.name)));
    }
    if !store::is_named(tx, id, person.user_id).await? {
        return Ok(());
    }
    store::unname(tx, id, person.user_id).await?;
    let text = format!("{} may not see this incident any more", person.name);
    append_timeline(tx, id, &Append::activity(EntryKind::Access, text, now), by, now).await?;
    Ok(())
}

/// The account that this names: an address, a whole name, or the part of an address before the `@`.
/// To give it a role, a task or access.
///
/// # Errors
/// `Invalid` in `field` when there is none, or when several answer to the name.
pub async fn person(db: &Db, field: &str, who: &str) -> Result<Person> {
    let who = who.trim();
    let mut found = store::accounts_called(db, who).await?;
    if found.len() > 1 {
        let all: Vec<&str> = found.iter().map(|a| a.email.as_str()).collect();
        return Err(Error::invalid(field, format!("'{who}' may be {}; write the address", all.join(" or "))));
    }
    let unknown = || Error::invalid(field, format!("nobody here has the address '{who}'"));
    found.pop().map(|a| Person { user_id: a.id, name: a.name }).ok_or_else(unknown)
}

/// Everybody who can be given something, by name; at most 200.
pub async fn people(db: &Db) -> Result<Vec<store::Account>> {
    store::accounts(db).await
}
