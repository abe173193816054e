//! What alerts add to incidents: a panel with those that belong to it, the question before it is
//! resolved while some fire, alerts as evidence, and what fires outside any incident on the dashboard.

use askama::Template;
use futures::future::BoxFuture;

use super::model::AlertStatus;
use super::service;
use super::store::noise::{self, Noisy};
use super::store::{self, Alert, Filter};
use super::storm::{self, Storm};
use crate::accounts::Actor;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::incidents::hooks::{
    DashboardPanel, EvidenceSource, IncidentPanel, Panel, PanelContext, Place, ResolveQuestion, Resolved,
};
use crate::incidents::record::{Evidence, Snapshot};
use crate::incidents::{EvidenceKind, Incident, Viewer};
use crate::services::{self, Service};

const SHOWN: i64 = 8;

fn rendered(template: &impl Template) -> Result<String> {
    template.render().map_err(|e| Error::Internal(format!("rendering: {e}")))
}

/// The alerts of an incident.
pub struct AlertsPanel;

#[derive(Template)]
#[template(path = "alerts/_panel.html")]
struct PanelPart {
    incident: String,
    firing: i64,
    over: i64,
    alerts: Vec<Alert>,
    storm: Storm,
    may_respond: bool,
}

impl IncidentPanel for AlertsPanel {
    fn id(&self) -> &'static str {
        "alerts"
    }

    fn place(&self) -> Place {
        Place::Main
    }

    fn order(&self) -> i32 {
        10
    }

    fn render<'a>(&'a self, context: &'a PanelContext<'a>) -> BoxFuture<'a, Result<Option<Panel>>> {
        Box::pin(async move {
            let id = context.incident.id;
            let (firing, over) = store::counts_of_incident(context.db, id.0).await?;
            if firing + over == 0 {
                return Ok(None);
            }
            // Firing ones first: that is what there is to do.
            let filter = |status| Filter { incident: Some(id.0), status: Some(status), ..Filter::default() };
            let mut alerts = store::list(context.db, &filter(AlertStatus::Firing), SHOWN).await?;
            let room = SHOWN - i64::try_from(alerts.len()).unwrap_or(SHOWN);
            if room > 0 {
                alerts.extend(store::list(context.db, &filter(AlertStatus::Resolved), room).await?);
            }
            let at = context.incident.ended_at.unwrap_or(context.now);
            let storm =
                storm::last_hours(context.db, &Filter { incident: Some(id.0), ..Filter::default() }, at).await?;
            let part =
                PanelPart { incident: id.to_string(), firing, over, alerts, storm, may_respond: context.may_respond };
            Ok(Some(Panel {
                title: "Alerts".to_owned(),
                count: Some(firing + over),
                link: format!("/alerts?incident={id}"),
                html: rendered(&part)?,
                suspicion: None,
                next_step: None,
            }))
        })
    }
}

/// Asks before an incident is resolved while its alerts fire.
pub struct FiringQuestion;

impl ResolveQuestion for FiringQuestion {
    fn ask<'a>(&'a self, db: &'a Db, incident: &'a Incident) -> BoxFuture<'a, Result<Option<String>>> {
        Box::pin(async move {
            let (firing, _) = store::counts_of_incident(db, incident.id.0).await?;
            Ok(match firing {
                0 => None,
                1 => Some("1 alert of this incident still fires. Resolve all the same?".to_owned()),
                n => Some(format!("{n} alerts of this incident still fire. Resolve all the same?")),
            })
        })
    }
}

/// What fires and belongs to no incident.
pub struct LooseAlerts;

#[derive(Template)]
#[template(path = "alerts/_loose.html")]
struct LoosePart {
    alerts: Vec<Alert>,
}

