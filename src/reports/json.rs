//! A report as JSON: the shape of `GET /api/v1/reports/mttr`.

use serde::Serialize;
use std::collections::BTreeMap;

use super::model::compute::{Excluded, Group, Report};
use super::model::measures::{Basis, Measure};
use super::model::stats::{METHOD, Summary};

/// How the numbers were made.
#[derive(Debug, Serialize)]
pub struct Definition {
    pub measures: Vec<MeasureDefinition>,
    pub method: &'static str,
    /// All filters in one sentence.
    pub filters: String,
    pub from: String,
    pub to: String,
    pub time_zone: String,
    pub group_by: &'static str,
    pub raw: bool,
    /// Whom the totals are for.
    pub visibility: &'static str,
}

#[derive(Debug, Serialize)]
pub struct MeasureDefinition {
    pub key: &'static str,
    pub name: &'static str,
    pub version: u32,
    pub from: &'static str,
    pub to: &'static str,
    pub text: &'static str,
}

/// Seconds; nulls when there is no value.
#[derive(Debug, Default, Serialize)]
pub struct Figures {
    pub n: usize,
    pub mean_s: Option<f64>,
    pub p50_s: Option<f64>,
    pub p90_s: Option<f64>,
    pub p95_s: Option<f64>,
    /// 95 % interval of the mean; null below three values.
    pub ci95_s: Option<[f64; 2]>,
}

#[derive(Debug, Serialize)]
pub struct GroupFigures {
    pub key: String,
    /// Counted incidents; each measure has its own n, for those where both times are known.
    pub n: usize,
    #[serde(flatten)]
    pub measures: BTreeMap<&'static str, Figures>,
}

#[derive(Debug, Serialize)]
pub struct ExcludedIncident {
    pub incident: String,
    pub reason: &'static str,
    pub detail: String,
    /// The measures it is missing from; all of them when it is not counted at all.
    pub measures: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
pub struct ReportJson {
    pub definition: Definition,
    pub n: usize,
    pub total: GroupFigures,
    pub groups: Vec<GroupFigures>,
    pub excluded: Vec<ExcludedIncident>,
}

pub const VISIBILITY: &str = "Only incidents that you may see are counted: private ones of others are not.";

impl ReportJson {
    pub fn of(report: &Report, measures: &[Measure]) -> Self {
        let scope = &report.scope;
        Self {
            definition: Definition {
                measures: measures.iter().map(|m| MeasureDefinition::of(*m)).collect(),
                method: METHOD,
                filters: scope.in_words(),
                from: scope.from.to_rfc3339(),
                to: scope.to.to_rfc3339(),
                time_zone: scope.zone.name().to_owned(),
                group_by: scope.group_by.key(),
                raw: scope.raw,
                visibility: VISIBILITY,
            },
            n: report.total.n(),
            total: GroupFigures::of(&report.total, measures),
            groups: report.groups.iter().map(|g| GroupFigures::of(g, measures)).collect(),
            excluded: report.excluded.iter().map(|e| ExcludedIncident::of(e, measures)).collect(),
        }
    }
}

impl MeasureDefinition {
    pub fn of(measure: Measure) -> Self {
        let definition = measure.definition();
        let (from, to) = match definition.basis {
            Basis::Span { from, to } => (from.as_str(), to.as_str()),
            Basis::BetweenStarts => ("impact_started", "next impact_started"),
        };
        Self {
            key: definition.key,
            name: definition.name,
            version: definition.version,
            from,
            to,
            text: definition.text,
        }
    }
}

impl GroupFigures {
    pub fn of(group: &Group, measures: &[Measure]) -> Self {
        let figures = |m: &Measure| (m.key(), group.summary(*m).map_or_else(Figures::default, Figures::of));
        Self { key: group.key.clone(), n: group.n(), measures: measures.iter().map(figures).collect() }
    }
}

impl Figures {
    pub fn of(summary: &Summary) -> Self {
        Self {
            n: summary.n,
            mean_s: Some(summary.mean),
            p50_s: Some(summary.p50),
            p90_s: Some(summary.p90),
            p95_s: Some(summary.p95),
            ci95_s: summary.interval.map(|(low, high)| [low, high]),
        }
    }
}

impl ExcludedIncident {
    fn of(excluded: &Excluded, measures: &[Measure]) -> Self {
        let missing = if excluded.measures.is_empty() { measures } else { &excluded.measures };
        Self {
            incident: format!("INC-{}", excluded.number),
            reason: excluded.reason.key(),
            detail: excluded.reason.words(),
            measures: missing.iter().map(|m| m.key()).collect(),
        }
    }
}
