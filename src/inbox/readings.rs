//! What the door read of deliveries, kept in memory until they are processed, so that in a storm each body
//! is read once and not fetched back. Only a shortcut: whoever finds nothing here (after a start, on another
//! node, at a retry) reads the row. What a delivery says, and whether it is pending, is the database's word.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::model::Delivery;

/// What [`super::Processor::check`] read of a body, in the processor's own form.
pub type Reading = Box<dyn Any + Send>;

/// A delivery as its processor gets it.
pub struct Arrival {
    /// Its body is empty when there is a reading.
    pub delivery: Delivery,
    /// What `check` gave for this very delivery.
    pub reading: Option<Reading>,
}

impl From<Delivery> for Arrival {
    fn from(delivery: Delivery) -> Self {
        Self { delivery, reading: None }
    }
}

/// How much is kept, in bytes of bodies and heads; what was read of them takes a few times as much.
const KEPT: usize = 4 << 20;
/// What a delivery counts for beside its body, in bytes.
const HEAD: usize = 1 << 10;

#[derive(Default)]
struct Kept {
    arrivals: BTreeMap<i64, (Arrival, usize)>,
    bytes: usize,
}

#[derive(Default)]
pub(super) struct Readings(Mutex<Kept>);

impl Readings {
    /// Keeps what was read of a delivery that has its id and whose body was `size` bytes; without a reading
    /// only what was kept under its id goes, for SQLite gives the ids of an undone commit out again. The
    /// oldest give way: on PostgreSQL another node may have processed them, and nobody here asks for them.
    pub fn keep(&self, mut delivery: Delivery, size: usize, reading: Option<Reading>) {
        let bytes = size.saturating_add(HEAD);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, freed)) = kept.arrivals.remove(&delivery.id) {
            kept.bytes -= freed;
        }
        if reading.is_none() || bytes > KEPT {
            return;
        }
        delivery.body = Vec::new();
        while kept.bytes + bytes > KEPT {
            let Some((_, (_, freed))) = kept.arrivals.pop_first() else { break };
            kept.bytes -= freed;
        }
        kept.bytes += bytes;
        kept.arrivals.insert(delivery.id, (Arrival { delivery, reading }, bytes));
    }

    /// Gives out what is kept of these deliveries, and the ids of which nothing is.
    pub fn take(&self, ids: impl IntoIterator<Item = i64>) -> (Vec<Arrival>, Vec<i64>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut arrivals, mut rest) = (Vec::new(), Vec::new());
        for id in ids {
            match kept.arrivals.remove(&id) {
                Some((arrival, freed)) => {
                    kept.bytes -= freed;
                    arrivals.push(arrival);
                }
                None => rest.push(id),
            }
        }
        (arrivals, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::inbox::Kind;

    fn delivery(id: i64) -> Delivery {
        Delivery {
            id,
            kind: Kind::Alerts,
            source: "prometheus".to_owned(),
            received_at: Timestamp::from_secs(id),
            token_name: String::new(),
            path: String::new(),
            content_type: String::new(),
            headers: BTreeMap::new(),
            body: b"[]".to_vec(),
        }
    }

    #[test]
    fn what_is_kept_is_given_out_once() {
        let readings = Readings::default();
        readings.keep(delivery(1), 2, Some(Box::new("one")));
        let (found, rest) = readings.take([1, 2]);
        let [arrival] = found.as_slice() else { panic!("one is kept") };
        assert_eq!((arrival.delivery.id, arrival.delivery.body.len(), rest), (1, 0, vec![2]));
        assert!(arrival.reading.as_ref().is_some_and(|r| r.downcast_ref::<&str>() == Some(&"one")));
        let (found, rest) = readings.take([1]);
        assert!(found.is_empty());
        assert_eq!(rest, vec![1]);
    }

    #[test]
    fn a_delivery_under_an_id_of_before_never_gets_the_reading_of_the_other() {
        let readings = Readings::default();
        for reading in [None, Some(Box::new("larger than everything") as Reading)] {
            readings.keep(delivery(1), 2, Some(Box::new("of a commit that was undone")));
            readings.keep(delivery(1), KEPT, reading);
            let (found, rest) = readings.take([1]);
            assert_eq!((found.len(), rest), (0, vec![1]));
        }
        assert_eq!(readings.0.lock().unwrap().bytes, 0);
    }

    #[test]
    fn what_nobody_asks_for_is_bounded_and_the_oldest_goes_first() {
        let readings = Readings::default();
        for id in 0..10 {
            readings.keep(delivery(id), KEPT / 4 - HEAD, Some(Box::new(id)));
        }
        readings.keep(delivery(10), KEPT, Some(Box::new("larger than everything")));
        let (found, rest) = readings.take(0..11);
        assert_eq!(found.iter().map(|a| a.delivery.id).collect::<Vec<_>>(), vec![6, 7, 8, 9]);
        assert_eq!(rest.len(), 7);
        assert_eq!(readings.0.lock().unwrap().bytes, 0, "what is given out counts no more");
    }
}
