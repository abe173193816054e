//! Changes: the four measures of delivery, overall and by service, team and environment.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::reports::model::scope::{GroupBy, Scope};
use crate::reports::model::sheet::{Number, Sheet, Table, Value};
use crate::reports::model::slices::period_key;
use crate::reports::model::stats::Summary;
use crate::reports::service::Desk;
use crate::reports::store::changes::{self as store, Change, Failure};
use crate::reports::view::{changes as words, duration};

const MOST_ROWS: usize = 200;

/// The four of one set of changes.
#[derive(Default)]
struct Four {
    /// Succeeded deployments.
    deployed: usize,
    /// Finished changes of any kind, and those of them that failed or caused an incident.
    finished: usize,
    failed: usize,
    lead: Vec<i64>,
    recovery: Vec<i64>,
}

impl Four {
    fn add(&mut self, change: &Change, failures: &[Failure]) {
        self.deployed += usize::from(change.kind == "deployment" && change.status == "succeeded");
        self.finished += 1;
        self.failed += usize::from(change.status == "failed" || !failures.is_empty());
        let live = change.finished_at.unwrap_or(change.at);
        self.lead
            .extend(change.committed_at.filter(|at| *at <= live && change.status == "succeeded").map(|at| live - at));
        // From when users felt it; a deployment that caused several incidents recovered with each of them.
        let span = |f: &Failure| Some(f.resolved? - f.impact_started.unwrap_or(live)).filter(|span| *span >= 0);
        self.recovery.extend(failures.iter().filter_map(span));
    }
}

pub async fn sheet(desk: &Desk, scope: &Scope) -> Result<Sheet> {
    let changes = store::finished(desk.db(), scope).await?;
    let failures = store::failures(desk.db(), scope, desk.viewer).await?;
    let before = scope.before();
    let earlier = store::finished(desk.db(), &before).await?;
    let earlier_failures = store::failures(desk.db(), &before, desk.viewer).await?;
    let total = four(&changes, &failures);
    let earlier = four(&earlier, &earlier_failures);
    let days = ((scope.to - scope.from).num_hours() as f64 / 24.0).max(1.0 / 24.0);
    let period = GroupBy::readable((scope.to - scope.from).num_days());
    let by = |key: &str, heading: &str, name: &str, of: &dyn Fn(&Change) -> String, ordered| {
        table((key, heading, name), &changes, &failures, of, ordered)
    };
    let tables = vec![
        by(
            period.key(),
            "Over time",
            "Period",
            &|c| period_key(period, crate::clock::Timestamp::from_micros(c.at), scope.zone).unwrap_or_default(),
            true,
        ),
        by("services", "By service", "Service", &|c| c.slug.clone(), false),
        by("teams", "By team", "Team", &|c| c.team.clone(), false),
        by("environments", "By environment", "Environment", &|c| c.environment.clone(), false),
        causing(&changes, &failures),
    ];
    Ok(Sheet { numbers: numbers(&total, &earlier, days), tables, notes: notes(), ..Sheet::default() })
}

fn four(changes: &[Change], failures: &BTreeMap<i64, Vec<Failure>>) -> Four {
    let mut four = Four::default();
    for change in changes {
        four.add(change, failures.get(&change.id).map_or(&[], Vec::as_slice));
    }
    four
}

fn numbers(total: &Four, earlier: &Four, days: f64) -> Vec<Number> {
    let per_day = |n: usize| n as f64 / days;
    let frequency = Value {
        text: rate(per_day(total.deployed)),
        number: Some(per_day(total.deployed)),
        href: Some("/deployments".into()),
    };
    let count = words::of_count(earlier.deployed, total.deployed);
    let spread = |values: &[i64]| Summary::of(values.to_vec());
    let details = |s: &Option<Summary>, none: &str| match s {
        Some(s) => vec![format!("mean {}", duration(s.mean)), format!("p90 {}", duration(s.p90)), format!("n {}", s.n)],
        None => vec![none.to_owned()],
    };
    let (lead, recovery) = (spread(&total.lead), spread(&total.recovery));
    let number = |key: &str, label: &str, value, detail, change: String| Number {
        key: key.into(),
        label: label.into(),
        value,
        detail,
        change,
        class: "report-even".into(),
    };
    vec![
        number(
            "deployment_frequency",
            "Deployment frequency",
            frequency,
            vec![format!("{} deployments", total.deployed)],
            count.text,
        ),
        number(
            "lead_time",
            "Lead time (median)",
            Value::seconds(lead.as_ref().map(|s| s.p50)),
            details(&lead, "no commit times are known; builds send them to POST /api/v1/commits"),
            before(spread(&earlier.lead)),
        ),
        number(
            "change_failure_rate",
            "Change failure rate",
            Value::share(total.failed, total.finished),
            vec!["failed, or confirmed to have caused an incident".into()],
            rates(earlier, total),
        ),
        number(
            "recovery_time",
            "Failed deployment recovery (median)",
            Value::seconds(recovery.as_ref().map(|s| s.p50)),
            details(&recovery, "no change was confirmed to have caused an incident"),
            before(spread(&earlier.recovery)),
        ),
    ]
}

