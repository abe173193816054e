//! Imports: what a file holds, the dry run that says what would become of each row, and the import itself.
//!
//! Rows are written in batches, each a transaction of its own, and each row has a key: its id in the other tool, or
//! what it says. So an import that broke off is simply done again.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::adopt::{self, Adopted, adopt, digest_of};
use super::check;
use super::document::{Document, Exported, FORMAT, VERSION};
use super::gather;
use super::rows::{self, Past};
use super::store::{self, Links, NewOrigin};
use super::table::{MAX_ROWS, Mapping, Table};
use crate::accounts::{Actor, Role};
use crate::audit;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, FieldErrors, Result};
use crate::incidents::{self, By, Declare, Incident, IncidentId, Viewer};
use crate::services;

/// Rows of one transaction.
const BATCH: usize = 200;

/// What a file holds.
pub enum Content {
    /// Past incidents, a row each.
    Rows(Table),
    /// Whole incidents that Faultline exported; or why one cannot be read.
    Wholes(Vec<std::result::Result<Box<Document>, String>>),
}

impl Content {
    /// # Errors
    /// Why the file as a whole cannot be read.
    pub fn read(bytes: &[u8]) -> std::result::Result<Self, String> {
        let head = bytes.get(..4_096.min(bytes.len())).unwrap_or_default();
        let is_whole = String::from_utf8_lossy(head).contains(&format!("\"{FORMAT}\""));
        if !is_whole {
            return Table::read(bytes).map(Self::Rows);
        }
        let mut all = Vec::new();
        for value in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
            let value = value.map_err(|e| format!("cannot be read as JSON: {e}"))?;
            let list = if let Value::Array(list) = value { list } else { vec![value] };
            if all.len() + list.len() > MAX_ROWS {
                return Err(format!("holds more than {MAX_ROWS} incidents; import it in parts"));
            }
            all.extend(list.into_iter().map(|v| serde_json::from_value(v).map(Box::new).map_err(|e| e.to_string())));
        }
        Ok(Self::Wholes(all))
    }

    /// Rows or incidents in the file.
    pub fn len(&self) -> usize {
        match self {
            Self::Rows(table) => table.rows.len(),
            Self::Wholes(all) => all.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the columns mean by their names; empty for whole incidents.
    pub fn guess(&self) -> Mapping {
        match self {
            Self::Rows(table) => table.guess(),
            Self::Wholes(_) => Mapping::new(),
        }
    }
}

/// Choices of who imports.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Leaves out what has a problem, instead of importing nothing.
    pub skip_bad: bool,
    /// Adds services that the catalogue does not know, as discovered ones.
    pub add_services: bool,
}

/// What would become, or became, of one row.
#[derive(Clone, Debug)]
pub enum Verdict {
    Add,
    /// Here already; the id when the asker may know it.
    Known {
        id: Option<IncidentId>,
        differs: bool,
    },
    Bad(FieldErrors),
}

#[derive(Clone, Debug)]
pub struct Line {
    /// Line of a CSV file, or place in a JSON file, from 1.
    pub line: u64,
    pub title: String,
    pub verdict: Verdict,
}

impl Line {
    pub fn problems(&self) -> Option<&FieldErrors> {
        match &self.verdict {
            Verdict::Bad(errors) => Some(errors),
            Verdict::Add | Verdict::Known { .. } => None,
        }
    }
}

/// What an import did.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub added: Vec<IncidentId>,
    pub known: usize,
    pub left_out: usize,
}

/// One incident as a file. The caller has loaded it as one that the asker may see.
///
/// # Errors
/// `Conflict` when it is larger than an export may be.
pub async fn document(db: &Db, incident: &Incident, reader: &Actor, base: &str, now: Timestamp) -> Result<Document> {
    let exported = Exported { at: now, by: reader.name.clone(), id: incident.id.to_string(), from: base.to_owned() };
    Ok(Document {
        format: FORMAT.to_owned(),
        version: VERSION,
        exported,
        incident: gather::whole(db, incident, reader.can(Role::Responder), base).await?,
    })
}

/// A file under a mapping, with the installation it meets.
struct Read<'a> {
    content: &'a Content,
    pasts: Vec<Past>,
    lines: Vec<Line>,
}

