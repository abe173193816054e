//! The actions on the catalogue, inside the caller's transaction.

use serde_json::json;

use crate::accounts::Actor;
use crate::audit;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, FieldErrors, Result};
use crate::search::{self, Doc, DocKind};

use super::model::{Edge, NewService, Service, ServiceInput, slug_of};
use super::store::{self, Direction};

/// What a person or token sent: checked, done, and written to the audit log.
///
/// # Errors
/// `Invalid` with every complaint; see [`create`].
pub async fn create_as(tx: &Tx, input: &ServiceInput, actor: &Actor, now: Timestamp) -> Result<Service> {
    let new = input.normalize().map_err(Error::Invalid)?;
    let service = create(tx, &new, now).await?;
    let detail = json!({ "name": service.name, "owner_team": service.owner_team });
    audit::record(tx, now, actor, "service.create", ("service", &service.slug), &detail).await?;
    Ok(service)
}

/// Like [`create_as`], for [`edit`].
pub async fn edit_as(
    tx: &Tx,
    service: &Service,
    input: &ServiceInput,
    actor: &Actor,
    now: Timestamp,
) -> Result<Service> {
    let new = input.normalize().map_err(Error::Invalid)?;
    let changed = edit(tx, service, &new, now).await?;
    let detail = json!({ "name": changed.name, "owner_team": changed.owner_team, "tier": changed.tier });
    audit::record(tx, now, actor, "service.change", ("service", &service.slug), &detail).await?;
    Ok(changed)
}

/// Adds a service by hand. A discovered one with the same slug is taken over.
///
/// # Errors
/// `Invalid`: field `slug` when somebody described it before, `dependencies` naming unknown services.
pub async fn create(tx: &Tx, new: &NewService, now: Timestamp) -> Result<Service> {
    if let Some(standing) = store::find(tx, &new.slug).await? {
        if !standing.discovered {
            return Err(Error::invalid("slug", format!("'{}' is in the catalogue already", new.slug)));
        }
        return edit(tx, &standing, new, now).await;
    }
    let callees = known(tx, &new.dependencies).await?;
    let id = store::insert(tx, new, false, now).await?.ok_or_else(taken_meanwhile)?;
    store::declare_edges(tx, id, &callees).await?;
    index(tx, new, now).await?;
    tx.announce("services");
    get(tx, &new.slug).await
}

/// Describes a service; what was discovered is then known. The slug stays: links and traces name it.
///
/// # Errors
/// `Conflict` when somebody else changed it meanwhile; `Invalid` (field `dependencies`).
pub async fn edit(tx: &Tx, service: &Service, new: &NewService, now: Timestamp) -> Result<Service> {
    let callees = known(tx, &new.dependencies).await?;
    let is_stale = new.version.is_some_and(|read| read != service.version);
    if is_stale || !store::update(tx, service, new, now).await? {
        return Err(Error::Conflict("somebody else changed this service meanwhile".to_owned()));
    }
    store::declare_edges(tx, service.id, &callees).await?;
    index(tx, &NewService { slug: service.slug.clone(), ..new.clone() }, now).await?;
    tx.announce("services");
    get(tx, &service.slug).await
}

/// The slug of the service that a machine named, which is in the catalogue afterwards, marked as
/// discovered when it was not there before. A name without any letter or digit is `unknown`.
pub async fn ensure_discovered(tx: &Tx, name: &str, now: Timestamp) -> Result<String> {
    let slug = slug_of(name).unwrap_or_else(|| "unknown".to_owned());
    if store::find_id(tx, &slug).await?.is_some() {
        return Ok(slug);
    }
    let new = NewService {
        slug: slug.clone(),
        name: name.trim().chars().take(200).collect(),
        owner_team: String::new(),
        tier: 3,
        description: String::new(),
        dependencies: Vec::new(),
        version: None,
    };
    if store::insert(tx, &new, true, now).await?.is_some() {
        index(tx, &new, now).await?;
        tx.announce("services");
    }
    Ok(slug)
}

/// A call from one service to another was seen in a trace; both become part of the catalogue.
pub async fn see_dependency(tx: &Tx, caller: &str, callee: &str, at: Timestamp, now: Timestamp) -> Result<()> {
    let caller = ensure_discovered(tx, caller, now).await?;
    let callee = ensure_discovered(tx, callee, now).await?;
    if caller == callee {
        return Ok(());
    }
    let ids = (store::find_id(tx, &caller).await?, store::find_id(tx, &callee).await?);
    if let (Some(caller), Some(callee)) = ids {
        store::see_edge(tx, caller, callee, at).await?;
    }
    Ok(())
}

/// # Errors
/// `NotFound`.
pub async fn get(db: &Db, slug: &str) -> Result<Service> {
    find(db, slug).await?.ok_or_else(|| Error::not_found(format!("service {slug}")))
}

pub async fn find(db: &Db, slug: &str) -> Result<Option<Service>> {
    store::find(db, slug).await
}

pub async fn find_id(db: &Db, slug: &str) -> Result<Option<i64>> {
    store::find_id(db, slug).await
}

/// What it calls, by slug.
pub async fn dependencies(db: &Db, service: &Service) -> Result<Vec<Edge>> {
    store::edges(db, service.id, Direction::Downstream).await
}

/// What calls it, by slug.
pub async fn dependents(db: &Db, service: &Service) -> Result<Vec<Edge>> {
    store::edges(db, service.id, Direction::Upstream).await
}

async fn known(db: &Db, slugs: &[String]) -> Result<Vec<i64>> {
    let mut ids = Vec::with_capacity(slugs.len());
    let mut errors = FieldErrors::default();
    for slug in slugs {
        match store::find_id(db, slug).await? {
            Some(id) => ids.push(id),
            None => errors.add("dependencies", format!("the catalogue does not know '{slug}'")),
        }
    }
    errors.into_result()?;
    Ok(ids)
}

fn taken_meanwhile() -> Error {
    Error::Conflict("somebody else added this service meanwhile".to_owned())
}

/// Has a service found as it stands: when the index is made anew.
pub async fn reindex(tx: &Tx, slug: &str) -> Result<()> {
    let service = get(tx, slug).await?;
    let at = service.updated_at;
    let standing = NewService {
        slug: service.slug,
        name: service.name,
        owner_team: service.owner_team,
        tier: service.tier,
        description: service.description,
        dependencies: Vec::new(),
        version: None,
    };
    index(tx, &standing, at).await
}

/// Has a service found by its name, team and description.
async fn index(tx: &Tx, service: &NewService, now: Timestamp) -> Result<()> {
    let doc = Doc {
        kind: DocKind::Service,
        id: service.slug.clone(),
        title: format!("{} {}", service.slug, service.name),
        text: format!("{} {}", service.owner_team, service.description),
        url: format!("/services/{}", service.slug),
        private_incident: None,
        at: now,
    };
    search::upsert_of(tx, doc, &[&service.slug]).await
}
