//! A receiver of webhooks on this machine that answers as it is told, and remembers what it was sent.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::sync::Notify;

#[derive(Clone, Copy, Debug)]
pub enum Answer {
    Status(u16),
    /// 429 with `Retry-After` in seconds.
    RetryAfter(u64),
    Redirect(&'static str),
    /// Ten megabytes.
    Huge(u16),
    /// None, ever.
    Hang,
}

#[derive(Clone)]
pub struct Seen {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Seen {
    pub fn header(&self, name: &str) -> String {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Clone, Default)]
struct Memory {
    seen: Arc<Mutex<Vec<Seen>>>,
    answers: Arc<Mutex<BTreeMap<String, VecDeque<Answer>>>>,
    arrived: Arc<Notify>,
}

pub struct Receiver {
    port: u16,
    memory: Memory,
}

impl Receiver {
    pub async fn start() -> Self {
        let memory = Memory::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new().fallback(take).with_state(memory.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { port, memory }
    }

    /// An address where nobody listens.
    pub async fn dead_url() -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// The next answers at a path; 200 after them.
    pub fn say(&self, path: &str, answers: &[Answer]) {
        self.memory.answers.lock().unwrap().entry(path.to_owned()).or_default().extend(answers);
    }

    pub fn count(&self) -> usize {
        self.memory.seen.lock().unwrap().len()
    }

    /// Sorted.
    pub fn paths(&self) -> Vec<String> {
        let mut paths: Vec<String> = self.memory.seen.lock().unwrap().iter().map(|s| s.path.clone()).collect();
        paths.sort();
        paths
    }

    pub fn all(&self, path: &str) -> Vec<Seen> {
        self.memory.seen.lock().unwrap().iter().filter(|s| s.path == path).cloned().collect()
    }

    /// The last one at a path.
    pub fn request(&self, path: &str) -> Seen {
        self.all(path).pop().unwrap_or_else(|| panic!("nothing came to {path}"))
    }

    pub fn body(&self, path: &str) -> Value {
        self.request(path).json()
    }

    pub fn forget(&self) {
        self.memory.seen.lock().unwrap().clear();
    }

    /// Waits for something to arrive at a path.
    pub async fn wait_for(&self, path: &str) -> Seen {
        loop {
            let arrived = self.memory.arrived.notified();
            if let Some(seen) = self.all(path).pop() {
                return seen;
            }
            arrived.await;
        }
    }
}

async fn take(State(memory): State<Memory>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path().to_owned();
    memory.seen.lock().unwrap().push(Seen { path: path.clone(), headers, body });
    memory.arrived.notify_waiters();
    let answer = memory.answers.lock().unwrap().get_mut(&path).and_then(VecDeque::pop_front);
    let status = |code| StatusCode::from_u16(code).unwrap();
    match answer.unwrap_or(Answer::Status(200)) {
        Answer::Status(code) => (status(code), "ok").into_response(),
        Answer::RetryAfter(seconds) => (status(429), [("retry-after", seconds.to_string())], "slowly").into_response(),
        Answer::Redirect(to) => (status(302), [("location", to)]).into_response(),
        Answer::Huge(code) => (status(code), "x".repeat(10 * 1024 * 1024)).into_response(),
        Answer::Hang => std::future::pending().await,
    }
}
