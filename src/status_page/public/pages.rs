//! The public pages, made from what is published.

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::super::cache::Content;
use super::super::feed::atom;
use super::super::model::strip::DAYS;
use super::super::model::{ComponentState, overall};
use super::super::store::public::{self as store, Head, Which};
use super::view::{ComponentView, Frame, Month, NoticeView, components, notice_view};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::state::AppState;

/// Past notices on the first page.
const RECENT: TimeDelta = TimeDelta::days(14);
/// Notices in the feed, at most: those with the newest updates.
const FEED: i64 = 50;

fn page(template: &impl Template) -> Result<Content> {
    template.render().map(Content::html).map_err(|e| Error::Internal(format!("rendering: {e}")))
}

#[derive(Template)]
#[template(path = "status_page/public_nothing.html")]
struct NothingPage {
    frame: Frame,
}

fn nothing_content(state: &AppState, head: &Head) -> Result<Content> {
    let site = if head.is_public { head.title.as_str() } else { "Status" };
    let frame = Frame::new(site, "Nothing here", &state.config.base_url);
    Ok(Content { status: StatusCode::NOT_FOUND, ..page(&NothingPage { frame })? })
}

/// What a visitor gets for what is not public: the same for drafts, withdrawn notices and bare guesses.
pub(super) async fn nothing(state: &AppState) -> Result<Response> {
    let content = nothing_content(state, &store::head(&state.db).await?)?;
    Ok((content.status, [(header::CONTENT_TYPE, content.kind)], content.body).into_response())
}

#[derive(Template)]
#[template(path = "status_page/public_home.html")]
struct HomePage {
    frame: Frame,
    head: Head,
    overall: ComponentState,
    standing: Vec<NoticeView>,
    upcoming: Vec<NoticeView>,
    groups: Vec<String>,
    components: Vec<ComponentView>,
    past: Vec<NoticeView>,
}

/// Everything of the first page, also for its JSON.
struct Now {
    overall: ComponentState,
    standing: Vec<NoticeView>,
    upcoming: Vec<NoticeView>,
    past: Vec<NoticeView>,
    groups: Vec<String>,
    components: Vec<ComponentView>,
}

async fn read_now(state: &AppState) -> Result<Now> {
    let (db, now) = (&state.db, state.now());
    let impacts = store::impacts(db, now - TimeDelta::days(DAYS)).await?;
    let (groups, components) = components(store::components(db).await?, &impacts, now);
    let notices = store::notices(db, Which::SinceOrStanding(now - RECENT)).await?;
    let notices = notices.into_iter().map(|n| notice_view(n, now));
    let (past, open): (Vec<_>, Vec<_>) = notices.partition(|n| n.notice.state.is_over());
    let (mut upcoming, standing): (Vec<_>, Vec<_>) = open.into_iter().partition(|n| n.notice.is_upcoming());
    upcoming.sort_by_key(|n| n.notice.started_at);
    // Maintenance of long ago that ended by the clock has no end written down.
    let past = past.into_iter().filter(|n| n.notice.resolved_at.is_some_and(|end| end >= now - RECENT)).collect();
    let overall = overall(components.iter().map(|c| c.state));
    Ok(Now { overall, standing, upcoming, past, groups, components })
}

pub(super) async fn home(state: &AppState) -> Result<Content> {
    let head = store::head(&state.db).await?;
    if !head.is_public {
        return nothing_content(state, &head);
    }
    let Now { overall, standing, upcoming, past, groups, components } = read_now(state).await?;
    page(&HomePage {
        frame: Frame::new(&head.title, &head.title, &state.config.base_url),
        head,
        overall,
        standing,
        upcoming,
        groups,
        components,
        past,
    })
}

#[derive(Template)]
#[template(path = "status_page/public_history.html")]
struct HistoryPage {
    frame: Frame,
    month: Month,
    notices: Vec<NoticeView>,
    older: Option<Month>,
    newer: Option<Month>,
}

