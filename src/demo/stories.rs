//! What goes wrong at Meridian Market: the causes, and how each of them usually unfolds.
//!
//! Texts hold places to fill: `{service}` (the broken one), `{caller}` (who feels it first),
//! `{version}` and `{old}` (of the guilty deployment and the one before), `{n}` (a number).

mod changes;
mod loads;
mod outside;

/// What kind of change broke it, if one did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guilty {
    Deployment,
    Configuration,
    FeatureFlag,
    Nothing,
}

/// One sentence of the record: at which share of the time from detection to resolution, and
/// whether it belongs to the story that a reader of the postmortem needs.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub share: f64,
    pub story: bool,
    pub text: &'static str,
}

const fn story(share: f64, text: &'static str) -> Line {
    Line { share, story: true, text }
}

const fn note(share: f64, text: &'static str) -> Line {
    Line { share, story: false, text }
}

/// Medians in minutes: impact to detection, detection to acknowledgement, acknowledgement to
/// mitigation, mitigation to resolution.
pub type Medians = [f64; 4];

/// A cause, and how it plays out.
#[derive(Clone, Copy, Debug)]
pub struct Story {
    pub key: &'static str,
    pub weight: usize,
    pub titles: &'static [&'static str],
    /// Services it can strike; empty means any.
    pub strikes: &'static [&'static str],
    pub guilty: Guilty,
    /// Name and summary of the alert that fires for the broken service.
    pub alert: (&'static str, &'static str),
    /// The exception at the deepest span of a failed trace.
    pub error: (&'static str, &'static str),
    /// Slug of the fitting runbook of those that ship with Faultline.
    pub runbook: &'static str,
    pub medians: Medians,
    pub lines: &'static [Line],
    pub cause: &'static str,
    pub mitigation: &'static str,
    pub lesson: &'static str,
    pub actions: &'static [&'static str],
}

/// All stories, in a fixed order.
pub fn all() -> impl Iterator<Item = &'static Story> + Clone {
    changes::STORIES.iter().chain(&loads::STORIES).chain(&outside::STORIES)
}

/// What the places in a text stand for.
#[derive(Clone, Debug)]
pub struct Places {
    pub service: String,
    pub caller: String,
    pub version: String,
    pub old: String,
    pub n: i64,
}

impl Places {
    pub fn fill(&self, text: &str) -> String {
        text.replace("{service}", &self.service)
            .replace("{caller}", &self.caller)
            .replace("{version}", &self.version)
            .replace("{old}", &self.old)
            .replace("{n}", &self.n.to_string())
    }
}

/// What an empty choice falls back to; the weights make that impossible.
pub(super) static FALLBACK: Story = changes::STORIES[0];
