//! The newest change of each service, in the catalogue's list.

use futures::future::BoxFuture;

use super::store;
use crate::accounts::Actor;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::Result;
use crate::services::Service;
use crate::services::hooks::{Cell, ServiceColumn};

/// Version and time of the last change; registered in `app.rs`.
pub struct LastChange;

impl ServiceColumn for LastChange {
    fn order(&self) -> i32 {
        30
    }

    fn title(&self) -> &'static str {
        "Last change"
    }

    fn cells<'a>(
        &'a self,
        db: &'a Db,
        services: &'a [Service],
        _: &'a Actor,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Cell>>> {
        Box::pin(async move {
            let rows = store::latest(db, services.iter().map(|s| s.id)).await?;
            let cell = |row: store::Latest| Cell {
                service_id: row.service_id,
                text: row.version,
                link: format!("/deployments/{}", row.id),
                at: Some(row.at),
                urgent: false,
            };
            Ok(rows.into_iter().map(cell).collect())
        })
    }
}
