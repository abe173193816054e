//! A load scenario over HTTP: `cargo bench --bench serve`.
//!
//! Starts the release binary's `serve` on a database of 100,000 generated incidents, waits for the
//! first answer, then asks for each page from 32 connections and prints the percentiles: once as people do
//! who read what they get (each asks every half second), once without a pause. At the end the server's memory. Only ever talks to 127.0.0.1.
#![allow(
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bench that cannot run says why; the place of a percentile lies within the list"
)]

use std::time::{Duration, Instant};

#[path = "support/server.rs"]
mod server;
use server::{Server, faultline};

const CONNECTIONS: usize = 32;
const REQUESTS_EACH: usize = 60;
/// Between two requests of one connection that reads.
const PAUSE: Duration = Duration::from_millis(500);
const PAGES: [&str; 6] =
    ["/incidents", "/incidents?q=requests&severity=SEV1", "/incidents/INC-100", "/services", "/alerts", "/reports"];

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let many = std::env::var("FAULTLINE_BENCH_INCIDENTS").unwrap_or_else(|_| "100000".to_owned());
    let made = faultline(folder.path(), &["bench-data", &many, "--years", "10"]).status().expect("bench-data runs");
    assert!(made.success(), "bench-data failed");
    server::add_person(folder.path());
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let server = Server::start(folder.path()).await;
        println!("start to first answer: {} ms", server.started_in.as_millis());
        println!("idle memory: {} KiB", server.memory_kib("VmRSS:"));
        let client = server.sign_in().await;
        for page in PAGES {
            measure(&client, &server.base, page).await;
        }
        println!("memory after the load: {} KiB", server.memory_kib("VmRSS:"));
    });
}

async fn measure(client: &reqwest::Client, base: &str, page: &str) {
    let url = format!("{base}{page}");
    println!("{page}: {}", sizes(client, &url).await);
    load(client, &url, "reading", PAUSE).await;
    load(client, &url, "flat out", Duration::ZERO).await;
}

async fn load(client: &reqwest::Client, url: &str, how: &str, pause: Duration) {
    let workers = (0..CONNECTIONS).map(|n| {
        let (client, url) = (client.clone(), url.to_owned());
        tokio::spawn(async move {
            // People do not press their keys at the same moment.
            tokio::time::sleep(pause / CONNECTIONS as u32 * n as u32).await;
            let mut times = Vec::with_capacity(REQUESTS_EACH);
            for _ in 0..REQUESTS_EACH {
                let began = Instant::now();
                let answer = client.get(&url).header("accept-encoding", "gzip").send().await.expect("an answer");
                assert_eq!(answer.status(), 200, "{url}");
                answer.bytes().await.expect("a body");
                times.push(began.elapsed());
                tokio::time::sleep(pause.saturating_sub(began.elapsed())).await;
            }
            times
        })
    });
    let began = Instant::now();
    let mut times: Vec<Duration> =
        futures::future::join_all(workers).await.into_iter().flat_map(|t| t.expect("a worker")).collect();
    let rate = times.len() as f64 / began.elapsed().as_secs_f64();
    times.sort();
    let at = |p: f64| times[((times.len() - 1) as f64 * p) as usize].as_secs_f64() * 1e3;
    println!(
        "  {how}: p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, {rate:.0} requests/s at {CONNECTIONS} connections",
        at(0.5),
        at(0.9),
        at(0.99)
    );
}

/// What the page weighs on the wire, in each encoding that a browser asks for.
async fn sizes(client: &reqwest::Client, url: &str) -> String {
    let mut out = Vec::new();
    for encoding in ["identity", "gzip"] {
        let answer = client.get(url).header("accept-encoding", encoding).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{url}");
        out.push(format!("{encoding} {:.1} kB", answer.bytes().await.expect("a body").len() as f64 / 1e3));
    }
    out.join(", ")
}
