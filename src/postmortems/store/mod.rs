//! The SQL of postmortems, and nothing else.

pub mod actions;
pub mod library;
pub mod recurrences;
pub mod review;
pub mod rules;

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Tx, Where, like_contains};
use crate::error::{Error, Result};
use crate::incidents::{self, IncidentId, Viewer};

use super::model::review::Audience;
use super::model::rules::CauseKind;
use super::model::{Listed, Postmortem, SectionKey, SectionVersion, State, StoredSection};

fn word<T>(parse: impl Fn(&str) -> Option<T>, text: &str, what: &str) -> Result<T> {
    parse(text).ok_or_else(|| Error::Internal(format!("'{text}' is stored as a {what}")))
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    incident_id: i64,
    state: String,
    created_by_name: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    published_at: Option<Timestamp>,
    published_by_name: Option<String>,
    version: i64,
    audience: String,
    redactions: String,
    public_sections: String,
}

pub async fn find(db: &Db, incident: IncidentId) -> Result<Option<Postmortem>> {
    let row = db
        .fetch_optional::<Row>(
            "SELECT id, incident_id, state, created_by_name, created_at, updated_at, published_at, published_by_name, version, \
             audience, redactions, public_sections \
             FROM postmortems WHERE incident_id = $1",
            args![incident.0],
        )
        .await?;
    row.map(|r| {
        Ok(Postmortem {
            id: r.id,
            incident: IncidentId(r.incident_id),
            state: word(State::parse, &r.state, "postmortem state")?,
            created_by: r.created_by_name,
            created_at: r.created_at,
            updated_at: r.updated_at,
            published_at: r.published_at,
            published_by: r.published_by_name,
            version: r.version,
            audience: word(Audience::parse, &r.audience, "audience")?,
            redactions: serde_json::from_str(&r.redactions)?,
            public_sections: serde_json::from_str(&r.public_sections)?,
        })
    })
    .transpose()
}

/// `None` when the incident has one already.
pub async fn insert(tx: &Tx, incident: IncidentId, by: &str, now: Timestamp) -> Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "INSERT INTO postmortems (incident_id, state, created_by_name, created_at, updated_at) \
             VALUES ($1, 'draft', $2, $3, $3) ON CONFLICT (incident_id) DO NOTHING RETURNING id",
            args![incident.0, by, now],
        )
        .await?;
    Ok(row.map(|r| r.0))
}

/// `false` when another version stands.
pub async fn set_state(tx: &Tx, postmortem: &Postmortem, to: State, by: &str, now: Timestamp) -> Result<bool> {
    let published = to == State::Published;
    let (at, name) = if published { (Some(now), Some(by)) } else { (None, None) };
    let changed = tx
        .execute(
            "UPDATE postmortems SET state = $1, published_at = $2, published_by_name = $3, updated_at = $4, \
             version = version + 1 WHERE id = $5 AND version = $6",
            args![to.as_str(), at, name, now, postmortem.id, postmortem.version],
        )
        .await?;
    Ok(changed == 1)
}

