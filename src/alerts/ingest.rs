//! What a batch of deliveries does to the alerts: read, fold, write. Runs in the inbox's
//! transaction, so a delivery changes the alerts exactly once.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::future::BoxFuture;

use super::model::{self, AlertEvent, AlertStatus, Change, FLAP_EPISODES, FLAP_WINDOW, Origin};
use super::sources::mapping::Mapping;
use super::sources::{self, Input, Parsed, Source};
use super::store::write::{self, NewSignal};
use super::store::{self, Alert};
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::inbox::store::settings;
use crate::inbox::{Arrival, Delivery, Kind, Processor, Reading, Remark};
use crate::search::{self, Doc, DocKind};
use crate::services;

/// Takes deliveries of alerts and of checks out of the inbox.
#[derive(Debug)]
pub struct AlertProcessor;

impl Processor for AlertProcessor {
    fn process<'a>(&'a self, tx: &'a Tx, arrivals: Vec<Arrival>) -> BoxFuture<'a, Result<Vec<Remark>>> {
        Box::pin(process(tx, arrivals))
    }

    fn check(&self, delivery: &Delivery) -> Result<Option<Reading>> {
        // A house format is only known by its mapping, which is in the database: not looked at here.
        if delivery.source == MAPPED {
            sources::read::json(&delivery.body, &delivery.content_type).map_err(bad_request)?;
            return Ok(None);
        }
        Ok(Some(Box::new(read(delivery)?)))
    }
}

/// The source whose format a person described.
pub const MAPPED: &str = "mapped";

#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn bad_request(problem: sources::Problem) -> Error {
    Error::BadRequest(problem.to_string())
}

/// The source that a delivery names in its path.
fn source_of(delivery: &Delivery) -> Result<Source> {
    let source = match (delivery.kind, delivery.source.as_str()) {
        (Kind::Checks, "generic") => Some(Source::Check),
        (_, name) => Source::parse(name),
    };
    source.ok_or_else(|| Error::BadRequest(format!("'{}' is not a source of alerts", delivery.source)))
}

/// Reads a delivery without touching anything.
///
/// # Errors
/// [`Error::BadRequest`] with the place and the reason.
pub fn read(delivery: &Delivery) -> Result<Parsed> {
    let query = delivery.query();
    let input = Input {
        body: &delivery.body,
        content_type: &delivery.content_type,
        query: &query,
        resource: delivery.header("sentry-hook-resource"),
        received_at: delivery.received_at,
    };
    sources::parse(source_of(delivery)?, &input).map_err(bad_request)
}

async fn read_mapped(tx: &Tx, delivery: &Delivery) -> Result<Parsed> {
    let set = settings(tx, Kind::Alerts, MAPPED).await?;
    let mapping =
        Mapping::parse(&set.mapping).map_err(|why| Error::BadRequest(format!("the mapping cannot be used: {why}")))?;
    let body = sources::read::json(&delivery.body, &delivery.content_type).map_err(bad_request)?;
    mapping.apply(&body).map_err(bad_request)
}

async fn process(tx: &Tx, arrivals: Vec<Arrival>) -> Result<Vec<Remark>> {
    let mut remarks = Vec::new();
    let mut parsed = Vec::with_capacity(arrivals.len());
    for Arrival { delivery, reading } in arrivals {
        let read = match reading.map(Box::<dyn Any + Send>::downcast) {
            Some(Ok(read)) => *read,
            Some(Err(_)) => return Err(Error::Internal("a reading of alerts is of another kind".to_owned())),
            None if delivery.source == MAPPED => read_mapped(tx, &delivery).await?,
            None => read(&delivery)?,
        };
        remarks.extend(read.remark().map(|text| (delivery.id, text)));
        parsed.push((delivery, read.events));
    }
    let events = parsed.iter_mut().flat_map(|(delivery, events)| {
        let delivery = &*delivery;
        std::mem::take(events).into_iter().map(move |event| Arrived { event, delivery })
    });
    apply(tx, events.collect()).await?;
    Ok(remarks)
}

/// An event and the delivery that brought it.
pub struct Arrived<'a> {
    pub event: AlertEvent,
    pub delivery: &'a Delivery,
}

/// An alert on the way through one batch.
struct Work {
    alert: Alert,
    is_new: bool,
    /// More changed than that it was seen again.
    changed: bool,
    began: bool,
    ended: bool,
    signals: BTreeMap<(AlertStatus, Timestamp), NewSignal>,
}

