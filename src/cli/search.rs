//! `faultline search rebuild`: the index made anew from what the rooms hold.

use clap::Subcommand;

use crate::args;
use crate::db::{Db, Sql, Tx};
use crate::error::Result;
use crate::incidents::{self, IncidentId};
use crate::state::AppState;
use crate::{alerts, deployments, postmortems, runbooks, search, services};

#[derive(Subcommand)]
pub enum SearchCommand {
    /// Make the index anew; what is written meanwhile is found too
    #[command(after_help = "Example:\n  faultline search rebuild")]
    Rebuild,
}

/// Things of one transaction.
const BATCH: i64 = 200;

/// # Errors
/// What the database says.
pub async fn run(state: &AppState, command: SearchCommand) -> Result<()> {
    let SearchCommand::Rebuild = command;
    let count = rebuild(&state.db).await?;
    state.db.close().await;
    eprintln!("{count} things are found again");
    Ok(())
}

/// How many things were handed over: an incident counts once, with its timeline and postmortem.
///
/// # Errors
/// What the database says.
pub async fn rebuild(db: &Db) -> Result<usize> {
    let tx = db.begin().await?;
    search::clear(&tx).await?;
    tx.commit().await?;
    let mut count = 0;
    for kind in Kind::ALL {
        let mut after = 0;
        loop {
            let ids = ids(db, kind.table(), after).await?;
            let Some(last) = ids.last() else { break };
            after = *last;
            count += ids.len();
            let tx = db.begin().await?;
            for id in ids {
                kind.hand_over(&tx, id).await?;
            }
            tx.commit().await?;
        }
    }
    Ok(count)
}

async fn ids(db: &Db, table: &str, after: i64) -> Result<Vec<i64>> {
    let sql = format!("SELECT id FROM {table} WHERE id > $1 ORDER BY id LIMIT $2");
    Ok(db.fetch_all::<(i64,)>(Sql::built(sql), args![after, BATCH]).await?.into_iter().map(|r| r.0).collect())
}

async fn slug(tx: &Tx, table: &str, id: i64) -> Result<String> {
    tx.fetch_scalar(Sql::built(format!("SELECT slug FROM {table} WHERE id = $1")), args![id]).await
}

#[derive(Clone, Copy)]
enum Kind {
    Incident,
    Service,
    Runbook,
    Deployment,
    Alert,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Service, Self::Runbook, Self::Deployment, Self::Alert, Self::Incident];

    const fn table(self) -> &'static str {
        match self {
            Self::Incident => "incidents",
            Self::Service => "services",
            Self::Runbook => "runbooks",
            Self::Deployment => "deployments",
            Self::Alert => "alerts",
        }
    }

    async fn hand_over(self, tx: &Tx, id: i64) -> Result<()> {
        match self {
            Self::Incident => {
                incidents::reindex(tx, IncidentId(id)).await?;
                postmortems::reindex(tx, IncidentId(id)).await
            }
            Self::Service => services::reindex(tx, &slug(tx, self.table(), id).await?).await,
            Self::Runbook => runbooks::service::edit::reindex(tx, &slug(tx, self.table(), id).await?).await,
            Self::Deployment => match deployments::find(tx, id).await? {
                Some(change) => deployments::index(tx, &change).await,
                None => Ok(()),
            },
            Self::Alert => match alerts::store::find(tx, id).await? {
                Some(alert) => search::upsert_many(tx, vec![alerts::ingest::found_as(&alert)]).await,
                None => Ok(()),
            },
        }
    }
}
