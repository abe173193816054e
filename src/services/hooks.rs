//! What other rooms add to a service's page: they import this room, so they register here, once, in
//! `app.rs`.

use std::collections::HashMap;
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

/// What another room says of one service in the catalogue's list.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    pub service_id: i64,
    pub text: String,
    /// A path of ours.
    pub link: String,
    /// When it happened, if it has a time.
    pub at: Option<Timestamp>,
    /// Something is wrong now.
    pub urgent: bool,
}

/// A column of the catalogue's list that belongs to another room. One query for the whole page.
pub trait ServiceColumn: Send + Sync {
    /// Columns stand in this order: incidents 10, alerts 20, deployments 30, on-call 40.
    fn order(&self) -> i32;
    fn title(&self) -> &'static str;
    fn cells<'a>(
        &'a self,
        db: &'a Db,
        services: &'a [Service],
        actor: &'a Actor,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Cell>>>;
}

/// A column with the cell of each service that has one, by the service's id.
pub struct Column {
    pub title: &'static str,
    cells: HashMap<i64, Cell>,
}

impl Column {
    pub fn cell(&self, service: &Service) -> Option<&Cell> {
        self.cells.get(&service.id)
    }
}

/// All that was registered. Cheap to clone.
#[derive(Clone, Default)]
pub struct Hooks {
    panels: Arc<Vec<Box<dyn ServicePanel>>>,
    columns: Arc<Vec<Box<dyn ServiceColumn>>>,
}

impl Hooks {
    pub fn new(mut panels: Vec<Box<dyn ServicePanel>>, mut columns: Vec<Box<dyn ServiceColumn>>) -> Self {
        panels.sort_by_key(|p| p.order());
        columns.sort_by_key(|c| c.order());
        Self { panels: Arc::new(panels), columns: Arc::new(columns) }
    }

    /// Every column, filled for these services; one that fails is left out and logged.
    pub async fn columns(&self, db: &Db, services: &[Service], actor: &Actor, now: Timestamp) -> Vec<Column> {
        let mut filled = Vec::with_capacity(self.columns.len());
        for hook in self.columns.iter() {
            match hook.cells(db, services, actor, now).await {
                Ok(cells) => {
                    let cells = cells.into_iter().map(|c| (c.service_id, c)).collect();
                    filled.push(Column { title: hook.title(), cells });
                }
                Err(error) => tracing::error!(column = hook.title(), %error, "a column failed"),
            }
        }
        filled
    }

    /// Every panel that has something to show; one that fails is left out and logged.
    pub async fn panels(&self, db: &Db, service: &Service, actor: &Actor, now: Timestamp) -> Vec<Panel> {
        let mut shown = Vec::new();
        for hook in self.panels.iter() {
            match hook.render(db, service, actor, now).await {
                Ok(panel) => shown.extend(panel),
                Err(error) => tracing::error!(service = service.slug, %error, "a panel failed"),
            }
        }
        shown
    }
}
