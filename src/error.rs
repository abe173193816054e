//! The one error type, and the one table from error to status.
//!
//! An action returns [`Error`]; how it looks (an HTML page, `application/problem+json`, an OTLP
//! status) is decided at the edge, in `web::errors`. Internal causes are logged with the request
//! id and never shown to a visitor.

use std::fmt;

/// One complaint about one field of what was sent.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FieldError {
    pub field: String,
    pub message: String,
}

/// All complaints about one form or body: collected together, so that a person mends them at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct FieldErrors(pub Vec<FieldError>);

impl FieldErrors {
    pub fn add(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(FieldError { field: field.to_owned(), message: message.into() });
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first complaint about a field, for showing beside it.
    pub fn of(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|e| e.field == field).map(|e| e.message.as_str())
    }

    pub fn has(&self, field: &str) -> bool {
        self.of(field).is_some()
    }

    /// Complaints about fields that the form at hand does not show; they go to its top.
    pub fn besides<'a>(&'a self, shown: impl AsRef<[&'a str]>) -> impl Iterator<Item = &'a FieldError> {
        self.0.iter().filter(move |e| !shown.as_ref().contains(&e.field.as_str()))
    }

    /// `Ok` when there is nothing to complain about.
    pub fn into_result(self) -> Result<(), Error> {
        if self.is_empty() { Ok(()) } else { Err(Error::Invalid(self)) }
    }
}

impl fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, e) in self.0.iter().enumerate() {
            let sep = if i == 0 { "" } else { "; " };
            write!(f, "{sep}{}: {}", e.field, e.message)?;
        }
        Ok(())
    }
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong, in the words of the person or machine that asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 404. Also for what the asker may not know to exist.
    #[error("{0} was not found")]
    NotFound(String),
    /// 401: no valid session or token.
    #[error("sign in first")]
    Unauthenticated,
    /// 403: known, but not allowed.
    #[error("{0}")]
    Forbidden(String),
    /// 422: understood, but some fields are wrong.
    #[error("{0}")]
    Invalid(FieldErrors),
    /// 400: cannot be read at all.
    #[error("{0}")]
    BadRequest(String),
    /// 409: somebody else changed it meanwhile, or the state does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// 413, with the limit in bytes.
    #[error("larger than the limit of {limit} bytes")]
    TooLarge { limit: usize },
    /// 429, with seconds to wait.
    #[error("too many requests; try again in {retry_after_s} s")]
    RateLimited { retry_after_s: u64 },
    /// 503: the database or another part is away for now; senders should retry.
    #[error("temporarily unavailable: {0}")]
    Unavailable(String),
    /// 500: a fault of ours.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// A single complaint about a single field.
    pub fn invalid(field: &str, message: impl Into<String>) -> Self {
        let mut errors = FieldErrors::default();
        errors.add(field, message);
        Self::Invalid(errors)
    }

    pub fn not_found(what: impl fmt::Display) -> Self {
        Self::NotFound(what.to_string())
    }

    /// The status table: the only one.
    pub const fn status(&self) -> u16 {
        match self {
            Self::BadRequest(_) => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden(_) => 403,
            Self::NotFound(_) => 404,
            Self::Conflict(_) => 409,
            Self::TooLarge { .. } => 413,
            Self::Invalid(_) => 422,
            Self::RateLimited { .. } => 429,
            Self::Internal(_) => 500,
            Self::Unavailable(_) => 503,
        }
    }

    /// A short name for the status, the `title` of a problem document.
    pub const fn title(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "Cannot be read",
            Self::Unauthenticated => "Sign in first",
            Self::Forbidden(_) => "Not allowed",
            Self::NotFound(_) => "Not found",
            Self::Conflict(_) => "Conflict",
            Self::TooLarge { .. } => "Too large",
            Self::Invalid(_) => "Some fields need mending",
            Self::RateLimited { .. } => "Too many requests",
            Self::Internal(_) => "Something broke on our side",
            Self::Unavailable(_) => "Temporarily unavailable",
        }
    }

    /// What a visitor may read: internal causes stay in the log.
    pub fn public_message(&self) -> String {
        match self {
            Self::Internal(_) => "The cause is in the server's log under the request id below.".to_owned(),
            Self::Unavailable(_) => "The database does not answer at the moment. Please try again shortly.".to_owned(),
            other => other.to_string(),
        }
    }
}

impl From<sqlx::Error> for Error {
    /// A lost connection or a full pool is worth a retry; everything else is a fault of ours.
    fn from(e: sqlx::Error) -> Self {
        match &e {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) | sqlx::Error::Tls(_) => {
                Self::Unavailable(e.to_string())
            }
            sqlx::Error::Database(d) if is_transient(d.code().as_deref()) => Self::Unavailable(e.to_string()),
            _ => Self::Internal(e.to_string()),
        }
    }
}

/// SQLite's BUSY, LOCKED and FULL; PostgreSQL's connection (08), resource (53), shut-down (57P) and
/// serialisation (40) classes.
fn is_transient(code: Option<&str>) -> bool {
    code.is_some_and(|c| {
        matches!(c, "5" | "6" | "13" | "261" | "517")
            || c.starts_with("08")
            || c.starts_with("53")
            || c.starts_with("57P")
            || c.starts_with("40")
    })
}

impl From<serde_json::Error> for Error {
    fn from(e: serde_json::Error) -> Self {
        Self::Internal(format!("JSON: {e}"))
    }
}
