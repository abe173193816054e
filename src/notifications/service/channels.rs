//! Setting up channels and rules. Only administrators do, which the routes see to.

use serde_json::json;

use super::super::courier::Courier;
use super::super::model::ChannelKind;
use super::super::model::channel::{Channel, ChannelInput, RuleInput, StoredRule};
use super::super::model::{Event, EventKind, Rule};
use super::super::worker::{self, Tried};
use super::super::{signing, store};
use crate::accounts::Actor;
use crate::audit;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::random::Random;
use crate::state::AppState;

pub async fn get(db: &Db, id: i64) -> Result<Channel> {
    store::channels::find(db, id).await?.ok_or_else(|| Error::not_found("That channel"))
}

pub async fn get_rule(db: &Db, channel: i64, id: i64) -> Result<StoredRule> {
    store::channels::find_rule(db, channel, id).await?.ok_or_else(|| Error::not_found("That rule"))
}

fn name_taken(name: &str) -> Error {
    Error::invalid("name", format!("another channel is called '{name}'"))
}

async fn note(
    tx: &Tx,
    now: Timestamp,
    actor: &Actor,
    action: &'static str,
    id: i64,
    detail: serde_json::Value,
) -> Result<()> {
    audit::record(tx, now, actor, action, ("notification_channel", &id.to_string()), &detail).await
}

/// Who changes something, when, and in which transaction.
pub struct Change<'a> {
    pub tx: &'a Tx,
    pub actor: &'a Actor,
    pub now: Timestamp,
}

