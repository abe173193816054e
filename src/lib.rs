//! Faultline: from the first signal of a failure to the lesson learned.

pub mod charts;
pub mod clock;
pub mod error;
pub mod markdown;
pub mod incidents;
pub mod reports;
pub mod seeded;
