//! The open incidents of each service, in the catalogue's list.

use futures::future::BoxFuture;

use crate::accounts::Actor;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::Result;
use crate::incidents::store::lists::open_by_service;
use crate::services::Service;
use crate::services::hooks::{Cell, ServiceColumn};

/// Open incidents that the reader may see; registered in `app.rs`.
pub struct OpenIncidents;

impl ServiceColumn for OpenIncidents {
    fn order(&self) -> i32 {
        10
    }

    fn title(&self) -> &'static str {
        "Open"
    }

    fn cells<'a>(
        &'a self,
        db: &'a Db,
        services: &'a [Service],
        actor: &'a Actor,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Cell>>> {
        Box::pin(async move {
            let rows = open_by_service(db, services.iter().map(|s| s.id), actor.into()).await?;
            let cell = |(service_id, count, worst): (i64, i64, String)| {
                let slug = services.iter().find(|s| s.id == service_id).map(|s| &s.slug)?;
                let text = if count == 1 { worst } else { format!("{count}, {worst}") };
                let link = format!("/incidents?status=open&service={slug}");
                Some(Cell { service_id, text, link, at: None, urgent: true })
            };
            Ok(rows.into_iter().filter_map(cell).collect())
        })
    }
}
