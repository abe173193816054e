//! The inbox at work: committing deliveries, processing them exactly once, replaying.

mod commit;
mod run;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::TimeDelta;
use futures::future::BoxFuture;

use super::body::KEPT_OF_REFUSED;
use super::known::Known;
use super::model::{Delivery, Kind, Status, retry_after_s};
use super::rate::{Limit, Limiter};
use super::readings::{Arrival, Reading, Readings};
use super::store::{self, NewDelivery};
use crate::clock::Clock;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use commit::Queue;

/// A remark about a delivery that was processed, for the admin: its id and a sentence.
pub type Remark = (i64, String);

/// What a room does with the deliveries of its kind. It must be idempotent, because an admin may
/// replay a delivery that was processed before.
pub trait Processor: Send + Sync {
    /// Does the work of all `arrivals` within `tx`, the oldest first. An error undoes all of it;
    /// the inbox then offers them one by one, so that a bad one stops no other. An error that a
    /// retry may mend is [`Error::Unavailable`]; any other marks the delivery as failed, to wait
    /// for a replay.
    fn process<'a>(&'a self, tx: &'a Tx, arrivals: Vec<Arrival>) -> BoxFuture<'a, Result<Vec<Remark>>>;

    /// Reads the body without touching anything, to tell the sender at once when it cannot be read
    /// (400). What it read may come back with the delivery in place of the body. The default takes
    /// everything and reads nothing.
    ///
    /// # Errors
    /// [`Error::BadRequest`] with the place and the reason.
    fn check(&self, _delivery: &Delivery) -> Result<Option<Reading>> {
        Ok(None)
    }
}

/// How many are processed in one. Repeats of one alert fold into one row, so in a storm larger is cheaper.
const PROCESSED: usize = 1_024;
/// The notice that wakes every node's worker.
const ARRIVED: &str = "inbox";

struct Inner {
    db: Db,
    clock: Clock,
    limiter: Limiter,
    known: Known,
    processors: RwLock<HashMap<Kind, Arc<dyn Processor>>>,
    queue: Queue,
    readings: Readings,
    /// Held by whoever processes on this node.
    processing: tokio::sync::Mutex<()>,
}

/// The inbox of one node; cheap to clone.
#[derive(Clone)]
pub struct Inbox {
    inner: Arc<Inner>,
}

impl Inbox {
    pub fn new(db: Db, clock: Clock, limit: Limit) -> Self {
        Self {
            inner: Arc::new(Inner {
                known: Known::new(&db),
                db,
                clock,
                limiter: Limiter::new(limit),
                processors: RwLock::default(),
                queue: Queue::default(),
                readings: Readings::default(),
                processing: tokio::sync::Mutex::default(),
            }),
        }
    }

    /// Names who processes deliveries of a kind; called once for each kind when the app starts.
    pub fn register(&self, kind: Kind, processor: Arc<dyn Processor>) {
        self.inner.processors.write().unwrap_or_else(PoisonError::into_inner).insert(kind, processor);
    }

    fn processor(&self, kind: Kind) -> Option<Arc<dyn Processor>> {
        self.inner.processors.read().unwrap_or_else(PoisonError::into_inner).get(&kind).cloned()
    }

    pub fn db(&self) -> &Db {
        &self.inner.db
    }

    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// What the doors remember of their senders.
    pub(super) fn known(&self) -> &Known {
        &self.inner.known
    }

    /// Takes one delivery out of the sender's bucket.
    ///
    /// # Errors
    /// [`Error::RateLimited`] with the seconds to wait.
    pub fn limit(&self, sender: &str) -> Result<()> {
        self.inner
            .limiter
            .take(sender, self.inner.clock.now())
            .map_err(|retry_after_s| Error::RateLimited { retry_after_s })
    }