/// Notes that something of it changed.
pub async fn touch(tx: &Tx, id: i64, now: Timestamp) -> Result<()> {
    tx.execute("UPDATE postmortems SET updated_at = $1, version = version + 1 WHERE id = $2", args![now, id]).await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct SectionRow {
    section: String,
    body: String,
    untouched: bool,
    drafted: String,
    version: i64,
    updated_at: Timestamp,
    updated_by_name: String,
}

/// In the order of reading.
pub async fn sections(db: &Db, id: i64) -> Result<Vec<StoredSection>> {
    let rows = db
        .fetch_all::<SectionRow>(
            "SELECT section, body, untouched, drafted, version, updated_at, updated_by_name FROM postmortem_sections \
             WHERE postmortem_id = $1 LIMIT 50",
            args![id],
        )
        .await?;
    let mut sections = rows
        .into_iter()
        .map(|r| {
            Ok(StoredSection {
                key: word(SectionKey::parse, &r.section, "section")?,
                body: r.body,
                untouched: r.untouched,
                drafted: r.drafted,
                version: r.version,
                updated_at: r.updated_at,
                updated_by: r.updated_by_name,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    sections.sort_by_key(|s| s.key);
    Ok(sections)
}

/// Who saves a section, and what.
pub struct Save<'a> {
    pub key: SectionKey,
    pub body: &'a str,
    pub untouched: bool,
    /// What the record gives now, when it was asked; `None` leaves what it gave before.
    pub drafted: Option<&'a str>,
    pub author_id: Option<i64>,
    pub author: &'a str,
    pub now: Timestamp,
}

/// Writes a section on top of version `base` (0 for a new one) and keeps the text in its history.
/// `false` when another version stands.
pub async fn save_section(tx: &Tx, id: i64, base: i64, save: &Save<'_>) -> Result<bool> {
    let changed = if base == 0 {
        tx.execute(
            "INSERT INTO postmortem_sections (postmortem_id, section, body, untouched, version, updated_at, updated_by_name, drafted) \
             VALUES ($1, $2, $3, $4, 1, $5, $6, $7) ON CONFLICT (postmortem_id, section) DO NOTHING",
            args![
                id,
                save.key.as_str(),
                save.body,
                save.untouched,
                save.now,
                save.author,
                save.drafted.unwrap_or_default()
            ],
        )
        .await?
    } else {
        tx.execute(
            "UPDATE postmortem_sections SET body = $1, untouched = $2, version = version + 1, updated_at = $3, \
             updated_by_name = $4, drafted = COALESCE($8, drafted) WHERE postmortem_id = $5 AND section = $6 AND version = $7",
            args![
                save.body,
                save.untouched,
                save.now,
                save.author,
                id,
                save.key.as_str(),
                base,
                save.drafted.map(str::to_owned)
            ],
        )
        .await?
    };
    if changed == 0 {
        return Ok(false);
    }
    tx.execute(
        "INSERT INTO postmortem_section_versions (postmortem_id, section, version, body, author_id, author_name, saved_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        args![id, save.key.as_str(), base + 1, save.body, save.author_id, save.author, save.now],
    )
    .await?;
    Ok(true)
}

#[derive(sqlx::FromRow)]
struct VersionRow {
    version: i64,
    body: String,
    author_name: String,
    saved_at: Timestamp,
}

/// Newest first; at most `limit`.
pub async fn section_versions(db: &Db, id: i64, key: SectionKey, limit: i64) -> Result<Vec<SectionVersion>> {
    let rows = db
        .fetch_all::<VersionRow>(
            "SELECT version, body, author_name, saved_at FROM postmortem_section_versions \
             WHERE postmortem_id = $1 AND section = $2 ORDER BY version DESC LIMIT $3",
            args![id, key.as_str(), limit],
        )
        .await?;
    Ok(rows
        .into_iter()
        .map(|r| SectionVersion { version: r.version, body: r.body, author: r.author_name, saved_at: r.saved_at })
        .collect())
}

/// The text that a section had at a version.
pub async fn section_version(db: &Db, id: i64, key: SectionKey, version: i64) -> Result<Option<String>> {
    let row: Option<(String,)> = db
        .fetch_optional(
            "SELECT body FROM postmortem_section_versions WHERE postmortem_id = $1 AND section = $2 AND version = $3",
            args![id, key.as_str(), version],
        )
        .await?;
    Ok(row.map(|r| r.0))
}

/// What to list. `None` and empty texts do not filter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub state: Option<State>,
    /// Slug of a service of the incident.
    pub service: String,
    /// Words in the incident's title.
    pub text: String,
    /// Incidents whose postmortem the full-text search found for these words, too.
    pub found: Vec<i64>,
    /// A kind of cause.
    pub cause: String,
    pub tag: String,
    /// Also those that are for responders only.
    pub private_too: bool,
    /// After this change and id, newest first.
    pub beyond: Option<(Timestamp, i64)>,
}

#[derive(sqlx::FromRow)]
struct ListedRow {
    id: i64,
    incident_id: i64,
    title: String,
    severity: String,
    state: String,
    created_by_name: String,
    updated_at: Timestamp,
    published_at: Option<Timestamp>,
    cause: String,
}

fn conditions(filter: &Filter, viewer: Viewer) -> Where {
    let mut w = Where::new();
    incidents::visible(&mut w, viewer);
    if !filter.private_too {
        w.and_raw("p.audience <> 'private'");
    }
    if let Some(state) = filter.state {
        w.and("p.state = ?", state.as_str());
    }
    if !filter.service.is_empty() {
        w.and(
            "EXISTS (SELECT 1 FROM incident_services x JOIN services s ON s.id = x.service_id \
             WHERE x.incident_id = i.id AND s.slug = ?)",
            &filter.service,
        );
    }
    if !filter.cause.is_empty() {
        w.and("p.cause = ?", &filter.cause);
    }
    if !filter.tag.is_empty() {
        w.and("p.id IN (SELECT t.postmortem_id FROM postmortem_tags t WHERE t.tag = ?)", &filter.tag);
    }
    if !filter.text.trim().is_empty() {
        let mut clauses: Vec<String> = Vec::new();
        let words: Vec<String> = filter.text.split_whitespace().take(8).map(str::to_lowercase).collect();
        let titled: Vec<String> = words
            .iter()
            .map(|word| format!("LOWER(i.title) LIKE {} ESCAPE '\\'", w.bind(like_contains(word))))
            .collect();
        clauses.push(format!("({})", titled.join(" AND ")));
        if !filter.found.is_empty() {
            let ids: Vec<String> = filter.found.iter().map(|id| w.bind(*id)).collect();
            clauses.push(format!("i.id IN ({})", ids.join(", ")));
        }
        w.and_built(format!("({})", clauses.join(" OR ")));
    }
    w
}

const FROM: &str = "FROM postmortems p JOIN incidents i ON i.id = p.incident_id";

/// Of incidents that the viewer may see, last changed first; at most `limit`.
pub async fn page(db: &Db, filter: &Filter, viewer: Viewer, limit: i64) -> Result<Vec<Listed>> {
    let mut w = conditions(filter, viewer);
    if let Some((at, id)) = filter.beyond {
        w.and_all("(p.updated_at, p.id) < (?, ?)", args![at, id]);
    }
    let limit = w.bind(limit);
    let head = format!(
        "SELECT p.id, p.incident_id, i.title, i.severity, p.state, p.created_by_name, p.updated_at, p.published_at, p.cause {FROM}"
    );
    let (sql, args) = w.statement(&head, &format!("ORDER BY p.updated_at DESC, p.id DESC LIMIT {limit}"));
    let mut listed = db
        .fetch_all::<ListedRow>(sql, args)
        .await?
        .into_iter()
        .map(|r| {
            Ok(Listed {
                id: r.id,
                incident: IncidentId(r.incident_id),
                title: r.title,
                severity: r.severity,
                state: word(State::parse, &r.state, "postmortem state")?,
                created_by: r.created_by_name,
                updated_at: r.updated_at,
                published_at: r.published_at,
                cause: CauseKind::parse(&r.cause),
                tags: Vec::new(),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let ids: Vec<i64> = listed.iter().map(|l| l.id).collect();
    let mut tags = library::tags_of(db, &ids).await?;
    for row in &mut listed {
        row.tags = tags.remove(&row.id).unwrap_or_default();
    }
    Ok(listed)
}

/// Counted no further than `at_most`.
pub async fn count(db: &Db, filter: &Filter, viewer: Viewer, at_most: i64) -> Result<i64> {
    let mut w = conditions(filter, viewer);
    let limit = w.bind(at_most);
    let (sql, args) =
        w.statement(&format!("SELECT COUNT(*) FROM (SELECT 1 AS one {FROM}"), &format!("LIMIT {limit}) AS found"));
    db.fetch_scalar(sql, args).await
}