/// What would become of each row. Nothing is written.
///
/// # Errors
/// `Invalid` for a mapping that cannot be used.
pub async fn preview(
    db: &Db,
    content: &Content,
    mapping: &Mapping,
    options: Options,
    viewer: Viewer,
    base: &str,
    now: Timestamp,
) -> Result<Vec<Line>> {
    Ok(read(db, content, mapping, options, viewer, base, now).await?.lines)
}

async fn read<'a>(
    db: &Db,
    content: &'a Content,
    mapping: &Mapping,
    options: Options,
    viewer: Viewer,
    base: &str,
    now: Timestamp,
) -> Result<Read<'a>> {
    match content {
        Content::Rows(table) => {
            rows::check(table, mapping).map_err(Error::Invalid)?;
            let mut pasts = rows::read(table, mapping, now);
            name_all(&mut pasts);
            if !options.add_services {
                refuse_unknown_services(db, &mut pasts).await?;
            }
            let mut lines = Vec::with_capacity(pasts.len());
            let keys: Vec<&str> = pasts.iter().map(|p| p.external_id.as_str()).collect();
            let known = store::known(db, &keys).await?;
            for past in &pasts {
                let verdict = match (&past.outcome, known.get(&past.external_id)) {
                    (Err(errors), _) => Verdict::Bad(errors.clone()),
                    (Ok(declare), Some(known)) => {
                        let differs = known.digest != digest_of_row(declare);
                        Verdict::Known { id: visible(db, known.id, viewer).await, differs }
                    }
                    (Ok(_), None) => Verdict::Add,
                };
                lines.push(Line { line: past.line, title: past.title.clone(), verdict });
            }
            Ok(Read { content, pasts, lines })
        }
        Content::Wholes(all) => {
            let mut lines = Vec::with_capacity(all.len());
            let mut seen = BTreeSet::new();
            for (line, document) in (1u64..).zip(all) {
                lines.push(line_of(db, line, document, &mut seen, viewer, base).await?);
            }
            Ok(Read { content, pasts: Vec::new(), lines })
        }
    }
}

async fn line_of(
    db: &Db,
    line: u64,
    document: &std::result::Result<Box<Document>, String>,
    seen: &mut BTreeSet<String>,
    viewer: Viewer,
    base: &str,
) -> Result<Line> {
    let bad = |field: &str, message: &str| {
        let mut errors = FieldErrors::default();
        errors.add(field, message);
        Verdict::Bad(errors)
    };
    let document = match document {
        Ok(document) => document,
        Err(message) => return Ok(Line { line, title: String::new(), verdict: bad("file", message) }),
    };
    let whole = &document.incident;
    let verdict = if let Err(errors) = check::check(document) {
        Verdict::Bad(errors)
    } else if !seen.insert(whole.external_id.clone()) {
        bad("external_id", "stands in the file twice")
    } else if let Some(known) = adopt::known(db, &whole.external_id, base).await? {
        let differs = !known.digest.is_empty() && known.digest != digest_of(whole)?;
        Verdict::Known { id: visible(db, known.id, viewer).await, differs }
    } else {
        Verdict::Add
    };
    Ok(Line { line, title: whole.head.title.clone(), verdict })
}

/// The number, unless it belongs to a private incident that the asker may not know of.
async fn visible(db: &Db, id: IncidentId, viewer: Viewer) -> Option<IncidentId> {
    incidents::get_visible(db, id, viewer).await.ok().map(|i| i.id)
}

/// A row without an id of its own is known by what it says.
fn name_all(pasts: &mut [Past]) {
    let mut seen = BTreeSet::new();
    for past in pasts {
        if let Ok(declare) = &past.outcome {
            if past.external_id.is_empty() {
                past.external_id = format!("row:{}", digest_of_row(declare));
            }
            if !seen.insert(past.external_id.clone()) {
                let mut errors = FieldErrors::default();
                errors.add("row", "says the same as an earlier row");
                past.outcome = Err(errors);
            }
        }
    }
}

fn digest_of_row(new: &Declare) -> String {
    let times: BTreeMap<&str, String> = new.milestones.iter().map(|m| (m.name.as_str(), m.at.to_rfc3339())).collect();
    let said = json!([new.title, new.summary, new.severity, new.status, new.kind, new.private, new.services, times]);
    hex::encode(Sha256::digest(said.to_string().as_bytes()))
}

