//! Choosing, naming and ordering components, and how the page introduces itself.

use serde_json::json;

use crate::accounts::Actor;
use crate::audit;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::services;
use crate::status_page::model::input::{ComponentInput, NewComponent, PageInput};
use crate::status_page::store::components::{self as store, Component};
use crate::status_page::store::public::{self, Head, MAX_COMPONENTS};

pub async fn all(db: &Db) -> Result<Vec<Component>> {
    store::all(db).await
}

pub async fn head(db: &Db) -> Result<Head> {
    public::head(db).await
}

async fn changed(tx: &Tx, actor: &Actor, action: &'static str, id: i64, what: &str, now: Timestamp) -> Result<()> {
    store::touch(tx).await?;
    tx.announce("status-page");
    audit::record(tx, now, actor, action, ("status_component", &id.to_string()), &json!({ "name": what })).await
}

async fn service_id(db: &Db, new: &NewComponent) -> Result<Option<i64>> {
    let Some(slug) = &new.service else { return Ok(None) };
    let found = services::find_id(db, slug).await?;
    found.map(Some).ok_or_else(|| Error::invalid("service", format!("the catalogue has no service '{slug}'")))
}

/// # Errors
/// `Invalid` by field, also for a name that is taken and a service that is not known.
pub async fn add(tx: &Tx, input: &ComponentInput, actor: &Actor, now: Timestamp) -> Result<i64> {
    let new = input.normalize().map_err(Error::Invalid)?;
    let service = service_id(tx, &new).await?;
    if i64::try_from(store::all(tx).await?.len()).unwrap_or(i64::MAX) >= MAX_COMPONENTS {
        return Err(Error::invalid("name", format!("a page has at most {MAX_COMPONENTS} components")));
    }
    let taken = || Error::invalid("name", "is the name of another component");
    let id = store::insert(tx, &new, service, now).await?.ok_or_else(taken)?;
    changed(tx, actor, "status_page.component.add", id, &new.name, now).await?;
    Ok(id)
}

/// # Errors
/// See [`add`]; `NotFound`.
pub async fn edit(tx: &Tx, id: i64, input: &ComponentInput, actor: &Actor, now: Timestamp) -> Result<()> {
    let new = input.normalize().map_err(Error::Invalid)?;
    let service = service_id(tx, &new).await?;
    if store::name_is_taken(tx, &new.name, id).await? {
        return Err(Error::invalid("name", "is the name of another component"));
    }
    if store::update(tx, id, &new, service).await? == 0 {
        return Err(Error::not_found("That component"));
    }
    changed(tx, actor, "status_page.component.edit", id, &new.name, now).await
}

/// Takes it off the page, with its history there.
///
/// # Errors
/// `NotFound`.
pub async fn remove(tx: &Tx, id: i64, actor: &Actor, now: Timestamp) -> Result<()> {
    let name = get(tx, id).await?.name;
    store::delete(tx, id).await?;
    changed(tx, actor, "status_page.component.remove", id, &name, now).await
}

/// # Errors
/// `NotFound`.
pub async fn get(db: &Db, id: i64) -> Result<Component> {
    store::all(db).await?.into_iter().find(|c| c.id == id).ok_or_else(|| Error::not_found("That component"))
}

/// Moves it one place up or down.
///
/// # Errors
/// `NotFound`.
pub async fn shift(tx: &Tx, id: i64, up: bool, actor: &Actor, now: Timestamp) -> Result<()> {
    let mut order: Vec<i64> = store::all(tx).await?.into_iter().map(|c| c.id).collect();
    let here = order.iter().position(|c| *c == id).ok_or_else(|| Error::not_found("That component"))?;
    let there = if up { here.checked_sub(1) } else { Some(here + 1).filter(|t| *t < order.len()) };
    let Some(there) = there else { return Ok(()) };
    order.swap(here, there);
    for (position, id) in (1_i64..).zip(order) {
        store::place(tx, id, position).await?;
    }
    changed(tx, actor, "status_page.component.move", id, "", now).await
}

/// # Errors
/// `Invalid` by field.
pub async fn save_head(tx: &Tx, input: &PageInput, actor: &Actor, now: Timestamp) -> Result<()> {
    let page = input.normalize().map_err(Error::Invalid)?;
    store::save_head(tx, &page, now).await?;
    store::touch(tx).await?;
    tx.announce("status-page");
    let detail = json!({ "title": page.title, "public": page.is_public });
    audit::record(tx, now, actor, "status_page.edit", ("status_page", "1"), &detail).await
}
