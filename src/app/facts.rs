//! What alerts, suspects and changes tell runbooks about an incident: the facts that conditions ask
//! for, and values of variables. It stands here because runbooks lie below those rooms.

use std::collections::BTreeMap;

use futures::future::BoxFuture;

use crate::alerts;
use crate::db::Db;
use crate::error::Result;
use crate::incidents::IncidentId;
use crate::runbooks::hooks::{FactSource, Known};
use crate::suspects;

/// Alerts of an incident that are looked at.
const MAX_ALERTS: i64 = 100;

/// Labels and runbook links of the incident's alerts.
pub struct AlertFacts;

impl FactSource for AlertFacts {
    fn add<'a>(&'a self, db: &'a Db, incident: IncidentId, known: &'a mut Known) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let filter = alerts::store::Filter { incident: Some(incident.0), ..alerts::store::Filter::default() };
            for alert in alerts::store::list(db, &filter, MAX_ALERTS).await? {
                known.offer("alert.name", &alert.title);
                known.offer("environment", &alert.environment);
                let mut labels: BTreeMap<String, String> = alert.labels;
                // What the source calls its rule is what `alert:` in a condition means.
                labels.entry("alertname".to_owned()).or_insert(alert.rule);
                known.facts.alerts.push(labels);
                if !alert.runbook_url.is_empty() {
                    known.facts.runbook_links.push((alert.title, alert.runbook_url));
                }
            }
            Ok(())
        })
    }
}

/// Runbooks that the grouping rule attaches which opened the incident.
pub struct RuleFacts;

impl FactSource for RuleFacts {
    fn add<'a>(&'a self, db: &'a Db, incident: IncidentId, known: &'a mut Known) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            known.facts.attached.extend(alerts::service::rules::runbooks_of(db, incident).await?);
            Ok(())
        })
    }
}

/// Suspects that are looked at.
const MAX_SUSPECTS: usize = 3;

/// Kinds of the leading suspects, and the suspected deployment's service and version.
pub struct SuspectFacts;

impl FactSource for SuspectFacts {
    fn add<'a>(&'a self, db: &'a Db, incident: IncidentId, known: &'a mut Known) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let Some(kept) = suspects::find(db, incident).await? else { return Ok(()) };
            let earnest = kept.ranking.suspects.iter().filter(|s| s.score >= suspects::ranking::CLEAR);
            for suspect in earnest.take(MAX_SUSPECTS) {
                known.facts.suspects.push((suspect.kind.name().to_owned(), suspect.title()));
                if let Some(version) = &suspect.version {
                    known.offer("deployment.service", &suspect.service);
                    known.offer("deployment.version", version);
                }
            }
            Ok(())
        })
    }
}
