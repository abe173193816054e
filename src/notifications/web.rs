//! Settings pages of administrators: channels, rules, the test button. The log of deliveries is in `log`.

mod log;

use askama::Template;
use axum::Extension;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum_extra::extract::Form;
use serde::Deserialize;

use super::courier::Courier;
use super::model::channel::{Channel, ChannelInput, ROLES, RuleInput, StoredRule, TEAM_PREFIX};
use super::model::{ChannelKind, EventKind};
use super::service::channels::{self as service, Change};
use super::service::deliveries;
use super::store;
use super::store::log::{Delivery, Filter};
use crate::error::{Error, FieldErrors, Result};
use crate::web::{Access, Cx, Routes, Shell, redirect, redirect_with_flash, render, render_with_status};

const HOME: &str = "/settings/notifications";

pub(super) fn routes() -> Routes {
    Routes::new()
        .get(HOME, Access::ADMIN, list)
        .post(HOME, Access::ADMIN, create)
        .get("/settings/notifications/new", Access::ADMIN, new)
        .get("/settings/notifications/{id}", Access::ADMIN, show)
        .post("/settings/notifications/{id}", Access::ADMIN, update)
        .post("/settings/notifications/{id}/do", Access::ADMIN, act)
        .post("/settings/notifications/{id}/rules", Access::ADMIN, add_rule)
        .get("/settings/notifications/{id}/rules/{rule}", Access::ADMIN, edit_rule)
        .post("/settings/notifications/{id}/rules/{rule}", Access::ADMIN, update_rule)
        .merge(log::routes())
}

fn path(id: i64) -> String {
    format!("{HOME}/{id}")
}

/// A channel in the list.
struct ChannelRow {
    channel: Channel,
    rules: i64,
}

#[derive(Template)]
#[template(path = "notifications/list.html")]
struct ListPage {
    shell: Shell,
    channels: Vec<ChannelRow>,
    has_mail: bool,
}

impl ListPage {
    fn gave_up(&self) -> Vec<&Channel> {
        self.channels.iter().map(|r| &r.channel).filter(|c| c.gave_up()).collect()
    }
}

async fn list(cx: Cx, Extension(courier): Extension<Courier>) -> Result<Response> {
    let db = &cx.state.db;
    let counts = store::channels::rule_counts(db).await?;
    let channels = store::channels::all(db)
        .await?
        .into_iter()
        .map(|channel| ChannelRow { rules: counts.get(&channel.id).copied().unwrap_or_default(), channel });
    render(&ListPage {
        shell: cx.shell("Notifications").live(&["notifications"]),
        channels: channels.collect(),
        has_mail: courier.has_mail(),
    })
}

#[derive(Template)]
#[template(path = "notifications/new.html")]
struct NewPage {
    shell: Shell,
    form: ChannelInput,
    errors: FieldErrors,
    has_mail: bool,
}

impl NewPage {
    const KINDS: &'static [ChannelKind] = ChannelKind::ALL;
}

async fn new(cx: Cx, Extension(courier): Extension<Courier>) -> Result<Response> {
    let form = ChannelInput { digest: true, tell_all: true, ..ChannelInput::default() };
    let (shell, has_mail) = (cx.shell("Add a channel"), courier.has_mail());
    render(&NewPage { shell, form, errors: FieldErrors::default(), has_mail })
}

async fn create(cx: Cx, Extension(courier): Extension<Courier>, Form(form): Form<ChannelInput>) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    let change = Change { tx: &tx, actor: cx.actor()?, now: cx.now() };
    match change.create(&form, &courier, &cx.state.random).await {
        Ok((channel, None)) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&path(channel.id), "Channel added. Send it a test message now."))
        }
        Ok((channel, Some(secret))) => {
            tx.commit().await?;
            render(&ShowPage { secret: Some(secret), ..show_page(&cx, channel).await? })
        }
        Err(Error::Invalid(errors)) => {
            let (shell, has_mail) = (cx.shell("Add a channel"), courier.has_mail());
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &NewPage { shell, form, errors, has_mail })
        }
        Err(other) => Err(other),
    }
}

#[derive(Template)]
#[template(path = "notifications/show.html")]
struct ShowPage {
    shell: Shell,
    channel: Channel,
    rules: Vec<StoredRule>,
    recent: Vec<Delivery>,
    form: ChannelInput,
    errors: FieldErrors,
    rule: RuleInput,
    rule_errors: FieldErrors,
    /// A new signing secret: shown on this answer alone.
    secret: Option<String>,
}

