//! Templates of declarations: keeping them, and finding the ones that suit.

use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};

use super::super::model::input::NewTask;
use super::super::model::template::Template;
use super::super::model::{IncidentId, TaskKind, TaskState};
use super::super::store::templates as store;
use super::declare::known_services;
use super::{By, tasks};

/// By name.
pub async fn all(db: &Db) -> Result<Vec<Template>> {
    store::all(db).await
}

/// # Errors
/// `NotFound` when there is none with this slug.
pub async fn get(db: &Db, slug: &str) -> Result<Template> {
    store::find(db, slug).await?.ok_or_else(|| Error::not_found(format!("incident template '{slug}'")))
}

/// The ones that are meant for one of these services, or for an alert of this name.
pub async fn suiting(db: &Db, services: &[String], alert: &str) -> Result<Vec<Template>> {
    Ok(all(db).await?.into_iter().filter(|t| t.suits(services, alert)).collect())
}

/// Adds the tasks and follow-ups of a template to an incident that was declared from it.
pub async fn add_tasks(tx: &Tx, id: IncidentId, template: &Template, by: &By, now: Timestamp) -> Result<()> {
    for (kind, titles) in [(TaskKind::Now, &template.tasks), (TaskKind::FollowUp, &template.follow_ups)] {
        for title in titles {
            let task =
                NewTask { title: title.clone(), kind, owner: String::new(), due_at: None, state: TaskState::Open };
            tasks::add(tx, id, &task, None, by, now).await?;
        }
    }
    Ok(())
}

/// # Errors
/// `Invalid` for unknown services and for a name that is taken.
pub async fn create(tx: &Tx, new: &Template) -> Result<Template> {
    check_services(tx, new).await?;
    if !store::insert(tx, new).await? {
        return Err(Error::invalid("name", format!("'{}' is the name of another template", new.name)));
    }
    get(tx, &new.slug).await
}

/// # Errors
/// `Conflict` when somebody else changed it meanwhile.
pub async fn update(tx: &Tx, standing: &Template, new: &Template) -> Result<Template> {
    check_services(tx, new).await?;
    if !store::update(tx, standing, new).await? {
        return Err(stale());
    }
    get(tx, &standing.slug).await
}

pub async fn delete(tx: &Tx, template: &Template) -> Result<()> {
    store::delete(tx, template.id).await
}

pub fn stale() -> Error {
    Error::Conflict("somebody else changed this template meanwhile".to_owned())
}

async fn check_services(db: &Db, template: &Template) -> Result<()> {
    known_services(db, &template.services).await?;
    if !template.for_service.is_empty() && crate::services::find_id(db, &template.for_service).await?.is_none() {
        let message = format!("the catalogue does not know '{}'", template.for_service);
        return Err(Error::invalid("for_service", message));
    }
    Ok(())
}
