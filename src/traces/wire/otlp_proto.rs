//! OTLP traces in protobuf: from the wire, and to it (the store and evidence keep spans in this form,
//! so that what Faultline holds is in an open format).

use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource as ProtoResource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as ProtoSpan, Status, TracesData};
use prost::Message;
use prost::bytes::Bytes;

use super::DecodedSpans;
use crate::error::Result;
use crate::telemetry::attributes::clip;
use crate::telemetry::otlp::{RawRequest, clamp_nanos};
use crate::telemetry::{Resource, SpanId, TraceId, otlp_values};
use crate::traces::model::{Span, SpanEvent, SpanKind, SpanLink, SpanStatus};

/// Decodes an `ExportTraceServiceRequest` (the same bytes as `TracesData`). Only an unreadable envelope
/// is an error; spans are read one by one.
pub fn decode(body: Bytes) -> Result<DecodedSpans> {
    let request = RawRequest::read(body)?;
    let mut out = DecodedSpans::default();
    for (r, raw) in request.resources.iter().enumerate() {
        let resource = Arc::new(raw.resource());
        for (s, scope) in raw.scopes.iter().enumerate() {
            let name = scope.name();
            for (i, record) in scope.records.iter().enumerate() {
                let span = ProtoSpan::decode(record.clone())
                    .map_err(|e| format!("not a span: {e}"))
                    .and_then(|span| from_proto(span, &resource, name.as_deref()));
                out.take(|| format!("resourceSpans[{r}].scopeSpans[{s}].spans[{i}]"), span);
            }
        }
    }
    Ok(out)
}

fn from_proto(span: ProtoSpan, resource: &Arc<Resource>, scope: Option<&str>) -> Result<Span, String> {
    let status = span.status.unwrap_or_default();
    Ok(Span {
        trace_id: TraceId::from_bytes(&span.trace_id)?,
        span_id: SpanId::from_bytes(&span.span_id)?,
        parent: SpanId::parent_from_bytes(&span.parent_span_id)?,
        kind: SpanKind::from_number(i64::from(span.kind)),
        name: clip(span.name),
        start_nanos: clamp_nanos(span.start_time_unix_nano),
        end_nanos: clamp_nanos(span.end_time_unix_nano),
        status: status_from_code(i64::from(status.code)),
        status_message: clip(status.message),
        attributes: otlp_values::from_proto(span.attributes),
        events: span.events.into_iter().map(event_from_proto).collect(),
        links: span.links.into_iter().filter_map(link_from_proto).collect(),
        resource: Arc::clone(resource),
        scope: scope.map(str::to_owned),
    })
}

pub(super) const fn status_from_code(code: i64) -> SpanStatus {
    match code {
        1 => SpanStatus::Ok,
        2 => SpanStatus::Error,
        _ => SpanStatus::Unset,
    }
}

fn event_from_proto(event: Event) -> SpanEvent {
    SpanEvent {
        at_nanos: clamp_nanos(event.time_unix_nano),
        name: clip(event.name),
        attributes: otlp_values::from_proto(event.attributes),
    }
}

/// A link to nowhere says nothing and is dropped.
fn link_from_proto(link: Link) -> Option<SpanLink> {
    Some(SpanLink {
        trace_id: TraceId::from_bytes(&link.trace_id).ok()?,
        span_id: SpanId::from_bytes(&link.span_id).ok()?,
        attributes: otlp_values::from_proto(link.attributes),
    })
}

/// Encodes spans as `TracesData`. Spans that share a resource should stand together: each run of the
/// same resource and scope is written once.
pub fn encode<'a>(spans: impl IntoIterator<Item = &'a Span>) -> Vec<u8> {
    let mut data = TracesData { resource_spans: Vec::new() };
    let mut last: Option<&Arc<Resource>> = None;
    for span in spans {
        if !last.is_some_and(|r| Arc::ptr_eq(r, &span.resource) || **r == *span.resource) {
            let resource = ProtoResource {
                attributes: otlp_values::to_proto(&span.resource.attributes),
                ..ProtoResource::default()
            };
            data.resource_spans.push(ResourceSpans { resource: Some(resource), ..ResourceSpans::default() });
            last = Some(&span.resource);
        }
        if let Some(target) = data.resource_spans.last_mut() {
            push_into_scope(&mut target.scope_spans, span);
        }
    }
    data.encode_to_vec()
}

