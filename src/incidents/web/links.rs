//! Linking incidents, and taking links away.

use axum::extract::Form;
use axum::response::Response;
use serde::Deserialize;

use crate::error::Result;
use crate::web::redirect_with_flash;

use super::super::actions::links::LinkInput;
use super::page::{Forms, show_with};
use super::{At, complaints};

pub(super) async fn create(at: At, Form(input): Form<LinkInput>) -> Result<Response> {
    let tx = at.begin().await?;
    match at.acting(&tx).link(at.id(), &input).await {
        Ok(()) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&at.path("#links"), "Linked."))
        }
        Err(error) => {
            drop(tx);
            let errors = complaints(error)?;
            show_with(&at, Forms { refused: "link", errors, link: input, ..Forms::default() }).await
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct UnlinkForm {
    link: String,
}

pub(super) async fn remove(at: At, Form(form): Form<UnlinkForm>) -> Result<Response> {
    let tx = at.begin().await?;
    at.acting(&tx).unlink(at.id(), &form.link).await?;
    tx.commit().await?;
    Ok(redirect_with_flash(&at.path("#links"), "No longer linked."))
}
