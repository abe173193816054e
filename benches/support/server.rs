//! A running `serve` of the release binary, and a person signed in to it.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PASSWORD: &str = "violet anchor drum 7";

/// Ends with the value.
pub struct Server {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub base: String,
    /// From the start of the process to its first answer.
    pub started_in: Duration,
}

impl Server {
    /// Starts `serve` on the database in the folder and waits for its first answer.
    pub async fn start(folder: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let address = format!("127.0.0.1:{port}");
        let base = format!("http://{address}");
        let client = faultline::outbound::http_builder().build().expect("a client");
        let began = Instant::now();
        let child =
            faultline(folder, &["serve", "--listen", &address]).stdout(Stdio::null()).spawn().expect("serve starts");
        while client.get(format!("{base}/healthz")).send().await.is_err() {
            assert!(began.elapsed() < Duration::from_mins(1), "the server does not answer");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Self { child, base, started_in: began.elapsed() }
    }

    /// A line of `/proc/PID/status`, in KiB: `VmRSS:` now, `VmHWM:` at most.
    pub fn memory_kib(&self, line: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find(|l| l.starts_with(line)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or_default()
    }

    /// A client with the cookie of ada's session; see [`add_person`].
    pub async fn sign_in(&self) -> reqwest::Client {
        let builder = || faultline::outbound::http_builder().redirect(reqwest::redirect::Policy::none());
        let plain = builder().build().expect("a client");
        let body = format!("email=ada%40example.org&password={}", PASSWORD.replace(' ', "+"));
        let answer = post(&plain, &format!("{}/login", self.base), body).await;
        let cookies = answer.headers().get_all("set-cookie").iter().filter_map(|c| c.to_str().ok());
        let session =
            cookies.filter_map(|c| c.split(';').next()).find(|c| c.starts_with("faultline=")).expect("a session");
        let mut headers = reqwest::header::HeaderMap::new();
        headers.insert("cookie", session.parse().expect("a cookie"));
        builder().default_headers(headers).build().expect("a client")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary with the folder's database.
pub fn faultline(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faultline"));
    command
        .args(args)
        .env("FAULTLINE_DATABASE_URL", format!("sqlite:{}", folder.join("bench.db").display()))
        .env("FAULTLINE_LOG", "warn");
    command
}

/// ada@example.org, a commander.
pub fn add_person(folder: &Path) {
    let mut child = faultline(folder, &["user", "add", "ada@example.org", "--role", "commander"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("user add runs");
    child.stdin.take().expect("its input").write_all(format!("{PASSWORD}\n").as_bytes()).expect("written");
    assert!(child.wait().expect("ended").success(), "user add failed");
}

/// A form as the browser sends it.
pub async fn post(client: &reqwest::Client, url: &str, body: String) -> reqwest::Response {
    client
        .post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
        .body(body)
        .send()
        .await
        .expect("an answer")
}
