//! Who does what while an incident is open. A role is held by one person at a time.

use crate::fields::text_enum;

text_enum! {
    /// The four parts of running an incident.
    pub enum Role("role") {
        Commander = "commander",
        Communications = "communications",
        Operations = "operations",
        Scribe = "scribe",
    }
}

impl Role {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Commander => "Commander",
            Self::Communications => "Communications",
            Self::Operations => "Operations",
            Self::Scribe => "Scribe",
        }
    }

    pub const fn duty(self) -> &'static str {
        match self {
            Self::Commander => "Leads and decides; does not type commands",
            Self::Communications => "Tells customers and colleagues",
            Self::Operations => "Makes the changes",
            Self::Scribe => "Writes the timeline",
        }
    }
}