fn push_into_scope(scopes: &mut Vec<ScopeSpans>, span: &Span) {
    let name = span.scope.as_deref().unwrap_or_default();
    if scopes.last().is_none_or(|s| s.scope.as_ref().is_none_or(|i| i.name != name)) {
        let scope = InstrumentationScope { name: name.to_owned(), ..InstrumentationScope::default() };
        scopes.push(ScopeSpans { scope: Some(scope), ..ScopeSpans::default() });
    }
    if let Some(scope) = scopes.last_mut() {
        scope.spans.push(to_proto(span));
    }
}

fn to_proto(span: &Span) -> ProtoSpan {
    let code = match span.status {
        SpanStatus::Unset => 0,
        SpanStatus::Ok => 1,
        SpanStatus::Error => 2,
    };
    ProtoSpan {
        trace_id: span.trace_id.to_bytes().to_vec(),
        span_id: span.span_id.to_bytes().to_vec(),
        parent_span_id: span.parent.map(|p| p.to_bytes().to_vec()).unwrap_or_default(),
        name: span.name.clone(),
        kind: span.kind.number(),
        start_time_unix_nano: u64::try_from(span.start_nanos).unwrap_or(0),
        end_time_unix_nano: u64::try_from(span.end_nanos).unwrap_or(0),
        attributes: otlp_values::to_proto(&span.attributes),
        events: span.events.iter().map(event_to_proto).collect(),
        links: span.links.iter().map(link_to_proto).collect(),
        status: Some(Status { code, message: span.status_message.clone() }),
        ..ProtoSpan::default()
    }
}

fn event_to_proto(event: &SpanEvent) -> Event {
    Event {
        time_unix_nano: u64::try_from(event.at_nanos).unwrap_or(0),
        name: event.name.clone(),
        attributes: otlp_values::to_proto(&event.attributes),
        ..Event::default()
    }
}

fn link_to_proto(link: &SpanLink) -> Link {
    Link {
        trace_id: link.trace_id.to_bytes().to_vec(),
        span_id: link.span_id.to_bytes().to_vec(),
        attributes: otlp_values::to_proto(&link.attributes),
        ..Link::default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::telemetry::otlp::{RawResource, RawScope};
    use crate::traces::wire::otlp_json;

    const TWO_SPANS: &str = include_str!("fixtures/otlp_two_services.json");

    fn sample() -> Vec<Span> {
        otlp_json::decode(TWO_SPANS.as_bytes()).expect("our own fixture").records
    }

    #[test]
    fn what_is_encoded_comes_back_equal() {
        let spans = sample();
        let back = decode(encode(&spans).into()).expect("our own bytes");
        assert_eq!(back.rejected_count(), 0);
        assert_eq!(back.records, spans);
    }

    #[test]
    fn one_bad_span_does_not_reject_its_neighbours() {
        let spans = sample();
        let good: Vec<ProtoSpan> = spans.iter().map(to_proto).collect();
        let mut short = good[0].clone();
        short.trace_id.truncate(3);
        let mut records: Vec<Bytes> = [&short, &good[0]].iter().map(|s| s.encode_to_vec().into()).collect();
        // A name (field 5) that is no UTF-8, and a span cut in the middle.
        records.push(Bytes::from_static(&[0x2a, 0x02, 0xff, 0xfe]));
        records.push(Bytes::copy_from_slice(&good[1].encode_to_vec()[..9]));
        records.push(good[1].encode_to_vec().into());
        let scope = RawScope { scope: Bytes::new(), records };
        let request = RawRequest { resources: vec![RawResource { resource: Bytes::new(), scopes: vec![scope] }] };
        let got = decode(request.encode_to_vec().into()).expect("the envelope is fine");
        assert_eq!((got.records.len(), got.rejected_count()), (2, 3));
        assert_eq!(got.rejected[0].place, "resourceSpans[0].scopeSpans[0].spans[0]");
        assert_eq!(got.rejected[0].reason, "trace id has 3 bytes, not 16");
    }

    #[test]
    fn an_empty_body_is_an_empty_request_and_a_truncated_one_an_error() {
        assert_eq!(decode(Bytes::new()).expect("empty").records.len(), 0);
        let whole = encode(&sample());
        assert!(decode(Bytes::copy_from_slice(&whole[..whole.len() - 5])).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(bytes.into());
        }

        #[test]
        fn any_flipped_byte_is_answered(at in 0usize..2000, to in any::<u8>()) {
            let mut bytes = encode(&sample());
            let at = at % bytes.len();
            bytes[at] = to;
            let _ = decode(bytes.into());
        }
    }
}
