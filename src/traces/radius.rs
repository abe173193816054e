//! An incident's blast radius: who calls the services that are in trouble, directly or through others, and
//! whose calls failed while it lasted. [`reached`] is pure; [`blast_radius`] asks the graph; [`BlastRadius`]
//! shows it on an incident's page.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use askama::Template;
use chrono::TimeDelta;
use futures::future::BoxFuture;

use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::incidents::MilestoneName;
use crate::incidents::hooks::{IncidentPanel, Panel, PanelContext, Place};
use crate::services;

use super::calls::Tally;
use super::service::view;

/// Callers of callers are followed this far.
const MAX_HOPS: usize = 4;
/// Services listed on the page.
const SHOWN: usize = 12;
/// Calls are looked at for no longer than this: a long incident is judged by its first day.
const LONGEST: TimeDelta = TimeDelta::hours(24);
/// A caller of which at least this share of calls failed is hit, not only exposed.
const HIT_SHARE: f64 = 0.05;

/// A service that the incident reaches.
#[derive(Clone, Debug, PartialEq)]
pub struct Reached {
    /// Its slug.
    pub service: String,
    /// The slug of the service through which it is reached: the one that it calls.
    pub through: String,
    /// 1 for a direct caller of a service in trouble.
    pub hops: usize,
    /// Calls from `service` to `through` in the time looked at.
    pub calls: i64,
    pub errors: i64,
    /// Only declared in the catalogue; no call was seen in the time looked at.
    pub is_declared_only: bool,
}

impl Reached {
    #[expect(clippy::cast_precision_loss, reason = "counts of calls")]
    pub fn error_share(&self) -> f64 {
        if self.calls == 0 { 0.0 } else { self.errors as f64 / self.calls as f64 }
    }

    /// Its calls failed, not only might have.
    pub fn is_hit(&self) -> bool {
        self.errors > 0 && self.error_share() >= HIT_SHARE
    }
}

/// Calls by caller and callee, by slug. An edge without calls is known from the catalogue alone.
pub type Graph = BTreeMap<(String, String), Tally>;

/// Everybody upstream of `broken`, nearest first, then those that were hit, then by name. Each service comes
/// once, through the shortest way.
pub fn reached(graph: &Graph, broken: &[String]) -> Vec<Reached> {
    let mut callers: BTreeMap<&str, Vec<(&str, &Tally)>> = BTreeMap::new();
    for ((caller, callee), tally) in graph {
        if caller != callee {
            callers.entry(callee).or_default().push((caller, tally));
        }
    }
    let mut known: BTreeSet<&str> = broken.iter().map(String::as_str).collect();
    let mut queue: VecDeque<(&str, usize)> = known.iter().map(|s| (*s, 0)).collect();
    let mut out: Vec<Reached> = Vec::new();
    while let Some((callee, hops)) = queue.pop_front() {
        if hops == MAX_HOPS {
            continue;
        }
        for (caller, tally) in callers.get(callee).into_iter().flatten() {
            if known.insert(caller) {
                out.push(Reached {
                    service: (*caller).to_owned(),
                    through: callee.to_owned(),
                    hops: hops + 1,
                    calls: tally.calls,
                    errors: tally.errors,
                    is_declared_only: tally.calls == 0,
                });
                queue.push_back((caller, hops + 1));
            }
        }
    }
    out.sort_by(|a, b| (a.hops, !a.is_hit(), &a.service).cmp(&(b.hops, !b.is_hit(), &b.service)));
    out
}

/// The blast radius of services (by slug) between two times, from calls seen in spans and from the
/// catalogue.
pub async fn blast_radius(db: &Db, broken: &[String], from: Timestamp, to: Timestamp) -> Result<Vec<Reached>> {
    let mut graph: Graph = Graph::new();
    for ((caller, callee), tally) in view::edge_tallies(db, from, to).await? {
        if let (Some(caller), Some(callee)) = (services::slug_of(&caller), services::slug_of(&callee)) {
            graph.entry((caller, callee)).or_default().merge(&tally);
        }
    }
    for edge in services::all_edges(db).await? {
        graph.entry(edge).or_default();
    }
    Ok(reached(&graph, broken))
}

