//! Deployments: every change of a service in an environment, whoever reports it.
//!
//! Here: reading what pipelines send ([`sources`]), joining several reports about one change, telling a
//! rollback from a deployment, the pages and the API. Not here: naming a change as the cause of an
//! incident (suspects), the inbox that deliveries wait in (alerts).

mod actions;
mod api;
mod band;
mod columns;
pub mod evidence;
pub mod guide;
pub mod health;
pub mod hooks;
pub mod input;
mod intake;
pub mod jobs;
pub mod model;
pub mod observe;
mod panel;
mod query;
mod receive;
mod service;
mod setup;
pub mod sources;
mod store;
mod web;
mod words;

pub use actions::viewer_of;
pub use columns::LastChange;
pub use intake::{ChangesProcessor, receivable};
pub use model::{ChangeEvent, ChangeKind, ChangeSource, ChangeStatus, Deployment};
pub use panel::{RecentChanges, ServiceChanges};
pub use receive::scheme;
pub use service::{Recorded, count, environments, find, get, page, record, reports};
pub use store::health::Counted;
pub use store::{Filter, Report};
pub use web::complain;

use crate::web::Routes;

pub fn routes() -> Routes {
    web::routes().merge(api::routes()).merge(receive::routes()).merge(setup::routes())
}
