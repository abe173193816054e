//! Changes that come in through the inbox.

use futures::future::BoxFuture;

use super::model::ChangeSource;
use super::service;
use super::sources::{self, Parsed};
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::inbox::{Delivery, Processor, Remark};

/// Records what deliveries of changes say. The path's `{source}` names the format.
pub struct ChangesProcessor;

impl Processor for ChangesProcessor {
    fn process<'a>(&'a self, tx: &'a Tx, deliveries: &'a [Delivery]) -> BoxFuture<'a, Result<Vec<Remark>>> {
        Box::pin(async move {
            let mut remarks = Vec::new();
            for delivery in deliveries {
                let parsed = read(delivery)?;
                for change in &parsed.changes {
                    service::record(tx, change, delivery.received_at).await?;
                }
                if let Some(why) = parsed.ignored.first() {
                    let more = parsed.ignored.len() - 1;
                    let text = if more == 0 { why.clone() } else { format!("{why} (and {more} more)") };
                    remarks.push((delivery.id, text));
                }
            }
            Ok(remarks)
        })
    }

    fn check(&self, delivery: &Delivery) -> Result<()> {
        read(delivery).map(drop)
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
