//! Notices: the list, and the page on which one is written, previewed, published, corrected.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Form, Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::tabs;
use crate::error::{Error, FieldErrors, Result};
use crate::incidents::{self, IncidentId};
use crate::status_page::model::input::{DraftInput, NewDraft};
use crate::status_page::model::{ComponentState, NoticeKind, NoticeState, PublicNotice, PublicUpdate};
use crate::status_page::public::{NoticeView, notice_view};
use crate::status_page::service::{Component, Notice, Update, components, notices as service};
use crate::status_page::store::notices as store;
use crate::web::{Cursor, Cx, Limit, Page, Shell, redirect_with_flash, render, render_with_status};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ListQuery {
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "status_page/notices.html")]
struct NoticesPage {
    shell: Shell,
    tabs: Vec<(&'static str, &'static str)>,
    page: Page<Notice>,
    has_components: bool,
    is_public: bool,
}

pub(super) async fn list(cx: Cx, Query(query): Query<ListQuery>) -> Result<Response> {
    let (db, limit) = (&cx.state.db, Limit::default());
    let cursor = Cursor::from_param(query.cursor.as_deref())?;
    let beyond = cursor.map(|c| (crate::clock::Timestamp::from_micros(c.sort), c.id));
    let items = store::page(db, beyond, limit.get() + 1).await?;
    let page = Page::cut(items, limit, store::count(db).await?, |n| Cursor { sort: n.starts_at.as_micros(), id: n.id });
    render(&NoticesPage {
        shell: cx.shell("Status page").live(&["status-page"]),
        tabs: tabs(cx.actor()?),
        page,
        has_components: !components::all(db).await?.is_empty(),
        is_public: components::head(db).await?.is_public,
    })
}

#[derive(Template)]
#[template(path = "status_page/notice.html")]
struct NoticePage {
    shell: Shell,
    kind: NoticeKind,
    /// `None` while the first draft is written.
    notice: Option<Notice>,
    /// Path of the incident behind, when who looks may see it.
    incident: Option<IncidentId>,
    updates: Vec<Update>,
    /// How the kept draft will look.
    preview: Option<NoticeView>,
    version: i64,
    may_publish: bool,
    components: Vec<Component>,
    form: DraftInput,
    errors: FieldErrors,
}

impl NoticePage {
    fn states(&self) -> &'static [NoticeState] {
        NoticeState::of(self.kind)
    }

    fn is_maintenance(&self) -> bool {
        self.kind == NoticeKind::Maintenance
    }

    /// An incident's begin is set with its first publication.
    fn asks_begin(&self) -> bool {
        self.is_maintenance() || self.notice.as_ref().is_none_or(|n| n.published_at.is_none())
    }

    fn component_states(&self) -> &'static [ComponentState] {
        ComponentState::ALL
    }

    fn is_state(&self, component: &i64, state: &ComponentState) -> bool {
        let chosen = self.form.components.get(&component.to_string()).and_then(|s| ComponentState::parse(s));
        chosen.unwrap_or(ComponentState::Operational) == *state
    }

    fn action(&self) -> String {
        self.notice
            .as_ref()
            .map_or("/status-page/notices".to_owned(), |n| format!("/status-page/notices/{}/draft", n.id))
    }
}

fn input_of(draft: &NewDraft) -> DraftInput {
    DraftInput {
        title: draft.title.clone(),
        state: draft.state.as_str().to_owned(),
        text: draft.text.clone(),
        components: words(&draft.impacts),
        starts_at: draft.starts_at.map_or_else(String::new, |t| t.to_input()),
        ends_at: draft.ends_at.map_or_else(String::new, |t| t.to_input()),
        version: draft.version,
    }
}

