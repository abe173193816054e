//! What other rooms add to runbooks: facts about an incident that conditions ask for, and values of
//! variables. Those rooms import this one; `app.rs` registers them once.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::db::Db;
use crate::error::Result;
use crate::incidents::record::Incident;
use crate::incidents::{self, EvidenceKind, IncidentId};

use super::model::IncidentFacts;

/// What is known of an incident: for conditions, and for `{{variables}}`.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub facts: IncidentFacts,
    pub values: BTreeMap<String, String>,
}

impl Known {
    /// Sets a variable unless it has a value; empty ones do not count.
    pub fn offer(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.values.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
    }
}

/// A room that knows more about incidents (alerts: labels; suspects: kinds; deployments: versions).
pub trait FactSource: Send + Sync {
    fn add<'a>(&'a self, db: &'a Db, incident: IncidentId, known: &'a mut Known) -> BoxFuture<'a, Result<()>>;
}

/// All that was registered. Cheap to clone.
#[derive(Clone, Default)]
pub struct Sources(Arc<Vec<Box<dyn FactSource>>>);

impl Sources {
    pub fn new(sources: Vec<Box<dyn FactSource>>) -> Self {
        Self(Arc::new(sources))
    }

    /// Everything that is known of the incident now. A source that fails is left out and logged.
    pub async fn known(&self, db: &Db, incident: &Incident, base_url: &str) -> Result<Known> {
        let mut known = of_incident(db, incident, base_url).await?;
        for source in self.0.iter() {
            if let Err(error) = source.add(db, incident.id, &mut known).await {
                tracing::error!(incident = %incident.id, %error, "a source of facts for runbooks failed");
            }
        }
        of_evidence(db, incident.id, &mut known).await?;
        Ok(known)
    }
}

async fn of_incident(db: &Db, incident: &Incident, base_url: &str) -> Result<Known> {
    let services: Vec<String> = incidents::services(db, incident.id).await?.into_iter().map(|s| s.slug).collect();
    let roles = incidents::roles(db, incident.id).await?;
    let mut known = Known::default();
    known.offer("incident.id", &incident.id.to_string());
    known.offer("incident.title", &incident.title);
    known.offer("incident.severity", incident.severity.as_str());
    known.offer("incident.url", &format!("{base_url}{}", incident.path()));
    known.offer("service", services.first().map_or("", String::as_str));
    known.offer("services", &services.join(" "));
    let commander = roles.iter().find(|r| r.role == incidents::model::Role::Commander);
    known.offer("incident.commander", commander.map_or("", |r| &r.name));
    known.facts = IncidentFacts {
        title: incident.title.clone(),
        severity: incident.severity.to_string(),
        services,
        ..known.facts
    };
    Ok(known)
}

/// The newest attached deployment, and the first attached alert.
async fn of_evidence(db: &Db, id: IncidentId, known: &mut Known) -> Result<()> {
    let evidence = incidents::evidence::page(db, id, 0, 200).await?;
    if let Some(alert) = evidence.iter().find(|e| e.kind == EvidenceKind::Alert) {
        known.offer("alert.name", &alert.title);
    }
    let Some(deployment) = evidence.iter().rev().find(|e| e.kind == EvidenceKind::Deployment) else { return Ok(()) };
    known.offer("deployment.service", &deployment.topic);
    // Version and service must be of one change: a suspected one of another service wins.
    if known.values.get("deployment.service") != Some(&deployment.topic) {
        return Ok(());
    }
    let Some(snapshot) = incidents::evidence::snapshot(db, deployment.id).await? else { return Ok(()) };
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(&snapshot.body) else { return Ok(()) };
    for (field, name) in [
        ("service", "deployment.service"),
        ("version", "deployment.version"),
        ("previous_version", "deployment.previous_version"),
        ("environment", "environment"),
    ] {
        known.offer(name, body.get(field).and_then(|v| v.as_str()).unwrap_or_default());
    }
    Ok(())
}