#[derive(Template)]
#[template(path = "traces/_radius.html")]
struct RadiusView {
    rows: Vec<Reached>,
    more: usize,
    hit: usize,
}

impl RadiusView {
    fn share(row: &Reached) -> String {
        format!("{:.0} %", row.error_share() * 100.0)
    }
}

/// Registered in `app.rs`.
pub struct BlastRadius;

impl IncidentPanel for BlastRadius {
    fn id(&self) -> &'static str {
        "radius"
    }

    fn place(&self) -> Place {
        Place::Side
    }

    fn order(&self) -> i32 {
        27
    }

    fn render<'a>(&'a self, context: &'a PanelContext<'a>) -> BoxFuture<'a, Result<Option<Panel>>> {
        Box::pin(async move {
            let broken: Vec<String> = context.services.iter().map(|s| s.slug.clone()).collect();
            if broken.is_empty() {
                return Ok(None);
            }
            let end =
                [MilestoneName::ImpactEnded, MilestoneName::Resolved].into_iter().find_map(|m| context.times.get(m));
            let start = context.incident.started_at;
            // Calls are counted by the minute.
            let to = end.unwrap_or(context.now).min(start + LONGEST) + TimeDelta::minutes(1);
            let from = start - TimeDelta::minutes(1);
            let mut rows = blast_radius(context.db, &broken, from, to).await?;
            if rows.is_empty() {
                return Ok(None);
            }
            let (count, hit) = (rows.len(), rows.iter().filter(|r| r.is_hit()).count());
            rows.truncate(SHOWN);
            let view = RadiusView { more: count - rows.len(), rows, hit };
            let html = view.render().map_err(|e| Error::Internal(format!("rendering: {e}")))?;
            let link = broken.first().map(|s| format!("/traces/graph?service={s}")).unwrap_or_default();
            Ok(Some(Panel {
                title: "Blast radius".to_owned(),
                count: i64::try_from(count).ok(),
                link,
                html,
                ..Panel::default()
            }))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn graph(edges: &[(&str, &str, i64, i64)]) -> Graph {
        let tally = |calls, errors| {
            let mut tally = Tally::default();
            if calls > 0 {
                tally.add(1, calls, errors);
            }
            tally
        };
        edges.iter().map(|(a, b, calls, errors)| (((*a).into(), (*b).into()), tally(*calls, *errors))).collect()
    }

    #[test]
    fn callers_are_reached_and_callees_are_not() {
        let graph = graph(&[
            ("web", "checkout", 100, 40),
            ("app", "checkout", 100, 0),
            ("edge", "web", 200, 3),
            ("checkout", "db", 500, 0),
            ("batch", "checkout", 0, 0),
        ]);
        let found = reached(&graph, &["checkout".to_owned()]);
        let shown: Vec<_> =
            found.iter().map(|r| (r.service.as_str(), r.through.as_str(), r.hops, r.is_hit())).collect();
        assert_eq!(
            shown,
            [
                ("web", "checkout", 1, true),
                ("app", "checkout", 1, false),
                ("batch", "checkout", 1, false),
                ("edge", "web", 2, false)
            ]
        );
        assert!(found[2].is_declared_only && !found[1].is_declared_only);
        assert_eq!(reached(&graph, &[]), []);
    }

    proptest! {
        #[test]
        fn circles_end_and_each_comes_once(edges in proptest::collection::vec((0u8..8, 0u8..8), 0..40), broken in 0u8..8) {
            let name = |n: u8| format!("s{n}");
            let graph: Graph = edges.iter().map(|(a, b)| ((name(*a), name(*b)), Tally::default())).collect();
            let found = reached(&graph, &[name(broken)]);
            let names: BTreeSet<_> = found.iter().map(|r| &r.service).collect();
            prop_assert_eq!(names.len(), found.len());
            prop_assert!(!names.contains(&name(broken)));
            for row in &found {
                prop_assert!(row.hops >= 1 && row.hops <= MAX_HOPS);
                prop_assert!(graph.contains_key(&(row.service.clone(), row.through.clone())));
            }
        }
    }
}
