//! Taking in a trace from a file: what Jaeger's, Zipkin's and OpenTelemetry's tools let a person save.

use askama::Template;
use axum::Extension;
use axum::extract::Multipart;
use axum::http::StatusCode;
use axum::response::Response;

use crate::error::{Error, FieldErrors, Result};
use crate::telemetry::otlp::read_json;
use crate::traces::service::ingest::SpanStore;
use crate::traces::wire::{DecodedSpans, jaeger, zipkin};
use crate::web::{Cx, Shell, redirect_with_flash, render, render_with_status};

#[derive(Template)]
#[template(path = "traces/import.html")]
struct ImportPage {
    shell: Shell,
    errors: FieldErrors,
    text: String,
}

pub(in crate::traces) async fn form(cx: Cx) -> Result<Response> {
    render(&ImportPage { shell: cx.shell("Import a trace"), errors: FieldErrors::default(), text: String::new() })
}

pub(in crate::traces) async fn import(
    cx: Cx,
    Extension(spans): Extension<SpanStore>,
    mut fields: Multipart,
) -> Result<Response> {
    let mut body = Vec::new();
    let mut text = String::new();
    let broken = |e: axum::extract::multipart::MultipartError| Error::BadRequest(format!("The upload broke off: {e}"));
    while let Some(field) = fields.next_field().await.map_err(broken)? {
        match field.name() {
            Some("file") => body = field.bytes().await.map_err(broken)?.to_vec(),
            Some("text") => text = field.text().await.map_err(broken)?,
            _ => {}
        }
    }
    if body.is_empty() {
        body = text.clone().into_bytes();
    }
    let complain = |cx: &Cx, message: String, text: String| {
        let mut errors = FieldErrors::default();
        errors.add("file", message);
        render_with_status(
            StatusCode::UNPROCESSABLE_ENTITY,
            &ImportPage { shell: cx.shell("Import a trace"), errors, text },
        )
    };
    let decoded = match spans.decode(move || detect(&body)).await {
        Ok(decoded) => decoded,
        Err(Error::BadRequest(message)) => return complain(&cx, message, text),
        Err(other) => return Err(other),
    };
    let Some(first) = decoded.records.first().map(|s| s.trace_id) else {
        let message = if decoded.message().is_empty() { "holds no span".to_owned() } else { decoded.message() };
        return complain(&cx, message, text);
    };
    let refused = decoded.message();
    let written = spans.store(decoded.records).await?;
    let mut said = format!("{} spans taken in, {} were here already.", written.new_spans, written.known_spans);
    if !refused.is_empty() {
        said = format!("{said} {refused}");
    }
    Ok(redirect_with_flash(&format!("/traces/{first}"), &said.chars().take(1_000).collect::<String>()))
}

/// Tells the formats apart by what is in them.
fn detect(body: &[u8]) -> Result<DecodedSpans> {
    let json = read_json(body)?;
    let first = json.get(0).map(|f| f.get(0).unwrap_or(f));
    let is_zipkin = first.is_some_and(|f| f.get("traceId").is_some() && f.get("spanID").is_none());
    if is_zipkin || json.as_array().is_some_and(Vec::is_empty) {
        return zipkin::decode(body);
    }
    jaeger::decode_value(&json)
}
