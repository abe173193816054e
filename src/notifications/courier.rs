//! What carries a message out: the guarded HTTP client and the mail server. One attempt, no memory.

mod mail;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::backoff::{Verdict, verdict};
use super::model::ChannelKind;
use super::model::channel::Channel;
use super::render::{self, Message};
use super::signing;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::outbound::{Outbound, OutboundError, Policy, Refusal, Request};

pub use mail::{Letter, Mailer};

/// For one HTTP call, from the name service to the end of the answer.
pub const HTTP_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of an answer is read, in bytes, and kept, in characters.
const MAX_ANSWER: usize = 4 * 1024;
const KEPT_ANSWER: usize = 300;

/// How one attempt went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Delivered,
    /// Nobody is there to be told: no one holds the role.
    Nobody,
    /// Worth another try, after the receiver's `Retry-After` (seconds) if it named one.
    Later {
        retry_after_s: Option<u64>,
    },
    /// Another try would be answered the same. `gone`: the receiver says that it is there no more.
    Never {
        gone: bool,
    },
}

/// One attempt and its answer, as the log shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    pub outcome: Outcome,
    pub http_status: Option<u16>,
    pub answer: String,
    pub duration_ms: i64,
    /// E-mail: the addresses that are done with after it.
    pub told: Vec<String>,
}

impl Tried {
    pub const fn is_delivered(&self) -> bool {
        matches!(self.outcome, Outcome::Delivered)
    }

    pub(super) fn new(outcome: Outcome, http_status: Option<u16>, answer: impl Into<String>) -> Self {
        Self { outcome, http_status, answer: answer.into(), duration_ms: 0, told: Vec::new() }
    }
}

/// What is sent, and under which name.
pub struct Parcel<'a> {
    pub message: Message<'a>,
    /// The same at every try, so that a receiver can tell a repeat.
    pub id: &'a str,
    pub now: Timestamp,
    /// Mail addresses that an earlier try was done with.
    pub told: Vec<String>,
}

/// Cheap to clone; one for the process. Nothing in it is shown by `Debug`.
#[derive(Clone)]
pub struct Courier(Arc<Inner>);

struct Inner {
    policy: Policy,
    /// Made at the first call: loading the machine's certificates takes a moment.
    outbound: OnceLock<Result<Outbound, String>>,
    mail: Option<Mailer>,
    base_url: String,
    http_timeout: Duration,
    /// A Slack app of ours listens for buttons.
    has_buttons: bool,
}

impl Courier {
    /// `Err` says which setting cannot be used.
    pub fn new(config: &Config) -> Result<Self, String> {
        Self::with_timeout(config, HTTP_TIMEOUT)
    }

    /// With another patience for HTTP calls, at most a minute: a lease must outlast it.
    pub fn with_timeout(config: &Config, http_timeout: Duration) -> Result<Self, String> {
        let policy = Policy::parse(&config.outbound_allow).map_err(|e| format!("FAULTLINE_OUTBOUND_ALLOW: {e}"))?;
        let mail = match &config.smtp_url {
            Some(url) => Some(Mailer::new(url, &config.mail_from, &config.base_url)?),
            None => None,
        };
        Ok(Self(Arc::new(Inner {
            policy,
            outbound: OnceLock::new(),
            mail,
            base_url: config.base_url.clone(),
            http_timeout,
            has_buttons: config.slack_signing_secret.is_some(),
        })))
    }

    /// Calls public addresses only and sends no mail.
    pub fn none(config: &Config) -> Self {
        Self(Arc::new(Inner {
            policy: Policy::default(),
            outbound: OnceLock::new(),
            mail: None,
            base_url: config.base_url.clone(),
            http_timeout: HTTP_TIMEOUT,
            has_buttons: false,
        }))
    }

    /// What may be called, to check an address when it is typed in.
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// Whether e-mail can be sent.
    pub fn has_mail(&self) -> bool {
        self.0.mail.is_some()
    }

