//! Changes that come in through the inbox.

use futures::future::BoxFuture;

use super::hooks::MergeListener;
use super::model::ChangeSource;
use super::service;
use super::sources::{self, Merge, Parsed};
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::inbox::{Arrival, Delivery, Processor, Reading, Remark};

/// Records what deliveries of changes say. The path's `{source}` names the format.
#[derive(Default)]
pub struct ChangesProcessor {
    listeners: Vec<Box<dyn MergeListener>>,
}

impl ChangesProcessor {
    /// `listeners` hear of every merged request.
    pub fn new(listeners: Vec<Box<dyn MergeListener>>) -> Self {
        Self { listeners }
    }

    /// What became of a merged request, in one sentence.
    async fn merged(&self, tx: &Tx, merge: &Merge, now: Timestamp) -> Result<String> {
        let mut settled = Vec::new();
        for listener in &self.listeners {
            settled.extend(listener.merged(tx, merge, now).await?);
        }
        Ok(if settled.is_empty() {
            format!("{} was merged; it names no open action item", merge.name)
        } else {
            format!("{} was merged: closed {}", merge.name, settled.join(", "))
        })
    }
}

impl Processor for ChangesProcessor {
    fn process<'a>(&'a self, tx: &'a Tx, arrivals: Vec<Arrival>) -> BoxFuture<'a, Result<Vec<Remark>>> {
        Box::pin(async move {
            let mut remarks = Vec::new();
            for Arrival { delivery, .. } in arrivals {
                let parsed = read(&delivery)?;
                for change in &parsed.changes {
                    service::record(tx, change, delivery.received_at).await?;
                }
                let mut told = parsed.ignored;
                for merge in &parsed.merges {
                    told.push(self.merged(tx, merge, delivery.received_at).await?);
                }
                if let Some(why) = told.first() {
                    let more = told.len() - 1;
                    let text = if more == 0 { why.clone() } else { format!("{why} (and {more} more)") };
                    remarks.push((delivery.id, text));
                }
            }
            Ok(remarks)
        })
    }

    fn check(&self, delivery: &Delivery) -> Result<Option<Reading>> {
        read(delivery).map(|_| None)
    }
}

/// # Errors
/// `BadRequest` with the reason that the delivery cannot be read.
fn read(delivery: &Delivery) -> Result<Parsed> {
    let source = receivable(&delivery.source)
        .ok_or_else(|| Error::BadRequest(format!("'{}' is not a source of changes", delivery.source)))?;
    let headers: Vec<_> = delivery.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let raw = sources::Delivery { headers: &headers, body: &delivery.body, received_at: delivery.received_at };
    sources::parse(source, &raw).map_err(|e| Error::BadRequest(e.0))
}

/// The sources that may be named in a path: those that send deliveries.
pub fn receivable(name: &str) -> Option<ChangeSource> {
    ChangeSource::parse(name).filter(|s| !matches!(s, ChangeSource::Api | ChangeSource::Observed))
}
