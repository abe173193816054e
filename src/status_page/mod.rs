//! The public status page: what customers may know, and nothing else.
//!
//! Components stand for what customers use; notices are written as drafts and become public when
//! somebody publishes them. Everything that the public sees is in this room's own tables: no page of it
//! reads an incident, so nothing private can leak into it by a join. Here: components, notices, the
//! page, its feed and its subscribers. Not here: sending (notifications).

pub mod feed;
pub mod model;
