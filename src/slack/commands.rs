//! `/faultline …`: what it understands, and what it answers. Answers are seen by the asker alone, except
//! that an incident was declared.

use serde_json::{Value, json};

use crate::accounts::{Actor, Role as AccountRole};
use crate::clock::human_duration;
use crate::error::{Error, Result};
use crate::incidents::hooks::Hooks;
use crate::incidents::{
    self, Acting, By, DeclareInput, Filter, Incident, IncidentId, MilestoneName, NewMilestone, Severity, Source,
    Status, StatusInput, Viewer,
};
use crate::state::AppState;

/// Open incidents that a list names.
const LISTED: i64 = 15;

pub(super) const HELP: &str = "*/faultline list*  what is open\n\
    */faultline declare [SEV1–SEV4] title [service:slug]*  declare an incident\n\
    */faultline status INC-12*  how it stands\n\
    */faultline status INC-12 identified reason*  change its status\n\
    */faultline ack INC-12*  acknowledge it";

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    List,
    Declare { severity: Option<Severity>, title: String, services: Vec<String> },
    Show(IncidentId),
    Change { id: IncidentId, status: String, reason: String },
    Acknowledge(IncidentId),
}

impl Command {
    /// # Errors
    /// A sentence on what is missing.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (verb, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        match verb.to_ascii_lowercase().as_str() {
            "" | "help" => Ok(Self::Help),
            "list" | "open" => Ok(Self::List),
            "declare" => declare(rest),
            "ack" | "acknowledge" => Ok(Self::Acknowledge(incident(rest)?)),
            "status" => {
                let (id, more) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest, ""));
                let id = incident(id)?;
                let (status, reason) = more.trim().split_once(char::is_whitespace).unwrap_or((more.trim(), ""));
                if status.is_empty() {
                    return Ok(Self::Show(id));
                }
                Ok(Self::Change { id, status: status.to_owned(), reason: reason.trim().to_owned() })
            }
            other => Err(format!("'{other}' is not a command.\n{HELP}")),
        }
    }
}

fn incident(text: &str) -> Result<IncidentId, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("Which incident? Name it like INC-12.".to_owned());
    }
    IncidentId::parse(text).ok_or_else(|| format!("'{text}' is not an incident: name it like INC-12."))
}

fn declare(rest: &str) -> Result<Command, String> {
    let mut severity = None;
    let mut services = Vec::new();
    let mut title = Vec::new();
    for word in rest.split_whitespace() {
        let named = word.strip_prefix("service:").or_else(|| word.strip_prefix("service="));
        match (named, Severity::parse(word)) {
            (Some(slug), _) if !slug.is_empty() => services.push(slug.to_lowercase()),
            (None, Some(found)) if title.is_empty() && severity.is_none() => severity = Some(found),
            _ => title.push(word),
        }
    }
    if title.is_empty() {
        return Err("What is wrong? For example: /faultline declare SEV2 Checkout is slow service:checkout".to_owned());
    }
    Ok(Command::Declare { severity, title: title.join(" "), services })
}

/// One person's command in one request.
pub(super) struct Asked<'a> {
    pub state: &'a AppState,
    pub actor: &'a Actor,
    pub hooks: &'a Hooks,
}

