//! What follows from an attempt: done, later, or given up; and for the channel, off when that lasts.

use super::super::backoff;
use super::super::courier::{Outcome, Tried};
use super::super::model::channel::Channel;
use super::super::store::{channels, deliveries};
use super::routing;
use super::turn::{Load, knows_repeats};
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::Result;
use crate::state::AppState;

/// The topic of pages that show deliveries.
pub const TOPIC: &str = "notifications";

/// Notes an attempt; whether the next message may be tried right away.
pub(super) async fn settle(state: &AppState, channel: &Channel, load: &Load, tried: &Tried) -> Result<bool> {
    let now = state.now();
    let tx = state.db.begin().await?;
    deliveries::add_attempts(&tx, &load.ids, now, tried.http_status, &tried.answer, tried.duration_ms).await?;
    let go_on = match tried.outcome {
        Outcome::Delivered => {
            deliveries::set_sent(&tx, &load.ids, now).await?;
            channels::note_success(&tx, channel.id).await?;
            if channel.failing_since.is_some() {
                deliveries::hurry(&tx, channel.id, now).await?;
            }
            true
        }
        Outcome::Nobody => {
            deliveries::set_over(&tx, &load.ids, "dropped").await?;
            true
        }
        Outcome::Never { gone } => {
            deliveries::set_over(&tx, &load.ids, "failed").await?;
            !failed(&tx, channel, load.ids.len(), gone, &tried.answer, now).await?
        }
        Outcome::Later { retry_after_s } => {
            let pause = backoff::next_pause(load.attempts + 1, retry_after_s, jitter(state));
            let given_up = match pause {
                Some(pause) => {
                    let keep = knows_repeats(channel.kind);
                    deliveries::set_later(&tx, &load.ids, now + pause, keep).await?;
                    // What else waits would meet the same; it does not count as an attempt.
                    let rest = backoff::next_pause(1, retry_after_s, 0.0).unwrap_or_default();
                    deliveries::hold(&tx, channel.id, now + rest).await?;
                    0
                }
                None => {
                    deliveries::set_over(&tx, &load.ids, "failed").await?;
                    load.ids.len()
                }
            };
            failed(&tx, channel, given_up, false, &tried.answer, now).await?;
            false
        }
    };
    tx.announce(TOPIC);
    tx.commit().await?;
    Ok(go_on)
}

/// In 0..1.
fn jitter(state: &AppState) -> f64 {
    f64::from(u16::from_le_bytes(state.random.bytes())) / f64::from(u16::MAX)
}

/// Counts a failure; whether the channel was switched off for it.
async fn failed(tx: &Tx, channel: &Channel, given_up: usize, gone: bool, answer: &str, now: Timestamp) -> Result<bool> {
    let given_up = i64::from(given_up > 0);
    let (in_row, since) = channels::note_failure(tx, channel.id, given_up, now).await?;
    let lasting = now - since;
    let reason = if gone {
        "the receiver answered that it is gone for good (410)".to_owned()
    } else if in_row >= i64::from(backoff::DISABLE_AFTER) {
        format!("{in_row} messages in a row could not be delivered; the last answer: {answer}")
    } else if lasting >= backoff::DISABLE_AFTER_FAILING {
        format!("nothing was delivered for {}; the last answer: {answer}", crate::clock::human_duration(lasting))
    } else {
        return Ok(false);
    };
    if channels::set_enabled(tx, channel.id, false, &reason, now).await? {
        let dropped = deliveries::drop_waiting(tx, channel.id).await?;
        tracing::warn!(channel = channel.name, dropped, %reason, "notification channel switched off");
        routing::tell_of_disabled(tx, channel, &reason, now).await?;
        tx.announce(super::service::TOPIC);
    }
    Ok(true)
}
