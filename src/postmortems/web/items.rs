//! `/action-items`: what is to be done after incidents, across all of them.

use askama::Template;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use axum_extra::extract::Form;
use serde::Deserialize;

use super::super::model::actions::{ActionItem, ActionType, Priority, parse_key};
use super::super::service::actions::{self, Filter, ItemInput, NEVER};
use super::{by, viewer};
use crate::accounts::model::User;
use crate::accounts::service::list_users;
use crate::clock::Timestamp;
use crate::error::{Error, FieldErrors, Result};
use crate::incidents::model::TaskState;
use crate::web::{Cursor, Cx, Limit, Shell, redirect_with_flash, render, render_with_status};

/// Rows of one page.
const PAGE: usize = 50;
/// Beyond this the number is not counted out.
const MAX_COUNT: i64 = 10_000;

/// What to list, as it stands in the address; the API takes the same.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ItemQuery {
    pub q: String,
    /// `open` without it; `all` for every state.
    pub state: String,
    /// `me`, `nobody`, or an address.
    pub owner: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub priority: String,
    /// `overdue`, or `week`.
    pub due: String,
    pub service: String,
    pub team: String,
    pub cursor: String,
    /// Rows of a page of the API.
    pub limit: Limit,
}

impl ItemQuery {
    pub fn filter(&self, me: Option<i64>, users: &[User], now: Timestamp) -> Filter {
        let owner = match self.owner.trim() {
            "" | "nobody" => None,
            // An owner that nobody is matches nothing.
            "me" => Some(me.unwrap_or(-1)),
            email => Some(users.iter().find(|u| u.email.eq_ignore_ascii_case(email)).map_or(-1, |u| u.id)),
        };
        let due_before = match self.due.as_str() {
            "overdue" => Some(now),
            "week" => Some(now + chrono::TimeDelta::days(7)),
            _ => None,
        };
        let state = if self.state == "all" { None } else { TaskState::parse(&self.state).or(Some(TaskState::Open)) };
        Filter {
            state,
            kind: ActionType::parse(&self.kind),
            priority: Priority::parse(&self.priority),
            owner,
            unowned: self.owner.trim() == "nobody",
            due_before,
            service: self.service.trim().to_owned(),
            team: self.team.trim().to_owned(),
            text: self.q.clone(),
            incident: None,
            beyond: None,
        }
    }

    fn pairs(&self) -> [(&'static str, &String); 8] {
        [
            ("q", &self.q),
            ("state", &self.state),
            ("owner", &self.owner),
            ("type", &self.kind),
            ("priority", &self.priority),
            ("due", &self.due),
            ("service", &self.service),
            ("team", &self.team),
        ]
    }

    fn is_filtered(&self) -> bool {
        self.pairs().iter().any(|(_, v)| !v.trim().is_empty())
    }

    fn next(&self, cursor: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.pairs().iter().filter(|(_, v)| !v.is_empty()));
        query.append_pair("cursor", cursor);
        format!("/action-items?{}", query.finish())
    }
}

/// The place of an item in the list.
pub fn cursor_of(item: &ActionItem) -> Cursor {
    Cursor { sort: item.due_at.map_or(NEVER, Timestamp::as_micros), id: item.task_id }
}

#[derive(Template)]
#[template(path = "postmortems/action_items.html")]
struct ListPage {
    shell: Shell,
    query: ItemQuery,
    rows: Vec<ActionItem>,
    total: i64,
    overdue: i64,
    next: Option<String>,
    people: Vec<User>,
    types: &'static [ActionType],
    priorities: &'static [Priority],
}

pub(super) async fn list(cx: Cx, Query(query): Query<ItemQuery>) -> Result<Response> {
    let (db, actor, now) = (&cx.state.db, cx.actor()?, cx.now());
    let viewer = viewer(actor);
    let people = list_users(db).await?;
    let mut filter = query.filter(actor.user_id, &people, now);
    let total = actions::count(db, &filter, viewer, MAX_COUNT).await?;
    let late = Filter { state: Some(TaskState::Open), due_before: Some(now), ..Filter::default() };
    let overdue = actions::count(db, &late, viewer, MAX_COUNT).await?;
    filter.beyond = Cursor::from_param(Some(&query.cursor))?.map(|c| (c.sort, c.id));
    let mut rows = actions::page(db, &filter, viewer, i64::try_from(PAGE + 1).unwrap_or(i64::MAX)).await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let next = rows.last().filter(|_| more).map(|r| query.next(&cursor_of(r).encode()));
    render(&ListPage {
        shell: cx.shell("Action items"),
        query,
        rows,
        total,
        overdue,
        next,
        people,
        types: ActionType::ALL,
        priorities: Priority::ALL,
    })
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ItemForm {
    title: String,
    owner: String,
    due_at: String,
    state: String,
    #[serde(rename = "type")]
    kind: String,
    priority: String,
    link: String,
}

#[derive(Template)]
#[template(path = "postmortems/action_item.html")]
struct ItemPage {
    shell: Shell,
    item: ActionItem,
    form: ItemForm,
    errors: FieldErrors,
    people: Vec<User>,
    types: &'static [ActionType],
    priorities: &'static [Priority],
    states: &'static [TaskState],
}

async fn item_page(cx: &Cx, item: ActionItem, form: ItemForm, errors: FieldErrors) -> Result<ItemPage> {
    Ok(ItemPage {
        shell: cx.shell(format!("{}: {}", item.key, item.title)),
        people: list_users(&cx.state.db).await?.into_iter().filter(|p| p.disabled_at.is_none()).collect(),
        item,
        form,
        errors,
        types: ActionType::ALL,
        priorities: Priority::ALL,
        states: TaskState::ALL,
    })
}

async fn item_of(cx: &Cx, key: &str) -> Result<ActionItem> {
    let id = parse_key(key).ok_or_else(|| Error::not_found(format!("The action item '{key}'")))?;
    actions::get(&cx.state.db, id, viewer(cx.actor()?)).await
}

pub(super) async fn show(cx: Cx, Path(key): Path<String>) -> Result<Response> {
    let item = item_of(&cx, &key).await?;
    let form = ItemForm {
        title: item.title.clone(),
        owner: item.owner_email.clone().unwrap_or_default(),
        due_at: item.due_at.map(|at| at.format("%Y-%m-%d")).unwrap_or_default(),
        state: item.state.to_string(),
        kind: item.kind.map(|k| k.to_string()).unwrap_or_default(),
        priority: item.priority.to_string(),
        link: item.link.clone(),
    };
    render(&item_page(&cx, item, form, FieldErrors::default()).await?)
}

pub(super) async fn save(cx: Cx, Path(key): Path<String>, Form(form): Form<ItemForm>) -> Result<Response> {
    let item = item_of(&cx, &key).await?;
    // A date that was not touched keeps its hour.
    let same_day = item.due_at.map(|at| at.format("%Y-%m-%d")).unwrap_or_default() == form.due_at.trim();
    let input = ItemInput {
        title: Some(form.title.clone()),
        owner: Some(form.owner.clone()),
        due_at: (!same_day).then(|| form.due_at.clone()),
        state: Some(form.state.clone()),
        kind: Some(form.kind.clone()),
        priority: Some(form.priority.clone()),
        link: Some(form.link.clone()),
    };
    let tx = cx.state.db.begin().await?;
    match actions::edit(&tx, &item, &input, &by(cx.actor()?), cx.now()).await {
        Ok(()) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&item.path(), "The action item is changed."))
        }
        Err(Error::Invalid(errors)) => {
            drop(tx);
            let page = item_page(&cx, item, form, errors).await?;
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(other) => Err(other),
    }
}
