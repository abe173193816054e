//! Writing, publishing, correcting and withdrawing notices.

use std::collections::BTreeMap;

use serde_json::json;

use crate::accounts::{Actor, Role};
use crate::audit;
use crate::clock::Timestamp;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::fields;
use crate::incidents::model::Role as IncidentRole;
use crate::incidents::{self, Append, By, EntryKind, IncidentId, append_timeline};
use crate::notifications::{self, Event, EventKind};
use crate::status_page::model::input::{DraftInput, MAX_TEXT, NewDraft, lacking};
use crate::status_page::model::{ComponentState, NoticeKind, NoticeState};
use crate::status_page::store::components;
use crate::status_page::store::notices::{self as store, Draft, Notice};

/// # Errors
/// `NotFound`.
pub async fn get(db: &Db, id: i64) -> Result<Notice> {
    store::find(db, id).await?.ok_or_else(|| Error::not_found("That notice"))
}

pub async fn draft(db: &Db, id: i64) -> Result<Option<Draft>> {
    store::draft(db, id).await
}

async fn known(db: &Db) -> Result<Vec<i64>> {
    Ok(components::all(db).await?.into_iter().map(|c| c.id).collect())
}

async fn audited(tx: &Tx, actor: &Actor, action: &'static str, id: i64, now: Timestamp) -> Result<()> {
    tx.announce("status-page");
    audit::record(tx, now, actor, action, ("status_notice", &id.to_string()), &json!({})).await
}

/// What a new draft may start with, for an incident: which components its services stand for. Nothing
/// of the incident's words or times is taken over, and of a private incident nothing at all.
pub async fn suggested(db: &Db, incident: IncidentId) -> Result<BTreeMap<i64, ComponentState>> {
    let is_private = incidents::get_visible(db, incident, SYSTEM).await?.private;
    if is_private {
        return Ok(BTreeMap::new());
    }
    let services: Vec<String> = incidents::services(db, incident).await?.into_iter().map(|s| s.slug).collect();
    let all = components::all(db).await?;
    let concerned = all.iter().filter(|c| c.service.as_ref().is_some_and(|s| services.contains(s)));
    Ok(concerned.map(|c| (c.id, ComponentState::Degraded)).collect())
}

const SYSTEM: incidents::Viewer = incidents::Viewer { all: true, user_id: 0 };

/// Begins a notice with its first draft.
///
/// # Errors
/// `Invalid` by field; `NotFound` for an incident that the actor may not see.
pub async fn create(
    tx: &Tx,
    kind: NoticeKind,
    incident: Option<IncidentId>,
    input: &DraftInput,
    actor: &Actor,
    now: Timestamp,
) -> Result<i64> {
    let draft = input.normalize(kind, &known(tx).await?, now).map_err(Error::Invalid)?;
    if let Some(incident) = incident {
        incidents::get_visible(tx, incident, actor.into()).await?;
    }
    let id = store::insert(tx, kind, incident, &actor.name, now).await?;
    store::save_draft(tx, id, &draft, 1, &actor.name, now).await?;
    if let Some(incident) = incident {
        tx.announce(format!("incident:{}", incident.0));
    }
    audited(tx, actor, "status_page.notice.draft", id, now).await?;
    Ok(id)
}

/// Keeps the draft of a notice, which may begin with it.
///
/// # Errors
/// `Invalid` by field; `Conflict` when somebody else changed the draft meanwhile.
pub async fn save_draft(tx: &Tx, id: i64, input: &DraftInput, actor: &Actor, now: Timestamp) -> Result<Draft> {
    let notice = get(tx, id).await?;
    let new = input.normalize(notice.kind, &known(tx).await?, now).map_err(Error::Invalid)?;
    let standing = store::draft(tx, id).await?;
    let version = standing.as_ref().map_or(0, |d| d.version);
    if new.version.is_some_and(|read| read != version) {
        let by = standing.map_or_else(String::new, |d| format!(" by {}", d.updated_by));
        return Err(Error::Conflict(format!("The draft was changed or published{by} since you opened it")));
    }
    store::save_draft(tx, id, &new, version + 1, &actor.name, now).await?;
    audited(tx, actor, "status_page.notice.draft", id, now).await?;
    let kept = NewDraft { version: Some(version + 1), ..new };
    Ok(Draft { content: kept, version: version + 1, updated_by: actor.name.clone(), updated_at: now })
}

