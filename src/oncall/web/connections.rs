//! `/oncall/connections`: PagerDuty and GoAlert; and the address that they send to.

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Form, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::error::{Error, FieldErrors, Result};
use crate::inbox::signature::{self, Scheme};
use crate::oncall::model::connect::{ConnectionKind, hear_goalert, hear_pagerduty};
use crate::oncall::service::connections::{self as service, ConnectionInput};
use crate::oncall::store::connections::Connection;
use crate::outbound::Policy;
use crate::services;
use crate::state::AppState;
use crate::web::{Cx, Shell, redirect_with_flash, render_with_status};

const PATH: &str = "/oncall/connections";

#[derive(Template)]
#[template(path = "oncall/connections.html")]
struct ConnectionsPage {
    shell: Shell,
    connections: Vec<Connection>,
    teams: Vec<String>,
    /// The address that the other side sends to, just made; never shown again.
    made: Option<String>,
    form: ConnectionInput,
    errors: FieldErrors,
}

async fn page(cx: &Cx, made: Option<String>, form: ConnectionInput, errors: FieldErrors) -> Result<Response> {
    let db = &cx.state.db;
    let status = match (&made, errors.is_empty()) {
        (Some(_), _) => StatusCode::CREATED,
        (None, true) => StatusCode::OK,
        (None, false) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let page = ConnectionsPage {
        shell: cx.shell("PagerDuty and GoAlert"),
        connections: service::all(db).await?,
        teams: services::teams(db).await?,
        made,
        form,
        errors,
    };
    render_with_status(status, &page)
}

pub(super) async fn list(cx: Cx) -> Result<Response> {
    let form =
        ConnectionInput { sends_from: "SEV2".to_owned(), kind: "pagerduty".to_owned(), ..ConnectionInput::default() };
    page(&cx, None, form, FieldErrors::default()).await
}

pub(super) async fn add(cx: Cx, Form(form): Form<ConnectionInput>) -> Result<Response> {
    let policy = Policy::parse(&cx.state.config.outbound_allow)
        .map_err(|e| Error::Internal(format!("FAULTLINE_OUTBOUND_ALLOW: {e}")))?;
    let tx = cx.state.db.begin().await?;
    match service::add(&tx, &form, &policy, cx.actor()?, (&cx.state.random, cx.now())).await {
        Ok((id, token)) => {
            tx.commit().await?;
            let url = format!("{}/ingest/oncall/{id}/{token}", cx.state.config.base_url);
            page(&cx, Some(url), ConnectionInput::default(), FieldErrors::default()).await
        }
        Err(Error::Invalid(errors)) => {
            drop(tx);
            page(&cx, None, form, errors).await
        }
        Err(other) => Err(other),
    }
}

#[derive(Deserialize)]
pub(super) struct DoForm {
    #[serde(rename = "do")]
    what: String,
    #[serde(default)]
    signing_secret: String,
    #[serde(default)]
    confirm: String,
}

pub(super) async fn act(cx: Cx, Path(id): Path<i64>, Form(form): Form<DoForm>) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    let (actor, now) = (cx.actor()?, cx.now());
    let said = match form.what.as_str() {
        "on" | "off" => {
            service::enable(&tx, id, form.what == "on", actor, now).await?;
            "Changed."
        }
        "secret" => {
            service::set_secret(&tx, id, &form.signing_secret, actor, now).await?;
            "The signing secret is kept."
        }
        "remove" if form.confirm.is_empty() => return Err(Error::invalid("confirm", "tick the box to remove it")),
        "remove" => {
            service::remove(&tx, id, actor, now).await?;
            "The connection is gone."
        }
        other => return Err(Error::invalid("do", format!("'{other}' is none of on, off, secret, remove"))),
    };
    tx.commit().await?;
    Ok(redirect_with_flash(PATH, said))
}

/// Whoever knows the address, and for PagerDuty the signing secret, acknowledges and resolves.
pub(super) async fn receive(
    State(state): State<AppState>,
    Path((id, token)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response> {
    let connection = service::authenticate(&state.db, &id, &token).await?;
    let unreadable = |why: String| Error::BadRequest(format!("The body cannot be read: {why}"));
    let heard = match connection.kind()? {
        ConnectionKind::PagerDuty => {
            let signature = headers.get(Scheme::PagerDuty.header()).and_then(|v| v.to_str().ok());
            let secrets = [connection.signing_secret.clone()];
            signature::verify(Scheme::PagerDuty, &secrets, &body, signature, None, state.now())
                .map_err(|refusal| Error::Forbidden(refusal.to_string()))?;
            hear_pagerduty(&body).map_err(unreadable)?
        }
        ConnectionKind::GoAlert => hear_goalert(&body).map_err(unreadable)?,
    };
    if let Some(heard) = heard.filter(|_| connection.enabled) {
        let tx = state.db.begin().await?;
        match service::hear(&tx, &connection, &heard, state.now()).await {
            Ok(_) => tx.commit().await?,
            // The incident's own rules refuse it; sending it again would change nothing.
            Err(error @ (Error::Conflict(_) | Error::Invalid(_))) => {
                tracing::warn!(connection = connection.name, %error, "what was heard could not be done");
            }
            Err(other) => return Err(other),
        }
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}
