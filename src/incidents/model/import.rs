//! Reading past incidents from CSV or JSON into declarations, row by row.
//!
//! The columns are the fields of a declaration: `title`, `severity`, `services` (separated by commas
//! or spaces), `summary`, `kind`, `status`, `private` and the times `impact_started_at`,
//! `detected_at`, `declared_at`, `acknowledged_at`, `identified_at`, `mitigated_at`,
//! `impact_ended_at`, `resolved_at`. A row without a kind is backfilled.

use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::error::FieldErrors;

use super::input::{Declare, DeclareInput};
use super::{Kind, MilestoneName, Source};

/// Rows of one import.
pub const MAX_ROWS: usize = 20_000;

/// One row, read.
#[derive(Clone, Debug)]
pub struct Row {
    /// Line of the CSV file (the header is line 1), or place in the JSON array, from 1.
    pub line: u64,
    pub title: String,
    pub outcome: Result<Declare, FieldErrors>,
}

/// # Errors
/// Why the file as a whole cannot be read: no header, an unknown column, too many rows.
pub fn read_csv(text: &str, now: Timestamp) -> Result<Vec<Row>, String> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|e| format!("cannot be read as CSV: {e}"))?.clone();
    check_columns(&headers)?;
    let mut rows = Vec::new();
    for (place, record) in (2u64..).zip(reader.records()) {
        if rows.len() == MAX_ROWS {
            return Err(too_many());
        }
        rows.push(match record {
            Ok(record) => {
                let line = record.position().map_or(place, csv::Position::line);
                if record.len() > headers.len() {
                    let message = format!("has {} cells but the header has {}", record.len(), headers.len());
                    failed(line, "row", message)
                } else {
                    let cells = headers.iter().zip(record.iter());
                    read_row(line, cells.map(|(k, v)| (k.to_ascii_lowercase(), Value::from(v))).collect(), now)
                }
            }
            Err(e) => failed(place, "row", format!("cannot be read: {e}")),
        });
    }
    Ok(rows)
}

/// An array of objects, or an object whose `incidents` or `items` is one.
///
/// # Errors
/// Why the file as a whole cannot be read.
pub fn read_json(text: &str, now: Timestamp) -> Result<Vec<Row>, String> {
    let value: Value = serde_json::from_str(text).map_err(|e| format!("cannot be read as JSON: {e}"))?;
    let list = match value {
        Value::Array(list) => list,
        Value::Object(mut map) => match map.remove("incidents").or_else(|| map.remove("items")) {
            Some(Value::Array(list)) => list,
            _ => return Err("has no array of incidents".to_owned()),
        },
        _ => return Err("is not an array of incidents".to_owned()),
    };
    if list.len() > MAX_ROWS {
        return Err(too_many());
    }
    let read = |(line, value)| match value {
        Value::Object(map) => read_row(line, map, now),
        _ => failed(line, "row", "is not an object".to_owned()),
    };
    Ok((1u64..).zip(list).map(read).collect())
}

fn read_row(line: u64, mut cells: Map<String, Value>, now: Timestamp) -> Row {
    let title = cells.get("title").and_then(Value::as_str).unwrap_or_default().to_owned();
    if cells.get("kind").and_then(Value::as_str).unwrap_or_default().trim().is_empty() {
        cells.insert("kind".to_owned(), Value::from(Kind::Backfilled.as_str()));
    }
    match serde_json::from_value::<DeclareInput>(Value::Object(cells)) {
        Ok(input) => Row { line, title, outcome: input.normalize(now, Source::Import) },
        Err(e) => Row { title, ..failed(line, "row", format!("cannot be read: {e}")) },
    }
}

fn failed(line: u64, field: &str, message: String) -> Row {
    let mut errors = FieldErrors::default();
    errors.add(field, message);
    Row { line, title: String::new(), outcome: Err(errors) }
}

fn too_many() -> String {
    format!("has more than {MAX_ROWS} rows; import it in parts")
}

/// A misspelt column would lose its cells silently; so it is refused.
fn check_columns(headers: &csv::StringRecord) -> Result<(), String> {
    let times: Vec<String> = MilestoneName::ALL.iter().map(|n| format!("{n}_at")).collect();
    let known = ["title", "severity", "services", "summary", "kind", "status", "private"];
    let is_known =
        |h: &str| known.iter().any(|k| h.eq_ignore_ascii_case(k)) || times.iter().any(|t| h.eq_ignore_ascii_case(t));
    if let Some(unknown) = headers.iter().find(|h| !is_known(h)) {
        return Err(format!("has the unknown column '{unknown}': use {}, {}", known.join(", "), times.join(", ")));
    }
    for needed in ["title", "severity"] {
        if !headers.iter().any(|h| h.eq_ignore_ascii_case(needed)) {
            return Err(format!("has no column '{needed}'"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-23T10:00:00Z").unwrap()
    }

    #[test]
    fn csv_rows_are_read_and_each_problem_is_named_with_its_line() {
        let csv = "Title,severity,services,impact_started_at,resolved_at\n\
                   Cart down,SEV1,\"cart, web\",2025-01-05T10:00:00Z,2025-01-05T11:00:00Z\n\
                   Wrong,SEV9,,2025-01-05 12:00,2025-01-05 11:00\n\
                   a,SEV2,b,c,d,e,f\n";
        let rows = read_csv(csv, now()).unwrap();
        let good = rows[0].outcome.as_ref().unwrap();
        assert_eq!((good.kind, good.services.len(), good.milestones.len()), (Kind::Backfilled, 2, 2));
        let bad = rows[1].outcome.as_ref().unwrap_err();
        assert_eq!((rows[1].line, bad.has("severity"), bad.has("resolved_at")), (3, true, true));
        assert!(rows[2].outcome.as_ref().unwrap_err().has("row"));
    }

    #[test]
    fn misspelt_columns_and_other_files_are_refused_as_a_whole() {
        assert!(read_csv("title,severety\nx,SEV1\n", now()).unwrap_err().contains("'severety'"));
        assert!(read_csv("title\nx\n", now()).unwrap_err().contains("no column 'severity'"));
        assert!(read_json("{}", now()).is_err());
        assert!(read_json("nope", now()).is_err());
    }

    #[test]
    fn json_is_read_as_a_list_or_inside_an_object() {
        let one = r#"{"title":"x","severity":"SEV3","status":"closed","resolved_at":"2025-01-01T00:00:00Z"}"#;
        for text in [format!("[{one}]"), format!("{{\"incidents\":[{one}]}}")] {
            let rows = read_json(&text, now()).unwrap();
            assert!(rows[0].outcome.is_ok(), "{:?}", rows[0]);
        }
        assert!(read_json("[7]", now()).unwrap()[0].outcome.is_err());
    }
}
