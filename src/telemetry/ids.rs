//! Trace and span ids in their one normal form.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// 128 bits, never zero, written as 32 lower-case hex digits. Systems with 64-bit ids use the low half.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(u128);

/// 64 bits, never zero, written as 16 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(u64);

impl TraceId {
    /// `None` for zero, which every format uses for "no trace".
    pub const fn new(bits: u128) -> Option<Self> {
        if bits == 0 { None } else { Some(Self(bits)) }
    }

    /// Exactly 16 bytes, as OTLP sends them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let array: [u8; 16] = bytes.try_into().map_err(|_| format!("trace id has {} bytes, not 16", bytes.len()))?;
        Self::new(u128::from_be_bytes(array)).ok_or_else(|| "trace id is zero".to_owned())
    }

    /// Exactly 32 hex digits of any case.
    pub fn parse_strict(text: &str) -> Result<Self, String> {
        if text.len() != 32 {
            return Err(format!("trace id '{}' has {} characters, not 32", clipped(text), text.chars().count()));
        }
        Self::parse_lenient(text)
    }

    /// 1 to 32 hex digits of any case; leading zeros may be missing, as Zipkin and Jaeger send ids.
    pub fn parse_lenient(text: &str) -> Result<Self, String> {
        let bits =
            parse_hex(text, 32).ok_or_else(|| format!("trace id '{}' is not 1 to 32 hex digits", clipped(text)))?;
        Self::new(bits).ok_or_else(|| "trace id is zero".to_owned())
    }

    /// The low 64 bits: what a 64-bit system calls this trace.
    #[expect(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
    pub const fn low64(self) -> u64 {
        self.0 as u64
    }
    pub const fn high64(self) -> u64 {
        (self.0 >> 64) as u64
    }

    /// Joins the halves that the database keeps apart.
    pub const fn from_halves(high: u64, low: u64) -> Option<Self> {
        Self::new(((high as u128) << 64) | low as u128)
    }

    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl SpanId {
    pub const fn new(bits: u64) -> Option<Self> {
        if bits == 0 { None } else { Some(Self(bits)) }
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let array: [u8; 8] = bytes.try_into().map_err(|_| format!("span id has {} bytes, not 8", bytes.len()))?;
        Self::new(u64::from_be_bytes(array)).ok_or_else(|| "span id is zero".to_owned())
    }

    /// An absent parent is an empty or all-zero id; anything else must be right.
    pub fn parent_from_bytes(bytes: &[u8]) -> Result<Option<Self>, String> {
        if bytes.iter().all(|b| *b == 0) {
            return Ok(None);
        }
        Self::from_bytes(bytes).map(Some).map_err(|e| format!("parent {e}"))
    }

    pub fn parse_strict(text: &str) -> Result<Self, String> {
        if text.len() != 16 {
            return Err(format!("span id '{}' has {} characters, not 16", clipped(text), text.chars().count()));
        }
        Self::parse_lenient(text)
    }

    /// 1 to 16 hex digits of any case.
    pub fn parse_lenient(text: &str) -> Result<Self, String> {
        let bits =
            parse_hex(text, 16).ok_or_else(|| format!("span id '{}' is not 1 to 16 hex digits", clipped(text)))?;
        // 16 hex digits are 64 bits.
        Self::new(u64::try_from(bits).unwrap_or(0)).ok_or_else(|| "span id is zero".to_owned())
    }

    /// As [`Self::parse_lenient`]; an empty text or zeros mean "no parent".
    pub fn parse_parent(text: &str) -> Result<Option<Self>, String> {
        if text.bytes().all(|b| b == b'0') {
            return Ok(None);
        }
        Self::parse_lenient(text).map(Some).map_err(|e| format!("parent {e}"))
    }

    pub const fn get(self) -> u64 {
        self.0
    }

    pub const fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

/// `None` unless the text is 1 to `max` hex digits.
pub(super) fn parse_hex(text: &str, max: usize) -> Option<u128> {
    if text.is_empty() || text.len() > max || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}

/// What was sent, short enough to be put into a message.
fn clipped(text: &str) -> String {
    text.chars().take(40).collect()
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for SpanId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TraceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse_lenient(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for SpanId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse_lenient(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn upper_case_is_lowered_and_short_ids_are_padded() {
        let id = TraceId::parse_strict("5B8EFFF798038103D269B633813FC60C").expect("a full id");
        assert_eq!(id.to_string(), "5b8efff798038103d269b633813fc60c");
        assert_eq!(format!("{:x}", id.low64()), "d269b633813fc60c");
        let short = TraceId::parse_lenient("1e223ff1f80f1c69").expect("a 64-bit id");
        assert_eq!(short.to_string(), "00000000000000001e223ff1f80f1c69");
    }

    #[test]
    fn wrong_ids_are_named() {
        assert_eq!(TraceId::parse_strict("abc"), Err("trace id 'abc' has 3 characters, not 32".into()));
        assert_eq!(TraceId::parse_lenient(&"0".repeat(32)), Err("trace id is zero".into()));
        assert_eq!(TraceId::from_bytes(&[]), Err("trace id has 0 bytes, not 16".into()));
        assert!(TraceId::parse_strict("zz8efff798038103d269b633813fc60c").is_err());
        assert!(TraceId::parse_lenient("+123").is_err(), "a sign is no digit");
        assert_eq!(SpanId::from_bytes(&[0; 8]), Err("span id is zero".into()));
        assert_eq!(SpanId::parse_parent("0000"), Ok(None));
        assert_eq!(SpanId::parent_from_bytes(&[]), Ok(None));
        assert!(SpanId::parent_from_bytes(&[1, 2]).is_err());
    }

    proptest! {
        #[test]
        fn ids_survive_text_bytes_and_halves(bits in 1u128..) {
            let id = TraceId::new(bits).expect("not zero");
            prop_assert_eq!(TraceId::parse_strict(&id.to_string()), Ok(id));
            prop_assert_eq!(TraceId::from_bytes(&id.to_bytes()), Ok(id));
            prop_assert_eq!(TraceId::from_halves(id.high64(), id.low64()), Some(id));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            let _ = (TraceId::parse_lenient(&text), SpanId::parse_strict(&text), SpanId::parse_parent(&text));
        }
    }
}
