//! Search: one box over everything that has words.
//!
//! Other rooms hand over a [`Doc`] in their own transaction whenever something they own changes; this
//! room keeps the index, reads queries, ranks and highlights. Here: tokens, queries, jumps, ranking, the
//! index, the page and the palette. Not here: what the documents mean. A document of a private incident
//! is found only by those whom that incident names, and by administrators.

mod gather;
pub mod model;
pub mod query;
pub mod rank;
mod service;
mod store;
pub mod tokens;
mod web;

pub use gather::gathering;
pub use model::{Doc, DocKind};
pub use query::Query;
pub use service::{
    Found, Hit, clear, jump_target, remove, search, search_in, set_private, titled, upsert, upsert_many, upsert_of,
};
pub use store::{Narrow, Reader};

pub fn routes() -> crate::web::Routes {
    web::routes()
}
