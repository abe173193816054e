//! The Slack app: requests verified, rights checked, commands and buttons.

use chrono::TimeDelta;
use faultline::accounts::Role;
use faultline::clock::Timestamp;
use serde_json::{Value, json};

use super::receiver::Receiver;
use super::{channel, configured, declare, work};
use crate::support::{Answer, TestApp};

const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";

fn with_slack(app: TestApp) -> TestApp {
    configured(app, |config| config.slack_signing_secret = Some(SECRET.to_owned()))
}

async fn signed(app: &TestApp, path: &str, body: &str, at: Timestamp, secret: &str) -> Answer {
    let at = (at.as_micros() / 1_000_000).to_string();
    let signature = faultline::slack::signature(secret, &at, body.as_bytes());
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("x-slack-request-timestamp", at.as_str()),
        ("x-slack-signature", signature.as_str()),
    ];
    app.visitor().post_bytes(path, &headers, body).await
}

fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// What Slack shows after `/faultline …`.
async fn say(app: &TestApp, user: &str, text: &str) -> Value {
    let body = form(&[("command", "/faultline"), ("user_id", user), ("user_name", "someone"), ("text", text)]);
    signed(app, "/slack/commands", &body, app.state.now(), SECRET).await.expect(200).json()
}

async fn press(app: &TestApp, user: &str, action: &str, incident: &str, response_url: &str) {
    let payload = json!({ "type": "block_actions", "user": { "id": user }, "response_url": response_url,
        "actions": [{ "type": "button", "action_id": action, "value": incident }] });
    let body = form(&[("payload", &payload.to_string())]);
    signed(app, "/slack/interactions", &body, app.state.now(), SECRET).await.expect(200);
}

async fn map(app: &TestApp, slack: &str, name: &str, role: Role) {
    app.browser_of(name, role).await;
    let email = format!("{}@faultline.test", name.to_lowercase());
    let path = format!("/api/v1/slack/people/{slack}");
    app.api(Role::Admin).await.json(axum::http::Method::PUT, &path, &json!({ "email": email })).await.expect(200);
}

