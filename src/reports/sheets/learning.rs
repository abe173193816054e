//! What is learned: postmortems and follow-ups, runbooks and how they are used.

use crate::clock::Timestamp;
use crate::error::Result;
use crate::reports::attention::attention;
use crate::reports::model::compute::Share;
use crate::reports::model::measures::Measure;
use crate::reports::model::scope::Scope;
use crate::reports::model::select::Question;
use crate::reports::model::sheet::{Number, Sheet, Table, Value};
use crate::reports::model::stats::Summary;
use crate::reports::service::Desk;
use crate::reports::store::learning as store;
use crate::reports::view::duration;

fn n(count: i64) -> usize {
    usize::try_from(count).unwrap_or(0)
}

fn number(key: &str, label: &str, value: Value, detail: Vec<String>) -> Number {
    Number { key: key.into(), label: label.into(), value, detail, ..Number::default() }
}

fn spread(summary: Option<&Summary>) -> Vec<String> {
    summary.map_or_else(Vec::new, |s| {
        vec![format!("mean {}", duration(s.mean)), format!("p90 {}", duration(s.p90)), format!("n {}", s.n)]
    })
}

pub async fn postmortems(desk: &Desk, scope: &Scope, now: Timestamp) -> Result<Sheet> {
    let (db, viewer) = (desk.db(), desk.viewer);
    let written = store::written(db, scope, viewer).await?;
    let after = Summary::of(store::published_after(db, scope, viewer).await?);
    let owners = store::owners(db, scope, viewer, now).await?;
    let attention = attention(desk, scope, now).await?;
    let sum = |of: fn(&store::Written) -> i64| written.iter().map(of).sum::<i64>();
    let by_severity = written.iter().map(|w| {
        vec![
            Value::words(&*w.severity),
            Value::count(n(w.over)),
            Value::share(n(w.published), n(w.over)),
            Value::count(n(w.begun)),
        ]
    });
    let by_owner = owners.iter().map(|o| {
        vec![
            Value::words(if o.name.is_empty() { "nobody" } else { &o.name }),
            Value::count(n(o.due)),
            Value::share(n(o.on_time), n(o.due)),
            Value::count(n(o.late)),
            Value::count(n(o.open)),
        ]
    });
    let missing = attention.unwritten.iter().map(|i| {
        vec![
            Value::words(format!("INC-{}", i.id)).to(format!("/incidents/INC-{}/postmortem", i.id)),
            Value::words(&*i.severity),
            Value::words(&*i.title),
            Value::words(i.started_at.to_minute()),
        ]
    });
    let overdue = attention.overdue.iter().map(|t| {
        vec![
            Value::words(&*t.title),
            Value::words(format!("INC-{}", t.incident_id)).to(format!("/incidents/INC-{}", t.incident_id)),
            Value::words(t.owner.as_deref().unwrap_or("nobody")),
            Value::words(t.due_at.format("%Y-%m-%d")),
        ]
    });
    let tables = vec![
        table(
            "severities",
            "Postmortems by severity",
            &["Severity", "Incidents over", "Published", "Draft or in review"],
            by_severity,
        ),
        Table {
            more: n(attention.unwritten_total).saturating_sub(attention.unwritten.len()),
            ..table(
                "missing",
                "Severe, without a published postmortem",
                &["Incident", "Severity", "Title", "Began (UTC)"],
                missing,
            )
        },
        table("owners", "Follow-ups by owner", &["Owner", "Fell due", "On time", "Late", "Still open"], by_owner),
        Table {
            more: n(attention.overdue_total).saturating_sub(attention.overdue.len()),
            ..table("overdue", "Longest overdue", &["Follow-up", "Incident", "Owner", "Due"], overdue)
        },
    ];
    let numbers = vec![
        number(
            "published",
            "Published postmortems",
            Value::share(n(sum(|w| w.published)), n(sum(|w| w.over))),
            vec!["of incidents that are over".into()],
        ),
        number(
            "published_after",
            "Published after (median)",
            Value::seconds(after.as_ref().map(|s| s.p50)),
            spread(after.as_ref()),
        ),
        number(
            "on_time",
            "Follow-ups on time",
            Value::share(attention.on_time.part, attention.on_time.of),
            vec!["of those that fell due".into()],
        ),
        number(
            "overdue",
            "Overdue follow-ups",
            Value::count(n(attention.overdue_total)),
            vec!["now, whenever they fell due".into()],
        ),
    ];
    let notes = vec![
        "An incident belongs to the period in which it began, a follow-up to the one in which it fell due.".to_owned(),
        "Cancelled follow-ups, drills, declined and merged incidents are left out.".to_owned(),
    ];
    Ok(Sheet { numbers, tables, notes, ..Sheet::default() })
}

