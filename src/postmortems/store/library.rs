//! The library: kinds of cause, tags, and what keeps coming back.

use std::collections::BTreeMap;

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx, Where};
use crate::error::Result;
use crate::incidents::{self, Viewer};

/// Sets the kind of cause and the tags.
pub async fn set_about(tx: &Tx, postmortem: i64, cause: &str, tags: &[String]) -> Result<()> {
    tx.execute("UPDATE postmortems SET cause = $1 WHERE id = $2", args![cause, postmortem]).await?;
    tx.execute("DELETE FROM postmortem_tags WHERE postmortem_id = $1", args![postmortem]).await?;
    for tag in tags {
        tx.execute("INSERT INTO postmortem_tags (postmortem_id, tag) VALUES ($1, $2)", args![postmortem, tag]).await?;
    }
    Ok(())
}

/// The kind of cause (empty for none) and the tags.
pub async fn about(db: &Db, postmortem: i64) -> Result<(String, Vec<String>)> {
    let (cause,): (String,) = db.fetch_one("SELECT cause FROM postmortems WHERE id = $1", args![postmortem]).await?;
    let mut tags = tags_of(db, &[postmortem]).await?;
    Ok((cause, tags.remove(&postmortem).unwrap_or_default()))
}

/// Tags of several postmortems, in one query.
pub async fn tags_of(db: &Db, postmortems: &[i64]) -> Result<BTreeMap<i64, Vec<String>>> {
    let mut found: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    if postmortems.is_empty() {
        return Ok(found);
    }
    let mut w = Where::new();
    w.and_any("postmortem_id", postmortems.iter().copied());
    let (sql, args) =
        w.statement("SELECT postmortem_id, tag FROM postmortem_tags", "ORDER BY postmortem_id, tag LIMIT 5000");
    for (id, tag) in db.fetch_all::<(i64, String)>(sql, args).await? {
        found.entry(id).or_default().push(tag);
    }
    Ok(found)
}

/// Something that several postmortems share.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow, serde::Serialize)]
pub struct Theme {
    /// A kind of cause, or a tag.
    pub word: String,
    /// Slug of the service; empty for a tag.
    pub service: String,
    pub incidents: i64,
    pub last_at: Timestamp,
}

/// Causes that hit the same service at least twice since a moment, most often first.
pub async fn causes(db: &Db, since: Timestamp, viewer: Viewer, limit: i64) -> Result<Vec<Theme>> {
    let mut w = Where::new();
    w.and_raw("p.cause <> ''");
    w.and_raw("p.audience <> 'private'");
    w.and("i.started_at >= ?", since);
    incidents::visible(&mut w, viewer);
    let limit = w.bind(limit);
    let (sql, args) = w.statement(
        "SELECT p.cause AS word, s.slug AS service, COUNT(*) AS incidents, MAX(i.started_at) AS last_at \
         FROM postmortems p JOIN incidents i ON i.id = p.incident_id JOIN incident_services x ON x.incident_id = i.id \
         JOIN services s ON s.id = x.service_id",
        &format!("GROUP BY p.cause, s.slug HAVING COUNT(*) >= 2 ORDER BY 3 DESC, 4 DESC, 1, 2 LIMIT {limit}"),
    );
    db.fetch_all(sql, args).await
}

/// Tags by how many postmortems since a moment bear them.
pub async fn tags(db: &Db, since: Timestamp, viewer: Viewer, limit: i64) -> Result<Vec<Theme>> {
    let mut w = Where::new();
    w.and_raw("p.audience <> 'private'");
    w.and("i.started_at >= ?", since);
    incidents::visible(&mut w, viewer);
    let limit = w.bind(limit);
    let (sql, args) = w.statement(
        "SELECT t.tag AS word, '' AS service, COUNT(*) AS incidents, MAX(i.started_at) AS last_at \
         FROM postmortem_tags t JOIN postmortems p ON p.id = t.postmortem_id JOIN incidents i ON i.id = p.incident_id",
        &format!("GROUP BY t.tag ORDER BY 3 DESC, 1 LIMIT {limit}"),
    );
    db.fetch_all(sql, args).await
}
