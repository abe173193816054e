//! Taking in the folder: at start, and whenever it changes.
//!
//! The rule when file and page differ: whichever changed wins while the other stood still. When both
//! changed since they were last equal, the page stays current, the file's text is kept as a version
//! that *waits*, and the runbook's page shows both texts until a person decides. A file that breaks
//! leaves the last good version in use and is listed with its problems; a file that disappears leaves
//! the runbook usable and marked.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::incidents::By;

use super::super::model::record::{Head, Origin};
use super::super::model::{self, ParsedRunbook, Problem};
use super::super::store::{problems, runbooks as store};
use super::edit::{self, Draft, Which};
use super::folder::{self, FolderFile};
use super::get_version;

/// What a reading of the folder did, by file name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// New or changed, and in use now.
    pub taken: Vec<String>,
    /// Changed here and there: waits for a person.
    pub waiting: Vec<String>,
    pub broken: Vec<String>,
    pub disappeared: Vec<String>,
}

impl Report {
    pub const fn is_empty(&self) -> bool {
        self.taken.is_empty() && self.waiting.is_empty() && self.broken.is_empty() && self.disappeared.is_empty()
    }
}

/// Reads the folder and takes in what changed.
///
/// # Errors
/// `Unavailable` when the folder cannot be listed or the database is away. Broken files are no error.
pub async fn sync_folder(db: &Db, path: &Path, now: Timestamp) -> Result<Report> {
    let owned = path.to_owned();
    let files = tokio::task::spawn_blocking(move || folder::read(&owned))
        .await
        .map_err(|e| Error::Internal(format!("reading the runbooks' folder: {e}")))?
        .map_err(|e| Error::Unavailable(format!("the runbooks' folder {}: {e}", path.display())))?;
    take_in(db, &files, now).await
}

/// Takes in what changed among these files. Unchanged ones cost nothing but a comparison.
pub async fn take_in(db: &Db, files: &[FolderFile], now: Timestamp) -> Result<Report> {
    let known: HashMap<String, (String, bool)> =
        store::files(db).await?.into_iter().map(|(file, hash, missing)| (file, (hash, missing))).collect();
    let broken: HashMap<String, String> = problems::hashes(db).await?.into_iter().collect();
    let mut report = Report::default();
    for file in files {
        let hash = match &file.content {
            Ok(text) => model::content_hash(text),
            Err(reason) => model::content_hash(reason),
        };
        let stands = known.get(&file.name).is_some_and(|(read, missing)| *read == hash && !missing);
        let listed = broken.get(&file.name);
        // Unchanged when in use or known to be broken; but a stale list of problems is cleared.
        if listed.is_some_and(|read| *read == hash) || (stands && listed.is_none()) {
            continue;
        }
        let tx = db.begin().await?;
        take_in_file(&tx, file, &hash, &mut report, now).await?;
        tx.commit().await?;
    }
    forget_missing(db, files, &known, &broken, &mut report, now).await?;
    Ok(report)
}

async fn take_in_file(tx: &Tx, file: &FolderFile, hash: &str, report: &mut Report, now: Timestamp) -> Result<()> {
    let parsed = match &file.content {
        Ok(text) => model::parse(text).map(|parsed| (text, parsed)),
        Err(reason) => Err(vec![Problem::error(1, "file", reason.clone())]),
    };
    match parsed {
        Ok((text, parsed)) => {
            if parsed.warnings.is_empty() {
                problems::remove(tx, &file.name).await?;
            } else {
                problems::put(tx, &file.name, hash, &parsed.warnings, now).await?;
            }
            take_in_text(tx, file, hash, text, &parsed, report, now).await
        }
        Err(found) => {
            problems::put(tx, &file.name, hash, &found, now).await?;
            report.broken.push(file.name.clone());
            Ok(())
        }
    }
}

async fn take_in_text(
    tx: &Tx,
    file: &FolderFile,
    hash: &str,
    text: &str,
    parsed: &ParsedRunbook,
    report: &mut Report,
    now: Timestamp,
) -> Result<()> {
    let by = By::system("Folder");
    let draft = Draft { source: text.to_owned(), note: file.name.clone(), origin: Origin::File };
    let slug = file.slug();
    let Some(runbook) = store::find(tx, &slug).await? else {
        // `None` when another node was faster: it took in the same file.
        let Some(id) = store::insert(tx, &slug, &Head::of(parsed), now).await? else { return Ok(()) };
        edit::write_version(tx, &Which { id, slug: &slug, base: 0 }, parsed, &draft, &by, now).await?;
        store::set_file(tx, id, &file.name, hash).await?;
        report.taken.push(file.name.clone());
        return Ok(());
    };
    let current = get_version(tx, &runbook, runbook.version).await?;
    if current.hash == hash {
        store::set_pending(tx, runbook.id, None).await?;
    } else if runbook.file_hash.as_deref() == Some(hash) {
        // The file is back as it was; the page had changed meanwhile, and stays.
    } else if runbook.file_hash.as_deref() == Some(current.hash.as_str()) {
        let which = Which { id: runbook.id, slug: &slug, base: runbook.version };
        edit::write_version(tx, &which, parsed, &draft, &by, now).await?;
        store::set_pending(tx, runbook.id, None).await?;
        report.taken.push(file.name.clone());
    } else {
        let number = edit::add_version(tx, runbook.id, &draft, &by, now).await?;
        store::set_pending(tx, runbook.id, Some(number)).await?;
        tx.announce("runbooks");
        report.waiting.push(file.name.clone());
    }
    store::set_file(tx, runbook.id, &file.name, hash).await
}

/// Marks what is not in the folder any more.
async fn forget_missing(
    db: &Db,
    files: &[FolderFile],
    known: &HashMap<String, (String, bool)>,
    broken: &HashMap<String, String>,
    report: &mut Report,
    now: Timestamp,
) -> Result<()> {
    let present: HashSet<&str> = files.iter().map(|f| f.name.as_str()).collect();
    let mut gone: Vec<&String> = known
        .iter()
        .filter(|(name, (_, missing))| !missing && !present.contains(name.as_str()))
        .map(|(name, _)| name)
        .collect();
    gone.sort();
    let forgotten: Vec<&String> = broken.keys().filter(|name| !present.contains(name.as_str())).collect();
    if gone.is_empty() && forgotten.is_empty() {
        return Ok(());
    }
    let tx = db.begin().await?;
    for name in gone {
        store::set_missing(&tx, name, Some(now)).await?;
        report.disappeared.push(name.clone());
    }
    for name in forgotten {
        problems::remove(&tx, name).await?;
    }
    tx.announce("runbooks");
    tx.commit().await
}