    /// One attempt to send a mail of another room.
    pub async fn letter(&self, letter: &Letter) -> Tried {
        match &self.0.mail {
            Some(mailer) => mailer.letter(letter).await,
            None => Tried::new(Outcome::Later { retry_after_s: None }, None, "E-mail is not set up."),
        }
    }

    /// The guarded HTTP client.
    ///
    /// # Errors
    /// When the machine's certificates cannot be loaded.
    pub fn outbound(&self) -> Result<&Outbound, String> {
        let made = || Outbound::new(self.0.policy.clone()).map_err(|e| e.to_string());
        self.0.outbound.get_or_init(made).as_ref().map_err(Clone::clone)
    }

    /// One attempt. `progress` is told of each mail address that is done with, before the next is tried.
    pub async fn carry<P, F>(&self, channel: &Channel, parcel: Parcel<'_>, progress: P) -> Tried
    where
        P: FnMut(Vec<String>) -> F,
        F: Future<Output = ()>,
    {
        if channel.kind != ChannelKind::Email {
            return self.call(channel, &parcel).await;
        }
        match &self.0.mail {
            Some(mailer) => mailer.send(channel, parcel, &self.0.base_url, progress).await,
            None => Tried::new(
                Outcome::Later { retry_after_s: None },
                None,
                "E-mail is not set up: FAULTLINE_SMTP_URL and FAULTLINE_MAIL_FROM are needed.",
            ),
        }
    }

    async fn call(&self, channel: &Channel, parcel: &Parcel<'_>) -> Tried {
        let never = |answer: &str| Tried::new(Outcome::Never { gone: false }, None, answer);
        let buttons = self.0.has_buttons && channel.kind == ChannelKind::Slack;
        let Some(body) = render::body(channel.kind, &parcel.message, &self.0.base_url, buttons) else {
            return never("nothing to send");
        };
        let body = body.to_string().into_bytes();
        let outbound = match self.outbound() {
            Ok(outbound) => outbound,
            Err(error) => return Tried::new(Outcome::Later { retry_after_s: None }, None, error),
        };
        let mut request = Request::post_json(channel.address.clone(), body);
        request.timeout = self.0.http_timeout;
        request.max_answer = MAX_ANSWER;
        if channel.kind == ChannelKind::Webhook {
            request = signed(request, channel, parcel);
        }
        match outbound.send(request).await {
            Ok(answer) => {
                let outcome = match verdict(answer.status) {
                    Verdict::Delivered => Outcome::Delivered,
                    Verdict::Later => Outcome::Later { retry_after_s: answer.retry_after_s },
                    Verdict::Never => Outcome::Never { gone: answer.status == 410 },
                };
                let mut said = answer.excerpt(KEPT_ANSWER);
                if matches!(answer.status, 300..=399) {
                    said = format!("answered with a redirect, which is not followed {said}");
                }
                Tried::new(outcome, Some(answer.status), said.trim())
            }
            Err(OutboundError::Refused(refusal @ Refusal::Unresolved(_))) => {
                Tried::new(Outcome::Later { retry_after_s: None }, None, refusal.to_string())
            }
            Err(OutboundError::Refused(refusal)) => never(&refusal.to_string()),
            Err(error @ (OutboundError::TimedOut(_) | OutboundError::Failed(_))) => {
                Tried::new(Outcome::Later { retry_after_s: None }, None, error.to_string())
            }
        }
    }
}

/// Standard Webhooks: all secrets sign, so that a receiver may know either while they are exchanged.
fn signed(request: Request, channel: &Channel, parcel: &Parcel<'_>) -> Request {
    let timestamp_s = parcel.now.as_micros() / 1_000_000;
    let signatures: Vec<String> =
        channel.secrets.iter().filter_map(|s| signing::sign(s, parcel.id, timestamp_s, &request.body)).collect();
    request
        .with_header("webhook-id", parcel.id)
        .with_header("webhook-timestamp", &timestamp_s.to_string())
        .with_header("webhook-signature", &signatures.join(" "))
}
