//! Rotations, overrides, calendars, and paging until somebody acknowledges.

use axum::http::Method;
use chrono::TimeDelta;
use faultline::accounts::Role;
use faultline::args;
use faultline::oncall::jobs;
use serde_json::{Value, json};

use super::support::TestApp;

/// Ada, Bo and Cy take daily turns for Payments, handed over at nine in Berlin since this Monday.
async fn payments(app: &TestApp, more: Value) -> Value {
    for name in ["Ada", "Bo", "Cy"] {
        app.browser_of(name, Role::Responder).await;
    }
    let mut body = json!({
        "name": "Payments", "members": ["ada@faultline.test", "bo@faultline.test", "cy@faultline.test"],
        "zone": "Europe/Berlin", "first_day": "2026-11-23", "handover": "09:00", "turn_days": 1, "pages_from": "SEV2",
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let team = app.api(Role::Commander).await.post_json("/api/v1/oncall/teams", &body).await.expect(201).json();
    let service = json!({"slug": "payments", "name": "Payments", "owner_team": "Payments"});
    app.api(Role::Responder).await.post_json("/api/v1/services", &service).await.expect(201);
    team
}

async fn declare(app: &TestApp, more: Value) -> String {
    let mut body = json!({"title": "Cards fail", "severity": "SEV2", "services": ["payments"]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = app.api(Role::Admin).await.post_json("/api/v1/incidents", &body).await.expect(201).json();
    made["id"].as_str().unwrap().to_owned()
}

/// Names of who was told about an incident, in order.
async fn told(app: &TestApp, id: &str) -> Vec<String> {
    let pages = app.api(Role::Admin).await.get(&format!("/api/v1/incidents/{id}/pages")).await.expect(200).json();
    let names = |p: &Value| {
        p["told"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    pages["items"].as_array().unwrap().iter().flat_map(names).collect()
}

/// What waits in the outbox about paging: kind, roles.
async fn events(app: &TestApp) -> Vec<(String, Vec<Value>)> {
    let rows: Vec<(String,)> =
        app.state.db.fetch_all("SELECT event FROM outbox_events ORDER BY id", args![]).await.unwrap();
    let parsed = rows.into_iter().map(|r| serde_json::from_str::<Value>(&r.0).unwrap());
    parsed
        .filter(|e| ["oncall.paged", "incident.unacknowledged"].contains(&e["kind"].as_str().unwrap()))
        .map(|e| (e["kind"].as_str().unwrap().to_owned(), e["roles"].as_array().unwrap().clone()))
        .collect()
}

async fn minutes(app: &TestApp, minutes: i64) -> usize {
    app.advance(TimeDelta::minutes(minutes));
    jobs::run_once(&app.state).await.unwrap()
}

on_both! {
    async fn a_rotation_is_set_up_and_shown_where_people_look(app: TestApp) {
        let mut chief = app.browser(Role::Commander).await;
        chief.get("/oncall").await.expect(200).contains("No team has a rotation");
        chief.post_form("/oncall/teams", &[("name", "Payments"), ("member", "nobody@x.test"), ("turn_days", "90")]).await.expect(422)
            .contains("not a whole number from 1 to 28");
        chief.post_form("/oncall/teams", &[("name", "Payments"), ("member", "nobody@x.test")]).await.expect(422).contains("nobody here has the address");
        payments(&app, json!({})).await;
        chief.post_form("/oncall/teams", &[("name", "Payments"), ("member", "ada@faultline.test")]).await.expect(422).contains("has a rotation already");
        chief.get("/oncall").await.expect(200).contains("Payments").contains("<strong>Ada</strong>").contains("<td>Bo</td>");
        chief.get("/").await.expect(200).contains("On call now").contains("<strong>Ada</strong>");
        chief.get("/services/payments").await.expect(200).contains("On call now").contains("<strong>Ada</strong>");
        let now = app.api(Role::Viewer).await.get("/api/v1/oncall").await.expect(200).json();
        assert_eq!((now["items"][0]["on_call"]["name"].as_str(), now["items"][0]["until"].as_str()), (Some("Ada"), Some("2026-11-24T08:00:00Z")));
        app.advance(TimeDelta::hours(21));
        chief.get("/oncall").await.expect(200).contains("<strong>Bo</strong>");
        // An edit of an older version is refused and loses nothing.
        let form = [("member", "cy@faultline.test"), ("turn_days", "3"), ("first_day", "2026-11-23"), ("handover", "09:00"), ("zone", "UTC"), ("version", "1")];
        chief.post_form("/oncall/teams/1/edit", &form).await.redirects_to("/oncall/teams/1");
        chief.post_form("/oncall/teams/1/edit", &form).await.expect(422).contains("Somebody else changed the rotation");
        chief.get("/oncall/teams/1").await.expect(200).contains("3 days each").lacks("<li>Bo");
        chief.post_form("/oncall/teams/1/remove", &[]).await.expect(422);
        chief.post_form("/oncall/teams/1/remove", &[("confirm", "yes")]).await.redirects_to("/oncall");
        chief.get("/oncall/teams/1").await.expect(404);
    }

    async fn an_override_replaces_for_its_time_and_can_end_early(app: TestApp) {
        payments(&app, json!({})).await;
        let mut bo = app.browser(Role::Responder).await;
        bo.post_form("/oncall/teams/1/overrides", &[("email", "cy@faultline.test"), ("from", "2026-11-23 12:00"), ("until", "2026-11-22 12:00")]).await
            .expect(422).contains("must lie after the begin").contains("2026-11-22 12:00");
        bo.post_form("/oncall/teams/1/overrides", &[("email", "cy@faultline.test"), ("until", "2026-11-23 20:00")]).await.redirects_to("/oncall/teams/1");
        bo.get("/oncall/teams/1").await.expect(200).contains("<strong>Cy</strong> is on call").contains("override");
        let shifts = app.api(Role::Viewer).await.get("/api/v1/oncall/teams/1/shifts?to=2026-11-25T00:00:00Z").await.expect(200).json();
        let names: Vec<_> = shifts["items"].as_array().unwrap().iter().map(|s| s["person"].as_str().unwrap()).collect();
        assert_eq!(names, ["Cy", "Ada", "Bo"]);
        app.advance(TimeDelta::hours(1));
        bo.post_form("/oncall/teams/1/overrides/1/end", &[]).await.redirects_to("/oncall/teams/1");
        bo.get("/oncall/teams/1").await.expect(200).contains("<strong>Ada</strong> is on call");
        bo.post_form("/oncall/teams/1/overrides/1/end", &[]).await.expect(404);
        app.browser(Role::Viewer).await.post_form("/oncall/teams/1/overrides", &[("email", "cy@faultline.test"), ("until", "2026-11-23 20:00")]).await.expect(403);
    }

    async fn a_calendar_address_shows_shifts_and_nothing_else(app: TestApp) {
        payments(&app, json!({})).await;
        let (mut bo, _) = app.browser_of("Dee", Role::Responder).await;
        let made = bo.post_form("/oncall/calendars", &[("team", "1")]).await.expect(201).text();
        let path = made.split("http://faultline.test").nth(1).unwrap().split('<').next().unwrap().to_owned();
        assert!(path.starts_with("/calendar/") && path.ends_with("/oncall.ics"), "{path}");
        bo.get("/oncall/calendars").await.expect(200).contains("Payments").lacks(&path);
        let file = app.visitor().get(&path).await.expect(200);
        assert_eq!(file.header("content-type"), "text/calendar; charset=utf-8");
        let text = file.text();
        assert!(text.starts_with("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n") && text.contains("DTSTART:20261124T080000Z\r\n"), "{text}");
        assert!(text.contains("SUMMARY:Payments: Bo is on call\r\n"));
        // The same shift keeps its id a month later, though the window moved.
        let uid = text.split("DTSTART:20261124T080000Z").next().unwrap().rsplit("UID:").next().unwrap().split("\r\n").next().unwrap().to_owned();
        app.advance(TimeDelta::days(3));
        app.visitor().get(&path).await.expect(200).contains(&uid);
        // One's own shifts only.
        let own = bo.post_form("/oncall/calendars", &[("team", "")]).await.expect(201).text();
        let own = own.split("http://faultline.test").nth(1).unwrap().split('<').next().unwrap().to_owned();
        app.visitor().get(&own).await.expect(200).lacks("VEVENT");
        app.visitor().get("/calendar/0123456789abcdef/oncall.ics").await.expect(404);
        bo.post_form("/oncall/calendars/1/revoke", &[]).await.redirects_to("/oncall/calendars");
        app.visitor().get(&path).await.expect(404);
        app.browser(Role::Admin).await.post_form("/oncall/calendars/2/revoke", &[]).await.expect(404);
        let (_, dee) = app.browser_of("Eve", Role::Viewer).await;
        assert!(dee.user_id.is_some());
    }

    async fn who_does_not_acknowledge_passes_it_on_until_somebody_does(app: TestApp) {
        payments(&app, json!({"ack_minutes": 5})).await;
        let id = declare(&app, json!({})).await;
        assert_eq!(jobs::run_once(&app.state).await.unwrap(), 1);
        assert_eq!(told(&app, &id).await, ["Ada"]);
        assert_eq!(jobs::run_once(&app.state).await.unwrap(), 0, "a second node finds nothing to do");
        assert_eq!(minutes(&app, 4).await, 0);
        assert_eq!(minutes(&app, 1).await, 1);
        assert_eq!(told(&app, &id).await, ["Ada", "Bo"]);
        let mut ada = app.browser(Role::Responder).await;
        ada.get(&format!("/incidents/{id}")).await.expect(200).contains("Acknowledge").contains("Nobody of Payments acknowledged within 5 min: paged Bo (level 2)")
            .contains("the next is told");
        ada.post_form(&format!("/oncall/incidents/{id}/acknowledge"), &[]).await.redirects_to(&format!("/incidents/{id}"));
        assert_eq!(minutes(&app, 60).await, 0);
        assert_eq!(told(&app, &id).await, ["Ada", "Bo"]);
        ada.post_form(&format!("/oncall/incidents/{id}/acknowledge"), &[]).await.expect(409);
        let told: Vec<_> = events(&app).await;
        assert_eq!(told.iter().map(|e| e.0.as_str()).collect::<Vec<_>>(), ["oncall.paged", "incident.unacknowledged"]);
        assert_eq!(told[1].1, ["on-call", "team:Payments"]);
        ada.get(&format!("/incidents/{id}")).await.expect(200).contains("acknowledged").lacks("the next is told");
    }

    async fn when_nobody_answers_commanders_are_told_once(app: TestApp) {
        payments(&app, json!({"ack_minutes": 1})).await;
        let id = declare(&app, json!({})).await;
        jobs::run_once(&app.state).await.unwrap();
        for _ in 0..8 {
            minutes(&app, 1).await;
        }
        assert_eq!(told(&app, &id).await, ["Ada", "Bo", "Cy", "All commanders"]);
        assert_eq!(events(&app).await.last().unwrap().1[0], "commander");
        app.browser(Role::Viewer).await.get(&format!("/incidents/{id}")).await.expect(200).contains("nobody acknowledged");
        // Moving on from triage is an acknowledgement, too; then the page is over.
        let body = json!({"status": "investigating"});
        app.api(Role::Responder).await.post_json(&format!("/api/v1/incidents/{id}/status"), &body).await.expect(200);
        assert_eq!(minutes(&app, 1).await, 1);
        let pages = app.api(Role::Viewer).await.get(&format!("/api/v1/incidents/{id}/pages")).await.json();
        assert_eq!(pages["items"][0]["outcome"], "acknowledged");
    }

    async fn only_what_is_bad_enough_pages_by_itself_and_the_rest_by_hand(app: TestApp) {
        payments(&app, json!({})).await;
        let low = declare(&app, json!({"severity": "SEV3"})).await;
        declare(&app, json!({"kind": "drill"})).await;
        let secret = declare(&app, json!({"private": true})).await;
        declare(&app, json!({"services": []})).await;
        assert_eq!(jobs::run_once(&app.state).await.unwrap(), 0);
        let mut bo = app.browser(Role::Responder).await;
        bo.get(&format!("/incidents/{low}")).await.expect(200).contains(">Page</button>");
        bo.post_form(&format!("/oncall/incidents/{low}/page"), &[("team", "1")]).await.redirects_to(&format!("/incidents/{low}#on-call"));
        assert_eq!(told(&app, &low).await, ["Ada"]);
        bo.post_form(&format!("/oncall/incidents/{low}/page"), &[("team", "1")]).await.expect(409);
        bo.post_form(&format!("/oncall/incidents/{low}/pages/1/stop"), &[]).await.expect(303);
        assert_eq!(minutes(&app, 30).await, 0);
        bo.post_form(&format!("/oncall/incidents/{low}/page"), &[("team", "1")]).await.expect(303);
        assert_eq!(minutes(&app, 5).await, 1);
        assert_eq!(told(&app, &low).await, ["Ada", "Bo"]);
        // A private incident is invisible to whom it does not name; who is paged for it sees it.
        bo.post_form(&format!("/oncall/incidents/{secret}/page"), &[("team", "1")]).await.expect(404);
        bo.post_form(&format!("/oncall/incidents/{secret}/acknowledge"), &[]).await.expect(404);
        app.api(Role::Admin).await.post_json(&format!("/api/v1/incidents/{secret}/pages"), &json!({"team": "Payments"})).await.expect(200);
        let (_, ada) = (app.visitor(), told(&app, &secret).await);
        assert_eq!(ada, ["Ada"]);
        let named: Vec<(i64,)> = app.state.db.fetch_all("SELECT COUNT(*) FROM incident_people p JOIN users u ON u.id = p.user_id WHERE u.name = 'Ada'", args![]).await.unwrap();
        assert_eq!(named[0].0, 1);
        app.api(Role::Viewer).await.send(Method::GET, &format!("/api/v1/incidents/{secret}/pages"), &[], vec![]).await.expect(404);
    }

    async fn somebody_without_access_is_passed_over(app: TestApp) {
        payments(&app, json!({})).await;
        let tx = app.state.db.begin().await.unwrap();
        tx.execute("UPDATE users SET disabled_at = 1 WHERE name = 'Ada'", args![]).await.unwrap();
        tx.commit().await.unwrap();
        let id = declare(&app, json!({})).await;
        jobs::run_once(&app.state).await.unwrap();
        assert_eq!(told(&app, &id).await, ["Bo"]);
        app.browser(Role::Viewer).await.get("/oncall").await.expect(200).contains("account disabled");
    }
}
