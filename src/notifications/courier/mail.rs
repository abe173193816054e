//! E-mail over SMTP. Each recipient gets a mail of its own, so that one bad address spoils nothing, and
//! what is done with is noted before the next: a server that fails half way is asked only for the rest.
//!
//! The limit of it: when the connection breaks between the end of a mail and the server's "ok", nobody
//! knows whether it was taken; it is sent again under the same Message-ID, which most servers and readers
//! show once.

use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message as MailMessage};
use lettre::transport::smtp::Error as SmtpError;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::{Outcome, Parcel, Tried};
use crate::clock::Timestamp;
use crate::notifications::model::channel::Channel;
use crate::notifications::render;

/// For each step of the conversation with the server.
const TIMEOUT: Duration = Duration::from_secs(15);
/// For one whole mail.
pub const MAIL_TIMEOUT: Duration = Duration::from_secs(30);

/// A mail server and who mails are from.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    /// Makes Message-IDs ours.
    host: String,
}

impl Mailer {
    pub fn new(url: &str, from: &str, base_url: &str) -> Result<Self, String> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .map_err(|e| format!("FAULTLINE_SMTP_URL: {e}"))?
            .timeout(Some(TIMEOUT))
            .build();
        let from = from.parse().map_err(|e| format!("FAULTLINE_MAIL_FROM: {e}"))?;
        let host = url::Url::parse(base_url).ok().and_then(|u| u.host_str().map(str::to_owned));
        Ok(Self { transport, from, host: host.unwrap_or_else(|| "faultline.invalid".to_owned()) })
    }

    pub(super) async fn send<P, F>(
        &self,
        channel: &Channel,
        parcel: Parcel<'_>,
        base_url: &str,
        mut progress: P,
    ) -> Tried
    where
        P: FnMut(Vec<String>) -> F,
        F: Future<Output = ()>,
    {
        let mail = render::mail(&parcel.message, base_url);
        let recipients = recipients(channel, &parcel);
        if recipients.is_empty() {
            return Tried::new(Outcome::Nobody, None, "nobody holds the role that this channel tells");
        }
        let mut told = parcel.told.clone();
        let mut account = Account::default();
        for address in recipients.iter().filter(|r| !parcel.told.contains(r)) {
            let sending = self.one(address, &mail, &parcel);
            match tokio::time::timeout(MAIL_TIMEOUT, sending).await {
                Ok(Ok(())) => account.accepted += 1,
                Ok(Err(Failure::Refused(why))) => account.refused.push(format!("{address}: {why}")),
                Ok(Err(Failure::Later(why))) => {
                    account.waiting.push(format!("{address}: {why}"));
                    continue;
                }
                Err(_) => {
                    account.waiting.push(format!("{address}: no answer within {} s", MAIL_TIMEOUT.as_secs()));
                    break;
                }
            }
            told.push(address.clone());
            progress(told.clone()).await;
        }
        account.accepted += parcel.told.len();
        Tried { told, ..account.into_tried() }
    }

    async fn one(&self, to: &str, mail: &render::Mail, parcel: &Parcel<'_>) -> Result<(), Failure> {
        let refused = |e: &dyn std::fmt::Display| Failure::Refused(e.to_string());
        let to: Mailbox = to.parse().map_err(|e: lettre::address::AddressError| refused(&e))?;
        let thread = parcel.message.events().first().map(|e| e.subject.to_lowercase()).unwrap_or_default();
        let thread: String = thread.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        let message = MailMessage::builder()
            .from(self.from.clone())
            .to(to)
            .subject(mail.subject.clone())
            .date(system_time(parcel.now))
            .message_id(Some(format!("<{}@{}>", parcel.id, self.host)))
            // All mails about one incident are one thread.
            .references(format!("<{thread}@{}>", self.host))
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN)
            .body(mail.text.clone())
            .map_err(|e| refused(&e))?;
        self.transport.send(message).await.map(drop).map_err(Failure::from)
    }
}

fn recipients(channel: &Channel, parcel: &Parcel<'_>) -> Vec<String> {
    let (mut addresses, roles) = channel.recipients();
    for event in parcel.message.events() {
        addresses.extend(roles.iter().filter_map(|role| event.holders.get(role).cloned()));
    }
    let mut seen = std::collections::BTreeSet::new();
    addresses.retain(|a| seen.insert(a.to_lowercase()));
    addresses
}

fn system_time(at: Timestamp) -> SystemTime {
    let micros = u64::try_from(at.as_micros()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_micros(micros)
}

/// A mail of another room to one person, with its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    pub to: String,
    pub subject: String,
    pub text: String,
    /// For the mail program's own button (RFC 8058); the address takes a POST.
    pub unsubscribe_url: Option<String>,
    /// The same at every try.
    pub id: String,
    pub at: Timestamp,
}

