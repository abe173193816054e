//! Whose session a request carries. What was read of one is used again until anything is committed here or
//! announced by another node, and for at most a second: a page with its parts and updates asks several times.

use std::sync::Arc;

use super::model::Actor;
use super::service::{SESSION_IDLE, TOUCH_EVERY, digest};
use super::store::{self, SessionUser};
use crate::db::Fresh;
use crate::error::Result;
use crate::state::AppState;

/// Sessions remembered at once.
const MOST: usize = 1_000;

/// The memory of one Faultline; cheap to clone.
#[derive(Clone)]
pub struct Sessions(Arc<Fresh<String, Option<SessionUser>>>);

impl Default for Sessions {
    fn default() -> Self {
        Self(Arc::new(Fresh::new(MOST)))
    }
}

impl Sessions {
    /// Who is behind a session's secret; nobody when it has ended. Notes its use.
    pub async fn find(&self, state: &AppState, secret: &str) -> Result<Option<Actor>> {
        let (now, key, changes) = (state.now(), digest(secret), state.db.changes());
        let found = self.0.get(key.clone(), changes, now, async { store::find_session(&state.db, &key).await }).await?;
        let Some(row) = found else { return Ok(None) };
        if row.expires_at <= now || row.last_seen_at <= now - SESSION_IDLE {
            return Ok(None);
        }
        if now - row.last_seen_at > TOUCH_EVERY {
            let tx = state.db.begin().await?;
            store::touch_session(&tx, row.session_id, now).await?;
            tx.commit().await?;
        }
        Ok(Some(Actor { user_id: Some(row.user_id), token_id: None, name: row.name, role: row.role.parse()? }))
    }
}
