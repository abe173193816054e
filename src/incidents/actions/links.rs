//! Links between incidents, by a person or a token.

use serde::Deserialize;
use serde_json::json;

use crate::error::{Error, Result};
use crate::fields;

use super::super::model::IncidentId;
use super::super::model::link::Relation;
use super::super::service::links;
use super::Acting;

/// `POST …/links`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct LinkInput {
    #[serde(deserialize_with = "fields::text")]
    pub other: String,
    /// `related` when nothing is said.
    #[serde(deserialize_with = "fields::text")]
    pub relation: String,
}

impl Acting<'_> {
    /// # Errors
    /// `Invalid` (field `other`) for an incident that is not to be seen; see also [`links::link`].
    pub async fn link(&self, id: IncidentId, input: &LinkInput) -> Result<()> {
        self.see(id).await?;
        let relation = match input.relation.trim() {
            "" => Relation::Related,
            word => Relation::parse(word).ok_or_else(|| Error::invalid("relation", Relation::unknown(word)))?,
        };
        let unknown = || Error::invalid("other", format!("'{}' is not an incident", input.other.trim()));
        let other = IncidentId::parse(&input.other).ok_or_else(unknown)?;
        match self.see(other).await {
            Ok(_) => {}
            Err(Error::NotFound(_)) => return Err(unknown()),
            Err(error) => return Err(error),
        }
        links::link(self.tx, id, other, relation, &self.by(), self.now).await?;
        self.audit("incident.link", id, &json!({ "other": other, "relation": relation })).await
    }

    /// # Errors
    /// `NotFound` for a link that the actor may not see.
    pub async fn unlink(&self, id: IncidentId, key: &str) -> Result<()> {
        let incident = self.see(id).await?;
        let seen = links::of(self.tx, &incident, self.actor.into()).await?;
        if !seen.iter().any(|l| l.key.eq_ignore_ascii_case(key)) {
            return Err(Error::not_found(format!("link '{key}' of {id}")));
        }
        links::unlink(self.tx, id, key, &self.by(), self.now).await?;
        self.audit("incident.unlink", id, &json!({ "link": key })).await
    }
}
