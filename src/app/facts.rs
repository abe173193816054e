//! What alerts, suspects and changes tell runbooks about an incident: the facts that conditions ask
//! for, and values of variables. It stands here because runbooks lie below those rooms.

use std::collections::BTreeMap;

use futures::future::BoxFuture;

use crate::alerts;
use crate::db::Db;
use crate::error::Result;
use crate::incidents::IncidentId;
use crate::runbooks::hooks::{FactSource, Known};

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
