//! Attribute values from and to OTLP's two encodings.

use base64::Engine;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value};
use serde_json::Value as Json;

use super::attributes::clip;
use super::{AttrValue, Attributes};

/// Nesting beyond this is cut to `Null`; the protobuf reader itself stops at 100.
const MAX_DEPTH: usize = 32;

pub fn from_proto(pairs: Vec<KeyValue>) -> Attributes {
    proto_attributes(pairs, 0)
}

fn proto_attributes(pairs: Vec<KeyValue>, depth: usize) -> Attributes {
    let mut out = Attributes(Vec::with_capacity(pairs.len().min(super::attributes::MAX_ATTRIBUTES)));
    for pair in pairs {
        out.push(pair.key, pair.value.map_or(AttrValue::Null, |v| proto_value(v, depth)));
    }
    out
}

pub fn value_from_proto(value: AnyValue) -> AttrValue {
    proto_value(value, 0)
}

fn proto_value(value: AnyValue, depth: usize) -> AttrValue {
    use any_value::Value;
    if depth >= MAX_DEPTH {
        return AttrValue::Null;
    }
    match value.value {
        // An index into a dictionary that traces and logs do not carry.
        None | Some(Value::StringValueStrindex(_)) => AttrValue::Null,
        Some(Value::StringValue(s)) => AttrValue::Text(clip(s)),
        Some(Value::BoolValue(b)) => AttrValue::Bool(b),
        Some(Value::IntValue(i)) => AttrValue::Int(i),
        Some(Value::DoubleValue(d)) => AttrValue::Double(d),
        Some(Value::BytesValue(b)) => AttrValue::Bytes(b),
        Some(Value::ArrayValue(a)) => {
            AttrValue::List(a.values.into_iter().map(|v| proto_value(v, depth + 1)).collect())
        }
        Some(Value::KvlistValue(m)) => AttrValue::Map(proto_attributes(m.values, depth + 1)),
    }
}

pub fn to_proto(attributes: &Attributes) -> Vec<KeyValue> {
    attributes
        .0
        .iter()
        .map(|(key, value)| KeyValue { key: key.clone(), value: Some(value_to_proto(value)), ..KeyValue::default() })
        .collect()
}

pub fn value_to_proto(value: &AttrValue) -> AnyValue {
    use any_value::Value;
    let value = match value {
        AttrValue::Null => None,
        AttrValue::Text(s) => Some(Value::StringValue(s.clone())),
        AttrValue::Bool(b) => Some(Value::BoolValue(*b)),
        AttrValue::Int(i) => Some(Value::IntValue(*i)),
        AttrValue::Double(d) => Some(Value::DoubleValue(*d)),
        AttrValue::Bytes(b) => Some(Value::BytesValue(b.clone())),
        AttrValue::List(items) => {
            Some(Value::ArrayValue(ArrayValue { values: items.iter().map(value_to_proto).collect() }))
        }
        AttrValue::Map(map) => Some(Value::KvlistValue(KeyValueList { values: to_proto(map) })),
    };
    AnyValue { value }
}

/// `[{"key": …, "value": {"stringValue": …}}]`. What is not of this shape is skipped: a bad attribute
/// does not make a bad span.
pub fn from_json(json: Option<&Json>) -> Attributes {
    json_attributes(json, 0)
}

fn json_attributes(json: Option<&Json>, depth: usize) -> Attributes {
    let mut out = Attributes::default();
    for pair in json.and_then(Json::as_array).into_iter().flatten() {
        if let Some(key) = pair.get("key").and_then(Json::as_str) {
            out.push(key, pair.get("value").map_or(AttrValue::Null, |v| json_value(v, depth)));
        }
    }
    out
}

pub fn value_from_json(json: &Json) -> AttrValue {
    json_value(json, 0)
}

