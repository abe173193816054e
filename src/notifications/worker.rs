//! From the outbox to the receivers: events are matched against rules, then each channel is worked off by
//! one node at a time.
//!
//! A node holds a channel by a lease, so messages keep their order and two nodes never send the same;
//! when a node dies, another takes its channels over as the lease ends. A slow receiver holds up only its
//! own channel.

mod routing;
mod settle;
mod turn;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::courier::{Courier, Parcel};
use super::model::Event;
use super::model::channel::Channel;
use super::render::Message;
use super::{service, store};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::random::Random;
use crate::state::AppState;

pub use super::courier::{Outcome, Tried};

/// Channels that one node works on at once.
const AT_ONCE: usize = 32;
/// Told events and their deliveries are kept so long; those with a key, longer.
const KEPT: chrono::TimeDelta = chrono::TimeDelta::days(60);
const KEYED_KEPT: chrono::TimeDelta = chrono::TimeDelta::days(400);

/// One round to its end: routes what waits and works off every channel with something due. Tells how many
/// messages went out or were tried.
///
/// # Errors
/// `Unavailable` when the database is away; the next round mends it.
pub async fn run_once(state: &AppState, courier: &Courier) -> Result<usize> {
    while routing::route_waiting(state).await? > 0 {}
    let due = store::deliveries::due_channels(&state.db, state.now()).await?;
    let turns = futures::future::join_all(due.into_iter().map(|id| turn::take(state, courier, id))).await;
    turns.into_iter().sum()
}

/// The rounds of one process, and the messages that are on their way.
#[derive(Debug)]
pub struct Worker {
    rounds: JoinHandle<()>,
    free: Arc<Semaphore>,
}

impl Worker {
    /// Begins no more, and waits (for `longest` at most) until what is on its way has arrived and is written
    /// down, so that it is not sent again after the next start.
    pub async fn stop(self, longest: Duration) {
        self.rounds.abort();
        let arrived = self.free.acquire_many(u32::try_from(AT_ONCE).unwrap_or(u32::MAX));
        if tokio::time::timeout(longest, arrived).await.is_err() {
            tracing::warn!("some notifications were still on their way");
        }
    }
}

/// Rounds until the process ends: when something is queued, and every second for what is due again.
pub fn spawn(state: AppState, courier: Courier) -> Worker {
    const PAUSE: Duration = Duration::from_secs(1);
    const BETWEEN_PRUNES: Duration = Duration::from_mins(10);
    let free = Arc::new(Semaphore::new(AT_ONCE));
    let permits = free.clone();
    let rounds = tokio::spawn(async move {
        let mut notices = state.db.subscribe();
        let mut pruned = None::<Instant>;
        loop {
            if let Err(error) = round(&state, &courier, &permits).await {
                tracing::warn!(%error, "notifications wait for the database");
                tokio::time::sleep(PAUSE).await;
            }
            let now = Instant::now();
            if pruned.is_none_or(|at| now - at > BETWEEN_PRUNES) {
                pruned = Some(now);
                if let Err(error) = prune(&state).await {
                    tracing::warn!(%error, "old notifications could not be forgotten");
                }
            }
            let queued = async { while notices.recv().await.is_ok_and(|n| n.topic != service::TOPIC) {} };
            let _ = tokio::time::timeout(PAUSE, queued).await;
            // What one commit after another queues in the same moment goes out together.
            tokio::time::sleep(PAUSE / 10).await;
        }
    });
    Worker { rounds, free }
}

/// Like [`run_once`], without waiting for slow receivers.
async fn round(state: &AppState, courier: &Courier, free: &Arc<Semaphore>) -> Result<()> {
    while routing::route_waiting(state).await? > 0 {}
    for channel in store::deliveries::due_channels(&state.db, state.now()).await? {
        let Ok(permit) = free.clone().try_acquire_owned() else { break };
        let (state, courier) = (state.clone(), courier.clone());
        tokio::spawn(async move {
            if let Err(error) = turn::take(&state, &courier, channel).await {
                tracing::warn!(channel, %error, "a notification channel's turn failed");
            }
            drop(permit);
        });
    }
    Ok(())
}

/// Forgets what was told long ago.
async fn prune(state: &AppState) -> Result<()> {
    let now = state.now();
    let tx = state.db.begin().await?;
    let gone = store::outbox::prune(&tx, now - KEPT, now - KEYED_KEPT, 5_000).await?;
    tx.commit().await?;
    if gone > 0 {
        tracing::info!(gone, "forgot old notifications");
    }
    Ok(())
}

/// One attempt outside of the outbox, for a test message.
pub async fn try_once(courier: &Courier, channel: &Channel, event: &Event, random: &Random, now: Timestamp) -> Tried {
    let id = new_message_id(random);
    let parcel = Parcel { message: Message::One(event), id: &id, now, told: Vec::new() };
    timed(courier.carry(channel, parcel, |_| async {})).await
}

fn new_message_id(random: &Random) -> String {
    format!("msg_{}", hex::encode(random.bytes::<12>()))
}

/// With how long it took.
async fn timed(trying: impl Future<Output = Tried>) -> Tried {
    let began = Instant::now();
    let tried = trying.await;
    Tried { duration_ms: i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX), ..tried }
}
