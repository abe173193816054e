//! Two periods or two groups beside each other, and whether they differ by more than chance.

use crate::error::Result;
use crate::reports::model::compare::Verdict;
use crate::reports::model::compute::{Group, Share};
use crate::reports::model::scope::Scope;
use crate::reports::model::select::Question;
use crate::reports::model::sheet::{Number, Sheet, Table, Value};
use crate::reports::model::stats::METHOD;
use crate::reports::service::{Desk, Sides};
use crate::reports::view::duration;

/// The first side against the second.
pub async fn sheet(desk: &Desk, first: &Scope, second: &Scope) -> Result<Sheet> {
    let question = desk.question(first);
    let sides = desk.sides(&question, &question.about(second.clone())).await?;
    let rows = (0..question.definitions.len()).filter_map(|place| row(&question, &sides, place)).collect();
    let columns = [
        "Measure",
        "First: median",
        "mean",
        "n",
        "Second: median",
        "mean",
        "n",
        "Difference of the means",
        "Chance alone",
    ];
    let measures = Table {
        key: "measures".into(),
        heading: "Measures".into(),
        note: "The difference is the second mean minus the first, as its 95 % interval. “Chance alone” is how often \
               shuffling the incidents between the sides gives medians at least as far apart."
            .into(),
        columns: columns.map(str::to_owned).to_vec(),
        rows,
        more: 0,
    };
    let numbers = vec![
        Number {
            key: "first".into(),
            label: "First".into(),
            value: Value::count(sides.first.n),
            detail: vec![first.in_words()],
            ..Number::default()
        },
        Number {
            key: "second".into(),
            label: "Second".into(),
            value: Value::count(sides.second.n),
            detail: vec![second.in_words()],
            ..Number::default()
        },
    ];
    let notes = vec![
        METHOD.to_owned(),
        "A difference is called one only when its 95 % interval leaves zero out; else there is no detectable change. \
         Shuffles are 2,000 with a fixed seed, over at most 1,000 values of each side, evenly spaced in order."
            .to_owned(),
    ];
    Ok(Sheet {
        title: "Comparison".into(),
        filters: format!("{} — against — {}", first.in_words(), second.in_words()),
        numbers,
        tables: vec![measures, shares(&sides.first, &sides.second)],
        notes,
    })
}

fn row(question: &Question, sides: &Sides, place: usize) -> Option<Vec<Value>> {
    let definition = question.definitions.get(place)?;
    let (before, after) = (sides.first.summary(place), sides.second.summary(place));
    if before.is_none() && after.is_none() {
        return None;
    }
    let difference = match sides.comparisons.get(place)?.verdict {
        Verdict::TooFew => Value::words("too few values"),
        Verdict::NoDetectableChange => Value::words("no detectable change"),
        Verdict::Shorter(low, high) => Value::words(format!("shorter by {} to {}", duration(-high), duration(-low))),
        Verdict::Longer(low, high) => Value::words(format!("longer by {} to {}", duration(low), duration(high))),
    };
    let mut row = vec![Value::words(&*definition.short)];
    for summary in [before, after] {
        row.push(Value::seconds(summary.map(|s| s.p50)));
        row.push(Value::seconds(summary.map(|s| s.mean)));
        row.push(Value::count(summary.map_or(0, |s| s.n)));
    }
    row.push(difference);
    row.push(match sides.chance.get(place).copied().flatten() {
        Some(p) => Value { text: format!("{:.1} %", p * 100.0), number: Some(p), href: None },
        None => Value::words("–"),
    });
    Some(row)
}

fn shares(a: &Group, b: &Group) -> Table {
    let (x, y) = (&a.counts, &b.counts);
    let severe = |g: &Group| Share { part: g.counts.severities.iter().take(2).sum(), of: g.n };
    let pairs = [
        ("SEV1 and SEV2", severe(a), severe(b)),
        ("Re-opened", x.reopened, y.reopened),
        ("Recurring, of known causes", x.recurring, y.recurring),
        ("First suspect right, of confirmed causes", x.first_suspect, y.first_suspect),
        ("With a runbook", x.with_runbook, y.with_runbook),
    ];
    let row = |(name, first, second): (&str, Share, Share)| {
        vec![
            Value::words(name),
            Value::share(first.part, first.of),
            Value::share(second.part, second.of),
            Value::words(difference(first, second)),
        ]
    };
    Table {
        key: "shares".into(),
        heading: "Shares".into(),
        columns: ["Share", "First", "Second", "Difference"].map(str::to_owned).to_vec(),
        rows: pairs.into_iter().map(row).collect(),
        ..Table::default()
    }
}

/// Two shares at 1.96 standard errors of their difference.
fn difference(first: Share, second: Share) -> String {
    if first.of == 0 || second.of == 0 {
        return "too few values".into();
    }
    let (a, b) = (first.of as f64, second.of as f64);
    let (p, q) = (first.part as f64 / a, second.part as f64 / b);
    let error = (p * (1.0 - p) / a + q * (1.0 - q) / b).sqrt();
    if (q - p).abs() <= 1.96 * error {
        "no detectable change".into()
    } else {
        format!("{:+.0} points", (q - p) * 100.0)
    }
}
