//! Incidents: the heart of Faultline. What lives here: the record of an incident (head, milestones
//! with provenance, two-layer timeline, evidence, tasks, roles, access), its rules, its pages, the
//! dashboard, and its API. What does not: alerts, changes, traces, suspects, runbooks, postmortems;
//! those rooms import this one and register what they add to its page in [`hooks`].
//!
//! Other rooms use what is re-exported here and nothing deeper. Everything that changes something
//! takes the caller's transaction and who did it ([`By`]).

mod actions;
mod api;
pub mod hooks;
pub mod model;
mod service;
mod store;
mod web;

use crate::web::Routes;

pub use model::input::{Declare, DeclareInput, NewMilestone};
pub use model::record::{self, Incident};
pub use model::{EntryKind, EvidenceKind, IncidentId, Kind, Layer, MilestoneName, Severity, Source, Status};
pub use service::declare::declare;
pub use service::details::{add_service, change_details, services};
pub use service::events::{self, EventKind, IncidentEvent};
pub use service::evidence::{Attach, NewSnapshot, add_evidence, complete_evidence, keep_snapshot, link_evidence};
pub use service::merge::{merge, merged_into, unmerge};
pub use service::milestones::{clear_milestone, milestones, offer_milestone, set_milestone, times};
pub use service::people::{Person, assign_role, grant_access, revoke_access, roles};
pub use service::status::change_status;
pub use service::timeline::{Append, append_timeline};
pub use service::{By, evidence, get_visible, people, status, tasks, timeline};
pub use store::lists::{Filter, Viewer, page, visible};
pub use web::{OpenIncidents, ServiceIncidents};

/// Needs [`hooks::Hooks`] as an extension of the router.
pub fn routes() -> Routes {
    web::routes().merge(api::routes())
}
