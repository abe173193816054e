//! 500 people watch one incident: `cargo bench --bench live`.
//!
//! Starts the release binary's `serve` on a fresh SQLite database, opens that many streams of live
//! updates, writes on the timeline, and prints how long it takes from the moment of writing until every
//! watcher was told, and until every watcher has the incident's new content in hand (as a browser does
//! it: asked for 80 to 250 ms later). At the end the server's memory. `FAULTLINE_BENCH_WATCHERS` and
//! `FAULTLINE_BENCH_UPDATES` change the numbers. Only ever talks to 127.0.0.1.
#![allow(
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bench that cannot run says why; the place of a percentile lies within the list"
)]

use std::time::{Duration, Instant};

use futures::StreamExt;
use tokio::sync::broadcast;

#[path = "support/server.rs"]
mod server;
use server::{Server, post};

/// What stands for "never" in the lists of times.
const PATIENCE: Duration = Duration::from_secs(20);

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

fn main() {
    let (watchers, updates) = (number("FAULTLINE_BENCH_WATCHERS", 500), number("FAULTLINE_BENCH_UPDATES", 20));
    let folder = tempfile::tempdir().expect("a temporary folder");
    server::add_person(folder.path());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let server = Server::start(folder.path()).await;
        let client = server.sign_in().await;
        println!("start to first answer: {} ms", server.started_in.as_millis());
        println!("memory before anybody watches: {} KiB", server.memory_kib("VmRSS:"));
        let figures = watch(&client, &server.base, watchers, updates).await;
        report("told", &figures.told, watchers * updates);
        report("its new content in hand", &figures.seen, watchers * updates);
        println!(
            "memory with {watchers} watchers: {} KiB, at most {} KiB",
            server.memory_kib("VmRSS:"),
            server.memory_kib("VmHWM:")
        );
    });
}

#[derive(Default)]
struct Figures {
    told: Vec<Duration>,
    seen: Vec<Duration>,
}

async fn watch(client: &reqwest::Client, base: &str, watchers: usize, updates: usize) -> Figures {
    let made = post(client, &format!("{base}/incidents"), "title=Checkout+fails&severity=SEV1".to_owned()).await;
    assert_eq!(made.status(), 303, "declared");
    let (written, _) = broadcast::channel::<Instant>(updates.max(1));
    let (ready_tx, mut ready) = tokio::sync::mpsc::channel(watchers.max(1));
    let mut tasks = Vec::with_capacity(watchers);
    for n in 0..watchers {
        let watcher = Watcher { client: client.clone(), base: base.to_owned(), n };
        tasks.push(tokio::spawn(watcher.run(written.subscribe(), ready_tx.clone(), updates)));
    }
    for _ in 0..watchers {
        tokio::time::timeout(PATIENCE, ready.recv()).await.expect("every stream opens").expect("a watcher");
    }
    for n in 0..updates {
        let _ = written.send(Instant::now());
        let answer = post(client, &format!("{base}/incidents/INC-1/timeline"), format!("text=Update+{n}")).await;
        assert_eq!(answer.status(), 303, "written");
        tokio::time::sleep(Duration::from_millis(1_500)).await;
    }
    let mut figures = Figures::default();
    for task in tasks {
        let own = task.await.expect("a watcher");
        figures.told.extend(own.told);
        figures.seen.extend(own.seen);
    }
    figures
}

struct Watcher {
    client: reqwest::Client,
    base: String,
    n: usize,
}

impl Watcher {
    /// Follows the stream all the time; beside it, asks for the incident's parts as the page's script
    /// does: one question at a time, for everything that was announced meanwhile.
    async fn run(
        self,
        mut written: broadcast::Receiver<Instant>,
        ready: tokio::sync::mpsc::Sender<()>,
        updates: usize,
    ) -> Figures {
        let mut figures = Figures::default();
        let url = format!("{}/live?topics=incident:1", self.base);
        let mut stream = self.client.get(url).send().await.expect("a stream").bytes_stream();
        let hello = stream.next().await.expect("greeted").expect("bytes");
        assert!(hello.starts_with(b"event: hello"), "{}", String::from_utf8_lossy(&hello));
        ready.send(()).await.expect("counted");
        let (told, announced) = tokio::sync::mpsc::unbounded_channel();
        let asking = tokio::spawn(self.ask(announced));
        for _ in 0..updates {
            let began = written.recv().await.expect("an update");
            if tokio::time::timeout(PATIENCE, next_change(&mut stream)).await.is_err() {
                break;
            }
            figures.told.push(began.elapsed());
            told.send(began).expect("the other half asks until the end");
        }
        drop(told);
        figures.seen = asking.await.expect("asked");
        figures
    }

    async fn ask(self, mut announced: tokio::sync::mpsc::UnboundedReceiver<Instant>) -> Vec<Duration> {
        let mut seen = Vec::new();
        while let Some(first) = announced.recv().await {
            // Spread by the watcher's number instead of by chance.
            tokio::time::sleep(Duration::from_millis(80 + (self.n as u64 * 37) % 170)).await;
            let mut answered = vec![first];
            while let Ok(another) = announced.try_recv() {
                answered.push(another);
            }
            let asked = self.client.get(format!("{}/incidents/INC-1/parts", self.base));
            let page = asked.header("accept-encoding", "gzip").send().await.expect("a page");
            assert_eq!(page.status(), 200);
            page.bytes().await.expect("a body");
            seen.extend(answered.into_iter().map(|began| began.elapsed()));
        }
        seen
    }
}

async fn next_change<E: std::fmt::Debug, B: AsRef<[u8]>>(
    stream: &mut (impl futures::Stream<Item = Result<B, E>> + Unpin),
) {
    while let Some(chunk) = stream.next().await {
        if String::from_utf8_lossy(chunk.expect("bytes").as_ref()).contains("event: changed") {
            return;
        }
    }
    // The stream ended: whoever waits runs out of patience and is missed in the count.
    std::future::pending::<()>().await;
}

fn report(what: &str, times: &[Duration], expected: usize) {
    let mut times = times.to_vec();
    times.sort();
    if times.is_empty() {
        println!("{what}: never");
        return;
    }
    let at = |p: f64| times[((times.len() - 1) as f64 * p) as usize].as_secs_f64() * 1e3;
    println!(
        "{what}: p50 {:.0} ms, p90 {:.0} ms, p99 {:.0} ms, slowest {:.0} ms; {} of {expected}",
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0),
        times.len()
    );
}