fn words(impacts: &BTreeMap<i64, ComponentState>) -> BTreeMap<String, String> {
    impacts.iter().map(|(id, state)| (id.to_string(), state.as_str().to_owned())).collect()
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct NewQuery {
    incident: String,
    kind: String,
}

impl NewQuery {
    fn kind(&self) -> NoticeKind {
        NoticeKind::parse(&self.kind).unwrap_or(NoticeKind::Incident)
    }

    /// # Errors
    /// `NotFound` for an incident that who asks may not see.
    async fn incident(&self, cx: &Cx) -> Result<Option<IncidentId>> {
        if self.incident.trim().is_empty() {
            return Ok(None);
        }
        let id = IncidentId::parse(&self.incident).ok_or_else(|| Error::not_found("That incident"))?;
        Ok(Some(incidents::get_visible(&cx.state.db, id, cx.actor()?.into()).await?.id))
    }
}

/// The page of a first draft.
async fn blank(cx: &Cx, query: &NewQuery, form: DraftInput, errors: FieldErrors) -> Result<Response> {
    let kind = query.kind();
    let title = if kind == NoticeKind::Maintenance { "Announce maintenance" } else { "Write a public notice" };
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = NoticePage {
        shell: cx.shell(title),
        kind,
        notice: None,
        incident: query.incident(cx).await?,
        updates: Vec::new(),
        preview: None,
        version: 0,
        may_publish: false,
        components: components::all(&cx.state.db).await?,
        form,
        errors,
    };
    render_with_status(status, &page)
}

pub(super) async fn new(cx: Cx, Query(query): Query<NewQuery>) -> Result<Response> {
    let mut form = DraftInput::default();
    if let Some(incident) = query.incident(&cx).await? {
        form.components = words(&service::suggested(&cx.state.db, incident).await?);
    }
    blank(&cx, &query, form, FieldErrors::default()).await
}

type Pairs = Form<Vec<(String, String)>>;

pub(super) async fn create(cx: Cx, Form(pairs): Pairs) -> Result<Response> {
    let of = |name: &str| pairs.iter().find(|p| p.0 == name).map_or_else(String::new, |p| p.1.clone());
    let query = NewQuery { incident: of("incident"), kind: of("kind") };
    let incident = query.incident(&cx).await?;
    let form = DraftInput::from_pairs(pairs);
    let tx = cx.state.db.begin().await?;
    match service::create(&tx, query.kind(), incident, &form, cx.actor()?, cx.now()).await {
        Ok(id) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&path(id), "Kept as a draft: nobody outside sees it yet."))
        }
        Err(Error::Invalid(errors)) => {
            drop(tx);
            blank(&cx, &query, form, errors).await
        }
        Err(other) => Err(other),
    }
}

fn path(id: i64) -> String {
    format!("/status-page/notices/{id}")
}

/// The page of a notice; `typed` is a refused form with its complaints.
async fn page(cx: &Cx, id: i64, typed: Option<(DraftInput, FieldErrors)>) -> Result<Response> {
    let (db, actor) = (&cx.state.db, cx.actor()?);
    let notice = service::get(db, id).await?;
    let draft = service::draft(db, id).await?;
    let all = components::all(db).await?;
    let version = draft.as_ref().map_or(0, |d| d.version);
    let preview = draft.as_ref().map(|d| preview(&notice, &d.content, &all, cx.now()));
    let (form, errors) = match (typed, &draft) {
        (Some(typed), _) => typed,
        (None, Some(draft)) => (input_of(&draft.content), FieldErrors::default()),
        (None, None) => (next_form(cx, &notice).await?, FieldErrors::default()),
    };
    let incident = match notice.incident {
        Some(i) => incidents::get_visible(db, i, actor.into()).await.ok().map(|i| i.id),
        None => None,
    };
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = NoticePage {
        shell: cx.shell(notice.name()),
        kind: notice.kind,
        incident,
        updates: store::updates(db, id).await?,
        preview,
        version,
        may_publish: service::may_publish(db, &notice, actor).await?,
        components: all,
        form,
        errors,
        notice: Some(notice),
    };
    render_with_status(status, &page)
}

/// The next update begins with what stands.
async fn next_form(cx: &Cx, notice: &Notice) -> Result<DraftInput> {
    let db = &cx.state.db;
    let impacts = match notice.kind {
        NoticeKind::Incident => store::open_impacts(db, notice.id).await?,
        NoticeKind::Maintenance => store::last_impacts(db, notice.id).await?,
    };
    let planned = notice.kind == NoticeKind::Maintenance;
    Ok(DraftInput {
        title: notice.title.clone(),
        state: notice.state.as_str().to_owned(),
        components: words(&impacts),
        starts_at: if planned { notice.starts_at.to_input() } else { String::new() },
        ends_at: notice.ends_at.filter(|_| planned).map_or_else(String::new, |t| t.to_input()),
        version: Some(0),
        ..DraftInput::default()
    })
}

