//! Who asks, and which incidents behind alerts they may know of.

use std::collections::BTreeMap;

use super::store::Alert;
use crate::accounts::{Actor, Role};
use crate::db::{Db, Where};
use crate::error::Result;
use crate::incidents::{self, By, IncidentId, Viewer};

/// The person or program behind a request, as the incidents' room wants to know it.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a>(&'a Actor);

impl<'a> Asker<'a> {
    pub const fn of(actor: &'a Actor) -> Self {
        Self(actor)
    }

    pub fn viewer(self) -> Viewer {
        Viewer { all: self.0.can(Role::Admin), user_id: self.0.user_id.unwrap_or(0) }
    }

    pub fn by(self) -> By {
        By { user_id: self.0.user_id, name: self.0.name.clone() }
    }
}

/// The incidents of some alerts, those that the asker may see, with title and status.
#[derive(Debug, Default)]
pub struct Visible(BTreeMap<i64, (String, String)>);

impl Visible {
    pub fn id_of(&self, alert: &Alert) -> Option<IncidentId> {
        alert.incident_id.filter(|id| self.0.contains_key(id)).map(IncidentId)
    }

    pub fn title_of(&self, id: IncidentId) -> &str {
        self.0.get(&id.0).map_or("", |i| &i.0)
    }

    pub fn status_of(&self, id: IncidentId) -> &str {
        self.0.get(&id.0).map_or("", |i| &i.1)
    }
}

/// One query for a page of alerts.
pub async fn incidents_of(db: &Db, alerts: &[Alert], asker: Asker<'_>) -> Result<Visible> {
    let mut ids: Vec<i64> = alerts.iter().filter_map(|a| a.incident_id).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(Visible::default());
    }
    let mut w = Where::new();
    incidents::visible(&mut w, asker.viewer());
    w.and_any("i.id", ids);
    let (sql, args) = w.statement("SELECT i.id, i.title, i.status FROM incidents i", "");
    let rows: Vec<(i64, String, String)> = db.fetch_all(sql, args).await?;
    Ok(Visible(rows.into_iter().map(|(id, title, status)| (id, (title, status))).collect()))
}
