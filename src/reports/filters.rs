//! The filter form that stands on every report page, and who looks at it.

use chrono_tz::Tz;

use super::model::measures::Measure;
use super::model::scope::{GroupBy, ScopeQuery};
use super::service;
use super::web::ReportQuery;
use crate::accounts::service as accounts;
use crate::accounts::{Actor, Role};
use crate::error::{FieldErrors, Result};
use crate::incidents::Viewer;
use crate::web::Cx;

/// What the form shows: the typed values, whatever they are, and what can be chosen.
pub(super) struct Filters {
    /// Where the form goes.
    pub action: &'static str,
    pub typed: ScopeQuery,
    pub measure: Measure,
    pub key: String,
    pub services: Vec<String>,
    pub teams: Vec<String>,
    /// The zone that is used when none is typed.
    pub zone: &'static str,
    pub errors: FieldErrors,
}

impl Filters {
    pub async fn of(cx: &Cx, action: &'static str, query: &ReportQuery) -> Result<Self> {
        let (services, teams) = service::choices(&cx.state.db).await?;
        let mut errors = FieldErrors::default();
        let measure = match query.measure.trim() {
            "" => Measure::Mttr,
            key => Measure::parse(key).unwrap_or_else(|| {
                errors.add("measure", format!("'{key}' is not a measure"));
                Measure::Mttr
            }),
        };
        Ok(Self {
            action,
            typed: query.scope.clone(),
            measure,
            key: query.key.clone(),
            services,
            teams,
            zone: zone(cx).await?.name(),
            errors,
        })
    }

    pub const fn measures(&self) -> &'static [Measure] {
        &Measure::MAIN
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

/// Administrators see all private incidents, others those that name them.
pub(super) fn viewer(actor: &Actor) -> Viewer {
    Viewer { all: actor.can(Role::Admin), user_id: actor.user_id.unwrap_or(0) }
}

/// The zone of the person's profile, in which days, weeks and months are cut.
pub(super) async fn zone(cx: &Cx) -> Result<Tz> {
    let Some(id) = cx.maybe_actor().and_then(|a| a.user_id) else { return Ok(Tz::UTC) };
    let user = accounts::find_user(&cx.state.db, id).await?;
    Ok(user.and_then(|u| u.time_zone.parse().ok()).unwrap_or(Tz::UTC))
}
