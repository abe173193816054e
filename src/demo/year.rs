//! The year as a whole: which incidents, when, on which services, with which changes around them.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::aftermath;
use super::company::SERVICES;
use super::incidents::{self, IncidentPlan, Skeleton};
use super::stories::{Guilty, Story, all};
use super::traces::{self, TracePlan};
use crate::clock::Timestamp;
use crate::incidents::model::{Kind, Severity};
use crate::seeded::Seeded;

/// The seed of the company that `faultline demo` shows.
pub const SEED: u64 = 2026;
pub const DAYS: i64 = 365;

const REAL: usize = 128;
const DRILLS: usize = 8;
const BACKFILLED: usize = 10;
/// Regular deployments of one service over the year.
const DEPLOYMENTS_TIER_1: usize = 24;
const DEPLOYMENTS_OTHERS: usize = 14;
const LONE_ALERTS: usize = 60;
const HEALTHY_TRACES: usize = 40;

/// A change of one service in production.
#[derive(Clone, Debug)]
pub struct ChangePlan {
    pub service: &'static str,
    pub version: String,
    /// `deployment`, `rollback`, `configuration` or `feature_flag`.
    pub kind: &'static str,
    pub author: usize,
    pub commit: String,
    pub started: Timestamp,
    pub finished: Timestamp,
}

/// One problem that an alerting system reports, and how often it does.
#[derive(Clone, Debug)]
pub struct AlertPlan {
    pub name: &'static str,
    pub service: &'static str,
    pub summary: String,
    pub severity: &'static str,
    pub fired: Timestamp,
    pub resolved: Option<Timestamp>,
    /// Deliveries of the same problem while it lasts, the first one included.
    pub deliveries: u32,
}

/// Everything that happens.
#[derive(Clone, Debug)]
pub struct Year {
    pub start: Timestamp,
    pub end: Timestamp,
    /// By the time of their declaration.
    pub incidents: Vec<IncidentPlan>,
    pub changes: Vec<ChangePlan>,
    /// Alerts that never became an incident.
    pub lone_alerts: Vec<AlertPlan>,
    /// What the tracing shows when nothing is wrong.
    pub healthy: Vec<TracePlan>,
}

/// Plans the year that ends at `end`. Equal arguments give equal years.
pub fn plan(seed: u64, end: Timestamp) -> Year {
    let root = Seeded::new(seed);
    let start = end - TimeDelta::days(DAYS);
    let skeletons = skeletons(&mut root.fork("skeletons"), start, end);
    let (changes, versions) = changes(&mut root.fork("changes"), &skeletons, start, end);
    let mut incidents: Vec<IncidentPlan> = skeletons
        .iter()
        .enumerate()
        .map(|(i, skeleton)| {
            let mut seeded = root.fork(&format!("incident {i}"));
            incidents::flesh_out(skeleton, versions.get(&i), end, &mut seeded)
        })
        .collect();
    let twins = aftermath::duplicates(&mut incidents, &mut root.fork("duplicates"));
    incidents.extend(twins);
    incidents.sort_by_key(|i| (i.recorded, i.number));
    Year {
        start,
        end,
        incidents,
        changes,
        lone_alerts: lone_alerts(&mut root.fork("alerts"), start, end),
        healthy: healthy(&mut root.fork("healthy"), end),
    }
}

fn skeletons(seeded: &mut Seeded, start: Timestamp, end: Timestamp) -> Vec<Skeleton> {
    let mut out = Vec::new();
    // Two fires are still burning when the demo opens.
    let still_open = [end - TimeDelta::minutes(34), end - TimeDelta::minutes(171)];
    for i in 0..REAL {
        let began = match still_open.get(i) {
            Some(at) => *at,
            None => moment(seeded, start, end - TimeDelta::hours(12)),
        };
        out.push(skeleton(seeded, Kind::Real, began, start, i < still_open.len()));
    }
    for _ in 0..BACKFILLED {
        // What was found in the old wiki when Faultline was introduced.
        let began = moment(seeded, start, start + TimeDelta::days(50));
        out.push(skeleton(seeded, Kind::Backfilled, began, start, false));
    }
    for i in 0..DRILLS {
        let month = i64::try_from(i).unwrap_or(0) * 44 + 12;
        let began = moment(seeded, start + TimeDelta::days(month), start + TimeDelta::days(month + 5));
        out.push(skeleton(seeded, Kind::Drill, began, start, false));
    }
    out.sort_by_key(|s| s.began);
    out
}

/// More often by day than by night, and most in the evening peak.
fn moment(seeded: &mut Seeded, from: Timestamp, to: Timestamp) -> Timestamp {
    const HOURS: [i64; 32] = [
        0, 2, 4, 6, 7, 8, 8, 9, 9, 9, 10, 10, 10, 11, 11, 12, 13, 13, 14, 14, 14, 15, 15, 16, 16, 17, 17, 18, 18, 19,
        20, 22,
    ];
    let days = (to - from).num_days().max(1);
    let midnight = from.as_micros() - from.as_micros().rem_euclid(86_400_000_000);
    let hour = seeded.pick(&HOURS).copied().unwrap_or(12);
    let seconds = seeded.between(1, days) * 86_400 + hour * 3_600 + seeded.between(0, 3_599);
    let at = Timestamp::from_micros(midnight) + TimeDelta::seconds(seconds);
    at.clamp(from, to)
}

