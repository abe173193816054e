//! How often the ranking is right: on labelled failures from a folder, on made ones, and on calm stretches.
//!
//! The cases go through [`super::ranking::rank`], the same as a live incident's. Labels are looked at only here,
//! after ranking. [`load`] reads the folder, [`score`] counts, [`trial`] runs the comparisons behind the tables of
//! docs/suspects.md, [`print`](mod@print) writes them.

mod less;
pub mod load;
pub mod print;
pub mod score;
pub mod trial;
