//! Attribute values and the resource (who sent it) that spans and log records share.

use std::fmt;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

/// A value as OpenTelemetry defines it; poorer formats use a part of it.
#[derive(Clone, Debug, PartialEq)]
pub enum AttrValue {
    Null,
    Text(String),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(Vec<u8>),
    List(Vec<AttrValue>),
    Map(Attributes),
}

/// Keys with values in the order in which they were sent. Keys are few, so a scan beats a map.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes(pub Vec<(String, AttrValue)>);

/// Who sent a span or a log record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    /// `service.name`, or [`UNKNOWN_SERVICE`].
    pub service: String,
    /// `service.version`: what suspects and observed deployments compare.
    pub version: Option<String>,
    /// `deployment.environment.name`, or the older `deployment.environment`.
    pub environment: Option<String>,
    /// `service.instance.id`, the pod or the host: whose clock stamped the times.
    pub instance: Option<String>,
    pub attributes: Attributes,
}

/// The name that OpenTelemetry gives to a service that does not name itself.
pub const UNKNOWN_SERVICE: &str = "unknown_service";

/// Longer texts are cut (at a character) with a mark, so that one span cannot fill the store.
pub const MAX_TEXT: usize = 16 * 1024;
/// More attributes than this per span, event or resource are dropped.
pub const MAX_ATTRIBUTES: usize = 256;

impl AttrValue {
    pub fn text(value: impl Into<String>) -> Self {
        Self::Text(clip(value.into()))
    }

    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(s) = self { Some(s) } else { None }
    }

    /// Integers also from text, as Zipkin and Datadog send every value.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(i) => Some(*i),
            Self::Text(s) => s.trim().parse().ok(),
            #[expect(clippy::cast_possible_truncation, reason = "checked to be a whole number in range")]
            Self::Double(d) if d.fract() == 0.0 && d.abs() < 9e15 => Some(*d as i64),
            _ => None,
        }
    }
}

impl Attributes {
    pub fn get(&self, key: &str) -> Option<&AttrValue> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// The first of several names under which conventions have called the same thing.
    pub fn first_of(&self, keys: &[&str]) -> Option<&AttrValue> {
        keys.iter().find_map(|k| self.get(k))
    }

    pub fn text_of(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().filter_map(|k| self.get(k)).find_map(AttrValue::as_text).filter(|s| !s.is_empty())
    }

    pub fn int_of(&self, keys: &[&str]) -> Option<i64> {
        keys.iter().filter_map(|k| self.get(k)).find_map(AttrValue::as_int)
    }

    /// Keeps to [`MAX_ATTRIBUTES`]; what comes later is dropped.
    pub fn push(&mut self, key: impl Into<String>, value: AttrValue) {
        if self.0.len() < MAX_ATTRIBUTES {
            self.0.push((clip(key.into()), value));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &AttrValue)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v))
    }
}

impl Resource {
    /// Reads the names that matter out of resource attributes.
    pub fn from_attributes(attributes: Attributes) -> Self {
        let owned = |keys: &[&str]| attributes.text_of(keys).map(str::to_owned);
        Self {
            service: owned(&["service.name"]).unwrap_or_else(|| UNKNOWN_SERVICE.to_owned()),
            version: owned(&["service.version"]),
            environment: owned(&["deployment.environment.name", "deployment.environment"]),
            instance: owned(&["service.instance.id", "k8s.pod.name", "container.id", "host.name", "ip"]),
            attributes,
        }
    }

    /// A resource of a format that only knows a service's name.
    pub fn named(service: &str) -> Self {
        let mut attributes = Attributes::default();
        if !service.is_empty() {
            attributes.push("service.name", AttrValue::text(service));
        }
        Self::from_attributes(attributes)
    }
}

/// Cuts at [`MAX_TEXT`] bytes, on a character's edge.
pub fn clip(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        let mut end = MAX_TEXT;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

impl fmt::Display for AttrValue {
    /// For people: text bare, lists and maps as JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(s) => f.write_str(s),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Int(i) => write!(f, "{i}"),
            Self::Double(d) => write!(f, "{d}"),
            other => f.write_str(&serde_json::to_string(other).unwrap_or_default()),
        }
    }
}

impl Serialize for AttrValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Text(s) => serializer.serialize_str(s),
            Self::Bool(b) => serializer.serialize_bool(*b),
            Self::Int(i) => serializer.serialize_i64(*i),
            Self::Double(d) => serializer.serialize_f64(*d),
            Self::Bytes(b) => serializer.serialize_str(&hex::encode(b)),
            Self::List(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    seq.serialize_element(item)?;
                }
                seq.end()
            }
            Self::Map(map) => map.serialize(serializer),
        }
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_reads_old_and_new_names() {
        let mut attributes = Attributes::default();
        attributes.push("service.name", AttrValue::text("cart"));
        attributes.push("deployment.environment", AttrValue::text("prod"));
        attributes.push("host.name", AttrValue::text("h1"));
        let resource = Resource::from_attributes(attributes);
        assert_eq!(resource.service, "cart");
        assert_eq!(resource.environment.as_deref(), Some("prod"));
        assert_eq!(resource.instance.as_deref(), Some("h1"));
        assert_eq!(Resource::named("").service, UNKNOWN_SERVICE);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let long = "é".repeat(MAX_TEXT);
        let cut = clip(long);
        assert!(cut.len() <= MAX_TEXT + '…'.len_utf8() && cut.ends_with("é…"));
    }

    #[test]
    fn numbers_are_read_from_text_too() {
        assert_eq!(AttrValue::text("503").as_int(), Some(503));
        assert_eq!(AttrValue::Double(200.0).as_int(), Some(200));
        assert_eq!(AttrValue::Double(f64::NAN).as_int(), None);
        assert_eq!(AttrValue::Bool(true).as_int(), None);
    }
}
