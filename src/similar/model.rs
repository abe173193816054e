//! Which incidents resemble this one, and why: a plain weighted overlap, no model. Pure.
//!
//! A shared alert weighs most (the same rule fired), then a shared cause, a deployment of the same
//! service, shared services, and rare words of the titles. Each part gives its reason in words.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::incidents::IncidentId;

/// What is compared of one incident.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    pub title: String,
    pub services: BTreeSet<String>,
    /// Deduplication keys of the alerts that belong to it, with their titles.
    pub alerts: BTreeMap<String, String>,
    /// Services whose deployments are attached.
    pub changed_services: BTreeSet<String>,
    /// What was confirmed as its cause, or (of the one at hand) is suspected first.
    pub causes: BTreeSet<String>,
}

/// One incident that resembles the one at hand.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Similar {
    pub id: IncidentId,
    /// 0 to 1; only for the order.
    pub score: f64,
    pub reasons: Vec<String>,
}

const ALERT_WEIGHT: f64 = 0.35;
const CAUSE_WEIGHT: f64 = 0.2;
const CHANGE_WEIGHT: f64 = 0.1;
const SERVICE_WEIGHT: f64 = 0.15;
const TEXT_WEIGHT: f64 = 0.2;
/// Below this a resemblance is chance: one common word, one service of many.
const LEAST: f64 = 0.075;

/// The most similar first, at most `limit`. Equal scores: the newer incident first.
pub fn rank(target: &Features, candidates: &[(IncidentId, Features)], limit: usize) -> Vec<Similar> {
    let rarity = Rarity::of(candidates);
    let mut found: Vec<_> = candidates.iter().filter_map(|(id, f)| compare(target, *id, f, &rarity)).collect();
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then(b.id.cmp(&a.id)));
    found.truncate(limit);
    found
}

fn compare(target: &Features, id: IncidentId, other: &Features, rarity: &Rarity) -> Option<Similar> {
    let mut score = 0.0;
    let mut reasons = Vec::new();
    let mut alerts = target.alerts.iter().filter(|(key, _)| other.alerts.contains_key(*key));
    if let Some((key, title)) = alerts.next() {
        score += ALERT_WEIGHT;
        let first = if title.is_empty() { key } else { title };
        let more = match alerts.count() {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        reasons.push(format!("the same alert fired: {first}{more}"));
    }
    if let Some(cause) = target.causes.intersection(&other.causes).next() {
        score += CAUSE_WEIGHT;
        reasons.push(format!("{cause} caused that one and is named here too"));
    }
    if let Some(service) = target.changed_services.intersection(&other.changed_services).next() {
        score += CHANGE_WEIGHT;
        reasons.push(format!("a deployment of {service} was involved in both"));
    }
    let services: Vec<_> = target.services.intersection(&other.services).map(String::as_str).collect();
    if !services.is_empty() {
        let union = target.services.union(&other.services).count();
        score += SERVICE_WEIGHT * ratio(services.len(), union);
        reasons.push(format!("the same service: {}", services.join(", ")));
    }
    let (overlap, words) = rarity.overlap(&target.title, &other.title);
    if overlap > 0.0 {
        score += TEXT_WEIGHT * overlap;
        reasons.push(format!("the titles share: {}", words.join(", ")));
    }
    (score >= LEAST).then_some(Similar { id, score, reasons })
}

#[expect(clippy::cast_precision_loss, reason = "counts of services are small")]
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// How telling each word is: a word of every title says nothing.
struct Rarity {
    documents: usize,
    seen_in: BTreeMap<String, usize>,
}

impl Rarity {
    fn of(candidates: &[(IncidentId, Features)]) -> Self {
        let mut seen_in = BTreeMap::new();
        for (_, features) in candidates {
            for word in words(&features.title) {
                *seen_in.entry(word).or_insert(0) += 1;
            }
        }
        Self { documents: candidates.len(), seen_in }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of incidents fit a float exactly enough")]
    fn weight(&self, word: &str) -> f64 {
        let seen = self.seen_in.get(word).copied().unwrap_or(0);
        (1.0 + (self.documents as f64 + 1.0) / (seen as f64 + 1.0)).ln()
    }

    /// Weighted Jaccard overlap, and the shared words.
    fn overlap(&self, a: &str, b: &str) -> (f64, Vec<String>) {
        let (a, b) = (words(a), words(b));
        let total: f64 = a.union(&b).map(|w| self.weight(w)).sum();
        let shared: Vec<String> = a.intersection(&b).cloned().collect();
        let common: f64 = shared.iter().map(|w| self.weight(w)).sum();
        (if total > 0.0 { common / total } else { 0.0 }, shared)
    }
}

/// Words of three letters or more, without the ones that every title has.
pub fn words(title: &str) -> BTreeSet<String> {
    const COMMON: [&str; 16] = [
        "the", "and", "for", "with", "from", "after", "are", "was", "not", "has", "all", "due", "our", "into",
        "service", "incident",
    ];
    title
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| w.chars().count() >= 3 && !COMMON.contains(w))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn features(title: &str, services: &[&str], alerts: &[&str]) -> Features {
        Features {
            title: title.into(),
            services: services.iter().map(|s| (*s).to_owned()).collect(),
            alerts: alerts.iter().map(|s| ((*s).to_owned(), String::new())).collect(),
            ..Features::default()
        }
    }

    #[test]
    fn the_same_alert_beats_the_same_service_beats_a_shared_word() {
        let target = features("Checkout latency", &["checkout"], &["am:HighLatency"]);
        let candidates = [
            (IncidentId(1), features("Latency of search", &["search"], &[])),
            (IncidentId(2), features("Certificate expired", &["checkout"], &[])),
            (IncidentId(3), features("Payments slow", &["payment"], &["am:HighLatency"])),
            (IncidentId(4), features("Mail delayed", &["mail"], &["am:MailQueue"])),
        ];
        let found = rank(&target, &candidates, 10);
        assert_eq!(found.iter().map(|s| s.id.0).collect::<Vec<_>>(), [3, 2]);
        assert_eq!(found[0].reasons, ["the same alert fired: am:HighLatency"]);
        assert_eq!(found[1].reasons, ["the same service: checkout"]);
    }

    #[test]
    fn nothing_in_common_is_not_similar() {
        let target = features("A", &[], &[]);
        assert!(rank(&target, &[(IncidentId(1), features("", &[], &[]))], 5).is_empty());
    }

    proptest! {
        #[test]
        fn scores_stay_between_zero_and_one_and_an_equal_incident_is_never_beaten(
            title in "[a-d ]{0,12}", titles in proptest::collection::vec("[a-d ]{0,12}", 0..8)
        ) {
            let target = features(&title, &["a"], &["k"]);
            let mut candidates: Vec<_> = titles.iter().zip(1..).map(|(t, n)| (IncidentId(n), features(t, &["a", "b"], &[]))).collect();
            candidates.push((IncidentId(100), target.clone()));
            let found = rank(&target, &candidates, 100);
            prop_assert_eq!(found.first().map(|s| s.id), Some(IncidentId(100)));
            prop_assert!(found.iter().all(|s| s.score > 0.0 && s.score <= 1.0 + 1e-9));
        }
    }
}