/// Applies events in order and gives the ids of the alerts they were about, in order of first
/// appearance. Events of an unknown check that passed leave no trace: there was no problem.
pub async fn apply(tx: &Tx, events: Vec<Arrived<'_>>) -> Result<Vec<i64>> {
    let Some(now) = events.iter().map(|e| e.delivery.received_at).max() else { return Ok(Vec::new()) };
    write::take_turn(tx, now).await?;
    let keys: BTreeSet<&str> = events.iter().map(|e| e.event.key.as_str()).collect();
    let known = store::by_keys(tx, &keys.into_iter().collect::<Vec<_>>()).await?;
    let mut order: Vec<String> = Vec::new();
    let mut work: HashMap<String, Work> = known.into_iter().map(|a| (a.dedup_key.clone(), Work::known(a))).collect();
    let mut touched: BTreeSet<String> = BTreeSet::new();
    for arrived in events {
        let key = arrived.event.key.as_str().to_owned();
        let passed = arrived.event.origin == Origin::Check && arrived.event.status == AlertStatus::Resolved;
        if passed && !work.contains_key(&key) {
            continue;
        }
        match work.get_mut(&key) {
            Some(known) => known.fold(arrived.event, arrived.delivery),
            None => {
                work.insert(key.clone(), Work::new(arrived.event, arrived.delivery));
            }
        }
        if touched.insert(key.clone()) {
            order.push(key);
        }
    }
    work.retain(|key, _| touched.contains(key));
    discover_services(tx, &mut work, now).await?;
    mark_flapping(tx, &mut work).await?;
    write_all(tx, &mut work).await?;
    write::starts(tx, work.values().filter(|w| w.began).map(|w| w.alert.state.started_at)).await?;
    for w in work.values().filter(|w| w.ended) {
        super::service::checks::passed(tx, &w.alert, now).await?;
    }
    announce(tx, &work);
    Ok(order.iter().filter_map(|key| work.get(key)).map(|w| w.alert.id).collect())
}

impl Work {
    fn known(alert: Alert) -> Self {
        Self { alert, is_new: false, changed: false, began: false, ended: false, signals: BTreeMap::new() }
    }