fn json_value(json: &Json, depth: usize) -> AttrValue {
    if depth >= MAX_DEPTH {
        return AttrValue::Null;
    }
    let Some((kind, value)) = json.as_object().and_then(|o| o.iter().find(|(_, v)| !v.is_null())) else {
        return AttrValue::Null;
    };
    let values = || value.get("values").and_then(Json::as_array).into_iter().flatten();
    match kind.as_str() {
        "stringValue" => value.as_str().map_or(AttrValue::Null, AttrValue::text),
        "boolValue" => value.as_bool().map_or(AttrValue::Null, AttrValue::Bool),
        "intValue" => int(value).map_or(AttrValue::Null, AttrValue::Int),
        "doubleValue" => double(value).map_or(AttrValue::Null, AttrValue::Double),
        "bytesValue" => value
            .as_str()
            .and_then(|s| base64::engine::general_purpose::STANDARD.decode(s).ok())
            .map_or(AttrValue::Null, AttrValue::Bytes),
        "arrayValue" => AttrValue::List(values().map(|v| json_value(v, depth + 1)).collect()),
        "kvlistValue" => AttrValue::Map(json_attributes(value.get("values"), depth + 1)),
        _ => AttrValue::Null,
    }
}

/// A plain JSON value (not OTLP's tagged one), as other formats carry attributes.
pub fn from_plain_json(json: &Json) -> AttrValue {
    plain_json(json, 0)
}

fn plain_json(json: &Json, depth: usize) -> AttrValue {
    if depth >= MAX_DEPTH {
        return AttrValue::Null;
    }
    match json {
        Json::Null => AttrValue::Null,
        Json::Bool(b) => AttrValue::Bool(*b),
        Json::Number(n) => n.as_i64().map_or_else(|| AttrValue::Double(n.as_f64().unwrap_or(0.0)), AttrValue::Int),
        Json::String(s) => AttrValue::text(s.as_str()),
        Json::Array(items) => AttrValue::List(items.iter().map(|v| plain_json(v, depth + 1)).collect()),
        Json::Object(map) => {
            let mut out = Attributes::default();
            for (key, value) in map {
                out.push(key.as_str(), plain_json(value, depth + 1));
            }
            AttrValue::Map(out)
        }
    }
}

/// 64-bit integers come as a string or as a number.
pub fn int(json: &Json) -> Option<i64> {
    json.as_i64().or_else(|| json.as_str().and_then(|s| s.trim().parse().ok()))
}

/// Unsigned 64-bit integers come as a string or as a number, the number perhaps written as a float.
pub fn unsigned(json: &Json) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be whole and in range")]
    let from_float = |f: f64| (f.fract() == 0.0 && (0.0..1.8e19).contains(&f)).then_some(f as u64);
    json.as_u64()
        .or_else(|| json.as_str().and_then(|s| s.trim().parse().ok()))
        .or_else(|| json.as_f64().and_then(from_float))
}

fn double(json: &Json) -> Option<f64> {
    json.as_f64().or_else(|| match json.as_str()? {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        text => text.parse().ok(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_json_kind_is_read() {
        let got = from_json(Some(&json!([
            {"key": "s", "value": {"stringValue": "x"}},
            {"key": "i", "value": {"intValue": "10"}},
            {"key": "n", "value": {"intValue": 11}},
            {"key": "d", "value": {"doubleValue": 1.5}},
            {"key": "b", "value": {"boolValue": true}},
            {"key": "y", "value": {"bytesValue": "AQI="}},
            {"key": "l", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {}]}}},
            {"key": "m", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"intValue": 1}}]}}},
            {"key": "null", "value": null},
            {"value": {"stringValue": "no key"}},
            7
        ])));
        let shown = serde_json::to_value(&got).expect("serialises");
        assert_eq!(
            shown,
            json!({"s": "x", "i": 10, "n": 11, "d": 1.5, "b": true, "y": "0102", "l": ["a", null], "m": {"k": 1}, "null": null})
        );
        assert_eq!(from_proto(to_proto(&got)), got, "and survives protobuf");
    }

    #[test]
    fn endless_nesting_is_cut() {
        let mut value = json!({"intValue": 1});
        for _ in 0..60 {
            value = json!({"arrayValue": {"values": [value]}});
        }
        let mut depth = 0;
        let mut at = value_from_json(&value);
        while let AttrValue::List(mut items) = at {
            depth += 1;
            at = items.pop().unwrap_or(AttrValue::Null);
        }
        assert_eq!((depth, at), (MAX_DEPTH, AttrValue::Null));
    }

    #[test]
    fn unsigned_numbers_beyond_a_double_are_exact_as_text() {
        assert_eq!(unsigned(&json!("18446744073709551615")), Some(u64::MAX));
        assert_eq!(unsigned(&json!(1_544_712_660_000_000_000_u64)), Some(1_544_712_660_000_000_000));
        assert_eq!(unsigned(&json!(-1)), None);
        assert_eq!(unsigned(&json!("soon")), None);
    }
}
