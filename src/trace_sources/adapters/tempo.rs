//! Grafana Tempo: `/api/v2/traces/{id}`, and `/api/traces/{id}` where that is missing. Protobuf is asked
//! for, because Tempo's JSON writes ids in base64 and kinds as words; a proxy may answer in JSON all the
//! same.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use serde_json::{Value as Json, json};

use crate::outbound::Answer;
use crate::traces::wire::{otlp_json, otlp_proto};

use super::{Caller, Fault, Found, Wanted, expect_success, found_of, json_of};

const PROTOBUF: &str = "application/protobuf";

/// The second version wraps the trace and says whether it is whole.
#[derive(Clone, PartialEq, Message)]
struct ByIdAnswer {
    #[prost(bytes = "vec", tag = "1")]
    trace: Vec<u8>,
    /// 1 when something was left out.
    #[prost(int32, tag = "3")]
    status: i32,
    #[prost(string, tag = "4")]
    message: String,
}

pub(super) async fn fetch(caller: &Caller<'_>, wanted: &Wanted) -> Result<Found, Fault> {
    let id = wanted.hex();
    let newer = caller.get(&format!("/api/v2/traces/{id}"), PROTOBUF).await?;
    if newer.status != 404 {
        return read(&expect_success(newer)?, true);
    }
    // Either the trace or the second version of the API is unknown.
    read(&expect_success(caller.get(&format!("/api/traces/{id}"), PROTOBUF).await?)?, false)
}

fn read(answer: &Answer, is_wrapped: bool) -> Result<Found, Fault> {
    if answer.content_type.as_deref().is_some_and(|t| t.starts_with("application/json")) {
        let json = json_of(answer)?;
        let remark = json.get("message").and_then(Json::as_str).unwrap_or_default().to_owned();
        let trace = json.get("trace").unwrap_or(&json);
        let mut found = found_of(otlp_json::decode_value(&plain_otlp(trace)))?;
        found.remark.push_str(&remark);
        return Ok(found);
    }
    if !is_wrapped {
        return found_of(otlp_proto::decode(answer.body.clone().into()));
    }
    let by_id = ByIdAnswer::decode(answer.body.as_slice())
        .map_err(|e| Fault::Refused(format!("its answer cannot be read: {e}")))?;
    let mut found = found_of(otlp_proto::decode(by_id.trace.into()))?;
    if by_id.status != 0 {
        found.remark = format!("Tempo left something out: {} {}", by_id.message, found.remark);
    }
    Ok(found)
}

/// Tempo's JSON as OTLP writes it: `batches`, ids in base64, kinds and codes as words.
fn plain_otlp(trace: &Json) -> Json {
    let list = trace.get("resourceSpans").or_else(|| trace.get("batches")).cloned().unwrap_or_default();
    let mut plain = json!({ "resourceSpans": list });
    rewrite(&mut plain);
    plain
}

fn rewrite(json: &mut Json) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(rewrite),
        Json::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                match (key.as_str(), value.as_str()) {
                    ("traceId" | "spanId" | "parentSpanId", Some(id)) => *value = Json::String(hex_of(id)),
                    ("kind", Some(word)) => *value = kind_number(word),
                    ("code", Some(word)) => *value = code_number(word),
                    // Values of attributes are as the sender wrote them.
                    ("attributes", _) => {}
                    _ => rewrite(value),
                }
            }
        }
        _ => {}
    }
}

/// Ids have 16 or 32 digits in hex, 12 or 24 characters in base64.
fn hex_of(id: &str) -> String {
    match id.len() {
        12 | 24 => STANDARD.decode(id).map_or_else(|_| id.to_owned(), hex::encode),
        _ => id.to_owned(),
    }
}

fn kind_number(word: &str) -> Json {
    const KINDS: [&str; 6] = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
    let name = word.trim_start_matches("SPAN_KIND_");
    KINDS.iter().position(|k| *k == name).unwrap_or(0).into()
}

fn code_number(word: &str) -> Json {
    match word {
        "STATUS_CODE_OK" => 1.into(),
        "STATUS_CODE_ERROR" => 2.into(),
        _ => 0.into(),
    }
}

pub(super) async fn test(caller: &Caller<'_>) -> Result<String, Fault> {
    // Needs the tenant and the credentials, and no trace.
    let json = caller.get_json("/api/search/tags?limit=1").await?;
    match json.get("tagNames").and_then(Json::as_array) {
        Some(names) => Ok(format!("It answers and knows {} tags.", names.len())),
        None => Err(Fault::Refused("it answers, but not as Tempo does".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tempos_own_json_is_understood() {
        let body = json!({"trace": {"batches": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "cart"}}]},
            "scopeSpans": [{"spans": [{"traceId": STANDARD.encode([7_u8; 16]), "spanId": STANDARD.encode([9_u8; 8]), "name": "GET",
            "kind": "SPAN_KIND_SERVER", "status": {"code": "STATUS_CODE_ERROR"}, "startTimeUnixNano": "5", "endTimeUnixNano": "9"}]}]}]}});
        let answer = Answer {
            status: 200,
            body: body.to_string().into_bytes(),
            is_cut: false,
            content_type: Some("application/json".into()),
            retry_after_s: None,
            link: None,
        };
        let found = read(&answer, true).expect("read");
        let [span] = found.spans.as_slice() else { panic!("one span: {found:?}") };
        assert_eq!(span.trace_id.to_string(), "07".repeat(16));
        assert_eq!((span.span_id.to_string(), span.kind.number(), span.failed()), ("09".repeat(8), 2, true));
    }
}
