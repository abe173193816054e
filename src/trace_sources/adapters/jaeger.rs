//! Jaeger's query service: `/api/v3/traces/{id}` (OTLP), and `/api/traces/{id}` where that is missing.

use crate::outbound::Answer;
use crate::traces::wire::jaeger;

use super::{Caller, Fault, Found, Wanted, expect_success, found_of, json_of};

pub(super) async fn fetch(caller: &Caller<'_>, wanted: &Wanted) -> Result<Found, Fault> {
    let id = wanted.hex();
    let newer = caller.get(&format!("/api/v3/traces/{id}"), "application/json").await?;
    if newer.status == 401 || newer.status == 403 || newer.status == 429 || newer.status >= 502 {
        expect_success(newer)?;
        return Err(Fault::Unknown);
    }
    // An older Jaeger answers what it does not know with the page of its interface.
    if newer.is_success() && is_json(&newer) {
        match found_of(decode_stream(&newer.body)) {
            Ok(found) if !found.spans.is_empty() => return Ok(found),
            _ => {}
        }
    }
    let older = caller.get(&format!("/api/traces/{id}"), "application/json").await?;
    found_of(jaeger::decode(&expect_success(older)?.body))
}

fn is_json(answer: &Answer) -> bool {
    answer.body.iter().find(|b| !b.is_ascii_whitespace()).is_some_and(|b| *b == b'{')
}

/// The gateway streams: several objects may follow one another.
fn decode_stream(body: &[u8]) -> crate::error::Result<crate::traces::wire::DecodedSpans> {
    let mut all = crate::traces::wire::DecodedSpans::default();
    for chunk in serde_json::Deserializer::from_slice(body).into_iter::<serde_json::Value>() {
        let chunk = chunk.map_err(|e| crate::error::Error::BadRequest(format!("not JSON: {e}")))?;
        if chunk.get("error").is_some() {
            continue;
        }
        let decoded = jaeger::decode_value(&chunk)?;
        all.records.extend(decoded.records);
        all.rejected.extend(decoded.rejected);
    }
    Ok(all)
}

pub(super) async fn test(caller: &Caller<'_>) -> Result<String, Fault> {
    let newer = caller.get("/api/v3/services", "application/json").await?;
    let (answer, version) = if newer.is_success() && is_json(&newer) {
        (newer, "api/v3")
    } else {
        (caller.get("/api/services", "application/json").await?, "/api/traces")
    };
    let json = json_of(&expect_success(answer)?)?;
    let services = json.get("services").or_else(|| json.get("data")).and_then(serde_json::Value::as_array);
    let Some(services) = services else {
        return Err(Fault::Refused("it answers, but not as Jaeger does".to_owned()));
    };
    Ok(format!("It answers by {version} and knows {} services.", services.len()))
}
