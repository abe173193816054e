//! Roles, actors, and the rules for names, addresses and passwords.

use crate::clock::Timestamp;
use crate::error::{Error, FieldErrors, Result};

/// What somebody may do; each role includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Works on incidents: timeline, evidence, tasks, runbooks, postmortems.
    Responder,
    /// Declares severity and status, merges, publishes.
    Commander,
    /// Users, tokens, settings.
    Admin,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Responder, Self::Commander, Self::Admin];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Responder => "responder",
            Self::Commander => "commander",
            Self::Admin => "admin",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Role {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|r| r.as_str() == text)
            .ok_or_else(|| Error::invalid("role", "must be viewer, responder, commander or admin"))
    }
}

/// What a token opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The JSON API, with the token's role.
    Api,
    /// Sending telemetry, alerts and changes; reads nothing.
    Ingest,
}

impl Scope {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Ingest => "ingest",
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "api" => Ok(Self::Api),
            "ingest" => Ok(Self::Ingest),
            _ => Err(Error::invalid("scope", "must be api or ingest")),
        }
    }
}

/// Who does something: a person by session, a machine by token, or Faultline itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub user_id: Option<i64>,
    pub token_id: Option<i64>,
    /// As shown on timelines.
    pub name: String,
    pub role: Role,
}

impl Actor {
    /// Faultline itself: alert rules, jobs, imports. Sees and may do everything.
    pub fn system() -> Self {
        Self { user_id: None, token_id: None, name: "Faultline".into(), role: Role::Admin }
    }

    pub fn can(&self, role: Role) -> bool {
        self.role >= role
    }

    /// # Errors
    /// `Forbidden`, saying which role it takes.
    pub fn require(&self, role: Role) -> Result<()> {
        if self.can(role) {
            return Ok(());
        }
        Err(Error::Forbidden(format!("This takes the role {role}; yours is {}.", self.role)))
    }
}

/// A user as lists and other rooms see it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct User {
    pub id: i64,
    pub email: String,
    pub name: String,
    pub role: String,
    pub time_zone: String,
    pub created_at: Timestamp,
    pub disabled_at: Option<Timestamp>,
}

/// A machine's token without its secret.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Token {
    pub id: i64,
    pub name: String,
    pub scope: String,
    pub role: String,
    pub prefix: String,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// One signed-in browser.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Session {
    pub id: i64,
    pub user_agent: String,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub expires_at: Timestamp,
}

/// A new user as typed. `password` is never logged: the type has no `Debug`.
pub struct NewUser {
    pub email: String,
    pub name: String,
    pub password: String,
    pub role: Role,
}

impl NewUser {
    /// Trims, lower-cases the address, and collects everything that is wrong.
    pub fn normalize(mut self) -> Result<Self> {
        let mut errors = FieldErrors::default();
        self.email = self.email.trim().to_lowercase();
        self.name = self.name.trim().to_owned();
        check_email(&self.email, &mut errors);
        if self.name.is_empty() {
            self.name = self.email.split('@').next().unwrap_or_default().to_owned();
        }
        if self.name.chars().count() > 100 {
            errors.add("name", "is longer than 100 characters");
        }
        check_password(&self.password, &[&self.email, &self.name], &mut errors);
        errors.into_result().map(|()| self)
    }
}

fn check_email(email: &str, errors: &mut FieldErrors) {
    let well_formed = email.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !domain.starts_with('.')
    });
    if !well_formed || email.len() > 254 || email.chars().any(|c| c.is_whitespace() || c.is_control()) {
        errors.add("email", "is not an e-mail address");
    }
}

/// NIST's and ASVS's advice: length and a guess estimate instead of character classes.
pub(super) fn check_password(password: &str, about: &[&str], errors: &mut FieldErrors) {
    let length = password.chars().count();
    if length < 10 {
        errors.add("password", "must have at least 10 characters");
    } else if password.len() > 1000 {
        errors.add("password", "must have at most 1000 bytes");
    } else if length < 64 && u8::from(zxcvbn::zxcvbn(password, about).score()) < 2 {
        errors.add("password", "is too easy to guess; a few random words make a good one");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_include_those_before_them() {
        assert!(Role::Admin > Role::Commander && Role::Commander > Role::Responder && Role::Responder > Role::Viewer);
        assert_eq!("commander".parse::<Role>().ok(), Some(Role::Commander));
        assert!("root".parse::<Role>().is_err());
    }

    #[test]
    fn all_faults_of_a_user_are_named_together() {
        let user =
            NewUser { email: "nobody".into(), name: "n".repeat(101), password: "short".into(), role: Role::Viewer };
        let Err(Error::Invalid(errors)) = user.normalize().map(|_| ()) else { panic!("accepted") };
        assert_eq!(errors.0.len(), 3, "{errors}");
        let guessable = NewUser {
            email: "Ada@X.org ".into(),
            name: String::new(),
            password: "password123".into(),
            role: Role::Viewer,
        };
        let Err(Error::Invalid(errors)) = guessable.normalize().map(|_| ()) else { panic!("accepted") };
        assert!(errors.has("password"));
    }

    #[test]
    fn an_address_is_lower_cased_and_gives_a_name() {
        let user = NewUser {
            email: " Ada@X.org ".into(),
            name: " ".into(),
            password: "correct horse battery".into(),
            role: Role::Admin,
        };
        let user = user.normalize().map(|u| (u.email, u.name)).expect("valid");
        assert_eq!(user, ("ada@x.org".to_owned(), "ada".to_owned()));
    }
}
