//! The actions on traces: taking spans in ([`ingest`]), counting settled traces ([`settle`]), finding
//! and explaining ([`view`]), forgetting ([`retention`]).

pub mod ingest;
pub mod retention;
pub mod settle;
pub mod view;

pub use ingest::SpanStore;
