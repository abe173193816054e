//! What a subscriber is sent, and one attempt to send it.

use std::time::Duration;

use serde_json::json;

use super::subscribers::Mail;
use crate::clock::Timestamp;
use crate::notifications::backoff::{Verdict, verdict};
use crate::notifications::signing;
use crate::outbound::{Outbound, OutboundError, Request};
use crate::status_page::model::PublicNotice;
use crate::status_page::store::subscribers::{Delivery, Subscriber};

const TIMEOUT: Duration = Duration::from_secs(10);
/// What is kept of an answer, in characters.
pub(super) const KEPT_ANSWER: usize = 300;

/// How one attempt went.
pub(super) struct Tried {
    pub verdict: Verdict,
    pub answer: String,
    pub retry_after_s: Option<u64>,
    /// The receiver repeated the challenge: it wants to be told.
    pub confirms: bool,
}

impl Tried {
    pub fn of(verdict: Verdict, answer: impl Into<String>) -> Self {
        Self { verdict, answer: answer.into(), retry_after_s: None, confirms: false }
    }
}

/// What one subscriber is sent.
pub(super) struct Letter<'a> {
    pub site: &'a str,
    /// Without a slash at its end.
    pub base_url: &'a str,
    pub subscriber: &'a Subscriber,
    pub delivery: &'a Delivery,
}

impl Letter<'_> {
    fn confirm_url(&self) -> String {
        format!("{}/status/confirm/{}", self.base_url, self.subscriber.token)
    }

    fn unsubscribe_url(&self) -> String {
        format!("{}/status/unsubscribe/{}", self.base_url, self.subscriber.token)
    }

    fn id(&self) -> String {
        format!("status_{}", self.delivery.id)
    }

    pub fn mail(&self, notice: Option<&PublicNotice>, now: Timestamp) -> Mail {
        let line = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
        let (subject, text) = match notice.and_then(|n| Some((n, n.updates.first()?))) {
            None => (
                format!("Confirm: {}", self.site),
                format!(
                    "Somebody, hopefully you, wants this address to be told what is published on the status page \"{}\".\n\n\
                     Confirm it here:\n{}\n\nIf it was not you, do nothing: no other mail will come.\n",
                    self.site,
                    self.confirm_url()
                ),
            ),
            Some((notice, update)) => {
                let parts = if notice.components.is_empty() {
                    String::new()
                } else {
                    format!("Concerns: {}\n\n", notice.components.join(", "))
                };
                (
                    format!("{}: {} ({})", self.site, notice.title, update.state.label()),
                    format!(
                        "{}\n{}, {} UTC\n\n{}\n\n{parts}{}/status/notices/{}\n\n--\nUnsubscribe: {}\n",
                        notice.title,
                        update.state.label(),
                        update.published_at.to_minute(),
                        update.text,
                        self.base_url,
                        notice.id,
                        self.unsubscribe_url()
                    ),
                )
            }
        };
        Mail {
            to: self.subscriber.address.clone(),
            subject: line(&subject),
            text,
            unsubscribe_url: notice.map(|_| self.unsubscribe_url()),
            id: self.id(),
            at: now,
        }
    }

    fn body(&self, notice: Option<&PublicNotice>) -> serde_json::Value {
        match notice {
            None => json!({
                "type": "subscription.verify",
                "site": self.site,
                // Repeating it in the answer, or opening the address, confirms.
                "challenge": self.subscriber.token,
                "confirm_url": self.confirm_url(),
            }),
            Some(notice) => json!({
                "type": "notice.updated",
                "site": self.site,
                "notice": notice,
                "url": format!("{}/status/notices/{}", self.base_url, notice.id),
                "unsubscribe_url": self.unsubscribe_url(),
            }),
        }
    }

    pub async fn post(&self, outbound: &Outbound, notice: Option<&PublicNotice>, now: Timestamp) -> Tried {
        let body = self.body(notice).to_string().into_bytes();
        let timestamp_s = now.as_micros() / 1_000_000;
        let Some(signature) = signing::sign(&self.subscriber.secret, &self.id(), timestamp_s, &body) else {
            return Tried::of(Verdict::Never, "its secret cannot sign");
        };
        let mut request = Request::post_json(self.subscriber.address.clone(), body)
            .with_header("webhook-id", &self.id())
            .with_header("webhook-timestamp", &timestamp_s.to_string())
            .with_header("webhook-signature", &signature);
        request.timeout = TIMEOUT;
        request.max_answer = 4 * 1024;
        match outbound.send(request).await {
            Ok(answer) => {
                let repeated = String::from_utf8_lossy(&answer.body).contains(&self.subscriber.token);
                Tried {
                    verdict: verdict(answer.status),
                    confirms: notice.is_none() && answer.is_success() && repeated,
                    // The challenge is a secret between the two; a log is not.
                    answer: format!(
                        "{} {}",
                        answer.status,
                        answer.excerpt(KEPT_ANSWER).replace(&self.subscriber.token, "…")
                    ),
                    retry_after_s: answer.retry_after_s,
                }
            }
            Err(error @ OutboundError::Refused(_)) => Tried::of(Verdict::Never, error.to_string()),
            Err(error) => Tried::of(Verdict::Later, error.to_string()),
        }
    }
}
