//! How two incidents belong together.

use crate::fields::text_enum;

text_enum! {
    /// What another incident is to this one.
    pub enum Relation("relation") {
        /// This one is a part of the other, larger one.
        Parent = "parent",
        /// The other one is a part of this one.
        Child = "child",
        Related = "related",
        /// The other one brought this one about.
        CausedBy = "caused_by",
        /// The same fault; work may go on in both. Merging ends one of them.
        Duplicate = "duplicate",
    }
}

impl Relation {
    /// Read after "this incident is".
    pub const fn label(self) -> &'static str {
        match self {
            Self::Parent => "part of",
            Self::Child => "made up of",
            Self::Related => "related to",
            Self::CausedBy => "caused by",
            Self::Duplicate => "a duplicate of",
        }
    }

    /// The same link, told from the other incident.
    pub const fn reverse_label(self) -> &'static str {
        match self {
            Self::Parent => "made up of",
            Self::Child => "part of",
            Self::Related => "related to",
            Self::CausedBy => "the cause of",
            Self::Duplicate => "a duplicate of",
        }
    }

    /// Kept as the parent of one of the two, of which an incident has one.
    pub const fn is_parenthood(self) -> bool {
        matches!(self, Self::Parent | Self::Child)
    }
}