/// Throws the draft away, and with it a notice that was never published.
pub async fn discard(tx: &Tx, id: i64, actor: &Actor, now: Timestamp) -> Result<Option<Notice>> {
    let notice = get(tx, id).await?;
    store::discard_draft(tx, id).await?;
    audited(tx, actor, "status_page.notice.discard", id, now).await?;
    if notice.published_at.is_none() {
        store::delete(tx, id).await?;
        return Ok(None);
    }
    Ok(Some(notice))
}

/// Commanders publish, and whoever leads or speaks for the incident behind.
///
/// # Errors
/// `Forbidden`.
pub async fn may_publish(db: &Db, notice: &Notice, actor: &Actor) -> Result<bool> {
    if actor.can(Role::Commander) {
        return Ok(true);
    }
    let Some(incident) = notice.incident else { return Ok(false) };
    let holders = incidents::roles(db, incident).await?;
    let speaks = [IncidentRole::Commander, IncidentRole::Communications];
    Ok(actor.user_id.is_some() && holders.iter().any(|h| speaks.contains(&h.role) && Some(h.user_id) == actor.user_id))
}

async fn require_publisher(db: &Db, notice: &Notice, actor: &Actor) -> Result<()> {
    if may_publish(db, notice, actor).await? {
        return Ok(());
    }
    Err(Error::Forbidden(
        "Publishing needs the role commander, or the incident's role commander or communications.".to_owned(),
    ))
}

/// Makes the draft public: from the commit on, everybody reads it.
///
/// # Errors
/// `Invalid` names what the draft lacks; `Conflict` when another version than `version` stands.
pub async fn publish(tx: &Tx, id: i64, version: Option<i64>, actor: &Actor, now: Timestamp) -> Result<i64> {
    let mut notice = get(tx, id).await?;
    require_publisher(tx, &notice, actor).await?;
    let draft = store::draft(tx, id).await?.ok_or_else(|| Error::Conflict("There is no draft to publish".into()))?;
    if version.is_some_and(|read| read != draft.version) {
        let message = format!("{} changed the draft since you opened it; read it again", draft.updated_by);
        return Err(Error::Conflict(message));
    }
    let draft = draft.content;
    lacking(notice.kind, &draft).into_result()?;
    let is_first = notice.published_at.is_none();
    notice.title = draft.title.clone();
    notice.state = draft.state;
    match notice.kind {
        NoticeKind::Incident => incident_impacts(tx, &mut notice, &draft, is_first, now).await?,
        NoticeKind::Maintenance => maintenance_impacts(tx, &mut notice, &draft, now).await?,
    }
    store::publish(tx, &notice, now).await?;
    let update = store::insert_update(tx, id, &draft, &actor.name, now).await?;
    store::discard_draft(tx, id).await?;
    components::touch(tx).await?;
    tell(tx, &notice, &draft, actor, now).await?;
    super::subscribers::tell_all(tx, update, now).await?;
    audited(tx, actor, "status_page.notice.publish", id, now).await?;
    Ok(update)
}

