//! A change as evidence of an incident: kept whole with it.

use futures::future::BoxFuture;

use super::model::Deployment;
use super::service;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::incidents::hooks::{EvidenceSource, Resolved};
use crate::incidents::record::{Evidence, Snapshot};
use crate::incidents::{EvidenceKind, NewSnapshot};

/// Finds the change that a reference names: its number, or the address of its page here.
pub struct DeploymentEvidence;

impl EvidenceSource for DeploymentEvidence {
    fn kind(&self) -> EvidenceKind {
        EvidenceKind::Deployment
    }

    fn resolve<'a>(&'a self, db: &'a Db, reference: &'a str) -> BoxFuture<'a, Result<Resolved>> {
        Box::pin(async move {
            let unknown = || Error::invalid("reference", format!("'{}' names no deployment", reference.trim()));
            let id = id_in(reference).ok_or_else(unknown)?;
            let found = service::find(db, id).await?.ok_or_else(unknown)?;
            resolved(&found)
        })
    }

    fn draw(&self, _evidence: &Evidence, _snapshot: &Snapshot) -> Result<Option<String>> {
        // Its JSON reads well enough as text.
        Ok(None)
    }
}

/// What is attached of a change.
pub fn resolved(change: &Deployment) -> Result<Resolved> {
    Ok(Resolved {
        title: change.headline(),
        reference: change.id.to_string(),
        url: format!("/deployments/{}", change.id),
        topic: change.service.clone(),
        occurred_at: Some(change.at),
        snapshot: Some(NewSnapshot::json(&serde_json::to_value(change)?)),
    })
}

/// `12`, `/deployments/12`, or a whole address that ends so.
fn id_in(reference: &str) -> Option<i64> {
    let reference = reference.trim().trim_end_matches('/');
    let last = match reference.rsplit_once("/deployments/") {
        Some((_, last)) => last,
        None => reference,
    };
    last.split(['?', '#']).next()?.parse().ok().filter(|id| *id > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_in_all_their_forms() {
        for reference in ["12", " /deployments/12 ", "https://f.example/deployments/12/", "/deployments/12#x"] {
            assert_eq!(id_in(reference), Some(12), "{reference}");
        }
        for reference in ["", "0", "-3", "cart", "/incidents/12", "/deployments/"] {
            assert_eq!(id_in(reference), None, "{reference}");
        }
    }
}
