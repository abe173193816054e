//! A page of figures: numbers on top, tables below, each value with its text, its number and the page behind
//! it. Made once, shown as a page, JSON, CSV and Markdown, so that all of them say the same. Kept with frozen
//! reports, hence readable again.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::reports::export::cell;

/// One value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// For people.
    pub text: String,
    /// For machines: seconds, a count, a share between 0 and 1; null for words and for nothing.
    pub number: Option<f64>,
    /// A page of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub href: Option<String>,
}

impl Value {
    pub fn words(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    pub fn count(n: usize) -> Self {
        Self { text: n.to_string(), number: Some(n as f64), href: None }
    }

    /// Seconds.
    pub fn seconds(seconds: Option<f64>) -> Self {
        match seconds {
            Some(s) => Self { text: crate::reports::view::duration(s), number: Some(s), href: None },
            None => Self::words("–"),
        }
    }

    /// How many of how many; the number is the share.
    pub fn share(part: usize, of: usize) -> Self {
        let share = super::compute::Share { part, of };
        let number = (of > 0).then(|| part as f64 / of as f64);
        Self { text: crate::reports::view::share(share), number, href: None }
    }

    #[must_use]
    pub fn to(mut self, href: impl Into<String>) -> Self {
        self.href = Some(href.into());
        self
    }
}

/// One of the numbers on top.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Number {
    pub key: String,
    pub label: String,
    pub value: Value,
    /// Percentiles, n, what it means.
    pub detail: Vec<String>,
    /// Against the period before; empty when it is not compared.
    pub change: String,
    /// How the change is to be taken: `report-better`, `report-worse`, `report-even`.
    pub class: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    pub key: String,
    pub heading: String,
    /// What it says, or what is missing from it.
    pub note: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
    /// Rows that did not fit.
    pub more: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sheet {
    pub title: String,
    /// The filters in one sentence.
    pub filters: String,
    pub numbers: Vec<Number>,
    pub tables: Vec<Table>,
    /// Definitions, methods and what was left out.
    pub notes: Vec<String>,
}

impl Sheet {
    /// Long form: one line per value, so that all tables fit one file.
    pub fn to_csv(&self) -> String {
        let mut out = String::from("table,row,column,value,text,filters\r\n");
        let filters = cell(&self.filters);
        let mut line = |table: &str, row: &str, column: &str, value: &Value| {
            let number = value.number.map(|n| n.to_string()).unwrap_or_default();
            let cells = [cell(table), cell(row), cell(column), number, cell(&value.text), filters.clone()];
            let _ = write!(out, "{}\r\n", cells.join(","));
        };
        for number in &self.numbers {
            line("numbers", &number.key, &number.label, &number.value);
        }
        for table in &self.tables {
            for row in &table.rows {
                let name = row.first().map_or("", |v| &v.text);
                for (column, value) in table.columns.iter().zip(row).skip(1) {
                    line(&table.key, name, column, value);
                }
            }
        }
        out
    }

    pub fn to_markdown(&self) -> String {
        let mut out = format!("# {}\n\n{}\n", escaped(&self.title), escaped(&self.filters));
        if !self.numbers.is_empty() {
            out.push_str("\n| Measure | Value | Detail | Change |\n| --- | --- | --- | --- |\n");
            for n in &self.numbers {
                let cells = [&n.label, &n.value.text, &n.detail.join(" · "), &n.change].map(|c| escaped(c));
                let _ = writeln!(out, "| {} |", cells.join(" | "));
            }
        }
        for table in &self.tables {
            let _ = writeln!(out, "\n## {}\n", escaped(&table.heading));
            if !table.note.is_empty() {
                let _ = writeln!(out, "{}\n", escaped(&table.note));
            }
            if table.rows.is_empty() {
                out.push_str("Nothing in this period.\n");
                continue;
            }
            let heads: Vec<_> = table.columns.iter().map(|c| escaped(c)).collect();
            let _ = writeln!(out, "| {} |\n|{}", heads.join(" | "), " --- |".repeat(heads.len()));
            for row in &table.rows {
                let cells: Vec<_> = row.iter().map(|v| escaped(&v.text)).collect();
                let _ = writeln!(out, "| {} |", cells.join(" | "));
            }
        }
        if !self.notes.is_empty() {
            out.push_str("\n## How these numbers are made\n\n");
            for note in &self.notes {
                let _ = writeln!(out, "- {}", escaped(note));
            }
        }
        out
    }
}

/// Text that stays text in Markdown: what could begin markup is escaped, lines are joined.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '!' | '&' => {
                out.push('\\');
                out.push(c);
            }
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet() -> Sheet {
        Sheet {
            title: "By <service>".into(),
            filters: "2026".into(),
            numbers: vec![Number {
                key: "n".into(),
                label: "Incidents".into(),
                value: Value::count(3),
                ..Number::default()
            }],
            tables: vec![Table {
                key: "services".into(),
                heading: "Services".into(),
                columns: vec!["Service".into(), "Incidents".into()],
                rows: vec![vec![Value::words("=HYPERLINK(\"x\")|pipe"), Value::share(1, 4)]],
                ..Table::default()
            }],
            notes: vec!["*not bold*".into()],
        }
    }

    #[test]
    fn csv_holds_every_value_and_no_formula() {
        let csv = sheet().to_csv();
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let rows: Vec<_> = reader.records().map(|r| r.expect("readable")).collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(
            rows[1].iter().take(5).collect::<Vec<_>>(),
            ["services", "'=HYPERLINK(\"x\")|pipe", "Incidents", "0.25", "1 of 4 (25 %)"]
        );
    }

    #[test]
    fn markdown_stays_text_and_keeps_its_columns() {
        let html = crate::markdown::render(&sheet().to_markdown()).to_string();
        assert!(html.contains("By &lt;service&gt;") && !html.contains("<em>"), "{html}");
        assert!(html.contains("|pipe</td>") && html.contains("1 of 4 (25 %)</td>"), "{html}");
    }

    #[test]
    fn a_sheet_reads_back() {
        let kept = serde_json::to_string(&sheet()).expect("serialisable");
        assert_eq!(serde_json::from_str::<Sheet>(&kept).expect("readable"), sheet());
    }
}
