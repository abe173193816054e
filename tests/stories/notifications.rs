//! Notifications: what happens to incidents reaches channels, once, whatever their receivers do.

mod mail;
mod pages;
pub mod receiver;
mod slack;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use faultline::accounts::Role;
use faultline::args;
use faultline::config::Config;
use faultline::notifications::{Courier, signing, worker};
use faultline::relay;
use serde_json::{Value, json};

use super::support::TestApp;
use receiver::{Answer, Receiver};

/// The application with another configuration; receivers of tests are on this machine.
pub fn configured(mut app: TestApp, change: impl FnOnce(&mut Config)) -> TestApp {
    let mut config = (*app.state.config).clone();
    config.outbound_allow = "127.0.0.1".to_owned();
    change(&mut config);
    app.state.config = Arc::new(config);
    app.router = faultline::app::router(app.state.clone());
    app
}

pub fn courier(app: &TestApp) -> Courier {
    Courier::with_timeout(&app.state.config, Duration::from_secs(2)).unwrap()
}

/// Passes on what happened and works off what is due; tells how many messages were tried.
pub async fn work(app: &TestApp) -> usize {
    relay::jobs::run_once(&app.state).await.unwrap();
    worker::run_once(&app.state, &courier(app)).await.unwrap()
}

pub async fn channel(app: &TestApp, name: &str, kind: &str, address: &str, more: Value) -> Value {
    let mut body = json!({ "name": name, "kind": kind, "address": address, "tell_all": true });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    app.api(Role::Admin).await.post_json("/api/v1/notifications/channels", &body).await.expect(201).json()
}

pub async fn declare(app: &TestApp, body: Value) -> String {
    let answer = app.api(Role::Admin).await.post_json("/api/v1/incidents", &body).await.expect(201).json();
    answer["id"].as_str().unwrap().to_owned()
}

async fn log(app: &TestApp, query: &str) -> Vec<Value> {
    let page = app.api(Role::Admin).await.get(&format!("/api/v1/notifications/deliveries?{query}")).await.expect(200);
    page.json()["items"].as_array().unwrap().clone()
}

async fn state_of(app: &TestApp, channel: &Value) -> Value {
    app.api(Role::Admin)
        .await
        .get(&format!("/api/v1/notifications/channels/{}", channel["id"]))
        .await
        .expect(200)
        .json()
}

async fn set_status(app: &TestApp, id: &str, status: &str) {
    let body = json!({ "status": status, "reason": "because", "confirm": true });
    app.api(Role::Admin).await.post_json(&format!("/api/v1/incidents/{id}/status"), &body).await.expect(200);
}

