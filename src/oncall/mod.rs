//! On call: who of a team answers now, for teams that need no second tool.
//!
//! One rotation for each owner team: people take turns for whole days, with overrides for holidays and
//! swaps. Here: the turns, the overrides, the calendar file, paging a team for an incident, and telling
//! the next person when nobody acknowledges in time. Not here: sending the message (notifications),
//! roles in an incident (incidents).

mod api;
pub mod ical;
pub mod jobs;
pub mod model;
mod panels;
pub mod service;
mod store;
mod web;

use crate::web::Routes;

pub use panels::{IncidentOnCall, NowOnCall, ServiceOnCall};

pub fn routes() -> Routes {
    web::routes().merge(api::routes())
}
