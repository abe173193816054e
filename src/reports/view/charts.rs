//! From figures to drawings.

use std::collections::{BTreeMap, HashMap};

use super::{behind, label};
use crate::charts::{
    Column, ColumnChart, Dot, Range, RangeChart, Scene, Strip, StripChart, TrendChart, TrendPoint, short_duration,
};
use crate::reports::model::compute::Group;
use crate::reports::model::scope::{GroupBy, Scope};
use crate::reports::model::select::Question;
use crate::reports::model::stats::Summary;
use crate::reports::service::Overview;

/// Columns of one chart of counts.
const MOST_COLUMNS: usize = 130;

/// One measure by group: along time for periods, else as rows.
pub fn breakdown(question: &Question, scope: &Scope, groups: &[&Group], drawn: usize) -> Option<Scene> {
    if groups.iter().all(|g| g.summary(drawn).is_none()) {
        return None;
    }
    let definition = question.definitions.get(drawn)?;
    let by = scope.group_by;
    let title = format!("{} by {}", definition.name, by.words());
    let id = format!("{}-by-{}", definition.key, by.key());
    Some(if by.is_period() {
        let point = |g: &&Group| TrendPoint {
            label: g.key.clone(),
            href: Some(behind(scope, Some(&g.key), Some(&definition.key))),
            n: g.summary(drawn).map_or(0, |s| s.n),
            percentiles: g.summary(drawn).map(|s| (s.p50, s.p90, s.p95)),
        };
        TrendChart { id, title, points: groups.iter().map(point).collect(), target: target(question, drawn) }.draw()
    } else {
        let range = |g: &&Group| {
            g.summary(drawn).map(|s| Range {
                label: label(by, &g.key),
                href: Some(behind(scope, Some(&g.key), Some(&definition.key))),
                n: s.n,
                mean: s.mean,
                p50: s.p50,
                p90: s.p90,
                p95: s.p95,
                interval: s.interval,
            })
        };
        RangeChart { id, title, rows: groups.iter().filter_map(range).collect() }.draw()
    })
}

/// The line to stay under, in seconds: where only one severity is asked for, its target; else the one that
/// all severities share. Different targets make no line.
pub fn target(question: &Question, place: usize) -> Option<f64> {
    let severities = if question.scope.severities.is_empty() { &[1, 2, 3, 4][..] } else { &question.scope.severities };
    let mut lines = severities.iter().map(|severity| question.target(place, *severity));
    let first = lines.next().flatten()?;
    lines.all(|line| line == Some(first)).then_some(first as f64 / 1e6)
}

/// Every counted incident as a dot, by severity.
pub(crate) fn strip(overview: &Overview, drawn: usize, titles: &HashMap<i64, String>) -> Option<Scene> {
    let definition = overview.question.definitions.get(drawn)?;
    let mut strips: BTreeMap<u8, Vec<Dot>> = BTreeMap::new();
    for (number, severity, micros) in &overview.dots {
        let title = titles.get(number).map_or("", String::as_str);
        strips.entry(*severity).or_default().push(Dot {
            label: format!("INC-{number} {title}"),
            href: Some(format!("/incidents/INC-{number}")),
            seconds: *micros as f64 / 1e6,
            severity: *severity,
        });
    }
    if strips.is_empty() {
        return None;
    }
    let chart = StripChart {
        id: format!("{}-each", definition.key),
        title: format!("{} of each incident, by severity", definition.name),
        strips: strips.into_iter().map(|(severity, dots)| Strip { label: format!("SEV{severity}"), dots }).collect(),
    };
    Some(chart.draw())
}

/// How many incidents began in each period, by severity.
pub fn counts(question: &Question, by: GroupBy, groups: &[Group]) -> Option<Scene> {
    if groups.iter().all(|g| g.n == 0) || groups.len() > MOST_COLUMNS {
        return None;
    }
    let scope = question.scope.grouped(by);
    let column = |g: &Group| Column {
        href: Some(behind(&scope, Some(&g.key), None)),
        label: g.key.clone(),
        counts: g.counts.severities,
    };
    let title = format!("Incidents by {}", by.words());
    Some(
        ColumnChart { id: format!("count-by-{}", by.key()), title, columns: groups.iter().map(column).collect() }
            .draw(),
    )
}

/// A bar of a distribution, as a row of a table: its limits, how many, and its length in percent of the
/// longest.
#[derive(Clone, Debug)]
pub struct Bar {
    pub label: String,
    pub n: usize,
    pub percent: usize,
}

/// The distribution of one measure.
pub fn histogram(summary: &Summary) -> Vec<Bar> {
    let bins = summary.histogram();
    let most = bins.iter().map(|b| b.n).max().unwrap_or(0).max(1);
    let bar = |bin: &crate::reports::model::stats::Bin| Bar {
        label: match bin.to_s {
            Some(to) if bin.from_s == 0.0 => format!("under {}", short_duration(to)),
            Some(to) => format!("{} to {}", short_duration(bin.from_s), short_duration(to)),
            None => format!("{} and more", short_duration(bin.from_s)),
        },
        n: bin.n,
        percent: bin.n * 100 / most,
    };
    bins.iter().map(bar).collect()
}
