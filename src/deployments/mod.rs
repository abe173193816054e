//! Deployments: every change of a service in an environment, whoever reports it.
//!
//! Here: reading what pipelines send ([`sources`]), joining several reports about one change, telling a
//! rollback from a deployment, the pages and the API. Not here: naming a change as the cause of an
//! incident (suspects), the inbox that deliveries wait in (alerts).

pub mod evidence;
pub mod health;
pub mod input;
mod intake;
pub mod model;
mod service;
pub mod sources;
mod store;

pub use intake::{ChangesProcessor, receivable};
pub use model::{ChangeEvent, ChangeKind, ChangeSource, ChangeStatus, Deployment};
pub use service::{Recorded, count, environments, find, get, page, record, reports};
pub use store::{Filter, Report};

#[cfg(test)]
mod tests;
