//! The buttons under a message: acknowledge and resolve.

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::incidents::IncidentId;
use crate::notifications::Courier;
use crate::notifications::render::slack::{ACKNOWLEDGE, RESOLVE};
use crate::outbound::Request;

use super::commands::Asked;

/// What Slack sends when a button is pressed; the rest is not looked at.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Pressed {
    #[serde(rename = "type")]
    pub kind: String,
    pub user: PressedBy,
    #[serde(default)]
    pub actions: Vec<Action>,
    #[serde(default)]
    pub response_url: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct PressedBy {
    pub id: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Action {
    #[serde(default)]
    pub action_id: String,
    #[serde(default)]
    pub value: String,
}

impl Pressed {
    /// The button of ours among them; a link that opens a page is reported, too, and is none.
    pub(super) fn ours(&self) -> Option<&Action> {
        let is_ours = |a: &&Action| [ACKNOWLEDGE, RESOLVE].contains(&a.action_id.as_str());
        if self.kind == "block_actions" { self.actions.iter().find(is_ours) } else { None }
    }
}

/// Does what the button says; gives the sentence for the channel.
pub(super) async fn press(asked: &Asked<'_>, action: &Action) -> Result<String> {
    let id = IncidentId::parse(&action.value)
        .ok_or_else(|| Error::BadRequest("The button names no incident.".to_owned()))?;
    if action.action_id == ACKNOWLEDGE {
        return asked.acknowledge(id).await;
    }
    let changed = asked.change(id, "resolved", "resolved in Slack").await?;
    Ok(format!("{} resolved {}.", super::commands::escape(&asked.actor.name), changed.id))
}

/// Sends the answer where Slack asked for it, in the background: Slack waits three seconds at most.
pub(super) fn answer(courier: Courier, response_url: String, message: Value) {
    if response_url.is_empty() {
        return;
    }
    tokio::spawn(async move {
        let request = Request::post_json(response_url, message.to_string().into_bytes());
        match courier.outbound() {
            Ok(outbound) => match outbound.send(request).await {
                Ok(answer) if answer.is_success() => {}
                Ok(answer) => tracing::warn!(status = answer.status, "Slack did not take the answer to a button"),
                Err(error) => tracing::warn!(%error, "the answer to a button could not be sent to Slack"),
            },
            Err(error) => tracing::warn!(%error, "the answer to a button could not be sent to Slack"),
        }
    });
}
