//! Commits of what arrives: deliveries that come while one runs share the next one.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::super::model::{Delivery, Status};
use super::super::readings::Reading;
use super::super::store::{self, NewDelivery};
use super::{ARRIVED, Inbox};
use crate::error::{Error, Result};

/// How many deliveries are committed in one transaction.
const COMMITTED: usize = 256;

/// How many ids are taken at once. Those that are left when the process ends are never used.
const BLOCK: i64 = 1_024;

/// A delivery that waits for the next commit.
struct Waiting {
    new: NewDelivery,
    reading: Option<Reading>,
    answer: oneshot::Sender<Result<i64>>,
}

#[derive(Default)]
struct Queued {
    waiting: Vec<Waiting>,
    /// A task is at it, and will look here again before it ends.
    is_worked_off: bool,
    /// Ids that this node took.
    ids: Range<i64>,
}

/// What waits to be committed, in order of arrival.
#[derive(Clone, Default)]
pub(super) struct Queue(Arc<Mutex<Queued>>);

impl Queue {
    /// Adds a delivery, and tells whether nobody works the queue off, so that the caller must see to it.
    fn push(&self, waiting: Waiting) -> bool {
        let mut queued = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queued.waiting.push(waiting);
        !std::mem::replace(&mut queued.is_worked_off, true)
    }

    /// The next ids, when there are so many.
    fn ids(&self, count: usize) -> Option<Vec<i64>> {
        let mut queued = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ids: Vec<i64> = queued.ids.by_ref().take(count).collect();
        (ids.len() == count).then_some(ids)
    }

    /// What was left of the block before is given up, for ids follow the order of arrival.
    fn give(&self, ids: Range<i64>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ids = ids;
    }
}

/// The right to work off the queue. It ends also when a commit panics, so that the next delivery finds somebody.
struct Turn {
    queue: Queue,
    is_over: bool,
}

impl Turn {
    /// What shares the next commit; nothing when the turn is over.
    fn next(&mut self) -> Option<Vec<Waiting>> {
        let mut queued = self.queue.0.lock().unwrap_or_else(PoisonError::into_inner);
        let end = queued.waiting.len().min(COMMITTED);
        self.is_over = end == 0;
        queued.is_worked_off = !self.is_over;
        (!self.is_over).then(|| queued.waiting.drain(..end).collect())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.is_over {
            let mut queued = self.queue.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Their senders are told to try again.
            queued.waiting.clear();
            queued.is_worked_off = false;
        }
    }
}

impl Inbox {
    /// Joins the queue, and gives the id once the delivery is durable.
    pub(super) async fn commit(&self, new: NewDelivery, reading: Option<Reading>) -> Result<i64> {
        let (answer, mine) = oneshot::channel();
        if self.inner.queue.push(Waiting { new, reading, answer }) {
            let (inbox, mut turn) = (self.clone(), Turn { queue: self.inner.queue.clone(), is_over: false });
            // In a task of its own: a sender that hangs up must not take others' deliveries with it.
            tokio::spawn(async move {
                while let Some(batch) = turn.next() {
                    inbox.commit_batch(batch).await;
                }
            });
        }
        mine.await.unwrap_or_else(|_| Err(Error::Unavailable("the delivery was not committed".to_owned())))
    }

    /// Ids for so many deliveries, at most [`COMMITTED`].
    async fn ids(&self, count: usize) -> Result<Vec<i64>> {
        if let Some(ids) = self.inner.queue.ids(count) {
            return Ok(ids);
        }
        let tx = self.inner.db.begin().await?;
        let first = store::take_ids(&tx, BLOCK).await?;
        tx.commit().await?;
        self.inner.queue.give(first..first + BLOCK);
        self.inner.queue.ids(count).ok_or_else(|| Error::Internal("a block has fewer ids than one commit".to_owned()))
    }

    async fn commit_batch(&self, batch: Vec<Waiting>) {
        let (mut news, mut readings, mut answers) = (Vec::new(), Vec::new(), Vec::new());
        for waiting in batch {
            news.push(waiting.new);
            readings.push(waiting.reading);
            answers.push(waiting.answer);
        }
        let outcome = async {
            let ids = self.ids(news.len()).await?;
            let statements = store::insertion(&news, &ids)?;
            let tx = self.inner.db.begin().await?;
            if news.iter().any(|n| n.status == Status::Pending) {
                tx.announce(ARRIVED);
            }
            // Before the commit, which may wake the worker at once.
            for ((new, reading), id) in news.into_iter().zip(readings).zip(&ids) {
                self.inner.readings.keep(Delivery { id: *id, ..new.delivery }, new.size, reading);
            }
            if let Err(error) = tx.commit_after(statements).await {
                self.inner.readings.take(ids);
                return Err(error);
            }
            Ok::<_, Error>(ids)
        }
        .await;
        match outcome {
            Ok(ids) => {
                for (answer, id) in answers.into_iter().zip(ids) {
                    // A sender that hung up needs no answer; its delivery stands.
                    let _ = answer.send(Ok(id));
                }
            }
            Err(error) => {
                let reason = error.to_string();
                for answer in answers {
                    let _ = answer.send(Err(Error::Unavailable(reason.clone())));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::inbox::Kind;

    fn waiting() -> (Waiting, oneshot::Receiver<Result<i64>>) {
        let delivery = Delivery {
            id: 0,
            kind: Kind::Alerts,
            source: "prometheus".to_owned(),
            received_at: Timestamp::from_secs(1),
            token_name: String::new(),
            path: String::new(),
            content_type: String::new(),
            headers: std::collections::BTreeMap::new(),
            body: b"[]".to_vec(),
        };
        let (answer, mine) = oneshot::channel();
        (
            Waiting { new: NewDelivery::of(delivery, Status::Pending, 200, String::new(), 9), reading: None, answer },
            mine,
        )
    }

    #[test]
    fn one_works_the_queue_off_and_the_next_begins_when_nobody_does() {
        let queue = Queue::default();
        assert!(queue.push(waiting().0));
        let mut turn = Turn { queue: queue.clone(), is_over: false };
        assert!(!queue.push(waiting().0), "somebody is at it");
        assert_eq!(turn.next().map(|batch| batch.len()), Some(2));
        assert!(turn.next().is_none());
        drop(turn);
        assert!(queue.push(waiting().0), "nobody is at it any more");
    }

    #[test]
    fn ids_are_given_once_and_never_from_two_blocks_at_a_time() {
        let queue = Queue::default();
        assert_eq!(queue.ids(1), None);
        queue.give(5..8);
        assert_eq!(queue.ids(2), Some(vec![5, 6]));
        assert_eq!(queue.ids(2), None);
        queue.give(20..30);
        assert_eq!(queue.ids(2), Some(vec![20, 21]));
    }

    #[test]
    fn a_turn_that_broke_off_tells_those_who_wait_and_frees_the_queue() {
        let queue = Queue::default();
        let (first, mine) = waiting();
        assert!(queue.push(first));
        let turn = Turn { queue: queue.clone(), is_over: false };
        drop(turn);
        assert!(mine.blocking_recv().is_err(), "its sender is told to try again");
        assert!(queue.push(waiting().0));
    }
}
