//! Notices of commits: in-process on SQLite, LISTEN/NOTIFY between nodes on PostgreSQL.

use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::broadcast;

/// Something changed; who shows it should load it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// `incident:12`, `alerts`, `deployments` …
    pub topic: String,
}

/// A slow page that falls further behind than this is told to reload everything.
pub(super) const BACKLOG: usize = 1024;

/// Passes PostgreSQL's notices on to the pages of this node until the pool is closed.
pub(super) fn spawn_listener(pool: PgPool, sender: broadcast::Sender<Notice>) {
    tokio::spawn(async move {
        while !pool.is_closed() {
            if let Err(error) = listen(&pool, &sender).await {
                tracing::debug!(%error, "listening for notices again");
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        }
    });
}

async fn listen(pool: &PgPool, sender: &broadcast::Sender<Notice>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen("faultline").await?;
    loop {
        let notification = listener.recv().await?;
        // An error only says that nobody listens.
        let _ = sender.send(Notice { topic: notification.payload().to_owned() });
    }
}
