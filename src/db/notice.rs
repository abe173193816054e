//! Notices of commits: in-process on SQLite, LISTEN/NOTIFY between nodes on PostgreSQL.
//!
//! Each node numbers the notices that it passes on and remembers the last ones, so that a page that was
//! away for a moment is told what it missed. A number means something on its own node only; a page that
//! comes from another one, or after too long, is told that everything may have changed.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::broadcast;

use crate::random::Random;

/// Something changed; who shows it should load it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Where in this node's order it stands; a page that comes back names the last one it saw.
    pub mark: Mark,
    /// `incident:12`, `alerts`, `deployments` …
    pub topic: String,
}

/// A place in the order of one node's notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// This run of this node.
    run: u32,
    number: u64,
}

impl Mark {
    /// Reads what [`Mark`] prints.
    pub fn parse(text: &str) -> Option<Self> {
        let (run, number) = text.split_once('-')?;
        Some(Self { run: u32::from_str_radix(run, 16).ok()?, number: number.parse().ok()? })
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}-{}", self.run, self.number)
    }
}

/// What somebody missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missed {
    /// These, perhaps none.
    Notices(Vec<Notice>),
    /// It cannot be told: another node, another run, or too long ago.
    Unknown,
}

/// A slow page that falls further behind than this is told to reload everything.
const BACKLOG: usize = 1024;

/// This node's notices; cheap to clone.
#[derive(Clone)]
pub(super) struct Notices(Arc<Inner>);

struct Inner {
    run: u32,
    sender: broadcast::Sender<Notice>,
    recent: Mutex<Recent>,
    /// Commits of this process and notices of any; see [`Notices::changes`].
    changes: AtomicU64,
    watches: RwLock<Vec<Watch>>,
}

/// Counts the notices of some topics.
#[derive(Clone)]
pub struct Watch {
    topics: &'static [&'static str],
    count: Arc<AtomicU64>,
}

impl Watch {
    /// While it stands still, no such notice came. What was read before it grew may be old.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }
}

#[derive(Default)]
struct Recent {
    last: u64,
    notices: VecDeque<Notice>,
}

impl Notices {
    pub(super) fn new() -> Self {
        let (sender, _) = broadcast::channel(BACKLOG);
        let run = u32::from_be_bytes(Random::System.bytes());
        let (recent, changes, watches) = (Mutex::default(), AtomicU64::new(0), RwLock::default());
        Self(Arc::new(Inner { run, sender, recent, changes, watches }))
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.0.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often anything may have changed.
    pub(super) fn changes(&self) -> u64 {
        self.0.changes.load(Ordering::Acquire)
    }

    pub(super) fn changed(&self) {
        self.0.changes.fetch_add(1, Ordering::Release);
    }

    pub(super) fn watch(&self, topics: &'static [&'static str]) -> Watch {
        let watch = Watch { topics, count: Arc::default() };
        self.0.watches.write().unwrap_or_else(PoisonError::into_inner).push(watch.clone());
        watch
    }

    /// Tells those who watch the topic.
    pub(super) fn grown(&self, topic: &str) {
        for watch in self.0.watches.read().unwrap_or_else(PoisonError::into_inner).iter() {
            if topic == EVERYTHING || watch.topics.contains(&topic) {
                watch.count.fetch_add(1, Ordering::Release);
            }
        }
    }

    pub(super) fn publish(&self, topic: String) {
        self.changed();
        self.grown(&topic);
        let mut recent = self.recent();
        recent.last += 1;
        let notice = Notice { mark: Mark { run: self.0.run, number: recent.last }, topic };
        if recent.notices.len() == BACKLOG {
            recent.notices.pop_front();
        }
        recent.notices.push_back(notice.clone());
        // While the lock is held, so that nobody sees them out of order. An error only says that nobody
        // listens.
        let _ = self.0.sender.send(notice);
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { run: self.0.run, number: self.recent().last }
    }

