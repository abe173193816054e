//! What can be found. Pure.

use crate::clock::Timestamp;

/// Kinds of documents, in the order in which they are offered as filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DocKind {
    Incident,
    Timeline,
    Postmortem,
    Runbook,
    Service,
    Deployment,
    Alert,
}

impl DocKind {
    pub const ALL: [Self; 7] =
        [Self::Incident, Self::Timeline, Self::Postmortem, Self::Runbook, Self::Service, Self::Deployment, Self::Alert];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Incident => "incident",
            Self::Timeline => "timeline",
            Self::Postmortem => "postmortem",
            Self::Runbook => "runbook",
            Self::Service => "service",
            Self::Deployment => "deployment",
            Self::Alert => "alert",
        }
    }

    /// For people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Incident => "Incidents",
            Self::Timeline => "Timeline",
            Self::Postmortem => "Postmortems",
            Self::Runbook => "Runbooks",
            Self::Service => "Services",
            Self::Deployment => "Deployments",
            Self::Alert => "Alerts",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        let word = word.trim().to_ascii_lowercase();
        Self::ALL.into_iter().find(|k| k.as_str() == word || word.strip_suffix('s') == Some(k.as_str()))
    }
}

/// One findable thing, as its own room describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doc {
    pub kind: DocKind,
    /// Names the thing within its kind; handing over the same one again replaces it.
    pub id: String,
    pub title: String,
    pub text: String,
    /// From the root: `/incidents/INC-12`.
    pub url: String,
    /// The private incident that this belongs to: only those who may see that incident find it.
    pub private_incident: Option<i64>,
    /// When it happened or was last changed; newer things rank higher.
    pub at: Timestamp,
}

/// So much of a text is indexed, in bytes. What is longer keeps its beginning.
pub const MAX_INDEXED_BYTES: usize = 64 * 1024;

/// The first `max` bytes of a text, cut between characters.
pub fn clip(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let end = (0..=max).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_in_singular_and_plural() {
        for kind in DocKind::ALL {
            assert_eq!(DocKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(DocKind::parse("Runbooks"), Some(DocKind::Runbook));
        assert_eq!(DocKind::parse("x"), None);
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(clip("aéb", 2), "a");
        assert_eq!(clip("aéb", 3), "aé");
        assert_eq!(clip("aéb", 9), "aéb");
    }
}
