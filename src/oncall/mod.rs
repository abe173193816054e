//! On call: who of a team answers now, for teams that need no second tool.
//!
//! One rotation for each owner team: people take turns for whole days, with overrides for holidays and
//! swaps. Here: the turns, the overrides, the calendar file, and telling the next person when nobody
//! acknowledges in time. Not here: sending the message (notifications), roles in an incident (incidents).

pub mod ical;
pub mod model;
