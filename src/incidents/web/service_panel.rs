//! The incidents of a service, on its page in the catalogue.

use askama::Template;
use futures::future::BoxFuture;

use crate::accounts::Actor;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::services::Service;
use crate::services::hooks::{Panel, ServicePanel};
use crate::web::Limit;

use super::super::service::lists::{self, ListQuery, Listed};

/// The newest incidents of a service; registered in `app.rs`.
pub struct ServiceIncidents;

const SHOWN: i64 = 10;

#[derive(Template)]
#[template(path = "incidents/_service_panel.html")]
struct ServicePanelPage {
    listed: Vec<Listed>,
    now: Timestamp,
}

impl ServicePanelPage {
    fn age(&self, listed: &Listed) -> String {
        listed.incident.age_words(self.now)
    }
}

impl ServicePanel for ServiceIncidents {
    fn order(&self) -> i32 {
        10
    }

    fn render<'a>(
        &'a self,
        db: &'a Db,
        service: &'a Service,
        actor: &'a Actor,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Panel>>> {
        Box::pin(async move {
            let query = ListQuery { service: service.slug.clone(), limit: Limit::new(SHOWN), ..ListQuery::default() };
            let page = lists::list(db, &query, actor.into(), 1, now).await?;
            let html = ServicePanelPage { listed: page.items, now }.render();
            Ok(Some(Panel {
                id: "incidents",
                title: "Incidents".to_owned(),
                link: format!("/incidents?service={}", service.slug),
                html: html.map_err(|e| Error::Internal(format!("rendering: {e}")))?,
            }))
        })
    }
}
