//! OTLP/HTTP as both signals use it: the two encodings, the answers, and an envelope that is read
//! without its records, so that one bad record costs only itself.

use prost::Message;
use prost::bytes::Bytes;
use serde_json::{Value as Json, json};

use super::{Attributes, Resource, otlp_values};
use crate::error::{Error, Result};

/// What the request was written in; the answer must be written in the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    /// From `Content-Type`; parameters such as a character set are ignored.
    pub fn from_content_type(content_type: Option<&str>) -> Option<Self> {
        let kind = content_type?.split(';').next()?.trim().to_ascii_lowercase();
        match kind.as_str() {
            "application/x-protobuf" | "application/protobuf" | "application/vnd.google.protobuf" => {
                Some(Self::Protobuf)
            }
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }

    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// Which of the two signals is answered; they differ in one field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Traces,
    Logs,
}

/// `google.rpc.Status`, the body of every 4xx and 5xx.
#[derive(Clone, PartialEq, Message)]
pub struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
}

/// `Export*PartialSuccess`; the two messages have the same shape.
#[derive(Clone, PartialEq, Message)]
pub struct PartialSuccess {
    #[prost(int64, tag = "1")]
    pub rejected: i64,
    #[prost(string, tag = "2")]
    pub error_message: String,
}

/// `Export*ServiceResponse`.
#[derive(Clone, PartialEq, Message)]
pub struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    pub partial_success: Option<PartialSuccess>,
}

/// The body of a 200. Full success leaves `partialSuccess` unset, as the specification demands.
pub fn success(encoding: Encoding, signal: Signal, rejected: usize, message: &str) -> Vec<u8> {
    let partial = rejected > 0 || !message.is_empty();
    match encoding {
        Encoding::Protobuf => ExportResponse {
            partial_success: partial.then(|| PartialSuccess {
                rejected: i64::try_from(rejected).unwrap_or(i64::MAX),
                error_message: message.to_owned(),
            }),
        }
        .encode_to_vec(),
        Encoding::Json if !partial => b"{}".to_vec(),
        Encoding::Json => {
            let field = if signal == Signal::Traces { "rejectedSpans" } else { "rejectedLogRecords" };
            // Protobuf's JSON mapping writes 64-bit numbers as strings.
            json!({"partialSuccess": {field: rejected.to_string(), "errorMessage": message}}).to_string().into_bytes()
        }
    }
}

/// What a sender of another content type is told.
pub const WRONG_TYPE: &str = "send OTLP as application/x-protobuf or application/json";

/// The body of an error with this HTTP status.
pub fn failure(encoding: Encoding, http_status: u16, message: &str) -> Vec<u8> {
    let status = RpcStatus { code: rpc_code(http_status), message: message.to_owned() };
    match encoding {
        Encoding::Protobuf => status.encode_to_vec(),
        Encoding::Json => json!({"code": status.code, "message": status.message}).to_string().into_bytes(),
    }
}

/// The `google.rpc.Code` that an HTTP status stands for.
const fn rpc_code(http_status: u16) -> i32 {
    match http_status {
        400 | 422 => 3,
        404 => 5,
        403 => 7,
        413 | 429 => 8,
        409 => 10,
        503 => 14,
        401 => 16,
        _ => 13,
    }
}

/// `Export*ServiceRequest` whose resources and records stay undecoded. The two signals have the same
/// field numbers at these levels.
#[derive(Clone, PartialEq, Message)]
pub struct RawRequest {
    #[prost(message, repeated, tag = "1")]
    pub resources: Vec<RawResource>,
}

#[derive(Clone, PartialEq, Message)]
pub struct RawResource {
    #[prost(bytes = "bytes", tag = "1")]
    pub resource: Bytes,
    #[prost(message, repeated, tag = "2")]
    pub scopes: Vec<RawScope>,
}

#[derive(Clone, PartialEq, Message)]
pub struct RawScope {
    #[prost(bytes = "bytes", tag = "1")]
    pub scope: Bytes,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub records: Vec<Bytes>,
}

impl RawRequest {
    pub fn read(body: Bytes) -> Result<Self> {
        Self::decode(body).map_err(|e| Error::BadRequest(format!("not an OTLP request in protobuf: {e}")))
    }
}

impl RawResource {
    /// An unreadable resource makes its records anonymous rather than lost.
    pub fn resource(&self) -> Resource {
        use opentelemetry_proto::tonic::resource::v1::Resource as Proto;
        let attributes =
            Proto::decode(self.resource.clone()).map(|r| otlp_values::from_proto(r.attributes)).unwrap_or_default();
        Resource::from_attributes(attributes)
    }
}

