//! From the incidents' own tables to facts: the slow, full way that everything else must agree with.

use std::collections::HashMap;

use crate::clock::Timestamp;
use crate::db::{Db, Where};
use crate::error::{Error, Result};
use crate::incidents::{Kind, MilestoneName, Severity, Status};
use crate::reports::model::facts::{Detection, Fact, FirstSuspect, Loose, STATES, Standing, Times};

/// Which incidents.
#[derive(Clone, Debug)]
pub enum Ids {
    /// First and last, both included.
    Range(i64, i64),
    /// At most some hundred.
    List(Vec<i64>),
}

impl Ids {
    fn conditions(&self, column: &'static str, between: &'static str) -> Where {
        let mut w = Where::new();
        match self {
            Self::Range(first, last) => {
                w.and_all(between, crate::args![*first, *last]);
            }
            Self::List(ids) => {
                w.and_any(column, ids.iter().copied());
            }
        }
        w
    }

    fn heads(&self) -> Where {
        self.conditions("i.id", "i.id BETWEEN ? AND ?")
    }

    fn parts(&self) -> Where {
        self.conditions("x.incident_id", "x.incident_id BETWEEN ? AND ?")
    }
}

#[derive(sqlx::FromRow)]
struct Head {
    id: i64,
    severity: String,
    status: String,
    kind: String,
    private: bool,
    detected_by: Option<String>,
    cause: Option<String>,
    environment: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Milestone {
    incident_id: i64,
    name: String,
    at: Option<i64>,
    raw_at: i64,
    source: String,
}

/// All facts of the incidents that exist among `ids`, by number.
pub async fn load(db: &Db, ids: &Ids) -> Result<Vec<Loose>> {
    let (sql, args) = ids.heads().statement(
        "SELECT i.id, i.severity, i.status, i.kind, i.private, c.detected_by, c.cause, c.environment \
         FROM incidents i LEFT JOIN incident_classes c ON c.incident_id = i.id",
        "ORDER BY i.id",
    );
    let heads = db.fetch_all::<Head>(sql, args).await?;
    let mut found = Vec::with_capacity(heads.len());
    let mut places = HashMap::with_capacity(heads.len());
    for head in heads {
        places.insert(head.id, found.len());
        found.push(head.into_draft()?);
    }
    let mut drafts = Drafts { found, places };
    drafts.milestones(db, ids).await?;
    drafts.services(db, ids).await?;
    drafts.states(db, ids).await?;
    drafts.words(db, ids).await?;
    drafts.causes(db, ids).await?;
    drafts.runs(db, ids).await?;
    drafts.first_alerts(db, ids).await?;
    Ok(drafts.found.into_iter().map(Draft::finish).collect())
}

/// A fact on its way.
struct Draft {
    loose: Loose,
    /// The source of *detected*.
    source: String,
    /// What a person said, else empty.
    detected_by: String,
    /// Origin and environment of the alert that came first.
    first_alert: Option<(String, String)>,
    /// When persons wrote on the timeline.
    words: Vec<i64>,
    /// Status and since when, in order.
    states: Vec<(String, i64)>,
    caused_by_deployment: bool,
}

struct Drafts {
    found: Vec<Draft>,
    places: HashMap<i64, usize>,
}

impl Head {
    fn into_draft(self) -> Result<Draft> {
        let unknown = |what: &str, word: &str| Error::Internal(format!("incident {} has the {what} '{word}'", self.id));
        let severity = Severity::parse(&self.severity).ok_or_else(|| unknown("severity", &self.severity))?;
        let status = Status::parse(&self.status).ok_or_else(|| unknown("status", &self.status))?;
        let kind = Kind::parse(&self.kind).ok_or_else(|| unknown("kind", &self.kind))?;
        let fact = Fact {
            severity: severity as u8 + 1,
            standing: match (status, kind) {
                (Status::Merged, _) => Standing::Merged,
                (Status::Declined, _) => Standing::Declined,
                (_, Kind::Drill) => Standing::Drill,
                _ => Standing::Counted,
            },
            open: status.is_open(),
            private: self.private,
            backfilled: kind == Kind::Backfilled,
            ..Fact::empty(self.id)
        };
        Ok(Draft {
            loose: Loose {
                fact,
                raw: Times::default(),
                services: Vec::new(),
                cause: self.cause.unwrap_or_default(),
                environment: self.environment.unwrap_or_default(),
            },
            source: String::new(),
            detected_by: self.detected_by.unwrap_or_default(),
            first_alert: None,
            words: Vec::new(),
            states: Vec::new(),
            caused_by_deployment: false,
        })
    }
}

impl Drafts {
    /// The draft of an incident; none for one that was declared between two statements.
    fn get(&mut self, id: i64) -> Option<&mut Draft> {
        self.places.get(&id).and_then(|place| self.found.get_mut(*place))
    }

