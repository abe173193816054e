//! Reports for spreadsheets: CSV whose cells cannot become formulas.

use std::fmt::Write as _;

use super::model::compute::{Group, Report};
use super::model::measures::Definition;

/// A spreadsheet runs a cell that begins with one of these; a leading apostrophe makes it text
/// (OWASP ASVS 5.0, 1.2.10).
const STARTS_FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\0'];

/// One cell by RFC 4180, neutralised. For text; numbers that we format ourselves need no care.
pub fn cell(text: &str) -> String {
    let text = if text.starts_with(STARTS_FORMULA) { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// One row per group and measure, with the definition that made it, so that a row explains itself
/// wherever it is pasted. The first group is the total.
pub fn groups_csv(report: &Report) -> String {
    let mut out = String::from(
        "group_by,group,incidents,measure,definition,filters,n,mean_s,p50_s,p90_s,p95_s,ci95_low_s,ci95_high_s,\
         within_target,with_target\r\n",
    );
    let by = report.question.scope.group_by.key();
    for (by, group) in std::iter::once(("total", &report.total)).chain(report.groups.iter().map(|g| (by, g))) {
        for place in 0..report.question.definitions.len() {
            row(&mut out, by, group, place, report);
        }
    }
    out
}

fn row(out: &mut String, by: &str, group: &Group, place: usize, report: &Report) {
    let Some(definition) = report.question.definitions.get(place) else { return };
    let filters = cell(&report.question.scope.in_words());
    let _ = write!(
        out,
        "{by},{},{},{},{},{filters},",
        cell(&group.key),
        group.n,
        cell(&definition.key),
        cell(&definition.printed())
    );
    match group.summary(place) {
        None => out.push_str("0,,,,,,"),
        Some(s) => {
            let _ = write!(out, "{},{},{},{},{},", s.n, s.mean, s.p50, s.p90, s.p95);
            match s.interval {
                Some((low, high)) => {
                    let _ = write!(out, "{low},{high}");
                }
                None => out.push(','),
            }
        }
    }
    let within = group.within.get(place).copied().unwrap_or_default();
    let _ = write!(out, ",{},{}\r\n", within.part, within.of);
}

/// One line of the list of incidents behind a number.
#[derive(Clone, Debug)]
pub struct IncidentLine<'a> {
    pub number: i64,
    pub title: &'a str,
    pub severity: u8,
    pub services: &'a [String],
    /// RFC 3339.
    pub began: String,
    /// Seconds per measure, in the order of the heading; none where it is missing.
    pub seconds: Vec<Option<f64>>,
}

/// One row per incident with its durations in seconds.
pub fn incidents_csv(definitions: &[Definition], lines: &[IncidentLine<'_>]) -> String {
    let mut out = String::from("incident,title,severity,services,began");
    for definition in definitions {
        let _ = write!(out, ",{}_s", definition.key);
    }
    out.push_str("\r\n");
    for line in lines {
        let services = cell(&line.services.join(" "));
        let _ = write!(out, "INC-{},{},SEV{},{services},{}", line.number, cell(line.title), line.severity, line.began);
        for seconds in &line.seconds {
            out.push(',');
            if let Some(seconds) = seconds {
                let _ = write!(out, "{seconds}");
            }
        }
        out.push_str("\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_become_text() {
        for hostile in ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "\tx", "\0x"] {
            assert!(cell(hostile).trim_start_matches('"').starts_with('\''), "{hostile}");
        }
        assert_eq!(cell("plain"), "plain");
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
    }

    proptest! {
        #[test]
        fn every_cell_reads_back_and_never_starts_a_formula(texts in prop::collection::vec(".{0,20}", 1..6)) {
            let row: Vec<String> = texts.iter().map(|t| cell(t)).collect();
            let line = format!("x,{}\r\n", row.join(","));
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line.as_bytes());
            let record = reader.records().next().expect("one record").expect("readable");
            prop_assert_eq!(record.len(), texts.len() + 1);
            for (read, text) in record.iter().skip(1).zip(&texts) {
                prop_assert!(!read.starts_with(STARTS_FORMULA));
                prop_assert_eq!(read.trim_start_matches('\''), text.trim_start_matches('\''));
            }
        }
    }
}
