//! What people and machines send, before and after it was checked.
//!
//! An `…Input` holds what was typed, so that a refused form can be shown again unchanged; the same
//! type reads the JSON body. Its `normalize` gives the clean value, or every complaint at once.

mod attach;
mod course;
mod declare;

pub use attach::{EvidenceInput, NewEvidence, NewTask, Patch, PatchInput, TaskInput};
pub use course::{
    EditEntryInput, MilestoneInput, NewEntry, NextUpdateInput, SetMilestone, StatusChange, StatusInput, TimelineInput,
};
pub use declare::{Declare, DeclareInput, NewMilestone};

/// Limits in characters: generous for people, small enough that a page stays bounded.
pub const MAX_REASON: usize = 1_000;
pub const MAX_SUMMARY: usize = 10_000;
pub const MAX_ENTRY: usize = 20_000;
/// A log excerpt that is kept as evidence.
pub const MAX_EXCERPT: usize = 200_000;
/// Services of one incident.
pub const MAX_SERVICES: usize = 50;
