//! One channel's turn: hold it, put its due deliveries into messages, send them in order.

use chrono::TimeDelta;

use super::super::courier::{Courier, Parcel};
use super::super::model::channel::Channel;
use super::super::model::{ChannelKind, Event};
use super::super::render::{DIGEST_FROM, Message};
use super::super::store;
use super::super::store::deliveries::Due;
use super::settle;
use super::{new_message_id, timed};
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::Result;
use crate::state::AppState;

/// A node that died holds its channels for so long. Longer than any one attempt takes.
const LEASE: TimeDelta = TimeDelta::seconds(90);
/// Messages of one turn; the rest waits for the next, so that a lease is short.
const MESSAGES: usize = 20;
/// Deliveries in one message.
const IN_ONE: i64 = 200;
/// A channel that was sent so many messages within `STORM_WINDOW` gets the next after `STORM_PAUSE`, with all
/// that came meanwhile in it.
const STORM_MESSAGES: i64 = 5;
const STORM_WINDOW: TimeDelta = TimeDelta::seconds(60);
const STORM_PAUSE: TimeDelta = TimeDelta::seconds(30);

/// Works off what is due on a channel, unless another node does; tells how many messages were tried.
pub(super) async fn take(state: &AppState, courier: &Courier, channel_id: i64) -> Result<usize> {
    let token = hex::encode(state.random.bytes::<8>());
    let mut tried = 0;
    while tried < MESSAGES {
        let now = state.now();
        let tx = state.db.begin().await?;
        // Held anew for each message; whoever lost the channel meanwhile stops here.
        let held = store::channels::lease(&tx, channel_id, &token, now, now + LEASE).await?;
        let Some(channel) = held else { return Ok(tried) };
        let Some(load) = next_load(state, &tx, &channel, now).await? else {
            store::channels::release(&tx, channel_id, &token).await?;
            tx.commit().await?;
            return Ok(tried);
        };
        tx.commit().await?;
        tried += 1;
        if !send(state, courier, &channel, &load).await? {
            break;
        }
    }
    let tx = state.db.begin().await?;
    store::channels::release(&tx, channel_id, &token).await?;
    tx.commit().await?;
    Ok(tried)
}

/// The deliveries of one message.
pub(super) struct Load {
    pub ids: Vec<i64>,
    pub events: Vec<Event>,
    pub message_id: String,
    /// Failed attempts so far.
    pub attempts: u32,
    pub told: Vec<String>,
}

impl Load {
    fn new(due: &[Due], message_id: String) -> Result<Self> {
        let mut told = std::collections::BTreeSet::new();
        for d in due {
            told.extend(serde_json::from_str::<Vec<String>>(&d.told)?);
        }
        let attempts = due.iter().map(|d| d.attempts).max().unwrap_or_default();
        Ok(Self {
            ids: due.iter().map(|d| d.id).collect(),
            events: due.iter().map(|d| serde_json::from_str(&d.event)).collect::<Result<_, _>>()?,
            message_id,
            attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
            told: told.into_iter().collect(),
        })
    }
}

/// What goes out next, marked with its message id so that a repeat is known as one. `None` when nothing is
/// due, or a storm is waited out.
async fn next_load(state: &AppState, tx: &Tx, channel: &Channel, now: Timestamp) -> Result<Option<Load>> {
    let mut due = store::deliveries::due(tx, channel.id, now, IN_ONE).await?;
    let Some(first) = due.first() else { return Ok(None) };
    if !first.message_id.is_empty() {
        let id = first.message_id.clone();
        return Load::new(&store::deliveries::of_message(tx, &id).await?, id).map(Some);
    }
    due.retain(|d| d.message_id.is_empty());
    if channel.digest {
        match pace(tx, channel, due.len(), now).await? {
            Pace::Hold(until) => {
                store::deliveries::hold(tx, channel.id, until).await?;
                return Ok(None);
            }
            Pace::All => {}
            Pace::One => due.truncate(1),
        }
    } else {
        due.truncate(1);
    }
    let id = new_message_id(&state.random);
    store::deliveries::set_message(tx, &due.iter().map(|d| d.id).collect::<Vec<_>>(), &id).await?;
    Load::new(&due, id).map(Some)
}

enum Pace {
    One,
    All,
    Hold(Timestamp),
}

async fn pace(tx: &Tx, channel: &Channel, due: usize, now: Timestamp) -> Result<Pace> {
    let (sent, last) = store::deliveries::sent_since(tx, channel.id, now - STORM_WINDOW).await?;
    if sent >= STORM_MESSAGES
        && let Some(last) = last
    {
        let until = last + STORM_PAUSE;
        return Ok(if now < until { Pace::Hold(until) } else { Pace::All });
    }
    Ok(if due >= DIGEST_FROM { Pace::All } else { Pace::One })
}

/// Sends one message and notes how it went; whether to go on with the next.
async fn send(state: &AppState, courier: &Courier, channel: &Channel, load: &Load) -> Result<bool> {
    let message = match load.events.as_slice() {
        [one] => Message::One(one),
        many => Message::Digest(many),
    };
    let parcel = Parcel { message, id: &load.message_id, now: state.now(), told: load.told.clone() };
    let progress = |told: Vec<String>| async move {
        // Should this fail, the worst is one mail twice, under one Message-ID.
        if let Err(error) = note_told(state, &load.ids, &told).await {
            tracing::warn!(%error, "who was sent a mail could not be noted");
        }
    };
    let tried = timed(courier.carry(channel, parcel, progress)).await;
    settle::settle(state, channel, load, &tried).await
}

async fn note_told(state: &AppState, ids: &[i64], told: &[String]) -> Result<()> {
    let tx = state.db.begin().await?;
    store::deliveries::set_told(&tx, ids, told).await?;
    tx.commit().await
}

/// Whether a receiver can tell a repeat by the message's id, so that it must stay as it is.
pub(super) const fn knows_repeats(kind: ChannelKind) -> bool {
    matches!(kind, ChannelKind::Webhook | ChannelKind::Email)
}