impl Change<'_> {
    /// A new channel; of a signed webhook also the secret, which is never shown again.
    ///
    /// # Errors
    /// `Invalid` with every complaint.
    pub async fn create(
        &self,
        input: &ChannelInput,
        courier: &Courier,
        random: &Random,
    ) -> Result<(Channel, Option<String>)> {
        let new = input.normalize(None, courier.policy()).map_err(Error::Invalid)?;
        let secret = (new.kind == ChannelKind::Webhook).then(|| signing::secret_from(random.bytes()));
        let id = store::channels::insert(self.tx, &new, secret.as_deref().unwrap_or_default(), self.now)
            .await?
            .ok_or_else(|| name_taken(&new.name))?;
        if input.tell_all {
            store::channels::insert_rule(self.tx, id, "", &Rule::default(), self.now).await?;
        }
        note(self.tx, self.now, self.actor, "channel.create", id, json!({ "name": new.name, "kind": new.kind }))
            .await?;
        Ok((get(self.tx, id).await?, secret))
    }

    /// # Errors
    /// `Invalid` with every complaint.
    pub async fn edit(&self, id: i64, input: &ChannelInput, courier: &Courier) -> Result<Channel> {
        let standing = get(self.tx, id).await?;
        let new = input.normalize(Some(&standing), courier.policy()).map_err(Error::Invalid)?;
        if !store::channels::update(self.tx, id, &new, self.now).await? {
            return Err(name_taken(&new.name));
        }
        let detail = json!({
            "name": new.name, "may_see_private": new.may_see_private, "address_changed": new.address != standing.address
        });
        note(self.tx, self.now, self.actor, "channel.change", id, detail).await?;
        get(self.tx, id).await
    }

    pub async fn switch(&self, id: i64, on: bool) -> Result<Channel> {
        get(self.tx, id).await?;
        if store::channels::set_enabled(self.tx, id, on, "", self.now).await? {
            if !on {
                store::deliveries::drop_waiting(self.tx, id).await?;
            }
            note(self.tx, self.now, self.actor, "channel.switch", id, json!({ "on": on })).await?;
            self.tx.announce(super::TOPIC);
        }
        get(self.tx, id).await
    }

    pub async fn delete(&self, id: i64) -> Result<()> {
        let channel = get(self.tx, id).await?;
        store::channels::delete(self.tx, id).await?;
        note(self.tx, self.now, self.actor, "channel.delete", id, json!({ "name": channel.name })).await
    }

    /// A new signing secret, shown this once. The one before signs as well until [`Change::end_old_secret`].
    ///
    /// # Errors
    /// `Conflict` for a channel that is not signed.
    pub async fn rotate_secret(&self, id: i64, random: &Random) -> Result<String> {
        let channel = get(self.tx, id).await?;
        if channel.kind != ChannelKind::Webhook {
            return Err(Error::Conflict("Only signed webhooks have a secret.".to_owned()));
        }
        let new = signing::secret_from(random.bytes());
        let secrets: Vec<String> = std::iter::once(new.clone()).chain(channel.secrets.into_iter().take(1)).collect();
        store::channels::set_secrets(self.tx, id, &secrets, self.now).await?;
        note(self.tx, self.now, self.actor, "channel.secret.rotate", id, json!({})).await?;
        Ok(new)
    }

    pub async fn end_old_secret(&self, id: i64) -> Result<Channel> {
        let channel = get(self.tx, id).await?;
        let newest: Vec<String> = channel.secrets.into_iter().take(1).collect();
        store::channels::set_secrets(self.tx, id, &newest, self.now).await?;
        note(self.tx, self.now, self.actor, "channel.secret.end_old", id, json!({})).await?;
        get(self.tx, id).await
    }

    /// # Errors
    /// `Invalid` with every complaint.
    pub async fn add_rule(&self, channel: i64, input: &RuleInput) -> Result<StoredRule> {
        get(self.tx, channel).await?;
        let (name, rule) = input.normalize().map_err(Error::Invalid)?;
        let id = store::channels::insert_rule(self.tx, channel, &name, &rule, self.now).await?;
        note(self.tx, self.now, self.actor, "channel.rule.add", channel, json!({ "rule": id })).await?;
        get_rule(self.tx, channel, id).await
    }

    /// # Errors
    /// `Invalid` with every complaint.
    pub async fn edit_rule(&self, channel: i64, id: i64, input: &RuleInput) -> Result<StoredRule> {
        get_rule(self.tx, channel, id).await?;
        let (name, rule) = input.normalize().map_err(Error::Invalid)?;
        store::channels::update_rule(self.tx, id, &name, &rule).await?;
        note(self.tx, self.now, self.actor, "channel.rule.change", channel, json!({ "rule": id })).await?;
        get_rule(self.tx, channel, id).await
    }

    pub async fn delete_rule(&self, channel: i64, id: i64) -> Result<()> {
        get_rule(self.tx, channel, id).await?;
        store::channels::delete_rule(self.tx, id).await?;
        note(self.tx, self.now, self.actor, "channel.rule.delete", channel, json!({ "rule": id })).await
    }
}

/// Sends a test message now and tells what the receiver answered; also on a channel that is off. It is
/// logged like any other, and never tried again.
pub async fn test(state: &AppState, courier: &Courier, actor: &Actor, id: i64) -> Result<Tried> {
    let channel = get(&state.db, id).await?;
    let event = Event {
        text: Some("If you can read this, notifications of Faultline arrive here.".to_owned()),
        actor: Some(actor.name.clone()),
        path: format!("/settings/notifications/{id}"),
        ..Event::new(EventKind::Test, "Faultline", channel.name.clone(), state.now())
    };
    let tried = worker::try_once(courier, &channel, &event, &state.random, state.now()).await;
    let now = state.now();
    let tx = state.db.begin().await?;
    let event_id = store::outbox::insert_routed(&tx, &serde_json::to_string(&event)?, &event.subject, now).await?;
    let delivery = store::deliveries::insert_done(&tx, event_id, id, &event, tried.is_delivered(), now).await?;
    store::deliveries::add_attempts(&tx, &[delivery], now, tried.http_status, &tried.answer, tried.duration_ms).await?;
    note(&tx, now, actor, "channel.test", id, json!({ "delivered": tried.is_delivered() })).await?;
    tx.commit().await?;
    Ok(tried)
}
