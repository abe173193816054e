//! Measures by group, and the summary that is frozen and mailed.

use super::detection;
use crate::error::Result;
use crate::reports::model::compute::{Group, Share};
use crate::reports::model::facts::Detection;
use crate::reports::model::measures::Definition;
use crate::reports::model::scope::{GroupBy, Scope};
use crate::reports::model::select::Question;
use crate::reports::model::sheet::{Number, Sheet, Table, Value};
use crate::reports::model::stats::{METHOD, Summary};
use crate::reports::service::{Desk, MAIN, Overview};
use crate::reports::view::{self, changes, duration};

/// Rows of one table; the API's `mttr` gives all groups.
const MOST_ROWS: usize = 500;

pub async fn summary(desk: &Desk, scope: &Scope) -> Result<Sheet> {
    let question = desk.question(scope);
    let period = GroupBy::readable((scope.to - scope.from).num_days());
    let slices = [period, GroupBy::Severity, GroupBy::Service, GroupBy::Team, GroupBy::Cause, GroupBy::Detection];
    let found = desk.overview(&question, &slices, MAIN[3]).await?;
    Ok(of_question(&found))
}

/// Every figure of an overview.
fn of_question(found: &Overview) -> Sheet {
    let question = &found.question;
    let mut numbers = vec![incidents(found)];
    numbers.extend((0..question.definitions.len()).filter_map(|place| number(found, place)));
    numbers.extend(shares(&found.total));
    let mut notes: Vec<String> = question.definitions.iter().map(Definition::printed).collect();
    notes.push(METHOD.to_owned());
    let by_slice = |(by, groups): &(GroupBy, Vec<Group>)| table(question, *by, groups);
    let mut tables: Vec<Table> = found.slices.iter().map(by_slice).collect();
    tables.push(outliers(found));
    tables.push(left_out(found));
    Sheet { numbers, tables, notes, ..Sheet::default() }
}

fn incidents(found: &Overview) -> Number {
    let count = changes::of_count(found.earlier.n, found.total.n);
    let severities = found.total.counts.severities.iter().enumerate().filter(|(_, n)| **n > 0);
    Number {
        key: "incidents".into(),
        label: "Incidents".into(),
        value: Value::count(found.total.n).to(view::behind(&found.question.scope, None, None)),
        detail: severities.map(|(i, n)| format!("{n} SEV{}", i + 1)).collect(),
        change: count.text,
        class: count.class.into(),
    }
}

fn number(found: &Overview, place: usize) -> Option<Number> {
    let definition = found.question.definitions.get(place)?;
    let summary = found.total.summary(place);
    let change = found.comparisons.get(place).map(changes::of_measure).unwrap_or_default();
    let href = view::behind(&found.question.scope, None, Some(&definition.key));
    let mut detail = summary.map(details).unwrap_or_default();
    if let Some(within) = found.total.within.get(place).filter(|s| s.of > 0) {
        detail.push(format!("within target {}", view::share(*within)));
    }
    Some(Number {
        key: definition.key.to_string(),
        label: format!("{} (median)", definition.name),
        value: if summary.is_some() {
            Value::seconds(summary.map(|s| s.p50)).to(href)
        } else {
            Value::words("no value")
        },
        detail,
        change: if summary.is_some() { change.text } else { String::new() },
        class: change.class.into(),
    })
}

fn details(s: &Summary) -> Vec<String> {
    let mut out = vec![
        format!("mean {}", duration(s.mean)),
        format!("p90 {}", duration(s.p90)),
        format!("p95 {}", duration(s.p95)),
        format!("n {}", s.n),
    ];
    if let Some((low, high)) = s.interval {
        out.insert(1, format!("95 % interval {} to {}", duration(low), duration(high)));
    }
    out
}

fn shares(total: &Group) -> Vec<Number> {
    let counts = &total.counts;
    let one = |key: &str, label: &str, share: Share| Number {
        key: key.into(),
        label: label.into(),
        value: Value::share(share.part, share.of),
        ..Number::default()
    };
    vec![
        one("reopened", "Re-opened", counts.reopened),
        one("recurring", "Recurring, of known causes", counts.recurring),
        one("first_suspect", "First suspect right, of confirmed causes", counts.first_suspect),
        one("with_runbook", "With a runbook", counts.with_runbook),
        one("corrected", "With corrected times", counts.corrected),
    ]
}

/// One row per group with the main measures.
fn table(question: &Question, by: GroupBy, groups: &[Group]) -> Table {
    let scope = question.scope.grouped(by);
    let main: Vec<&Definition> = question.definitions.iter().take(MAIN.len()).collect();
    let mut columns = vec![capital(by.words()), "Incidents".to_owned()];
    for definition in &main {
        columns.push(format!("{} median", definition.short));
        columns.push(format!("{} p90", definition.short));
    }
    columns.push("MTTR within target".into());
    let mut groups: Vec<&Group> = groups.iter().filter(|g| g.n > 0).collect();
    if !by.is_ordered() {
        groups.sort_by_key(|g| (std::cmp::Reverse(g.n), &g.key));
    }
    let more = groups.len().saturating_sub(MOST_ROWS);
    let row = |g: &&Group| {
        let label = if by == GroupBy::Detection { detection(&g.key) } else { view::label(by, &g.key) };
        let mut row = vec![Value::words(label).to(view::behind(&scope, Some(&g.key), None)), Value::count(g.n)];
        for (place, definition) in main.iter().enumerate() {
            let href = view::behind(&scope, Some(&g.key), Some(&definition.key));
            row.push(Value::seconds(g.summary(place).map(|s| s.p50)).to(href));
            row.push(Value::seconds(g.summary(place).map(|s| s.p90)));
        }
        let within = g.within.get(MAIN[3]).copied().unwrap_or_default();
        row.push(Value::share(within.part, within.of));
        row
    };
    Table {
        key: by.key().into(),
        heading: format!("By {}", by.words()),
        rows: groups.iter().take(MOST_ROWS).map(row).collect(),
        columns,
        more,
        ..Table::default()
    }
}

