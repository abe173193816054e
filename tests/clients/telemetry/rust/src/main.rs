//! The OpenTelemetry crates: two spans, one failed, by OTLP/HTTP protobuf.

use std::collections::HashMap;

use opentelemetry::trace::{Span, SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("FAULTLINE_URL")?;
    let bearer = format!("Bearer {}", std::env::var("INGEST_TOKEN")?);
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{url}/v1/traces"))
        .with_headers(HashMap::from([("authorization".to_owned(), bearer)]))
        .build()?;
    let resource = Resource::builder()
        .with_service_name("rust-shop")
        .with_attribute(KeyValue::new("service.version", "1.3.2"))
        .build();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    let tracer = provider.tracer("clients");
    let root = tracer.span_builder("GET /cart").with_kind(SpanKind::Server).start(&tracer);
    let trace_id = root.span_context().trace_id();
    let context = Context::current_with_span(root);
    let mut call =
        tracer.span_builder("charge card").with_kind(SpanKind::Client).start_with_context(&tracer, &context);
    call.record_error(&std::io::Error::other("card refused"));
    call.set_status(Status::error("card refused"));
    call.end();
    context.span().end();
    provider.shutdown()?;
    println!("{trace_id}\trust-shop\tcard refused");
    Ok(())
}