async fn refuse_unknown_services(db: &Db, pasts: &mut [Past]) -> Result<()> {
    let mut known: BTreeMap<String, bool> = BTreeMap::new();
    for past in pasts {
        let Ok(declare) = &past.outcome else { continue };
        let mut unknown = Vec::new();
        for slug in &declare.services {
            let is_known = match known.get(slug) {
                Some(known) => *known,
                None => services::find_id(db, slug).await?.is_some(),
            };
            known.insert(slug.clone(), is_known);
            if !is_known {
                unknown.push(format!("'{slug}'"));
            }
        }
        if !unknown.is_empty() {
            let mut errors = FieldErrors::default();
            errors.add("services", format!("the catalogue does not know {}", unknown.join(", ")));
            past.outcome = Err(errors);
        }
    }
    Ok(())
}

/// Imports what the dry run shows as to be added.
///
/// # Errors
/// `Invalid` when rows have problems and `skip_bad` is not given; nothing is imported then.
pub async fn run(
    db: &Db,
    content: &Content,
    mapping: &Mapping,
    options: Options,
    actor: &Actor,
    base: &str,
    now: Timestamp,
) -> Result<Summary> {
    let read = read(db, content, mapping, options, actor.into(), base, now).await?;
    let mut summary = Summary {
        left_out: read.lines.iter().filter(|l| l.problems().is_some()).count(),
        known: read.lines.iter().filter(|l| matches!(l.verdict, Verdict::Known { .. })).count(),
        ..Summary::default()
    };
    if summary.left_out > 0 && !options.skip_bad {
        return Err(Error::Invalid(first_problems(&read.lines)));
    }
    let wanted: Vec<usize> = (0..read.lines.len()).filter(|i| matches!(read.lines[*i].verdict, Verdict::Add)).collect();
    for batch in wanted.chunks(BATCH) {
        let tx = db.begin().await?;
        for place in batch {
            let outcome = match read.content {
                Content::Rows(_) => add_row(&tx, &read.pasts[*place], actor, now).await?,
                Content::Wholes(all) => match &all[*place] {
                    Ok(document) => adopt(&tx, document, actor, base, now).await?,
                    Err(_) => continue,
                },
            };
            match outcome {
                Adopted::Added(id) => summary.added.push(id),
                Adopted::Known { .. } => summary.known += 1,
            }
        }
        tx.commit().await?;
    }
    Ok(summary)
}

/// So many rows with problems are named when an import is refused.
const NAMED: usize = 20;

fn first_problems(lines: &[Line]) -> FieldErrors {
    let mut errors = FieldErrors::default();
    let bad: Vec<_> = lines.iter().filter_map(|l| l.problems().map(|p| (l, p))).collect();
    for (line, problems) in bad.iter().take(NAMED) {
        for problem in &problems.0 {
            errors.add(&format!("line {}, {}", line.line, problem.field), problem.message.clone());
        }
    }
    if bad.len() > NAMED {
        errors.add("rows", format!("{} more have problems", bad.len() - NAMED));
    }
    errors
}

async fn add_row(tx: &Tx, past: &Past, actor: &Actor, now: Timestamp) -> Result<Adopted> {
    let Ok(declare) = &past.outcome else {
        return Err(Error::Internal("a row with problems was imported".to_owned()));
    };
    let mut declare = declare.clone();
    for slug in &mut declare.services {
        *slug = services::ensure_discovered(tx, slug, now).await?;
    }
    declare.services.dedup();
    let id = incidents::declare(tx, &declare, &By::from(actor), now).await?;
    store::silence(tx, id.0, now).await?;
    let origin = NewOrigin {
        incident: id.0,
        external_id: &past.external_id,
        digest: &past.outcome.as_ref().map(digest_of_row).unwrap_or_default(),
        links: &Links::default(),
        by: &actor.name,
        now,
    };
    if !store::insert_origin(tx, &origin).await? {
        return Err(Error::Conflict("the same incidents are being imported by somebody else".to_owned()));
    }
    let detail = json!({ "external_id": past.external_id });
    audit::record(tx, now, actor, "incident.import", ("incident", &id.to_string()), &detail).await?;
    Ok(Adopted::Added(id))
}
