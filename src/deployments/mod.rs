//! Deployments: every change of a service in an environment, whoever reports it.
//!
//! Here: reading what pipelines send ([`sources`]), joining several reports about one change, telling a
//! rollback from a deployment, the pages and the API. Not here: naming a change as the cause of an
//! incident (suspects), the inbox that deliveries wait in (alerts).

pub mod health;
pub mod model;
pub mod sources;
