//! One macro for the closed sets of words that are stored as text, shown, and sent in JSON.

/// Declares an enum whose variants are words: `as_str`, `parse`, `ALL`, `Display`, and serde both
/// ways by the same words. `parse` ignores case and surrounding space.
macro_rules! text_enum {
    ($(#[$meta:meta])* pub enum $name:ident($noun:literal) { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in the database, in URLs and in JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub fn parse(text: &str) -> Option<Self> {
                let text = text.trim();
                Self::ALL.iter().copied().find(|v| v.as_str().eq_ignore_ascii_case(text))
            }

            /// The message for a word that is none of these.
            pub fn unknown(text: &str) -> String {
                let words: Vec<_> = Self::ALL.iter().map(|v| v.as_str()).collect();
                format!(concat!("'{}' is not a ", $noun, ": use one of {}"), text.trim(), words.join(", "))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| serde::de::Error::custom(Self::unknown(&text)))
            }
        }
    };
}

pub(crate) use text_enum;
