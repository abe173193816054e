//! What a page shows of a report: rows of figures, sections with a drawing and the table behind it, and
//! sentences about what changed.

pub mod changes;
pub mod charts;
pub mod left_out;

use chrono::TimeDelta;

use super::model::compute::{Group, NONE_KEY, Share};
use super::model::facts::Detection;
use super::model::scope::{GroupBy, Scope};
use super::model::select::Question;
use super::model::stats::Summary;
use super::service::MAIN;
use crate::charts::{Scene, short_duration};
use crate::clock::human_duration;

/// Rows of one breakdown on a page; the rest is in the CSV.
pub const MOST_ROWS: usize = 60;

/// Seconds, for people.
#[expect(clippy::cast_possible_truncation, reason = "a duration of less than centuries")]
pub fn duration(seconds: f64) -> String {
    human_duration(TimeDelta::seconds(seconds.round() as i64))
}

/// Microseconds, for people.
pub fn micros(value: i64) -> String {
    human_duration(TimeDelta::microseconds(value))
}

/// `12 of 40 (30 %)`; `–` of none.
pub fn share(share: Share) -> String {
    share.percent().map_or_else(|| "–".to_owned(), |percent| format!("{} of {} ({percent} %)", share.part, share.of))
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
    /// How many stayed within the target; empty when there is none.
    pub within: String,
    /// Where those that took longer are listed; empty when there are none.
    pub breaches: String,
    /// The incidents behind it.
    pub href: String,
}

impl Cell {
    pub fn of(summary: Option<&Summary>, within: Option<Share>, href: String) -> Self {
        let within = within.filter(|s| s.of > 0);
        let breaches = within.filter(|s| s.part < s.of).map(|_| format!("{href}&over=target")).unwrap_or_default();
        let within = within.map(share).unwrap_or_default();
        let Some(s) = summary else { return Self { within, breaches, href, ..Self::default() } };
        Self {
            n: s.n,
            p50: duration(s.p50),
            p90: short_duration(s.p90),
            p95: short_duration(s.p95),
            mean: short_duration(s.mean),
            interval: s
                .interval
                .map_or_else(String::new, |(low, high)| format!("{}–{}", short_duration(low), short_duration(high))),
            within,
            breaches,
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
pub fn behind(scope: &Scope, key: Option<&str>, measure: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if let Some(key) = key {
        query.append_pair("key", key);
    }
    if let Some(measure) = measure {
        query.append_pair("measure", measure);
    }
    format!("/reports/incidents?{}&{}", scope.to_query(), query.finish()).trim_end_matches('&').to_owned()
}

/// The main measures of a group.
pub fn row(question: &Question, scope: &Scope, group: &Group, key: Option<&str>) -> Row {
    let cell = |place: usize| {
        let measure = question.definitions.get(place).map(|d| &*d.key);
        Cell::of(group.summary(place), group.within.get(place).copied(), behind(scope, key, measure))
    };
    Row {
        label: key.map_or_else(|| "All".to_owned(), |key| label(scope.group_by, key)),
        n: group.n,
        href: behind(scope, key, None),
        cells: MAIN.into_iter().map(cell).collect(),
    }
}

/// A group's key as people read it.
pub fn label(by: GroupBy, key: &str) -> String {
    match by {
        _ if key == NONE_KEY => "none named".to_owned(),
        GroupBy::Tier => format!("tier {key}"),
        GroupBy::Detection => Detection::parse(key).map_or_else(|| key.to_owned(), |d| d.label().to_owned()),
        _ => key.to_owned(),
    }
}

/// A breakdown, drawn for one measure.
pub fn section(question: &Question, by: GroupBy, groups: &[Group], drawn: usize) -> Section {
    let scope = question.scope.grouped(by);
    let mut groups: Vec<&Group> = groups.iter().collect();
    if !by.is_ordered() {
        // Who takes the longest comes first; periods, severities and tiers keep their order.
        groups.sort_by(|a, b| {
            let p50 = |g: &Group| g.summary(drawn).map_or(-1.0, |s| s.p50);
            p50(b).total_cmp(&p50(a)).then_with(|| a.key.cmp(&b.key))
        });
    }
    let more = groups.len().saturating_sub(MOST_ROWS);
    // Of periods the latest are kept, of other groups the slowest.
    if by.is_period() {
        groups.drain(..more);
    } else {
        groups.truncate(MOST_ROWS);
    }
    let rows = groups.iter().filter(|g| g.n > 0).map(|g| row(question, &scope, g, Some(&g.key))).collect();
    let chart = charts::breakdown(question, &scope, &groups, drawn);
    Section { group_by: by, heading: format!("By {}", by.words()), chart, rows, more }
}
