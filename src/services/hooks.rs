//! What other rooms add to a service's page: they import this room, so they register here, once, in
//! `app.rs`.

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::accounts::Actor;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::Result;
use crate::web::Rendered;

use super::model::Service;

/// A rendered part of the page.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    /// The URL's fragment.
    pub id: &'static str,
    pub title: String,
    /// The page with all of it, as a path; empty for none.
    pub link: String,
    /// Markup from a template of the registering room.
    pub html: String,
}

impl Panel {
    /// For the page to print.
    pub fn markup(&self) -> Rendered<'_> {
        Rendered::by_template(&self.html)
    }
}

/// A part of a service's page that belongs to another room: its incidents, its alerts, its changes.
pub trait ServicePanel: Send + Sync {
    /// Panels stand in this order: incidents 10, deployments 20, alerts 30, traces 40, runbooks 50.
    fn order(&self) -> i32;
    fn render<'a>(
        &'a self,
        db: &'a Db,
        service: &'a Service,
        actor: &'a Actor,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Panel>>>;
}

/// All that was registered. Cheap to clone.
#[derive(Clone, Default)]
pub struct Hooks(Arc<Vec<Box<dyn ServicePanel>>>);

impl Hooks {
    pub fn new(mut panels: Vec<Box<dyn ServicePanel>>) -> Self {
        panels.sort_by_key(|p| p.order());
        Self(Arc::new(panels))
    }

    /// Every panel that has something to show; one that fails is left out and logged.
    pub async fn panels(&self, db: &Db, service: &Service, actor: &Actor, now: Timestamp) -> Vec<Panel> {
        let mut shown = Vec::new();
        for hook in self.0.iter() {
            match hook.render(db, service, actor, now).await {
                Ok(panel) => shown.extend(panel),
                Err(error) => tracing::error!(service = service.slug, %error, "a panel failed"),
            }
        }
        shown
    }
}
