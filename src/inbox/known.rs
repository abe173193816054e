//! What the doors read of a sender, remembered for a moment: in a storm the same token and the same source come
//! thousands of times a second.
//!
//! A revoked token or a new secret is noticed at once on the node where it was changed and on every other that
//! hears of it, and within [`FRESH`] everywhere.

use std::sync::Arc;

use chrono::TimeDelta;
use quick_cache::sync::Cache;

use super::model::Kind;
use super::store::{self, DOORS, SourceSettings};
use crate::accounts::{Actor, Scope, service as accounts};
use crate::clock::Timestamp;
use crate::db::{Db, Watch};
use crate::error::Result;
use crate::state::AppState;

/// How long something remembered is used.
pub const FRESH: TimeDelta = TimeDelta::seconds(1);
/// Senders and sources that are remembered at once.
const MOST: usize = 1_000;

/// Something read, with the count of notices and the moment before it was read.
#[derive(Clone)]
struct Read<T> {
    count: u64,
    at: Timestamp,
    value: T,
}

/// The memory of one node's doors.
pub struct Known {
    watch: Watch,
    /// By the token's digest; only tokens that are valid.
    senders: Cache<String, Read<Actor>>,
    settings: Cache<(Kind, String), Read<Arc<SourceSettings>>>,
}

impl Known {
    pub fn new(db: &Db) -> Self {
        let watch = db.watch(&[accounts::TOKENS, DOORS]);
        Self { watch, senders: Cache::new(MOST), settings: Cache::new(MOST) }
    }

    fn is_fresh<T>(&self, read: &Read<T>, now: Timestamp) -> bool {
        read.count == self.watch.count() && read.at <= now && now - read.at < FRESH
    }

    /// Who sends with this token; nobody when it is not valid.
    pub async fn sender(&self, state: &AppState, token: &str) -> Result<Option<Actor>> {
        let (now, count, key) = (state.now(), self.watch.count(), accounts::digest(token));
        if let Some(read) = self.senders.get(&key).filter(|read| self.is_fresh(read, now)) {
            return Ok(Some(read.value));
        }
        let found = accounts::find_by_token(state, token, Scope::Ingest).await?;
        match &found {
            Some(actor) => self.senders.insert(key, Read { count, at: now, value: actor.clone() }),
            None => drop(self.senders.remove(&key)),
        }
        Ok(found)
    }

    /// Secrets and mapping of a source.
    pub async fn settings(&self, state: &AppState, kind: Kind, source: &str) -> Result<Arc<SourceSettings>> {
        let (now, count, key) = (state.now(), self.watch.count(), (kind, source.to_owned()));
        if let Some(read) = self.settings.get(&key).filter(|read| self.is_fresh(read, now)) {
            return Ok(read.value);
        }
        let found = Arc::new(store::settings(&state.db, kind, source).await?);
        self.settings.insert(key, Read { count, at: now, value: found.clone() });
        Ok(found)
    }
}
