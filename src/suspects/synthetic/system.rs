//! Random service graphs, and what can break in them.

use std::collections::BTreeSet;

use serde::Serialize;

use super::dice::Dice;
use crate::suspects::model::Telemetry;

#[derive(Clone, Debug)]
pub struct System {
    pub(super) services: Vec<Service>,
    /// Entry points: service, operation, share of the traffic.
    pub(super) entries: Vec<(usize, usize, f64)>,
    pub(super) requests_per_second: f64,
    pub(super) client_spans: bool,
    pub(super) statuses: bool,
    pub(super) logs: bool,
    pub(super) versions: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) operations: Vec<Operation>,
    /// Time on the way to the service and back.
    pub(super) gap_ms: f64,
}

#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) name: String,
    pub(super) own_ms: f64,
    /// Spans inside the service that share the work.
    pub(super) inner: usize,
    pub(super) calls: Vec<Call>,
    pub(super) lines: usize,
    pub(super) parallel: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) service: usize,
    pub(super) operation: usize,
    /// How often a request makes it at all (a cache may answer instead).
    pub(super) chance: f64,
    /// How often at most in a row.
    pub(super) times: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// All own work slows, and so does talking to the service and from it.
    Cpu,
    /// Every answer arrives late.
    NetworkDelay,
    /// One operation's own work slows.
    SlowOperation,
    /// One operation fails after part of its work.
    Exception,
    /// One operation returns early and says nothing.
    EarlyReturn,
    /// Calls to the service are refused before it sees them.
    Refused,
    /// Half of the instances run a version that fails.
    BadVersion,
}

#[derive(Clone, Debug, Serialize)]
pub struct Fault {
    pub kind: FaultKind,
    pub service: String,
    #[serde(skip)]
    pub(super) at: (usize, usize),
    /// A factor or milliseconds, as the kind wants it.
    #[serde(skip)]
    pub(super) size: f64,
    /// Share of requests hit.
    #[serde(skip)]
    pub(super) share: f64,
}

const KINDS: [FaultKind; 7] = [
    FaultKind::Cpu,
    FaultKind::NetworkDelay,
    FaultKind::SlowOperation,
    FaultKind::Exception,
    FaultKind::EarlyReturn,
    FaultKind::Refused,
    FaultKind::BadVersion,
];

impl System {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let size = 6 + dice.below(30);
        let mut services: Vec<Service> = (0..size).map(|at| Service::draw(at, dice)).collect();
        for at in 0..size {
            for op in 0..services[at].operations.len() {
                let calls = calls(at, &services, dice);
                services[at].operations[op].calls = calls;
            }
        }
        let fronts = 1 + dice.below(3.min(size));
        let entries: Vec<(usize, usize, f64)> = (0..fronts)
            .flat_map(|s| (0..services[s].operations.len()).map(move |op| (s, op)))
            .map(|(s, op)| (s, op, dice.between(0.2, 1.0)))
            .collect();
        let statuses = dice.chance(0.6);
        Self {
            services,
            entries,
            requests_per_second: dice.between(2.0, 8.0),
            client_spans: dice.chance(0.85),
            statuses,
            logs: !statuses || dice.chance(0.6),
            versions: dice.chance(0.5),
        }
    }

    /// A fault of a kind that this system's senders can show at all, in a service that the traffic visits.
    pub(super) fn draw_fault(&self, dice: &mut Dice, seen: &Telemetry) -> Fault {
        let visited: BTreeSet<(&str, &str)> =
            seen.spans.iter().map(|s| (s.service.as_str(), s.operation.as_str())).collect();
        let places: Vec<(usize, usize)> = self
            .services
            .iter()
            .enumerate()
            .flat_map(|(s, service)| service.operations.iter().enumerate().map(move |(o, op)| (s, o, service, op)))
            .filter(|(_, _, service, op)| visited.contains(&(service.name.as_str(), op.name.as_str())))
            .map(|(s, o, ..)| (s, o))
            .collect();
        let at = places[dice.below(places.len())];
        let fronts: BTreeSet<usize> = self.entries.iter().map(|e| e.0).collect();
        let can = |kind: FaultKind| match kind {
            FaultKind::Refused => (self.statuses || self.logs) && !fronts.contains(&at.0) && self.client_spans,
            FaultKind::NetworkDelay => !fronts.contains(&at.0) && self.client_spans,
            FaultKind::BadVersion => self.versions && self.statuses,
            FaultKind::Exception => self.statuses || self.logs,
            FaultKind::EarlyReturn => {
                let op = &self.services[at.0].operations[at.1];
                op.calls.iter().any(|c| c.chance > 0.9) || (self.logs && op.lines > 0)
            }
            FaultKind::Cpu | FaultKind::SlowOperation => true,
        };
        let kinds: Vec<FaultKind> = KINDS.into_iter().filter(|&k| can(k)).collect();
        let kind = kinds[dice.below(kinds.len())];
        let size = match kind {
            FaultKind::NetworkDelay => dice.between(40.0, 500.0),
            FaultKind::Cpu => dice.between(20.0, 120.0),
            _ => dice.between(60.0, 400.0),
        };
        Fault { kind, service: self.services[at.0].name.clone(), at, size, share: dice.between(0.4, 1.0) }
    }
}

impl Service {
    fn draw(at: usize, dice: &mut Dice) -> Self {
        const WORDS: [&str; 12] = [
            "billing", "ledger", "quota", "profile", "media", "search", "geo", "notify", "policy", "stock", "pricing",
            "session",
        ];
        let name = format!("{}-{at}", WORDS[dice.below(WORDS.len())]);
        let operations = (0..=dice.below(4))
            .map(|op| Operation {
                name: format!("{name}/op{op}"),
                own_ms: dice.between(0.3, 4.0) * dice.jitter(0.7),
                inner: dice.below(4),
                calls: Vec::new(),
                lines: dice.below(3),
                parallel: dice.chance(0.2),
            })
            .collect();
        Self { name, operations, gap_ms: dice.between(0.3, 3.0) }
    }
}

/// Calls go to services with higher numbers, so that the graph has no loops and some services are shared by many.
fn calls(from: usize, services: &[Service], dice: &mut Dice) -> Vec<Call> {
    let below = services.len() - from - 1;
    if below == 0 {
        return Vec::new();
    }
    let near = below.min(8);
    (0..dice.below(4))
        .map(|_| {
            let reach = if dice.chance(0.7) { near } else { below };
            let service = from + 1 + dice.below(reach);
            Call {
                service,
                operation: dice.below(services[service].operations.len()),
                chance: if dice.chance(0.7) { 1.0 } else { dice.between(0.2, 0.9) },
                times: if dice.chance(0.8) { 1 } else { 2 + dice.below(3) },
            }
        })
        .collect()
}