    /// Notices from now on, and what was missed since the mark.
    pub(super) fn subscribe_since(&self, since: Option<Mark>) -> (broadcast::Receiver<Notice>, Missed) {
        let recent = self.recent();
        let receiver = self.0.sender.subscribe();
        let Some(since) = since else { return (receiver, Missed::Notices(Vec::new())) };
        let oldest_kept = recent.last - u64::try_from(recent.notices.len()).unwrap_or_default();
        if since.run != self.0.run || since.number < oldest_kept || since.number > recent.last {
            return (receiver, Missed::Unknown);
        }
        let missed = recent.notices.iter().filter(|n| n.mark.number > since.number).cloned().collect();
        (receiver, Missed::Notices(missed))
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.0.sender.subscribe()
    }
}

/// Passes PostgreSQL's notices on to the pages of this node until the pool is closed.
pub(super) fn spawn_listener(pool: PgPool, notices: Notices) {
    tokio::spawn(async move {
        let mut was_deaf = false;
        while !pool.is_closed() {
            if let Err(error) = listen(&pool, &notices, was_deaf).await {
                tracing::debug!(%error, "listening for notices again");
                was_deaf = true;
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        }
    });
}

async fn listen(pool: &PgPool, notices: &Notices, was_deaf: bool) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen("faultline").await?;
    if was_deaf {
        // Whatever was said meanwhile is lost: every page asks again.
        notices.publish(EVERYTHING.to_owned());
    }
    loop {
        // `None` says that the connection broke and was made again: what was said meanwhile is lost.
        match listener.try_recv().await? {
            Some(notification) => notices.publish(notification.payload().to_owned()),
            None => notices.publish(EVERYTHING.to_owned()),
        }
    }
}

/// The topic that stands for all of them.
pub const EVERYTHING: &str = "*";

#[cfg(test)]
mod tests {
    use super::*;

    fn missed(notices: &Notices, since: Mark) -> Option<Vec<String>> {
        match notices.subscribe_since(Some(since)).1 {
            Missed::Notices(list) => Some(list.into_iter().map(|n| n.topic).collect()),
            Missed::Unknown => None,
        }
    }

    #[test]
    fn who_was_away_is_told_what_they_missed_and_who_was_away_too_long_that_it_may_be_anything() {
        let notices = Notices::new();
        let start = notices.mark();
        assert_eq!(missed(&notices, start), Some(vec![]));
        notices.publish("a".to_owned());
        let after_a = notices.mark();
        notices.publish("b".to_owned());
        assert_eq!(missed(&notices, start), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(missed(&notices, after_a), Some(vec!["b".to_owned()]));
        for _ in 0..BACKLOG {
            notices.publish("c".to_owned());
        }
        assert_eq!(missed(&notices, start), None);
        assert_eq!(missed(&notices, after_a), None);
        assert_eq!(missed(&notices, Mark { number: u64::MAX, ..start }), None);
        assert_eq!(missed(&Notices::new(), Mark { run: start.run.wrapping_add(1), number: 0 }), None);
    }

    #[test]
    fn a_watch_counts_its_topics_and_what_may_be_any() {
        let notices = Notices::new();
        let watch = notices.watch(&["doors", "tokens"]);
        notices.publish("alerts".to_owned());
        assert_eq!(watch.count(), 0);
        notices.publish("tokens".to_owned());
        notices.publish(EVERYTHING.to_owned());
        assert_eq!(watch.count(), 2);
    }

    #[test]
    fn marks_are_read_as_they_are_printed() {
        let mark = Mark { run: 0x00c0_ffee, number: 7 };
        assert_eq!(Mark::parse(&mark.to_string()), Some(mark));
        for junk in ["", "7", "x-1", "1-x", "-", "ffffffffff-1"] {
            assert_eq!(Mark::parse(junk), None, "{junk}");
        }
    }
}
