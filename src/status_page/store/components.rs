//! Components, the head of the page, and its revision.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::status_page::model::input::{NewComponent, PageInput};

/// A component with what is internal about it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct Component {
    pub id: i64,
    pub name: String,
    pub description: String,
    #[serde(rename = "group")]
    pub group_name: String,
    /// Slug of the service behind it.
    pub service: Option<String>,
    #[serde(skip)]
    pub position: i64,
}

/// In the order of the page.
pub async fn all(db: &Db) -> Result<Vec<Component>> {
    db.fetch_all(
        "SELECT c.id, c.name, c.description, c.group_name, s.slug AS service, c.position FROM status_components c \
         LEFT JOIN services s ON s.id = c.service_id ORDER BY c.position, c.id LIMIT $1",
        args![super::public::MAX_COMPONENTS],
    )
    .await
}

/// `None` when the name is taken.
pub async fn insert(tx: &Tx, new: &NewComponent, service_id: Option<i64>, now: Timestamp) -> Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "INSERT INTO status_components (service_id, name, description, group_name, position, created_at) \
             VALUES ($1, $2, $3, $4, (SELECT COALESCE(MAX(position), 0) + 1 FROM status_components), $5) \
             ON CONFLICT (name) DO NOTHING RETURNING id",
            args![service_id, &new.name, &new.description, &new.group, now],
        )
        .await?;
    Ok(row.map(|r| r.0))
}

pub async fn name_is_taken(db: &Db, name: &str, except: i64) -> Result<bool> {
    let row: Option<(i64,)> =
        db.fetch_optional("SELECT id FROM status_components WHERE name = $1 AND id <> $2", args![name, except]).await?;
    Ok(row.is_some())
}

pub async fn update(tx: &Tx, id: i64, new: &NewComponent, service_id: Option<i64>) -> Result<u64> {
    tx.execute(
        "UPDATE status_components SET service_id = $1, name = $2, description = $3, group_name = $4 WHERE id = $5",
        args![service_id, &new.name, &new.description, &new.group, id],
    )
    .await
}

pub async fn place(tx: &Tx, id: i64, position: i64) -> Result<()> {
    tx.execute("UPDATE status_components SET position = $1 WHERE id = $2", args![position, id]).await.map(drop)
}

pub async fn delete(tx: &Tx, id: i64) -> Result<u64> {
    tx.execute("DELETE FROM status_components WHERE id = $1", args![id]).await
}

pub async fn save_head(tx: &Tx, page: &PageInput, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE status_page SET title = $1, intro = $2, is_public = $3, updated_at = $4 WHERE id = 1",
        args![&page.title, &page.intro, page.is_public, now],
    )
    .await
    .map(drop)
}

/// Something of the public pages changed: kept copies of them are old.
pub async fn touch(tx: &Tx) -> Result<()> {
    tx.execute("UPDATE status_page SET revision = revision + 1 WHERE id = 1", args![]).await.map(drop)
}
