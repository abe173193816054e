//! The filter form that stands on every report page, who looks at it, and in which zone.

use chrono::TimeDelta;
use chrono_tz::Tz;

use super::model::business::Week;
use super::model::measures::Hours;
use super::model::scope::{GroupBy, Scope, ScopeQuery, local_date};
use super::service::{self, Desk};
use super::store::choices::{self, Setting};
use super::web::ReportQuery;
use crate::accounts::service as accounts;
use crate::accounts::{Actor, Role};
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::{FieldErrors, Result};
use crate::incidents::Viewer;
use crate::web::Cx;

/// The place of MTTR in every question.
const MTTR: usize = 3;

/// The word in `tz` and `hours` for the organisation's own.
pub(super) const ORGANISATION: &str = "organisation";

/// What the form shows: the typed values, whatever they are, and what can be chosen.
pub(super) struct Filters {
    /// Where the form goes.
    pub action: &'static str,
    pub typed: ScopeQuery,
    /// The drawn one, by its place in the question.
    pub drawn: usize,
    pub key: String,
    /// The days that are used when none is typed.
    pub default_from: String,
    pub default_to: String,
    /// Key and name of every measure.
    pub measures: Vec<(String, String)>,
    pub services: Vec<String>,
    pub teams: Vec<String>,
    /// The zone that is used when none is typed, and the organisation's.
    pub zone: &'static str,
    pub organisation: &'static str,
    /// The organisation's business hours.
    business: Hours,
    pub errors: FieldErrors,
    /// Days before today of the ready-made periods, as addresses.
    pub ready: Vec<Ready>,
}

/// A period to choose with one click.
pub(super) struct Ready {
    pub label: &'static str,
    pub href: String,
    pub current: bool,
}

impl Filters {
    pub async fn of(cx: &Cx, action: &'static str, query: &ReportQuery, desk: &Desk) -> Result<Self> {
        let (services, teams) = service::choices(&cx.state.db).await?;
        let mut errors = FieldErrors::default();
        let zone = zone(cx).await?;
        let default = Scope::parse(&ScopeQuery::default(), cx.now(), zone)?;
        let measures: Vec<(String, String)> = desk
            .question(&default)
            .definitions
            .iter()
            .map(|d| {
                (
                    d.key.to_string(),
                    if d.short == d.name {
                        d.name.to_string()
                    } else {
                        format!("{}: {}", d.short, d.name.to_lowercase())
                    },
                )
            })
            .collect();
        let drawn = match query.measure.trim() {
            "" => MTTR,
            key => measures.iter().position(|m| m.0 == key).unwrap_or_else(|| {
                errors.add("measure", format!("'{key}' is not a measure"));
                MTTR
            }),
        };
        Ok(Self {
            action,
            typed: query.scope.clone(),
            drawn,
            key: query.key.clone(),
            default_from: default.from_text(),
            default_to: local_date(cx.now(), default.zone).to_string(),
            measures,
            services,
            teams,
            zone: zone.name(),
            organisation: organisation_zone(&cx.state.db).await?.name(),
            business: organisation_hours(&cx.state.db).await?,
            errors,
            ready: ready(action, &cx.query, cx.now(), &query.scope),
        })
    }

    /// Whether a filter of the folded part is set or complained about.
    pub fn is_unfolded(&self) -> bool {
        let t = &self.typed;
        [&t.tier, &t.cause, &t.environment, &t.detection, &t.tz, &t.raw, &t.include, &t.hours]
            .iter()
            .any(|v| !v.trim().is_empty())
    }

