//! PagerDuty and GoAlert: setting them up, keeping both sides in step, and doing what they say.
//!
//! No event of ours is forwarded as such. A link remembers how an incident stands over there; what is
//! sent follows from the difference to how it stands here. What the other side did changes both at once,
//! so it is never sent back.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::accounts::Actor;
use crate::audit;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, FieldErrors, Result};
use crate::fields;
use crate::incidents::model::input::StatusChange;
use crate::incidents::{self, By, IncidentId, MilestoneName, NewMilestone, Source, Status, Viewer};
use crate::notifications::backoff::{Verdict, next_pause, verdict};
use crate::oncall::model::connect::{ConnectionKind, Heard, PAGERDUTY_EVENTS, Standing, Told, goalert_id, next_step};
use crate::oncall::store::connections::{self as store, Connection, Link};
use crate::outbound::{Answer, Outbound, OutboundError, Policy, Request};
use crate::random::Random;

use super::paging;

const SYSTEM: Viewer = Viewer { all: true, user_id: 0 };
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than a call can take, so that a link is not sent twice; short enough that a dead node's links
/// are soon taken over.
const LEASE: TimeDelta = TimeDelta::seconds(60);
/// A connection is switched off after so many events in a row were given up.
const DISABLE_AFTER: i64 = 5;
const KEPT_ANSWER: usize = 300;

/// A connection as it is typed.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct ConnectionInput {
    pub name: String,
    pub kind: String,
    pub url: String,
    pub routing_key: String,
    pub signing_secret: String,
    pub sends_from: String,
    pub team: String,
}

impl ConnectionInput {
    fn normalize(&self, policy: &Policy) -> Result<Connection, FieldErrors> {
        let mut errors = FieldErrors::default();
        let kind = ConnectionKind::parse(&self.kind).unwrap_or_else(|| {
            errors.add("kind", ConnectionKind::unknown(&self.kind));
            ConnectionKind::PagerDuty
        });
        let url = match (kind, self.url.trim()) {
            (ConnectionKind::PagerDuty, "") => PAGERDUTY_EVENTS,
            (_, url) => url,
        };
        if let Err(refusal) = policy.check_url(url) {
            errors.add("url", refusal.to_string());
        }
        if kind == ConnectionKind::PagerDuty && self.routing_key.trim().is_empty() {
            errors.add("routing_key", "is needed: the integration key of an Events API v2 integration");
        }
        let sends_from = self.sends_from.trim().to_uppercase();
        if !["SEV1", "SEV2", "SEV3", "SEV4"].contains(&sends_from.as_str()) {
            errors.add("sends_from", format!("'{sends_from}' is not a severity: use SEV1 to SEV4"));
        }
        let connection = Connection {
            id: 0,
            name: fields::required(&mut errors, "name", &self.name, 80),
            kind: kind.as_str().to_owned(),
            url: fields::limited(&mut errors, "url", url, 1_000),
            routing_key: fields::limited(&mut errors, "routing_key", &self.routing_key, 200),
            signing_secret: fields::limited(&mut errors, "signing_secret", &self.signing_secret, 300),
            sends_from,
            team: fields::limited(&mut errors, "team", &self.team, 100),
            enabled: true,
            disabled_reason: String::new(),
            last_answer: String::new(),
            given_up_in_row: 0,
        };
        if errors.is_empty() { Ok(connection) } else { Err(errors) }
    }
}

