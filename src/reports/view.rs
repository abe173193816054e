//! What a page shows of a report: sections with a drawing and the table behind it.

use std::collections::{BTreeMap, HashMap};

use chrono::TimeDelta;

use super::model::compute::{Excluded, Group, NONE_KEY, Record, Report};
use super::model::measures::Measure;
use super::model::scope::{GroupBy, Scope, period_key};
use super::model::stats::Summary;
use crate::charts::{
    Column, ColumnChart, Dot, Range, RangeChart, Scene, Strip, StripChart, TrendChart, TrendPoint, short_duration,
};
use crate::clock::human_duration;

/// Rows of one breakdown on a page; the rest is in the CSV.
const MOST_ROWS: usize = 60;
/// Dots of one strip chart; above this the page would grow too large.
const MOST_DOTS: usize = 250;

/// Seconds, for people.
#[expect(clippy::cast_possible_truncation, reason = "a duration of less than centuries")]
pub fn duration(seconds: f64) -> String {
    human_duration(TimeDelta::seconds(seconds.round() as i64))
}

/// One measure of one group, as text.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    pub n: usize,
    pub p50: String,
    pub p90: String,
    pub p95: String,
    pub mean: String,
    /// `8m–21m`; empty when there are too few values.
    pub interval: String,
    /// The incidents behind it.
    pub href: String,
}

impl Cell {
    fn of(summary: Option<&Summary>, href: String) -> Self {
        let Some(s) = summary else { return Self { href, ..Self::default() } };
        Self {
            n: s.n,
            p50: duration(s.p50),
            p90: short_duration(s.p90),
            p95: short_duration(s.p95),
            mean: short_duration(s.mean),
            interval: s
                .interval
                .map_or_else(String::new, |(low, high)| format!("{}–{}", short_duration(low), short_duration(high))),
            href,
        }
    }
}

/// One group as a table row; one cell per main measure.
#[derive(Clone, Debug)]
pub struct Row {
    pub label: String,
    pub n: usize,
    pub href: String,
    pub cells: Vec<Cell>,
}

/// One way of slicing, drawn and tabled.
#[derive(Clone, Debug)]
pub struct Section {
    pub group_by: GroupBy,
    pub heading: String,
    pub chart: Option<Scene>,
    pub rows: Vec<Row>,
    /// Groups that did not fit.
    pub more: usize,
}

/// The address of the incidents behind a group and a measure.
pub fn behind(scope: &Scope, key: Option<&str>, measure: Option<Measure>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if let Some(key) = key {
        query.append_pair("key", key);
    }
    if let Some(measure) = measure {
        query.append_pair("measure", measure.key());
    }
    format!("/reports/incidents?{}&{}", scope.to_query(), query.finish()).trim_end_matches('&').to_owned()
}

pub fn row(scope: &Scope, group: &Group, key: Option<&str>) -> Row {
    Row {
        label: key.map_or_else(|| "All".to_owned(), label),
        n: group.n(),
        href: behind(scope, key, None),
        cells: Measure::MAIN.into_iter().map(|m| Cell::of(group.summary(m), behind(scope, key, Some(m)))).collect(),
    }
}

fn label(key: &str) -> String {
    if key == NONE_KEY { "none named".to_owned() } else { key.to_owned() }
}

/// A breakdown by the report's grouping, drawn for one measure.
pub fn section(report: &Report, measure: Measure) -> Section {
    let group_by = report.scope.group_by;
    let mut groups: Vec<&Group> = report.groups.iter().collect();
    if !group_by.is_period() && group_by != GroupBy::Severity {
        // Who takes the longest comes first; periods and severities keep their order.
        groups.sort_by(|a, b| {
            let p50 = |g: &Group| g.summary(measure).map_or(-1.0, |s| s.p50);
            p50(b).total_cmp(&p50(a)).then_with(|| a.key.cmp(&b.key))
        });
    }
    let more = groups.len().saturating_sub(MOST_ROWS);
    // Of periods the latest are kept, of other groups the slowest.
    if group_by.is_period() {
        groups.drain(..more);
    } else {
        groups.truncate(MOST_ROWS);
    }
    let definition = measure.definition();
    let title = format!("{} by {}", definition.name, group_by.key());
    let empty = groups.iter().all(|g| g.summary(measure).is_none());
    let id = format!("{}-by-{}", definition.key, group_by.key());
    let chart = match (empty, group_by.is_period()) {
        (true, _) => None,
        (false, true) => Some(trend(id, title, &report.scope, &groups, measure)),
        (false, false) => Some(ranges(id, title, &report.scope, &groups, measure)),
    };
    let rows = groups.iter().filter(|g| g.n() > 0).map(|g| row(&report.scope, g, Some(&g.key))).collect();
    Section { group_by, heading: format!("By {}", group_by.key()), chart, rows, more }
}

