//! The cookie of somebody signed in, for requests to the router in process.

use faultline::accounts::{self, Role};
use faultline::state::AppState;

/// The `cookie` header of a new session of a new person.
pub async fn cookie(state: &AppState, role: Role) -> String {
    let tx = state.db.begin().await.expect("a transaction");
    let email = "bench@example.org";
    let user = accounts::service::add_person(&tx, state.clock.now(), email, "Bench", role).await.expect("added");
    tx.commit().await.expect("committed");
    let secret = accounts::service::open_session(state, user, "bench").await.expect("a session");
    format!("faultline={secret}")
}
