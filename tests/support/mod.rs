//! The application under test: a fresh database, a clock that stands still, browsers that keep cookies.
#![allow(dead_code, reason = "each test binary uses its own part")]

mod browser;
mod database;
mod samples;

use std::sync::Arc;

use axum::Router;
use faultline::accounts::{self, Actor, Role, Scope};
use faultline::clock::{Clock, Timestamp};
use faultline::config::{Config, Settings};
use faultline::random::Random;
use faultline::state::AppState;

#[allow(unused_imports)]
pub use browser::{Answer, Browser};
pub use database::Backend;
#[allow(unused_imports)]
pub use samples::{sample, shared};

/// Monday, an hour before noon.
pub const START: &str = "2026-11-23T11:00:00Z";

/// Declares tests that run on SQLite and on PostgreSQL:
/// `on_both! { async fn name(app: TestApp) { … } }`.
#[macro_export]
macro_rules! on_both {
    ($($(#[$attr:meta])* async fn $name:ident($app:ident: TestApp) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            $(#[$attr])*
            async fn story($app: $crate::support::TestApp) $body
            #[tokio::test]
            async fn sqlite() { story($crate::support::TestApp::start($crate::support::Backend::Sqlite).await).await; }
            #[tokio::test]
            async fn postgres() { story($crate::support::TestApp::start($crate::support::Backend::Postgres).await).await; }
        }
    )*};
}

pub struct TestApp {
    pub state: AppState,
    pub router: Router,
    pub backend: Backend,
    _folder: tempfile::TempDir,
}

impl TestApp {
    pub async fn start(backend: Backend) -> Self {
        Self::start_with(backend, |_| {}).await
    }

    /// With settings of its own.
    pub async fn start_with(backend: Backend, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let db = database::fresh(backend, folder.path()).await;
        let settings = Settings { base_url: Some("http://faultline.test".into()), ..Settings::default() };
        let mut config = Config::load(settings, None).expect("a valid configuration");
        change(&mut config);
        let state = AppState {
            db,
            clock: Clock::fixed(Timestamp::parse(START).expect("a time")),
            random: Random::System,
            config: Arc::new(config),
        };
        Self { router: faultline::app::router(state.clone()), state, backend, _folder: folder }
    }

    /// The same application over the same database, with other settings.
    pub fn reconfigured(mut self, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = (*self.state.config).clone();
        change(&mut config);
        self.state.config = Arc::new(config);
        self.router = faultline::app::router(self.state.clone());
        self
    }

    /// A browser that nobody has signed in with.
    pub fn visitor(&self) -> Browser {
        Browser::new(self.router.clone())
    }

    /// A signed-in browser of a new person with this role.
    pub async fn browser(&self, role: Role) -> Browser {
        let name = format!("{role}-{}", hex::encode(self.state.random.bytes::<4>()));
        self.browser_of(&name, role).await.0
    }

    /// The same with a chosen name (also the local part of the address); gives the actor, too.
    pub async fn browser_of(&self, name: &str, role: Role) -> (Browser, Actor) {
        let tx = self.state.db.begin().await.expect("a transaction");
        let email = format!("{}@faultline.test", name.to_lowercase().replace(' ', "."));
        let id = accounts::service::add_person(&tx, self.state.now(), &email, name, role).await.expect("added");
        tx.commit().await.expect("committed");
        let secret = accounts::service::open_session(&self.state, id, "tests").await.expect("a session");
        let mut browser = self.visitor();
        browser.set_cookie("faultline", &secret);
        (browser, Actor { user_id: Some(id), token_id: None, name: name.to_owned(), role })
    }

    /// A client of the JSON API with a token of this role.
    pub async fn api(&self, role: Role) -> Browser {
        let (_, secret) = accounts::service::add_token(&self.state, &Actor::system(), "tests", Scope::Api, role)
            .await
            .expect("a token");
        let mut client = self.visitor();
        client.set_bearer(&secret);
        client
    }

    /// The secret of a new ingest token.
    pub async fn ingest_token(&self) -> String {
        accounts::service::add_token(&self.state, &Actor::system(), "sender", Scope::Ingest, Role::Viewer)
            .await
            .expect("a token")
            .1
    }

    /// A sender with an ingest token in its header.
    pub async fn sender(&self) -> Browser {
        let mut client = self.visitor();
        client.set_bearer(&self.ingest_token().await);
        client
    }

    /// Moves the clock on.
    pub fn advance(&self, by: chrono::TimeDelta) {
        self.state.clock.advance(by);
    }
}
