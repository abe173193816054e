//! Setting up channels and rules on pages and by API; what is never shown; the test button; the log.

use faultline::accounts::Role;
use faultline::notifications::signing;
use serde_json::json;

use super::receiver::{Answer, Receiver};
use super::{channel, configured, courier, declare, work};

on_both! {
    async fn an_administrator_sets_up_a_channel_and_tests_it(app: TestApp) {
        let app = configured(app, |_| {});
        let receiver = Receiver::start().await;
        let mut admin = app.browser(Role::Admin).await;
        admin.get("/settings/notifications").await.expect(200).contains("Nobody is told yet");
        admin.get("/settings/notifications/new").await.expect(200).contains("Add channel");
        let wrong = [("name", "Ops"), ("kind", "slack"), ("address", "ftp://example.org/")];
        admin.post_form("/settings/notifications", &wrong).await.expect(422)
            .contains("only http and https are called").contains("value=\"Ops\"");
        let url = receiver.url("services/TOP/SECRET");
        let right = [("name", "Ops"), ("kind", "slack"), ("address", url.as_str()), ("digest", "on"), ("tell_all", "on")];
        let page = admin.post_form("/settings/notifications", &right).await.location().to_owned();
        admin.post_form("/settings/notifications", &right).await.expect(422).contains("another channel is called");
        admin.get(&page).await.expect(200).contains("Every event").lacks("SECRET");
        admin.post_form(&format!("{page}/do"), &[("do", "test")]).await.redirects_to(&page);
        admin.get(&page).await.expect(200).contains("Test delivered in").contains("The receiver answered 200");
        assert!(receiver.body("/services/TOP/SECRET").to_string().contains("Test message for Ops"));
        receiver.say("/services/TOP/SECRET", &[Answer::Status(403)]);
        admin.post_form(&format!("{page}/do"), &[("do", "test")]).await.redirects_to(&page);
        admin.get(&page).await.expect(200).contains("Test not delivered").contains("403");

        // Changing keeps the address that is not shown.
        let change = [("name", "Operations"), ("address", ""), ("may_see_private", "on")];
        admin.post_form(&page, &change).await.redirects_to(&page);
        declare(&app, json!({ "title": "Break-in", "severity": "SEV1", "private": true })).await;
        work(&app).await;
        assert!(receiver.body("/services/TOP/SECRET").to_string().contains("Break-in"));

        // Rules.
        let rule = [("events", "incident.declared"), ("events", "incident.resolved"), ("services", "cart, checkout"), ("severities", "SEV1")];
        admin.post_form(&format!("{page}/rules"), &rule).await.redirects_to(&page);
        let shown = admin.get(&page).await.expect(200)
            .contains("Incident declared or Incident resolved; severity SEV1; service cart or checkout").text();
        let rule = shown.split(&format!("{page}/rules/")).nth(2).unwrap().split('"').next().unwrap().to_owned();
        let rule = format!("{page}/rules/{rule}");
        admin.get(&rule).await.expect(200).contains("value=\"cart, checkout\"");
        admin.post_form(&rule, &[("events", "incident.exploded")]).await.expect(422).contains("is not a kind of event");
        admin.post_form(&rule, &[("delete", "yes")]).await.redirects_to(&page);
        admin.get(&rule).await.expect(404);
        admin.post_form(&format!("{page}/do"), &[("do", "off")]).await.redirects_to(&page);
        admin.get(&page).await.expect(200).contains("Switch on");
        admin.post_form(&format!("{page}/do"), &[("do", "dance")]).await.expect(400);
        admin.post_form(&format!("{page}/do"), &[("do", "delete")]).await.redirects_to("/settings/notifications");
        admin.get(&page).await.expect(404);
    }

    async fn addresses_that_lead_inside_are_refused_when_typed(app: TestApp) {
        let mut api = app.api(Role::Admin).await;
        for address in [
            "http://127.0.0.1:9/", "http://localhost.:80@127.0.0.1/", "http://0x7f.1/", "http://2130706433/", "http://[::1]/",
            "http://[::ffff:10.0.0.1]/", "http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/",
            "http://10.1.2.3/", "http://192.168.0.1/", "http://172.16.0.1/", "http://100.64.0.1/", "http://0/",
            "http://[64:ff9b::a9fe:a9fe]/", "gopher://example.org/", "file:///etc/passwd", "https://me:pw@example.org/",
        ] {
            let body = json!({ "name": "x", "kind": "webhook", "address": address });
            let problem = api.post_json("/api/v1/notifications/channels", &body).await.expect(422).json();
            assert_eq!(problem["errors"][0]["field"], "address", "{address}: {problem}");
        }
        // A name is judged by where it leads, when it is called.
        let body = json!({ "name": "x", "kind": "webhook", "address": "http://localhost:9/" });
        let made = api.post_json("/api/v1/notifications/channels", &body).await.expect(201).json();
        let tried = api.post_json(&format!("/api/v1/notifications/channels/{}/test", made["id"]), &json!({})).await.json();
        assert_eq!(tried["delivered"], false);
        assert!(tried["answer"].as_str().unwrap().contains("this machine itself"), "{tried}");
    }

    async fn a_signing_secret_is_shown_once_and_exchanged_without_a_gap(app: TestApp) {
        let app = configured(app, |_| {});
        let receiver = Receiver::start().await;
        let made = channel(&app, "own", "webhook", &receiver.url("hooks/5e4c"), json!({ "digest": false })).await;
        let first = made["secret"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/notifications/channels/{}", made["id"]);
        let api = &mut app.api(Role::Admin).await;
        api.get(&path).await.expect(200).lacks(&first).lacks(&receiver.url("hooks/5e4c"));
        api.get("/api/v1/notifications/channels").await.expect(200).lacks("whsec_");
        let second = api.post_json(&format!("{path}/secret"), &json!({})).await.expect(200).json()["secret"].as_str().unwrap().to_owned();
        let signed_by = |secret: &str| {
            let seen = receiver.request("/hooks/5e4c");
            let at = seen.header("webhook-timestamp").parse().unwrap();
            signing::verify(secret, &seen.header("webhook-id"), at, &seen.body, &seen.header("webhook-signature"))
        };
        declare(&app, json!({ "title": "One", "severity": "SEV3" })).await;
        work(&app).await;
        assert!(signed_by(&first) && signed_by(&second), "both sign while the receiver changes over");
        api.send(axum::http::Method::DELETE, &format!("{path}/secret"), &[], vec![]).await.expect(200);
        declare(&app, json!({ "title": "Two", "severity": "SEV3" })).await;
        work(&app).await;
        assert!(!signed_by(&first) && signed_by(&second));
        let mut admin = app.browser(Role::Admin).await;
        let page = format!("/settings/notifications/{}", made["id"]);
        admin.get(&page).await.expect(200).lacks("whsec_");
        admin.post_form(&format!("{page}/do"), &[("do", "rotate")]).await.expect(200).contains("whsec_");
        assert!(!format!("{:?}", app.state.config).contains("whsec_"));
    }

    async fn the_log_is_filtered_paged_and_tells_each_attempt(app: TestApp) {
        let app = configured(app, |_| {});
        let receiver = Receiver::start().await;
        let made = channel(&app, "own", "webhook", &receiver.url("own"), json!({ "digest": false })).await;
        let quiet = channel(&app, "quiet", "webhook", &receiver.url("quiet"), json!({ "tell_all": false })).await;
        let mut admin = app.browser(Role::Admin).await;
        admin.get("/settings/notifications/log").await.expect(200).contains("Nothing was sent yet");
        receiver.say("/own", &[Answer::Status(400)]);
        for n in 0..60 {
            declare(&app, json!({ "title": format!("Fault {n}"), "severity": "SEV3" })).await;
        }
        while work(&app).await > 0 {}
        let first = admin.get("/settings/notifications/log").await.expect(200).contains("60 in all").contains("rel=\"next\"").text();
        let older = first.split("<a href=\"").find(|p| p.contains("rel=\"next\"")).unwrap().split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
        admin.get(&older).await.expect(200).contains("INC-1<").lacks("rel=\"next\"");
        admin.get("/settings/notifications/log?status=failed").await.expect(200).contains("1 in all").contains("INC-1");
        admin.get(&format!("/settings/notifications/log?channel={}", quiet["id"])).await.expect(200).contains("Nothing matches");
        admin.get("/settings/notifications/log?subject=inc-7&event=incident.declared").await.expect(200).contains("1 in all");
        let api = &mut app.api(Role::Admin).await;
        let failed = api.get(&format!("/api/v1/notifications/deliveries?status=failed&channel={}", made["id"])).await.json();
        let page = format!("/settings/notifications/log/{}", failed["items"][0]["id"]);
        admin.get(&page).await.expect(200).contains("Try again now").contains("400");
        admin.post_form(&format!("{page}/retry"), &[]).await.redirects_to(&page);
        work(&app).await;
        admin.get(&page).await.expect(200).lacks("Try again now").contains("200");
        app.browser(Role::Commander).await.get("/settings/notifications/log").await.expect(403);
        drop(courier(&app));
    }
}