fn preview(notice: &Notice, draft: &NewDraft, all: &[Component], now: crate::clock::Timestamp) -> NoticeView {
    let name = |id: &i64| all.iter().find(|c| c.id == *id).map(|c| c.name.clone());
    let update =
        PublicUpdate { id: 0, state: draft.state, text: draft.text.clone(), published_at: now, corrected_at: None };
    let starts = if notice.published_at.is_some() && notice.kind == NoticeKind::Incident {
        notice.starts_at
    } else {
        draft.starts_at.unwrap_or(now)
    };
    let shown = PublicNotice {
        id: notice.id,
        kind: notice.kind,
        title: draft.title.clone(),
        state: draft.state,
        components: draft.impacts.keys().filter_map(name).collect(),
        started_at: starts,
        ends_at: draft.ends_at.filter(|_| notice.kind == NoticeKind::Maintenance),
        resolved_at: draft.state.is_over().then(|| draft.ends_at.unwrap_or(now)),
        updates: vec![update],
    };
    notice_view(shown, now)
}

pub(super) async fn show(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    page(&cx, id, None).await
}

/// A refused action as complaints: by field, or for a conflict at the top.
fn complaints(error: Error) -> Result<FieldErrors> {
    match error {
        Error::Invalid(errors) => Ok(errors),
        Error::Conflict(message) => {
            let mut errors = FieldErrors::default();
            errors.add("conflict", message);
            Ok(errors)
        }
        other => Err(other),
    }
}

pub(super) async fn save(cx: Cx, Path(id): Path<i64>, Form(pairs): Pairs) -> Result<Response> {
    let form = DraftInput::from_pairs(pairs);
    let tx = cx.state.db.begin().await?;
    match service::save_draft(&tx, id, &form, cx.actor()?, cx.now()).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&path(id), "Kept as a draft: nobody outside sees it yet."))
        }
        Err(error) => {
            drop(tx);
            page(&cx, id, Some((form, complaints(error)?))).await
        }
    }
}

#[derive(Deserialize)]
pub(super) struct PublishForm {
    version: Option<i64>,
}

pub(super) async fn publish(cx: Cx, Path(id): Path<i64>, Form(form): Form<PublishForm>) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    match service::publish(&tx, id, form.version, cx.actor()?, cx.now()).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&path(id), "Published: it is on the status page now."))
        }
        Err(error) => {
            drop(tx);
            let errors = complaints(error)?;
            let draft = service::draft(&cx.state.db, id).await?;
            let form = draft.map(|d| input_of(&d.content)).unwrap_or_default();
            page(&cx, id, Some((form, errors))).await
        }
    }
}

pub(super) async fn discard(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    let left = service::discard(&tx, id, cx.actor()?, cx.now()).await?;
    tx.commit().await?;
    let back = left.map_or("/status-page".to_owned(), |n| path(n.id));
    Ok(redirect_with_flash(&back, "The draft is gone."))
}

#[derive(Deserialize)]
pub(super) struct WithdrawForm {
    #[serde(default)]
    confirm: String,
}

pub(super) async fn withdraw(cx: Cx, Path(id): Path<i64>, Form(form): Form<WithdrawForm>) -> Result<Response> {
    if form.confirm.is_empty() {
        service::get(&cx.state.db, id).await?;
        let mut errors = FieldErrors::default();
        errors.add("confirm", "Tick the box to take the notice off the page.");
        return page(&cx, id, Some((DraftInput::default(), errors))).await;
    }
    let tx = cx.state.db.begin().await?;
    service::withdraw(&tx, id, cx.actor()?, cx.now()).await?;
    tx.commit().await?;
    Ok(redirect_with_flash(&path(id), "Withdrawn: the public does not see it any more."))
}

#[derive(Deserialize)]
pub(super) struct CorrectForm {
    text: String,
}

pub(super) async fn correct(
    cx: Cx,
    Path((id, update)): Path<(i64, i64)>,
    Form(form): Form<CorrectForm>,
) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    service::correct(&tx, id, update, &form.text, cx.actor()?, cx.now()).await?;
    tx.commit().await?;
    Ok(redirect_with_flash(&path(id), "Corrected."))
}
