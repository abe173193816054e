//! The SQL of the catalogue, and nothing else. Every function runs inside the caller's transaction.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Tx, Where};
use crate::error::Result;

use super::model::{Edge, NewService, Service};

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    slug: String,
    name: String,
    owner_team: String,
    tier: i64,
    description: String,
    discovered: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: i64,
}

const COLUMNS: &str = "id, slug, name, owner_team, tier, description, discovered, created_at, updated_at, version";

impl From<Row> for Service {
    fn from(r: Row) -> Self {
        Self {
            id: r.id,
            slug: r.slug,
            name: r.name,
            owner_team: r.owner_team,
            tier: r.tier,
            description: r.description,
            discovered: r.discovered,
            created_at: r.created_at,
            updated_at: r.updated_at,
            version: r.version,
        }
    }
}

/// `None` when the slug is taken.
pub async fn insert(tx: &Tx, new: &NewService, discovered: bool, now: Timestamp) -> Result<Option<i64>> {
    let row: Option<(i64,)> = tx
        .fetch_optional(
            "INSERT INTO services (slug, name, owner_team, tier, description, discovered, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (slug) DO NOTHING RETURNING id",
            args![&new.slug, &new.name, &new.owner_team, new.tier, &new.description, discovered, now],
        )
        .await?;
    Ok(row.map(|r| r.0))
}

/// What a person describes is not merely discovered any more. `false` when another version stands.
pub async fn update(tx: &Tx, service: &Service, new: &NewService, now: Timestamp) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE services SET name = $1, owner_team = $2, tier = $3, description = $4, discovered = FALSE, \
         updated_at = $5, version = version + 1 WHERE id = $6 AND version = $7",
            args![&new.name, &new.owner_team, new.tier, &new.description, now, service.id, service.version],
        )
        .await?;
    Ok(changed == 1)
}

pub async fn find(db: &Db, slug: &str) -> Result<Option<Service>> {
    let sql = format!("SELECT {COLUMNS} FROM services WHERE slug = $1");
    let row = db.fetch_optional::<Row>(Sql::built(sql), args![slug]).await?;
    Ok(row.map(Service::from))
}

pub async fn find_id(db: &Db, slug: &str) -> Result<Option<i64>> {
    let row: Option<(i64,)> = db.fetch_optional("SELECT id FROM services WHERE slug = $1", args![slug]).await?;
    Ok(row.map(|r| r.0))
}

/// What to list; empty texts do not filter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Part of the slug, in lower case.
    pub text: String,
    pub team: String,
    pub discovered_only: bool,
    /// Slugs after this one.
    pub after: String,
}

impl Filter {
    fn pattern(&self) -> String {
        let mut pattern = String::from("%");
        for c in self.text.to_lowercase().chars() {
            if matches!(c, '%' | '_' | '!') {
                pattern.push('!');
            }
            pattern.push(c);
        }
        pattern.push('%');
        pattern
    }
}

const MATCHES: &str = "slug > $1 AND (slug LIKE $2 ESCAPE '!' OR LOWER(name) LIKE $2 ESCAPE '!') \
    AND ($3 = '' OR owner_team = $3) AND (discovered OR NOT $4)";

/// By slug.
pub async fn page(db: &Db, filter: &Filter, limit: i64) -> Result<Vec<Service>> {
    let sql = format!("SELECT {COLUMNS} FROM services WHERE {MATCHES} ORDER BY slug LIMIT $5");
    let rows = db
        .fetch_all::<Row>(
            Sql::built(sql),
            args![&filter.after, filter.pattern(), &filter.team, filter.discovered_only, limit],
        )
        .await?;
    Ok(rows.into_iter().map(Service::from).collect())
}

pub async fn count(db: &Db, filter: &Filter) -> Result<i64> {
    let sql = format!("SELECT COUNT(*) FROM services WHERE {MATCHES}");
    let (n,): (i64,) =
        db.fetch_one(Sql::built(sql), args!["", filter.pattern(), &filter.team, filter.discovered_only]).await?;
    Ok(n)
}

/// Names of the teams that own something; at most 200.
pub async fn teams(db: &Db) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = db
        .fetch_all(
            "SELECT DISTINCT owner_team FROM services WHERE owner_team <> '' ORDER BY owner_team LIMIT 200",
            args![],
        )
        .await?;
    Ok(rows.into_iter().map(|r| r.0).collect())
}

