//! What can be found. Pure.

use crate::clock::Timestamp;
use crate::fields::text_enum;

text_enum! {
    /// Kinds of documents, in the order in which they are offered as filters.
    pub enum DocKind("kind of document") {
        Incident = "incident",
        Timeline = "timeline",
        Postmortem = "postmortem",
        Runbook = "runbook",
        Service = "service",
        Deployment = "deployment",
        Alert = "alert",
    }
}

impl DocKind {
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

    /// As it is typed after `kind:`, in singular or plural.
    pub fn typed(word: &str) -> Option<Self> {
        Self::parse(word).or_else(|| Self::parse(word.strip_suffix('s')?))
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

impl Doc {
    /// The incident that this belongs to: the private one, else the one whose page or part it is.
    pub fn incident_id(&self) -> Option<i64> {
        self.private_incident.or_else(|| {
            let rest = self.url.strip_prefix("/incidents/INC-")?;
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest.get(..end)?.parse().ok()
        })
    }
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
            assert_eq!(DocKind::typed(kind.as_str()), Some(*kind));
        }
        assert_eq!(DocKind::typed("Runbooks"), Some(DocKind::Runbook));
        assert_eq!(DocKind::typed("x"), None);
    }

    #[test]
    fn a_part_of_an_incident_belongs_to_it() {
        let doc = |url: &str, private_incident| Doc {
            kind: DocKind::Timeline,
            id: "1".into(),
            title: String::new(),
            text: String::new(),
            url: url.into(),
            private_incident,
            at: Timestamp::from_secs(0),
        };
        assert_eq!(doc("/incidents/INC-12/timeline#entry-3", None).incident_id(), Some(12));
        assert_eq!(doc("/incidents/INC-12", None).incident_id(), Some(12));
        assert_eq!(doc("/evidence/9", Some(4)).incident_id(), Some(4));
        assert_eq!(doc("/runbooks/INC-12", None).incident_id(), None);
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(clip("aéb", 2), "a");
        assert_eq!(clip("aéb", 3), "aé");
        assert_eq!(clip("aéb", 9), "aéb");
    }
}
