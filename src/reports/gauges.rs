//! The main measures of the last 30 days as Prometheus gauges. Private incidents are not counted: whoever
//! scrapes is nobody in particular.

use std::fmt::Write as _;

use chrono::TimeDelta;
use chrono_tz::Tz;

use super::attention::attention;
use super::ledger::Ledger;
use super::model::measures::Measure;
use super::model::scope::{Scope, ScopeQuery};
use super::model::select::Question;
use super::service::{Desk, NOBODY};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::state::AppState;

/// What a window of gauges covers.
const DAYS: i64 = 30;

/// # Errors
/// What the database says.
pub async fn text(state: &AppState, ledger: &Ledger) -> Result<String> {
    // To the hour, so that scrapes in between are answered from what is kept.
    let hour = Timestamp::from_secs(state.now().as_micros().div_euclid(3_600_000_000) * 3_600);
    let scope = Scope::parse(&ScopeQuery::default(), state.now(), Tz::UTC)?
        .between(hour - TimeDelta::days(DAYS), hour + TimeDelta::hours(1));
    let desk = Desk::open(ledger, &state.db, NOBODY, state.now()).await?;
    let question =
        Question::of(&scope, &[&Measure::MAIN[..], &[Measure::Mtbf]].concat()).with_targets(desk.targets.clone());
    let report = desk.report(&question).await?;
    let attention = attention(&desk, &scope, state.now()).await?;
    let mut out = String::new();
    let mut head = |name: &str, help: &str, lines: Vec<(String, f64)>| {
        let _ = writeln!(out, "# HELP faultline_{name} {help}\n# TYPE faultline_{name} gauge");
        for (labels, value) in lines {
            let _ = writeln!(out, "faultline_{name}{labels} {value}");
        }
    };
    let counts = &report.total.counts;
    let severities = counts.severities.iter().enumerate();
    head(
        "incidents_30d",
        "Incidents that began in the last 30 days.",
        severities.map(|(i, n)| (format!("{{severity=\"SEV{}\"}}", i + 1), *n as f64)).collect(),
    );
    let mut open = [0_u32; 4];
    for fact in desk.snapshot().await?.blocks.iter().flat_map(|b| &b.facts).filter(|f| f.open && desk.eyes.see(f)) {
        if let Some(n) = open.get_mut(usize::from(fact.severity.saturating_sub(1))) {
            *n += 1;
        }
    }
    let open = open.iter().enumerate();
    head(
        "incidents_open",
        "Incidents that are not resolved now.",
        open.map(|(i, n)| (format!("{{severity=\"SEV{}\"}}", i + 1), f64::from(*n))).collect(),
    );
    let mut quantiles = Vec::new();
    let mut means = Vec::new();
    let mut within = Vec::new();
    for (place, definition) in question.definitions.iter().enumerate() {
        let key = &definition.key;
        if let Some(s) = report.total.summary(place) {
            for (quantile, value) in [("0.5", s.p50), ("0.9", s.p90), ("0.95", s.p95)] {
                quantiles.push((format!("{{measure=\"{key}\",quantile=\"{quantile}\"}}"), value));
            }
            means.push((format!("{{measure=\"{key}\"}}"), s.mean));
        }
        if let Some(share) = report.total.within.get(place).filter(|s| s.of > 0) {
            within.push((format!("{{measure=\"{key}\"}}"), share.part as f64 / share.of as f64));
        }
    }
    head("recovery_seconds_30d", "Quantiles of each measure over the last 30 days.", quantiles);
    head("recovery_mean_seconds_30d", "Mean of each measure over the last 30 days.", means);
    head("within_target_ratio_30d", "Share of incidents within the target of their severity.", within);
    head(
        "follow_ups_overdue",
        "Follow-ups whose date has passed.",
        vec![(String::new(), attention.overdue_total as f64)],
    );
    head(
        "postmortems_missing_30d",
        "Severe incidents that are over without a published postmortem.",
        vec![(String::new(), attention.unwritten_total as f64)],
    );
    head("runbooks_stale", "Runbooks whose review is overdue.", vec![(String::new(), attention.stale_total as f64)]);
    Ok(out)
}