    /// Commits a delivery that is to be processed, and gives its id once it is durable. Deliveries
    /// that arrive while another commit runs share the next one.
    ///
    /// # Errors
    /// [`Error::BadRequest`] when its processor cannot read it (it is then listed as rejected);
    /// [`Error::Unavailable`] when the database is away and the sender must try again.
    pub async fn accept(&self, delivery: Delivery, http_status: u16) -> Result<i64> {
        match self.processor(delivery.kind).map_or(Ok(None), |p| p.check(&delivery)) {
            Ok(reading) => self.commit(pending(delivery, http_status), reading).await,
            Err(error) => {
                self.reject(delivery, &error).await;
                Err(error)
            }
        }
    }

    /// As [`Inbox::accept`], for a caller that has read the body itself.
    pub async fn accept_unchecked(&self, delivery: Delivery, http_status: u16) -> Result<i64> {
        self.commit(pending(delivery, http_status), None).await
    }

    /// Lists a delivery that was refused, with the reason and the status that the sender got. That
    /// it cannot be listed must not hide the reason from the sender, so a failure is only logged.
    pub async fn reject(&self, delivery: Delivery, error: &Error) {
        self.reject_as(delivery, error.status(), &error.to_string()).await;
    }

    /// As [`Inbox::reject`], with the words that the sender got.
    pub async fn reject_as(&self, delivery: Delivery, http_status: u16, reason: &str) {
        let new = NewDelivery::of(delivery, Status::Rejected, http_status, reason.to_owned(), KEPT_OF_REFUSED);
        if let Err(failure) = self.commit(new, None).await {
            tracing::warn!(%failure, "a refused delivery could not be listed");
        }
    }

    /// Processes one batch of what is due; tells how many deliveries that were.
    pub async fn process_due(&self) -> Result<usize> {
        let _one_at_a_time = self.inner.processing.lock().await;
        match self.process_batch(PROCESSED).await {
            Ok(count) => Ok(count),
            Err((failed_count, error)) if failed_count > 1 => {
                tracing::debug!(%error, "a batch failed; its deliveries are tried one by one");
                let mut done = 0;
                for _ in 0..failed_count {
                    match self.process_batch(1).await {
                        Ok(0) => break,
                        Ok(n) => done += n,
                        Err((_, error)) => {
                            self.note_failure(&error).await?;
                            done += 1;
                        }
                    }
                }
                Ok(done)
            }
            Err((1, error)) => {
                self.note_failure(&error).await?;
                Ok(1)
            }
            Err((_, error)) => Err(error),
        }
    }

    /// Takes up to `limit` due deliveries and does their work in one transaction. The error comes
    /// with the number of deliveries that were at stake.
    async fn process_batch(&self, limit: usize) -> Result<usize, (usize, Error)> {
        let none = |error| (0, error);
        let now = self.inner.clock.now();
        if store::next_due(&self.inner.db).await.map_err(none)?.is_none_or(|at| at > now) {
            return Ok(0);
        }
        let tx = self.inner.db.begin().await.map_err(none)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let ids = store::take(&tx, now, limit).await.map_err(none)?;
        let count = ids.len();
        let arrivals = self.arrivals(&tx, ids).await.map_err(|e| (count, e))?;
        self.work(&tx, arrivals).await.map_err(|e| (count, e))?;
        tx.commit().await.map_err(|e| (count, e))?;
        Ok(count)
    }

    /// Deliveries that were taken, the oldest first: as read at the door where that is still known, else
    /// with their bodies.
    async fn arrivals(&self, tx: &Tx, ids: Vec<i64>) -> Result<Vec<Arrival>> {
        let (mut arrivals, rest) = self.inner.readings.take(ids);
        if !rest.is_empty() {
            arrivals.extend(store::by_ids(tx, rest).await?.into_iter().map(Arrival::from));
        }
        arrivals.sort_by_key(|a| (a.delivery.received_at, a.delivery.id));
        Ok(arrivals)
    }

