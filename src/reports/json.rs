//! Reports as JSON: the shapes of `GET /api/v1/reports/…`.

use serde::Serialize;
use std::collections::BTreeMap;

use super::model::compute::{Counts, Group, Report, Share};
use super::model::facts::Detection;
use super::model::measures::{Basis, Definition};
use super::model::reasons::Excluded;
use super::model::select::Question;
use super::model::stats::{Bin, METHOD, Summary};

/// How the numbers were made.
#[derive(Debug, Serialize)]
pub struct DefinitionJson {
    pub measures: Vec<MeasureDefinition>,
    pub method: &'static str,
    /// All filters in one sentence.
    pub filters: String,
    pub from: String,
    pub to: String,
    pub time_zone: String,
    pub group_by: &'static str,
    pub raw: bool,
    pub hours: String,
    /// Whom the totals are for.
    pub visibility: &'static str,
}

#[derive(Debug, Serialize)]
pub struct MeasureDefinition {
    pub key: String,
    pub name: String,
    pub version: i64,
    pub from: String,
    pub to: String,
    pub hours: String,
    /// As a page prints it.
    pub printed: String,
    pub text: String,
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
    /// Empty when there is no value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub distribution: Vec<BinJson>,
    /// How many stayed within the target of their severity; absent without a target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_target: Option<Share>,
}

#[derive(Debug, Serialize)]
pub struct BinJson {
    pub from_s: f64,
    pub to_s: Option<f64>,
    pub n: usize,
}

#[derive(Debug, Serialize)]
pub struct GroupFigures {
    pub key: String,
    /// Counted incidents; each measure has its own n, for those where both times are known.
    pub n: usize,
    #[serde(flatten)]
    pub measures: BTreeMap<String, Figures>,
    pub counts: CountsJson,
}

/// What is counted rather than measured.
#[derive(Debug, Serialize)]
pub struct CountsJson {
    pub severities: BTreeMap<String, usize>,
    pub detected_by: BTreeMap<&'static str, usize>,
    pub reopened: Share,
    pub recurring: Share,
    pub first_suspect_right: Share,
    pub with_runbook: Share,
    pub corrected: Share,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct ExcludedIncident {
    pub incident: String,
    pub reason: String,
    pub detail: String,
    /// The measures it is missing from; all of them when it is not counted at all.
    pub measures: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct ReportJson {
    pub definition: DefinitionJson,
    pub n: usize,
    pub total: GroupFigures,
    pub groups: Vec<GroupFigures>,
    pub excluded: Vec<ExcludedIncident>,
}

pub const VISIBILITY: &str = "Only incidents that you may see are counted: private ones of others are not.";

impl ReportJson {
    pub fn of(report: &Report) -> Self {
        let question = &report.question;
        Self {
            definition: DefinitionJson::of(question),
            n: report.total.n,
            total: GroupFigures::of(&report.total, question),
            groups: report.groups.iter().map(|g| GroupFigures::of(g, question)).collect(),
            excluded: excluded(&report.excluded, &question.definitions),
        }
    }
}

impl DefinitionJson {
    pub fn of(question: &Question) -> Self {
        let scope = &question.scope;
        Self {
            measures: question.definitions.iter().map(MeasureDefinition::of).collect(),
            method: METHOD,
            filters: scope.in_words(),
            from: scope.from.to_rfc3339(),
            to: scope.to.to_rfc3339(),
            time_zone: scope.zone.name().to_owned(),
            group_by: scope.group_by.key(),
            raw: scope.raw,
            hours: scope.hours.key(),
            visibility: VISIBILITY,
        }
    }
}

impl MeasureDefinition {
    pub fn of(definition: &Definition) -> Self {
        let (from, to) = match definition.basis {
            Basis::Span { from, to } => (from.as_str().to_owned(), to.as_str().to_owned()),
            _ => definition.ends(),
        };
        Self {
            key: definition.key.to_string(),
            name: definition.name.to_string(),
            version: definition.version,
            from,
            to,
            hours: definition.hours.key(),
            printed: definition.printed(),
            text: definition.text.to_string(),
        }
    }
}

impl GroupFigures {
    pub fn of(group: &Group, question: &Question) -> Self {
        let figures = |(place, definition): (usize, &Definition)| {
            let within_target = group.within.get(place).copied().filter(|s| s.of > 0);
            let figures = group.summary(place).map_or_else(Figures::default, Figures::of);
            (definition.key.to_string(), Figures { within_target, ..figures })
        };
        Self {
            key: group.key.clone(),
            n: group.n,
            measures: question.definitions.iter().enumerate().map(figures).collect(),
            counts: CountsJson::of(&group.counts),
        }
    }
}

impl CountsJson {
    pub fn of(counts: &Counts) -> Self {
        let severities = counts.severities.iter().enumerate();
        Self {
            severities: severities.map(|(i, n)| (format!("SEV{}", i + 1), *n)).collect(),
            detected_by: Detection::ALL.iter().zip(counts.detections).map(|(d, n)| (d.as_str(), n)).collect(),
            reopened: counts.reopened,
            recurring: counts.recurring,
            first_suspect_right: counts.first_suspect,
            with_runbook: counts.with_runbook,
            corrected: counts.corrected,
        }
    }
}

impl Figures {
    pub fn of(summary: &Summary) -> Self {
        let bin = |b: Bin| BinJson { from_s: b.from_s, to_s: b.to_s, n: b.n };
        Self {
            n: summary.n,
            mean_s: Some(summary.mean),
            p50_s: Some(summary.p50),
            p90_s: Some(summary.p90),
            p95_s: Some(summary.p95),
            ci95_s: summary.interval.map(|(low, high)| [low, high]),
            distribution: summary.histogram().into_iter().map(bin).collect(),
            within_target: None,
        }
    }
}

/// The list of those left out, with their reasons.
pub fn excluded(excluded: &[Excluded], definitions: &[Definition]) -> Vec<ExcludedIncident> {
    let one = |e: &Excluded| {
        let missing = e.places().filter_map(|p| definitions.get(p));
        let measures: Vec<String> = if e.missing == 0 {
            definitions.iter().map(|d| d.key.to_string()).collect()
        } else {
            missing.map(|d| d.key.to_string()).collect()
        };
        ExcludedIncident {
            incident: format!("INC-{}", e.number),
            reason: e.reason.key().to_owned(),
            detail: e.reason.words(),
            measures,
        }
    };
    excluded.iter().map(one).collect()
}
