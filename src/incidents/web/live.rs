//! `/live`: tells open pages that what they show has changed (Server-Sent Events). Only topics travel,
//! never content: the page then asks again, with its own rights.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures::{Stream, StreamExt};
use serde::Deserialize;
use tokio_stream::wrappers::BroadcastStream;

use crate::accounts::Actor;
use crate::db::Notice;
use crate::error::Result;
use crate::state::AppState;

use super::super::model::IncidentId;
use super::super::service::get_visible;
use super::super::store::lists::Viewer;

/// A stream ends after this long; the browser opens another one, which checks the session again.
const LIFETIME: Duration = Duration::from_mins(15);

/// Topics of one page; more are not looked at.
const MAX_TOPICS: usize = 16;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct LiveQuery {
    /// Separated by spaces.
    topics: String,
}

pub(super) async fn stream(
    State(state): State<AppState>,
    actor: Actor,
    Query(query): Query<LiveQuery>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let topics: Vec<String> = query.topics.split_whitespace().take(MAX_TOPICS).map(str::to_owned).collect();
    let notices = BroadcastStream::new(state.db.subscribe());
    let viewer = Viewer::from(&actor);
    let events = notices.filter_map(move |notice| {
        let (state, topics) = (state.clone(), topics.clone());
        async move {
            match notice {
                Ok(Notice { topic }) => {
                    let wanted = topics.contains(&topic) && may_know(&state, viewer, &topic).await;
                    wanted.then(|| Event::default().event("changed").data(topic))
                }
                // It fell behind: everything may have changed.
                Err(_) => Some(Event::default().event("changed").data("*")),
            }
        }
    });
    // The first event tells the page that it is connected; after a break it then asks again.
    let hello = futures::stream::once(async { Event::default().event("hello").data("") });
    let stream = hello.chain(events).take_until(Box::pin(tokio::time::sleep(LIFETIME))).map(Ok);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(20))))
}

/// Even that a private incident changed is not told to those who may not see it.
async fn may_know(state: &AppState, viewer: Viewer, topic: &str) -> bool {
    match topic.strip_prefix("incident:").map(IncidentId::parse) {
        None => true,
        Some(None) => false,
        Some(Some(id)) => get_visible(&state.db, id, viewer).await.is_ok(),
    }
}
