//! Actions on accounts: set up, sign in and out, users, tokens.

use chrono::TimeDelta;
use sha2::{Digest, Sha256};

use super::model::{Actor, NewUser, Role, Scope, Session, Token, User, check_password};
use super::{passwords, store};
use crate::audit;
use crate::db::{Db, Tx};
use crate::error::{Error, FieldErrors, Result};
use crate::random::Random;
use crate::state::AppState;

/// A session ends this long after its last use …
pub(super) const SESSION_IDLE: TimeDelta = TimeDelta::days(7);
/// … and this long after signing in, used or not.
const SESSION_ABSOLUTE: TimeDelta = TimeDelta::days(30);
/// How often a use is written down; more would only cost writes.
pub(super) const TOUCH_EVERY: TimeDelta = TimeDelta::minutes(5);
const SETUP_CODE: &str = "setup_code_hash";
const LIST_LIMIT: i64 = 1000;

/// The topic of notices that a token is no longer what it was.
pub const TOKENS: &str = "tokens";
/// The topic of notices that sessions have ended, or that their person may do something else than before.
const SESSIONS: &str = "sessions";

/// What is stored of a secret, and what it is found by. Tokens and sessions have 256 random bits, so a plain hash
/// is as good as a slow one.
pub fn digest(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// Whether the installation still waits for its first user.
pub async fn needs_setup(db: &Db) -> Result<bool> {
    Ok(!store::any_user(db).await?)
}

/// Makes a new one-time code for the set-up page, or nothing when there is a user already.
pub async fn new_setup_code(state: &AppState) -> Result<Option<String>> {
    if !needs_setup(&state.db).await? {
        return Ok(None);
    }
    let code = hex::encode(state.random.bytes::<8>());
    let tx = state.db.begin().await?;
    store::put_setting(&tx, SETUP_CODE, &digest(&code), state.now()).await?;
    tx.commit().await?;
    Ok(Some(code))
}

/// Makes the first user, an admin, for who knows the code; the code is spent by it.
///
/// # Errors
/// `NotFound` when there is a user already, `Invalid` for a wrong code or unusable fields.
pub async fn set_up(state: &AppState, code: &str, user: NewUser) -> Result<i64> {
    if !needs_setup(&state.db).await? {
        return Err(Error::not_found("The set-up page"));
    }
    let expected = store::get_setting(&state.db, SETUP_CODE).await?.unwrap_or_default();
    let given = digest(code.trim());
    let matches: bool = subtle::ConstantTimeEq::ct_eq(given.as_bytes(), expected.as_bytes()).into();
    let user = NewUser { role: Role::Admin, ..user }.normalize();
    if !matches {
        let mut errors = FieldErrors::default();
        errors.add("code", "is not the code that the log printed at the last start");
        if let Err(Error::Invalid(more)) = user {
            errors.0.extend(more.0);
        }
        return Err(Error::Invalid(errors));
    }
    let user = user?;
    let hash = passwords::hash(user.password.clone(), state.random.bytes()).await?;
    let tx = state.db.begin().await?;
    if store::any_user(&tx).await? {
        return Err(Error::not_found("The set-up page"));
    }
    let id = insert_user(&tx, state, &Actor::system(), &user, &hash).await?;
    store::delete_setting(&tx, SETUP_CODE).await?;
    tx.commit().await?;
    Ok(id)
}

/// # Errors
/// `Forbidden` for who is no admin; `Invalid` names every fault, also an address that is taken.
pub async fn add_user(state: &AppState, actor: &Actor, user: NewUser) -> Result<i64> {
    actor.require(Role::Admin)?;
    let user = user.normalize()?;
    let hash = passwords::hash(user.password.clone(), state.random.bytes()).await?;
    let tx = state.db.begin().await?;
    let id = insert_user(&tx, state, actor, &user, &hash).await?;
    tx.commit().await?;
    Ok(id)
}

async fn insert_user(tx: &Tx, state: &AppState, actor: &Actor, user: &NewUser, hash: &str) -> Result<i64> {
    let fields = (user.email.as_str(), user.name.as_str(), user.role.as_str());
    let id = store::insert_user(tx, state.now(), fields, hash)
        .await?
        .ok_or_else(|| Error::invalid("email", "belongs to another user already"))?;
    let detail = serde_json::json!({ "email": user.email, "role": user.role });
    audit::record(tx, state.now(), actor, "user.add", ("user", &id.to_string()), &detail).await?;
    Ok(id)
}

/// A person who cannot sign in by password: made by imports, the demo and tests, which need many
/// people in little time.
pub async fn add_person(tx: &Tx, now: crate::clock::Timestamp, email: &str, name: &str, role: Role) -> Result<i64> {
    store::insert_user(tx, now, (email, name, role.as_str()), "!")
        .await?
        .ok_or_else(|| Error::invalid("email", "belongs to another user already"))
}

/// Changes role and access. The last admin can be neither lowered nor disabled.
pub async fn update_user(state: &AppState, actor: &Actor, id: i64, role: Role, disabled: bool) -> Result<()> {
    actor.require(Role::Admin)?;
    let tx = state.db.begin().await?;
    let before = store::find_user(&tx, id).await?.ok_or_else(|| Error::not_found("That user"))?;
    let disabled_at = disabled.then(|| before.disabled_at.unwrap_or(state.now()));
    store::update_user(&tx, id, role.as_str(), disabled_at).await?;
    if store::admins(&tx).await? == 0 {
        return Err(Error::invalid("role", "the last admin cannot be lowered or disabled"));
    }
    if disabled {
        store::delete_sessions_of(&tx, id).await?;
    }
    let detail = serde_json::json!({ "role": role, "disabled": disabled });
    audit::record(&tx, state.now(), actor, "user.update", ("user", &id.to_string()), &detail).await?;
    tx.announce(SESSIONS);
    tx.commit().await
}

/// Changes one's own password after checking the present one; all sessions end.
pub async fn change_password(state: &AppState, actor: &Actor, current: String, new: String) -> Result<()> {
    let id = actor.user_id.ok_or(Error::Unauthenticated)?;
    let user = store::find_user(&state.db, id).await?.ok_or(Error::Unauthenticated)?;
    let known = store::find_credentials(&state.db, &user.email).await?.ok_or(Error::Unauthenticated)?;
    let mut errors = FieldErrors::default();
    if !passwords::verify(current, Some(known.password_hash)).await? {
        errors.add("current", "is not your present password");
    }
    check_password(&new, &[&user.email, &user.name], &mut errors);
    errors.into_result()?;
    let hash = passwords::hash(new, state.random.bytes()).await?;
    let tx = state.db.begin().await?;
    store::set_password(&tx, id, &hash).await?;
    store::delete_sessions_of(&tx, id).await?;
    audit::record(&tx, state.now(), actor, "user.password", ("user", &id.to_string()), &serde_json::json!({})).await?;
    tx.announce(SESSIONS);
    tx.commit().await
}

/// Checks the password and opens a session; gives the session's secret for the cookie.
///
/// # Errors
/// `Invalid`, saying neither whether the address nor whether the password was wrong.
pub async fn sign_in(state: &AppState, email: &str, password: String, user_agent: &str) -> Result<String> {
    let email = email.trim().to_lowercase();
    let known = store::find_credentials(&state.db, &email).await?.filter(|c| c.disabled_at.is_none());
    let user_id = known.as_ref().map(|c| c.id);
    let right = passwords::verify(password, known.map(|c| c.password_hash)).await?;
    let Some(user_id) = user_id.filter(|_| right) else {
        tracing::info!(target: "faultline::audit", "a sign-in failed");
        return Err(Error::invalid("password", "does not belong to this address"));
    };
    open_session(state, user_id, user_agent).await
}

/// Opens a session for a user who has proved who they are; the secret is new at every sign-in.
pub async fn open_session(state: &AppState, user_id: i64, user_agent: &str) -> Result<String> {
    let secret = state.random.secret();
    let agent: String = user_agent.chars().take(200).collect();
    let now = state.now();
    let tx = state.db.begin().await?;
    store::delete_expired_sessions(&tx, now, now - SESSION_IDLE).await?;
    store::insert_session(&tx, user_id, &digest(&secret), &agent, (now, now + SESSION_ABSOLUTE)).await?;
    tx.commit().await?;
    Ok(secret)
}

/// Who is behind an API or ingest token.
pub async fn find_by_token(state: &AppState, secret: &str, scope: Scope) -> Result<Option<Actor>> {
    let Some(row) = store::find_token(&state.db, &digest(secret), scope.as_str()).await? else { return Ok(None) };
    let now = state.now();
    if row.last_used_at.is_none_or(|last| now - last > TOUCH_EVERY) {
        let tx = state.db.begin().await?;
        store::touch_token(&tx, row.id, now).await?;
        tx.commit().await?;
    }
    Ok(Some(Actor { user_id: None, token_id: Some(row.id), name: row.name, role: row.role.parse()? }))
}

pub async fn sign_out(state: &AppState, secret: &str) -> Result<()> {
    let tx = state.db.begin().await?;
    store::delete_session_by_hash(&tx, &digest(secret)).await?;
    tx.announce(SESSIONS);
    tx.commit().await
}

/// Ends one of one's own sessions.
pub async fn revoke_session(state: &AppState, actor: &Actor, id: i64) -> Result<()> {
    let user_id = actor.user_id.ok_or(Error::Unauthenticated)?;
    let tx = state.db.begin().await?;
    if store::delete_session(&tx, user_id, id).await? == 0 {
        return Err(Error::not_found("That session"));
    }
    tx.announce(SESSIONS);
    tx.commit().await
}

/// Makes a token and gives its secret, which is stored only hashed and never shown again.
pub async fn add_token(state: &AppState, actor: &Actor, name: &str, scope: Scope, role: Role) -> Result<(i64, String)> {
    actor.require(Role::Admin)?;
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 100 {
        return Err(Error::invalid("name", "must have 1 to 100 characters"));
    }
    let tx = state.db.begin().await?;
    let made = insert_token(&tx, state, actor, name, scope, role).await?;
    tx.commit().await?;
    Ok(made)
}

async fn insert_token(
    tx: &Tx,
    state: &AppState,
    actor: &Actor,
    name: &str,
    scope: Scope,
    role: Role,
) -> Result<(i64, String)> {
    let secret = new_token(&state.random);
    // An ingest token reads nothing, whatever role was asked for.
    let role = if scope == Scope::Ingest { Role::Viewer } else { role };
    let prefix: String = secret.chars().take(10).collect();
    let fields = (name, scope.as_str(), role.as_str());
    let id = store::insert_token(tx, fields, (&prefix, &digest(&secret)), actor.user_id, state.now()).await?;
    let detail = serde_json::json!({ "name": name, "scope": scope.as_str(), "role": role });
    audit::record(tx, state.now(), actor, "token.add", ("token", &id.to_string()), &detail).await?;
    Ok((id, secret))
}

fn new_token(random: &Random) -> String {
    format!("flt_{}", random.secret())
}

pub async fn revoke_token(state: &AppState, actor: &Actor, id: i64) -> Result<()> {
    actor.require(Role::Admin)?;
    let tx = state.db.begin().await?;
    if store::revoke_token(&tx, id, state.now()).await? == 0 {
        return Err(Error::not_found("That token"));
    }
    tx.announce(TOKENS);
    audit::record(&tx, state.now(), actor, "token.revoke", ("token", &id.to_string()), &serde_json::json!({})).await?;
    tx.commit().await
}

/// At most a thousand, by name.
pub async fn list_users(db: &Db) -> Result<Vec<User>> {
    store::list_users(db, LIST_LIMIT).await
}

pub async fn find_user(db: &Db, id: i64) -> Result<Option<User>> {
    store::find_user(db, id).await
}

pub(super) async fn list_tokens(db: &Db) -> Result<Vec<Token>> {
    store::list_tokens(db).await
}

pub(super) async fn list_sessions(db: &Db, user_id: i64) -> Result<Vec<Session>> {
    store::list_sessions(db, user_id).await
}
