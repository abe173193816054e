//! Evaluation results as text for a terminal.

use std::fmt::Write as _;

use super::score::{Report, Tally};
use super::trial::{Calm, Fold, alarms};

/// The report of one run: by system, by fault, overall, and every case whose broken service was not first.
pub fn report(report: &Report) -> String {
    let mut out = String::new();
    head(&mut out);
    for (name, tally) in &report.by_system {
        line(&mut out, name, tally);
    }
    line(&mut out, "overall", &report.overall);
    out.push('\n');
    for (name, tally) in &report.by_fault {
        line(&mut out, name, tally);
    }
    let missed: Vec<_> = report.cases.iter().filter(|c| c.service_rank != Some(1)).collect();
    if !missed.is_empty() {
        out.push_str("\nnot first:\n");
    }
    for case in missed {
        let rank = case.service_rank.map_or_else(|| "not ranked".to_owned(), |r| format!("rank {r}"));
        let first = case.first.first().map_or("nothing", |s| s.service.as_str());
        let _ = writeln!(out, "  {} {} {}: {rank}, first was {first}", case.id, case.fault, case.service);
    }
    out
}

/// One line per variant, overall and by system.
pub fn variants(all: &[(String, Report)]) -> String {
    let mut out = String::new();
    for (name, report) in all {
        let _ = write!(out, "{name:<24}");
        for (system, t) in &report.by_system {
            let _ = write!(out, "  {system} {}", shares(t));
        }
        out.push('\n');
    }
    out
}

pub fn folds(all: &[Fold]) -> String {
    let mut out = String::new();
    for fold in all {
        let _ = writeln!(
            out,
            "held out {:<16} chosen elsewhere: {:<20} n={:<3} {}",
            fold.held_out,
            fold.chosen,
            fold.report.overall.cases,
            shares(&fold.report.overall)
        );
    }
    out
}

pub fn calm(name: &str, all: &[Calm]) -> String {
    let a = alarms(all);
    format!(
        "{name}: {} calm stretches, {} false alarms, first suspect's score: median {:.2}, p90 {:.2}, highest {:.2}\n",
        a["stretches"], a["false_alarms"], a["median"], a["p90"], a["highest"]
    )
}

fn head(out: &mut String) {
    let _ = writeln!(
        out,
        "{:<34} {:>5} {:>7} {:>7} {:>7} {:>11} {:>7} {:>7} {:>7} {:>9} {:>9}",
        "", "cases", "first", "in 3", "in 5", "deployment", "clear", "score", "lowest", "median s", "slowest s"
    );
}

fn line(out: &mut String, name: &str, t: &Tally) {
    let _ = writeln!(
        out,
        "{name:<34} {:>5} {:>7} {:>7} {:>7} {:>11} {:>7} {:>7.2} {:>7.2} {:>9.3} {:>9.3}",
        t.cases,
        percent(t.service_first),
        percent(t.service_in_first_3),
        percent(t.service_in_first_5),
        t.deployment_first.map_or_else(|| "–".to_owned(), percent),
        percent(t.clear),
        t.score_median,
        t.score_lowest,
        t.seconds_median,
        t.seconds_slowest
    );
}

fn shares(t: &Tally) -> String {
    format!(
        "{} / {} / {}, deployment {}",
        percent(t.service_first),
        percent(t.service_in_first_3),
        percent(t.service_in_first_5),
        t.deployment_first.map_or_else(|| "–".to_owned(), percent)
    )
}

fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}
