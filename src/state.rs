//! What every handler and job shares. The rooms depend on this; it depends on no room.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::random::Random;

/// Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    pub db: Db,
    pub clock: Clock,
    pub random: Random,
    pub config: Arc<Config>,
}

impl AppState {
    pub fn now(&self) -> crate::clock::Timestamp {
        self.clock.now()
    }
}
