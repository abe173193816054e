//! Reads a folder of labelled failures (`cases.json`, gzipped CSV of spans and logs) into observations. The label is
//! kept apart from the observation, so that nothing which ranks can see it.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use chrono::DateTime;
use flate2::read::GzDecoder;
use serde::Deserialize;

use crate::suspects::model::{Change, LogLine, Observation, Span, Telemetry};

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    #[error("{0}: {1}")]
    Csv(PathBuf, csv::Error),
    #[error("{0}: {1}")]
    Json(PathBuf, serde_json::Error),
    #[error("{0}: “{1}” is not an RFC 3339 time")]
    Time(String, String),
}

/// One entry of `cases.json`. `label` is for scoring only.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Entry {
    pub id: String,
    pub system: String,
    pub baseline: String,
    pub case: String,
    pub impact_started_at: String,
    #[serde(default)]
    pub deployments: Vec<EntryDeployment>,
    pub label: Label,
}

#[derive(Clone, Debug, Deserialize)]
pub struct EntryDeployment {
    pub service: String,
    #[serde(default)]
    pub version: String,
    pub at: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct Label {
    pub service: String,
    #[serde(default)]
    pub fault: String,
}

pub fn entries(dir: &Path) -> Result<Vec<Entry>, LoadError> {
    let path = dir.join("cases.json");
    let file = File::open(&path).map_err(|e| LoadError::Io(path.clone(), e))?;
    serde_json::from_reader(BufReader::new(file)).map_err(|e| LoadError::Json(path, e))
}

/// What the ranking may know about a case.
pub fn observation(dir: &Path, entry: &Entry) -> Result<Observation, LoadError> {
    let changes = entry
        .deployments
        .iter()
        .map(|d| {
            Ok(Change {
                id: format!("{}@{}", d.service, d.version),
                service: d.service.clone(),
                version: d.version.clone(),
                at: nanos(&entry.id, &d.at)?,
            })
        })
        .collect::<Result<_, LoadError>>()?;
    Ok(Observation {
        impact_started_at: nanos(&entry.id, &entry.impact_started_at)?,
        baseline: telemetry(dir, &entry.baseline)?,
        incident: telemetry(dir, &entry.case)?,
        changes,
        ..Observation::default()
    })
}

fn nanos(case: &str, time: &str) -> Result<i64, LoadError> {
    DateTime::parse_from_rfc3339(time)
        .ok()
        .and_then(|t| t.timestamp_nanos_opt())
        .ok_or_else(|| LoadError::Time(case.to_owned(), time.to_owned()))
}

#[derive(Deserialize)]
struct SpanRow {
    trace_id: String,
    span_id: String,
    parent_span_id: Option<String>,
    service: String,
    operation: String,
    start_unix_nano: i64,
    end_unix_nano: i64,
}

#[derive(Deserialize)]
struct LogRow {
    time_unix_nano: i64,
    service: String,
    trace_id: Option<String>,
    span_id: Option<String>,
    body: String,
}

/// Spans and logs of one stem; either file may be absent.
pub fn telemetry(dir: &Path, stem: &str) -> Result<Telemetry, LoadError> {
    let spans = rows::<SpanRow>(&dir.join(format!("{stem}.spans.csv.gz")))?
        .into_iter()
        .map(|r| Span {
            trace_id: r.trace_id,
            span_id: r.span_id,
            parent_id: r.parent_span_id,
            service: r.service,
            operation: r.operation,
            version: None,
            start: r.start_unix_nano,
            end: r.end_unix_nano,
            error: false,
        })
        .collect();
    let logs = rows::<LogRow>(&dir.join(format!("{stem}.logs.csv.gz")))?
        .into_iter()
        .map(|r| LogLine {
            time: r.time_unix_nano,
            service: r.service,
            trace_id: r.trace_id,
            span_id: r.span_id,
            error: false,
            body: r.body,
        })
        .collect();
    Ok(Telemetry { spans, logs })
}

fn rows<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Vec<T>, LoadError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(LoadError::Io(path.to_owned(), e)),
    };
    csv::Reader::from_reader(GzDecoder::new(BufReader::new(file)))
        .into_deserialize()
        .collect::<Result<_, _>>()
        .map_err(|e| LoadError::Csv(path.to_owned(), e))
}
