//! Importing a chat export: what it would add, and adding it.

use serde::Deserialize;
use serde_json::json;

use crate::error::{Error, FieldErrors, Result};
use crate::fields::{self, past_moment};

use super::super::model::chat::{self, ChatEntry, ChatImport, MAX_MESSAGES};
use super::super::model::upload::Upload;
use super::super::model::{IncidentId, Layer};
use super::super::service;
use super::Acting;

/// The form of the import; the export itself comes as text or as files.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ChatInput {
    #[serde(deserialize_with = "fields::text")]
    pub export: String,
    /// Only messages from here on.
    #[serde(deserialize_with = "fields::text")]
    pub from: String,
    /// Only messages up to here.
    #[serde(deserialize_with = "fields::text")]
    pub to: String,
    /// Story unless it is said not to.
    #[serde(deserialize_with = "fields::maybe_flag")]
    pub story: Option<bool>,
    /// Without it nothing is written.
    #[serde(deserialize_with = "fields::flag")]
    pub confirm: bool,
}

/// What an import adds, or added.
#[derive(Debug)]
pub struct Preview {
    /// Each with whether it is on the timeline already; in order of time.
    pub entries: Vec<(ChatEntry, bool)>,
    /// Joins, renames and empty messages.
    pub skipped: usize,
    /// Before `from` or after `to`.
    pub outside: usize,
}

impl Preview {
    pub fn new_ones(&self) -> usize {
        self.entries.iter().filter(|(_, known)| !known).count()
    }
}

impl Acting<'_> {
    /// Reads the export, and writes it when it was confirmed.
    ///
    /// # Errors
    /// `Invalid` (fields `export`, `from`, `to`) for what cannot be read.
    pub async fn import_chat(&self, id: IncidentId, input: &ChatInput, files: &[Upload]) -> Result<Preview> {
        self.see(id).await?;
        let mut errors = FieldErrors::default();
        let from = past_moment(&mut errors, "from", &input.from, self.now);
        let to = past_moment(&mut errors, "to", &input.to, self.now);
        let read = read(&input.export, files).map_err(|message| errors.add("export", message));
        let (Ok(ChatImport { entries, skipped }), true) = (read, errors.is_empty()) else {
            return Err(Error::Invalid(errors));
        };
        let before = entries.len();
        let inside: Vec<ChatEntry> = entries
            .into_iter()
            .filter(|e| from.is_none_or(|f| e.occurred_at >= f) && to.is_none_or(|t| e.occurred_at <= t))
            .collect();
        let known = service::chat::known(self.tx, id, &inside).await?;
        let outside = before - inside.len();
        if input.confirm {
            let layer = if input.story.unwrap_or(true) { Layer::Story } else { Layer::Activity };
            let new = service::chat::import(self.tx, id, &inside, layer, &self.by(), self.now).await?;
            self.audit("incident.timeline.import", id, &json!({ "messages": new })).await?;
        }
        Ok(Preview { entries: inside.into_iter().zip(known).collect(), skipped, outside })
    }
}

/// Several days of one channel come as several files.
fn read(export: &str, files: &[Upload]) -> Result<ChatImport, String> {
    let mut parts: Vec<(String, &str)> = Vec::new();
    for file in files {
        let text = std::str::from_utf8(&file.bytes).map_err(|_| format!("{}: is not a text", file.name))?;
        parts.push((format!("{}: ", file.name), text));
    }
    if !export.trim().is_empty() {
        parts.push((String::new(), export));
    }
    if parts.is_empty() {
        return Err("is needed: choose the channel's JSON files, or paste one".to_owned());
    }
    let mut all = ChatImport::default();
    for (name, text) in parts {
        let part = chat::read_slack(text).map_err(|message| format!("{name}{message}"))?;
        all.entries.extend(part.entries);
        all.skipped += part.skipped;
    }
    if all.entries.len() > MAX_MESSAGES {
        return Err(format!("has {} messages; at most {MAX_MESSAGES} are imported at once", all.entries.len()));
    }
    all.entries.sort_by(|a, b| (a.occurred_at, &a.key).cmp(&(b.occurred_at, &b.key)));
    all.entries.dedup_by(|a, b| a.key == b.key);
    Ok(all)
}