fn outliers(found: &Overview) -> Table {
    let mut rows = Vec::new();
    for (definition, outliers) in found.question.definitions.iter().zip(&found.outliers) {
        for (number, micros) in outliers.iter().flat_map(|o| &o.named) {
            rows.push(vec![
                Value::words(format!("INC-{number}")).to(format!("/incidents/INC-{number}")),
                Value::words(&*definition.short),
                Value::seconds(Some(*micros as f64 / 1e6)),
                Value::seconds(outliers.as_ref().map(|o| o.fence / 1e6)),
            ]);
        }
    }
    Table {
        key: "outliers".into(),
        heading: "Outliers".into(),
        note:
            "Longer than the third quartile and three times the distance between the quartiles; counted all the same."
                .into(),
        columns: ["Incident", "Measure", "Took", "Outliers begin at"].map(str::to_owned).to_vec(),
        rows,
        more: 0,
    }
}

/// The main measures' gaps and those not counted at all, by reason.
fn left_out(found: &Overview) -> Table {
    let row = |l: &view::left_out::LeftOut| {
        let listed: Vec<String> = l.incidents.iter().map(|(n, _)| format!("INC-{n}")).collect();
        let more = if l.more > 0 { format!(" and {} more", l.more) } else { String::new() };
        vec![
            Value::words(&*l.reason),
            Value::count(l.count()),
            Value::words(&*l.measures),
            Value::words(format!("{}{more}", listed.join(", "))),
        ]
    };
    Table {
        key: "left_out".into(),
        heading: "Left out, and why".into(),
        columns: ["Reason", "Incidents", "Missing from", "Which"].map(str::to_owned).to_vec(),
        rows: found.left_out.iter().map(row).collect(),
        ..Table::default()
    }
}

/// The page of services or teams: figures, what kinds of incidents, who noticed.
pub async fn groups(desk: &Desk, scope: &Scope, by: GroupBy) -> Result<Sheet> {
    let question = desk.question(&scope.grouped(by));
    let found = desk.overview(&question, &[by], MAIN[3]).await?;
    let (_, groups) = found.slices.first().ok_or_else(|| crate::error::Error::Internal("no slice".into()))?;
    let kinds = |g: &Group| {
        let severities = g.counts.severities.map(Value::count);
        let alert = g.counts.detections.get(Detection::Alert as usize).copied().unwrap_or(0)
            + g.counts.detections.get(Detection::Check as usize).copied().unwrap_or(0);
        let customer = g.counts.detections.get(Detection::Customer as usize).copied().unwrap_or(0);
        let mut row = vec![Value::words(view::label(by, &g.key)).to(overview_of(scope, by, &g.key))];
        row.extend(severities);
        row.push(Value::share(alert, g.n));
        row.push(Value::share(customer, g.n));
        row.push(Value::share(g.counts.reopened.part, g.counts.reopened.of));
        row.push(Value::share(g.counts.recurring.part, g.counts.recurring.of));
        row.push(Value::share(g.counts.with_runbook.part, g.counts.with_runbook.of));
        row
    };
    let columns = [
        "",
        "SEV1",
        "SEV2",
        "SEV3",
        "SEV4",
        "Noticed by alert or check",
        "Noticed by a customer",
        "Re-opened",
        "Recurring",
        "With a runbook",
    ];
    let mut columns = columns.map(str::to_owned).to_vec();
    if let Some(first) = columns.first_mut() {
        *first = capital(by.words());
    }
    let mut chosen: Vec<&Group> = groups.iter().filter(|g| g.n > 0).collect();
    chosen.sort_by_key(|g| (std::cmp::Reverse(g.n), &g.key));
    let quality = Table {
        key: "quality".into(),
        heading: "What kind, and how well".into(),
        note: format!("Each name leads to the overview of that {}.", by.words()),
        more: chosen.len().saturating_sub(MOST_ROWS),
        rows: chosen.into_iter().take(MOST_ROWS).map(kinds).collect(),
        columns,
    };
    let mut notes: Vec<String> = question.definitions.iter().take(MAIN.len()).map(Definition::printed).collect();
    notes.push(format!("An incident of several {}s counts in each of them.", by.words()));
    Ok(Sheet {
        numbers: vec![incidents(&found)],
        tables: vec![table(&question, by, groups), quality],
        notes,
        ..Sheet::default()
    })
}

/// The overview of one service or team.
fn overview_of(scope: &Scope, by: GroupBy, key: &str) -> String {
    let mut narrowed = scope.clone();
    match by {
        _ if key == crate::reports::model::compute::NONE_KEY => {}
        GroupBy::Team => narrowed.teams = vec![key.to_owned()],
        _ => narrowed.services = vec![key.to_owned()],
    }
    // A chosen slicing would hide the usual ones.
    let query = narrowed.to_query().replace(&format!("group_by={}&", narrowed.group_by.key()), "");
    format!("/reports?{query}")
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
