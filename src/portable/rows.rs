//! Rows of a table as declarations of past incidents, with what is wrong with each, by field. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::table::{Field, Mapping, Row, Table};
use crate::clock::Timestamp;
use crate::error::FieldErrors;
use crate::incidents::{Declare, DeclareInput, Kind, Severity, Source};

/// Longest external id, in characters.
const MAX_EXTERNAL_ID: usize = 300;

/// One row, read.
#[derive(Clone, Debug)]
pub struct Past {
    pub line: u64,
    pub title: String,
    /// Empty when the row has none: then a second import adds it again.
    pub external_id: String,
    pub outcome: Result<Declare, FieldErrors>,
}

/// What is wrong with the mapping as a whole.
///
/// # Errors
/// By field: what is needed and not mapped, and what is mapped twice.
pub fn check(table: &Table, mapping: &Mapping) -> Result<(), FieldErrors> {
    let mut errors = FieldErrors::default();
    for needed in [Field::Title, Field::Severity] {
        if !mapping.contains(&Some(needed)) {
            errors.add(needed.as_str(), "is needed: choose the column that holds it");
        }
    }
    let mut taken: BTreeMap<Field, &str> = BTreeMap::new();
    for (column, field) in table.columns.iter().zip(mapping) {
        let Some(field) = field else { continue };
        if let Some(first) = taken.insert(*field, column) {
            errors.add(field.as_str(), format!("is taken from '{first}' and from '{column}'; choose one"));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Every row under a mapping. An external id that comes twice is a complaint about the second.
pub fn read(table: &Table, mapping: &Mapping, now: Timestamp) -> Vec<Past> {
    let mut seen = BTreeSet::new();
    table
        .rows
        .iter()
        .map(|row| {
            let mut past = read_row(row, mapping, now);
            if !past.external_id.is_empty() && !seen.insert(past.external_id.clone()) {
                let mut errors = past.outcome.err().unwrap_or_default();
                errors.add("external_id", format!("'{}' stands in an earlier row already", past.external_id));
                past.outcome = Err(errors);
            }
            past
        })
        .collect()
}

fn read_row(row: &Row, mapping: &Mapping, now: Timestamp) -> Past {
    let cells = match &row.cells {
        Ok(cells) => cells,
        Err(message) => return failed(row.line, message),
    };
    let mut fields = Map::new();
    let mut external_id = String::new();
    for (field, cell) in mapping.iter().zip(cells).filter_map(|(f, c)| f.map(|f| (f, c))) {
        match field {
            Field::ExternalId => external_id = text_of(cell),
            Field::Severity => drop(fields.insert("severity".to_owned(), severity(cell))),
            Field::Kind => drop(fields.insert("kind".to_owned(), kind(cell))),
            Field::Status => drop(fields.insert("status".to_owned(), Value::from(text_of(cell).to_lowercase()))),
            other => drop(fields.insert(other.as_str().to_owned(), cell.clone())),
        }
    }
    fields.entry("kind").or_insert_with(|| Value::from(Kind::Backfilled.as_str()));
    let title = fields.get("title").map(text_of).unwrap_or_default();
    let says_status = fields.get("status").is_some_and(|s| !text_of(s).is_empty());
    let mut outcome = match serde_json::from_value::<DeclareInput>(Value::Object(fields)) {
        Ok(input) => input.normalize(now, Source::Import),
        Err(e) => return Past { title, external_id, ..failed(row.line, &format!("cannot be read: {e}")) },
    };
    if let Some((field, message)) = outcome.as_ref().ok().and_then(|d| lacking(d, says_status)) {
        let mut errors = FieldErrors::default();
        errors.add(field, message);
        outcome = Err(errors);
    }
    if external_id.chars().count() > MAX_EXTERNAL_ID {
        let mut errors = outcome.err().unwrap_or_default();
        errors.add("external_id", format!("is longer than {MAX_EXTERNAL_ID} characters"));
        outcome = Err(errors);
    }
    Past { line: row.line, title, external_id, outcome }
}

/// What a row must say besides what a declaration must: a past incident without an end would stand among the open ones.
fn lacking(declare: &Declare, says_status: bool) -> Option<(&'static str, &'static str)> {
    if declare.milestones.is_empty() {
        return Some(("impact_started_at", "is needed: a past incident has at least one time"));
    }
    let is_open = declare.status.is_open() && !says_status;
    is_open.then_some(("resolved_at", "is needed: a past incident is over, unless its status says that it is open"))
}

fn failed(line: u64, message: &str) -> Past {
    let mut errors = FieldErrors::default();
    errors.add("row", message);
    Past { line, title: String::new(), external_id: String::new(), outcome: Err(errors) }
}

fn text_of(cell: &Value) -> String {
    match cell {
        Value::Null => String::new(),
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    }
}

/// Words and priorities of other tools; what is none of them is left for the complaint.
fn severity(cell: &Value) -> Value {
    let text = text_of(cell);
    let lower = text.to_lowercase();
    let number = lower.strip_prefix('p').unwrap_or(&lower);
    let read = Severity::read(number).or(match lower.as_str() {
        "critical" | "blocker" => Some(Severity::Sev1),
        "major" | "high" => Some(Severity::Sev2),
        "minor" | "medium" | "moderate" => Some(Severity::Sev3),
        "low" | "trivial" | "cosmetic" => Some(Severity::Sev4),
        _ => None,
    });
    Value::from(read.map_or(text, |s| s.as_str().to_owned()))
}

/// What happened before it was written down here is a past incident, whatever it is called there.
fn kind(cell: &Value) -> Value {
    let text = text_of(cell).to_lowercase();
    let past = matches!(text.as_str(), "" | "real" | "incident" | "production");
    Value::from(if past { Kind::Backfilled.as_str().to_owned() } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-23T10:00:00Z").unwrap()
    }

    fn rows(csv: &str) -> Vec<Past> {
        let table = Table::read(csv.as_bytes()).unwrap();
        check(&table, &table.guess()).unwrap();
        read(&table, &table.guess(), now())
    }

    #[test]
    fn rows_are_read_and_each_problem_is_named_with_its_line_and_field() {
        let rows = rows(
            "Title,severity,services,impact_started_at,resolved_at\n\
             Cart down,P1,\"cart, web\",2025-01-05T10:00:00Z,2025-01-05T11:00:00Z\n\
             Wrong,SEV9,,2025-01-05 12:00,2025-01-05 11:00\n\
             a,SEV2,b,c,d,e,f\n",
        );
        let good = rows[0].outcome.as_ref().unwrap();
        assert_eq!((good.kind, good.severity, good.services.len()), (Kind::Backfilled, Severity::Sev1, 2));
        assert!(good.milestones.iter().all(|m| m.source == Source::Import) && good.milestones.len() == 2);
        let bad = rows[1].outcome.as_ref().unwrap_err();
        assert_eq!((rows[1].line, bad.has("severity"), bad.has("resolved_at")), (3, true, true));
        assert!(rows[2].outcome.as_ref().unwrap_err().has("row"));
    }

    #[test]
    fn what_was_real_elsewhere_is_past_here_and_gets_only_its_own_times() {
        let rows = rows(
            "id,key,title,severity,kind,resolved_at\n1,A-1,x,low,real,2025-01-01 10:00\n2,A-1,y,low,drill,2025-01-01 10:00\n",
        );
        let first = rows[0].outcome.as_ref().unwrap();
        assert_eq!((first.kind, first.milestones.len(), rows[0].external_id.as_str()), (Kind::Backfilled, 1, "A-1"));
        assert!(rows[1].outcome.as_ref().unwrap_err().has("external_id"));
    }

    #[test]
    fn a_row_without_an_end_or_any_time_is_no_past_incident_unless_it_says_so() {
        let rows =
            rows("title,severity,status,detected_at\nx,1,,2025-01-01 10:00\ny,1,monitoring,2025-01-01 10:00\nz,1,,\n");
        assert!(rows[0].outcome.as_ref().unwrap_err().has("resolved_at"));
        assert!(rows[1].outcome.is_ok(), "{:?}", rows[1].outcome);
        assert!(rows[2].outcome.as_ref().unwrap_err().has("impact_started_at"));
    }

    #[test]
    fn a_mapping_needs_a_title_and_a_severity_and_no_field_twice() {
        let table = Table::read(b"a,b,c\n1,2,3\n").unwrap();
        let errors = check(&table, &vec![Some(Field::Title), Some(Field::Title), None]).unwrap_err();
        assert!(errors.has("severity") && errors.of("title").is_some_and(|m| m.contains("'a'") && m.contains("'b'")));
    }
}
