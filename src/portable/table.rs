//! A file of past incidents as a table: columns, rows, and which column means what. Pure.
//!
//! CSV and JSON read alike. Columns are guessed by their names, as other tools call them, and can be chosen.

use serde_json::Value;

use crate::fields::text_enum;

/// Rows of one import.
pub const MAX_ROWS: usize = 20_000;
/// Columns of one file.
const MAX_COLUMNS: usize = 200;

text_enum! {
    /// What a column can mean.
    pub enum Field("field") {
        ExternalId = "external_id",
        Title = "title",
        Severity = "severity",
        Status = "status",
        Kind = "kind",
        Services = "services",
        Summary = "summary",
        Private = "private",
        ImpactStartedAt = "impact_started_at",
        DetectedAt = "detected_at",
        DeclaredAt = "declared_at",
        AcknowledgedAt = "acknowledged_at",
        IdentifiedAt = "identified_at",
        MitigatedAt = "mitigated_at",
        ImpactEndedAt = "impact_ended_at",
        ResolvedAt = "resolved_at",
    }
}

impl Field {
    /// For people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::ExternalId => "Its id in the other tool",
            Self::Title => "Title",
            Self::Severity => "Severity",
            Self::Status => "Status",
            Self::Kind => "Kind",
            Self::Services => "Services",
            Self::Summary => "Summary",
            Self::Private => "Private",
            Self::ImpactStartedAt => "Impact started",
            Self::DetectedAt => "Detected",
            Self::DeclaredAt => "Declared",
            Self::AcknowledgedAt => "Acknowledged",
            Self::IdentifiedAt => "Identified",
            Self::MitigatedAt => "Mitigated",
            Self::ImpactEndedAt => "Impact ended",
            Self::ResolvedAt => "Resolved",
        }
    }

    /// Names that other tools give it, in the form of [`plain`].
    const fn other_names(self) -> &'static [&'static str] {
        match self {
            Self::ExternalId => &["externalid", "incidentid", "key", "incidentnumber", "reference", "uuid"],
            Self::Title => &["name", "incident", "incidentname", "subject"],
            Self::Severity => &["priority", "sev", "urgency", "impact", "severitylevel"],
            Self::Status => &["state"],
            Self::Kind => &["type", "mode"],
            Self::Services => &["service", "components", "component", "affectedservices", "impactedservices"],
            Self::Summary => &["description", "details", "what"],
            Self::Private => &["restricted", "confidential"],
            Self::ImpactStartedAt => &["startedat", "started", "start", "starttime", "impactstart", "impactstarted"],
            Self::DetectedAt => &["detected", "detectiontime"],
            Self::DeclaredAt => &["declared", "createdat", "created", "createdon", "openedat", "reportedat"],
            Self::AcknowledgedAt => &["acknowledged", "ackedat", "acceptedat"],
            Self::IdentifiedAt => &["identified"],
            Self::MitigatedAt => &["mitigated", "stabilizedat", "stabilisedat", "fixedat"],
            Self::ImpactEndedAt => &["impactended", "impactend"],
            Self::ResolvedAt => &["resolved", "endedat", "ended", "end", "endtime", "closedat", "resolvedon"],
        }
    }

    fn guess(column: &str) -> Option<Self> {
        let name = plain(column);
        Self::ALL.iter().copied().find(|f| plain(f.as_str()) == name || f.other_names().contains(&name.as_str()))
    }
}

/// Lower case, letters and digits only: `Started at` and `started_at` are one name.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// One row as it stands in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Line of the CSV file (the header is line 1), or place in the JSON array, from 1.
    pub line: u64,
    /// In the order of the columns; or why the row cannot be read.
    pub cells: Result<Vec<Value>, String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
}

/// What each column of a table means; `None` leaves it out.
pub type Mapping = Vec<Option<Field>>;

