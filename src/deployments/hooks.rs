//! What rooms above add to a change's page, and what they want to hear of: they import this room, so they
//! register here, once, in `app.rs`.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::model::Deployment;
use super::sources::Merge;
use crate::accounts::Actor;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::web::Rendered;

/// A rendered part of the page.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    pub title: String,
    /// Markup from a template of the registering room.
    pub html: String,
}

impl Panel {
    /// For the page to print.
    pub fn markup(&self) -> Rendered<'_> {
        Rendered::by_template(&self.html)
    }
}

/// What the panel may look at.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub db: &'a Db,
    pub change: &'a Deployment,
    pub actor: &'a Actor,
    pub now: Timestamp,
    /// What was typed into the panel's form and why it was not taken; nothing on a fresh page.
    pub refused: Option<&'a Refused>,
}

/// A form of a panel that comes back.
#[derive(Clone, Debug, Default)]
pub struct Refused {
    pub typed: String,
    pub complaint: String,
}

/// A part of a change's page that belongs to another room: what it caused or fixed.
pub trait ChangePanel: Send + Sync {
    fn render<'a>(&'a self, context: Context<'a>) -> BoxFuture<'a, Result<Option<Panel>>>;
}

/// All that was registered. Cheap to clone.
#[derive(Clone, Default)]
pub struct Hooks(Arc<Vec<Box<dyn ChangePanel>>>);

impl Hooks {
    pub fn new(panels: Vec<Box<dyn ChangePanel>>) -> Self {
        Self(Arc::new(panels))
    }

    /// Every panel that has something to show; one that fails is left out and logged.
    pub async fn panels(&self, context: Context<'_>) -> Vec<Panel> {
        let mut shown = Vec::new();
        for hook in self.0.iter() {
            match hook.render(context).await {
                Ok(panel) => shown.extend(panel),
                Err(error) => tracing::error!(change = context.change.id, %error, "a panel failed"),
            }
        }
        shown
    }
}

/// A room that wants to hear of merged code.
pub trait MergeListener: Send + Sync {
    /// Within the delivery's transaction. Gives what was settled by it, in words for the delivery's page.
    fn merged<'a>(&'a self, tx: &'a Tx, merge: &'a Merge, now: Timestamp) -> BoxFuture<'a, Result<Vec<String>>>;
}