fn trend(id: String, title: String, scope: &Scope, groups: &[&Group], measure: Measure) -> Scene {
    let points = groups
        .iter()
        .map(|g| TrendPoint {
            label: g.key.clone(),
            href: Some(behind(scope, Some(&g.key), Some(measure))),
            n: g.summary(measure).map_or(0, |s| s.n),
            percentiles: g.summary(measure).map(|s| (s.p50, s.p90, s.p95)),
        })
        .collect();
    TrendChart { id, title, points, target: None }.draw()
}

fn ranges(id: String, title: String, scope: &Scope, groups: &[&Group], measure: Measure) -> Scene {
    let rows = groups
        .iter()
        .filter_map(|g| {
            g.summary(measure).map(|s| Range {
                label: label(&g.key),
                href: Some(behind(scope, Some(&g.key), Some(measure))),
                n: s.n,
                mean: s.mean,
                p50: s.p50,
                p90: s.p90,
                p95: s.p95,
                interval: s.interval,
            })
        })
        .collect();
    RangeChart { id, title, rows }.draw()
}

/// Every counted incident as a dot, by severity; the slowest ones when there are too many.
pub fn strip(report: &Report, records: &[Record], measure: Measure) -> Option<(Scene, usize)> {
    let by_number: HashMap<i64, &Record> = records.iter().map(|r| (r.number, r)).collect();
    let samples = report.total.samples(measure);
    let left_out = samples.len().saturating_sub(MOST_DOTS);
    let mut strips: BTreeMap<u8, Vec<Dot>> = BTreeMap::new();
    for sample in samples.iter().skip(left_out) {
        let Some(record) = by_number.get(&sample.number) else { continue };
        #[expect(clippy::cast_precision_loss, reason = "durations are far below 2⁵³ µs")]
        let seconds = sample.micros as f64 / 1e6;
        strips.entry(record.severity).or_default().push(Dot {
            label: format!("INC-{} {}", record.number, record.title),
            href: Some(format!("/incidents/INC-{}", record.number)),
            seconds,
            severity: record.severity,
        });
    }
    if strips.is_empty() {
        return None;
    }
    let chart = StripChart {
        id: format!("{}-each", measure.key()),
        title: format!("{} of each incident, by severity", measure.definition().name),
        strips: strips.into_iter().map(|(severity, dots)| Strip { label: format!("SEV{severity}"), dots }).collect(),
    };
    Some((chart.draw(), left_out))
}

/// How many incidents began in each period, by severity.
pub fn counts(report: &Report, records: &[Record], group_by: GroupBy) -> Option<Scene> {
    let scope = report.scope.grouped(group_by);
    let counted: std::collections::HashSet<i64> = report.total.numbers.iter().copied().collect();
    let mut periods: BTreeMap<String, [usize; 4]> =
        scope.period_keys(MOST_ROWS * 2).into_iter().map(|key| (key, [0; 4])).collect();
    for record in records.iter().filter(|r| counted.contains(&r.number)) {
        let Some(key) = record.times(scope.raw).start().and_then(|at| period_key(group_by, at, scope.zone)) else {
            continue;
        };
        if let Some(slot) = periods.entry(key).or_default().get_mut(usize::from(record.severity.saturating_sub(1))) {
            *slot += 1;
        }
    }
    if counted.is_empty() || periods.len() > MOST_ROWS * 2 {
        return None;
    }
    let columns = periods
        .into_iter()
        .map(|(key, counts)| Column { href: Some(behind(&scope, Some(&key), None)), label: key, counts })
        .collect();
    let title = format!("Incidents by {}", group_by.key());
    Some(ColumnChart { id: format!("count-by-{}", group_by.key()), title, columns }.draw())
}

/// How many were left out for one reason, and the first of them.
#[derive(Clone, Debug)]
pub struct LeftOut {
    pub reason: String,
    /// `MTTR, MTTM`, or `all measures`.
    pub measures: String,
    pub incidents: Vec<(i64, String)>,
    pub more: usize,
}

/// Those listed per reason on a page.
const MOST_LISTED: usize = 12;

pub fn left_out(excluded: &[Excluded]) -> Vec<LeftOut> {
    let mut by_reason: BTreeMap<_, Vec<&Excluded>> = BTreeMap::new();
    for one in excluded {
        by_reason.entry((one.measures.clone(), one.reason)).or_default().push(one);
    }
    by_reason
        .into_iter()
        .map(|((measures, reason), incidents)| LeftOut {
            reason: reason.words(),
            measures: if measures.is_empty() {
                "all measures".to_owned()
            } else {
                measures.iter().map(|m| m.definition().short).collect::<Vec<_>>().join(", ")
            },
            more: incidents.len().saturating_sub(MOST_LISTED),
            incidents: incidents.iter().take(MOST_LISTED).map(|e| (e.number, e.title.clone())).collect(),
        })
        .collect()
}

/// `3.5h`-like text of a sample.
pub fn short(micros: i64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "durations are far below 2⁵³ µs")]
    short_duration(micros as f64 / 1e6)
}

impl LeftOut {
    pub const fn count(&self) -> usize {
        self.incidents.len() + self.more
    }
}
