//! The public status page: draft, publish, what everybody reads, and what nobody may.

use axum::http::Method;
use chrono::TimeDelta;
use faultline::accounts::Role;
use serde_json::json;

use super::support::{Answer, Browser, TestApp};

const PUBLIC: [&str; 6] = [
    "/status",
    "/status/history",
    "/status/feed.atom",
    "/status/summary.json",
    "/status/history.json",
    "/status/notices/1",
];

async fn service(app: &TestApp, slug: &str) {
    let body = json!({"slug": slug, "name": slug, "tier": 1});
    app.api(Role::Responder).await.post_json("/api/v1/services", &body).await.expect(201);
}

async fn component(app: &TestApp, name: &str, service: &str) -> String {
    let body = json!({"name": name, "group": "Shop", "service": service});
    let made = app.api(Role::Commander).await.post_json("/api/v1/status-page/components", &body).await.expect(201);
    made.json()["id"].to_string()
}

/// A published notice about component 1; gives its number.
async fn published(chief: &mut Browser, title: &str, text: &str, state: &str) -> i64 {
    let fields = [("title", title), ("text", text), ("state", "investigating"), ("component-1", state)];
    let made = chief.post_form("/status-page/notices", &fields).await.expect(303);
    let path = made.location().to_owned();
    chief.post_form(&format!("{path}/publish"), &[("version", "1")]).await.redirects_to(&path);
    path.rsplit('/').next().unwrap().parse().unwrap()
}

async fn read(app: &TestApp, path: &str) -> Answer {
    app.visitor().get(path).await
}

