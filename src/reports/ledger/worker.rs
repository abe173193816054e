//! The one thread on which blocks are read and answers computed.
//!
//! An allocator keeps freed memory near the thread that took it, some for seconds, some for good. Were large
//! temporaries taken on whichever thread of the runtime's pool is free, several of those would hold as much as the
//! largest computation.

use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};

use tokio::sync::oneshot;

use crate::error::{Error, Result};

type Job = Box<dyn FnOnce() + Send>;

/// Started at its first job; ends when it is dropped and its last job is done.
#[derive(Default)]
pub(super) struct Worker(OnceLock<std::result::Result<Sender<Job>, String>>);

impl Worker {
    /// Does the work there, after what was asked before, and waits for it.
    ///
    /// # Errors
    /// When no thread can be had, and when the work panicked.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let jobs = self.0.get_or_init(|| start().map_err(|e| e.to_string()));
        let jobs = jobs.as_ref().map_err(|e| Error::Internal(format!("starting the thread of reports: {e}")))?;
        let (sender, receiver) = oneshot::channel();
        let job = move || {
            // Nobody waits any more when the request was given up.
            let _ = sender.send(work());
        };
        let stopped = || Error::Internal("the computation of a report stopped".into());
        jobs.send(Box::new(job)).map_err(|_| stopped())?;
        receiver.await.map_err(|_| stopped())
    }
}

fn start() -> std::io::Result<Sender<Job>> {
    let (sender, jobs) = channel::<Job>();
    std::thread::Builder::new().name("reports".into()).spawn(move || {
        for job in jobs {
            // A panic is reported by its hook, and told to who waits by the dropped channel.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
        }
    })?;
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_in_order_on_one_thread_and_a_panic_stops_only_itself() {
        let worker = Worker::default();
        let first = worker.run(|| std::thread::current().id()).await.unwrap();
        let broken = worker.run(|| assert!(std::hint::black_box(false), "on purpose")).await;
        assert!(broken.unwrap_err().to_string().contains("stopped"));
        assert_eq!(worker.run(|| std::thread::current().id()).await.unwrap(), first);
    }
}