fn skeleton(seeded: &mut Seeded, kind: Kind, began: Timestamp, start: Timestamp, open: bool) -> Skeleton {
    let story = weighted_story(seeded);
    let choices: Vec<&'static str> =
        if story.strikes.is_empty() { SERVICES.iter().map(|s| s.slug).collect() } else { story.strikes.to_vec() };
    let service = seeded.pick(&choices).copied().unwrap_or("checkout");
    let severity = match seeded.below(100) {
        0..8 => Severity::Sev1,
        8..32 => Severity::Sev2,
        32..76 => Severity::Sev3,
        _ => Severity::Sev4,
    };
    let severity = if open && severity > Severity::Sev2 { Severity::Sev2 } else { severity };
    // The company learns: the year's end is faster than its beginning.
    let through_year = (began - start).num_minutes().clamp(0, DAYS * 1_440);
    let pace = 1.35 - 0.6 * f64::from(i32::try_from(through_year).unwrap_or(0)) / f64::from(365 * 1_440);
    Skeleton { story, service, severity, kind, began, pace, open }
}

fn weighted_story(seeded: &mut Seeded) -> &'static Story {
    let total: usize = all().map(|s| s.weight).sum();
    let mut ticket = seeded.below(total);
    for story in all() {
        if ticket < story.weight {
            return story;
        }
        ticket -= story.weight;
    }
    // The ticket is below the sum of all weights, so the loop has returned.
    &super::stories::FALLBACK
}

/// Version before and after a guilty change, by the skeleton's place.
pub(super) type Versions = BTreeMap<usize, GuiltyChange>;

#[derive(Clone, Debug)]
pub struct GuiltyChange {
    pub change: ChangePlan,
    pub old: String,
}

fn changes(
    seeded: &mut Seeded,
    skeletons: &[Skeleton],
    start: Timestamp,
    end: Timestamp,
) -> (Vec<ChangePlan>, Versions) {
    let mut all_changes = Vec::new();
    let mut versions = Versions::new();
    for service in &SERVICES {
        let regular = if service.tier == 1 { DEPLOYMENTS_TIER_1 } else { DEPLOYMENTS_OTHERS };
        let mut moments: Vec<(Timestamp, Option<usize>)> =
            (0..regular).map(|_| (moment(seeded, start, end - TimeDelta::hours(2)), None)).collect();
        for (i, s) in skeletons.iter().enumerate().filter(|(_, s)| s.service == service.slug) {
            if s.story.guilty != Guilty::Nothing {
                moments.push((s.began - TimeDelta::seconds(seeded.between(60, 1_100)), Some(i)));
            }
        }
        moments.sort_unstable();
        let major = seeded.between(1, 9);
        let mut current = format!("v{major}.0.{}", seeded.between(0, 9));
        for (place, (started, guilty)) in moments.into_iter().enumerate() {
            let story = guilty.and_then(|i| skeletons.get(i)).map_or(Guilty::Deployment, |s| s.story.guilty);
            let change = one_change(seeded, service.slug, story, (major, place), started);
            if let Some(i) = guilty {
                versions.insert(i, GuiltyChange { change: change.clone(), old: current.clone() });
            }
            if change.kind == "deployment" {
                current.clone_from(&change.version);
            }
            all_changes.push(change);
        }
    }
    all_changes.sort_by_key(|c| c.started);
    (all_changes, versions)
}

fn one_change(
    seeded: &mut Seeded,
    service: &'static str,
    guilty: Guilty,
    (major, place): (i64, usize),
    started: Timestamp,
) -> ChangePlan {
    const FLAGS: [&str; 6] =
        ["express-delivery", "new-ranking", "one-page-checkout", "bundle-prices", "guest-login", "points-at-once"];
    let (kind, version) = match guilty {
        Guilty::Configuration => ("configuration", format!("cfg-{}", 400 + place)),
        Guilty::FeatureFlag => ("feature_flag", seeded.pick(&FLAGS).copied().unwrap_or("new-ranking").to_owned()),
        Guilty::Deployment | Guilty::Nothing => ("deployment", format!("v{major}.{}.{}", place + 1, seeded.below(4))),
    };
    ChangePlan {
        service,
        version,
        kind,
        author: seeded.pick(&super::company::RESPONDERS).copied().unwrap_or(5),
        commit: format!("{:016x}{:016x}{:08x}", seeded.next_u64(), seeded.next_u64(), seeded.next_u64() >> 32),
        started,
        finished: started + TimeDelta::seconds(seeded.between(35, 260)),
    }
}

fn lone_alerts(seeded: &mut Seeded, start: Timestamp, end: Timestamp) -> Vec<AlertPlan> {
    let mut out: Vec<AlertPlan> = (0..LONE_ALERTS)
        .map(|_| {
            let story = weighted_story(seeded);
            let service = seeded.pick(&SERVICES).map_or("checkout", |s| s.slug);
            let fired = moment(seeded, start, end - TimeDelta::hours(3));
            AlertPlan {
                name: story.alert.0,
                service,
                summary: story.alert.1.replace("{service}", service).replace("{n}", &seeded.between(3, 30).to_string()),
                severity: "warning",
                fired,
                resolved: Some(fired + TimeDelta::minutes(seeded.between(2, 25))),
                deliveries: u32::try_from(seeded.between(1, 3)).unwrap_or(1),
            }
        })
        .collect();
    out.sort_by_key(|a| a.fired);
    out
}

fn healthy(seeded: &mut Seeded, end: Timestamp) -> Vec<TracePlan> {
    const TARGETS: [&str; 8] =
        ["payments", "inventory", "search-index", "catalogue", "loyalty", "order-queue", "courier-gateway", "pricing"];
    (0..HEALTHY_TRACES)
        .map(|_| {
            let target = seeded.pick(&TARGETS).copied().unwrap_or("payments");
            let at = end - TimeDelta::seconds(seeded.between(30, 86_400));
            traces::healthy(seeded, target, at)
        })
        .collect()
}
