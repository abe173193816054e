//! `faultline bench-data`: many plain incidents in the configured database, to measure with.

use crate::demo::bulk;
use crate::error::Result;
use crate::state::AppState;

/// # Errors
/// What the database says.
#[expect(clippy::print_stdout, reason = "the command's answer belongs on standard output")]
pub async fn run(state: &AppState, count: usize, years: i64) -> Result<()> {
    bulk::fill(&state.db, count, years.clamp(1, 50), state.now()).await?;
    println!("{count} incidents over {years} years added to {}", state.config.database_url);
    Ok(())
}