impl Asked<'_> {
    /// The message that answers a command.
    ///
    /// # Errors
    /// What cannot be done, for the asker to read; `Internal` and `Unavailable` for the log.
    pub(super) async fn carry_out(&self, command: Command) -> Result<Value> {
        match command {
            Command::Help => Ok(whisper(HELP)),
            Command::List => self.list().await,
            Command::Show(id) => {
                let incident = incidents::get_visible(&self.state.db, id, Viewer::from(self.actor)).await?;
                Ok(whisper(&self.line(&incident)))
            }
            Command::Declare { severity, title, services } => self.declare(severity, title, services).await,
            Command::Change { id, status, reason } => {
                let changed = self.change(id, &status, &reason).await?;
                Ok(whisper(&format!("Done. {}", self.line(&changed))))
            }
            Command::Acknowledge(id) => self.acknowledge(id).await.map(|said| whisper(&said)),
        }
    }

    async fn list(&self) -> Result<Value> {
        let filter = Filter { statuses: Status::OPEN.to_vec(), ..Filter::default() };
        let open = incidents::page(&self.state.db, &filter, Viewer::from(self.actor), LISTED + 1).await?;
        let shown = usize::try_from(LISTED).unwrap_or_default();
        let mut lines: Vec<String> = open.iter().take(shown).map(|i| self.line(i)).collect();
        if open.len() > shown {
            lines.push(format!("and more: <{}/incidents|all open incidents>", self.state.config.base_url));
        }
        Ok(whisper(if lines.is_empty() { "Nothing is open.".to_owned() } else { lines.join("\n") }.as_str()))
    }

    async fn declare(&self, severity: Option<Severity>, title: String, services: Vec<String>) -> Result<Value> {
        self.actor.require(AccountRole::Responder)?;
        let input = DeclareInput {
            title,
            severity: severity.unwrap_or(Severity::Sev3).as_str().to_owned(),
            services,
            ..DeclareInput::default()
        };
        let now = self.state.now();
        let tx = self.state.db.begin().await?;
        let id = Acting { tx: &tx, actor: self.actor, now }.declare(&input).await?;
        let incident = incidents::get_visible(&tx, id, Viewer::from(self.actor)).await?;
        tx.commit().await?;
        let text = format!("{} declared: {}", escape(&self.actor.name), self.line(&incident));
        Ok(json!({ "response_type": "in_channel", "text": text }))
    }

    /// # Errors
    /// What the page would say: the state machine's refusal, or the question that must be answered there.
    pub(super) async fn change(&self, id: IncidentId, status: &str, reason: &str) -> Result<Incident> {
        self.actor.require(AccountRole::Responder)?;
        let input = StatusInput { status: status.to_owned(), reason: reason.to_owned(), ..StatusInput::default() };
        let tx = self.state.db.begin().await?;
        let acting = Acting { tx: &tx, actor: self.actor, now: self.state.now() };
        let changed = acting.change_status(id, &input, self.hooks).await?;
        tx.commit().await?;
        Ok(changed)
    }

    pub(super) async fn acknowledge(&self, id: IncidentId) -> Result<String> {
        self.actor.require(AccountRole::Responder)?;
        let now = self.state.now();
        let tx = self.state.db.begin().await?;
        let incident = incidents::get_visible(&tx, id, Viewer::from(self.actor)).await?;
        let new = NewMilestone {
            name: MilestoneName::Acknowledged,
            at: now,
            source: Source::Person,
            reason: "acknowledged in Slack".to_owned(),
        };
        let is_new = incidents::offer_milestone(&tx, id, &new, &By::from(self.actor), now).await?;
        if !is_new {
            let standing = incidents::milestones(&tx, id).await?;
            let set = standing.iter().find(|m| m.name == MilestoneName::Acknowledged);
            return match set.and_then(|m| m.at.map(|at| (at, &m.author))) {
                Some((at, by)) => Ok(format!("{id} was acknowledged by {} at {} UTC.", escape(by), at.to_minute())),
                None => {
                    Err(Error::Conflict(format!("{id} cannot be acknowledged now: its times would be out of order")))
                }
            };
        }
        crate::audit::record(
            &tx,
            now,
            self.actor,
            "incident.milestone.set",
            ("incident", &id.to_string()),
            &json!({ "name": new.name, "at": now, "reason": new.reason }),
        )
        .await?;
        tx.commit().await?;
        Ok(format!("{} acknowledged <{}|{id}>.", escape(&self.actor.name), self.url(&incident)))
    }

    fn url(&self, incident: &Incident) -> String {
        format!("{}{}", self.state.config.base_url, incident.path())
    }

    /// `SEV1 INC-12 (investigating, 12m): Cart is down`, the name a link.
    fn line(&self, incident: &Incident) -> String {
        format!(
            "{} <{}|{}> ({}, {}): {}",
            incident.severity,
            self.url(incident),
            incident.id,
            incident.status,
            human_duration(incident.age(self.state.now())),
            escape(&incident.title)
        )
    }
}

/// An answer that only the asker sees.
pub(super) fn whisper(text: &str) -> Value {
    json!({ "response_type": "ephemeral", "text": text })
}

/// What people typed must not become a mention or a link.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_as_people_type_them() {
        let id = IncidentId(12);
        let declared = |severity, title: &str, services: &[&str]| {
            Ok(Command::Declare {
                severity,
                title: title.to_owned(),
                services: services.iter().map(|s| (*s).to_owned()).collect(),
            })
        };
        assert_eq!(Command::parse(""), Ok(Command::Help));
        assert_eq!(Command::parse("  LIST "), Ok(Command::List));
        assert_eq!(
            Command::parse("declare sev2 Checkout is slow service:Checkout"),
            declared(Some(Severity::Sev2), "Checkout is slow", &["checkout"])
        );
        assert_eq!(Command::parse("declare Not a SEV1 yet"), declared(None, "Not a SEV1 yet", &[]));
        assert_eq!(Command::parse("ack inc-12"), Ok(Command::Acknowledge(id)));
        assert_eq!(Command::parse("status INC-12"), Ok(Command::Show(id)));
        assert_eq!(
            Command::parse("status INC-12  identified  bad deploy "),
            Ok(Command::Change { id, status: "identified".into(), reason: "bad deploy".into() })
        );
        for wrong in ["declare", "declare SEV1", "ack", "ack soon", "status", "explode"] {
            assert!(Command::parse(wrong).is_err(), "{wrong}");
        }
    }
}
