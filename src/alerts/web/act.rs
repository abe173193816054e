//! Forms over many alerts, and taking them back.

use axum::extract::Path;
use axum::response::Response;
use axum_extra::extract::Form;
use serde::Deserialize;

use crate::alerts::api::ListQuery;
use crate::alerts::seen::Asker;
use crate::alerts::service::bulk;
use crate::alerts::store;
use crate::error::{Error, Result};
use crate::incidents::{self, IncidentId};
use crate::web::{Cx, redirect_with_flash};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BulkForm {
    id: Vec<i64>,
    all: String,
    #[serde(rename = "do")]
    action: String,
    incident: String,
    back: String,
}

impl BulkForm {
    /// Back to the list that the form was on; never to another site.
    fn back(&self) -> &str {
        let is_ours = self.back.starts_with("/alerts") || self.back.starts_with("/incidents/");
        if is_ours && !self.back.contains(['\\', '\r', '\n']) { &self.back } else { "/alerts" }
    }

    /// The chosen alerts, or all that the list's own query matches.
    async fn ids(&self, cx: &Cx) -> Result<Vec<i64>> {
        if self.all != "yes" {
            return Ok(self.id.clone());
        }
        let query = self.back().split_once('?').map_or("", |(_, q)| q);
        let query: ListQuery = serde_urlencoded_query(query)?;
        store::ids(&cx.state.db, &query.filter(cx.now())?, bulk::MOST).await
    }
}

fn serde_urlencoded_query(query: &str) -> Result<ListQuery> {
    let uri: axum::http::Uri = format!("/?{query}").parse().map_err(|_| Error::invalid("back", "is not a list"))?;
    let parsed = axum::extract::Query::<ListQuery>::try_from_uri(&uri);
    parsed.map(|q| q.0).map_err(|_| Error::invalid("back", "is not a list"))
}

pub(super) async fn bulk(cx: Cx, Form(form): Form<BulkForm>) -> Result<Response> {
    let asker = Asker::of(cx.actor()?);
    let (by, now) = (asker.by(), cx.now());
    let ids = form.ids(&cx).await?;
    if ids.is_empty() {
        return Ok(redirect_with_flash(form.back(), "Choose at least one alert first."));
    }
    let target = match form.action.as_str() {
        "move" => {
            let id = IncidentId::parse(&form.incident).ok_or_else(|| Error::invalid("incident", "write INC-n"))?;
            Some(incidents::get_visible(&cx.state.db, id, asker.viewer()).await?.id)
        }
        _ => None,
    };
    let tx = cx.state.db.begin().await?;
    let what = match form.action.as_str() {
        "acknowledge" => bulk::each_firing(&tx, &ids, false, &by, now).await?,
        "resolve" => bulk::each_firing(&tx, &ids, true, &by, now).await?,
        "noise" => bulk::mark_noise(&tx, &ids, true, &by, now).await?,
        "not_noise" => bulk::mark_noise(&tx, &ids, false, &by, now).await?,
        "split" | "move" => bulk::move_to(&tx, &ids, target, &by, now).await?,
        _ => return Err(Error::invalid("do", "is none of the buttons")),
    };
    tx.commit().await?;
    Ok(redirect_with_flash(form.back(), &format!("Done: {what}.")))
}

pub(super) async fn undo(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    let by = Asker::of(cx.actor()?).by();
    let tx = cx.state.db.begin().await?;
    bulk::take_back(&tx, id, &by, cx.now()).await?;
    tx.commit().await?;
    Ok(redirect_with_flash("/alerts", "Taken back."))
}