    async fn milestones(&mut self, db: &Db, ids: &Ids) -> Result<()> {
        let (sql, args) = ids
            .parts()
            .statement("SELECT x.incident_id, x.name, x.at, x.raw_at, x.source FROM incident_milestones x", "");
        for row in db.fetch_all::<Milestone>(sql, args).await? {
            let name = MilestoneName::parse(&row.name)
                .ok_or_else(|| Error::Internal(format!("incident {} has a '{}'", row.incident_id, row.name)))?;
            let Some(draft) = self.get(row.incident_id) else { continue };
            draft.loose.fact.times.set(name, row.at);
            draft.loose.raw.set(name, Some(row.raw_at));
            if name == MilestoneName::Detected && row.at.is_some() {
                draft.source = row.source;
            }
        }
        Ok(())
    }

    async fn services(&mut self, db: &Db, ids: &Ids) -> Result<()> {
        let (sql, args) = ids.parts().statement("SELECT x.incident_id, x.service_id FROM incident_services x", "");
        for (id, service) in db.fetch_all::<(i64, i64)>(sql, args).await? {
            if let Some(draft) = self.get(id) {
                draft.loose.services.push(service);
            }
        }
        Ok(())
    }

    async fn states(&mut self, db: &Db, ids: &Ids) -> Result<()> {
        let (sql, args) = ids.parts().statement(
            "SELECT x.incident_id, x.to_status, x.at FROM incident_status_changes x",
            "ORDER BY x.incident_id, x.at, x.id",
        );
        for (id, status, at) in db.fetch_all::<(i64, String, i64)>(sql, args).await? {
            if let Some(draft) = self.get(id) {
                draft.states.push((status, at));
            }
        }
        Ok(())
    }

    async fn words(&mut self, db: &Db, ids: &Ids) -> Result<()> {
        let mut w = ids.parts();
        w.and_raw("x.author_id IS NOT NULL").and_raw("x.deleted_at IS NULL");
        let (sql, args) = w.statement("SELECT x.incident_id, x.occurred_at FROM timeline_entries x", "");
        for (id, at) in db.fetch_all::<(i64, i64)>(sql, args).await? {
            if let Some(draft) = self.get(id) {
                draft.words.push(at);
            }
        }
        Ok(())
    }

    async fn causes(&mut self, db: &Db, ids: &Ids) -> Result<()> {
        let mut w = ids.parts();
        w.and_raw("x.verdict = 'caused'");
        let (sql, args) = w.statement("SELECT x.incident_id, x.kind, x.service_rank FROM suspect_verdicts x", "");
        for (id, kind, rank) in db.fetch_all::<(i64, String, Option<i64>)>(sql, args).await? {
            let Some(draft) = self.get(id) else { continue };
            draft.caused_by_deployment |= kind == "deployment";
            // With several confirmed causes, one that stood first is enough.
            if rank == Some(1) {
                draft.loose.fact.first_suspect = FirstSuspect::Right;
            } else if draft.loose.fact.first_suspect == FirstSuspect::NotJudged {
                draft.loose.fact.first_suspect = FirstSuspect::Wrong;
            }
        }
        Ok(())
    }

    async fn runs(&mut self, db: &Db, ids: &Ids) -> Result<()> {
        let (sql, args) =
            ids.parts().statement("SELECT x.incident_id, COUNT(*) FROM runbook_runs x", "GROUP BY x.incident_id");
        for (id, runs) in db.fetch_all::<(i64, i64)>(sql, args).await? {
            if let Some(draft) = self.get(id) {
                draft.loose.fact.runs = u8::try_from(runs).unwrap_or(u8::MAX);
            }
        }
        Ok(())
    }

