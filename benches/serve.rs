//! A load scenario over HTTP: `cargo bench --bench serve`.
//!
//! Starts the release binary's `serve` on a database of 100,000 generated incidents, waits for the
//! first answer, then asks for each page from 32 connections and prints the percentiles; at the end
//! the server's memory. Only ever talks to 127.0.0.1.
#![allow(
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bench that cannot run says why; the place of a percentile lies within the list"
)]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 32;
const REQUESTS_EACH: usize = 60;
const PAGES: [&str; 4] = ["/incidents", "/incidents/INC-100", "/reports", "/api/v1/incidents?limit=50"];

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn faultline(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faultline"));
    command
        .args(args)
        .env("FAULTLINE_DATABASE_URL", format!("sqlite:{}", folder.join("bench.db").display()))
        .env("FAULTLINE_LOG", "warn");
    command
}

fn memory_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let many = std::env::var("FAULTLINE_BENCH_INCIDENTS").unwrap_or_else(|_| "100000".to_owned());
    let made = faultline(folder.path(), &["bench-data", &many, "--years", "10"]).status().expect("bench-data runs");
    assert!(made.success(), "bench-data failed");
    let token = faultline(folder.path(), &["token", "add", "bench", "--scope", "api", "--role", "admin"])
        .output()
        .expect("a token");
    let token = String::from_utf8_lossy(&token.stdout).trim().to_owned();

    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
    let address = format!("127.0.0.1:{port}");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let began = Instant::now();
    let child =
        faultline(folder.path(), &["serve", "--listen", &address]).stdout(Stdio::null()).spawn().expect("serve starts");
    let server = Server(child);
    let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().expect("a client");
    let base = format!("http://{address}");
    runtime.block_on(async {
        while client.get(format!("{base}/healthz")).send().await.is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "the server does not answer");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    println!("start to first answer: {} ms", began.elapsed().as_millis());
    println!("idle memory: {} KiB", memory_kib(server.0.id()).unwrap_or(0));
    for page in PAGES {
        runtime.block_on(measure(&client, &base, page, &token));
    }
    println!("memory after the load: {} KiB", memory_kib(server.0.id()).unwrap_or(0));
}

async fn measure(client: &reqwest::Client, base: &str, page: &str, token: &str) {
    let url = format!("{base}{page}");
    let workers = (0..CONNECTIONS).map(|_| {
        let (client, url, token) = (client.clone(), url.clone(), token.to_owned());
        tokio::spawn(async move {
            let mut times = Vec::with_capacity(REQUESTS_EACH);
            for _ in 0..REQUESTS_EACH {
                let began = Instant::now();
                let answer = client.get(&url).bearer_auth(&token).send().await.expect("an answer");
                assert_eq!(answer.status(), 200, "{url}");
                answer.bytes().await.expect("a body");
                times.push(began.elapsed());
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
        "{page}: p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, {rate:.0} requests/s at {CONNECTIONS} connections",
        at(0.5),
        at(0.9),
        at(0.99)
    );
}