    /// Folded fields that are plain text: name, label, example, value.
    pub fn plain(&self) -> [(&'static str, &'static str, &'static str, &str); 4] {
        let t = &self.typed;
        [
            ("tier", "Tier", "1,2", &t.tier),
            ("cause", "Cause", "change", &t.cause),
            ("environment", "Environment", "production", &t.environment),
            ("detection", "Noticed by", "alert,customer", &t.detection),
        ]
    }

    /// Which hours can be chosen: value, label, whether it is the typed one. Hours that came by an address and
    /// are not the organisation's stay a choice.
    pub fn hours(&self) -> Vec<(String, String, bool)> {
        let typed = match self.typed.hours.trim() {
            "" => Hours::Clock,
            ORGANISATION => self.business,
            text => Hours::parse(text).unwrap_or_default(),
        };
        let mut choices = vec![
            (String::new(), Hours::Clock.words(), typed == Hours::Clock),
            (ORGANISATION.to_owned(), "business hours".to_owned(), typed == self.business),
        ];
        if typed != Hours::Clock && typed != self.business {
            choices.push((typed.key(), typed.words(), true));
        }
        choices
    }

    pub fn is_drawn(&self, key: &str) -> bool {
        self.measures.get(self.drawn).is_some_and(|m| m.0 == key)
    }

    pub const fn groupings(&self) -> &'static [GroupBy] {
        &GroupBy::ALL
    }

    pub fn is_raw(&self) -> bool {
        !matches!(self.typed.raw.trim(), "" | "0" | "false")
    }

    pub const fn inclusions(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("drill", "drills"),
            ("declined", "declined"),
            ("merged", "merged"),
            ("drill,declined,merged", "drills, declined and merged"),
        ]
    }
}

/// Addresses of this page for periods that end today, with the other filters kept.
fn ready(action: &str, query: &str, now: Timestamp, typed: &ScopeQuery) -> Vec<Ready> {
    [("30 days", 29), ("90 days", 89), ("Year", 364), ("10 years", 3_651)]
        .into_iter()
        .map(|(label, days)| {
            let from = (now - TimeDelta::days(days)).format("%Y-%m-%d");
            let mut kept = url::form_urlencoded::Serializer::new(String::new());
            for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
                if !matches!(&*key, "from" | "to" | "page") && !value.is_empty() {
                    kept.append_pair(&key, &value);
                }
            }
            kept.append_pair("from", &from);
            Ready {
                label,
                href: format!("{action}?{}", kept.finish()),
                current: typed.from == from && typed.to.is_empty(),
            }
        })
        .collect()
}

/// Administrators see all private incidents, others those that name them.
pub(super) fn viewer(actor: &Actor) -> Viewer {
    Viewer { all: actor.can(Role::Admin), user_id: actor.user_id.unwrap_or(0) }
}

/// The zone of the person's profile; the organisation's for machines and for who has none.
pub(super) async fn zone(cx: &Cx) -> Result<Tz> {
    let own = match cx.maybe_actor().and_then(|a| a.user_id) {
        Some(id) => accounts::find_user(&cx.state.db, id).await?.and_then(|u| u.time_zone.parse().ok()),
        None => None,
    };
    match own {
        Some(zone) if zone != Tz::UTC => Ok(zone),
        _ => organisation_zone(&cx.state.db).await,
    }
}

/// UTC when nobody chose one.
pub(super) async fn organisation_zone(db: &Db) -> Result<Tz> {
    Ok(choices::setting(db, Setting::TimeZone).await?.and_then(|z| z.parse().ok()).unwrap_or(Tz::UTC))
}

/// Monday to Friday, 09:00 to 17:00 when nobody chose others.
pub(super) async fn organisation_hours(db: &Db) -> Result<Hours> {
    let chosen = choices::setting(db, Setting::BusinessHours).await?;
    Ok(chosen.and_then(|text| Hours::parse(&text).ok()).unwrap_or(Hours::Business(Week::USUAL)))
}

/// The filters of a query; `tz=organisation` and `hours=organisation` name what the organisation chose.
///
/// # Errors
/// `Invalid` with every complaint.
pub(super) async fn scope_of(cx: &Cx, query: &ScopeQuery) -> Result<Scope> {
    let mut query = query.clone();
    if query.hours.trim() == ORGANISATION {
        query.hours = organisation_hours(&cx.state.db).await?.key();
    }
    if query.tz.trim() == ORGANISATION {
        let zone = organisation_zone(&cx.state.db).await?;
        zone.name().clone_into(&mut query.tz);
        return Scope::parse(&query, cx.now(), zone);
    }
    Scope::parse(&query, cx.now(), zone(cx).await?)
}