impl ShowPage {
    fn is_webhook(&self) -> bool {
        self.channel.kind == ChannelKind::Webhook
    }

    fn is_mail(&self) -> bool {
        self.channel.kind == ChannelKind::Email
    }

    /// Where the form of a new rule goes.
    fn rule_action(&self) -> String {
        format!("{}/rules", path(self.channel.id))
    }

    fn choices(&self) -> RuleChoices<'_> {
        RuleChoices { rule: &self.rule }
    }
}

/// The boxes of a rule's form.
struct RuleChoices<'a> {
    rule: &'a RuleInput,
}

/// Word, label, ticked.
type Choice = (&'static str, &'static str, bool);

impl RuleChoices<'_> {
    fn events(&self) -> Vec<Choice> {
        let offered = EventKind::ALL.iter().filter(|k| **k != EventKind::Test);
        offered.map(|k| (k.as_str(), k.label(), has(&self.rule.events, k.as_str()))).collect()
    }

    fn severities(&self) -> Vec<Choice> {
        ["SEV1", "SEV2", "SEV3", "SEV4"].iter().map(|s| (*s, *s, has(&self.rule.severities, s))).collect()
    }

    fn roles(&self) -> Vec<Choice> {
        ROLES.iter().map(|r| (*r, *r, has(&self.rule.roles, r))).collect()
    }

    fn services(&self) -> String {
        self.rule.services.join(", ")
    }

    /// Names of teams.
    fn teams(&self) -> String {
        let names = self.rule.roles.iter().filter_map(|r| r.strip_prefix(TEAM_PREFIX));
        names.map(str::trim).collect::<Vec<_>>().join(", ")
    }
}

fn has(words: &[String], word: &str) -> bool {
    words.iter().any(|w| w.eq_ignore_ascii_case(word))
}

async fn show_page(cx: &Cx, channel: Channel) -> Result<ShowPage> {
    const RECENT: i64 = 10;
    let db = &cx.state.db;
    let filter = Filter { channel: Some(channel.id), ..Filter::default() };
    Ok(ShowPage {
        shell: cx.shell(channel.name.clone()).live(&["notifications"]),
        rules: store::channels::rules_of(db, channel.id).await?,
        recent: deliveries::list(db, &filter, RECENT).await?,
        form: ChannelInput {
            name: channel.name.clone(),
            kind: channel.kind.as_str().to_owned(),
            // Mail addresses are no secret; a URL is.
            address: if channel.kind == ChannelKind::Email { channel.address.clone() } else { String::new() },
            may_see_private: channel.may_see_private,
            digest: channel.digest,
            tell_all: false,
        },
        errors: FieldErrors::default(),
        rule: RuleInput::default(),
        rule_errors: FieldErrors::default(),
        secret: None,
        channel,
    })
}

async fn show(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    render(&show_page(&cx, service::get(&cx.state.db, id).await?).await?)
}

async fn update(
    cx: Cx,
    Extension(courier): Extension<Courier>,
    Path(id): Path<i64>,
    Form(form): Form<ChannelInput>,
) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    let change = Change { tx: &tx, actor: cx.actor()?, now: cx.now() };
    match change.edit(id, &form, &courier).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&path(id), "Channel changed."))
        }
        Err(Error::Invalid(errors)) => {
            drop(tx);
            let page = show_page(&cx, service::get(&cx.state.db, id).await?).await?;
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &ShowPage { form, errors, ..page })
        }
        Err(other) => Err(other),
    }
}

#[derive(Deserialize)]
struct Act {
    #[serde(rename = "do", default)]
    what: String,
}

