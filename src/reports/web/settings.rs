//! What people choose for all reports: targets, definitions, the organisation's zone, the schedule.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Form, Path};
use axum::http::StatusCode;
use axum::response::Response;
use chrono_tz::Tz;
use serde::Deserialize;
use serde_json::json;

use super::definition::DefinitionForm;
use crate::accounts::Actor;
use crate::audit;
use crate::error::{Error, FieldErrors, Result};
use crate::fields;
use crate::incidents::MilestoneName;
use crate::reports::filters::{organisation_hours, organisation_zone};
use crate::reports::model::business::Week;
use crate::reports::model::measures::{Definition, Hours, Measure};
use crate::reports::model::scope::{GroupBy, Scope, ScopeQuery};
use crate::reports::model::select::Targets;
use crate::reports::model::slices::period_end;
use crate::reports::store::choices::{self, DefinitionRow, Setting};
use crate::reports::store::frozen::{self as store, Link, Schedule};
use crate::web::{Access, Cx, Routes, Shell, redirect_with_flash, render, render_with_status};

pub fn routes() -> Routes {
    Routes::new()
        .get("/reports/settings", Access::VIEWER, show)
        .post("/reports/settings/targets", Access::COMMANDER, put_targets)
        .post("/reports/settings/definitions", Access::COMMANDER, add_definition)
        .post("/reports/settings/definitions/{key}/retire", Access::COMMANDER, retire)
        .post("/reports/settings/clock", Access::ADMIN, put_clock)
        .post("/reports/settings/schedules", Access::COMMANDER, add_schedule)
        .post("/reports/settings/schedules/{id}/stop", Access::COMMANDER, stop_schedule)
}

/// Measures that can have a target, by the places of the table's rows.
const AIMED: [Measure; 6] =
    [Measure::Mttd, Measure::Mtta, Measure::Mttm, Measure::Mttr, Measure::Repair, Measure::Recovery];

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ScheduleForm {
    title: String,
    filters: String,
    period: String,
}

#[derive(Template)]
#[template(path = "reports/settings.html")]
struct SettingsPage {
    shell: Shell,
    zone: String,
    /// What "business hours" means in a new definition.
    business: Hours,
    typed_business: String,
    /// Short name, key, minutes by severity as typed.
    targets: Vec<(String, String, [String; 4])>,
    definitions: Vec<DefinitionRow>,
    form: DefinitionForm,
    schedule: ScheduleForm,
    schedules: Vec<Schedule>,
    charts: Vec<Link>,
    errors: FieldErrors,
}

impl SettingsPage {
    /// Plain fields of a definition: name, label, typed, example.
    fn texts(&self) -> [(&'static str, &'static str, &str, &'static str); 5] {
        let form = &self.form;
        [
            ("key", "Key", &form.key, "customer-pain"),
            ("name", "Name", &form.name, "Customer pain"),
            ("text", "What it means", &form.text, ""),
            ("severities", "Severities", &form.severities, "all"),
            ("kinds", "Kinds", &form.kinds, "all"),
        ]
    }

    /// The two ends of a definition: name, label, chosen.
    fn ends(&self) -> [(&'static str, &'static str, &str); 2] {
        [("from", "From", &self.form.from), ("to", "To", &self.form.to)]
    }

    const fn milestones(&self) -> &'static [MilestoneName] {
        MilestoneName::ALL
    }

    fn printed(&self, row: &DefinitionRow) -> String {
        row.clone().into_definition().map_or_else(|e| e.to_string(), |d| d.printed())
    }

    fn complaint(&self, measure: &str, place: &usize) -> Option<String> {
        self.errors.of(&format!("{measure}_{place}")).map(str::to_owned)
    }
}

async fn page(cx: &Cx, errors: FieldErrors) -> Result<SettingsPage> {
    let db = &cx.state.db;
    let known = choices::targets(db).await?;
    let business = organisation_hours(db).await?;
    let minutes = |measure: &Measure| {
        [1, 2, 3, 4].map(|severity| {
            let target = known.get(&(measure.key().into_owned(), severity));
            target.map(|micros| (*micros as f64 / 60e6).to_string()).unwrap_or_default()
        })
    };
    Ok(SettingsPage {
        shell: cx.shell("Report settings"),
        zone: organisation_zone(db).await?.name().to_owned(),
        business,
        typed_business: if let Hours::Business(week) = business { week.to_string() } else { String::new() },
        targets: AIMED.iter().map(|m| (m.definition().short.into_owned(), m.key().into_owned(), minutes(m))).collect(),
        definitions: choices::definitions(db).await?,
        form: DefinitionForm::default(),
        schedule: ScheduleForm::default(),
        schedules: store::schedules(db).await?,
        charts: store::links(db, None, cx.now()).await?,
        errors,
    })
}

