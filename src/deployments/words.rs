//! The closed sets of words about changes, and the many spellings of them that pipelines use.

use crate::fields::text_enum;

text_enum! {
    /// What was changed.
    pub enum ChangeKind("kind of change") {
        Deployment = "deployment",
        Rollback = "rollback",
        Configuration = "configuration",
        FeatureFlag = "feature_flag",
        Infrastructure = "infrastructure",
    }
}

text_enum! {
    /// How far a change has come. The order of the variants is the order of progress.
    pub enum ChangeStatus("status of a change") {
        Pending = "pending",
        Started = "started",
        Cancelled = "cancelled",
        Failed = "failed",
        Succeeded = "succeeded",
    }
}

text_enum! {
    /// Who told us of a change.
    pub enum ChangeSource("source of changes") {
        Github = "github",
        Gitlab = "gitlab",
        Argocd = "argocd",
        Cdevents = "cdevents",
        Pagerduty = "pagerduty",
        Sentry = "sentry",
        Generic = "generic",
        /// `POST /api/v1/deployments` and `faultline deploy`.
        Api = "api",
        /// A `service.version` that changed in the service's own spans.
        Observed = "observed",
    }
}

impl ChangeKind {
    /// For people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::Rollback => "Rollback",
            Self::Configuration => "Configuration",
            Self::FeatureFlag => "Feature flag",
            Self::Infrastructure => "Infrastructure",
        }
    }

    /// The many spellings that pipelines use.
    pub fn parse_lenient(word: &str) -> Option<Self> {
        match word.trim().to_ascii_lowercase().replace(['-', ' '], "_").as_str() {
            "deployment" | "deploy" | "release" | "upgrade" => Some(Self::Deployment),
            "rollback" | "roll_back" | "revert" => Some(Self::Rollback),
            "configuration" | "config" => Some(Self::Configuration),
            "feature_flag" | "flag" | "featureflag" => Some(Self::FeatureFlag),
            "infrastructure" | "infra" => Some(Self::Infrastructure),
            _ => None,
        }
    }
}

impl ChangeStatus {
    /// For people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Started => "In progress",
            Self::Cancelled => "Cancelled",
            Self::Failed => "Failed",
            Self::Succeeded => "Succeeded",
        }
    }

    /// The many spellings that pipelines use.
    pub fn parse_lenient(word: &str) -> Option<Self> {
        match word.trim().to_ascii_lowercase().replace(['-', ' '], "_").as_str() {
            "pending" | "queued" | "created" | "waiting" | "requested" | "blocked" | "scheduled" => Some(Self::Pending),
            "started" | "running" | "in_progress" | "progressing" | "terminating" => Some(Self::Started),
            "succeeded" | "success" | "successful" | "finished" | "completed" | "passed" | "ok" => {
                Some(Self::Succeeded)
            }
            "failed" | "failure" | "error" | "errored" | "timed_out" | "startup_failure" => Some(Self::Failed),
            "cancelled" | "canceled" | "aborted" | "stopped" => Some(Self::Cancelled),
            _ => None,
        }
    }

    /// 0 not begun, 1 under way, 2 over.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Started => 1,
            Self::Cancelled | Self::Failed | Self::Succeeded => 2,
        }
    }

    pub const fn is_over(self) -> bool {
        self.rank() == 2
    }
}
