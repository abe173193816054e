//! The pages of reports besides the overview: figures, frozen reports, addresses, schedule, settings, gauges.

use chrono::TimeDelta;
use faultline::accounts::Role;
use faultline::args;
use faultline::clock::Timestamp;
use faultline::incidents::{self, By, Source};
use faultline::reports::{Ledger, jobs};
use serde_json::json;

use super::reports::{QUARTER, fill};
use crate::support::TestApp;

/// The value of one of the numbers on top.
fn number(sheet: &serde_json::Value, key: &str) -> serde_json::Value {
    let numbers = sheet["numbers"].as_array().unwrap();
    numbers.iter().find(|n| n["key"] == key).unwrap_or_else(|| panic!("no {key} in {sheet}"))["value"].clone()
}

async fn correct_first(app: &TestApp) {
    let tx = app.state.db.begin().await.unwrap();
    let earlier = incidents::NewMilestone {
        name: incidents::MilestoneName::ImpactStarted,
        at: Timestamp::parse("2026-09-07T07:40:00Z").unwrap(),
        source: Source::Trace,
        reason: "first failed trace".into(),
    };
    incidents::set_milestone(&tx, incidents::IncidentId(1), &earlier, &By::system("Fixture"), app.state.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

on_both! {
    async fn every_page_is_also_json_csv_and_markdown(app: TestApp) {
        fill(&app).await;
        let mut browser = app.browser(Role::Viewer).await;
        let mut api = app.api(Role::Viewer).await;
        for page in ["summary", "services", "teams", "alerts", "changes", "postmortems", "runbooks", "compare"] {
            let html = browser.get(&format!("/reports/{page}?{QUARTER}")).await.expect(200).lacks("style=").lacks("secret").text();
            let sheet = api.get(&format!("/api/v1/reports/{page}?{QUARTER}")).await.expect(200).json();
            for n in sheet["numbers"].as_array().unwrap() {
                assert!(html.contains(n["label"].as_str().unwrap()), "{page}: {n}");
            }
            let csv = browser.get(&format!("/reports/{page}?{QUARTER}&format=csv")).await.expect(200).text();
            assert!(csv.starts_with("table,row,column,value,text,filters"), "{page}");
            for line in csv.lines() {
                assert!(!line.starts_with(['=', '+', '-', '@']) && !line.contains(",="), "{page}: {line}");
            }
            browser.get(&format!("/reports/{page}?{QUARTER}&format=md")).await.expect(200).contains("# ");
            browser.get(&format!("/reports/{page}?from=soon")).await.expect(422).contains("is not a date").contains("value=\"soon\"");
            api.get(&format!("/api/v1/reports/{page}?severity=SEV9")).await.expect(422).contains("SEV9");
        }
    }

    async fn slices_by_tier_cause_environment_and_who_noticed(app: TestApp) {
        fill(&app).await;
        let mut api = app.api(Role::Responder).await;
        let classes = json!({ "detected_by": "customer", "cause": "change", "environment": "production" });
        api.json(axum::http::Method::PUT, "/api/v1/incidents/INC-3/classes", &classes).await.expect(200);
        api.json(axum::http::Method::PUT, "/api/v1/incidents/INC-3/classes", &json!({ "detected_by": "luck" })).await.expect(422);
        // A private one cannot be told from one that is not there.
        api.json(axum::http::Method::PUT, "/api/v1/incidents/INC-7/classes", &classes).await.expect(404);
        for (by, key, n) in [("tier", "3", 6), ("cause", "change", 1), ("environment", "production", 1), ("detection", "customer", 1)] {
            let report = api.get(&format!("/api/v1/reports/mttr?{QUARTER}&group_by={by}")).await.expect(200).json();
            let group = report["groups"].as_array().unwrap().iter().find(|g| g["key"] == key).unwrap();
            assert_eq!(group["n"], n, "{by}");
            let filtered = api.get(&format!("/api/v1/reports/mttr?{QUARTER}&{by}={key}")).await.expect(200).json();
            assert_eq!(filtered["n"], n, "{by}");
        }
        for by in ["day", "quarter"] {
            api.get(&format!("/api/v1/reports/mttr?{QUARTER}&group_by={by}")).await.expect(200);
        }
        let mut browser = app.browser(Role::Responder).await;
        browser.get("/incidents/INC-3").await.expect(200).contains("For the reports").contains("value=\"change\"");
        browser.post_form("/incidents/INC-4/classes", &[("cause", "Capacity")]).await.redirects_to("/incidents/INC-4");
        let report = api.get(&format!("/api/v1/reports/mttr?{QUARTER}&cause=capacity")).await.expect(200).json();
        assert_eq!(report["n"], 1);
    }

    async fn a_frozen_report_stays_and_says_what_changed_since(app: TestApp) {
        fill(&app).await;
        let mut browser = app.browser(Role::Commander).await;
        browser.post_form("/reports/frozen", &[("title", ""), ("filters", QUARTER)]).await.expect(422).contains("is needed").contains(&QUARTER.replace('&', "&#38;"));
        browser.post_form("/reports/frozen", &[("title", "For the board"), ("filters", QUARTER)]).await.redirects_to("/reports/frozen/1");
        browser.get("/reports/frozen").await.expect(200).contains("For the board");
        browser.get("/reports/frozen/1").await.expect(200).contains("from the same data").contains("Private incidents are not counted").contains("mttr v1");
        let before = app.api(Role::Viewer).await.get("/api/v1/reports/frozen/1").await.expect(200).json();
        assert_eq!(before["incidents"], 6);
        assert_eq!(before["data_hash"], before["since"]["data_hash"]);

        app.advance(TimeDelta::hours(1));
        correct_first(&app).await;
        let tx = app.state.db.begin().await.unwrap();
        tx.execute("UPDATE incidents SET kind = 'drill' WHERE id = 2", args![]).await.unwrap();
        tx.execute("UPDATE incidents SET kind = 'real' WHERE id = 8", args![]).await.unwrap();
        tx.commit().await.unwrap();
        browser
            .get("/reports/frozen/1")
            .await
            .expect(200)
            .contains("now left out: a drill")
            .contains("was left out: a drill")
            .contains("first failed trace")
            .contains("Late edits")
            .contains("Time to resolve (median)");
        let after = app.api(Role::Viewer).await.get("/api/v1/reports/frozen/1").await.expect(200).json();
        assert_eq!((&after["data_hash"], &after["report"]), (&before["data_hash"], &before["report"]));
        assert_ne!(after["data_hash"], after["since"]["data_hash"]);
        assert_eq!(after["since"]["difference"]["added"][0]["incident"], "INC-8");
        assert_eq!(after["since"]["difference"]["removed"][0]["incident"], "INC-2");
        let shifted = &after["since"]["difference"]["shifted"];
        assert!(shifted.as_array().unwrap().iter().any(|s| s["incident"] == "INC-1" && s["measure"] == "mttr"), "{shifted}");
        browser.get("/reports/frozen/1?format=md").await.expect(200).contains("# For the board");
        browser.get("/reports/frozen/99").await.expect(404);
    }

    async fn a_shared_address_opens_one_report_until_it_is_withdrawn(app: TestApp) {
        fill(&app).await;
        let mut browser = app.browser(Role::Commander).await;
        browser.post_form("/reports/frozen", &[("title", "For the board"), ("filters", QUARTER)]).await.expect(303);
        app.browser(Role::Responder).await.post_form("/reports/frozen/1/links", &[("days", "30")]).await.expect(403);
        browser.post_form("/reports/frozen/1/links", &[("days", "30")]).await.redirects_to("/reports/frozen/1");
        let page = browser.get("/reports/frozen/1").await.expect(200).text();
        let address = page.split("http://faultline.test").find(|p| p.starts_with("/embed/report/")).unwrap();
        let address: String = address.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '/').collect();
        let mut visitor = app.visitor();
        visitor.get(&address).await.expect(200).contains("For the board").lacks("/incidents/INC-").lacks("Withdraw").lacks("/reports/incidents");
        visitor.get(&format!("{address}0")).await.expect(404);
        browser.post_form("/reports/links/1/withdraw", &[]).await.expect(303);
        visitor.get(&address).await.expect(404);
        // One that ends by itself.
        browser.post_form("/reports/frozen/1/links", &[("days", "2")]).await.expect(303);
        let page = browser.get("/reports/frozen/1").await.expect(200).text();
        let address = page.split("http://faultline.test").find(|p| p.starts_with("/embed/report/")).unwrap();
        let address: String = address.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '/').collect();
        visitor.get(&address).await.expect(200);
        app.advance(TimeDelta::days(3));
        visitor.get(&address).await.expect(404);
    }

    async fn a_chart_can_be_embedded_and_only_it(app: TestApp) {
        fill(&app).await;
        let mut browser = app.browser(Role::Commander).await;
        browser.post_form("/reports/charts", &[("filters", QUARTER), ("measure", "joy")]).await.expect(422);
        browser.post_form("/reports/charts", &[("filters", QUARTER), ("measure", "mttr"), ("group_by", "week")]).await.redirects_to("/reports/settings");
        let page = browser.get("/reports/settings").await.expect(200).text();
        let address = page.split("http://faultline.test").find(|p| p.starts_with("/embed/chart/")).unwrap();
        let address: String = address.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '/').collect();
        let chart = app.visitor().get(&address).await.expect(200).contains("<svg").contains("mttr v1").lacks("<a ").lacks("secret");
        assert!(chart.header("content-security-policy").contains("frame-ancestors *"));
        let report = browser.get("/reports").await.expect(200);
        assert!(report.header("content-security-policy").contains("frame-ancestors 'none'"));
        browser.post_form("/reports/links/1/withdraw", &[]).await.expect(303);
        app.visitor().get(&address).await.expect(404);
    }

    async fn a_schedule_freezes_the_month_that_is_over_once_and_tells(app: TestApp) {
        fill(&app).await;
        let mut browser = app.browser(Role::Commander).await;
        browser.post_form("/reports/settings/schedules", &[("title", ""), ("period", "year")]).await.expect(422).contains("choose week, month or quarter");
        browser.post_form("/reports/settings/schedules", &[("title", "Monthly"), ("period", "month"), ("filters", "severity=SEV1")]).await.redirects_to("/reports/settings");
        browser.get("/reports/settings").await.expect(200).contains("next at 2026-12-01 00:00 UTC");
        let ledger = Ledger::new();
        assert_eq!(jobs::run_due(&app.state, &ledger).await.unwrap(), 0);
        app.advance(TimeDelta::days(9));
        // Two nodes at once make one report.
        let (a, b) = tokio::join!(jobs::run_due(&app.state, &ledger), jobs::run_due(&app.state, &ledger));
        assert_eq!(a.unwrap() + b.unwrap(), 1);
        let frozen = app.api(Role::Viewer).await.get("/api/v1/reports/frozen").await.expect(200).json();
        assert_eq!(frozen["items"].as_array().unwrap().len(), 1);
        assert_eq!(frozen["items"][0]["title"], "Monthly, 2026-11-01 to 2026-11-30");
        // November's SEV1 that is not private.
        assert_eq!(frozen["items"][0]["incidents"], 1);
        let event: String = app.state.db.fetch_scalar("SELECT event FROM outbox_events WHERE event LIKE '%report.ready%'", args![]).await.unwrap();
        assert!(event.contains("/reports/frozen/1") && event.contains("Time to resolve"), "{event}");
        // The first session is over by now.
        let mut browser = app.browser(Role::Commander).await;
        browser.get("/reports/settings").await.expect(200).contains("next at 2027-01-01 00:00 UTC");
        browser.post_form("/reports/settings/schedules/1/stop", &[]).await.expect(303);
        app.advance(TimeDelta::days(40));
        assert_eq!(jobs::run_due(&app.state, &ledger).await.unwrap(), 0);
    }

    async fn targets_and_definitions_are_chosen_versioned_and_printed(app: TestApp) {
        fill(&app).await;
        let mut browser = app.browser(Role::Commander).await;
        browser.post_form("/reports/settings/targets", &[("mttr_1", "soon"), ("mttr_2", "90")]).await.expect(422).contains("is not a number of minutes").contains("value=\"soon\"");
        browser.post_form("/reports/settings/targets", &[("mttr_1", "60"), ("mttr_2", "60"), ("mttr_3", "60"), ("mttr_4", "60")]).await.expect(303);
        // 40, 90, 100, 62, 33 and 58 minutes: half of them within the hour.
        browser.get(&format!("/reports?{QUARTER}")).await.expect(200).contains("within target: 3 of 6 (50 %)").contains("target 1h").contains("&#38;over=target");
        let over = format!("/reports/incidents?{QUARTER}&measure=mttr&over=target");
        browser.get(&over).await.expect(200).contains("over its target").contains("3 incidents").contains("1h 40m").lacks("58m");
        let file = browser.get(&over.replacen("incidents?", "incidents.csv?", 1)).await.expect(200).text();
        let longest_first: Vec<&str> = file.lines().skip(1).filter_map(|l| l.rsplit(',').next()).collect();
        assert_eq!(longest_first, ["6000", "5400", "3720"]);
        let add = |to: &'static str| [("key", "pain"), ("name", "Customer pain"), ("from", "detected"), ("to", to), ("hours", "business"), ("severities", "SEV1")];
        browser.post_form("/reports/settings/definitions", &[("key", "mttr"), ("from", "detected"), ("to", "detected")]).await.expect(422).contains("is a built-in measure").contains("must be another time");
        browser.post_form("/reports/settings/definitions", &add("resolved")).await.expect(303);
        browser.post_form("/reports/settings/definitions", &add("mitigated")).await.expect(303);
        browser
            .get(&format!("/reports?{QUARTER}&measure=pain"))
            .await
            .expect(200)
            .contains("pain v2: detected → mitigated, business hours (Monday to Friday, 09:00 to 17:00), SEV1 only")
            .lacks("pain v1");
        browser.get("/reports/settings").await.expect(200).contains("pain v1").contains("pain v2");
        browser.post_form("/reports/settings/definitions/pain/retire", &[]).await.expect(303);
        browser.get(&format!("/reports?{QUARTER}&measure=pain")).await.expect(422).contains("is not a measure");
        app.browser(Role::Responder).await.post_form("/reports/settings/targets", &[]).await.expect(403);
    }

    async fn the_organisations_zone_is_used_where_none_is_known(app: TestApp) {
        fill(&app).await;
        let mut admin = app.browser(Role::Admin).await;
        admin.post_form("/reports/settings/clock", &[("zone", "Mars")]).await.expect(422).contains("is not a time zone").contains("value=\"Mars\"");
        admin.post_form("/reports/settings/clock", &[("zone", "Asia/Tokyo")]).await.expect(303);
        let mut api = app.api(Role::Viewer).await;
        let zone = |r: serde_json::Value| r["definition"]["time_zone"].clone();
        assert_eq!(zone(api.get("/api/v1/reports/mttr").await.expect(200).json()), "Asia/Tokyo");
        assert_eq!(zone(api.get("/api/v1/reports/mttr?tz=UTC").await.expect(200).json()), "UTC");
        assert_eq!(zone(api.get("/api/v1/reports/mttr?tz=organisation").await.expect(200).json()), "Asia/Tokyo");
    }

    async fn business_hours_are_those_of_the_organisation_and_stay_with_what_was_made_of_them(app: TestApp) {
        fill(&app).await;
        let mut admin = app.browser(Role::Admin).await;
        let long = format!("/reports?{QUARTER}&hours=organisation");
        admin.get(&long).await.expect(200).contains("business hours (Monday to Friday, 09:00 to 17:00)");
        admin.post_form("/reports/settings/clock", &[("zone", "UTC"), ("business", "mo-fr 17:00-09:00")]).await.expect(422).contains("must end after they begin").contains("value=\"mo-fr 17:00-09:00\"");
        admin.post_form("/reports/settings/definitions", &[("key", "pain"), ("name", "Pain"), ("from", "detected"), ("to", "resolved"), ("hours", "organisation")]).await.expect(303);
        admin.post_form("/reports/settings/clock", &[("zone", "UTC"), ("business", "mo-su 00:00-24:00")]).await.expect(303);
        admin.get("/reports/settings").await.expect(200).contains("value=\"mo-su 00:00-24:00\"").contains("pain v1: detected → resolved, business hours (Monday to Friday, 09:00 to 17:00)");
        admin.get(&long).await.expect(200).contains("mttr v1: impact started → resolved, business hours (Monday to Sunday, 00:00 to 24:00)").contains("pain v1: detected → resolved, business hours (Monday to Friday, 09:00 to 17:00)");
        // Hours around the clock are the clock's.
        let mut api = app.api(Role::Viewer).await;
        let mut mttr = async |hours: &str| api.get(&format!("/api/v1/reports/mttr?{QUARTER}&hours={hours}")).await.expect(200).json();
        let (clock, organisation, night) = (mttr("clock").await, mttr("organisation").await, mttr("mo-su+23:59-24:00").await);
        assert_eq!(clock["total"], organisation["total"]);
        assert_ne!(clock["total"], night["total"]);
        assert_eq!(organisation["definition"]["hours"], "mo-su 00:00-24:00");
        api.get("/api/v1/reports/mttr?hours=nine+to+five").await.expect(422).contains("none of mo, tu");
    }

    async fn the_four_of_delivery_follow_from_changes_and_confirmed_causes(app: TestApp) {
        fill(&app).await;
        let mut api = app.api(Role::Responder).await;
        for (version, at, sha) in [("1.0.0", "2026-11-02T23:00:00Z", "aa01"), ("1.1.0", "2026-11-10T11:50:00Z", "aa02"), ("1.2.0", "2026-11-12T08:00:00Z", "aa03")] {
            let body = json!({ "service": "cart", "version": version, "environment": "production", "commit": sha, "started_at": at, "finished_at": at });
            api.post_json("/api/v1/deployments", &body).await.expect(201);
        }
        let commits = json!([{ "sha": "aa01", "committed_at": "2026-11-02T22:00:00Z" }, { "sha": "AA02", "committed_at": "2026-11-10T08:50:00Z" }]);
        assert_eq!(api.post_json("/api/v1/commits", &commits).await.expect(200).json()["kept"], 2);
        api.post_json("/api/v1/commits", &json!([{ "sha": "not hex", "committed_at": "never" }])).await.expect(422).contains("0.sha").contains("0.committed_at");
        let tx = app.state.db.begin().await.unwrap();
        tx.execute(
            "INSERT INTO suspect_verdicts (incident_id, kind, service, operation, version, deployment_id, verdict, service_rank, score, by_name, given_at) \
             VALUES (5, 'deployment', 'cart', '', '1.0.0', 1, 'caused', 1, 1.0, 'x', $1)",
            args![app.state.now()],
        ).await.unwrap();
        tx.commit().await.unwrap();
        let sheet = api.get("/api/v1/reports/changes?from=2026-11-01&to=2026-11-20").await.expect(200).json();
        assert_eq!(number(&sheet, "deployment_frequency")["number"].as_f64().map(|n| (n * 20.0).round()), Some(3.0));
        // One and three hours.
        assert_eq!(number(&sheet, "lead_time")["number"], 7_200.0);
        assert_eq!(number(&sheet, "change_failure_rate")["text"], "1 of 3 (33 %)");
        // "Cart down" lasted 33 minutes.
        assert_eq!(number(&sheet, "recovery_time")["number"], 1_980.0);
        let report = api.get(&format!("/api/v1/reports/mttr?{QUARTER}&cause=change")).await.expect(200).json();
        assert_eq!((&report["n"], &report["total"]["counts"]["first_suspect_right"]["part"]), (&json!(1), &json!(1)));
    }

    async fn two_sides_without_a_difference_say_so(app: TestApp) {
        fill(&app).await;
        let mut browser = app.browser(Role::Viewer).await;
        browser.get(&format!("/reports/compare?{QUARTER}&service=cart&service2=payments")).await.expect(200).contains("no detectable change").contains("Chance alone");
        browser.get("/reports/compare?from=2026-09-01&from2=soon").await.expect(422).contains("value=\"soon\"").contains("is not a date");
        // Nothing on either side.
        browser.get("/reports/compare?from=2020-01-01&to=2020-01-02").await.expect(200);
    }

    async fn a_million_groups_zero_durations_and_empty_periods_are_answered(app: TestApp) {
        fill(&app).await;
        let mut api = app.api(Role::Viewer).await;
        let wide = api.get("/api/v1/reports/mttr?from=1970-01-01&to=2026-11-23&group_by=day").await.expect(200).json();
        assert_eq!(wide["n"], 7);
        assert!(wide["groups"].as_array().unwrap().len() <= 8);
        assert_eq!(api.get("/api/v1/reports/overview?from=2020-01-01&to=2020-01-02").await.expect(200).json()["n"], 0);
        api.get("/api/v1/reports/mttr?from=0001-01-01T00:00:00Z&to=9999-12-31T00:00:00Z&group_by=day").await.expect(200);
    }
}

on_both! {
    async fn prometheus_gets_every_gauge_that_the_dashboard_draws(app: TestApp) {
        let mut config = (*app.state.config).clone();
        config.metrics_token = Some("scrape-me".into());
        let state = faultline::state::AppState { config: std::sync::Arc::new(config), ..app.state.clone() };
        fill(&app).await;
        let mut scraper = crate::support::Browser::new(faultline::app::router(state));
        scraper.get("/metrics").await.expect(401);
        scraper.set_bearer("scrape-me");
        let text = scraper.get("/metrics").await.expect(200).text();
        // Two in the last 30 days besides the private one: 33 and 58 minutes.
        assert!(text.contains("faultline_recovery_seconds_30d{measure=\"mttr\",quantile=\"0.5\"} 2730"), "{text}");
        assert!(text.contains("faultline_incidents_30d{severity=\"SEV1\"} 1"), "{text}");
        let dashboard = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/grafana-dashboard.json")).unwrap();
        let dashboard: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            let expression = panel["targets"][0]["expr"].as_str().unwrap();
            let name = expression.split('{').next().unwrap();
            assert!(text.contains(&format!("# TYPE {name} gauge")), "{name} is not exported");
        }
    }
}