async fn month_of(state: &AppState, month: Month) -> Result<Vec<NoticeView>> {
    let notices = store::notices(&state.db, Which::Between(month.start(), month.next().start())).await?;
    Ok(notices.into_iter().map(|n| notice_view(n, state.now())).collect())
}

pub(super) async fn history(state: &AppState, month: Month) -> Result<Content> {
    let head = store::head(&state.db).await?;
    if !head.is_public {
        return nothing_content(state, &head);
    }
    let (first, last) = store::span(&state.db).await?;
    let last = Month::of(last.unwrap_or_default().max(state.now()));
    page(&HistoryPage {
        frame: Frame::new(&head.title, &format!("History: {}", month.name()), &state.config.base_url),
        notices: month_of(state, month).await?,
        older: first.map(Month::of).filter(|first| *first < month).map(|_| month.before()),
        newer: (month < last).then(|| month.next()),
        month,
    })
}

#[derive(Template)]
#[template(path = "status_page/public_notice.html")]
struct NoticePage {
    frame: Frame,
    view: NoticeView,
}

pub(super) async fn notice(state: &AppState, id: i64) -> Result<Content> {
    let head = store::head(&state.db).await?;
    let found = store::notices(&state.db, Which::One(id)).await?.into_iter().next();
    let Some(notice) = found.filter(|_| head.is_public) else { return nothing_content(state, &head) };
    let view = notice_view(notice, state.now());
    page(&NoticePage { frame: Frame::new(&head.title, &view.notice.title, &state.config.base_url), view })
}

pub(super) async fn feed(state: &AppState) -> Result<Content> {
    let head = store::head(&state.db).await?;
    if !head.is_public {
        return nothing_content(state, &head);
    }
    let mut notices = store::notices(&state.db, Which::Newest(FEED)).await?;
    for notice in &mut notices {
        notice.progress(state.now());
    }
    let xml = atom(&head.title, &state.config.base_url, &notices, Timestamp::default());
    Ok(Content { status: StatusCode::OK, kind: "application/atom+xml; charset=utf-8", body: xml.into() })
}

fn json_content(value: &Value) -> Content {
    Content { status: StatusCode::OK, kind: "application/json", body: value.to_string().into() }
}

fn closed() -> Content {
    let body = json!({ "error": "there is no public status page here" }).to_string();
    Content { status: StatusCode::NOT_FOUND, kind: "application/json", body: body.into() }
}

fn notices_json(state: &AppState, views: &[NoticeView]) -> Value {
    let base = state.config.base_url.trim_end_matches('/');
    views
        .iter()
        .map(|v| {
            let mut value = json!(v.notice);
            value["url"] = json!(format!("{base}/status/notices/{}", v.notice.id));
            value
        })
        .collect()
}

pub(super) async fn summary(state: &AppState) -> Result<Content> {
    let head = store::head(&state.db).await?;
    if !head.is_public {
        return Ok(closed());
    }
    let now = read_now(state).await?;
    let components: Vec<Value> = now
        .components
        .iter()
        .map(|c| {
            json!({
                "id": c.component.id, "name": c.component.name, "description": c.component.description,
                "group": c.component.group_name, "state": c.state, "uptime_90d_percent": c.strip.uptime(),
            })
        })
        .collect();
    Ok(json_content(&json!({
        "page": { "title": head.title, "intro": head.intro, "url": format!("{}/status", state.config.base_url) },
        "state": now.overall,
        "sentence": now.overall.sentence(),
        "components": components,
        "notices": notices_json(state, &now.standing),
        "scheduled": notices_json(state, &now.upcoming),
        "recent": notices_json(state, &now.past),
    })))
}

pub(super) async fn history_json(state: &AppState, month: Month) -> Result<Content> {
    if !store::head(&state.db).await?.is_public {
        return Ok(closed());
    }
    let notices = month_of(state, month).await?;
    Ok(json_content(&json!({ "month": month.to_string(), "notices": notices_json(state, &notices) })))
}