impl Table {
    /// # Errors
    /// Why the file as a whole cannot be read.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|e| {
            format!("is not UTF-8 text (byte {}); save it as \"CSV UTF-8\" or as JSON", e.valid_up_to())
        })?;
        let text = text.trim_start_matches('\u{feff}');
        match text.trim_start().chars().next() {
            None => Err("is empty".to_owned()),
            Some('{' | '[') => Self::read_json(text),
            Some(_) => Self::read_csv(text),
        }
    }

    fn read_csv(text: &str) -> Result<Self, String> {
        let first = text.lines().next().unwrap_or_default();
        let count = |c: char| first.matches(c).count();
        // Spreadsheets of half the world write semicolons.
        let delimiter = if count(';') > count(',') {
            b';'
        } else if count('\t') > count(',') {
            b'\t'
        } else {
            b','
        };
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .trim(csv::Trim::All)
            .delimiter(delimiter)
            .from_reader(text.as_bytes());
        let headers = reader.headers().map_err(|e| format!("cannot be read as CSV: {e}"))?.clone();
        let columns = check_columns(headers.iter().map(str::to_owned).collect())?;
        let mut rows = Vec::new();
        for (place, record) in (2u64..).zip(reader.records()) {
            if rows.len() == MAX_ROWS {
                return Err(too_many());
            }
            rows.push(match record {
                Ok(record) => {
                    let line = record.position().map_or(place, csv::Position::line);
                    let cells = if record.len() > columns.len() {
                        Err(format!("has {} cells but the header has {}", record.len(), columns.len()))
                    } else {
                        let cell = |i| Value::from(record.get(i).map(unescaped).unwrap_or_default());
                        Ok((0..columns.len()).map(cell).collect())
                    };
                    Row { line, cells }
                }
                Err(e) => Row { line: place, cells: Err(format!("cannot be read: {e}")) },
            });
        }
        Ok(Self { columns, rows })
    }

    /// An array of objects, or an object whose `incidents` or `items` is one.
    fn read_json(text: &str) -> Result<Self, String> {
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
        let mut columns: Vec<String> = Vec::new();
        for name in list.iter().filter_map(Value::as_object).flat_map(serde_json::Map::keys) {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
        let columns = check_columns(columns)?;
        let row = |(line, value)| match value {
            Value::Object(mut map) => {
                Row { line, cells: Ok(columns.iter().map(|c| map.remove(c).unwrap_or_default()).collect()) }
            }
            _ => Row { line, cells: Err("is not an object".to_owned()) },
        };
        let rows = (1u64..).zip(list).map(row).collect();
        Ok(Self { columns, rows })
    }

    /// What the columns' names say; each field at most once, its own name before others' names for it.
    pub fn guess(&self) -> Mapping {
        let mut mapping: Mapping = vec![None; self.columns.len()];
        for exact in [true, false] {
            for (place, column) in self.columns.iter().enumerate() {
                let field = Field::guess(column).filter(|f| !exact || plain(f.as_str()) == plain(column));
                if let Some(field) = field
                    && mapping[place].is_none()
                    && !mapping.contains(&Some(field))
                {
                    mapping[place] = Some(field);
                }
            }
        }
        mapping
    }
}

/// An apostrophe that our own export put before a cell so that no spreadsheet runs it.
fn unescaped(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if rest.starts_with(['=', '+', '-', '@', '\t', '\r']) => rest,
        _ => cell,
    }
}

fn check_columns(columns: Vec<String>) -> Result<Vec<String>, String> {
    if columns.len() > MAX_COLUMNS {
        return Err(format!("has {} columns; at most {MAX_COLUMNS} are read", columns.len()));
    }
    if columns.iter().all(|c| c.trim().is_empty()) {
        return Err("has no column with a name".to_owned());
    }
    Ok(columns)
}

fn too_many() -> String {
    format!("has more than {MAX_ROWS} rows; import it in parts")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields(table: &Table) -> Vec<Option<&'static str>> {
        table.guess().into_iter().map(|f| f.map(Field::as_str)).collect()
    }

    #[test]
    fn csv_of_any_delimiter_and_json_are_one_table() {
        let comma = Table::read(b"Title,severity\n\"Cart, down\",SEV1\n").unwrap();
        let semicolon = Table::read("\u{feff}Title;severity\nCart, down;SEV1\n".as_bytes()).unwrap();
        assert_eq!(comma, semicolon);
        let json = Table::read(br#"{"incidents":[{"Title":"Cart, down","severity":"SEV1"}]}"#).unwrap();
        assert_eq!(json.rows[0].cells, comma.rows[0].cells);
        assert_eq!((comma.rows[0].line, json.rows[0].line), (2, 1));
    }

    #[test]
    fn columns_of_other_tools_are_guessed_once_each() {
        let table = Table::read(b"ID,Key,Name,Priority,Started at,Closed at,resolved_at,Custom\n").unwrap();
        let expected = [
            None,
            Some("external_id"),
            Some("title"),
            Some("severity"),
            Some("impact_started_at"),
            None,
            Some("resolved_at"),
            None,
        ];
        assert_eq!(fields(&table), expected);
    }

    #[test]
    fn files_that_are_none_say_why() {
        for (bytes, why) in [
            (&b""[..], "is empty"),
            (b"{}", "no array"),
            (b"[1", "JSON"),
            (b"\xff\xfe", "UTF-8"),
            (b",,\n", "no column"),
        ] {
            let error = Table::read(bytes).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        let long = Table::read(b"title\nx,y\n").unwrap();
        assert_eq!(long.rows[0].cells, Err("has 2 cells but the header has 1".to_owned()));
        assert!(Table::read(b"[7]").unwrap_err().contains("no column"));
    }

    proptest! {
        #[test]
        fn nothing_panics_and_every_row_has_a_cell_a_column(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(table) = Table::read(&bytes) {
                prop_assert_eq!(table.guess().len(), table.columns.len());
                for row in &table.rows {
                    prop_assert!(row.cells.as_ref().map_or(true, |c| c.len() == table.columns.len()));
                }
            }
        }
    }
}
