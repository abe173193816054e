//! Writing prepared parts.
//!
//! Idempotent on (trace, span, kind): a trace's row is locked by the upsert, the keys of its stored spans
//! are read, and only new spans are added. Rows go in order of the id, so that two nodes never wait for
//! each other in a circle.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use crate::clock::Timestamp;
use crate::db::{Rows, Sql, Tx, Value};
use crate::error::{Error, Result};
use crate::telemetry::TraceId;
use crate::traces::batch::{Part, read_keys};
use crate::traces::model::SpanKey;

use super::halves;

/// Ids of the dictionaries' entries. The writer keeps one between batches; entries never change.
#[derive(Clone, Debug, Default)]
pub struct Names {
    pub services: HashMap<String, i64>,
    /// By service, so that a name is looked up without being copied.
    pub operations: HashMap<i64, HashMap<String, i64>>,
    known: usize,
}

impl Names {
    fn operation(&self, service: i64, name: &str) -> Option<i64> {
        self.operations.get(&service)?.get(name).copied()
    }
}

/// Forgets the caches before they grow without bound; they fill again from the tables.
const MAX_CACHED: usize = 50_000;
/// Values of one `IN` list.
const CHUNK: usize = 200;

/// What one batch did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    pub new_spans: i64,
    /// Delivered before, so not stored again.
    pub known_spans: i64,
    pub new_traces: usize,
}

/// Adds to the dictionaries what the parts name. The names that were new to `names` come back, for the
/// catalogue.
pub async fn learn_names(tx: &Tx, parts: &[&Part], names: &mut Names, now: Timestamp) -> Result<Vec<String>> {
    if names.known > MAX_CACHED || names.services.len() > MAX_CACHED {
        *names = Names::default();
    }
    let mut new_services: Vec<&str> = parts
        .iter()
        .flat_map(|p| p.index.iter().map(|e| e.service.as_str()).chain(std::iter::once(p.root.0.as_str())))
        .filter(|s| !names.services.contains_key(*s))
        .collect::<HashSet<_>>()
        .into_iter()
        .collect();
    new_services.sort_unstable();
    if !new_services.is_empty() {
        learn_services(tx, &new_services, names, now).await?;
    }
    let mut new_operations: Vec<(i64, &str)> = parts
        .iter()
        .flat_map(|p| {
            let root = (p.root.0.as_str(), p.root.1.as_str());
            p.index.iter().map(|e| (e.service.as_str(), e.operation.as_str())).chain(std::iter::once(root))
        })
        .filter_map(|(service, operation)| Some((*names.services.get(service)?, operation)))
        .filter(|(service, operation)| names.operation(*service, operation).is_none())
        .collect::<HashSet<_>>()
        .into_iter()
        .collect();
    new_operations.sort_unstable();
    learn_operations(tx, &new_operations, names, now).await?;
    Ok(new_services.into_iter().map(str::to_owned).collect())
}

async fn learn_services(tx: &Tx, new: &[&str], names: &mut Names, now: Timestamp) -> Result<()> {
    let mut rows = Rows::new("INSERT INTO trace_services (name, first_seen_at)", 2, "ON CONFLICT (name) DO NOTHING");
    for name in new {
        rows.push([Value::from(*name), Value::from(now)]);
    }
    tx.insert_rows(rows).await?;
    for chunk in new.chunks(CHUNK) {
        let sql = format!("SELECT name, id FROM trace_services WHERE name IN ({})", placeholders(1, chunk.len()));
        let found: Vec<(String, i64)> =
            tx.fetch_all(Sql::built(sql), chunk.iter().map(|n| Value::from(*n)).collect()).await?;
        names.services.extend(found);
    }
    Ok(())
}

async fn learn_operations(tx: &Tx, new: &[(i64, &str)], names: &mut Names, now: Timestamp) -> Result<()> {
    let mut rows = Rows::new(
        "INSERT INTO trace_operations (service_id, name, first_seen_at)",
        3,
        "ON CONFLICT (service_id, name) DO NOTHING",
    );
    for (service, name) in new {
        rows.push([Value::from(*service), Value::from(*name), Value::from(now)]);
    }
    tx.insert_rows(rows).await?;
    // By service: its own names only, so that the index on (service_id, name) answers.
    let mut by_service: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
    for (service, name) in new {
        by_service.entry(*service).or_default().push(name);
    }
    for (service, list) in by_service {
        for chunk in list.chunks(CHUNK) {
            let sql = format!(
                "SELECT name, id FROM trace_operations WHERE service_id = $1 AND name IN ({})",
                placeholders(2, chunk.len())
            );
            let mut args = vec![Value::from(service)];
            args.extend(chunk.iter().map(|n| Value::from(*n)));
            let found: Vec<(String, i64)> = tx.fetch_all(Sql::built(sql), args).await?;
            names.known += found.len();
            names.operations.entry(service).or_default().extend(found);
        }
    }
    Ok(())
}

