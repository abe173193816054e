//! The log of deliveries, and trying one again by hand.

use serde_json::json;

use super::super::store;
use super::super::store::log::{Attempt, Delivery, Filter};
use crate::accounts::Actor;
use crate::audit;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};

pub async fn get(db: &Db, id: i64) -> Result<Delivery> {
    store::log::find(db, id).await?.ok_or_else(|| Error::not_found("That delivery"))
}

/// One page, newest first; ask for one more than is shown.
pub async fn list(db: &Db, filter: &Filter, limit: i64) -> Result<Vec<Delivery>> {
    store::log::list(db, filter, limit).await
}

pub async fn count(db: &Db, filter: &Filter) -> Result<i64> {
    store::log::count(db, filter).await
}

pub async fn attempts(db: &Db, id: i64) -> Result<Vec<Attempt>> {
    store::log::attempts(db, id).await
}

/// Tries a delivery again that failed or was dropped.
///
/// # Errors
/// `Conflict` when it waits or was sent, and when what it tells has become private since and its channel
/// may not be told.
pub async fn retry(tx: &Tx, id: i64, actor: &Actor, now: Timestamp) -> Result<Delivery> {
    let delivery = get(tx, id).await?;
    if delivery.hidden && !delivery.may_see_private {
        return Err(Error::Conflict("It is about a private incident, which this channel is not told of.".to_owned()));
    }
    if !store::deliveries::retry(tx, id, now).await? {
        return Err(Error::Conflict("Only a delivery that failed or was dropped can be tried again.".to_owned()));
    }
    audit::record(tx, now, actor, "delivery.retry", ("notification_delivery", &id.to_string()), &json!({})).await?;
    tx.announce(super::TOPIC);
    get(tx, id).await
}