    async fn work(&self, tx: &Tx, arrivals: Vec<Arrival>) -> Result<()> {
        let mut by_kind: HashMap<Kind, Vec<Arrival>> = HashMap::new();
        for arrival in arrivals {
            by_kind.entry(arrival.delivery.kind).or_default().push(arrival);
        }
        for (kind, arrivals) in by_kind {
            let processor =
                self.processor(kind).ok_or_else(|| Error::Internal(format!("nobody processes {}", kind.as_str())))?;
            let ids: Vec<i64> = arrivals.iter().map(|a| a.delivery.id).collect();
            for (id, text) in processor.process(tx, arrivals).await? {
                store::remark(tx, id, &text).await?;
            }
            if !kind.keeps_body() {
                store::drop_bodies(tx, &ids).await?;
            }
        }
        Ok(())
    }

    /// The oldest due delivery could not be processed: says so, and when to try again.
    async fn note_failure(&self, error: &Error) -> Result<()> {
        let now = self.inner.clock.now();
        let tx = self.inner.db.begin().await?;
        let Some(id) = store::take(&tx, now, 1).await?.pop() else { return Ok(()) };
        let attempts = store::attempts(&tx, id).await?;
        let retry = match error {
            Error::Unavailable(_) | Error::RateLimited { .. } | Error::Conflict(_) => {
                retry_after_s(attempts).map(|s| now + TimeDelta::seconds(s))
            }
            _ => None,
        };
        store::note_failure(&tx, id, &error.to_string(), retry).await?;
        tx.commit().await?;
        tracing::warn!(delivery = id, %error, again = retry.is_some(), "a delivery could not be processed");
        Ok(())
    }

    /// Processes one pending delivery at once, for a caller that answers with the outcome.
    pub async fn process_one(&self, id: i64) -> Result<()> {
        let tx = self.inner.db.begin().await?;
        if !store::take_pending(&tx, id, self.inner.clock.now()).await? {
            return Ok(());
        }
        let arrivals = self.arrivals(&tx, vec![id]).await?;
        self.work(&tx, arrivals).await?;
        tx.commit().await
    }

    /// Processes everything that is due now.
    pub async fn drain(&self) -> Result<usize> {
        let mut total = 0;
        loop {
            match self.process_due().await? {
                0 => return Ok(total),
                n => total += n,
            }
        }
    }

    /// Processes one delivery (again), whatever its state; what goes wrong is kept with it.
    ///
    /// # Errors
    /// What the processor says; [`Error::NotFound`] for an unknown delivery; [`Error::Conflict`]
    /// when its body was not kept whole.
    pub async fn replay(&self, id: i64) -> Result<()> {
        let _one_at_a_time = self.inner.processing.lock().await;
        let whole = store::raw_body(&self.inner.db, id).await?.ok_or_else(|| Error::not_found("That delivery"))?;
        if whole.1 {
            return Err(Error::Conflict("its body was not kept whole, so it cannot be replayed".to_owned()));
        }
        let now = self.inner.clock.now();
        let tx = self.inner.db.begin().await?;
        let delivery = store::take_one(&tx, id, now).await?.ok_or_else(|| Error::not_found("That delivery"))?;
        let checked = self.processor(delivery.kind).map_or(Ok(None), |p| p.check(&delivery));
        let outcome = match checked {
            Ok(reading) => self.work(&tx, vec![Arrival { delivery, reading }]).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => tx.commit().await,
            Err(error) => {
                drop(tx);
                let tx = self.inner.db.begin().await?;
                store::take_one(&tx, id, now).await?;
                store::note_failure(&tx, id, &error.to_string(), None).await?;
                tx.commit().await?;
                Err(error)
            }
        }
    }
}

/// A delivery that is to be processed, kept whole.
fn pending(delivery: Delivery, http_status: u16) -> NewDelivery {
    NewDelivery::of(delivery, Status::Pending, http_status, String::new(), usize::MAX)
}
