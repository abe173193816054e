//! The timeline's two layers and the kinds of entry.
//!
//! *Activity* is what the system wrote because something was done; *story* is what a reader of the
//! postmortem needs. Promoting an entry moves it from the one layer to the other.

use crate::fields::text_enum;

text_enum! {
    pub enum Layer("timeline layer") {
        Activity = "activity",
        Story = "story",
    }
}

text_enum! {
    /// What an entry is about: picks its mark on the page, and lets a reader filter.
    pub enum EntryKind("kind of timeline entry") {
        /// Written by a person.
        Note = "note",
        Declared = "declared",
        Status = "status",
        Severity = "severity",
        Milestone = "milestone",
        Role = "role",
        Service = "service",
        Details = "details",
        Access = "access",
        Alert = "alert",
        Deployment = "deployment",
        Trace = "trace",
        Suspect = "suspect",
        Evidence = "evidence",
        Task = "task",
        Runbook = "runbook",
        /// One executed step of a runbook: what the postmortem lists as how it was recovered.
        RecoveryStep = "recovery_step",
        Merge = "merge",
        Link = "link",
        Impact = "impact",
        Postmortem = "postmortem",
        Notification = "notification",
        StatusPage = "status_page",
        Maintenance = "maintenance",
        /// From a chat export or another tool.
        Import = "import",
    }
}

impl EntryKind {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Note => "Note",
            Self::Declared => "Declared",
            Self::Status => "Status",
            Self::Severity => "Severity",
            Self::Milestone => "Time",
            Self::Role => "Role",
            Self::Service => "Service",
            Self::Details => "Details",
            Self::Access => "Access",
            Self::Alert => "Alert",
            Self::Deployment => "Change",
            Self::Trace => "Trace",
            Self::Suspect => "Suspect",
            Self::Evidence => "Evidence",
            Self::Task => "Task",
            Self::Runbook => "Runbook",
            Self::RecoveryStep => "Recovery step",
            Self::Merge => "Merge",
            Self::Link => "Link",
            Self::Impact => "Impact",
            Self::Postmortem => "Postmortem",
            Self::Notification => "Notification",
            Self::StatusPage => "Status page",
            Self::Maintenance => "Maintenance",
            Self::Import => "Import",
        }
    }
}