/// Impacts begin with the notice and change with each update.
async fn incident_impacts(
    tx: &Tx,
    notice: &mut Notice,
    draft: &NewDraft,
    is_first: bool,
    now: Timestamp,
) -> Result<()> {
    if is_first {
        notice.starts_at = draft.starts_at.unwrap_or(now);
    }
    let is_over = notice.state == NoticeState::Resolved;
    let end = draft.ends_at.unwrap_or(now).max(notice.starts_at);
    notice.resolved_at = is_over.then_some(end);
    let standing = store::open_impacts(tx, notice.id).await?;
    let from = if is_first { notice.starts_at } else { now };
    for (component, state) in &standing {
        if is_over {
            store::end_impact(tx, notice.id, *component, end).await?;
        } else if draft.impacts.get(component) != Some(state) {
            store::end_impact(tx, notice.id, *component, now).await?;
        }
    }
    for (component, state) in draft.impacts.iter().map(|(c, s)| (*c, *s)) {
        if is_over && (is_first || !standing.contains_key(&component)) {
            // Told only when it was over: what it did then lies in the past as a whole.
            if end > from && is_first {
                store::insert_impact(tx, notice.id, (component, state), from, Some(end)).await?;
            }
        } else if !is_over && standing.get(&component) != Some(&state) {
            store::insert_impact(tx, notice.id, (component, state), from, None).await?;
        }
    }
    Ok(())
}

/// Impacts last as long as is planned, or until maintenance was said to be completed.
async fn maintenance_impacts(tx: &Tx, notice: &mut Notice, draft: &NewDraft, now: Timestamp) -> Result<()> {
    notice.starts_at = draft.starts_at.unwrap_or(now);
    notice.ends_at = draft.ends_at;
    let is_over = notice.state == NoticeState::Completed;
    let planned = notice.ends_at.unwrap_or(now);
    let end = if is_over { planned.min(now).max(notice.starts_at) } else { planned };
    notice.resolved_at = is_over.then_some(end);
    store::clear_impacts(tx, notice.id).await?;
    for (component, state) in draft.impacts.iter().map(|(c, s)| (*c, *s)) {
        if end > notice.starts_at {
            store::insert_impact(tx, notice.id, (component, state), notice.starts_at, Some(end)).await?;
        }
    }
    Ok(())
}

/// The incident's timeline, and the channels that want to know. What is told is what was published.
async fn tell(tx: &Tx, notice: &Notice, draft: &NewDraft, actor: &Actor, now: Timestamp) -> Result<()> {
    let path = format!("/status/notices/{}", notice.id);
    if let Some(incident) = notice.incident {
        let text = format!("Published on the status page: {} ({})", notice.title, draft.state.label());
        let entry = Append::activity(EntryKind::StatusPage, text, now).linked(path.clone());
        append_timeline(tx, incident, &entry, &By::from(actor), now).await?;
        tx.announce(format!("incident:{}", incident.0));
    }
    let event = Event {
        status: Some(draft.state.as_str().to_owned()),
        text: Some(draft.text.chars().take(500).collect()),
        actor: Some(actor.name.clone()),
        path,
        ..Event::new(EventKind::StatusPublished, "Status page", notice.title.clone(), now)
    };
    notifications::queue(tx, event).await
}

/// Mends the wording of a published update; the public sees that it was corrected.
///
/// # Errors
/// `Invalid` (field `text`), `NotFound`.
pub async fn correct(tx: &Tx, id: i64, update: i64, text: &str, actor: &Actor, now: Timestamp) -> Result<()> {
    let notice = get(tx, id).await?;
    require_publisher(tx, &notice, actor).await?;
    let mut errors = crate::error::FieldErrors::default();
    let text = fields::required(&mut errors, "text", &text.replace("\r\n", "\n"), MAX_TEXT);
    errors.into_result()?;
    if store::correct_update(tx, id, update, &text, now).await? == 0 {
        return Err(Error::not_found("That update"));
    }
    components::touch(tx).await?;
    audited(tx, actor, "status_page.notice.correct", id, now).await
}

/// Takes a notice off the public pages, with what it did to the components' history.
///
/// # Errors
/// `Conflict` when it is not public.
pub async fn withdraw(tx: &Tx, id: i64, actor: &Actor, now: Timestamp) -> Result<()> {
    let notice = get(tx, id).await?;
    require_publisher(tx, &notice, actor).await?;
    if store::withdraw(tx, id, now).await? == 0 {
        return Err(Error::Conflict("The notice is not public".into()));
    }
    components::touch(tx).await?;
    audited(tx, actor, "status_page.notice.withdraw", id, now).await
}
