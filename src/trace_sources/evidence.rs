//! A trace as evidence that may not be here yet: what the store knows is attached whole at once, the rest
//! is fetched.

use std::collections::BTreeMap;

use futures::future::BoxFuture;

use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::incidents::EvidenceKind;
use crate::incidents::hooks::{Attached, EvidenceSource, Progress, Resolved};
use crate::incidents::record::{Evidence, Snapshot};
use crate::traces::TraceEvidence;

use super::model::FetchState;
use super::{service, store};

/// How incidents take traces in, show what they kept, and see one on its way. Registered in `app.rs`.
pub struct RemoteTraces;

impl EvidenceSource for RemoteTraces {
    fn kind(&self) -> EvidenceKind {
        EvidenceKind::Trace
    }

    fn resolve<'a>(&'a self, db: &'a Db, reference: &'a str) -> BoxFuture<'a, Result<Resolved>> {
        Box::pin(async move {
            let absent = match TraceEvidence.resolve(db, reference).await {
                Err(Error::Invalid(complaint)) => complaint,
                other => return other,
            };
            let Some((key, pasted)) = service::resolvable(db, reference).await? else {
                return Err(Error::Invalid(absent));
            };
            Ok(Resolved {
                title: format!("Trace {key}"),
                url: pasted.page.map(|p| p.url.to_string()).unwrap_or_default(),
                reference: key,
                topic: String::new(),
                occurred_at: None,
                snapshot: None,
            })
        })
    }

    fn attached<'a>(&'a self, tx: &'a Tx, piece: &'a Attached<'a>, now: Timestamp) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if piece.is_kept {
                return Ok(());
            }
            let named = (piece.reference, piece.pasted);
            service::request_for_evidence(tx, piece.incident, piece.evidence_id, named, piece.by, now).await
        })
    }

    fn progress<'a>(&'a self, db: &'a Db, pieces: &'a [i64]) -> BoxFuture<'a, Result<BTreeMap<i64, Progress>>> {
        Box::pin(async move {
            let mut all = BTreeMap::new();
            for fetch in store::of_evidence(db, pieces).await? {
                let Some(piece) = fetch.evidence_id else { continue };
                let can_retry = matches!(fetch.state, FetchState::Failed | FetchState::Linked);
                all.insert(
                    piece,
                    Progress {
                        line: fetch.line(),
                        is_open: fetch.is_open(),
                        is_failed: fetch.state == FetchState::Failed,
                        retry: can_retry.then(|| format!("/trace-fetches/{}/retry", fetch.id)),
                    },
                );
            }
            Ok(all)
        })
    }

    fn draw(&self, evidence: &Evidence, snapshot: &Snapshot) -> Result<Option<String>> {
        TraceEvidence.draw(evidence, snapshot)
    }
}
