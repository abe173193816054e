//! What a trace says: its tree, its waterfall, its first error, and how it differs from another.
//!
//! Pure and deterministic: the same spans give the same answer in whatever order they came. Nothing
//! here knows the store, HTTP or pages. One [`tree::TraceTree`] is built per trace; everything else
//! reads it.

pub mod compare;
pub mod critical_path;
pub mod first_error;
pub mod skew;
#[cfg(test)]
pub(crate) mod testing;
pub mod tree;
pub mod waterfall;