fn digest(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

pub async fn all(db: &Db) -> Result<Vec<Connection>> {
    store::all(db).await
}

/// # Errors
/// `NotFound`.
pub async fn get(db: &Db, id: i64) -> Result<Connection> {
    store::find(db, id).await?.ok_or_else(|| Error::not_found("That connection"))
}

async fn audited(tx: &Tx, actor: &Actor, action: &'static str, id: i64, now: Timestamp) -> Result<()> {
    audit::record(tx, now, actor, action, ("oncall_connection", &id.to_string()), &json!({})).await
}

/// Makes a connection; gives its number and the secret of the address that the other side sends to,
/// which is kept only hashed.
///
/// # Errors
/// `Invalid` by field, also for an address that may not be called.
pub async fn add(
    tx: &Tx,
    input: &ConnectionInput,
    policy: &Policy,
    actor: &Actor,
    (random, now): (&Random, Timestamp),
) -> Result<(i64, String)> {
    let new = input.normalize(policy).map_err(Error::Invalid)?;
    let token = random.secret();
    let taken = || Error::invalid("name", "is the name of another connection");
    let id = store::insert(tx, &new, &digest(&token), now).await?.ok_or_else(taken)?;
    audited(tx, actor, "oncall.connection.add", id, now).await?;
    Ok((id, token))
}

/// The secret that PagerDuty shows when the webhook is made there, which is after the connection.
pub async fn set_secret(tx: &Tx, id: i64, secret: &str, actor: &Actor, now: Timestamp) -> Result<()> {
    let mut errors = FieldErrors::default();
    let secret = fields::required(&mut errors, "signing_secret", secret, 300);
    errors.into_result()?;
    if store::set_secret(tx, id, &secret, now).await? == 0 {
        return Err(Error::not_found("That connection"));
    }
    audited(tx, actor, "oncall.connection.secret", id, now).await
}

pub async fn enable(tx: &Tx, id: i64, enabled: bool, actor: &Actor, now: Timestamp) -> Result<()> {
    if store::enable(tx, id, enabled, "", now).await? == 0 {
        return Err(Error::not_found("That connection"));
    }
    audited(tx, actor, "oncall.connection.enable", id, now).await
}

pub async fn remove(tx: &Tx, id: i64, actor: &Actor, now: Timestamp) -> Result<()> {
    if store::delete(tx, id).await? == 0 {
        return Err(Error::not_found("That connection"));
    }
    audited(tx, actor, "oncall.connection.remove", id, now).await
}

/// The connection behind an address.
///
/// # Errors
/// `Unauthenticated` for a wrong one.
pub async fn authenticate(db: &Db, id: &str, token: &str) -> Result<Connection> {
    let id = id.parse().map_err(|_| Error::Unauthenticated)?;
    store::find_by_token(db, id, &digest(token)).await?.ok_or(Error::Unauthenticated)
}

/// Sees what changed here, and makes it due.
pub async fn look(db: &Db, limit: i64, now: Timestamp) -> Result<usize> {
    let (unlinked, changed) = (store::unlinked(db, limit).await?, store::changed(db, limit).await?);
    if unlinked.is_empty() && changed.is_empty() {
        return Ok(0);
    }
    let tx = db.begin().await?;
    for (connection, incident) in &unlinked {
        store::insert_link(&tx, *connection, *incident, now).await?;
    }
    for (link, stands) in &changed {
        store::want(&tx, *link, stands, now).await?;
    }
    tx.commit().await?;
    Ok(unlinked.len() + changed.len())
}

/// Sends what is due; tells how many links were worked on.
pub async fn deliver(db: &Db, outbound: &Outbound, base_url: &str, limit: i64, now: Timestamp) -> Result<usize> {
    let tx = db.begin().await?;
    let claimed = store::claim(&tx, now, now + LEASE, limit).await?;
    tx.commit().await?;
    for link in &claimed {
        deliver_one(db, outbound, base_url, link.clone(), now).await?;
    }
    Ok(claimed.len())
}

async fn deliver_one(db: &Db, outbound: &Outbound, base_url: &str, mut link: Link, now: Timestamp) -> Result<()> {
    let Some(connection) = store::find(db, link.connection_id).await? else { return Ok(()) };
    let Some(step) = next_step(link.remote(), link.wanted()) else {
        let tx = db.begin().await?;
        store::settle(&tx, &link, None, now).await?;
        return tx.commit().await;
    };
    let request = request(db, &connection, base_url, &link, step).await?;
    let sent = match request {
        // GoAlert cannot be told of an acknowledgement; over there it stands as if it had been.
        None => Ok(None),
        Some(request) => outbound.send(request).await.map(Some),
    };
    let (said, outcome, retry_after_s) = judge(&sent);
    let tx = db.begin().await?;
    let next_at = match outcome {
        Verdict::Delivered => {
            if step == Standing::Triggered
                && let Some(id) = sent.ok().flatten().and_then(|a| goalert_id(&a.body))
            {
                link.remote_id = id;
            }
            link.remote = step.as_str().to_owned();
            link.attempts = 0;
            store::note_answer(&tx, connection.id, &said, 0).await?;
            next_step(link.remote(), link.wanted()).map(|_| now)
        }
        Verdict::Later | Verdict::Never => {
            link.attempts += 1;
            let pause = match outcome {
                Verdict::Never => None,
                _ => next_pause(u32::try_from(link.attempts).unwrap_or(u32::MAX), retry_after_s, 0.5),
            };
            let given_up = connection.given_up_in_row + i64::from(pause.is_none());
            store::note_answer(&tx, connection.id, &said, given_up).await?;
            if given_up >= DISABLE_AFTER {
                let reason = format!("{given_up} events in a row could not be delivered; the last answer was: {said}");
                store::enable(&tx, connection.id, false, &reason, now).await?;
            }
            pause.map(|p| now + p)
        }
    };
    store::settle(&tx, &link, next_at, now).await?;
    tx.announce(format!("incident:{}", link.incident_id));
    tx.commit().await
}

fn judge(sent: &Result<Option<Answer>, OutboundError>) -> (String, Verdict, Option<u64>) {
    match sent {
        Ok(None) => (String::new(), Verdict::Delivered, None),
        Ok(Some(answer)) => {
            let said = format!("{} {}", answer.status, answer.excerpt(KEPT_ANSWER));
            (said.trim().to_owned(), verdict(answer.status), answer.retry_after_s)
        }
        Err(error @ OutboundError::Refused(_)) => (error.to_string(), Verdict::Never, None),
        Err(error) => (error.to_string(), Verdict::Later, None),
    }
}

async fn request(
    db: &Db,
    connection: &Connection,
    base_url: &str,
    link: &Link,
    step: Standing,
) -> Result<Option<Request>> {
    let incident = incidents::get_visible(db, IncidentId(link.incident_id), SYSTEM).await?;
    let services: Vec<String> = incidents::services(db, incident.id).await?.into_iter().map(|s| s.slug).collect();
    let id = incident.id.to_string();
    // Made private since it was told: nothing more is said of it than its number.
    let title = if incident.private { "Private incident" } else { incident.title.as_str() };
    let url = format!("{base_url}{}", incident.path());
    let told = Told {
        incident: &id,
        title,
        severity: incident.severity.as_str(),
        services: if incident.private { &[] } else { &services },
        url: &url,
        base_url,
    };
    let body = match connection.kind()? {
        ConnectionKind::PagerDuty => Some(told.pagerduty(&connection.routing_key, step)),
        ConnectionKind::GoAlert => told.goalert(step),
    };
    Ok(body.map(|body| {
        let mut request = Request::post_json(connection.url.clone(), body.to_string().into_bytes());
        request.timeout = TIMEOUT;
        request.max_answer = 8 * 1024;
        request.with_header("accept", "application/json")
    }))
}

/// Does what the other side says, once; tells whether something changed here.
pub async fn hear(tx: &Tx, connection: &Connection, heard: &Heard, now: Timestamp) -> Result<bool> {
    let Some(link) = store::find_link(tx, connection.id, &heard.remote_id, heard.incident).await? else {
        return Ok(false);
    };
    let Some(standing) = heard.standing else {
        store::hear(tx, link.id, &heard.remote_id, None, now).await?;
        return Ok(false);
    };
    if !store::receive(tx, connection.id, &heard.event_id, now).await? {
        return Ok(false);
    }
    let id = IncidentId(link.incident_id);
    let incident = incidents::get_visible(tx, id, SYSTEM).await?;
    let who = if heard.by.is_empty() {
        String::new()
    } else {
        format!(" by {}", heard.by.chars().take(100).collect::<String>())
    };
    let by = By::system(connection.name.clone());
    if !incident.status.is_open() {
        store::hear(tx, link.id, &heard.remote_id, Some(standing), now).await?;
        return Ok(false);
    }
    let reason = format!(
        "{} in {}{who}",
        if standing == Standing::Resolved { "Resolved" } else { "Acknowledged" },
        connection.name
    );
    let changed = match standing {
        Standing::Triggered => false,
        Standing::Acknowledged => {
            let new = NewMilestone { name: MilestoneName::Acknowledged, at: now, source: Source::Person, reason };
            let set = incidents::offer_milestone(tx, id, &new, &by, now).await?;
            if set {
                paging::end_answered(tx, id, now).await?;
            }
            set
        }
        Standing::Resolved => {
            let change = StatusChange { to: Status::Resolved, reason, at: now, confirmed: true };
            incidents::change_status(tx, id, &change, &by, now).await?;
            paging::end_answered(tx, id, now).await?;
            true
        }
    };
    store::hear(tx, link.id, &heard.remote_id, Some(standing), now).await?;
    Ok(changed)
}
