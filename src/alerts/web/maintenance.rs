//! `/alerts/maintenance`: windows in which alerts are recorded but page nobody.

use askama::Template;
use axum::extract::{Form, Path};
use axum::http::StatusCode;
use axum::response::Response;

use crate::alerts::maintenance::WindowInput;
use crate::alerts::seen::Asker;
use crate::alerts::service::windows;
use crate::alerts::store::grouping::{self as stored, StoredWindow};
use crate::clock::Timestamp;
use crate::error::{Error, FieldErrors, Result};
use crate::web::{Access, Cx, Routes, Shell, redirect_with_flash, render_with_status};

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/alerts/maintenance", Access::VIEWER, list)
        .post("/alerts/maintenance", Access::RESPONDER, open)
        .post("/alerts/maintenance/{id}/end", Access::RESPONDER, end)
}

#[derive(Template)]
#[template(path = "alerts/maintenance.html")]
struct MaintenancePage {
    shell: Shell,
    windows: Vec<StoredWindow>,
    now: Timestamp,
    form: WindowInput,
    errors: FieldErrors,
}

/// Windows of the last week and those to come.
async fn page(cx: &Cx, form: WindowInput, errors: FieldErrors, status: StatusCode) -> Result<Response> {
    let now = cx.now();
    let windows = stored::windows(&cx.state.db, now - chrono::TimeDelta::days(7), 200).await?;
    let page = MaintenancePage { shell: cx.shell("Maintenance windows").live(&["alerts"]), windows, now, form, errors };
    render_with_status(status, &page)
}

async fn list(cx: Cx) -> Result<Response> {
    let form = WindowInput {
        starts_at: cx.now().to_input(),
        ends_at: (cx.now() + chrono::TimeDelta::hours(1)).to_input(),
        ..WindowInput::default()
    };
    page(&cx, form, FieldErrors::default(), StatusCode::OK).await
}

async fn open(cx: Cx, Form(form): Form<WindowInput>) -> Result<Response> {
    let actor = cx.actor()?;
    let by = Asker::of(actor).by();
    let tx = cx.state.db.begin().await?;
    match windows::open(&tx, &form, actor, &by, cx.now()).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(redirect_with_flash(
                "/alerts/maintenance",
                "The window is set. Alerts in it are recorded and page nobody.",
            ))
        }
        Err(Error::Invalid(errors)) => {
            drop(tx);
            page(&cx, form, errors, StatusCode::UNPROCESSABLE_ENTITY).await
        }
        Err(other) => Err(other),
    }
}

async fn end(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    let actor = cx.actor()?;
    let tx = cx.state.db.begin().await?;
    windows::close(&tx, id, actor, &Asker::of(actor).by(), cx.now()).await?;
    tx.commit().await?;
    Ok(redirect_with_flash("/alerts/maintenance", "The window is over; what still fires counts again."))
}
