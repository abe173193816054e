//! The few numbers that are chosen rather than measured. docs/suspects.md says how little the results depend on each,
//! and how that was tested on cases that no choice had seen.

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tunables {
    /// Standard errors by which a finding is reduced before it counts: 2 is about 97.5 % one-sided confidence.
    pub sure: f64,
    /// Share of a healthy request's duration that a person would not notice. Slowing is the rise of the logarithm of
    /// (time + this), so that 2 ms becoming 5 ms within a request of 200 ms is next to nothing.
    pub unnoticed: f64,
    /// Spread of log durations that is assumed before any is seen, as one observation's worth.
    pub prior_sd: f64,
    /// What slowing of the calls that a service makes says about the service itself: a little less than slowing of the
    /// calls that it receives, since the gap of a pair is more often the callee's doing.
    pub outbound: f64,
    /// A course that at most this share of healthy requests take is as good as unknown once it surely gains as much.
    pub rare: f64,
    /// A share of requests that fail, or go other ways, of which a team would say that it surely has an incident.
    pub noticed: f64,
    /// How strong, against its own, the trouble beneath a service must be to explain its own.
    pub explains: f64,
    /// What is left of the suspicion of a callee when only one service was seen to stop short after calling it.
    pub one_caller: f64,
    /// A shift among known courses can be the users' doing, so it says little.
    pub mix: f64,
    /// A service changed just now is this many times likelier, in added odds, to be the cause: about the 70 % of
    /// outages that follow a change (Beyer et al., Site Reliability Engineering, 2016) against the share of services
    /// that any one hour sees changed.
    pub just_now: f64,
    /// Minutes after which half of that is left.
    pub half_life_min: f64,
    /// An alert names where it hurts, which is often not where the cause is.
    pub alert: f64,
}

impl Default for Tunables {
    fn default() -> Self {
        Self {
            sure: 2.0,
            unnoticed: 0.05,
            prior_sd: 1.0,
            outbound: 0.8,
            rare: 0.1,
            noticed: 0.1,
            explains: 0.5,
            one_caller: 0.5,
            mix: 0.3,
            just_now: 4.0,
            half_life_min: 30.0,
            alert: 0.2,
        }
    }
}

/// Names and places of all tunables, so that the evaluation can vary each.
pub type Field = (&'static str, fn(&mut Tunables) -> &mut f64);

pub const FIELDS: [Field; 12] = [
    ("sure", |t| &mut t.sure),
    ("unnoticed", |t| &mut t.unnoticed),
    ("prior_sd", |t| &mut t.prior_sd),
    ("outbound", |t| &mut t.outbound),
    ("rare", |t| &mut t.rare),
    ("noticed", |t| &mut t.noticed),
    ("explains", |t| &mut t.explains),
    ("one_caller", |t| &mut t.one_caller),
    ("mix", |t| &mut t.mix),
    ("just_now", |t| &mut t.just_now),
    ("half_life_min", |t| &mut t.half_life_min),
    ("alert", |t| &mut t.alert),
];