async fn show(cx: Cx) -> Result<Response> {
    render(&page(&cx, FieldErrors::default()).await?)
}

/// `mttr_1=60`: minutes by measure and severity; nothing for no target.
async fn put_targets(cx: Cx, Form(form): Form<BTreeMap<String, String>>) -> Result<Response> {
    let mut errors = FieldErrors::default();
    let mut targets = Targets::new();
    for (field, text) in form.iter().filter(|(_, text)| !text.trim().is_empty()) {
        let Some((measure, severity)) = field.rsplit_once('_') else { continue };
        let known = AIMED.iter().any(|m| m.key() == measure);
        match (known, severity.parse::<u8>(), text.trim().parse::<f64>()) {
            (true, Ok(severity @ 1..=4), Ok(minutes)) if minutes > 0.0 && minutes <= 1_000_000.0 => {
                #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
                let micros = (minutes * 60.0).round().max(1.0) as i64 * 1_000_000;
                targets.insert((measure.to_owned(), severity), micros);
            }
            _ => errors.add(field, format!("'{text}' is not a number of minutes")),
        }
    }
    if !errors.is_empty() {
        let mut page = page(&cx, errors).await?;
        for (_, key, minutes) in &mut page.targets {
            for (i, typed) in minutes.iter_mut().enumerate() {
                *typed = form.get(&format!("{key}_{}", i + 1)).cloned().unwrap_or_default();
            }
        }
        return render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    let actor = cx.actor()?;
    let tx = cx.state.db.begin().await?;
    choices::replace_targets(&tx, &targets, &actor.name, cx.now()).await?;
    let detail: BTreeMap<String, i64> =
        targets.iter().map(|((m, s), v)| (format!("{m} SEV{s}"), v / 1_000_000)).collect();
    audit::record(&tx, cx.now(), actor, "report.targets", ("report", "targets"), &json!(detail)).await?;
    tx.commit().await?;
    Ok(redirect_with_flash("/reports/settings", "Targets saved."))
}

/// More measures than this make no report clearer.
const MOST_DEFINITIONS: usize = 12;

async fn add_definition(cx: Cx, Form(form): Form<DefinitionForm>) -> Result<Response> {
    let checked = form
        .check(organisation_hours(&cx.state.db).await?)
        .and_then(|definition| if definition.key.is_empty() { Err(FieldErrors::default()) } else { Ok(definition) });
    let standing = choices::standing_definitions(&cx.state.db).await?;
    let checked = checked.and_then(|definition| {
        let mut errors = FieldErrors::default();
        if standing.len() >= MOST_DEFINITIONS && !standing.iter().any(|d| d.key == definition.key) {
            errors.add("key", format!("at most {MOST_DEFINITIONS} definitions stand at once; retire one first"));
            return Err(errors);
        }
        Ok(definition)
    });
    let definition = match checked {
        Ok(definition) => definition,
        Err(errors) => {
            let page = SettingsPage { form, ..page(&cx, errors).await? };
            return render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
    };
    let actor = cx.actor()?;
    let tx = cx.state.db.begin().await?;
    let version = choices::add_definition(&tx, &definition, &actor.name, cx.now()).await?;
    let detail = json!({ "printed": Definition { version, ..definition.clone() }.printed() });
    audit::record(&tx, cx.now(), actor, "report.definition", ("report_definition", &definition.key), &detail).await?;
    tx.commit().await?;
    Ok(redirect_with_flash("/reports/settings", &format!("{} is now version {version}.", definition.key)))
}

async fn retire(cx: Cx, Path(key): Path<String>) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    if !choices::retire_definition(&tx, &key, cx.now()).await? {
        return Err(Error::not_found(format!("the definition {key}")));
    }
    audit::record(&tx, cx.now(), cx.actor()?, "report.definition_retired", ("report_definition", &key), &json!({}))
        .await?;
    tx.commit().await?;
    Ok(redirect_with_flash("/reports/settings", "Retired: new reports do without it, frozen ones keep it."))
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ClockForm {
    zone: String,
    /// As [`Week`] reads them; the usual ones when empty.
    business: String,
}

async fn put_clock(cx: Cx, Form(form): Form<ClockForm>) -> Result<Response> {
    let mut errors = FieldErrors::default();
    let zone = form.zone.trim().parse::<Tz>().unwrap_or_else(|_| {
        errors.add("zone", format!("'{}' is not a time zone; use a name like Europe/Vienna", form.zone.trim()));
        Tz::UTC
    });
    let week = match form.business.trim() {
        "" => Week::USUAL,
        text => Week::parse(text).unwrap_or_else(|wrong| {
            errors.add("business", wrong);
            Week::USUAL
        }),
    };
    if !errors.is_empty() {
        let page = SettingsPage { zone: form.zone, typed_business: form.business, ..page(&cx, errors).await? };
        return render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    let tx = cx.state.db.begin().await?;
    choices::set(&tx, Setting::TimeZone, zone.name(), cx.now()).await?;
    choices::set(&tx, Setting::BusinessHours, &Hours::Business(week).key(), cx.now()).await?;
    let detail = json!({ "zone": zone.name(), "business_hours": week.to_string() });
    audit::record(&tx, cx.now(), cx.actor()?, "report.clock", ("report", "clock"), &detail).await?;
    tx.commit().await?;
    Ok(redirect_with_flash("/reports/settings", "The organisation's clock is saved."))
}

async fn checked_schedule(cx: &Cx, form: &ScheduleForm, actor: &Actor) -> Result<Schedule> {
    let mut errors = FieldErrors::default();
    let title = fields::required(&mut errors, "schedule_title", &form.title, 200);
    let zone = organisation_zone(&cx.state.db).await?;
    let period = ["week", "month", "quarter"]
        .contains(&form.period.trim())
        .then(|| GroupBy::parse(form.period.trim()))
        .flatten();
    if period.is_none() {
        errors.add("period", "choose week, month or quarter");
    }
    let map: serde_json::Map<String, serde_json::Value> =
        url::form_urlencoded::parse(form.filters.trim_start_matches('?').as_bytes())
            .filter(|(k, _)| !matches!(&**k, "from" | "to" | "tz" | "page" | "key" | "measure"))
            .map(|(k, v)| (k.into_owned(), serde_json::Value::String(v.into_owned())))
            .collect();
    let query: ScopeQuery = serde_json::from_value(serde_json::Value::Object(map)).unwrap_or_default();
    let scope = match Scope::parse(&query, cx.now(), zone) {
        Ok(scope) => Some(scope),
        Err(Error::Invalid(found)) => {
            found.0.iter().for_each(|e| errors.add("filters", format!("{}: {}", e.field, e.message)));
            None
        }
        Err(error) => return Err(error),
    };
    errors.into_result()?;
    let next_at = period_end(period.unwrap_or(GroupBy::Month), cx.now(), zone)
        .ok_or_else(|| Error::Internal("the calendar ends here".into()))?;
    Ok(Schedule {
        id: 0,
        title,
        query: scope.map(|s| s.to_query()).unwrap_or_default(),
        period: form.period.trim().to_owned(),
        zone: zone.name().to_owned(),
        next_at,
        last_error: String::new(),
        created_by_name: actor.name.clone(),
    })
}

async fn add_schedule(cx: Cx, Form(form): Form<ScheduleForm>) -> Result<Response> {
    let actor = cx.actor()?;
    let schedule = match checked_schedule(&cx, &form, actor).await {
        Ok(schedule) => schedule,
        Err(Error::Invalid(errors)) => {
            let page = SettingsPage { schedule: form, ..page(&cx, errors).await? };
            return render_with_status(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
        Err(error) => return Err(error),
    };
    let tx = cx.state.db.begin().await?;
    let id = store::insert_schedule(&tx, &schedule, cx.now()).await?;
    let detail = json!({ "title": schedule.title, "period": schedule.period, "filters": schedule.query });
    audit::record(&tx, cx.now(), actor, "report.scheduled", ("report_schedule", &id.to_string()), &detail).await?;
    tx.commit().await?;
    let first = schedule.next_at.to_minute();
    Ok(redirect_with_flash("/reports/settings", &format!("Scheduled: the first report is made at {first} UTC.")))
}

async fn stop_schedule(cx: Cx, Path(id): Path<i64>) -> Result<Response> {
    let tx = cx.state.db.begin().await?;
    if !store::stop_schedule(&tx, id).await? {
        return Err(Error::not_found("this schedule"));
    }
    audit::record(
        &tx,
        cx.now(),
        cx.actor()?,
        "report.schedule_stopped",
        ("report_schedule", &id.to_string()),
        &json!({}),
    )
    .await?;
    tx.commit().await?;
    Ok(redirect_with_flash("/reports/settings", "Stopped; the reports that it made stay."))
}
