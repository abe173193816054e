//! Customer impact, by a person or a token.

use serde_json::json;

use crate::error::{Error, Result};

use super::super::model::IncidentId;
use super::super::model::impact::{Impact, ImpactInput};
use super::super::service::{self, impacts};
use super::Acting;

impl Acting<'_> {
    /// # Errors
    /// See [`impacts::add`].
    pub async fn add_impact(&self, id: IncidentId, input: &ImpactInput) -> Result<Impact> {
        self.see(id).await?;
        let new = input.normalize(self.now).map_err(Error::Invalid)?;
        let impact = impacts::add(self.tx, id, &new, &self.by(), self.now).await?;
        self.audit("incident.impact.add", id, &json!({ "impact": impact.id })).await?;
        Ok(impact)
    }

    /// # Errors
    /// `Conflict` when the edit started from another version.
    pub async fn edit_impact(&self, id: IncidentId, impact: i64, input: &ImpactInput) -> Result<Impact> {
        self.see(id).await?;
        let standing = impacts::get(self.tx, id, impact).await?;
        if input.version.is_some_and(|read| read != standing.version) {
            return Err(impacts::stale());
        }
        let new = input.over(&standing).normalize(self.now).map_err(Error::Invalid)?;
        let impact = impacts::edit(self.tx, id, &standing, &new, &self.by(), self.now).await?;
        self.audit("incident.impact.change", id, &json!({ "impact": impact.id })).await?;
        Ok(impact)
    }

    pub async fn remove_impact(&self, id: IncidentId, impact: i64) -> Result<()> {
        self.see(id).await?;
        impacts::remove(self.tx, id, impact, &self.by(), self.now).await?;
        self.audit("incident.impact.remove", id, &json!({ "impact": impact })).await
    }

    /// Adds one service to those that are hit.
    pub async fn add_hit_service(&self, id: IncidentId, slug: &str) -> Result<()> {
        self.see(id).await?;
        service::details::add_service(self.tx, id, slug.trim(), &self.by(), self.now).await?;
        self.audit("incident.change", id, &json!({ "service": slug.trim() })).await
    }
}
