//! The table of all routes, each with who may use it.
//!
//! A room builds its [`Routes`]; there is no way to add one without saying its [`Access`], and a test
//! walks the table of the whole application to prove each.

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};

use crate::accounts::{Actor, Role};
use crate::error::Error;
use crate::state::AppState;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody, signed in or not.
    Public,
    /// Machines with an ingest token; the inbox room checks it, so that refused deliveries are kept.
    Ingest,
    /// People and API tokens with at least this role.
    Role(Role),
}

impl Access {
    pub const VIEWER: Self = Self::Role(Role::Viewer);
    pub const RESPONDER: Self = Self::Role(Role::Responder);
    pub const COMMANDER: Self = Self::Role(Role::Commander);
    pub const ADMIN: Self = Self::Role(Role::Admin);
}

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteInfo {
    pub method: Method,
    pub path: &'static str,
    pub access: Access,
}

/// Routes of one room, or of the whole application.
#[derive(Default)]
pub struct Routes {
    router: Router<AppState>,
    table: Vec<RouteInfo>,
}

macro_rules! method {
    ($name:ident, $filter:ident) => {
        #[must_use]
        pub fn $name<H, T>(self, path: &'static str, access: Access, handler: H) -> Self
        where
            H: Handler<T, AppState>,
            T: 'static,
        {
            self.add(Method::$filter, MethodFilter::$filter, path, access, handler)
        }
    };
}

impl Routes {
    pub fn new() -> Self {
        Self::default()
    }

    method!(get, GET);
    method!(post, POST);
    method!(put, PUT);
    method!(patch, PATCH);
    method!(delete, DELETE);
    method!(options, OPTIONS);

    fn add<H, T>(mut self, method: Method, filter: MethodFilter, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, AppState>,
        T: 'static,
    {
        self.table.push(RouteInfo { method, path, access });
        let service = on(filter, handler).layer(from_fn_with_state(access, require));
        self.router = self.router.route(path, service);
        self
    }

    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.table.extend(other.table);
        self.router = self.router.merge(other.router);
        self
    }

    /// Applies a layer to the routes added so far.
    #[must_use]
    pub fn map_router(mut self, change: impl FnOnce(Router<AppState>) -> Router<AppState>) -> Self {
        self.router = change(self.router);
        self
    }

    pub fn table(&self) -> &[RouteInfo] {
        &self.table
    }

    pub fn into_router(self) -> Router<AppState> {
        self.router
    }
}

async fn require(State(access): State<Access>, request: Request, next: Next) -> Response {
    if let Access::Role(role) = access {
        match request.extensions().get::<Actor>() {
            None => return Error::Unauthenticated.into_response(),
            Some(actor) => {
                if let Err(error) = actor.require(role) {
                    return error.into_response();
                }
            }
        }
    }
    next.run(request).await
}