on_both! {
    async fn a_notice_is_a_draft_until_it_is_published(app: TestApp) {
        service(&app, "payments").await;
        component(&app, "Paying", "payments").await;
        read(&app, "/status").await.expect(200).contains("Paying").contains("All systems operational").contains("Nothing was reported");
        let mut ada = app.browser(Role::Responder).await;
        ada.get("/status-page/notices/new").await.expect(200).contains("Paying");
        ada.post_form("/status-page/notices", &[("title", "x"), ("state", "completed"), ("component-1", "on fire")]).await.expect(422)
            .contains("is not a state of incident").contains("on fire");
        let fields = [("title", "Cards are declined"), ("text", "We look into it.\nMore at 12."), ("state", "investigating"), ("component-1", "partial_outage"), ("starts_at", "-30m")];
        ada.post_form("/status-page/notices", &fields).await.redirects_to("/status-page/notices/1");
        ada.get("/status-page/notices/1").await.expect(200).contains("How the public will read it").contains("A commander publishes it").lacks("Publish now");
        for path in PUBLIC {
            let text = read(&app, path).await.text();
            assert!(!text.contains("Cards are declined") && !text.contains("More at 12"), "{path}");
        }
        read(&app, "/status/notices/1").await.expect(404).contains("Nothing here");
        ada.post_form("/status-page/notices/1/publish", &[("version", "1")]).await.expect(403);

        let mut chief = app.browser(Role::Commander).await;
        chief.post_form("/status-page/notices/1/publish", &[("version", "7")]).await.expect(422).contains("changed the draft");
        chief.post_form("/status-page/notices/1/publish", &[("version", "1")]).await.redirects_to("/status-page/notices/1");
        read(&app, "/status").await.expect(200).contains("Cards are declined").contains("Some systems do not work for some users").contains("Partial outage")
            .contains("30m of outage");
        read(&app, "/status/notices/1").await.expect(200).contains("More at 12.");
        read(&app, "/status/feed.atom").await.expect(200).contains("<title>Investigating: Cards are declined</title>");
        read(&app, "/status/history?month=2026-11").await.expect(200).contains("Cards are declined").contains("November 2026");
        read(&app, "/status/history?month=2026-10").await.expect(200).contains("Nothing was reported in this month");
        read(&app, "/status/history?month=soon").await.expect(404);
        let summary = read(&app, "/status/summary.json").await.expect(200).json();
        assert_eq!((summary["state"].as_str(), summary["components"][0]["state"].as_str()), (Some("partial_outage"), Some("partial_outage")));
        assert_eq!(summary["notices"][0]["started_at"], "2026-11-23T10:30:00Z");

        // The next update begins with what stands, and resolving ends the impact.
        app.advance(TimeDelta::hours(1));
        chief.get("/status-page/notices/1").await.expect(200).contains("Next update").contains("Cards are declined");
        let fields = [("title", "Cards are declined"), ("text", "Cards work again."), ("state", "resolved"), ("component-1", "partial_outage"), ("ends_at", "-15m"), ("version", "0")];
        chief.post_form("/status-page/notices/1/draft", &fields).await.redirects_to("/status-page/notices/1");
        chief.post_form("/status-page/notices/1/draft", &fields).await.expect(422).contains("was changed or published");
        chief.post_form("/status-page/notices/1/publish", &[("version", "1")]).await.redirects_to("/status-page/notices/1");
        let summary = read(&app, "/status/summary.json").await.expect(200).json();
        assert_eq!(summary["state"], "operational");
        assert_eq!(summary["recent"][0]["resolved_at"], "2026-11-23T11:45:00Z");
        read(&app, "/status").await.expect(200).contains("All systems operational").contains("1h 15m of outage").contains("Cards work again.");
    }

    async fn maintenance_begins_and_ends_by_the_clock(app: TestApp) {
        component(&app, "Website", "").await;
        let mut chief = app.browser(Role::Commander).await;
        let mut fields = vec![("kind", "maintenance"), ("title", "Moving house"), ("text", "Short breaks."), ("state", "scheduled"), ("component-1", "maintenance"), ("starts_at", "2026-11-23 13:00")];
        let made = chief.post_form("/status-page/notices", &fields).await.expect(303).location().to_owned();
        chief.post_form(&format!("{made}/publish"), &[]).await.expect(422).contains("maintenance has a begin and an end");
        fields.push(("ends_at", "2026-11-23 15:00"));
        fields.push(("version", "1"));
        chief.post_form(&format!("{made}/draft"), &fields).await.redirects_to(&made);
        chief.post_form(&format!("{made}/publish"), &[]).await.redirects_to(&made);
        read(&app, "/status").await.expect(200).contains("All systems operational").contains("Scheduled maintenance").contains("Moving house");
        app.advance(TimeDelta::hours(3));
        read(&app, "/status").await.expect(200).contains("Some systems are under maintenance").contains("In progress").contains("Under maintenance");
        app.advance(TimeDelta::hours(2));
        let summary = read(&app, "/status/summary.json").await.expect(200).json();
        assert_eq!((summary["state"].as_str(), summary["recent"][0]["state"].as_str()), (Some("operational"), Some("completed")));
        assert_eq!(summary["components"][0]["uptime_90d_percent"], "100.00", "announced work is no outage");
    }

    async fn public_pages_are_cacheable_and_know_nobody(app: TestApp) {
        component(&app, "Website", "").await;
        let mut chief = app.browser(Role::Commander).await;
        published(&mut chief, "Slow", "It is slow.", "degraded").await;
        for path in PUBLIC {
            let first = read(&app, path).await.expect(200);
            assert!(first.header("cache-control").starts_with("public, max-age="), "{path}: {}", first.header("cache-control"));
            assert!(first.headers.get("set-cookie").is_none(), "{path}");
            assert!(first.headers.get("vary").is_none_or(|v| !v.to_str().unwrap().to_lowercase().contains("cookie")));
            let etag = first.header("etag").to_owned();
            assert!(etag.starts_with("W/\""), "{path}: {etag}");
            let again = app.visitor().send(Method::GET, path, &[("if-none-match", &etag)], vec![]).await.expect(304);
            assert!(again.body.is_empty() && again.header("etag") == etag);
            // Who is signed in gets the same bytes, and so does who sends a broken session.
            assert_eq!(chief.get(path).await.expect(200).body, first.body, "{path}");
            let mut stranger = app.visitor();
            stranger.set_cookie("faultline", "stolen");
            assert_eq!(stranger.get(path).await.expect(200).body, first.body, "{path}");
        }
        let before = read(&app, "/status").await.header("etag").to_owned();
        published(&mut chief, "Slower", "It is slower.", "major_outage").await;
        let after = app.visitor().send(Method::GET, "/status", &[("if-none-match", &before)], vec![]).await.expect(200);
        after.contains("It is slower.").contains("Some systems do not work");
    }

    async fn the_last_copy_is_shown_when_the_database_is_gone(app: TestApp) {
        component(&app, "Website", "").await;
        read(&app, "/status").await.expect(200).contains("Website");
        app.state.db.close().await;
        read(&app, "/status").await.expect(200).contains("Website");
        assert!(read(&app, "/status/feed.atom").await.status.is_server_error());
    }

    async fn nothing_private_leaks(app: TestApp) {
        service(&app, "vault-MARKSERVICE".to_lowercase().as_str()).await;
        component(&app, "Website", "vault-markservice").await;
        let (mut ada, _) = app.browser_of("MARKPERSON", Role::Commander).await;
        let mut api = app.api(Role::Admin).await;
        for (title, private) in [("MARKTITLE", true), ("MARKOPEN", false)] {
            let body = json!({"title": title, "severity": "SEV1", "summary": "MARKSUMMARY", "services": ["vault-markservice"], "private": private});
            api.post_json("/api/v1/incidents", &body).await.expect(201);
        }
        for (path, body) in [
            ("/api/v1/incidents/INC-1/timeline", json!({"text": "MARKSTORY", "story": true})),
            ("/api/v1/incidents/INC-1/timeline", json!({"text": "MARKACTIVITY"})),
            ("/api/v1/incidents/INC-1/tasks", json!({"title": "MARKTASK"})),
            ("/api/v1/incidents/INC-1/evidence", json!({"kind": "link", "reference": "https://x.example/MARKLINK", "title": "MARKEVIDENCE", "note": "MARKNOTE"})),
            ("/api/v1/incidents/INC-1/status", json!({"status": "investigating", "reason": "MARKREASON"})),
            ("/api/v1/incidents/INC-1/access", json!({"email": "markperson@faultline.test"})),
        ] {
            let answer = api.post_json(path, &body).await;
            assert!(answer.status.is_success(), "{path}: {}", answer.text());
        }
        // Drafted from the private incident: nothing of it is in the form but the link itself.
        ada.get("/status-page/notices/new?incident=INC-1").await.expect(200).lacks("MARKTITLE").lacks("MARKSUMMARY")
            .contains("<option value=\"operational\" selected>");
        ada.get("/status-page/notices/new?incident=INC-2").await.expect(200).lacks("MARKOPEN").contains("<option value=\"degraded\" selected>");
        app.browser(Role::Responder).await.get("/status-page/notices/new?incident=INC-1").await.expect(404);
        let of = |title: &'static str, incident: &'static str| [("title", title), ("text", "Public words"), ("state", "investigating"), ("component-1", "degraded"), ("incident", incident)];
        for (title, incident, publish) in [("Public one", "INC-1", true), ("Public two", "INC-2", true), ("MARKDRAFT", "INC-1", false)] {
            let path = ada.post_form("/status-page/notices", &of(title, incident)).await.expect(303).location().to_owned();
            if publish {
                ada.post_form(&format!("{path}/publish"), &[]).await.redirects_to(&path);
            }
        }
        // A second update that stays a draft, a notice that was withdrawn, and a merged incident.
        ada.post_form("/status-page/notices/1/draft", &[("title", "MARKNEXT"), ("text", "MARKNEXTTEXT"), ("state", "resolved"), ("version", "0")]).await.expect(303);
        let gone = published(&mut ada, "MARKWITHDRAWN", "MARKGONE", "major_outage").await;
        ada.post_form(&format!("/status-page/notices/{gone}/withdraw"), &[]).await.expect(422);
        ada.post_form(&format!("/status-page/notices/{gone}/withdraw"), &[("confirm", "yes")]).await.expect(303);
        api.json(Method::PATCH, "/api/v1/incidents/INC-2", &json!({"private": true, "reason": "MARKWHY"})).await.expect(200);
        api.post_json("/api/v1/incidents/INC-2/merge", &json!({"into": "INC-1", "reason": "MARKMERGE"})).await.expect(200);

        let mut seen = 0;
        let mut paths: Vec<String> = faultline::app::routes().table().iter()
            .filter(|r| r.method == Method::GET && (r.path == "/status" || r.path.starts_with("/status/")))
            .map(|r| r.path.to_owned()).collect();
        let notice = paths.iter().position(|p| p.contains("notices/{id}")).map(|i| paths.remove(i)).unwrap();
        paths.extend((1..=6).map(|id| notice.replace("{id}", &id.to_string())));
        paths.extend(["/status/history?month=2026-11".to_owned(), "/status/history.json?month=2026-11".to_owned()]);
        for path in &paths {
            let answer = read(&app, &path.replace("{token}", "x")).await;
            let text = format!("{:?} {}", answer.headers, answer.text()).to_uppercase();
            let text = text.replace("BRAND-MARK", "");
            for secret in ["MARK", "INC-1", "INC-2", "VAULT-"] {
                assert!(!text.contains(secret), "{path} holds {secret}: {text}");
            }
            seen += usize::from(text.contains("PUBLIC ONE"));
        }
        assert!(seen >= 5, "the walk met the published notice only {seen} times");
        // The notice's writers who may not see the incident do not learn its number either.
        app.browser(Role::Responder).await.get("/status-page/notices/1").await.expect(200).lacks("INC-1");
        let brief = app.api(Role::Responder).await.get("/api/v1/status-page/notices/1").await.expect(200).json();
        assert_eq!(brief["incident"], serde_json::Value::Null);
        // What was published from the incident's page is on its timeline.
        ada.get("/incidents/INC-1").await.expect(200).contains("Published on the status page: Public one").contains("Draft a public update");
    }

    async fn text_from_outside_stays_text(app: TestApp) {
        for (n, line) in include_str!("../fixtures/markdown_injection.txt").lines().filter(|l| !l.trim().is_empty()).take(25).enumerate() {
            let title = format!("{n} {}", line.chars().take(60).collect::<String>());
            let body = json!({"name": title, "description": line.chars().take(190).collect::<String>(), "group": line.chars().take(60).collect::<String>()});
            app.api(Role::Commander).await.post_json("/api/v1/status-page/components", &body).await.expect(201);
        }
        let mut chief = app.browser(Role::Commander).await;
        let bad = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> ]]> &lt; {{7*7}}";
        app.browser(Role::Admin).await.post_form("/status-page/settings", &[("title", bad), ("intro", bad), ("is_public", "on")]).await.expect(303);
        published(&mut chief, bad, bad, "degraded").await;
        for path in PUBLIC {
            let answer = read(&app, path).await.expect(200);
            if !answer.header("content-type").contains("json") {
                answer.lacks("<script>alert").lacks("<img src=x").lacks("{{7*7}}</script>");
            }
        }
        chief.get("/status-page/notices/1").await.expect(200).lacks("<script>alert").lacks("<img src=x");
        chief.get("/status-page/components").await.expect(200).lacks("<script>alert").lacks("<img src=x");
    }

    async fn components_are_chosen_ordered_and_taken_off(app: TestApp) {
        service(&app, "cart").await;
        let mut chief = app.browser(Role::Commander).await;
        chief.post_form("/status-page/components", &[("name", ""), ("service", "cart")]).await.expect(422).contains("is needed");
        chief.post_form("/status-page/components", &[("name", "Cart"), ("service", "nowhere")]).await.expect(422).contains("no service").contains("Cart");
        for name in ["Cart", "Search"] {
            chief.post_form("/status-page/components", &[("name", name), ("group", "Shop")]).await.redirects_to("/status-page/components");
        }
        chief.post_form("/status-page/components", &[("name", "Cart")]).await.expect(422).contains("another component");
        chief.post_form("/status-page/components/2/do", &[("do", "up")]).await.expect(303);
        let names = |v: &serde_json::Value| v["components"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&read(&app, "/status/summary.json").await.json()), ["Search", "Cart"]);
        chief.post_form("/status-page/components/1", &[("name", "Basket"), ("service", "cart")]).await.expect(303);
        chief.post_form("/status-page/components/2/do", &[("do", "remove")]).await.expect(422);
        chief.post_form("/status-page/components/2/do", &[("do", "remove"), ("confirm", "yes")]).await.expect(303);
        assert_eq!(names(&read(&app, "/status/summary.json").await.json()), ["Basket"]);
        app.browser(Role::Responder).await.post_form("/status-page/components", &[("name", "X")]).await.expect(403);
    }

    async fn a_page_that_is_switched_off_says_nothing(app: TestApp) {
        component(&app, "Hidden thing", "").await;
        let mut admin = app.browser(Role::Admin).await;
        admin.post_form("/status-page/settings", &[("title", "Our own status"), ("intro", "")]).await.expect(303);
        for path in PUBLIC {
            read(&app, path).await.expect(404).lacks("Hidden thing").lacks("Our own status");
        }
        admin.post_form("/status-page/settings", &[("title", ""), ("is_public", "on")]).await.expect(422).contains("is needed");
        admin.post_form("/status-page/settings", &[("title", "Our own status"), ("is_public", "on")]).await.expect(303);
        read(&app, "/status").await.expect(200).contains("Our own status");
    }

    async fn whoever_speaks_for_an_incident_may_publish(app: TestApp) {
        component(&app, "Website", "").await;
        let (mut bo, bo_actor) = app.browser_of("Bo", Role::Responder).await;
        app.api(Role::Responder).await.post_json("/api/v1/incidents", &json!({"title": "Down", "severity": "SEV2"})).await.expect(201);
        let fields = [("title", "Down"), ("text", "We know."), ("incident", "INC-1")];
        let path = bo.post_form("/status-page/notices", &fields).await.expect(303).location().to_owned();
        bo.post_form(&format!("{path}/publish"), &[]).await.expect(403);
        let body = json!({"email": "bo@faultline.test"});
        app.api(Role::Commander).await.json(Method::PUT, "/api/v1/incidents/INC-1/roles/communications", &body).await.expect(200);
        bo.post_form(&format!("{path}/publish"), &[]).await.redirects_to(&path);
        assert!(bo_actor.user_id.is_some());
        // A correction is seen to be one.
        bo.post_form(&format!("{path}/updates/1"), &[("text", "")]).await.expect(422);
        bo.post_form(&format!("{path}/updates/1"), &[("text", "We know and work on it.")]).await.redirects_to(&path);
        read(&app, "/status").await.expect(200).contains("We know and work on it.").contains("corrected");
    }
}
