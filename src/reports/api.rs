//! `GET /api/v1/reports/mttr` and `/overview`: the same figures as the pages.

use axum::extract::Query;
use axum::{Extension, Json};
use serde::Serialize;

use super::filters::{scope_of, viewer};
use super::json::{DefinitionJson, ExcludedIncident, Figures, GroupFigures, ReportJson, excluded};
use super::ledger::Ledger;
use super::model::compare::Verdict;
use super::model::compute::Share;
use super::model::measures::Measure;
use super::model::scope::ScopeQuery;
use super::model::select::Question;
use super::service::{Desk, Overview, attention};
use super::store;
use super::web::overview::slices;
use crate::clock::Timestamp;
use crate::error::{FieldErrors, Result};
use crate::web::{Access, ApiJson, Cx, Routes};

pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/reports/mttr", Access::VIEWER, mttr)
        .get("/api/v1/reports/overview", Access::VIEWER, overview)
        .post("/api/v1/commits", Access::RESPONDER, put_commits)
}

async fn mttr(
    cx: Cx,
    Extension(ledger): Extension<Ledger>,
    Query(query): Query<ScopeQuery>,
) -> Result<Json<ReportJson>> {
    let scope = scope_of(&cx, &query).await?;
    let desk = Desk::open(&ledger, &cx.state.db, viewer(cx.actor()?), cx.now()).await?;
    let question = Question::of(&scope, &Measure::SHARED).with_targets(desk.targets.clone());
    Ok(Json(ReportJson::of(&*desk.report(&question).await?)))
}

/// One commit, as a build tells of it.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default)]
struct CommitInput {
    sha: String,
    /// RFC 3339.
    committed_at: String,
}

/// At most this many in one call.
const MOST_COMMITS: usize = 1_000;

/// Remembers when commits were made: where a deployment's lead time begins.
async fn put_commits(cx: Cx, ApiJson(commits): ApiJson<Vec<CommitInput>>) -> Result<Json<serde_json::Value>> {
    let mut errors = FieldErrors::default();
    if commits.len() > MOST_COMMITS {
        errors.add("commits", format!("at most {MOST_COMMITS} at once"));
    }
    let mut checked = Vec::new();
    for (i, commit) in commits.iter().take(MOST_COMMITS).enumerate() {
        let sha = commit.sha.trim().to_lowercase();
        if sha.is_empty() || sha.len() > 100 || !sha.bytes().all(|b| b.is_ascii_hexdigit()) {
            errors.add(&format!("{i}.sha"), format!("'{}' is not a commit's hash", commit.sha));
        }
        match Timestamp::parse(&commit.committed_at) {
            Some(at) if at <= cx.now() => checked.push((sha, at)),
            Some(_) => errors.add(&format!("{i}.committed_at"), "lies in the future"),
            None => {
                errors.add(&format!("{i}.committed_at"), format!("'{}' is not an RFC 3339 time", commit.committed_at))
            }
        }
    }
    errors.into_result()?;
    let tx = cx.state.db.begin().await?;
    for (sha, at) in &checked {
        store::changes::put_commit(&tx, sha, *at, cx.now()).await?;
    }
    tx.commit().await?;
    Ok(Json(serde_json::json!({ "kept": checked.len() })))
}

/// Everything that `/reports` shows.
#[derive(Serialize)]
struct OverviewJson {
    definition: DefinitionJson,
    n: usize,
    total: GroupFigures,
    earlier: GroupFigures,
    changes: Vec<ChangeJson>,
    slices: Vec<SliceJson>,
    outliers: Vec<OutliersJson>,
    /// The main measures by first-recorded times, or by corrected ones where `raw` was asked for.
    other_times: Vec<Option<Figures>>,
    follow_ups_on_time: Share,
    overdue_follow_ups: i64,
    severe_without_postmortem: i64,
    stale_runbooks: i64,
    /// The first thousand; `reports/mttr` lists all that are missing from its measures.
    excluded: Vec<ExcludedIncident>,
    excluded_total: usize,
}

#[derive(Serialize)]
struct ChangeJson {
    measure: String,
    verdict: &'static str,
    /// Later minus earlier mean, its 95 % interval in seconds; null when too few or not detectable.
    difference_s: Option<[f64; 2]>,
}

#[derive(Serialize)]
struct SliceJson {
    group_by: &'static str,
    groups: Vec<GroupFigures>,
}

#[derive(Serialize)]
struct OutliersJson {
    measure: String,
    longer_than_s: f64,
    n: usize,
    incidents: Vec<OutlierJson>,
    mean_s: f64,
    mean_without_s: f64,
}

#[derive(Serialize)]
struct OutlierJson {
    incident: String,
    seconds: f64,
}

async fn overview(
    cx: Cx,
    Extension(ledger): Extension<Ledger>,
    Query(query): Query<ScopeQuery>,
) -> Result<Json<OverviewJson>> {
    let scope = scope_of(&cx, &query).await?;
    let desk = Desk::open(&ledger, &cx.state.db, viewer(cx.actor()?), cx.now()).await?;
    let question = desk.question(&scope);
    let found = desk.overview(&question, &slices(&scope, &query), 3).await?;
    let attention = attention(&desk, &scope, cx.now()).await?;
    Ok(Json(OverviewJson {
        definition: DefinitionJson::of(&question),
        n: found.total.n,
        total: GroupFigures::of(&found.total, &question),
        earlier: GroupFigures::of(&found.earlier, &question),
        changes: changes(&found),
        slices: found
            .slices
            .iter()
            .map(|(by, groups)| SliceJson {
                group_by: by.key(),
                groups: groups.iter().map(|g| GroupFigures::of(g, &question)).collect(),
            })
            .collect(),
        outliers: outliers(&found),
        other_times: found.other_times.iter().map(|s| s.as_ref().map(Figures::of)).collect(),
        follow_ups_on_time: attention.on_time,
        overdue_follow_ups: attention.overdue_total,
        severe_without_postmortem: attention.unwritten_total,
        stale_runbooks: attention.stale_total,
        excluded: excluded(&found.excluded, &question.definitions),
        excluded_total: found.excluded_total,
    }))
}

fn changes(found: &Overview) -> Vec<ChangeJson> {
    let change = |(place, definition): (usize, &super::model::measures::Definition)| {
        let verdict = found.comparisons.get(place).map_or(Verdict::TooFew, |c| c.verdict);
        ChangeJson { measure: definition.key.to_string(), verdict: verdict.key(), difference_s: verdict.interval() }
    };
    found.question.definitions.iter().enumerate().map(change).collect()
}

fn outliers(found: &Overview) -> Vec<OutliersJson> {
    let outliers = found.question.definitions.iter().zip(&found.outliers);
    outliers
        .filter_map(|(definition, outliers)| {
            let o = outliers.as_ref()?;
            Some(OutliersJson {
                measure: definition.key.to_string(),
                longer_than_s: o.fence / 1e6,
                n: o.n,
                incidents: o
                    .named
                    .iter()
                    .map(|(number, micros)| OutlierJson {
                        incident: format!("INC-{number}"),
                        seconds: *micros as f64 / 1e6,
                    })
                    .collect(),
                mean_s: o.mean / 1e6,
                mean_without_s: o.mean_without / 1e6,
            })
        })
        .collect()
}
