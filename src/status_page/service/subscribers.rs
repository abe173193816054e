//! Subscribing to the status page, and telling subscribers. An address is told nothing but one question
//! until its owner has confirmed it.

use chrono::TimeDelta;
use futures::future::BoxFuture;

use super::letter::{KEPT_ANSWER, Letter, Tried};
use crate::accounts::Actor;
use crate::audit;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, FieldErrors, Result};
use crate::notifications::backoff::{Verdict, next_pause};
use crate::notifications::signing;
use crate::outbound::{Outbound, Policy};
use crate::random::Random;
use crate::status_page::model::PublicNotice;
use crate::status_page::store::public::{self, Which};
use crate::status_page::store::subscribers::{self as store, Delivery, Subscriber};

/// An address is asked again no sooner than this, however often somebody types it in.
const ASK_AGAIN: TimeDelta = TimeDelta::minutes(15);
/// Who has not confirmed after this is forgotten.
const CONFIRM_WITHIN: TimeDelta = TimeDelta::days(2);
const KEEP_SETTLED: TimeDelta = TimeDelta::days(30);
/// Longer than a message can take.
const LEASE: TimeDelta = TimeDelta::seconds(90);
/// A subscriber whose messages were given up so often in a row is taken off the list.
const DROP_AFTER: i64 = 5;

/// How an address is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Email,
    Webhook,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Webhook => "webhook",
        }
    }
}

/// One mail to one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub to: String,
    pub subject: String,
    pub text: String,
    /// For the mail program's own button (RFC 8058).
    pub unsubscribe_url: Option<String>,
    /// The same at every try.
    pub id: String,
    pub at: Timestamp,
}

/// Why a mail did not go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailFailure {
    /// Worth another try.
    Later(String),
    /// The server refuses it for good.
    Refused(String),
}

/// What sends mail; another room knows the server.
pub trait Post: Send + Sync {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), MailFailure>>;
}

/// The ways out. Without `mail`, nobody can subscribe by e-mail.
pub struct Ways<'a> {
    pub outbound: &'a Outbound,
    pub mail: Option<&'a dyn Post>,
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The same words for a new address, one that waits and one that is confirmed: nobody learns from
    /// the form who is subscribed.
    Question,
    /// A new webhook, with the secret that signs its messages: shown this once.
    Webhook { secret: String },
}

fn email_of(errors: &mut FieldErrors, text: &str) -> String {
    let address = text.trim().to_lowercase();
    let fits = address.chars().count() <= 254
        && address.split_once('@').is_some_and(|(local, host)| {
            !local.is_empty()
                && host.contains('.')
                && !host.starts_with('.')
                && !host.ends_with('.')
                && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
        })
        && !address.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';' | '"'));
    if !fits {
        errors.add("address", "is not an e-mail address");
    }
    address
}

/// Takes an address down and asks it whether it wants to be told.
///
/// # Errors
/// `Invalid` (field `address`).
pub async fn subscribe(
    tx: &Tx,
    kind: Kind,
    address: &str,
    policy: &Policy,
    (random, now): (&Random, Timestamp),
) -> Result<Asked> {
    let mut errors = FieldErrors::default();
    let address = match kind {
        Kind::Email => email_of(&mut errors, address),
        Kind::Webhook => {
            let address = address.trim().to_owned();
            if address.chars().count() > 1_000 {
                errors.add("address", "is longer than 1000 characters");
            } else if let Err(refusal) = policy.check_url(&address) {
                errors.add("address", refusal.to_string());
            }
            address
        }
    };
    errors.into_result()?;
    if let Some(known) = store::find_by_address(tx, kind.as_str(), &address).await? {
        if known.confirmed_at.is_none() && now - known.asked_at >= ASK_AGAIN {
            store::asked_again(tx, known.id, now).await?;
            store::queue_question(tx, known.id, now).await?;
        }
        return Ok(Asked::Question);
    }
    let secret = if kind == Kind::Webhook { signing::secret_from(random.bytes()) } else { String::new() };
    let made = store::insert(tx, (kind.as_str(), &address), (&random.secret(), &secret), now).await?;
    if let Some(id) = made {
        store::queue_question(tx, id, now).await?;
        tx.announce("status-outbox");
    }
    Ok(match kind {
        Kind::Webhook if made.is_some() => Asked::Webhook { secret },
        _ => Asked::Question,
    })
}

/// # Errors
/// `NotFound` for an unknown token, or one that was forgotten.
pub async fn by_token(db: &Db, token: &str) -> Result<Subscriber> {
    store::find_by_token(db, token).await?.ok_or_else(|| Error::not_found("This subscription"))
}

pub async fn confirm(tx: &Tx, token: &str, now: Timestamp) -> Result<()> {
    let subscriber = by_token(tx, token).await?;
    store::confirm(tx, subscriber.id, now).await.map(drop)
}