/// `$from, $from+1, …` for an `IN` list.
pub(super) fn placeholders(from: usize, count: usize) -> String {
    (from..from + count).map(|i| format!("${i}")).collect::<Vec<_>>().join(", ")
}

/// A trace as one batch brings it: the sum of its parts.
struct Head {
    started_at: Timestamp,
    ended_at: Timestamp,
    span_count: i64,
    error_count: i64,
    root: (i64, i64),
    root_seen: bool,
    root_at: Timestamp,
}

/// Writes the parts of one batch. `names` must know all they name; `settle_at` is when the traces may
/// be taken as complete.
pub async fn write_parts(
    tx: &Tx,
    parts: &[&Part],
    names: &Names,
    now: Timestamp,
    settle_at: Timestamp,
) -> Result<Written> {
    let delivered: i64 = parts.iter().map(|p| p.span_count()).sum();
    let parts = distinct(parts, now)?;
    let heads = heads_of(&parts, names)?;
    let rows = upsert_heads(tx, &heads, now, settle_at).await?;
    let known: Vec<i64> = rows.values().filter(|(_, deliveries)| *deliveries > 1).map(|(row, _)| *row).collect();
    let stored = stored_keys(tx, &known).await?;

    let mut written = Written { new_traces: rows.len() - known.len(), ..Written::default() };
    let mut added: Vec<Cow<'_, Part>> = Vec::new();
    let mut part_rows = Rows::new("INSERT INTO trace_parts (trace_row, span_keys, body, settled)", 4, "");
    let mut index = Index::new();
    for part in &parts {
        let Some((row, deliveries)) = rows.get(&part.trace_id).copied() else { continue };
        let fresh = match stored.get(&row) {
            Some(keys) => part.without(keys, now)?,
            None => Some(Cow::Borrowed(&**part)),
        };
        let Some(part) = fresh else { continue };
        written.new_spans += part.span_count();
        part_rows.push([
            Value::from(row),
            Value::from(part.key_bytes()),
            Value::from(part.body.as_slice()),
            Value::from(false),
        ]);
        gather_index(&part, row, names, &mut index)?;
        if deliveries > 1 {
            added.push(part);
        }
    }
    written.known_spans = delivered - written.new_spans;
    tx.insert_rows(part_rows).await?;
    tx.insert_rows(index_rows(index)).await?;
    for (id, head) in heads_of(&added, names)? {
        if let Some((row, _)) = rows.get(&id) {
            extend_head(tx, *row, &head).await?;
        }
    }
    Ok(written)
}