fn before(summary: Option<Summary>) -> String {
    summary.map_or_else(String::new, |s| format!("median {} before (n {})", duration(s.p50), s.n))
}

/// Two shares compared at 1.96 standard errors of their difference.
fn rates(earlier: &Four, later: &Four) -> String {
    let (a, b) = (earlier.finished as f64, later.finished as f64);
    if a < 1.0 || b < 1.0 {
        return String::new();
    }
    let (p, q) = (earlier.failed as f64 / a, later.failed as f64 / b);
    let error = (p * (1.0 - p) / a + q * (1.0 - q) / b).sqrt();
    let shown = format!("{:.0} % before", p * 100.0);
    if (q - p).abs() <= 1.96 * error { format!("no detectable change ({shown})") } else { shown }
}

/// `3.2 a day`, `1.5 a week`.
fn rate(per_day: f64) -> String {
    if per_day >= 1.0 {
        format!("{per_day:.1} a day")
    } else if per_day * 7.0 >= 1.0 {
        format!("{:.1} a week", per_day * 7.0)
    } else {
        format!("{:.1} a month", per_day * 30.44)
    }
}

fn table(
    (key, heading, name): (&str, &str, &str),
    changes: &[Change],
    failures: &BTreeMap<i64, Vec<Failure>>,
    of: &dyn Fn(&Change) -> String,
    ordered: bool,
) -> Table {
    let mut groups: BTreeMap<String, Four> = BTreeMap::new();
    for change in changes {
        groups.entry(of(change)).or_default().add(change, failures.get(&change.id).map_or(&[], Vec::as_slice));
    }
    let mut groups: Vec<(String, Four)> = groups.into_iter().collect();
    if !ordered {
        groups.sort_by_key(|(name, four)| {
            (std::cmp::Reverse(four.failed), std::cmp::Reverse(four.finished), name.clone())
        });
    }
    let more = groups.len().saturating_sub(MOST_ROWS);
    let row = |(name, four): (String, Four)| {
        let label = if name.is_empty() { "none named".to_owned() } else { name };
        vec![
            Value::words(label),
            Value::count(four.deployed),
            Value::count(four.finished),
            Value::share(four.failed, four.finished),
            Value::seconds(Summary::of(four.lead).map(|s| s.p50)),
            Value::seconds(Summary::of(four.recovery).map(|s| s.p50)),
        ]
    };
    let columns = [name, "Deployments", "Changes", "Failure rate", "Lead time (median)", "Recovery (median)"];
    Table {
        key: key.into(),
        heading: heading.into(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: groups.into_iter().take(MOST_ROWS).map(row).collect(),
        more,
        ..Table::default()
    }
}

/// The changes that were confirmed to have caused incidents.
fn causing(changes: &[Change], failures: &BTreeMap<i64, Vec<Failure>>) -> Table {
    let mut rows = Vec::new();
    for change in changes.iter().rev() {
        for failure in failures.get(&change.id).into_iter().flatten() {
            let recovery = failure.resolved.zip(failure.impact_started).map(|(end, start)| (end - start) as f64 / 1e6);
            rows.push(vec![
                Value::words(format!("{} in {}", change.slug, change.environment))
                    .to(format!("/deployments/{}", change.id)),
                Value::words(crate::clock::Timestamp::from_micros(change.at).to_minute()),
                Value::words(format!("INC-{}", failure.incident_id))
                    .to(format!("/incidents/INC-{}", failure.incident_id)),
                Value::seconds(recovery),
            ]);
        }
    }
    let more = rows.len().saturating_sub(MOST_ROWS);
    rows.truncate(MOST_ROWS);
    Table {
        key: "causing".into(),
        heading: "Changes that caused incidents".into(),
        note: "Newest first; a change counts when a person confirmed it as the cause.".into(),
        columns: ["Change", "At (UTC)", "Incident", "Recovered after"].map(str::to_owned).to_vec(),
        rows,
        more,
    }
}

fn notes() -> Vec<String> {
    [
        "deployment_frequency v1: succeeded changes of the kind deployment, by the day.",
        "lead_time v1: commit made → change finished, of succeeded changes whose commit time is known.",
        "change_failure_rate v1: finished changes that failed or were confirmed to have caused an incident, of all finished changes.",
        "recovery_time v1: impact started → resolved, of incidents that a change was confirmed to have caused; for open ones it is still to come.",
        "A change belongs to the period in which it began. Pending and cancelled changes are left out.",
    ]
    .map(str::to_owned)
    .to_vec()
}
