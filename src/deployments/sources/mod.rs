//! From a delivery as some system sends it to [`ChangeEvent`]s. One file for each system.
//!
//! Adapters are pure and forgiving: unknown fields are ignored, a number where a text is expected is
//! read as text, and a missing optional field stays empty. What cannot be a change is not an error but
//! is [ignored](Parsed::ignored) with a reason, so that a sender may send us everything it has.
//! Not here: verifying who sent it and storing what came (the inbox).

mod argocd;
mod cdevents;
mod generic;
mod github;
mod gitlab;
mod json;
mod pagerduty_change;
mod sentry_release;

pub use generic::DERIVED;

use crate::clock::Timestamp;
use crate::deployments::model::{ChangeEvent, ChangeSource};

/// One delivery as received: headers with lower-case names, and the body's bytes.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    pub headers: &'a [(String, String)],
    pub body: &'a [u8],
    pub received_at: Timestamp,
}

impl Delivery<'_> {
    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// What a delivery held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    pub changes: Vec<ChangeEvent>,
    /// Code that was merged: nothing runs yet, but it may name what it settles.
    pub merges: Vec<Merge>,
    /// Why the rest of it is no change, one sentence each.
    pub ignored: Vec<String>,
}

/// A pull or merge request that went into its repository's default branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// As people write it: `acme/shop#12`, `acme/shop!12`.
    pub name: String,
    /// Title and description, at most [`MAX_WORDS`] characters of each.
    pub words: String,
}

/// Most characters of a merged request's title, and of its description, that are looked through.
const MAX_WORDS: usize = 10_000;

impl Merge {
    fn new(name: String, title: Option<String>, description: Option<String>) -> Self {
        let cut = |text: Option<String>| text.unwrap_or_default().chars().take(MAX_WORDS).collect::<String>();
        Self { name, words: format!("{}\n{}", cut(title), cut(description)) }
    }
}

impl Parsed {
    fn one(event: ChangeEvent) -> Self {
        Self { changes: vec![event], ..Self::default() }
    }

    fn ignore(why: impl Into<String>) -> Self {
        Self { ignored: vec![why.into()], ..Self::default() }
    }

    /// A request that was merged into `into`; one that went into another branch than the default is on its
    /// way, and will be told of again.
    fn merged(merge: Merge, into: Option<String>, default_branch: Option<String>) -> Self {
        match (into, default_branch) {
            (Some(into), Some(default)) if into != default => {
                Self::ignore(format!("merged into '{into}', which is not the default branch '{default}'"))
            }
            _ => Self { merges: vec![merge], ..Self::default() },
        }
    }

    fn absorb(&mut self, other: Self) {
        self.changes.extend(other.changes);
        self.merges.extend(other.merges);
        self.ignored.extend(other.ignored);
    }
}

/// Why a delivery cannot be read at all; shown to the sender and to the admin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

impl Unreadable {
    fn missing(field: &str) -> Self {
        Self(format!("'{field}' is missing or empty"))
    }
}

/// Most changes that one delivery may carry; beyond it the sender is told to split.
pub const MAX_CHANGES: usize = 1000;

/// Reads a delivery of the named source. Every change in the answer is normalised.
pub fn parse(source: ChangeSource, delivery: &Delivery<'_>) -> Result<Parsed, Unreadable> {
    let mut parsed = match source {
        ChangeSource::Github => github::parse(delivery),
        ChangeSource::Gitlab => gitlab::parse(delivery),
        ChangeSource::Argocd => argocd::parse(delivery),
        ChangeSource::Cdevents => cdevents::parse(delivery),
        ChangeSource::Pagerduty => pagerduty_change::parse(delivery),
        ChangeSource::Sentry => sentry_release::parse(delivery),
        ChangeSource::Generic | ChangeSource::Api => generic::parse(delivery),
        ChangeSource::Observed => Err(Unreadable("observed changes come from spans, not from a delivery".into())),
    }?;
    if parsed.changes.len() > MAX_CHANGES {
        return Err(Unreadable(format!("{} changes in one delivery; at most {MAX_CHANGES}", parsed.changes.len())));
    }
    let changes =
        std::mem::take(&mut parsed.changes).into_iter().map(|c| c.normalised(delivery.received_at)).collect::<Vec<_>>();
    if let Some(nameless) = changes.iter().position(|c| c.service.is_empty()) {
        return Err(Unreadable(format!("change {} names no service", nameless + 1)));
    }
    Ok(Parsed { changes, ..parsed })
}

#[cfg(test)]
mod tests;