pub async fn runbooks(desk: &Desk, scope: &Scope, now: Timestamp) -> Result<Sheet> {
    let uses = store::uses(desk.db(), scope, desk.viewer).await?;
    let lengths = Summary::of(store::run_lengths(desk.db(), scope, desk.viewer).await?);
    let report = desk.report(&Question::of(scope, &[Measure::Mttr])).await?;
    let with_runbook = report.total.counts.with_runbook;
    let stale = |u: &&store::Use| u.review_by.is_some_and(|at| at < now);
    let total = |of: fn(&store::Use) -> i64| n(uses.iter().map(of).sum());
    let rows = uses.iter().map(|u| {
        let review = match u.review_by {
            Some(at) if at < now => format!("overdue since {}", at.format("%Y-%m-%d")),
            Some(at) => at.format("%Y-%m-%d"),
            None => "none".to_owned(),
        };
        vec![
            Value::words(&*u.title).to(format!("/runbooks/{}", u.slug)),
            Value::words(if u.owner.is_empty() { "nobody" } else { &u.owner }),
            Value::count(n(u.runs)),
            Value::share(n(u.completed), n(u.runs)),
            Value::count(n(u.failed_steps)),
            if u.expected_s > 0 { Value::seconds(Some(u.expected_s as f64)) } else { Value::words("–") },
            Value::words(review),
        ]
    });
    let columns = ["Runbook", "Owner", "Runs", "Completed", "Failed steps", "Expected", "Review by"];
    let numbers = vec![
        number("with_runbook", "Incidents with a runbook", Value::share(with_runbook.part, with_runbook.of), vec![]),
        number("runs", "Runs", Value::count(total(|u| u.runs)), vec![format!("{} stopped", total(|u| u.stopped))]),
        number("completed", "Completed", share(Share { part: total(|u| u.completed), of: total(|u| u.runs) }), vec![]),
        number(
            "run_length",
            "A completed run takes (median)",
            Value::seconds(lengths.as_ref().map(|s| s.p50)),
            spread(lengths.as_ref()),
        ),
        number(
            "stale",
            "Runbooks to review",
            Value::count(uses.iter().filter(stale).count()),
            vec!["their review is overdue".into()],
        ),
        number("unused", "Never run in the period", Value::count(uses.iter().filter(|u| u.runs == 0).count()), vec![]),
    ];
    let notes = vec!["A run belongs to the period in which it was started. Archived runbooks are left out.".to_owned()];
    Ok(Sheet { numbers, tables: vec![table("runbooks", "Runbooks", &columns, rows)], notes, ..Sheet::default() })
}

fn share(share: Share) -> Value {
    Value::share(share.part, share.of)
}

fn table(key: &str, heading: &str, columns: &[&str], rows: impl Iterator<Item = Vec<Value>>) -> Table {
    Table {
        key: key.into(),
        heading: heading.into(),
        columns: columns.iter().map(|c| (*c).to_owned()).collect(),
        rows: rows.collect(),
        ..Table::default()
    }
}
