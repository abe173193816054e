//! The one sentence: what users feel, and what is suspected of it. Also what a new ranking changed.

use std::collections::BTreeMap;

use super::forest::Forest;
use super::model::{Ranking, Signal, Suspect, SuspectKind};
use super::ranking::{CLEAR, Findings};
use super::reasons::{duration, percent};
use super::stats::median;

/// Requests of a kind that both stretches must have before anything is said about it.
const ENOUGH: usize = 10;
/// Growth of the failing share, and of the median time, from which on it is worth telling.
const FAILING: f64 = 0.05;
const SLOWER: f64 = 1.5;

#[derive(Default)]
struct Requests {
    failed: usize,
    times: Vec<f64>,
}

/// “Cart checkout failures rose from 1 % to 61 % after the deployment of inventory-service v1.3.2.” None while no
/// suspect is [`CLEAR`].
pub(super) fn sentence(f: &Findings<'_>, suspects: &[Suspect]) -> Option<String> {
    let service = suspects.iter().find(|s| s.kind == SuspectKind::Service && s.score >= CLEAR)?;
    let deployed =
        suspects.iter().find(|s| s.kind == SuspectKind::Deployment && s.service == service.service && s.score >= CLEAR);
    let effect = effect(f);
    let cause = match deployed {
        Some(d) => format!("after the deployment of {}", d.title()),
        None => format!("most likely because of {}", service.service),
    };
    let comma = if deployed.is_some() { "" } else { "," };
    Some(match effect {
        Some(effect) => format!("{effect}{comma} {cause}."),
        None => {
            let telling = service.reasons.iter().find(|r| r.signal != Signal::Change);
            let what = match telling.map(|r| r.signal) {
                Some(Signal::Pattern | Signal::Mix) => "Requests go another way",
                Some(Signal::OwnTime | Signal::CallGap) => "Requests take longer",
                _ => "Requests fare worse",
            };
            let reason = telling.map(|r| format!(": {}", r.text)).unwrap_or_default();
            format!("{what}{comma} {cause}{reason}.")
        }
    })
}

/// What became worst for users, over the requests that enter the system.
fn effect(f: &Findings<'_>) -> Option<String> {
    let (mut before, mut after) = (requests(&f.baseline), requests(&f.incident));
    let mut worst: Option<(f64, String)> = None;
    for (key, now) in &mut after {
        let Some(then) = before.get_mut(key).filter(|t| t.times.len().min(now.times.len()) >= ENOUGH) else { continue };
        let name = f.names.text(key.1);
        let (was, is) = (share(then), share(now));
        let (fast, slow) = (median(&mut then.times)?, median(&mut now.times)?);
        let (badness, text) = if is - was >= FAILING {
            (1.0 + is - was, format!("Failures of {name} rose from {} to {}", percent(was), percent(is)))
        } else if fast > 0.0 && slow / fast >= SLOWER {
            (1.0 - fast / slow, format!("{name} takes {} instead of {}", duration(slow), duration(fast)))
        } else {
            continue;
        };
        if worst.as_ref().is_none_or(|w| badness > w.0) {
            worst = Some((badness, text));
        }
    }
    worst.map(|w| w.1)
}

fn requests(forest: &Forest) -> BTreeMap<(u32, u32), Requests> {
    let mut out: BTreeMap<(u32, u32), Requests> = BTreeMap::new();
    for &root in &forest.roots {
        let node = &forest.nodes[root];
        let entry = out.entry((node.service, node.operation)).or_default();
        entry.failed += usize::from(node.error);
        entry.times.push(node.duration_ms());
    }
    out
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests")]
fn share(r: &Requests) -> f64 {
    r.failed as f64 / r.times.len().max(1) as f64
}

/// What is different about the first three services, in words; empty when nothing worth telling is.
pub fn changes_between(old: &Ranking, new: &Ranking) -> Vec<String> {
    const TOLD: f64 = 0.1;
    let place = |r: &Ranking, service: &str| r.services().position(|s| s.service == service);
    let mut out = Vec::new();
    for (at, suspect) in new.services().take(3).enumerate() {
        let name = &suspect.service;
        let Some(was) = place(old, name) else {
            out.push(format!("{name} is new among the suspects, at place {}", at + 1));
            continue;
        };
        let score = old.services().nth(was).map_or(0.0, |s| s.score);
        if was != at {
            out.push(format!("{name} moved from place {} to {}", was + 1, at + 1));
        } else if (suspect.score - score).abs() >= TOLD {
            out.push(format!("{name} went from {} to {}", percent(score), percent(suspect.score)));
        }
    }
    out
}