on_both! {
    async fn every_kind_of_receiver_is_told_once_in_its_own_format(app: TestApp) {
        let app = configured(app, |_| {});
        let receiver = Receiver::start().await;
        for kind in ["slack", "teams", "discord"] {
            channel(&app, kind, kind, &receiver.url(kind), json!({})).await;
        }
        let made = channel(&app, "own", "webhook", &receiver.url("own"), json!({})).await;
        let secret = made["secret"].as_str().unwrap().to_owned();
        let id = declare(&app, json!({ "title": "Cart is down", "severity": "SEV1", "summary": "Nobody can pay." })).await;
        assert_eq!(work(&app).await, 4);
        assert_eq!(work(&app).await, 0, "nothing is told twice");
        assert_eq!(receiver.count(), 4);
        let slack = receiver.body("/slack");
        assert!(slack["text"].as_str().unwrap().starts_with(&format!("SEV1 {id} declared: Cart is down")), "{slack}");
        assert!(slack["blocks"].to_string().contains("Nobody can pay."));
        assert_eq!(receiver.body("/teams")["attachments"][0]["contentType"], "application/vnd.microsoft.card.adaptive");
        assert!(receiver.body("/discord")["embeds"][0]["title"].as_str().unwrap().contains("Cart is down"));

        let own = receiver.request("/own");
        let (message, at) = (own.header("webhook-id"), own.header("webhook-timestamp").parse().unwrap());
        assert!(signing::verify(&secret, &message, at, &own.body, &own.header("webhook-signature")));
        assert_eq!(receiver.body("/own")["type"], "incident.declared");
        assert_eq!(receiver.body("/own")["data"]["url"], format!("http://faultline.test/incidents/{id}"));
        assert_eq!(log(&app, "status=sent").await.len(), 4);

        set_status(&app, &id, "resolved").await;
        assert_eq!(work(&app).await, 4);
        assert_eq!(receiver.body("/own")["type"], "incident.resolved");
    }

    async fn rules_say_what_a_channel_is_told(app: TestApp) {
        let app = configured(app, |_| {});
        let receiver = Receiver::start().await;
        let api = &mut app.api(Role::Admin).await;
        api.post_json("/api/v1/services", &json!({ "slug": "cart", "name": "Cart" })).await.expect(201);
        for (name, rule) in [
            ("bad", json!({ "severities": ["SEV1"] })),
            ("cart", json!({ "services": ["cart"] })),
            ("ends", json!({ "events": ["incident.resolved"] })),
            ("lead", json!({ "roles": ["commander"] })),
            ("mute", json!({ "services": ["nothing-here"] })),
        ] {
            let made = channel(&app, name, "slack", &receiver.url(name), json!({ "tell_all": false })).await;
            let path = format!("/api/v1/notifications/channels/{}/rules", made["id"]);
            api.post_json(&path, &rule).await.expect(201);
            // A second rule that lets the same through does not tell it twice.
            api.post_json(&path, &rule).await.expect(201);
        }
        let id = declare(&app, json!({ "title": "Cart is down", "severity": "SEV2", "services": ["cart"] })).await;
        work(&app).await;
        assert_eq!(receiver.paths(), ["/cart"]);
        let (mut browser, ada) = app.browser_of("Ada", Role::Commander).await;
        browser.get("/").await.expect(200);
        let path = format!("/api/v1/incidents/{id}/roles/commander");
        api.json(axum::http::Method::PUT, &path, &json!({ "email": "ada@faultline.test" })).await.expect(200);
        work(&app).await;
        assert_eq!(receiver.paths(), ["/cart", "/cart", "/lead"]);
        assert!(receiver.body("/lead").to_string().contains(&format!("{} is now commander", ada.name)));
        let patch = json!({ "severity": "SEV1", "reason": "all regions" });
        api.json(axum::http::Method::PATCH, &format!("/api/v1/incidents/{id}"), &patch).await.expect(200);
        work(&app).await;
        assert_eq!(receiver.paths(), ["/bad", "/cart", "/cart", "/cart", "/lead"]);
        assert!(receiver.body("/bad").to_string().contains("SEV2 → SEV1: all regions"));
        set_status(&app, &id, "resolved").await;
        work(&app).await;
        assert_eq!(receiver.paths(), ["/bad", "/bad", "/cart", "/cart", "/cart", "/cart", "/ends", "/lead"]);
    }

    async fn a_private_incident_is_told_only_where_that_is_allowed(app: TestApp) {
        let app = configured(app, |_| {});
        let receiver = Receiver::start().await;
        channel(&app, "all", "slack", &receiver.url("all"), json!({})).await;
        channel(&app, "security", "slack", &receiver.url("security"), json!({ "may_see_private": true })).await;
        let id = declare(&app, json!({ "title": "Break-in", "severity": "SEV1", "private": true })).await;
        set_status(&app, &id, "identified").await;
        work(&app).await;
        assert_eq!(receiver.paths(), ["/security", "/security"]);

        // One that becomes private after it was queued, and after it was routed.
        for routed_before in [false, true] {
            let id = declare(&app, json!({ "title": "Odd logins", "severity": "SEV2" })).await;
            relay::jobs::run_once(&app.state).await.unwrap();
            if routed_before {
                receiver.say("/all", &[Answer::Status(500)]);
                worker::run_once(&app.state, &courier(&app)).await.unwrap();
                receiver.forget();
            }
            let patch = json!({ "private": true, "reason": "security" });
            app.api(Role::Admin).await.json(axum::http::Method::PATCH, &format!("/api/v1/incidents/{id}"), &patch).await.expect(200);
            app.advance(TimeDelta::minutes(5));
            work(&app).await;
            assert!(!receiver.paths().contains(&"/all".to_owned()), "{:?}", receiver.paths());
            receiver.forget();
            if routed_before {
                let dropped = log(&app, &format!("status=dropped&incident={id}")).await;
                assert_eq!(dropped.len(), 1);
                let retry = format!("/api/v1/notifications/deliveries/{}/retry", dropped[0]["id"]);
                app.api(Role::Admin).await.post_json(&retry, &json!({})).await.expect(409);
            }
        }
    }

    async fn what_fails_is_tried_again_and_every_answer_is_kept(app: TestApp) {
        let app = configured(app, |_| {});
        let receiver = Receiver::start().await;
        let made = channel(&app, "own", "webhook", &receiver.url("own"), json!({})).await;
        receiver.say("/own", &[
            Answer::Status(500), Answer::RetryAfter(900), Answer::Huge(503), Answer::Hang, Answer::Status(200),
        ]);
        declare(&app, json!({ "title": "Cart is down", "severity": "SEV1" })).await;
        assert_eq!(work(&app).await, 1);
        assert_eq!(work(&app).await, 0, "not before the pause is over");
        assert_eq!(state_of(&app, &made).await["state"], "failing");
        app.advance(TimeDelta::seconds(7));
        assert_eq!(work(&app).await, 1);
        app.advance(TimeDelta::seconds(120));
        assert_eq!(work(&app).await, 0, "the receiver asked for a quarter of an hour");
        for pause in [1100, 200, 800] {
            app.advance(TimeDelta::seconds(pause));
            assert_eq!(work(&app).await, 1, "after {pause} s");
        }
        assert_eq!(state_of(&app, &made).await["state"], "on");
        let ids: std::collections::BTreeSet<String> = receiver.all("/own").iter().map(|r| r.header("webhook-id")).collect();
        assert_eq!((receiver.count(), ids.len()), (5, 1), "one message under one id");
        let delivery = &log(&app, "").await[0];
        assert_eq!(delivery["status"], "sent");
        let whole = app.api(Role::Admin).await.get(&format!("/api/v1/notifications/deliveries/{}", delivery["id"])).await.json();
        let statuses: Vec<Value> = whole["log"].as_array().unwrap().iter().map(|a| a["http_status"].clone()).collect();
        assert_eq!(json!(statuses), json!([500, 429, 503, null, 200]));
        assert!(whole["log"][3]["answer"].as_str().unwrap().contains("no answer within"));
        assert!(whole["log"][2]["answer"].as_str().unwrap().len() <= 300, "a huge answer is cut");
    }

    async fn what_will_never_work_is_given_up_at_once(app: TestApp) {
        let app = configured(app, |_| {});
        let receiver = Receiver::start().await;
        for (name, answer) in [("bad", Answer::Status(400)), ("moved", Answer::Redirect("http://169.254.169.254/latest"))] {
            channel(&app, name, "slack", &receiver.url(name), json!({})).await;
            receiver.say(&format!("/{name}"), &[answer]);
        }
        // Allowed when it was typed in, forbidden now.
        let id = channel(&app, "inside", "slack", &receiver.url("inside"), json!({})).await["id"].as_i64().unwrap();
        let tx = app.state.db.begin().await.unwrap();
        tx.execute("UPDATE notification_channels SET address = $1 WHERE id = $2", args!["http://10.0.0.1/x", id]).await.unwrap();
        tx.commit().await.unwrap();
        declare(&app, json!({ "title": "Cart is down", "severity": "SEV1" })).await;
        work(&app).await;
        app.advance(TimeDelta::hours(1));
        assert_eq!(work(&app).await, 0);
        assert_eq!(receiver.paths(), ["/bad", "/moved"]);
        let failed = log(&app, "status=failed").await;
        assert_eq!(failed.len(), 3);
        let answers = failed.iter().map(|d| d["answer"].as_str().unwrap()).collect::<Vec<_>>().join("\n");
        assert!(answers.contains("a private network") && answers.contains("redirect"), "{answers}");
    }

    async fn a_channel_that_fails_for_long_is_switched_off_with_a_notice(app: TestApp) {
        let app = configured(app, |_| {});
        let receiver = Receiver::start().await;
        let dead = Receiver::dead_url().await;
        let broken = channel(&app, "broken", "slack", &dead, json!({})).await;
        channel(&app, "other", "slack", &receiver.url("other"), json!({})).await;
        let id = declare(&app, json!({ "title": "Cart is down", "severity": "SEV1" })).await;
        for _ in 0..14 {
            work(&app).await;
            app.advance(TimeDelta::hours(4));
        }
        let state = state_of(&app, &broken).await;
        assert_eq!((state["state"].as_str(), state["enabled"].as_bool()), (Some("given up"), Some(false)));
        work(&app).await;
        assert!(receiver.body("/other").to_string().contains("Notification channel switched off: broken"));
        let mut admin = app.browser(Role::Admin).await;
        admin.get("/").await.expect(200).contains("Notification channels switched off");
        admin.get("/settings/notifications").await.expect(200).contains("was switched off");
        app.browser(Role::Commander).await.get("/").await.expect(200).lacks("Notification channels switched off");

        // Mended, switched on, and what was not told tried by hand.
        let path = format!("/api/v1/notifications/channels/{}", broken["id"]);
        let mend = json!({ "address": receiver.url("broken"), "enabled": true });
        let api = &mut app.api(Role::Admin).await;
        api.json(axum::http::Method::PATCH, &path, &mend).await.expect(200);
        assert_eq!(state_of(&app, &broken).await["state"], "on");
        let lost = log(&app, &format!("channel={}&incident={id}", broken["id"])).await;
        let retry = format!("/api/v1/notifications/deliveries/{}/retry", lost[0]["id"]);
        api.post_json(&retry, &json!({})).await.expect(200);
        api.post_json(&retry, &json!({})).await.expect(409);
        work(&app).await;
        assert!(receiver.body("/broken").to_string().contains("Cart is down"));
        let one = log(&app, &format!("channel={}&status=sent", broken["id"])).await;
        assert_eq!(one.len(), 1);
    }

    async fn five_refusals_in_a_row_or_one_farewell_switch_a_channel_off(app: TestApp) {
        let app = configured(app, |_| {});
        let receiver = Receiver::start().await;
        let refusing = channel(&app, "refusing", "webhook", &receiver.url("no"), json!({ "digest": false })).await;
        let gone = channel(&app, "gone", "webhook", &receiver.url("gone"), json!({})).await;
        receiver.say("/no", &[Answer::Status(404); 9]);
        receiver.say("/gone", &[Answer::Status(410)]);
        for n in 0..6 {
            declare(&app, json!({ "title": format!("Fault {n}"), "severity": "SEV3" })).await;
        }
        work(&app).await;
        assert_eq!(state_of(&app, &gone).await["state"], "given up");
        assert_eq!(state_of(&app, &refusing).await["state"], "given up");
        assert_eq!(receiver.all("/no").len(), 5);
        assert_eq!(receiver.all("/gone").len(), 1);
    }

    async fn a_storm_is_told_in_one_message(app: TestApp) {
        let app = configured(app, |_| {});
        let receiver = Receiver::start().await;
        channel(&app, "people", "slack", &receiver.url("people"), json!({})).await;
        channel(&app, "machine", "webhook", &receiver.url("machine"), json!({ "digest": false })).await;
        for n in 0..8 {
            declare(&app, json!({ "title": format!("Fault {n}"), "severity": "SEV3" })).await;
        }
        work(&app).await;
        assert_eq!((receiver.all("/people").len(), receiver.all("/machine").len()), (1, 8));
        assert!(receiver.body("/people")["text"].as_str().unwrap().starts_with("8 updates on 8 incidents"));
        receiver.forget();

        // One after another: after five in a minute the rest is collected.
        app.advance(TimeDelta::minutes(5));
        for n in 0..12 {
            declare(&app, json!({ "title": format!("More {n}"), "severity": "SEV3" })).await;
            work(&app).await;
            app.advance(TimeDelta::seconds(1));
        }
        assert_eq!(receiver.all("/people").len(), 5);
        app.advance(TimeDelta::seconds(30));
        work(&app).await;
        assert_eq!(receiver.all("/people").len(), 6);
        assert!(receiver.body("/people")["text"].as_str().unwrap().starts_with("7 updates on 7 incidents"));
        assert_eq!(log(&app, "status=waiting").await.len(), 0);
    }

    async fn two_nodes_never_send_the_same_and_a_dead_ones_work_is_taken_over(app: TestApp) {
        let app = configured(app, |_| {});
        let receiver = Receiver::start().await;
        for n in 0..4 {
            channel(&app, &format!("c{n}"), "webhook", &receiver.url(&format!("c{n}")), json!({ "digest": false })).await;
        }
        for n in 0..10 {
            declare(&app, json!({ "title": format!("Fault {n}"), "severity": "SEV3" })).await;
        }
        let courier = courier(&app);
        let node = || async {
            relay::jobs::run_once(&app.state).await.unwrap();
            worker::run_once(&app.state, &courier).await.unwrap()
        };
        let sent = futures::future::join_all((0..4).map(|_| node())).await;
        let mut left = sent.iter().sum::<usize>();
        while left < 40 {
            let more = work(&app).await;
            assert!(more > 0, "only {left} of 40 were sent");
            left += more;
        }
        assert_eq!(receiver.count(), 40);
        let mut told: Vec<String> = Vec::new();
        for n in 0..4 {
            let order: Vec<String> = receiver.all(&format!("/c{n}")).iter().map(|r| r.json()["data"]["title"].to_string()).collect();
            let expected: Vec<String> = (0..10).map(|n| format!("\"Fault {n}\"")).collect();
            assert_eq!(order, expected, "in order, each once");
            told.extend(order);
        }
        receiver.forget();

        declare(&app, json!({ "title": "Last", "severity": "SEV3" })).await;
        let tx = app.state.db.begin().await.unwrap();
        let until = app.state.now() + TimeDelta::seconds(90);
        tx.execute("UPDATE notification_channels SET lease_until = $1, lease_token = 'dead'", args![until]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(work(&app).await, 0, "another node holds the channels");
        app.advance(TimeDelta::seconds(91));
        assert_eq!(work(&app).await, 4);
    }

    async fn an_overdue_update_is_reminded_of_once(app: TestApp) {
        let app = configured(app, |_| {});
        let receiver = Receiver::start().await;
        let made = channel(&app, "leads", "slack", &receiver.url("leads"), json!({ "tell_all": false })).await;
        let rule = json!({ "events": ["incident.update_due"], "roles": ["communications"] });
        app.api(Role::Admin).await.post_json(&format!("/api/v1/notifications/channels/{}/rules", made["id"]), &rule).await.expect(201);
        let id = declare(&app, json!({ "title": "Cart is down", "severity": "SEV1" })).await;
        let due = |at| {
            let db = app.state.db.clone();
            async move {
                let tx = db.begin().await.unwrap();
                tx.execute("UPDATE incidents SET next_update_due_at = $1", args![at]).await.unwrap();
                tx.commit().await.unwrap();
            }
        };
        due(app.state.now() + TimeDelta::minutes(30)).await;
        work(&app).await;
        assert_eq!(receiver.count(), 0, "not before it is due");
        app.advance(TimeDelta::minutes(31));
        work(&app).await;
        work(&app).await;
        assert_eq!(receiver.count(), 1);
        assert!(receiver.body("/leads").to_string().contains("The promised update is 1m late"));
        app.browser(Role::Viewer).await.get(&format!("/incidents/{id}")).await.expect(200)
            .contains("overdue").contains("and none was posted");
        // A new promise that is broken is a new reminder; a resolved incident promises nothing.
        due(app.state.now()).await;
        work(&app).await;
        assert_eq!(receiver.count(), 2);
        set_status(&app, &id, "resolved").await;
        app.advance(TimeDelta::hours(1));
        work(&app).await;
        assert_eq!(receiver.count(), 2);
    }

    async fn an_update_of_the_story_is_told_and_what_completes_it_is_not(app: TestApp) {
        let app = configured(app, |_| {});
        let receiver = Receiver::start().await;
        let id = declare(&app, json!({ "title": "Cart is down", "severity": "SEV1" })).await;
        work(&app).await;
        channel(&app, "all", "slack", &receiver.url("all"), json!({})).await;
        let path = format!("/api/v1/incidents/{id}/timeline");
        let now = app.state.now();
        let at = |minutes| (now - TimeDelta::minutes(minutes)).to_rfc3339();
        for (text, occurred_at, story) in [
            ("The database is back.", at(1), true), ("It began here.", at(40), true), ("Restarted a pod.", at(1), false),
        ] {
            let entry = json!({ "text": text, "occurred_at": occurred_at, "story": story });
            app.api(Role::Responder).await.post_json(&path, &entry).await.expect(201);
        }
        work(&app).await;
        assert_eq!(receiver.count(), 1);
        assert!(receiver.body("/all").to_string().contains("The database is back."));
    }

    async fn the_confirmed_cause_goes_along_and_the_past_does_not_ring(app: TestApp) {
        let app = configured(app, |_| {});
        let receiver = Receiver::start().await;
        channel(&app, "all", "slack", &receiver.url("all"), json!({})).await;
        let past = json!({ "title": "Long ago", "severity": "SEV1", "kind": "backfilled", "status": "resolved",
            "impact_started_at": "2026-01-01T10:00:00Z", "detected_at": "2026-01-01T10:05:00Z",
            "declared_at": "2026-01-01T10:06:00Z", "resolved_at": "2026-01-01T11:00:00Z" });
        declare(&app, past).await;
        work(&app).await;
        assert_eq!(receiver.count(), 0, "a past incident is no news");
        let id = declare(&app, json!({ "title": "Game day", "severity": "SEV3", "kind": "drill" })).await;
        work(&app).await;
        assert!(receiver.body("/all").to_string().contains("[Drill] Game day"));
        app.api(Role::Admin).await.post_json("/api/v1/services", &json!({ "slug": "cart", "name": "Cart" })).await.expect(201);
        let verdict = json!({ "kind": "service", "service": "cart", "verdict": "caused" });
        app.api(Role::Responder).await.post_json(&format!("/api/v1/incidents/{id}/suspects/verdict"), &verdict).await.expect(200);
        set_status(&app, &id, "monitoring").await;
        work(&app).await;
        assert!(receiver.body("/all").to_string().contains("Confirmed cause: "), "{}", receiver.body("/all"));
        // What waited for long is history.
        set_status(&app, &id, "resolved").await;
        receiver.forget();
        app.advance(TimeDelta::hours(7));
        work(&app).await;
        assert_eq!(receiver.count(), 0);
    }
}
