//! What administrators see of the store: what came in, what was refused, how much is kept and for how long.

use std::collections::BTreeMap;

use askama::Template;
use axum::response::Response;
use chrono::TimeDelta;

use crate::error::Result;
use crate::traces::service::view;
use crate::traces::store::counts::Counts;
use crate::web::{Cx, Shell, render};

struct DoorView {
    source: String,
    day: Counts,
    week: Counts,
}

#[derive(Template)]
#[template(path = "traces/intake.html")]
struct IntakePage {
    shell: Shell,
    doors: Vec<DoorView>,
    traces: i64,
    spans: i64,
    size: String,
    trace_days: u32,
    trace_gib: u32,
    log_days: u32,
}

pub(in crate::traces) async fn show(cx: Cx) -> Result<Response> {
    let db = &cx.state.db;
    let day = view::ingest_counts(db, cx.now() - TimeDelta::days(1)).await?;
    let week: BTreeMap<String, Counts> = view::ingest_counts(db, cx.now() - TimeDelta::days(7)).await?;
    let doors = week.into_iter().map(|(source, week)| DoorView {
        day: day.get(&source).copied().unwrap_or_default(),
        source,
        week,
    });
    let (bytes, traces, spans) = view::stored(db).await?;
    let config = &cx.state.config;
    render(&IntakePage {
        shell: cx.shell("Traces and logs"),
        doors: doors.collect(),
        traces,
        spans,
        size: size(bytes),
        trace_days: config.trace_days,
        trace_gib: config.trace_gib,
        log_days: config.log_days,
    })
}

fn size(bytes: i64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut amount = bytes.max(0) as f64;
    let mut unit = 0;
    while amount >= 1024.0 && unit < UNITS.len() - 1 {
        amount /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{amount:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_short() {
        assert_eq!(
            [super::size(0), super::size(1023), super::size(1536), super::size(3 << 30)],
            ["0 B", "1023 B", "1.5 KiB", "3.0 GiB"]
        );
    }
}