/// Unknown tokens are no error: who unsubscribes twice is unsubscribed.
pub async fn unsubscribe(tx: &Tx, token: &str) -> Result<()> {
    if let Some(subscriber) = store::find_by_token(tx, token).await? {
        store::delete(tx, subscriber.id).await?;
    }
    Ok(())
}

/// An administrator takes somebody off the list.
///
/// # Errors
/// `NotFound`.
pub async fn remove(tx: &Tx, id: i64, actor: &Actor, now: Timestamp) -> Result<()> {
    if store::delete(tx, id).await? == 0 {
        return Err(Error::not_found("That subscriber"));
    }
    let subject = ("status_subscriber", &*id.to_string());
    audit::record(tx, now, actor, "status_page.subscriber.remove", subject, &serde_json::json!({})).await
}

/// Queues an update for everybody who confirmed, in the transaction that publishes it.
pub async fn tell_all(tx: &Tx, update: i64, now: Timestamp) -> Result<()> {
    if store::queue_update(tx, update, now).await? > 0 {
        tx.announce("status-outbox");
    }
    Ok(())
}

/// Forgets who did not confirm, and what was settled long ago.
pub async fn tidy(db: &Db, now: Timestamp) -> Result<()> {
    let tx = db.begin().await?;
    store::forget_unconfirmed(&tx, now - CONFIRM_WITHIN).await?;
    store::forget_settled(&tx, now - KEEP_SETTLED).await?;
    tx.commit().await
}

/// Sends what is due; tells how many messages were worked on.
pub async fn deliver(db: &Db, ways: &Ways<'_>, base_url: &str, limit: i64, now: Timestamp) -> Result<usize> {
    let tx = db.begin().await?;
    let claimed = store::claim(&tx, now, now + LEASE, limit).await?;
    tx.commit().await?;
    for delivery in &claimed {
        match deliver_one(db, ways, base_url, delivery, now).await? {
            Some(tried) => settle(db, delivery, tried, now).await?,
            None => {
                let tx = db.begin().await?;
                store::drop_delivery(&tx, delivery.id).await?;
                tx.commit().await?;
            }
        }
    }
    Ok(claimed.len())
}

/// `None` when there is nothing to tell any more: unsubscribed, or withdrawn since.
async fn deliver_one(
    db: &Db,
    ways: &Ways<'_>,
    base_url: &str,
    delivery: &Delivery,
    now: Timestamp,
) -> Result<Option<Tried>> {
    let Some(subscriber) = store::find(db, delivery.subscriber_id).await? else { return Ok(None) };
    let site = public::head(db).await?.title;
    let notice = match delivery.update_id {
        None => None,
        Some(update) => match published(db, update).await? {
            None => return Ok(None),
            found => found,
        },
    };
    let letter = Letter { site: &site, base_url: base_url.trim_end_matches('/'), subscriber: &subscriber, delivery };
    Ok(Some(if subscriber.kind == "email" {
        let Some(mail) = ways.mail else {
            return Ok(Some(Tried::of(Verdict::Later, "e-mail is not set up")));
        };
        match mail.send(&letter.mail(notice.as_ref(), now)).await {
            Ok(()) => Tried::of(Verdict::Delivered, "accepted"),
            Err(MailFailure::Later(why)) => Tried::of(Verdict::Later, why),
            Err(MailFailure::Refused(why)) => Tried::of(Verdict::Never, why),
        }
    } else {
        letter.post(ways.outbound, notice.as_ref(), now).await
    }))
}

/// The notice of an update, with nothing newer than it.
async fn published(db: &Db, update: i64) -> Result<Option<PublicNotice>> {
    let Some(notice) = store::notice_of(db, update).await? else { return Ok(None) };
    let mut found = public::notices(db, Which::One(notice)).await?.into_iter().next();
    if let Some(notice) = &mut found {
        notice.updates.retain(|u| u.id == update);
    }
    Ok(found.filter(|n| !n.updates.is_empty()))
}

async fn settle(db: &Db, delivery: &Delivery, tried: Tried, now: Timestamp) -> Result<()> {
    let answer: String = tried.answer.chars().take(KEPT_ANSWER).collect();
    let tx = db.begin().await?;
    match tried.verdict {
        Verdict::Delivered => {
            store::sent(&tx, delivery, &answer, now).await?;
            if tried.confirms {
                store::confirm(&tx, delivery.subscriber_id, now).await?;
            }
        }
        Verdict::Later => {
            let attempts = u32::try_from(delivery.attempts + 1).unwrap_or(u32::MAX);
            let next = next_pause(attempts, tried.retry_after_s, 0.5).map(|pause| now + pause);
            store::failed(&tx, delivery, &answer, next).await?;
        }
        Verdict::Never => store::failed(&tx, delivery, &answer, None).await?,
    }
    if let Some(subscriber) = store::find(&tx, delivery.subscriber_id).await?
        && subscriber.given_up_in_row >= DROP_AFTER
    {
        store::delete(&tx, subscriber.id).await?;
        tracing::info!(subscriber = subscriber.id, "taken off the status page's list after lasting failure");
    }
    tx.commit().await
}
