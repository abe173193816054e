//! Taking a chat export over into the timeline.

use std::collections::BTreeSet;

use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::Result;

use super::super::model::chat::ChatEntry;
use super::super::model::{EntryKind, IncidentId, Layer};
use super::super::store;
use super::By;
use super::timeline::{Append, append_timeline};

/// Whether each entry is on the timeline already, in their order.
pub async fn known(db: &Db, id: IncidentId, entries: &[ChatEntry]) -> Result<Vec<bool>> {
    let keys: BTreeSet<String> = store::timeline::import_keys(db, id).await?.into_iter().collect();
    Ok(entries.iter().map(|e| keys.contains(&e.key)).collect())
}

/// Writes the entries with their own times and authors; the number that was new.
pub async fn import(
    tx: &Tx,
    id: IncidentId,
    entries: &[ChatEntry],
    layer: Layer,
    by: &By,
    now: Timestamp,
) -> Result<usize> {
    let mut new = 0;
    for entry in entries {
        let append = Append {
            layer,
            kind: EntryKind::Import,
            text: entry.text.clone(),
            link: String::new(),
            occurred_at: entry.occurred_at,
            import_key: Some(entry.key.clone()),
        };
        let author = By { user_id: None, name: format!("{} (chat, imported by {})", entry.author, by.name) };
        new += usize::from(append_timeline(tx, id, &append, &author, now).await?.is_some());
    }
    Ok(new)
}
