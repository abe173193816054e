//! The HTTP client behind every outgoing call: guarded addresses, no redirects, no proxies, bounded
//! time and a bounded answer.
//!
//! The guard sits in the resolver: the connection goes to the very addresses that were checked, so a
//! name that answers differently the second time (DNS rebinding) gains nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use reqwest::Method;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::{Policy, Refusal};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
const USER_AGENT: &str = concat!("Faultline/", env!("CARGO_PKG_VERSION"));

/// One call to be made.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: Method,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// For the whole call, from the name service to the last byte of the answer.
    pub timeout: Duration,
    /// What is read of the answer, in bytes; the rest is dropped.
    pub max_answer: usize,
}

impl Request {
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: Duration::from_secs(10),
            max_answer: 64 * 1024,
        }
    }

    /// A POST of a JSON text.
    pub fn post_json(url: impl Into<String>, body: Vec<u8>) -> Self {
        Self { method: Method::POST, body, ..Self::get(url) }.with_header("content-type", "application/json")
    }

    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// What came back, whatever the status.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    /// The answer was longer than what is read.
    pub is_cut: bool,
    pub content_type: Option<String>,
    /// `Retry-After` in seconds.
    pub retry_after_s: Option<u64>,
    /// `Link`, where APIs say how the next page is reached.
    pub link: Option<String>,
}

impl Answer {
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// The beginning of the body as text, for a log that people read.
    pub fn excerpt(&self, max_chars: usize) -> String {
        String::from_utf8_lossy(&self.body).chars().filter(|c| !c.is_control()).take(max_chars).collect()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// Never worth a retry until somebody changes the address or what is allowed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("no answer within {0} s")]
    TimedOut(u64),
    /// The cause without the address, which may hold a secret.
    #[error("the call failed: {0}")]
    Failed(String),
}

/// The one way to start an HTTP client of any kind: reqwest is built without cryptography of its own,
/// so that the ring which the database and mail use serves for it too.
pub fn http_builder() -> reqwest::ClientBuilder {
    // An error says that a provider is installed already, which is what is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
}

/// Cheap to clone; one for the process.
#[derive(Clone, Debug)]
pub struct Outbound {
    client: reqwest::Client,
    policy: Arc<Policy>,
}

impl Outbound {
    /// `Err` when the machine's TLS roots cannot be loaded.
    pub fn new(policy: Policy) -> Result<Self, OutboundError> {
        let policy = Arc::new(policy);
        let client = http_builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(Duration::from_secs(30))
            .dns_resolver(Arc::new(Guard(policy.clone())))
            .build()
            .map_err(|e| OutboundError::Failed(causes(&e)))?;
        Ok(Self { client, policy })
    }

    /// What may be called, for checking an address when it is typed in.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Makes the call. A status that is no success is an [`Answer`] all the same.
    pub async fn send(&self, request: Request) -> Result<Answer, OutboundError> {
        let url = self.policy.check_url(&request.url)?;
        let timeout = request.timeout;
        match tokio::time::timeout(timeout, self.exchange(url, request)).await {
            Ok(done) => done,
            Err(_) => Err(OutboundError::TimedOut(timeout.as_secs())),
        }
    }

    async fn exchange(&self, url: url::Url, request: Request) -> Result<Answer, OutboundError> {
        let mut call = self.client.request(request.method, url).timeout(request.timeout).body(request.body);
        for (name, value) in &request.headers {
            call = call.header(name.as_str(), value.as_str());
        }
        let response = call.send().await.map_err(|e| explain(e, request.timeout))?;
        let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let mut answer = Answer {
            status: response.status().as_u16(),
            body: Vec::new(),
            is_cut: false,
            content_type: header("content-type"),
            retry_after_s: header("retry-after").and_then(|v| v.trim().parse().ok()),
            link: header("link"),
        };
        let mut stream = response.bytes_stream();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|e| explain(e, request.timeout))?;
            let room = request.max_answer - answer.body.len();
            answer.body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() > room {
                answer.is_cut = true;
                break;
            }
        }
        Ok(answer)
    }
}

