//! Many incidents as one file: CSV with the columns that an import reads, and JSON with one whole incident a line.

use std::collections::BTreeMap;

use super::gather;
use super::store;
use super::table::Field;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::Result;
use crate::incidents::{self, Filter, Incident, MilestoneName, Viewer};

/// Incidents read at once.
const BATCH: i64 = 100;

/// A spreadsheet runs a cell that begins with one of these; a leading apostrophe makes it text.
const STARTS_FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\0'];

/// One cell by RFC 4180, neutralised.
fn cell(text: &str) -> String {
    let text = if text.starts_with(STARTS_FORMULA) { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// The names of the columns, with the line's end.
pub fn csv_header() -> String {
    let names: Vec<&str> = Field::ALL.iter().map(|f| f.as_str()).collect();
    format!("id,{}\r\n", names.join(","))
}

/// One line an incident.
pub async fn csv_rows(db: &Db, incidents: &[Incident], base: &str) -> Result<String> {
    let ids: Vec<i64> = incidents.iter().map(|i| i.id.0).collect();
    let mut services: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for (id, slug) in store::services_of(db, &ids).await? {
        services.entry(id).or_default().push(slug);
    }
    let mut times: BTreeMap<(i64, String), Timestamp> = BTreeMap::new();
    for (id, name, at) in store::times_of(db, &ids).await? {
        times.insert((id, name), at);
    }
    let origins = store::origins_of(db, &ids).await?;
    let mut out = String::new();
    for incident in incidents {
        let id = incident.id;
        let external = origins.get(&id.0).cloned().unwrap_or_else(|| gather::own_address(id, base));
        out.push_str(&id.to_string());
        for field in Field::ALL {
            let text = match field {
                Field::ExternalId => external.clone(),
                Field::Title => incident.title.clone(),
                Field::Severity => incident.severity.to_string(),
                Field::Status => incident.status.to_string(),
                Field::Kind => incident.kind.to_string(),
                Field::Services => services.get(&id.0).map(|s| s.join(" ")).unwrap_or_default(),
                Field::Summary => incident.summary.clone(),
                Field::Private => incident.private.to_string(),
                time => milestone_of(*time)
                    .and_then(|name| times.get(&(id.0, name.as_str().to_owned())))
                    .map(|at| at.to_rfc3339())
                    .unwrap_or_default(),
            };
            out.push(',');
            out.push_str(&cell(&text));
        }
        out.push_str("\r\n");
    }
    Ok(out)
}

fn milestone_of(field: Field) -> Option<MilestoneName> {
    MilestoneName::parse(field.as_str().strip_suffix("_at")?)
}

/// All incidents that a filter leaves and the viewer may see, newest start first, some at a time.
pub struct Stream {
    db: Db,
    filter: Filter,
    viewer: Viewer,
    is_over: bool,
}

impl Stream {
    pub fn new(db: Db, filter: Filter, viewer: Viewer) -> Self {
        Self { db, filter, viewer, is_over: false }
    }

    /// The next ones; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Vec<Incident>>> {
        if self.is_over {
            return Ok(None);
        }
        let some = incidents::page(&self.db, &self.filter, self.viewer, BATCH).await?;
        self.is_over = i64::try_from(some.len()).is_ok_and(|n| n < BATCH);
        let Some(last) = some.last() else { return Ok(None) };
        self.filter.beyond = Some((last.started_at, last.id.0));
        Ok(Some(some))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("@x,y"), "\"'@x,y\"");
        assert_eq!(csv_header().split(',').count(), 1 + Field::ALL.len());
    }
}
