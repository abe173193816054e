//! What all pages and endpoints share: the route table with its permissions, who is asking, the page
//! shell, errors at the edge, headers, assets, pagination.
//!
//! What does not belong here: any page of a feature. Walkthrough: ARCHITECTURE.md, "A page".

mod assets;
mod auth;
mod cx;
pub mod errors;
mod headers;
pub mod json;
pub mod page;
mod rendered;
mod request_id;
mod routes;

pub use assets::routes as asset_routes;
pub use auth::{clear_session_cookie, session_cookie, session_secret};
pub use cx::{Cx, Shell, redirect, redirect_with_flash, render, render_with_status};
pub use headers::secure;
pub use json::{ApiJson, Idempotent};
pub use page::{Cursor, Limit, Page};
pub use rendered::Rendered;
pub use request_id::RequestId;
pub use routes::{Access, RouteInfo, Routes};

pub(crate) use auth::authenticate;
pub(crate) use errors::render as render_errors;
pub(crate) use request_id::with_request_id;
