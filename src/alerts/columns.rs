//! How many alerts of each service fire, in the catalogue's list.

use futures::future::BoxFuture;

use super::store::firing::firing_by_service;
use crate::accounts::Actor;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::Result;
use crate::services::Service;
use crate::services::hooks::{Cell, ServiceColumn};

/// Firing alerts that are no noise; registered in `app.rs`.
pub struct FiringAlerts;

impl ServiceColumn for FiringAlerts {
    fn order(&self) -> i32 {
        20
    }

    fn title(&self) -> &'static str {
        "Firing"
    }

    fn cells<'a>(
        &'a self,
        db: &'a Db,
        services: &'a [Service],
        _: &'a Actor,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Cell>>> {
        Box::pin(async move {
            let rows = firing_by_service(db, services.iter().map(|s| &*s.slug)).await?;
            let cell = |(slug, count): (String, i64)| {
                let service = services.iter().find(|s| s.slug == slug)?;
                let text = if count == 1 { "1 alert".to_owned() } else { format!("{count} alerts") };
                Some(Cell {
                    service_id: service.id,
                    text,
                    link: format!("/alerts?service={slug}"),
                    at: None,
                    urgent: true,
                })
            };
            Ok(rows.into_iter().filter_map(cell).collect())
        })
    }
}
