//! Systems and faults of our own making, to test the ranking on what it was not developed on.
//!
//! A seed makes one case: a random graph of services with operations, optional calls, loops and log lines
//! ([`system`]), traffic through it for a healthy stretch and for an incident with another mix of requests, and one
//! fault of a random kind in a random service that the traffic reaches ([`traffic`]). Whether senders record error
//! status, versions, client spans or logs is drawn per system too. The same seed gives the same case everywhere.

mod dice;
mod system;
mod traffic;

use super::model::{Change, Observation};
pub use system::{Fault, FaultKind};

use dice::Dice;
use system::System;

/// A made case: what may be known, and what was done.
#[derive(Clone, Debug)]
pub struct Case {
    pub observation: Observation,
    pub fault: Fault,
}

/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;
/// Any fixed moment will do.
const IMPACT: i64 = 1_700_000_000 * SECOND;

/// The case of a seed. A fault that the traffic never meets would be no case, so the service is drawn among those
/// that the baseline visited. It hits 40 % of `hits` to `hits` of the requests that reach it.
pub fn case(seed: u64, hits: f64) -> Case {
    let mut dice = Dice::new(seed);
    let system = System::draw(&mut dice);
    let baseline = traffic::run(&system, &mut dice, IMPACT - 1_800 * SECOND, 60 + dice_seconds(seed), None, 0.0);
    let mut fault = system.draw_fault(&mut dice, &baseline);
    fault.share *= hits;
    let incident = traffic::run(&system, &mut dice, IMPACT, 120, Some(&fault), 0.5);
    let changes = changes(&system, &fault, &mut dice);
    Case {
        observation: Observation { impact_started_at: IMPACT, baseline, incident, changes, ..Observation::default() },
        fault,
    }
}

/// The same system twice without a fault, with another mix of requests: nothing should be suspected.
pub fn calm(seed: u64) -> Observation {
    let mut dice = Dice::new(seed);
    let system = System::draw(&mut dice);
    let baseline = traffic::run(&system, &mut dice, IMPACT - 1_800 * SECOND, 60 + dice_seconds(seed), None, 0.0);
    let incident = traffic::run(&system, &mut dice, IMPACT, 120, None, 0.5);
    Observation { impact_started_at: IMPACT, baseline, incident, ..Observation::default() }
}

const fn dice_seconds(seed: u64) -> i64 {
    if seed.is_multiple_of(2) { 0 } else { 60 }
}

/// In seven of ten cases the faulty service was changed within the last 20 minutes; up to five other services were
/// changed within 90 minutes, some after the impact.
fn changes(system: &System, fault: &Fault, dice: &mut Dice) -> Vec<Change> {
    let mut out = Vec::new();
    let mut add = |service: &str, minutes: f64, dice: &mut Dice| {
        #[expect(clippy::cast_possible_truncation, reason = "minutes within a day")]
        let at = IMPACT - (minutes * 60e9) as i64;
        let version = format!("v{}.{}.{}", dice.below(9), dice.below(20), dice.below(9));
        out.push(Change { id: format!("{service}@{version}"), service: service.to_owned(), version, at });
    };
    if dice.chance(0.7) {
        let minutes = dice.between(0.5, 20.0);
        add(&fault.service, minutes, dice);
    }
    for _ in 0..dice.below(6) {
        let service = system.services[dice.below(system.services.len())].name.clone();
        let minutes = dice.between(-5.0, 90.0);
        if service != fault.service {
            add(&service, minutes, dice);
        }
    }
    out
}
