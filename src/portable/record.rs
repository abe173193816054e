//! One table's part of an incident, said once: the fields of its JSON are the columns that are read and written.
//! Ids of rows never leave the database; what belongs together stands inside one another.

use std::collections::BTreeMap;

use crate::args;
use crate::db::{Db, DbRow, Sql, Tx, Value};
use crate::error::{Error, Result};

/// Rows of one table that an export holds; an incident with more is refused, not cut silently.
pub const MAX_ROWS: usize = 20_000;

/// A row of one table below a parent row.
pub trait Record: DbRow {
    const TABLE: &'static str;
    /// The column that names the parent.
    const PARENT: &'static str;
    const ORDER: &'static str;
    const COLUMNS: &'static [&'static str];
    /// In the order of the columns.
    fn values(&self) -> Vec<Value>;
}

/// Declares a record: `record! { Name = "table" by "parent_id" order "id" { field: Type, … } }`.
macro_rules! record {
    ($(#[$doc:meta])* $name:ident = $table:literal by $parent:literal order $order:literal { $($field:ident : $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, sqlx::FromRow)]
        pub struct $name { $(pub $field: $type),* }

        impl $crate::portable::record::Record for $name {
            const TABLE: &'static str = $table;
            const PARENT: &'static str = $parent;
            const ORDER: &'static str = $order;
            const COLUMNS: &'static [&'static str] = &[$(stringify!($field)),*];

            fn values(&self) -> Vec<$crate::db::Value> {
                $crate::args![$(self.$field.clone()),*]
            }
        }
    };
}

pub(super) use record;

/// All rows of a parent.
///
/// # Errors
/// `Conflict` when there are more than an export holds.
pub async fn all_of<R: Record>(db: &Db, parent: i64) -> Result<Vec<R>> {
    let sql = format!(
        "SELECT {} FROM {} WHERE {} = $1 ORDER BY {} LIMIT {}",
        R::COLUMNS.join(", "),
        R::TABLE,
        R::PARENT,
        R::ORDER,
        MAX_ROWS + 1
    );
    let rows = db.fetch_all::<R>(Sql::built(sql), args![parent]).await?;
    if rows.len() > MAX_ROWS { Err(too_many(R::TABLE)) } else { Ok(rows) }
}

fn too_many(table: &str) -> Error {
    Error::Conflict(format!(
        "it has more than {MAX_ROWS} rows of {}, more than an export holds",
        table.replace('_', " ")
    ))
}

/// The ids of the rows that [`all_of`] gives, in the same order.
pub async fn ids_of<R: Record>(db: &Db, parent: i64) -> Result<Vec<i64>> {
    let sql = format!("SELECT id FROM {} WHERE {} = $1 ORDER BY {} LIMIT {MAX_ROWS}", R::TABLE, R::PARENT, R::ORDER);
    Ok(db.fetch_all::<(i64,)>(Sql::built(sql), args![parent]).await?.into_iter().map(|r| r.0).collect())
}

#[derive(sqlx::FromRow)]
struct Keyed<T> {
    parent_key: i64,
    #[sqlx(flatten)]
    row: T,
}

/// The rows below each row of `P` that belongs to the incident, in one query.
pub async fn below<R: Record, P: Record>(db: &Db, incident: i64) -> Result<BTreeMap<i64, Vec<R>>> {
    let sql = format!(
        "SELECT {} AS parent_key, {} FROM {} WHERE {} IN (SELECT p.id FROM {} p WHERE p.{} = $1) ORDER BY {}, {} LIMIT {}",
        R::PARENT,
        R::COLUMNS.join(", "),
        R::TABLE,
        R::PARENT,
        P::TABLE,
        P::PARENT,
        R::PARENT,
        R::ORDER,
        MAX_ROWS + 1
    );
    let rows = db.fetch_all::<Keyed<R>>(Sql::built(sql), args![incident]).await?;
    if rows.len() > MAX_ROWS {
        return Err(too_many(R::TABLE));
    }
    let mut all: BTreeMap<i64, Vec<R>> = BTreeMap::new();
    for keyed in rows {
        all.entry(keyed.parent_key).or_default().push(keyed.row);
    }
    Ok(all)
}

fn insertion<R: Record>(row: &R, parent: i64, extra: &[(&str, Value)]) -> (String, Vec<Value>) {
    let mut columns = vec![R::PARENT];
    let mut values = args![parent];
    columns.extend(R::COLUMNS);
    values.extend(row.values());
    for (column, value) in extra {
        columns.push(column);
        values.push(value.clone());
    }
    let places: Vec<String> = (1..=values.len()).map(|n| format!("${n}")).collect();
    (format!("INSERT INTO {} ({}) VALUES ({})", R::TABLE, columns.join(", "), places.join(", ")), values)
}

/// Writes rows below one parent.
pub async fn insert_all<R: Record>(tx: &Tx, rows: &[R], parent: i64) -> Result<()> {
    for row in rows {
        let (sql, values) = insertion(row, parent, &[]);
        tx.execute(Sql::built(sql), values).await?;
    }
    Ok(())
}

/// Writes a row below a parent and gives its id; `extra` are columns that the file does not hold (the id of an
/// account).
pub async fn insert_id<R: Record>(tx: &Tx, row: &R, parent: i64, extra: &[(&str, Value)]) -> Result<i64> {
    let (sql, values) = insertion(row, parent, extra);
    tx.insert(Sql::built(format!("{sql} RETURNING id")), values).await
}