impl DashboardPanel for LooseAlerts {
    fn id(&self) -> &'static str {
        "loose-alerts"
    }

    fn order(&self) -> i32 {
        10
    }

    fn render<'a>(&'a self, db: &'a Db, _: Viewer, _: Timestamp) -> BoxFuture<'a, Result<Option<Panel>>> {
        Box::pin(async move {
            let filter = Filter {
                status: Some(AlertStatus::Firing),
                in_incident: Some(false),
                noise: Some(false),
                ..Filter::default()
            };
            let alerts = store::list(db, &filter, SHOWN).await?;
            if alerts.is_empty() {
                return Ok(None);
            }
            let count = store::count(db, &filter, 10_000).await?;
            Ok(Some(Panel {
                title: "Alerts outside incidents".to_owned(),
                count: Some(count),
                link: "/alerts?status=firing&incident=none&noise=no".to_owned(),
                html: rendered(&LoosePart { alerts })?,
                suspicion: None,
                next_step: None,
            }))
        })
    }
}

/// On a service's page: what fires, and the rules that were noisiest in the last thirty days.
pub struct ServiceAlerts;

#[derive(Template)]
#[template(path = "alerts/_service.html")]
struct ServicePart {
    slug: String,
    alerts: Vec<Alert>,
    noisiest: Vec<Noisy>,
}

impl services::hooks::ServicePanel for ServiceAlerts {
    fn order(&self) -> i32 {
        30
    }

    fn render<'a>(
        &'a self,
        db: &'a Db,
        service: &'a Service,
        _: &'a Actor,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<services::hooks::Panel>>> {
        Box::pin(async move {
            let filter = Filter { service: service.slug.clone(), ..Filter::default() };
            let alerts = store::list(db, &filter, SHOWN).await?;
            if alerts.is_empty() {
                return Ok(None);
            }
            let noisiest = noise::noisiest_rules(db, &service.slug, now - chrono::TimeDelta::days(30), 5).await?;
            let html = rendered(&ServicePart { slug: service.slug.clone(), alerts, noisiest })?;
            let link = format!("/alerts?status=all&service={}", service.slug);
            Ok(Some(services::hooks::Panel { id: "alerts", title: "Alerts".to_owned(), link, html }))
        })
    }
}

/// Alerts as evidence: by their number, or by the address of their page.
pub struct AlertEvidence;

impl EvidenceSource for AlertEvidence {
    fn kind(&self) -> EvidenceKind {
        EvidenceKind::Alert
    }

    fn resolve<'a>(&'a self, db: &'a Db, reference: &'a str) -> BoxFuture<'a, Result<Resolved>> {
        Box::pin(async move {
            let last = reference.trim().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            let id: i64 = last
                .parse()
                .map_err(|_| Error::invalid("reference", "write an alert's number, or the address of its page"))?;
            let alert = store::find(db, id).await?;
            let alert = alert.ok_or_else(|| Error::invalid("reference", format!("there is no alert {id}")))?;
            let attach = service::evidence_of(&alert);
            Ok(Resolved {
                title: attach.title,
                reference: attach.reference,
                url: attach.url,
                topic: attach.topic,
                occurred_at: attach.occurred_at,
                snapshot: attach.snapshot,
            })
        })
    }

    fn draw(&self, _: &Evidence, snapshot: &Snapshot) -> Result<Option<String>> {
        let Ok(alert) = serde_json::from_slice::<serde_json::Value>(&snapshot.body) else { return Ok(None) };
        let text = |name: &str| alert.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        let labels = alert.get("labels").and_then(serde_json::Value::as_object).cloned().unwrap_or_default();
        let labels = labels.into_iter().map(|(k, v)| (k, v.as_str().unwrap_or_default().to_owned())).collect();
        let kept = KeptPart {
            status: text("status"),
            severity: text("severity"),
            description: text("description"),
            service: text("service"),
            source: text("source"),
            started_at: text("started_at"),
            labels,
        };
        rendered(&kept).map(Some)
    }
}

#[derive(Template)]
#[template(path = "alerts/_kept.html")]
struct KeptPart {
    status: String,
    severity: String,
    description: String,
    service: String,
    source: String,
    started_at: String,
    labels: Vec<(String, String)>,
}
