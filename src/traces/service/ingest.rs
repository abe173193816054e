//! Taking spans in: answered when committed, many deliveries to a commit, bounded in memory.
//!
//! Walkthrough: the handler asks for [`SpanStore::admit`] before it reads the body; decoding and
//! [`batch::prepare`] run on a blocking thread; [`SpanStore::write`] queues the parts and waits for its
//! turn. Whoever has the turn commits everything that gathered meanwhile, so the fuller the house, the
//! fewer the commits. When memory is spoken for, senders get 503 with Retry-After and keep their spans.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::clock::{Clock, Timestamp};
use crate::db::Db;
use crate::error::{Error, Result};
use crate::services;
use crate::traces::batch::{self, Part};
use crate::traces::model::Span;
use crate::traces::store::counts::{self, Counts};
use crate::traces::store::write::{self, Names, Written};

/// Memory that deliveries in flight may take, in KiB, by [`weight_of`].
const BUDGET_KIB: u32 = 96 * 1024;
/// Bodies that may be decoded at once: more threads than cores only hold more memory.
const DECODERS: usize = 2;
/// Spans of one commit: enough to share its cost, little enough that other writers wait well under a
/// second.
const MAX_BATCH_SPANS: usize = 16_384;
/// How long after its last span a trace is taken as complete.
const QUIET: TimeDelta = TimeDelta::seconds(5);

type Answer = oneshot::Sender<Result<Written>>;

struct Inner {
    db: Db,
    clock: Clock,
    /// Bytes in flight.
    budget: Arc<Semaphore>,
    decoders: Semaphore,
    waiting: Mutex<Vec<(Vec<Part>, Answer)>>,
    /// By door, since the last commit.
    counts: Mutex<BTreeMap<String, Counts>>,
    /// Held by whoever commits; it also owns the dictionary's cache.
    committing: tokio::sync::Mutex<Names>,
}

/// The way into the store; cheap to clone.
#[derive(Clone)]
pub struct SpanStore {
    inner: Arc<Inner>,
}

/// The right to hold a delivery in memory; given back when dropped.
pub struct Admission {
    _permit: OwnedSemaphorePermit,
}

impl SpanStore {
    pub fn new(db: Db, clock: Clock) -> Self {
        Self {
            inner: Arc::new(Inner {
                db,
                clock,
                budget: Arc::new(Semaphore::new(BUDGET_KIB as usize)),
                decoders: Semaphore::new(DECODERS),
                waiting: Mutex::default(),
                counts: Mutex::default(),
                committing: tokio::sync::Mutex::default(),
            }),
        }
    }

    pub fn db(&self) -> &Db {
        &self.inner.db
    }

    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Room for a body of this length (as it travels), to be asked for before it is read.
    ///
    /// # Errors
    /// [`Error::RateLimited`] when the memory for deliveries in flight is spoken for.
    pub fn admit(&self, content_length: usize, compressed: bool) -> Result<Admission> {
        let permit = Arc::clone(&self.inner.budget)
            .try_acquire_many_owned(weight_of(content_length, compressed))
            .map_err(|_| Error::RateLimited { retry_after_s: 1 })?;
        Ok(Admission { _permit: permit })
    }

    /// Notes what came through a door; written with the next commit.
    pub fn count(&self, source: &str, counted: Counts) {
        let mut all = self.inner.counts.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(source.to_owned()).or_default().add(counted);
    }

    fn take_counts(&self) -> BTreeMap<String, Counts> {
        std::mem::take(&mut *self.inner.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes what was counted when no commit follows that would. A failure loses nothing.
    pub async fn write_counts(&self) {
        let taken = self.take_counts();
        if taken.is_empty() {
            return;
        }
        let written = async {
            let tx = self.inner.db.begin().await?;
            counts::add(&tx, hour_of(self.inner.clock.now()), &taken).await?;
            tx.commit().await
        };
        if let Err(error) = written.await {
            tracing::warn!(%error, "counts of deliveries could not be written; they are kept for the next time");
            for (source, counted) in taken {
                self.count(&source, counted);
            }
        }
    }

    /// Runs a decoder on a blocking thread, a few at a time.
    pub async fn decode<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let _turn = self.inner.decoders.acquire().await.map_err(|_| Error::Unavailable("shutting down".to_owned()))?;
        tokio::task::spawn_blocking(work).await.map_err(|e| Error::Internal(format!("decoding spans: {e}")))?
    }

    /// Stores spans; when it returns they are durable and can be found.
    pub async fn store(&self, spans: Vec<Span>) -> Result<Written> {
        let now = self.inner.clock.now();
        let parts = self.decode(move || batch::prepare(spans, now)).await?;
        self.write(parts).await
    }

    /// Commits prepared parts, together with those of others.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database is away and the sender must try again.
    pub async fn write(&self, parts: Vec<Part>) -> Result<Written> {
        if parts.is_empty() {
            return Ok(Written::default());
        }
        let (answer, mut mine) = oneshot::channel();
        self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner).push((parts, answer));
        loop {
            let turn = self.inner.committing.lock().await;
            match mine.try_recv() {
                Ok(done) => return done,
                Err(oneshot::error::TryRecvError::Closed) => {
                    return Err(Error::Unavailable("the spans were not committed".to_owned()));
                }
                Err(oneshot::error::TryRecvError::Empty) => drop(turn),
            }
            // In a task of its own: a sender that hangs up must not take others' spans with it.
            let store = self.clone();
            if tokio::spawn(async move { store.commit_waiting().await }).await.is_err() {
                return Err(Error::Unavailable("the spans were not committed".to_owned()));
            }
        }
    }

