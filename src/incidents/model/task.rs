//! Tasks of an incident: what must be done now, and what follows later.

use crate::fields::text_enum;

text_enum! {
    /// When it is due: during the incident, or after it.
    pub enum TaskKind("task kind") {
        Now = "now",
        FollowUp = "follow_up",
    }
}

text_enum! {
    pub enum TaskState("task state") {
        Open = "open",
        Done = "done",
        Cancelled = "cancelled",
    }
}

impl TaskKind {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Now => "Now",
            Self::FollowUp => "Follow-up",
        }
    }
}
