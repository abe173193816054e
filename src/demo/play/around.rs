//! What happens around incidents: changes, alerts, and their attachment as evidence.

use serde_json::json;

use super::Player;
use crate::alerts::ingest::AlertProcessor;
use crate::alerts::model::DedupKey;
use crate::alerts::service as alerts;
use crate::alerts::store::by_keys;
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::demo::company::PEOPLE;
use crate::demo::incidents::IncidentPlan;
use crate::demo::year::{AlertPlan, ChangePlan};
use crate::deployments::evidence::resolved;
use crate::deployments::input::DeploymentInput;
use crate::error::{Error, Result};
use crate::inbox::{Delivery, Kind, Processor};
use crate::incidents::hooks::{EvidenceSource, Resolved};
use crate::incidents::{self, Attach, EvidenceKind};
use crate::traces::TraceEvidence;

/// Names a planned change in the player's memory.
pub(super) type ChangeKey = (&'static str, String, Timestamp);

fn key_of(change: &ChangePlan) -> ChangeKey {
    (change.service, change.version.clone(), change.started)
}

impl Player<'_> {
    /// As a pipeline reports it when it is done.
    pub(super) async fn change(&mut self, tx: &Tx, change: &ChangePlan, now: Timestamp) -> Result<()> {
        let input = DeploymentInput {
            service: change.service.to_owned(),
            version: change.version.clone(),
            environment: "production".to_owned(),
            kind: change.kind.to_owned(),
            commit: change.commit.clone(),
            author: PEOPLE.get(change.author).map_or_else(String::new, |p| p.name.to_owned()),
            url: format!(
                "https://ci.meridian.example/{}/{}",
                change.service,
                change.commit.get(..8).unwrap_or_default()
            ),
            started_at: change.started.to_rfc3339(),
            finished_at: change.finished.to_rfc3339(),
            ..DeploymentInput::default()
        };
        let recorded = crate::deployments::record(tx, &input.normalize(now).map_err(Error::Invalid)?, now).await?;
        self.changes.insert(key_of(change), recorded.id);
        Ok(())
    }

    /// One delivery of the monitoring about an alert.
    pub(super) async fn signal(&self, tx: &Tx, alert: &AlertPlan, over: bool, now: Timestamp) -> Result<()> {
        let body = json!({
            "title": alert.summary,
            "dedup_key": dedup_key(alert),
            "status": if over { "resolved" } else { "firing" },
            "severity": alert.severity,
            "rule": alert.name,
            "service": alert.service,
            "environment": "production",
            "labels": { "alertname": alert.name, "service": alert.service, "team": team(alert.service) },
            "starts_at": alert.fired.to_rfc3339(),
            "ends_at": if over { json!(now.to_rfc3339()) } else { json!(null) },
            "url": format!("https://metrics.meridian.example/graph?service={}", alert.service),
        });
        let delivery = Delivery {
            id: 0,
            kind: Kind::Alerts,
            source: "generic".to_owned(),
            received_at: now,
            token_name: "monitoring".to_owned(),
            path: "/ingest/alerts/generic".to_owned(),
            content_type: "application/json".to_owned(),
            headers: std::collections::BTreeMap::new(),
            body: body.to_string().into_bytes(),
        };
        AlertProcessor.process(tx, vec![delivery.into()]).await.map(drop)
    }

    /// The alert that led to the incident joins it as soon as that is declared.
    pub(super) async fn join_alert(&self, tx: &Tx, plan: &IncidentPlan, now: Timestamp) -> Result<()> {
        let Some(alert) = &plan.alert else { return Ok(()) };
        let key = DedupKey::new("generic", &dedup_key(alert)).as_str().to_owned();
        let found = by_keys(tx, &[&key]).await?;
        let id =
            found.first().map(|a| a.id).ok_or_else(|| Error::Internal(format!("demo: {} never fired", alert.name)))?;
        let by = self.by(plan.operations);
        alerts::acknowledge(tx, id, &by, now).await?;
        alerts::attach(tx, &[id], self.id(plan)?, "told of it first", &by, now).await
    }

    /// The guilty change and the first failed trace, once somebody has found them.
    pub(super) async fn attach_evidence(&self, tx: &Tx, plan: &IncidentPlan, now: Timestamp) -> Result<()> {
        if let Some(trace) = &plan.trace {
            let found = TraceEvidence.resolve(tx, &trace.id).await?;
            self.attach(tx, plan, EvidenceKind::Trace, "One of the first requests that failed.", found, now).await?;
        }
        if let Some(id) = plan.guilty.as_ref().and_then(|c| self.changes.get(&key_of(c))) {
            let found = resolved(&crate::deployments::get(tx, *id).await?)?;
            self.attach(tx, plan, EvidenceKind::Deployment, "Went out just before the first failure.", found, now)
                .await?;
        }
        Ok(())
    }

    async fn attach(
        &self,
        tx: &Tx,
        plan: &IncidentPlan,
        kind: EvidenceKind,
        note: &str,
        found: Resolved,
        now: Timestamp,
    ) -> Result<()> {
        let attach = Attach {
            kind,
            title: found.title,
            note: note.to_owned(),
            reference: found.reference,
            url: found.url,
            topic: found.topic,
            occurred_at: found.occurred_at,
            snapshot: found.snapshot,
        };
        incidents::add_evidence(tx, self.id(plan)?, &attach, &self.by(plan.operations), now).await.map(drop)
    }
}

fn team(service: &str) -> &'static str {
    crate::demo::company::find(service).map_or("platform", |s| s.team)
}

/// One problem is one alert: the same rule on another day is another one.
fn dedup_key(alert: &AlertPlan) -> String {
    format!("{}/{}/{}", alert.service, alert.name, alert.fired.format("%Y%m%d%H%M"))
}
