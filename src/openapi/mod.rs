//! The API's description, `GET /api/v1/openapi.json`: OpenAPI 3.1, put together from the route table
//! (paths, methods, roles) and two files beside this one (words and schemas).
//!
//! A route under `/api/v1` without an entry in `operations.yaml`, or an entry without a route, fails a
//! test. What does not belong here: the answers themselves.

use std::sync::LazyLock;

use axum::Json;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::web::{Access, RouteInfo, Routes};

const PREFIX: &str = "/api/v1";

/// One entry of `operations.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Method and path, like `GET /services`.
    pub op: String,
    tag: String,
    summary: String,
    #[serde(default)]
    query: Vec<String>,
    body: Option<String>,
    returns: Option<String>,
    status: Option<u16>,
    /// Whether it takes an `Idempotency-Key`.
    #[serde(default)]
    once: bool,
}

#[derive(Deserialize)]
struct Words {
    parameters: Map<String, Value>,
    schemas: Map<String, Value>,
}

/// # Errors
/// `Internal` when the embedded file is broken, which a test rules out.
pub fn operations() -> Result<Vec<Operation>> {
    serde_norway::from_str(include_str!("operations.yaml"))
        .map_err(|e| Error::Internal(format!("operations.yaml: {e}")))
}

fn words() -> Result<Words> {
    serde_norway::from_str(include_str!("schemas.yaml")).map_err(|e| Error::Internal(format!("schemas.yaml: {e}")))
}

pub fn routes() -> Routes {
    Routes::new().get("/api/v1/openapi.json", Access::Public, show)
}

static DOCUMENT: LazyLock<Result<Value, String>> =
    LazyLock::new(|| document(crate::app::routes().table()).map_err(|e| e.to_string()));

async fn show() -> Result<Json<&'static Value>> {
    DOCUMENT.as_ref().map(Json).map_err(|e| Error::Internal(e.clone()))
}

/// The whole document for a table of routes.
///
/// # Errors
/// `Internal` for a broken embedded file or an operation that names an unknown parameter.
pub fn document(table: &[RouteInfo]) -> Result<Value> {
    let words = words()?;
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations()? {
        let (method, path) = operation.op.split_once(' ').unwrap_or(("GET", &operation.op));
        let route = table.iter().find(|r| r.method == method && r.path.strip_prefix(PREFIX) == Some(path));
        let Some(route) = route else { continue };
        let described = describe(&operation, path, route.access, &words)?;
        let entry = paths.entry(path.to_owned()).or_insert_with(|| json!({}));
        entry[method.to_lowercase()] = described;
    }
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Faultline",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Incidents, their evidence and their numbers. Errors are problem documents; times are RFC 3339; lists are pages with a cursor.",
        },
        "servers": [{ "url": PREFIX }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer", "description": "flt_…, from the settings or `faultline token add`" } },
            "schemas": words.schemas,
        },
    }))
}

fn describe(operation: &Operation, path: &str, access: Access, words: &Words) -> Result<Value> {
    let mut parameters: Vec<Value> = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    for name in &operation.query {
        let schema = words
            .parameters
            .get(name)
            .ok_or_else(|| Error::Internal(format!("operations.yaml: unknown parameter {name}")))?;
        parameters.push(json!({ "name": name, "in": "query", "schema": schema }));
    }
    if operation.once {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "schema": { "type": "string", "maxLength": 200 },
            "description": "The first answer is kept for a day and given again",
        }));
    }
    let role = match access {
        Access::Role(role) => role.as_str(),
        Access::Ingest => "ingest",
        Access::Public => "none",
    };
    let mut described = json!({
        "tags": [operation.tag],
        "summary": operation.summary,
        "operationId": operation_id(&operation.op),
        "x-required-role": role,
        "parameters": parameters,
        "responses": responses(operation, words)?,
    });
    if let Some(body) = &operation.body {
        described["requestBody"] = json!({ "content": { "application/json": { "schema": schema_of(body, words)? } } });
    }
    Ok(described)
}

/// `POST /incidents/{id}/status` → `post_incidents_id_status`.
fn operation_id(op: &str) -> String {
    let words: Vec<&str> = op.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    words.join("_").to_lowercase()
}

fn responses(operation: &Operation, words: &Words) -> Result<Value> {
    let schema = match &operation.returns {
        Some(name) => schema_of(name, words)?,
        None => json!({}),
    };
    let good = json!({ "description": "Done", "content": { "application/json": { "schema": schema } } });
    let problem = json!({
        "description": "Refused",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    let mut all = Map::new();
    all.insert("default".to_owned(), problem);
    let status = operation.status.unwrap_or(200);
    all.insert(status.to_string(), good.clone());
    if status == 201 {
        // A report about something known already, or a retry.
        all.insert("200".to_owned(), good);
    }
    Ok(Value::Object(all))
}

fn schema_of(name: &str, words: &Words) -> Result<Value> {
    if let Some(item) = name.strip_prefix("Page<").and_then(|n| n.strip_suffix('>')) {
        return Ok(json!({
            "type": "object",
            "required": ["items", "next_cursor"],
            "properties": {
                "items": { "type": "array", "items": schema_of(item, words)? },
                "next_cursor": { "type": ["string", "null"] },
                "total": { "type": "integer" },
            },
        }));
    }
    if !words.schemas.contains_key(name) {
        return Err(Error::Internal(format!("operations.yaml: unknown schema {name}")));
    }
    Ok(json!({ "$ref": format!("#/components/schemas/{name}") }))
}