/// Finds a refusal that the resolver raised deep inside the HTTP client.
fn explain(error: reqwest::Error, timeout: Duration) -> OutboundError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(e) = cause {
        if let Some(refusal) = e.downcast_ref::<Refusal>() {
            return OutboundError::Refused(refusal.clone());
        }
        cause = e.source();
    }
    if error.is_timeout() {
        return OutboundError::TimedOut(timeout.as_secs());
    }
    OutboundError::Failed(causes(&error.without_url()))
}

/// All causes in one line: the outermost alone ("error sending request") helps nobody.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        text.push_str(": ");
        text.push_str(&e.to_string());
        cause = e.source();
    }
    text
}

/// Resolves names and lets only allowed addresses through. One forbidden address among several refuses
/// the name: a name that mixes public and private addresses is an attack or a mistake.
struct Guard(Arc<Policy>);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0.clone();
        Box::pin(async move {
            let host = name.as_str();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            if found.is_empty() {
                return Err(Refusal::Unresolved(host.to_owned()).into());
            }
            for address in &found {
                policy.check(host, address.ip())?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Answers one connection with fixed bytes and gives back what it was sent. `None`: hangs.
    async fn receiver(answer: Option<&'static [u8]>) -> (u16, tokio::task::JoinHandle<String>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let task = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a caller");
            let mut seen = vec![0; 4096];
            let n = stream.read(&mut seen).await.unwrap_or(0);
            match answer {
                Some(bytes) => drop(stream.write_all(bytes).await),
                None => std::future::pending::<()>().await,
            }
            String::from_utf8_lossy(&seen[..n]).into_owned()
        });
        (port, task)
    }

    fn local() -> Outbound {
        Outbound::new(Policy::parse("127.0.0.1,localhost").expect("a list")).expect("a client")
    }

    #[tokio::test]
    async fn a_call_reaches_its_receiver_and_the_answer_is_bounded() {
        let (port, task) =
            receiver(Some(b"HTTP/1.1 429 Too Many\r\nretry-after: 7\r\ncontent-length: 6\r\n\r\nslowly")).await;
        let mut request =
            Request::post_json(format!("http://127.0.0.1:{port}/hook"), b"{}".to_vec()).with_header("x-test", "1");
        request.max_answer = 4;
        let answer = local().send(request).await.expect("an answer");
        assert_eq!((answer.status, answer.retry_after_s, answer.is_cut), (429, Some(7), true));
        assert_eq!(answer.excerpt(100), "slow");
        let seen = task.await.expect("served");
        assert!(seen.starts_with("POST /hook HTTP/1.1\r\n") && seen.contains("x-test: 1"), "{seen}");
    }

    #[tokio::test]
    async fn redirects_are_not_followed() {
        let (port, _task) =
            receiver(Some(b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n"))
                .await;
        let answer = local().send(Request::get(format!("http://127.0.0.1:{port}/"))).await.expect("an answer");
        assert_eq!(answer.status, 302);
    }

    #[tokio::test]
    async fn a_hanging_receiver_is_given_up() {
        let (port, task) = receiver(None).await;
        let mut request = Request::get(format!("http://127.0.0.1:{port}/"));
        request.timeout = Duration::from_millis(50);
        assert!(matches!(local().send(request).await, Err(OutboundError::TimedOut(_))));
        task.abort();
    }

    #[tokio::test]
    async fn names_that_lead_inside_are_refused_after_resolution() {
        let strict = Outbound::new(Policy::default()).expect("a client");
        let refused = strict.send(Request::get("http://localhost:1/")).await;
        assert!(matches!(refused, Err(OutboundError::Refused(Refusal::Address { .. }))), "{refused:?}");
        let literal = strict.send(Request::get("http://[::1]:1/")).await;
        assert!(matches!(literal, Err(OutboundError::Refused(Refusal::Address { .. }))));
    }
}