    async fn commit_waiting(&self) {
        let mut names = self.inner.committing.lock().await;
        let batch = self.take_batch();
        if batch.is_empty() {
            return;
        }
        let (parts, answers): (Vec<Vec<Part>>, Vec<Answer>) = batch.into_iter().unzip();
        let all: Vec<&Part> = parts.iter().flatten().collect();
        match self.commit(&all, &mut names).await {
            Ok(written) if answers.len() == 1 => send_all(answers, vec![Ok(written)]),
            Ok(_) => {
                let outcomes = parts.iter().map(|p| Ok(counted(p))).collect();
                send_all(answers, outcomes);
            }
            Err(Error::Unavailable(reason)) => {
                let outcomes = answers.iter().map(|_| Err(Error::Unavailable(reason.clone()))).collect();
                send_all(answers, outcomes);
            }
            Err(error) if answers.len() == 1 => send_all(answers, vec![Err(error)]),
            Err(error) => {
                // A bad delivery must stop no other.
                tracing::warn!(%error, "a batch of spans failed; its deliveries are tried one by one");
                let mut outcomes = Vec::with_capacity(parts.len());
                for one in &parts {
                    outcomes.push(self.commit(&one.iter().collect::<Vec<_>>(), &mut names).await);
                }
                send_all(answers, outcomes);
            }
        }
    }

    fn take_batch(&self) -> Vec<(Vec<Part>, Answer)> {
        let mut waiting = self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut spans = 0;
        let end = waiting
            .iter()
            .take_while(|(parts, _)| {
                let fits = spans < MAX_BATCH_SPANS;
                spans += parts.iter().map(|p| p.keys.len()).sum::<usize>();
                fits
            })
            .count();
        waiting.drain(..end).collect()
    }

    /// One transaction. The dictionary's cache is forgotten when it fails: it may hold what was undone.
    async fn commit(&self, parts: &[&Part], names: &mut Names) -> Result<Written> {
        let counted = self.take_counts();
        let outcome = self.try_commit(parts, names, &counted).await;
        if outcome.is_err() {
            *names = Names::default();
            for (source, counted) in counted {
                self.count(&source, counted);
            }
        }
        outcome
    }

    async fn try_commit(
        &self,
        parts: &[&Part],
        names: &mut Names,
        counted: &BTreeMap<String, Counts>,
    ) -> Result<Written> {
        let now = self.inner.clock.now();
        let tx = self.inner.db.begin().await?;
        for name in &write::learn_names(&tx, parts, names, now).await? {
            services::ensure_discovered(&tx, name, now).await?;
        }
        let written = write::write_parts(&tx, parts, names, now, now + QUIET).await?;
        counts::add(&tx, hour_of(now), counted).await?;
        tx.commit().await?;
        Ok(written)
    }
}

/// Answers deliveries with their outcomes; a sender that hung up needs none, its spans stand.
fn send_all(answers: Vec<Answer>, outcomes: Vec<Result<Written>>) {
    for (answer, outcome) in answers.into_iter().zip(outcomes) {
        let _ = answer.send(outcome);
    }
}

/// In a shared commit it is not told whose span was the repeated one.
fn counted(parts: &[Part]) -> Written {
    Written { new_spans: parts.iter().map(Part::span_count).sum(), ..Written::default() }
}

/// KiB that a delivery takes while it is decoded: the body, the spans made of it and their parts.
/// Compressed bodies grow about tenfold first.
fn weight_of(content_length: usize, compressed: bool) -> u32 {
    let factor = if compressed { 24 } else { 4 };
    let kib = content_length.saturating_mul(factor) / 1024 + 16;
    // A body larger than the whole budget is let in when nothing else is in flight.
    u32::try_from(kib).unwrap_or(u32::MAX).min(BUDGET_KIB)
}

fn hour_of(at: Timestamp) -> Timestamp {
    const HOUR: i64 = 3_600_000_000;
    Timestamp::from_micros(at.as_micros().div_euclid(HOUR) * HOUR)
}

/// A moment's minute.
pub(super) const fn minute_of(at: Timestamp) -> Timestamp {
    const MINUTE: i64 = 60_000_000;
    Timestamp::from_micros(at.as_micros().div_euclid(MINUTE) * MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_weighs_something_and_never_more_than_all() {
        assert_eq!(weight_of(0, false), 16);
        assert_eq!(weight_of(1024 * 1024, false), 4 * 1024 + 16);
        assert_eq!(weight_of(usize::MAX, true), BUDGET_KIB);
    }

    #[test]
    fn minutes_are_cut_downwards() {
        assert_eq!(minute_of(Timestamp::from_secs(119)), Timestamp::from_secs(60));
        assert_eq!(minute_of(Timestamp::from_secs(-1)), Timestamp::from_secs(-60));
    }
}
