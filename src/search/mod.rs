//! Search: one box over everything that has words.
//!
//! Other rooms hand over a [`Doc`] in their own transaction whenever something they own changes; this
//! room keeps the index, reads queries, ranks and highlights. Here: tokens, queries, jumps, ranking, the
//! index, the page and the palette. Not here: what the documents mean, and who may see a private
//! incident (each document only carries the incident that makes it private).

pub mod model;
pub mod query;
pub mod rank;
pub mod tokens;

pub use model::{Doc, DocKind};
