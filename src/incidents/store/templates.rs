//! Templates of declarations.

use crate::args;
use crate::clock::Timestamp;
use crate::db::{Db, Sql, Tx};
use crate::error::Result;
use crate::incidents::model::template::Template;
use crate::incidents::model::{Kind, Severity};

use super::word;

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    slug: String,
    name: String,
    title: String,
    severity: String,
    kind: String,
    private: bool,
    services: String,
    summary: String,
    tasks: String,
    follow_ups: String,
    for_service: String,
    for_alert: String,
    updated_by_name: String,
    updated_at: Timestamp,
    version: i64,
}

const SELECT: &str = "SELECT id, slug, name, title, severity, kind, private, services, summary, tasks, follow_ups, \
    for_service, for_alert, updated_by_name, updated_at, version FROM incident_templates";

impl Row {
    fn into_template(self) -> Result<Template> {
        Ok(Template {
            id: self.id,
            slug: self.slug,
            name: self.name,
            title: self.title,
            severity: word(Severity::parse, &self.severity, "severity")?,
            kind: word(Kind::parse, &self.kind, "kind")?,
            private: self.private,
            services: self.services.split_whitespace().map(str::to_owned).collect(),
            summary: self.summary,
            tasks: self.tasks.lines().map(str::to_owned).collect(),
            follow_ups: self.follow_ups.lines().map(str::to_owned).collect(),
            for_service: self.for_service,
            for_alert: self.for_alert,
            updated_by: self.updated_by_name,
            updated_at: self.updated_at,
            version: self.version,
        })
    }
}

/// By name; at most 200.
pub async fn all(db: &Db) -> Result<Vec<Template>> {
    let rows = db.fetch_all::<Row>(Sql::built(format!("{SELECT} ORDER BY name, id LIMIT 200")), args![]).await?;
    rows.into_iter().map(Row::into_template).collect()
}

pub async fn find(db: &Db, slug: &str) -> Result<Option<Template>> {
    let row = db.fetch_optional::<Row>(Sql::built(format!("{SELECT} WHERE slug = $1")), args![slug]).await?;
    row.map(Row::into_template).transpose()
}

/// `false` when another template has this slug.
pub async fn insert(tx: &Tx, t: &Template) -> Result<bool> {
    let changed = tx
        .execute(
            "INSERT INTO incident_templates (slug, name, title, severity, kind, private, services, summary, tasks, \
             follow_ups, for_service, for_alert, updated_by_name, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (slug) DO NOTHING",
            args![
                &t.slug,
                &t.name,
                &t.title,
                t.severity.as_str(),
                t.kind.as_str(),
                t.private,
                t.services.join(" "),
                &t.summary,
                t.tasks.join("\n"),
                t.follow_ups.join("\n"),
                &t.for_service,
                &t.for_alert,
                &t.updated_by,
                t.updated_at
            ],
        )
        .await?;
    Ok(changed == 1)
}

/// Everything but the slug, which links hold on to; `false` when another version stands.
pub async fn update(tx: &Tx, standing: &Template, t: &Template) -> Result<bool> {
    let changed = tx
        .execute(
            "UPDATE incident_templates SET name = $1, title = $2, severity = $3, kind = $4, private = $5, services = $6, \
             summary = $7, tasks = $8, follow_ups = $9, for_service = $10, for_alert = $11, updated_by_name = $12, \
             updated_at = $13, version = version + 1 WHERE id = $14 AND version = $15",
            args![
                &t.name,
                &t.title,
                t.severity.as_str(),
                t.kind.as_str(),
                t.private,
                t.services.join(" "),
                &t.summary,
                t.tasks.join("\n"),
                t.follow_ups.join("\n"),
                &t.for_service,
                &t.for_alert,
                &t.updated_by,
                t.updated_at,
                standing.id,
                standing.version
            ],
        )
        .await?;
    Ok(changed == 1)
}

pub async fn delete(tx: &Tx, id: i64) -> Result<()> {
    tx.execute("DELETE FROM incident_templates WHERE id = $1", args![id]).await?;
    Ok(())
}