/// The buttons of a channel's page.
async fn act(
    cx: Cx,
    Extension(courier): Extension<Courier>,
    Path(id): Path<i64>,
    Form(form): Form<Act>,
) -> Result<Response> {
    if form.what == "test" {
        let tried = service::test(&cx.state, &courier, cx.actor()?, id).await?;
        let status = tried.http_status.map(|s| format!(" {s}")).unwrap_or_default();
        let answer = if tried.answer.is_empty() { "an empty body".to_owned() } else { format!("\"{}\"", tried.answer) };
        let took = tried.duration_ms;
        return Ok(redirect_with_flash(
            &path(id),
            &if tried.is_delivered() {
                format!("Test delivered in {took} ms. The receiver answered{status}: {answer}")
            } else {
                format!("Test not delivered. After {took} ms, the answer{status}: {answer}")
            },
        ));
    }
    let tx = cx.state.db.begin().await?;
    let change = Change { tx: &tx, actor: cx.actor()?, now: cx.now() };
    let said = match form.what.as_str() {
        "on" => change.switch(id, true).await.map(|_| "Channel switched on.")?,
        "off" => change.switch(id, false).await.map(|_| "Channel switched off; nothing is sent there.")?,
        "rotate" => {
            let secret = change.rotate_secret(id, &cx.state.random).await?;
            tx.commit().await?;
            let page = show_page(&cx, service::get(&cx.state.db, id).await?).await?;
            return render(&ShowPage { secret: Some(secret), ..page });
        }
        "end_old_secret" => change.end_old_secret(id).await.map(|_| "Only the newest secret signs now.")?,
        "delete" => {
            change.delete(id).await?;
            tx.commit().await?;
            return Ok(redirect_with_flash(HOME, "Channel deleted with its rules and its log."));
        }
        other => {
            service::get(&cx.state.db, id).await?;
            return Err(Error::BadRequest(format!("'{other}' is not something that a channel can do.")));
        }
    };
    tx.commit().await?;
    Ok(redirect_with_flash(&path(id), said))
}

/// A rule's form; boxes repeat their name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct RuleForm {
    name: String,
    events: Vec<String>,
    severities: Vec<String>,
    services: String,
    roles: Vec<String>,
    /// Names with commas between them.
    teams: String,
    delete: Option<String>,
}

impl RuleForm {
    fn into_input(self) -> RuleInput {
        let services = self.services.split([',', ' ', '\n']).map(str::trim).filter(|s| !s.is_empty());
        let teams = self.teams.split(',').map(str::trim).filter(|t| !t.is_empty());
        let mut roles = self.roles;
        roles.extend(teams.map(|name| format!("{TEAM_PREFIX}{name}")));
        RuleInput {
            services: services.map(str::to_owned).collect(),
            name: self.name,
            events: self.events,
            severities: self.severities,
            roles,
        }
    }
}

async fn add_rule(cx: Cx, Path(id): Path<i64>, Form(form): Form<RuleForm>) -> Result<Response> {
    let input = form.into_input();
    let tx = cx.state.db.begin().await?;
    let change = Change { tx: &tx, actor: cx.actor()?, now: cx.now() };
    match change.add_rule(id, &input).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(redirect_with_flash(&path(id), "Rule added."))
        }
        Err(Error::Invalid(rule_errors)) => {
            drop(tx);
            let page = show_page(&cx, service::get(&cx.state.db, id).await?).await?;
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &ShowPage { rule: input, rule_errors, ..page })
        }
        Err(other) => Err(other),
    }
}

#[derive(Template)]
#[template(path = "notifications/rule.html")]
struct RulePage {
    shell: Shell,
    channel: Channel,
    id: i64,
    rule: RuleInput,
    rule_errors: FieldErrors,
}

impl RulePage {
    fn rule_action(&self) -> String {
        format!("{}/rules/{}", path(self.channel.id), self.id)
    }

    fn choices(&self) -> RuleChoices<'_> {
        RuleChoices { rule: &self.rule }
    }
}

async fn rule_page(cx: &Cx, channel: i64, id: i64) -> Result<RulePage> {
    let db = &cx.state.db;
    let stored = service::get_rule(db, channel, id).await?;
    let channel = service::get(db, channel).await?;
    Ok(RulePage {
        shell: cx.shell(format!("Rule of {}", channel.name)),
        channel,
        id,
        rule: RuleInput::from(&stored),
        rule_errors: FieldErrors::default(),
    })
}

async fn edit_rule(cx: Cx, Path((channel, id)): Path<(i64, i64)>) -> Result<Response> {
    render(&rule_page(&cx, channel, id).await?)
}

async fn update_rule(cx: Cx, Path((channel, id)): Path<(i64, i64)>, Form(form): Form<RuleForm>) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    let change = Change { tx: &tx, actor: cx.actor()?, now: cx.now() };
    if form.delete.is_some() {
        change.delete_rule(channel, id).await?;
        tx.commit().await?;
        return Ok(redirect_with_flash(&path(channel), "Rule deleted."));
    }
    let input = form.into_input();
    match change.edit_rule(channel, id, &input).await {
        Ok(_) => {
            tx.commit().await?;
            Ok(redirect(&path(channel)))
        }
        Err(Error::Invalid(rule_errors)) => {
            drop(tx);
            let page = rule_page(&cx, channel, id).await?;
            render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &RulePage { rule: input, rule_errors, ..page })
        }
        Err(other) => Err(other),
    }
}
