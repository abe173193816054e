//! Runbooks that come with an imported incident: its runs pin a text, which must be here to be read.

use crate::clock::Timestamp;
use crate::db::Tx;
use crate::error::Result;
use crate::incidents::By;

use super::super::model::record::Origin;
use super::super::model::{self};
use super::super::store::runbooks as store;
use super::edit::{self, Draft};

/// Runbook and number of the version with this text. A runbook that is not here is added in the archive, so that it is
/// not offered to anybody; a text that is not here becomes an earlier version, so that what is current stays.
///
/// # Errors
/// `Invalid` when the text is no runbook.
pub async fn adopt(tx: &Tx, slug: &str, source: &str, by: &By, now: Timestamp) -> Result<(i64, i64)> {
    let draft =
        Draft { source: source.to_owned(), note: "Came with an imported incident".to_owned(), origin: Origin::Api };
    let Some(standing) = store::find(tx, slug).await? else {
        let added = edit::create(tx, Some(slug), &draft, by, now).await?;
        edit::archive(tx, &added.slug, true, now).await?;
        return Ok((added.id, added.version));
    };
    if let Some(number) = store::number_of_hash(tx, standing.id, &model::content_hash(source)).await? {
        return Ok((standing.id, number));
    }
    edit::check(source)?;
    Ok((standing.id, edit::add_version(tx, standing.id, &draft, by, now).await?))
}
