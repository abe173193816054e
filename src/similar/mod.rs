//! Similar incidents: which earlier ones resemble the one at hand, why, and what fixed them; and which
//! open ones a declaration may repeat.
//!
//! Here: finding a bounded number of candidates through indexes (the same alert, cause, deployment,
//! service, rare words), scoring them (`model`, pure), the panel, the question on the declare form and the
//! API. Not here: what any of these things are; alerts, suspects, runbooks and incidents own them.

mod api;
mod model;
mod panel;
mod service;
mod store;

pub use model::{Features, Similar};
pub use panel::{PossibleDuplicates, SimilarPanel};
pub use service::{Resembling, of_draft, of_incident};

pub fn routes() -> crate::web::Routes {
    api::routes()
}