    fn new(event: AlertEvent, delivery: &Delivery) -> Self {
        let (state, _) = model::fold(None, &event, delivery.received_at);
        let alert = Alert {
            id: 0,
            source: delivery.source.clone(),
            dedup_key: event.key.as_str().to_owned(),
            origin: event.origin.as_str().to_owned(),
            severity: None,
            title: String::new(),
            description: String::new(),
            rule: String::new(),
            service: String::new(),
            environment: String::new(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            links: Vec::new(),
            runbook_url: String::new(),
            trace_id: String::new(),
            deployment: String::new(),
            state,
            expires_at: None,
            signal_count: 0,
            episode_count: 1,
            flapping_until: None,
            acknowledged_at: None,
            acknowledged_by: String::new(),
            noise_at: None,
            noise_by: String::new(),
            incident_id: None,
            group_id: None,
            reason: String::new(),
            decide_at: (state.status == AlertStatus::Firing).then_some(delivery.received_at),
            last_delivery_id: 0,
            version: 1,
        };
        let mut work = Self { alert, is_new: true, changed: true, began: true, ended: false, signals: BTreeMap::new() };
        work.count(&event, delivery);
        work.acknowledge(&event, delivery);
        work.take_content(event);
        work
    }

    fn fold(&mut self, event: AlertEvent, delivery: &Delivery) {
        let (state, change) = model::fold(Some(self.alert.state), &event, delivery.received_at);
        self.count(&event, delivery);
        self.alert.state = state;
        match change {
            Change::Began => {
                self.changed = true;
                self.began = true;
                self.alert.episode_count += 1;
                self.alert.acknowledged_at = None;
                self.alert.acknowledged_by.clear();
                self.alert.decide_at = (state.status == AlertStatus::Firing).then_some(delivery.received_at);
            }
            Change::Ended => {
                self.changed = true;
                self.ended = true;
                self.alert.expires_at = None;
            }
            Change::Repeated => {}
        }
        self.acknowledge(&event, delivery);
        // News of an older episode must not bring back its words.
        if model::episode_start(&event, Some(&state), delivery.received_at) >= state.started_at {
            self.take_content(event);
        }
    }

    fn acknowledge(&mut self, event: &AlertEvent, delivery: &Delivery) {
        if event.acknowledged && self.alert.acknowledged_at.is_none() {
            self.changed = true;
            self.alert.acknowledged_at = Some(delivery.received_at);
            self.alert.acknowledged_by.clone_from(&delivery.source);
        }
    }

    /// Counts the event and remembers its signal.
    fn count(&mut self, event: &AlertEvent, delivery: &Delivery) {
        let current = (!self.is_new || !self.signals.is_empty()).then_some(&self.alert.state);
        let starts_at = model::episode_start(event, current, delivery.received_at);
        if delivery.id > self.alert.last_delivery_id {
            self.alert.signal_count += 1;
        }
        self.alert.last_delivery_id = self.alert.last_delivery_id.max(delivery.id);
        let ends_at = (event.status == AlertStatus::Resolved).then(|| event.ends_at.unwrap_or(delivery.received_at));
        let signal = self.signals.entry((event.status, starts_at)).or_insert_with(|| NewSignal {
            alert_id: 0,
            status: event.status,
            starts_at,
            ends_at,
            received_at: delivery.received_at,
            last_received_at: delivery.received_at,
            times: 0,
            first_delivery: delivery.id,
            last_delivery: delivery.id,
        });
        signal.times += 1;
        signal.last_received_at = signal.last_received_at.max(delivery.received_at);
        signal.last_delivery = signal.last_delivery.max(delivery.id);
    }

    /// Takes over what the source says now. What it leaves out (a PagerDuty resolve has no labels)
    /// keeps its earlier value.
    fn take_content(&mut self, event: AlertEvent) {
        let alert = &mut self.alert;
        let mut changed = false;
        let mut put = |target: &mut String, value: String| {
            if !value.is_empty() && *target != value {
                *target = value;
                changed = true;
            }
        };
        let bare = event.labels.is_empty() && event.severity.is_none() && !alert.title.is_empty();
        if !bare {
            put(&mut alert.title, event.title);
            put(&mut alert.rule, event.rule);
        }
        put(&mut alert.description, event.description);
        put(&mut alert.environment, event.environment.unwrap_or_default());
        put(&mut alert.service, event.service.as_deref().and_then(services::slug_of).unwrap_or_default());
        put(&mut alert.runbook_url, event.runbook_url.unwrap_or_default());
        put(&mut alert.trace_id, event.trace_id.unwrap_or_default());
        put(&mut alert.deployment, event.deployment.unwrap_or_default());
        if event.severity.is_some() && alert.severity != event.severity {
            alert.severity = event.severity;
            changed = true;
        }
        for (target, value) in [(&mut alert.labels, event.labels), (&mut alert.annotations, event.annotations)] {
            if !value.is_empty() && *target != value {
                *target = value;
                changed = true;
            }
        }
        if !event.links.is_empty() && alert.links != event.links {
            alert.links = event.links;
            changed = true;
        }
        if alert.state.status == AlertStatus::Firing {
            alert.expires_at = event.expires_at.or(alert.expires_at);
        }
        self.changed |= changed;
    }
}

/// Services that are not in the catalogue yet appear there, marked as discovered.
async fn discover_services(tx: &Tx, work: &mut HashMap<String, Work>, now: Timestamp) -> Result<()> {
    let names: BTreeSet<String> =
        work.values().filter(|w| w.changed && !w.alert.service.is_empty()).map(|w| w.alert.service.clone()).collect();
    for slug in names {
        services::ensure_discovered(tx, &slug, now).await?;
    }
    Ok(())
}

async fn mark_flapping(tx: &Tx, work: &mut HashMap<String, Work>) -> Result<()> {
    for w in work.values_mut().filter(|w| w.began && !w.is_new) {
        let since = w.alert.state.started_at - FLAP_WINDOW;
        let earlier = write::episodes_since(tx, w.alert.id, since).await?;
        if earlier + 1 >= FLAP_EPISODES {
            w.alert.flapping_until = Some(w.alert.state.started_at + FLAP_WINDOW);
        }
    }
    Ok(())
}

async fn write_all(tx: &Tx, work: &mut HashMap<String, Work>) -> Result<()> {
    let mut new: Vec<&mut Alert> = work.values_mut().filter(|w| w.is_new).map(|w| &mut w.alert).collect();
    // In order of their start, so that ids grow as the trouble did.
    new.sort_by(|a, b| (a.state.started_at, &a.dedup_key).cmp(&(b.state.started_at, &b.dedup_key)));
    write::insert(tx, &mut new).await?;
    search::upsert_many(tx, new.iter().map(|a| found_as(a)).collect()).await?;
    let of = |changed: bool| {
        work.values().filter(move |w| !w.is_new && w.changed == changed).map(|w| &w.alert).collect::<Vec<_>>()
    };
    write::update(tx, &of(true)).await?;
    write::touch(tx, &of(false)).await?;
    let signals: Vec<NewSignal> = work
        .values()
        .flat_map(|w| w.signals.values().map(|s| NewSignal { alert_id: w.alert.id, ..s.clone() }))
        .collect();
    write::signals(tx, &signals).await
}

/// What an alert is found by, and its service.
pub fn found_as(alert: &Alert) -> (Doc, String) {
    let labels: Vec<&str> = alert.labels.values().map(String::as_str).collect();
    let doc = Doc {
        kind: DocKind::Alert,
        id: alert.id.to_string(),
        title: alert.title.clone(),
        text: format!("{} {} {} {}", alert.description, alert.rule, alert.source, labels.join(" ")),
        url: format!("/alerts/{}", alert.id),
        private_incident: None,
        at: alert.state.started_at,
    };
    (doc, alert.service.clone())
}

fn announce(tx: &Tx, work: &HashMap<String, Work>) {
    if work.values().any(|w| w.changed) {
        tx.announce("alerts");
    }
    let incidents: BTreeSet<i64> = work.values().filter(|w| w.changed).filter_map(|w| w.alert.incident_id).collect();
    for id in incidents {
        tx.announce(format!("incident:{id}"));
    }
}