    async fn first_alerts(&mut self, db: &Db, ids: &Ids) -> Result<()> {
        let (sql, args) = ids.parts().statement(
            "SELECT f.incident_id, f.origin, f.environment FROM (SELECT x.incident_id, x.origin, x.environment, \
             ROW_NUMBER() OVER (PARTITION BY x.incident_id ORDER BY x.first_seen_at, x.id) AS place FROM alerts x",
            ") f WHERE f.place = 1",
        );
        for (id, origin, environment) in db.fetch_all::<(i64, String, String)>(sql, args).await? {
            if let Some(draft) = self.get(id) {
                draft.first_alert = Some((origin, environment));
            }
        }
        Ok(())
    }
}

impl Draft {
    fn finish(mut self) -> Loose {
        let fact = &mut self.loose.fact;
        fact.detection = detection(&self.detected_by, &self.source, self.first_alert.as_ref());
        if self.loose.environment.is_empty()
            && let Some((_, environment)) = self.first_alert
        {
            self.loose.environment = environment;
        }
        if self.loose.cause.is_empty() && self.caused_by_deployment {
            self.loose.cause = "change".to_owned();
        }
        (fact.states, fact.reopened) = states(&self.states);
        fact.silence = silence(&fact.times, self.words);
        self.loose
    }
}

/// A person's word, else where *detected* came from; alerts are split into monitors and checks.
fn detection(said: &str, source: &str, first_alert: Option<&(String, String)>) -> Detection {
    Detection::parse(said).unwrap_or(match source {
        "alert" if first_alert.is_some_and(|(origin, _)| origin == "check") => Detection::Check,
        "alert" => Detection::Alert,
        "trace" => Detection::Trace,
        "deployment" => Detection::Deployment,
        "person" => Detection::Staff,
        "import" => Detection::Import,
        _ => Detection::Unknown,
    })
}

/// The time in each state that was left again, and how often an end was left.
fn states(changes: &[(String, i64)]) -> ([i64; STATES.len()], u8) {
    let mut spent = [-1; STATES.len()];
    let mut reopened = 0_u8;
    for pair in changes.windows(2) {
        let [(state, since), (next, until)] = pair else { continue };
        if let Some(slot) = STATES.iter().position(|s| s == state).and_then(|i| spent.get_mut(i)) {
            *slot = (*slot).max(0) + (until - since);
        }
        let is_end = |s: &str| Status::parse(s).is_some_and(|s| !s.is_open());
        if is_end(state) && !is_end(next) {
            reopened = reopened.saturating_add(1);
        }
    }
    (spent, reopened)
}

/// The longest gap between the declaration, each word and the resolution.
fn silence(times: &Times, mut words: Vec<i64>) -> i64 {
    let (Some(start), Some(end)) = (times.get(MilestoneName::Declared), times.get(MilestoneName::Resolved)) else {
        return -1;
    };
    if end < start {
        return -1;
    }
    words.retain(|at| start < *at && *at < end);
    words.extend([start, end]);
    words.sort_unstable();
    words.windows(2).filter_map(|w| Some(w.get(1)? - w.first()?)).max().unwrap_or(0)
}

/// Owners and tiers of all services.
pub async fn services(db: &Db) -> Result<HashMap<i64, crate::reports::model::select::Service>> {
    let rows: Vec<(i64, String, String, i64)> =
        db.fetch_all("SELECT id, slug, owner_team, tier FROM services", vec![]).await?;
    let service = |(id, slug, team, tier): (i64, String, String, i64)| {
        (id, crate::reports::model::select::Service { slug, team, tier: u8::try_from(tier).unwrap_or(4) })
    };
    Ok(rows.into_iter().map(service).collect())
}

/// Private incidents that name a person.
pub async fn named(db: &Db, user_id: i64) -> Result<std::collections::HashSet<i64>> {
    let rows: Vec<(i64,)> =
        db.fetch_all("SELECT incident_id FROM incident_people WHERE user_id = $1", crate::args![user_id]).await?;
    Ok(rows.into_iter().map(|r| r.0).collect())
}

/// The moment is only for the order of what is folded; see [`super::fold`].
pub async fn take_turn(tx: &crate::db::Tx, now: Timestamp) -> Result<()> {
    tx.execute("UPDATE report_turn SET taken_at = $1 WHERE id = 1", crate::args![now]).await.map(drop)
}