impl RawScope {
    /// The instrumentation library's name, when it has one that can be read.
    pub fn name(&self) -> Option<String> {
        use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
        InstrumentationScope::decode(self.scope.clone()).ok().map(|s| s.name).filter(|name| !name.is_empty())
    }
}

/// Reads a JSON body; errors tell the line and column.
pub fn read_json(body: &[u8]) -> Result<Json> {
    // A byte order mark is not JSON, but editors write it.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    serde_json::from_slice(body).map_err(|e| Error::BadRequest(format!("not JSON: {e}")))
}

/// The elements of an array field; anything else is as good as empty.
pub fn items<'a>(json: &'a Json, field: &str) -> &'a [Json] {
    json.get(field).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

/// The top-level array of an OTLP request in JSON: absent or null is an empty request, another type a
/// mistake of the sender.
pub fn top_level<'a>(json: &'a Json, field: &str) -> Result<&'a [Json]> {
    match json.get(field) {
        None | Some(Json::Null) if json.is_object() => Ok(&[]),
        Some(Json::Array(list)) => Ok(list),
        _ => Err(Error::BadRequest(format!("an OTLP request in JSON is an object with an array '{field}'"))),
    }
}

pub fn resource_from_json(json: &Json) -> Resource {
    let attributes: Attributes = otlp_values::from_json(json.get("resource").and_then(|r| r.get("attributes")));
    Resource::from_attributes(attributes)
}

pub fn scope_from_json(json: &Json) -> Option<String> {
    json.get("scope")?.get("name")?.as_str().filter(|s| !s.is_empty()).map(str::to_owned)
}

/// A text field that may be absent or null, but must be text when it is there.
pub fn text_field<'a>(json: &'a Json, field: &str) -> Result<&'a str, String> {
    match json.get(field) {
        None | Some(Json::Null) => Ok(""),
        Some(Json::String(s)) => Ok(s),
        Some(_) => Err(format!("{field} is not text")),
    }
}

/// Unix nanoseconds as a string or a number; absent is 0, "not recorded".
pub fn nanos_field(json: &Json, field: &str) -> Result<i64, String> {
    match json.get(field) {
        None | Some(Json::Null) => Ok(0),
        Some(value) => {
            otlp_values::unsigned(value).map(clamp_nanos).ok_or_else(|| format!("{field} is not a time in nanoseconds"))
        }
    }
}

/// Nanoseconds since 1970 in an `i64` reach to the year 2262; later times are clamped.
pub fn clamp_nanos(nanos: u64) -> i64 {
    i64::try_from(nanos).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_told_apart() {
        assert_eq!(Encoding::from_content_type(Some("application/x-protobuf")), Some(Encoding::Protobuf));
        assert_eq!(Encoding::from_content_type(Some("Application/JSON; charset=utf-8")), Some(Encoding::Json));
        assert_eq!(Encoding::from_content_type(Some("text/plain")), None);
        assert_eq!(Encoding::from_content_type(None), None);
    }

    #[test]
    fn full_success_is_empty_and_partial_success_counts() {
        assert_eq!(success(Encoding::Json, Signal::Traces, 0, ""), b"{}");
        assert!(success(Encoding::Protobuf, Signal::Traces, 0, "").is_empty());
        let json: Json = serde_json::from_slice(&success(Encoding::Json, Signal::Logs, 2, "why")).expect("JSON");
        assert_eq!(json, json!({"partialSuccess": {"rejectedLogRecords": "2", "errorMessage": "why"}}));

        use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
        let bytes = success(Encoding::Protobuf, Signal::Traces, 3, "why");
        let theirs = ExportTraceServiceResponse::decode(bytes.as_slice()).expect("their message");
        let partial = theirs.partial_success.expect("partial");
        assert_eq!((partial.rejected_spans, partial.error_message.as_str()), (3, "why"));
    }

    #[test]
    fn errors_are_rpc_statuses_in_both_encodings() {
        assert_eq!(failure(Encoding::Json, 400, "no"), br#"{"code":3,"message":"no"}"#);
        let status = RpcStatus::decode(failure(Encoding::Protobuf, 400, "no").as_slice()).expect("a status");
        assert_eq!((status.code, status.message.as_str()), (3, "no"));
    }

    #[test]
    fn wrong_top_levels_are_refused() {
        for body in ["[]", "7", r#"{"resourceSpans": 3}"#, r#"{"resourceSpans": {}}"#] {
            let json = read_json(body.as_bytes()).expect("JSON");
            assert!(matches!(top_level(&json, "resourceSpans"), Err(Error::BadRequest(_))), "{body}");
        }
        assert_eq!(top_level(&json!({}), "resourceSpans").expect("empty"), &[] as &[Json]);
        assert!(read_json(b"{\"a\": \"\xff\"}").is_err(), "invalid UTF-8");
    }
}
