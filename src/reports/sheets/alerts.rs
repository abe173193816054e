//! Alerts: how many, how loud, how much of it was noise.

use crate::error::Result;
use crate::reports::model::scope::Scope;
use crate::reports::model::sheet::{Number, Sheet, Table, Value};
use crate::reports::model::stats::Summary;
use crate::reports::service::Desk;
use crate::reports::store::alerts::{self as store, By, Sums};
use crate::reports::view::{changes, duration};

const MOST_ROWS: i64 = 50;

pub async fn sheet(desk: &Desk, scope: &Scope) -> Result<Sheet> {
    let (db, viewer) = (desk.db(), desk.viewer);
    let total = store::total(db, scope, viewer).await?;
    let earlier = store::total(db, &scope.before(), viewer).await?;
    let acknowledged = Summary::of(store::acknowledged_after(db, scope, viewer).await?);
    let mut tables = Vec::new();
    for (by, key, heading, name) in [
        (By::Rule, "rules", "Noisiest rules", "Rule"),
        (By::Service, "services", "By service", "Service"),
        (By::Source, "sources", "By source", "Source"),
    ] {
        let groups = store::groups(db, scope, viewer, by, MOST_ROWS).await?;
        tables.push(table(key, heading, name, by, &groups));
    }
    let count = changes::of_count(n(earlier.alerts), n(total.alerts));
    let number = |key: &str, label: &str, value, detail: Vec<String>| Number {
        key: key.into(),
        label: label.into(),
        value,
        detail,
        ..Number::default()
    };
    let numbers = vec![
        Number {
            change: count.text,
            class: count.class.into(),
            ..number(
                "alerts",
                "Alerts",
                Value::count(n(total.alerts)).to("/alerts"),
                vec![format!("{} episodes", total.episodes)],
            )
        },
        number("signals", "Deliveries", Value::count(n(total.signals)), vec!["repeats included".into()]),
        number(
            "noise",
            "Noise",
            Value::share(n(total.noise), n(total.alerts)),
            vec![format!("{} before", crate::reports::view::share(share(&earlier)))],
        ),
        number("in_incidents", "In an incident", Value::share(n(total.in_incidents), n(total.alerts)), vec![]),
        number(
            "acknowledged_after",
            "Acknowledged after (median)",
            Value::seconds(acknowledged.as_ref().map(|s| s.p50)),
            acknowledged.map(|s| vec![format!("p90 {}", duration(s.p90)), format!("n {}", s.n)]).unwrap_or_default(),
        ),
    ];
    let notes = vec![
        "An alert belongs to the period in which its newest episode began.".to_owned(),
        "Noise: marked as such by a person, or over by itself without an incident and without anybody acknowledging it."
            .to_owned(),
    ];
    Ok(Sheet { numbers, tables, notes, ..Sheet::default() })
}

fn n(count: i64) -> usize {
    usize::try_from(count).unwrap_or(0)
}

fn share(sums: &Sums) -> crate::reports::model::compute::Share {
    crate::reports::model::compute::Share { part: n(sums.noise), of: n(sums.alerts) }
}

fn table(key: &str, heading: &str, name: &str, by: By, groups: &[Sums]) -> Table {
    let link = |name: &str| {
        let field = match by {
            By::Rule => "rule",
            By::Service => "service",
            By::Source => "source",
        };
        url::form_urlencoded::Serializer::new("/alerts?".to_owned())
            .append_pair("status", "all")
            .append_pair(field, name)
            .finish()
    };
    let row = |s: &Sums| {
        let label =
            if s.name.is_empty() { Value::words("none named") } else { Value::words(&*s.name).to(link(&s.name)) };
        vec![
            label,
            Value::count(n(s.alerts)),
            Value::count(n(s.episodes)),
            Value::count(n(s.signals)),
            Value::share(n(s.noise), n(s.alerts)),
            Value::share(n(s.in_incidents), n(s.alerts)),
            Value::share(n(s.acknowledged), n(s.alerts)),
        ]
    };
    let columns = [name, "Alerts", "Episodes", "Deliveries", "Noise", "In an incident", "Acknowledged"];
    Table {
        key: key.into(),
        heading: heading.into(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: groups.iter().map(row).collect(),
        ..Table::default()
    }
}
