//! From events to deliveries: which channels are told.

use crate::error::Result;
use crate::state::AppState;

use super::super::model::channel::Channel;
use super::super::model::{ChannelKind, Event, EventKind, channels_for};
use super::super::store;
use crate::clock::Timestamp;
use crate::db::Tx;

const AT_ONCE: i64 = 200;

/// Routes the oldest waiting events; tells how many.
pub(super) async fn route_waiting(state: &AppState) -> Result<usize> {
    let now = state.now();
    let tx = state.db.begin().await?;
    let waiting = store::outbox::take_events(&tx, AT_ONCE, now).await?;
    if waiting.is_empty() {
        return Ok(0);
    }
    let routes = store::channels::routes(&tx).await?;
    let count = waiting.len();
    for row in waiting {
        let mut event: Event = match serde_json::from_str(&row.event) {
            Ok(event) => event,
            Err(error) => {
                // Written by a newer node; telling it wrongly would be worse.
                tracing::error!(event = row.id, %error, "an event of the outbox cannot be read");
                continue;
            }
        };
        event.private |= row.hidden;
        for channel in channels_for(&event, &routes) {
            store::deliveries::insert(&tx, row.id, channel, &event, now).await?;
        }
    }
    tx.commit().await?;
    Ok(count)
}

/// That a channel was switched off: told to those who have a rule that names it, else to every other
/// channel that people read.
pub(super) async fn tell_of_disabled(tx: &Tx, off: &Channel, reason: &str, now: Timestamp) -> Result<()> {
    let event = Event {
        text: Some(reason.to_owned()),
        path: format!("/settings/notifications/{}", off.id),
        ..Event::new(EventKind::ChannelDisabled, "Faultline", off.name.clone(), now)
    };
    let asked = channels_for(&event, &store::channels::routes(tx).await?);
    let told: Vec<i64> = if asked.is_empty() {
        let all = store::channels::all(tx).await?;
        all.into_iter().filter(|c| c.enabled && c.kind != ChannelKind::Webhook).map(|c| c.id).collect()
    } else {
        asked
    };
    let event_id = store::outbox::insert_routed(tx, &serde_json::to_string(&event)?, &event.subject, now).await?;
    for channel in told.into_iter().filter(|id| *id != off.id) {
        store::deliveries::insert(tx, event_id, channel, &event, now).await?;
    }
    Ok(())
}