impl Mailer {
    pub(super) async fn letter(&self, letter: &Letter) -> Tried {
        let refused = |why: String| Tried::new(Outcome::Never { gone: false }, None, why);
        let message = match self.written(letter) {
            Ok(message) => message,
            Err(why) => return refused(why),
        };
        let later = |why: String| Tried::new(Outcome::Later { retry_after_s: None }, None, why);
        match tokio::time::timeout(MAIL_TIMEOUT, self.transport.send(message)).await {
            Ok(Ok(_)) => Tried::new(Outcome::Delivered, None, "accepted"),
            Ok(Err(error)) => match Failure::from(error) {
                Failure::Refused(why) => refused(why),
                Failure::Later(why) => later(why),
            },
            Err(_) => later(format!("no answer within {} s", MAIL_TIMEOUT.as_secs())),
        }
    }

    fn written(&self, letter: &Letter) -> Result<MailMessage, String> {
        let to: Mailbox = letter.to.parse().map_err(|e: lettre::address::AddressError| e.to_string())?;
        let header = |name: &'static str, value: String| HeaderValue::new(HeaderName::new_from_ascii_str(name), value);
        let mut message = MailMessage::builder()
            .from(self.from.clone())
            .to(to)
            .subject(letter.subject.clone())
            .date(system_time(letter.at))
            .message_id(Some(format!("<{}@{}>", letter.id, self.host)))
            .raw_header(header("Auto-Submitted", "auto-generated".to_owned()));
        if let Some(url) = &letter.unsubscribe_url {
            message = message
                .raw_header(header("List-Unsubscribe", format!("<{url}>")))
                .raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()));
        }
        message.header(ContentType::TEXT_PLAIN).body(letter.text.clone()).map_err(|e| e.to_string())
    }
}

enum Failure {
    Refused(String),
    Later(String),
}

impl From<SmtpError> for Failure {
    /// Only the server's own 5xx is final; all else may be its bad day.
    fn from(error: SmtpError) -> Self {
        let mut text = error.to_string();
        if let Some(cause) = std::error::Error::source(&error) {
            text = format!("{text}: {cause}");
        }
        let text: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
        // 53x is about who we are, not about the recipient: a password that expires must not lose mail.
        let is_ours = error.status().is_some_and(|code| code.to_string().starts_with("53"));
        if error.is_permanent() && !is_ours { Self::Refused(text) } else { Self::Later(text) }
    }
}

#[derive(Default)]
struct Account {
    accepted: usize,
    refused: Vec<String>,
    waiting: Vec<String>,
}

impl Account {
    fn into_tried(self) -> Tried {
        let mut said = Vec::new();
        if self.accepted > 0 {
            said.push(format!("accepted for {}", self.accepted));
        }
        if !self.refused.is_empty() {
            said.push(format!("refused: {}", self.refused.join("; ")));
        }
        if !self.waiting.is_empty() {
            said.push(format!("to be tried again: {}", self.waiting.join("; ")));
        }
        let outcome = if !self.waiting.is_empty() {
            Outcome::Later { retry_after_s: None }
        } else if self.accepted > 0 {
            Outcome::Delivered
        } else {
            Outcome::Never { gone: false }
        };
        Tried::new(outcome, None, said.join(". ").chars().take(600).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Needs a runtime: the transport's pool is made with the mailer.
    #[tokio::test]
    async fn a_letter_can_be_left_by_one_click_and_no_address_smuggles_a_header_in() {
        let mailer =
            Mailer::new("smtp://127.0.0.1:1", "Shop <status@shop.example>", "https://f.example").expect("usable");
        let letter = Letter {
            to: "eve@shop.example".into(),
            subject: "Slow\r\nBcc: all@shop.example".into(),
            text: "Words".into(),
            unsubscribe_url: Some("https://f.example/status/unsubscribe/x".into()),
            id: "status_7".into(),
            at: Timestamp::from_secs(1_790_000_000),
        };
        let raw = String::from_utf8(mailer.written(&letter).expect("written").formatted()).expect("ASCII");
        let head = raw.split("\r\n\r\n").next().unwrap_or_default();
        assert!(head.contains("List-Unsubscribe: <https://f.example/status/unsubscribe/x>"), "{head}");
        assert!(head.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"), "{head}");
        assert!(head.contains("Message-ID: <status_7@f.example>"), "{head}");
        assert!(!head.lines().any(|l| l.starts_with("Bcc:")), "{head}");
        let bad = Letter { to: "eve@shop.example\r\nBcc: all@shop.example".into(), ..letter };
        assert!(mailer.written(&bad).is_err());
    }
}
