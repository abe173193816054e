//! Reports for spreadsheets: CSV whose cells cannot become formulas.

use std::fmt::Write as _;

use super::model::compute::{Group, Report};
use super::model::measures::Measure;

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
pub fn groups_csv(report: &Report, measures: &[Measure]) -> String {
    let mut out = String::from(
        "group_by,group,incidents,measure,definition,filters,n,mean_s,p50_s,p90_s,p95_s,ci95_low_s,ci95_high_s\r\n",
    );
    let by = report.scope.group_by.key();
    for measure in measures {
        row(&mut out, "total", &report.total, *measure, report);
    }
    for group in &report.groups {
        for measure in measures {
            row(&mut out, by, group, *measure, report);
        }
    }
    out
}

fn row(out: &mut String, by: &str, group: &Group, measure: Measure, report: &Report) {
    let definition = cell(&measure.definition().printed());
    let filters = cell(&report.scope.in_words());
    let _ = write!(out, "{by},{},{},{},{definition},{filters},", cell(&group.key), group.n(), measure.key());
    match group.summary(measure) {
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
    out.push_str("\r\n");
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
pub fn incidents_csv(measures: &[Measure], lines: &[IncidentLine<'_>]) -> String {
    let mut out = String::from("incident,title,severity,services,began");
    for measure in measures {
        let _ = write!(out, ",{}_s", measure.key());
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