on_both! {
    async fn only_what_slack_signed_just_now_is_looked_at(app: TestApp) {
        let off = configured(app, |_| {});
        let body = form(&[("user_id", "U1ADA"), ("text", "declare Fake")]);
        signed(&off, "/slack/commands", &body, off.state.now(), SECRET).await.expect(404);
        let app = with_slack(off);
        map(&app, "U1ADA", "Ada", Role::Commander).await;
        let now = app.state.now();
        for (path, body) in [("/slack/commands", body.clone()), ("/slack/interactions", form(&[("payload", "{}")]))] {
            signed(&app, path, &body, now - TimeDelta::seconds(301), SECRET).await.expect(403).contains("five minutes");
            signed(&app, path, &body, now + TimeDelta::seconds(301), SECRET).await.expect(403);
            signed(&app, path, &body, now, "another secret").await.expect(403).contains("does not match");
            let kind = [("content-type", "application/x-www-form-urlencoded")];
            app.visitor().post_bytes(path, &kind, body).await.expect(403).contains("missing");
        }
        assert_eq!(app.api(Role::Admin).await.get("/api/v1/incidents").await.json()["total"], 0);
        signed(&app, "/slack/commands", &body, now - TimeDelta::seconds(299), SECRET).await.expect(200);
        assert_eq!(app.api(Role::Admin).await.get("/api/v1/incidents").await.json()["total"], 1);
        signed(&app, "/slack/interactions", "payload=nonsense", now, SECRET).await.expect(400);
    }

    async fn a_command_has_the_rights_of_the_account(app: TestApp) {
        let app = with_slack(app);
        map(&app, "U1ADA", "Ada", Role::Responder).await;
        map(&app, "U2VIC", "Vic", Role::Viewer).await;
        let text = |answer: &Value| answer["text"].as_str().unwrap().to_owned();
        assert!(text(&say(&app, "U9", "list").await).contains("does not know you"));
        assert!(text(&say(&app, "U2VIC", "declare Fire").await).contains("takes the role responder"));
        let declared = say(&app, "U1ADA", "declare SEV2 Cart <is> down").await;
        assert_eq!(declared["response_type"], "in_channel");
        assert!(text(&declared).contains("Cart &lt;is&gt; down"), "{declared}");
        declare(&app, json!({ "title": "Break-in", "severity": "SEV1", "private": true })).await;
        let listed = text(&say(&app, "U2VIC", "list").await);
        assert!(listed.contains("INC-1") && !listed.contains("INC-2"), "{listed}");
        assert!(text(&say(&app, "U1ADA", "status INC-2").await).contains("not found"));
        assert!(text(&say(&app, "U1ADA", "ack INC-2").await).contains("not found"));
        assert!(text(&say(&app, "U2VIC", "ack INC-1").await).contains("takes the role responder"));
        assert!(text(&say(&app, "U1ADA", "ack INC-1").await).contains("Ada acknowledged"));
        assert!(text(&say(&app, "U1ADA", "ack INC-1").await).contains("was acknowledged by Ada"));
        assert!(text(&say(&app, "U1ADA", "status INC-1 identified bad deploy").await).contains("(identified,"));
        assert!(text(&say(&app, "U1ADA", "status INC-1 exploded").await).contains("is not a"));
        assert!(text(&say(&app, "U1ADA", "status INC-1").await).contains("Cart"));
        assert!(text(&say(&app, "U1ADA", "declare Fire service:unheard-of").await).contains("does not know"));
        assert!(text(&say(&app, "U1ADA", "dance").await).contains("is not a command"));
        let incident = app.api(Role::Viewer).await.get("/api/v1/incidents/INC-1").await.expect(200).json();
        assert!(incident["milestones"]["acknowledged"].is_string() || incident["milestones"]["acknowledged"].is_object(), "{incident}");

        // Taken off, or the account disabled: nothing is done any more.
        app.api(Role::Admin).await.send(axum::http::Method::DELETE, "/api/v1/slack/people/U1ADA", &[], vec![]).await.expect(204);
        assert!(text(&say(&app, "U1ADA", "list").await).contains("does not know you"));
    }

    async fn buttons_under_a_message_act_and_answer(app: TestApp) {
        let app = with_slack(app);
        let receiver = Receiver::start().await;
        map(&app, "U1ADA", "Ada", Role::Responder).await;
        map(&app, "U2VIC", "Vic", Role::Viewer).await;
        channel(&app, "ops", "slack", &receiver.url("ops"), json!({})).await;
        let id = declare(&app, json!({ "title": "Cart is down", "severity": "SEV1" })).await;
        work(&app).await;
        let message = receiver.body("/ops");
        let buttons = message["blocks"].as_array().unwrap().last().unwrap()["elements"].clone();
        assert_eq!((buttons[1]["value"].as_str(), buttons[2]["value"].as_str()), (Some(id.as_str()), Some(id.as_str())));
        let (acknowledge, resolve) = (buttons[1]["action_id"].as_str().unwrap(), buttons[2]["action_id"].as_str().unwrap());
        press(&app, "U2VIC", acknowledge, &id, &receiver.url("vic")).await;
        let answer = receiver.wait_for("/vic").await.json();
        assert_eq!(answer["response_type"], "ephemeral");
        press(&app, "U1ADA", acknowledge, &id, &receiver.url("first")).await;
        assert!(receiver.wait_for("/first").await.json()["text"].as_str().unwrap().contains("Ada acknowledged"));
        press(&app, "U1ADA", resolve, &id, &receiver.url("second")).await;
        assert!(receiver.wait_for("/second").await.json()["text"].as_str().unwrap().contains(&format!("Ada resolved {id}")));
        let incident = app.api(Role::Viewer).await.get(&format!("/api/v1/incidents/{id}")).await.json();
        assert_eq!(incident["status"], "resolved");
        work(&app).await;
        let last = receiver.body("/ops");
        assert!(!last.to_string().contains(acknowledge), "what is over needs no buttons: {last}");
    }

    async fn an_administrator_says_who_is_who(app: TestApp) {
        let app = with_slack(app);
        app.browser_of("Ada", Role::Responder).await;
        let mut admin = app.browser(Role::Admin).await;
        admin.get("/settings/slack").await.expect(200).contains("http://faultline.test/slack/commands");
        let typed = [("slack_user_id", "ada"), ("email", "nobody@faultline.test")];
        admin.post_form("/settings/slack", &typed).await.expect(422).contains("member id").contains("nobody@faultline.test");
        let typed = [("slack_user_id", "u02abc"), ("email", "ada@faultline.test")];
        admin.post_form("/settings/slack", &typed).await.redirects_to("/settings/slack");
        admin.get("/settings/slack").await.expect(200).contains("U02ABC acts as Ada").contains("ada@faultline.test");
        admin.post_form("/settings/slack/U02ABC/remove", &[]).await.redirects_to("/settings/slack");
        admin.post_form("/settings/slack/U02ABC/remove", &[]).await.expect(404);
    }
}
