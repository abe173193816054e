//! `/live`: tells open pages that what they show has changed (Server-Sent Events). Only topics travel,
//! never content: the page then asks again, with its own rights.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use tokio_stream::wrappers::BroadcastStream;

use crate::accounts::Actor;
use crate::db::{EVERYTHING, Mark, Missed, Notice};
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
    /// How old the page is; a browser that comes back says it by `Last-Event-ID`, which is newer.
    since: String,
}

/// Greets with `hello`, and says `changed` with the topic, or with `*` when everything may have
/// changed. The id of each change is where to go on after a break.
pub(super) async fn stream(
    State(state): State<AppState>,
    actor: Actor,
    headers: HeaderMap,
    Query(query): Query<LiveQuery>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let topics: Arc<[String]> = query.topics.split_whitespace().take(MAX_TOPICS).map(str::to_owned).collect();
    let last_seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(Mark::parse);
    // Without an id: what was missed is told after it, and a break in between must not skip that.
    // With data: a browser drops an event that has none.
    let hello = Event::default().event("hello").data("live");
    let (receiver, missed) = state.db.subscribe_since(last_seen.or_else(|| Mark::parse(&query.since)));
    let missed = match missed {
        Missed::Notices(notices) => notices.into_iter().map(Ok).collect(),
        Missed::Unknown => vec![Err(())],
    };
    let notices = stream::iter(missed).chain(BroadcastStream::new(receiver).map(|notice| notice.map_err(drop)));
    let viewer = Viewer::from(&actor);
    let events = notices.filter_map(move |notice| {
        let (state, topics) = (state.clone(), Arc::clone(&topics));
        async move { told(&state, viewer, &topics, notice).await }
    });
    let stream = stream::iter([hello]).chain(events).take_until(Box::pin(tokio::time::sleep(LIFETIME))).map(Ok);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(20))))
}

/// The event of a notice, if the page shows its topic and its reader may know of it. An error says
/// that the page fell behind.
async fn told(state: &AppState, viewer: Viewer, topics: &[String], notice: Result<Notice, ()>) -> Option<Event> {
    let Ok(Notice { mark, topic }) = notice else {
        return Some(Event::default().event("changed").id(state.db.mark().to_string()).data(EVERYTHING));
    };
    let wanted = topic == EVERYTHING || (topics.contains(&topic) && may_know(state, viewer, &topic).await);
    wanted.then(|| Event::default().event("changed").id(mark.to_string()).data(topic))
}

/// Even that a private incident changed is not told to those who may not see it.
async fn may_know(state: &AppState, viewer: Viewer, topic: &str) -> bool {
    match topic.strip_prefix("incident:").map(IncidentId::parse) {
        None => true,
        Some(None) => false,
        Some(Some(id)) => get_visible(&state.db, id, viewer).await.is_ok(),
    }
}