fn heads_of(parts: &[Cow<'_, Part>], names: &Names) -> Result<BTreeMap<TraceId, Head>> {
    let mut heads: BTreeMap<TraceId, Head> = BTreeMap::new();
    for part in parts {
        let root = ids_of(names, &part.root.0, &part.root.1)?;
        let head = heads.entry(part.trace_id).or_insert_with(|| Head {
            started_at: part.started_at,
            ended_at: part.ended_at,
            span_count: 0,
            error_count: 0,
            root,
            root_seen: part.root_seen,
            root_at: part.started_at,
        });
        head.started_at = head.started_at.min(part.started_at);
        head.ended_at = head.ended_at.max(part.ended_at);
        head.span_count += part.span_count();
        head.error_count += part.error_count;
        if (part.root_seen && !head.root_seen) || (part.root_seen == head.root_seen && part.started_at < head.root_at) {
            (head.root, head.root_seen, head.root_at) = (root, part.root_seen, part.started_at);
        }
    }
    Ok(heads)
}

fn ids_of(names: &Names, service: &str, operation: &str) -> Result<(i64, i64)> {
    let unknown = || Error::Internal(format!("'{service}' '{operation}' is not in the dictionary"));
    let service_id = *names.services.get(service).ok_or_else(unknown)?;
    let operation_id = names.operation(service_id, operation).ok_or_else(unknown)?;
    Ok((service_id, operation_id))
}

/// New traces are written whole; known ones are only locked and counted. Gives row and delivery count.
async fn upsert_heads(
    tx: &Tx,
    heads: &BTreeMap<TraceId, Head>,
    now: Timestamp,
    settle_at: Timestamp,
) -> Result<HashMap<TraceId, (i64, i64)>> {
    let mut rows = Rows::new(
        "INSERT INTO traces (id_low, id_high, started_at, ended_at, duration_us, span_count, error_count, delivery_count, \
         root_service_id, root_operation_id, root_seen, received_at, settle_at)",
        13,
        "ON CONFLICT (id_low, id_high) DO UPDATE SET delivery_count = traces.delivery_count + 1, \
         settle_at = excluded.settle_at RETURNING id, id_low, id_high, delivery_count",
    );
    for (id, head) in heads {
        let (low, high) = halves(*id);
        rows.push([
            Value::from(low),
            Value::from(high),
            Value::from(head.started_at),
            Value::from(head.ended_at),
            Value::from(head.ended_at.as_micros() - head.started_at.as_micros()),
            Value::from(head.span_count),
            Value::from(head.error_count),
            Value::from(1_i64),
            Value::from(head.root.0),
            Value::from(head.root.1),
            Value::from(head.root_seen),
            Value::from(now),
            Value::from(settle_at),
        ]);
    }
    let found: Vec<(i64, i64, i64, i64)> = tx.insert_rows_returning(rows).await?;
    Ok(found
        .into_iter()
        .filter_map(|(row, low, high, deliveries)| Some((super::id_of(low, high)?, (row, deliveries))))
        .collect())
}

async fn stored_keys(tx: &Tx, rows: &[i64]) -> Result<HashMap<i64, HashSet<SpanKey>>> {
    let mut out: HashMap<i64, HashSet<SpanKey>> = HashMap::new();
    for chunk in rows.chunks(CHUNK) {
        let sql = format!(
            "SELECT trace_row, span_keys FROM trace_parts WHERE trace_row IN ({})",
            placeholders(1, chunk.len())
        );
        let found: Vec<(i64, Vec<u8>)> =
            tx.fetch_all(Sql::built(sql), chunk.iter().map(|r| Value::from(*r)).collect()).await?;
        for (row, keys) in found {
            out.entry(row).or_default().extend(read_keys(&keys));
        }
    }
    Ok(out)
}

/// Index rows by their key: service, start, trace, operation. In this order they also fill the table's
/// pages one after the other.
type Index = BTreeMap<(i64, Timestamp, i64, i64), (i64, i64, i64)>;

/// Parts of one trace may meet in a row (operations that start in the same microsecond): they add up.
fn gather_index(part: &Part, row: i64, names: &Names, index: &mut Index) -> Result<()> {
    for entry in &part.index {
        let (service_id, operation_id) = ids_of(names, &entry.service, &entry.operation)?;
        let sum = index.entry((service_id, entry.started_at, row, operation_id)).or_default();
        *sum = (sum.0.max(entry.longest_us), sum.1 + entry.span_count, sum.2 + entry.error_count);
    }
    Ok(())
}

fn index_rows(index: Index) -> Rows {
    let mut rows = Rows::new(
        "INSERT INTO trace_index (service_id, started_at, trace_row, operation_id, duration_us, span_count, error_count)",
        7,
        "ON CONFLICT (service_id, started_at, trace_row, operation_id) DO UPDATE SET \
         span_count = trace_index.span_count + excluded.span_count, \
         error_count = trace_index.error_count + excluded.error_count, \
         duration_us = CASE WHEN excluded.duration_us > trace_index.duration_us THEN excluded.duration_us \
         ELSE trace_index.duration_us END",
    );
    for ((service, started_at, row, operation), (longest_us, spans, errors)) in index {
        rows.push([
            Value::from(service),
            Value::from(started_at),
            Value::from(row),
            Value::from(operation),
            Value::from(longest_us),
            Value::from(spans),
            Value::from(errors),
        ]);
    }
    rows
}

/// Spans that come twice within the batch are kept once.
fn distinct<'p>(parts: &[&'p Part], now: Timestamp) -> Result<Vec<Cow<'p, Part>>> {
    let mut parts_of: HashMap<TraceId, usize> = HashMap::new();
    for part in parts {
        *parts_of.entry(part.trace_id).or_default() += 1;
    }
    let mut seen: HashMap<TraceId, HashSet<SpanKey>> = HashMap::new();
    let mut out = Vec::with_capacity(parts.len());
    for part in parts.iter().copied() {
        if parts_of.get(&part.trace_id) == Some(&1) {
            out.push(Cow::Borrowed(part));
            continue;
        }
        let keys = seen.entry(part.trace_id).or_default();
        if let Some(part) = part.without(keys, now)? {
            keys.extend(part.keys.iter().copied());
            out.push(part);
        }
    }
    Ok(out)
}

/// Adds what a later delivery brought to a trace's row.
async fn extend_head(tx: &Tx, row: i64, head: &Head) -> Result<()> {
    let now_root = "(root_seen = FALSE AND ($7 OR $1 < started_at))";
    let sql = format!(
        "UPDATE traces SET \
         root_service_id = CASE WHEN {now_root} THEN $5 ELSE root_service_id END, \
         root_operation_id = CASE WHEN {now_root} THEN $6 ELSE root_operation_id END, \
         root_seen = CASE WHEN $7 THEN TRUE ELSE root_seen END, \
         duration_us = (CASE WHEN $2 > ended_at THEN $2 ELSE ended_at END) - (CASE WHEN $1 < started_at THEN $1 ELSE started_at END), \
         started_at = CASE WHEN $1 < started_at THEN $1 ELSE started_at END, \
         ended_at = CASE WHEN $2 > ended_at THEN $2 ELSE ended_at END, \
         span_count = span_count + $3, error_count = error_count + $4 WHERE id = $8"
    );
    let args = crate::args![
        head.started_at,
        head.ended_at,
        head.span_count,
        head.error_count,
        head.root.0,
        head.root.1,
        head.root_seen,
        row
    ];
    tx.execute(Sql::built(sql), args).await.map(drop)
}