/// Which end of the edges the service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What it calls.
    Downstream,
    /// What calls it.
    Upstream,
}

/// By slug; at most 500.
pub async fn edges(db: &Db, service_id: i64, direction: Direction) -> Result<Vec<Edge>> {
    #[derive(sqlx::FromRow)]
    struct EdgeRow {
        slug: String,
        name: String,
        declared: bool,
        first_seen_at: Option<Timestamp>,
        last_seen_at: Option<Timestamp>,
    }
    let (own, other) = match direction {
        Direction::Downstream => ("service_id", "depends_on_id"),
        Direction::Upstream => ("depends_on_id", "service_id"),
    };
    let sql = format!(
        "SELECT s.slug, s.name, d.declared, d.first_seen_at, d.last_seen_at FROM service_dependencies d \
         JOIN services s ON s.id = d.{other} WHERE d.{own} = $1 ORDER BY s.slug LIMIT 500"
    );
    let rows = db.fetch_all::<EdgeRow>(Sql::built(sql), args![service_id]).await?;
    Ok(rows
        .into_iter()
        .map(|r| Edge {
            service: r.slug,
            name: r.name,
            declared: r.declared,
            first_seen_at: r.first_seen_at,
            last_seen_at: r.last_seen_at,
        })
        .collect())
}

/// The declared edges become exactly these; seen ones stay.
pub async fn declare_edges(tx: &Tx, service_id: i64, callees: &[i64]) -> Result<()> {
    tx.execute(
        "DELETE FROM service_dependencies WHERE service_id = $1 AND declared AND first_seen_at IS NULL",
        args![service_id],
    )
    .await?;
    tx.execute("UPDATE service_dependencies SET declared = FALSE WHERE service_id = $1", args![service_id]).await?;
    for callee in callees {
        tx.execute(
            "INSERT INTO service_dependencies (service_id, depends_on_id, declared) VALUES ($1, $2, TRUE) \
             ON CONFLICT (service_id, depends_on_id) DO UPDATE SET declared = TRUE",
            args![service_id, *callee],
        )
        .await?;
    }
    Ok(())
}

/// A call was seen at `at`.
pub async fn see_edge(tx: &Tx, caller: i64, callee: i64, at: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO service_dependencies (service_id, depends_on_id, declared, first_seen_at, last_seen_at) \
         VALUES ($1, $2, FALSE, $3, $3) ON CONFLICT (service_id, depends_on_id) DO UPDATE SET \
         first_seen_at = COALESCE(service_dependencies.first_seen_at, excluded.first_seen_at), \
         last_seen_at = CASE WHEN service_dependencies.last_seen_at > excluded.last_seen_at \
         THEN service_dependencies.last_seen_at ELSE excluded.last_seen_at END",
        args![caller, callee, at],
    )
    .await?;
    Ok(())
}

/// `(caller, callee)` for every service that calls one of these; at most 2,000.
pub async fn callers_of(db: &Db, slugs: &[String]) -> Result<Vec<(String, String)>> {
    let mut w = Where::new();
    w.and_any("b.slug", slugs.iter().map(String::as_str));
    let (sql, args) = w.statement(
        "SELECT a.slug, b.slug FROM service_dependencies d JOIN services a ON a.id = d.service_id \
         JOIN services b ON b.id = d.depends_on_id",
        "ORDER BY a.slug, b.slug LIMIT 2000",
    );
    db.fetch_all(sql, args).await
}

/// Those edges that a person declared, as `(caller, callee)`; the others were only ever seen in traces.
pub async fn declared_edges(db: &Db) -> Result<Vec<(String, String)>> {
    db.fetch_all(
        "SELECT a.slug, b.slug FROM service_dependencies d JOIN services a ON a.id = d.service_id \
         JOIN services b ON b.id = d.depends_on_id WHERE d.declared ORDER BY a.slug, b.slug LIMIT 20000",
        args![],
    )
    .await
}

/// Every edge, for ranking and for the graph; at most 20,000.
pub async fn all_edges(db: &Db) -> Result<Vec<(String, String)>> {
    let rows: Vec<(String, String)> = db
        .fetch_all(
            "SELECT a.slug, b.slug FROM service_dependencies d JOIN services a ON a.id = d.service_id \
         JOIN services b ON b.id = d.depends_on_id ORDER BY a.slug, b.slug LIMIT 20000",
            args![],
        )
        .await?;
    Ok(rows)
}
