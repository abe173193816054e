//! Taking incidents in and out: the dry run, the round trip, the page that stands alone, and privacy.

use std::collections::BTreeSet;

use axum::http::Method;
use faultline::accounts::Role;
use faultline::args;
use faultline::portable::Document;
use serde_json::{Value, json};

use crate::support::{Answer, Backend, Browser, TestApp};

async fn upload(browser: &mut Browser, name: &str, body: &str) -> Answer {
    let boundary = "----faultline";
    let text = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n{body}\r\n--{boundary}--\r\n"
    );
    let kind = format!("multipart/form-data; boundary={boundary}");
    browser.post_bytes("/incidents/import", &[("content-type", &kind)], text).await
}

const PAST: &str = "Key,Name,Priority,Service,Started,Closed at\n\
    OPS-1,Checkout timed out,P1,checkout,2025-03-04 09:58,2025-03-04 11:20\n\
    OPS-2,=cmd(),P9,checkout,2025-03-05 10:00,2025-03-05 09:00\n\
    OPS-3,Mail was late,low,mail,2025-04-01 08:00,2025-04-01 09:00\n";

on_both! {
    async fn a_file_is_looked_at_before_it_is_imported_and_imported_once(app: TestApp) {
        let mut ada = app.browser(Role::Commander).await;
        ada.get("/incidents/import").await.expect(200).contains("See what would happen");
        let page = upload(&mut ada, "old.csv", PAST).await.expect(303).location().to_owned();
        let shown = ada.get(&page).await.expect(200);
        // Each problem stands beside its row and field; the catalogue is still empty.
        let shown = shown.contains("Checkout timed out").contains("(column Priority)").contains("resolved_at");
        shown.contains("the catalogue does not know &#39;mail&#39;").contains("<strong>0</strong> would be imported");
        assert_eq!(app.api(Role::Viewer).await.get("/api/v1/incidents").await.expect(200).json()["total"], 0);

        let shown = ada.get(&format!("{page}?add_services=1")).await.expect(200);
        shown.contains("<strong>2</strong> would be imported").contains("<strong>1</strong> have problems");
        ada.post_form(&page, &[("add_services", "1")]).await.expect(422).contains("Nothing was imported");
        ada.post_form(&page, &[("add_services", "1"), ("skip", "1")]).await.redirects_to("/incidents?kind=backfilled");

        let mut api = app.api(Role::Viewer).await;
        let list = api.get("/api/v1/incidents").await.expect(200).json();
        assert_eq!(list["total"], 2);
        let one = api.get("/api/v1/incidents/INC-1").await.expect(200).json();
        assert_eq!((&one["kind"], &one["severity"], &one["status"]), (&json!("backfilled"), &json!("SEV1"), &json!("resolved")));
        let milestones = api.get("/api/v1/incidents/INC-1/milestones").await.expect(200).json();
        assert!(milestones.to_string().contains("\"source\":\"import\""), "{milestones}");

        // The same file again adds nothing, also when it says something else now.
        let again = upload(&mut ada, "old.csv", &PAST.replace("Mail was late", "Mail was very late")).await;
        let page = again.expect(303).location().to_owned();
        let again = ada.get(&page).await.expect(200);
        again.contains("<strong>0</strong> would be imported").contains("<strong>2</strong> are here already").contains("says something else now");
        // An upload is its owner's.
        app.browser(Role::Commander).await.get(&page).await.expect(404);
        app.browser(Role::Responder).await.get("/incidents/import").await.expect(403);
    }

    async fn columns_can_be_chosen_and_files_that_are_none_are_refused(app: TestApp) {
        let mut ada = app.browser(Role::Commander).await;
        upload(&mut ada, "x.csv", "").await.expect(422).contains("is empty");
        upload(&mut ada, "x.json", "{\"a\":1}").await.expect(422).contains("has no array of incidents");
        upload(&mut ada, "x.csv", "a,b\n").await.expect(422).contains("holds no incident");
        let page = upload(&mut ada, "x.csv", "What,How bad,Begin,End\nDisk full,SEV3,2025-01-01 10:00,2025-01-01 11:00\n").await.expect(303).location().to_owned();
        // "What" is guessed as the summary; nothing says which column holds the severity.
        ada.get(&page).await.expect(422).contains("is needed: choose the column that holds it");
        let chosen = "column0=title&column1=severity&column2=impact_started_at&column3=resolved_at";
        ada.get(&format!("{page}?{chosen}")).await.expect(200).contains("<strong>1</strong> would be imported");
        ada.get(&format!("{page}?column0=title&column1=title&column2=severity")).await.expect(422).contains("choose one");
        let form = [("column0", "title"), ("column1", "severity"), ("column2", "impact_started_at"), ("column3", "resolved_at")];
        ada.post_form(&page, &form).await.redirects_to("/incidents/INC-1");
        ada.get("/incidents/INC-1").await.expect(200).contains("Disk full").contains("backfilled");
        ada.post_form(&page, &form).await.expect(404);
    }

    async fn the_api_imports_by_dry_run_and_mapping(app: TestApp) {
        let mut api = app.api(Role::Commander).await;
        let csv = [("content-type", "text/csv")];
        let body = "Issue,Level,At,End\nDisk full,SEV3,2025-01-01 10:00,2025-01-01 11:00\nx,SEV7,2025-01-01 10:00,2025-01-01 11:00\n";
        let path = "/api/v1/incidents/import?map=Issue%3Dtitle,Level%3Dseverity,At%3Dimpact_started_at";
        let tried = api.post_bytes(&format!("{path}&dry_run=true"), &csv, body).await.expect(200).json();
        assert_eq!((&tried["rows"][0]["outcome"], &tried["rows"][1]["errors"][0]["field"]), (&json!("add"), &json!("severity")));
        let refused = api.post_bytes(path, &csv, body).await.expect(422).json();
        assert_eq!(refused["errors"][0]["field"], "line 3, severity");
        let done = api.post_bytes(&format!("{path}&skip_bad=true"), &csv, body).await.expect(200).json();
        assert_eq!((&done["added"], &done["left_out"]), (&json!(["INC-1"]), &json!(1)));
        let again = api.post_bytes(&format!("{path}&skip_bad=true"), &csv, body).await.expect(200).json();
        assert_eq!((&again["known"], again["rows"][0]["id"].as_str()), (&json!(1), Some("INC-1")));
        api.post_bytes("/api/v1/incidents/import?map=Nope%3Dtitle", &csv, body).await.expect(422).contains("no column");
        // Nobody is told of what happened long ago.
        let waiting: i64 = app.state.db.fetch_scalar("SELECT COUNT(*) FROM incident_events WHERE taken_at IS NULL", args![]).await.unwrap();
        assert_eq!(waiting, 0);
    }

    async fn a_list_is_exported_for_spreadsheets_and_reads_back(app: TestApp) {
        let mut api = app.api(Role::Commander).await;
        let body = json!({ "title": "=HYPERLINK(\"x\"), quoted", "severity": "SEV2", "status": "resolved", "resolved_at": "2026-11-23T10:30:00Z", "impact_started_at": "2026-11-23T10:00:00Z" });
        api.post_json("/api/v1/incidents", &body).await.expect(201);
        let answer = api.get("/api/v1/incidents/export").await.expect(200);
        assert!(answer.header("content-disposition").contains("incidents.csv"));
        let csv = answer.text();
        assert!(csv.contains("\"'=HYPERLINK(\"\"x\"\"), quoted\""), "{csv}");
        let other = TestApp::start_with(app.backend, |c| c.base_url = "http://other.test".into()).await;
        let mut there = other.api(Role::Commander).await;
        let done = there.post_bytes("/api/v1/incidents/import", &[("content-type", "text/csv")], csv).await.expect(200).json();
        assert_eq!(done["added"], json!(["INC-1"]), "{done}");
        let read = there.get("/api/v1/incidents/INC-1").await.expect(200).json();
        assert_eq!(read["title"], "=HYPERLINK(\"x\"), quoted");
        let filtered = api.get("/api/v1/incidents/export?severity=SEV1").await.expect(200).text();
        assert_eq!(filtered.lines().count(), 1);
        api.get("/api/v1/incidents/export?format=xml").await.expect(422);
    }
}

const RUNBOOK: &str = "---\ntitle: Roll back payment\nservices: [payment]\n---\n\n## Steps\n\n### Do: roll it back (5 min)\n\nUse the pipeline.\n\n### Check: do the errors fall? (2 min)\n";

/// An incident that has something of everything.
async fn rich(app: &TestApp) -> (Browser, String) {
    let (_, ada) = app.browser_of("Ada", Role::Commander).await;
    let mut api = app.api(Role::Admin).await;
    for slug in ["checkout", "payment"] {
        api.post_json("/api/v1/services", &json!({ "slug": slug, "name": slug })).await.expect(201);
    }
    let body = json!({ "title": "Checkout <b>fails</b>", "severity": "SEV2", "services": ["checkout", "payment"], "summary": "Cards are **refused**.", "impact_started_at": "2026-11-23T10:00:00Z" });
    let id = api.post_json("/api/v1/incidents", &body).await.expect(201).json()["id"].as_str().unwrap().to_owned();
    let at = |path: &str| format!("/api/v1/incidents/{id}{path}");
    api.json(
        Method::PUT,
        &at("/milestones/impact_started"),
        &json!({ "at": "2026-11-23T09:55:00Z", "reason": "first refused card" }),
    )
    .await
    .expect(200);
    api.json(Method::PUT, &at("/roles/commander"), &json!({ "email": "ada@faultline.test" })).await.expect(200);
    let entry = api
        .post_json(&at("/timeline"), &json!({ "text": "Rolled back <script>alert(1)</script>", "story": true }))
        .await
        .expect(201)
        .json();
    let entry = format!("/timeline/{}", entry["id"]);
    api.json(Method::PATCH, &at(&entry), &json!({ "text": "Rolled payment back" })).await.expect(200);
    api.post_json(&at("/timeline"), &json!({ "text": "Was wrong", "story": true })).await.expect(201);
    let alert =
        json!({ "title": "High latency", "dedup_key": "latency-checkout", "service": "checkout", "status": "firing" });
    let sent = api.post_json("/api/v1/alerts", &alert).await.expect(201).json();
    let alert = sent["id"].as_i64().or_else(|| sent["items"][0]["id"].as_i64()).unwrap();
    api.post_json(&at("/evidence"), &json!({ "kind": "alert", "reference": alert.to_string() })).await.expect(201);
    let deployment = json!({ "service": "payment", "version": "v42", "environment": "production" });
    let deployment = api.post_json("/api/v1/deployments", &deployment).await.expect(201).json()["id"].to_string();
    api.post_json(&at("/evidence"), &json!({ "kind": "deployment", "reference": deployment.trim_matches('"') }))
        .await
        .expect(201);
    api.post_json(
        &at("/evidence"),
        &json!({ "kind": "log", "text": "ERROR card refused\n<script>alert(2)</script>", "note": "the *first* one" }),
    )
    .await
    .expect(201);
    api.post_json(&at("/evidence"), &json!({ "kind": "link", "reference": "https://ci.example/12" })).await.expect(201);
    let impact = json!({ "started_at": "2026-11-23T10:00:00Z", "what": "Cards are refused" });
    let impact = api.post_json(&at("/impacts"), &impact).await;
    assert!(impact.status.is_success(), "{}", impact.text());
    api.post_json(
        &at("/tasks"),
        &json!({ "title": "Bound the pool", "kind": "follow_up", "owner": "ada@faultline.test" }),
    )
    .await
    .expect(201);
    api.post_json("/api/v1/runbooks", &json!({ "source": RUNBOOK })).await.expect(201);
    let run = api.post_json(&at("/runs"), &json!({ "runbook": "roll-back-payment" })).await.expect(201).json();
    let step = json!({ "step": run["steps"][0]["id"], "outcome": "done", "note": "v41 is out" });
    api.post_json(&at(&format!("/runs/{}/steps", run["id"])), &step).await.expect(200);
    let verdict = json!({ "kind": "service", "service": "payment", "verdict": "caused" });
    api.post_json(&at("/suspects/verdict"), &verdict).await.expect(200);
    api.post_json(&at("/status"), &json!({ "status": "resolved", "reason": "Rolled back", "confirm": true }))
        .await
        .expect(200);
    api.get(&at("/postmortem")).await;
    // A picture, as a person would paste it.
    let tx = app.state.db.begin().await.unwrap();
    let number: i64 = id.trim_start_matches("INC-").parse().unwrap();
    let attach = faultline::incidents::Attach {
        kind: faultline::incidents::EvidenceKind::Image,
        title: "Graph".into(),
        note: String::new(),
        reference: "graph.png".into(),
        url: String::new(),
        topic: String::new(),
        occurred_at: None,
        snapshot: Some(faultline::incidents::NewSnapshot {
            media_type: "image/png".into(),
            body: vec![0x89, b'P', b'N', b'G', 0, 255],
        }),
    };
    let by = faultline::incidents::By::from(&ada);
    faultline::incidents::add_evidence(&tx, faultline::incidents::IncidentId(number), &attach, &by, app.state.now())
        .await
        .unwrap();
    let incident = faultline::incidents::get_visible(
        &tx,
        faultline::incidents::IncidentId(number),
        faultline::incidents::Viewer { all: true, user_id: 0 },
    )
    .await
    .unwrap();
    faultline::postmortems::service::draft(&tx, &incident, &by, app.state.now()).await.unwrap();
    tx.commit().await.unwrap();
    (api, id)
}

async fn exported(api: &mut Browser, id: &str) -> Value {
    api.get(&format!("/api/v1/incidents/{id}/export")).await.expect(200).json()
}

on_both! {
    async fn an_incident_with_its_evidence_reads_back_equal(app: TestApp) {
        let (mut api, id) = rich(&app).await;
        let here = exported(&mut api, &id).await;
        for (part, least) in [("timeline", 5), ("evidence", 5), ("tasks", 1), ("runs", 1), ("verdicts", 1), ("roles", 1), ("milestone_history", 3), ("status_changes", 2), ("impacts", 1)] {
            let n = here["incident"][part].as_array().map_or(0, Vec::len);
            assert!(n >= least, "{part} has {n}");
        }
        assert!(!here["incident"]["postmortem"].is_null());
        let other = TestApp::start_with(app.backend, |c| c.base_url = "http://other.test".into()).await;
        other.advance(chrono::TimeDelta::days(3));
        let mut there = other.api(Role::Admin).await;
        let done = there.post_json("/api/v1/incidents/import", &here).await.expect(200).json();
        let new = done["added"][0].as_str().expect("added").to_owned();
        let back = exported(&mut there, &new).await;
        assert_eq!(here["incident"], back["incident"]);
        // The pages of the imported one work, and it is found.
        let mut viewer = other.browser(Role::Viewer).await;
        viewer.get(&format!("/incidents/{new}")).await.expect(200).contains("Rolled back");
        viewer.get(&format!("/incidents/{new}/postmortem")).await.expect(200);
        viewer.get(&format!("/incidents/{new}/evidence")).await.expect(200).contains("High latency");
        viewer.get("/search?q=rolled+payment").await.expect(200).contains(&format!("/incidents/{new}/timeline#entry-"));
        // A second time it is known, here and where it came from.
        let again = there.post_json("/api/v1/incidents/import", &here).await.expect(200).json();
        assert_eq!((&again["known"], &again["rows"][0]["differs"]), (&json!(1), &json!(false)));
        let home = api.post_json("/api/v1/incidents/import", &back).await.expect(200).json();
        assert_eq!((&home["known"], home["rows"][0]["id"].as_str()), (&json!(1), Some(id.as_str())));
    }

    async fn the_exported_page_stands_alone(app: TestApp) {
        let (_, id) = rich(&app).await;
        let mut viewer = app.browser(Role::Viewer).await;
        viewer.get(&format!("/incidents/{id}")).await.expect(200).contains(&format!("/incidents/{id}/export"));
        viewer.get(&format!("/incidents/{id}/export")).await.expect(200).contains("Save as HTML");
        let answer = viewer.get(&format!("/incidents/{id}/export.html")).await.expect(200);
        assert!(answer.header("content-disposition").starts_with("attachment"));
        let html = answer.text();
        for part in ["Rolled payment back", "High latency", "v42", "ERROR card refused", "data:image/png;base64,", "Bound the pool", "v41 is out", "Roll back payment", "first refused card"] {
            assert!(html.contains(part), "{part} is missing");
        }
        assert!(html.contains("default-src &#39;none&#39;; style-src &#39;sha256-"), "its own policy");
        for outside in ["<script", "<link", "<iframe", "<object", " href=\"/", " src=\"/", " src=\"http", "@import", "url("] {
            assert!(!html.contains(outside), "{outside} leads outside");
        }
        assert!(html.contains("Checkout &#60;b&#62;fails"));
    }

    async fn a_private_incident_stays_private_on_its_way(app: TestApp) {
        let (mut api, id) = rich(&app).await;
        api.json(Method::PATCH, &format!("/api/v1/incidents/{id}"), &json!({ "private": true })).await.expect(200);
        api.post_json(&format!("/api/v1/incidents/{id}/access"), &json!({ "email": "ada@faultline.test", "allow": true })).await.expect(200);
        let mut bob = app.browser(Role::Commander).await;
        for path in ["/export", "/export.html", "/export.json"] {
            bob.get(&format!("/incidents/{id}{path}")).await.expect(404);
        }
        app.api(Role::Commander).await.get(&format!("/api/v1/incidents/{id}/export")).await.expect(404);
        bob.get("/incidents/export.csv").await.expect(200).lacks("fails");
        bob.get("/incidents/export.jsonl").await.expect(200).lacks("fails");
        let here = exported(&mut api, &id).await;
        let other = TestApp::start_with(app.backend, |c| c.base_url = "http://other.test".into()).await;
        let mut there = other.api(Role::Admin).await;
        there.post_json("/api/v1/incidents/import", &here).await.expect(200);
        other.browser(Role::Commander).await.get("/incidents/INC-1").await.expect(404);
        let mut eve = other.api(Role::Commander).await;
        eve.get("/api/v1/search?q=rolled").await.expect(200).lacks("Rolled");
        // Whoever imports it again is not told its number.
        let again = eve.post_json("/api/v1/incidents/import", &here).await.expect(200).json();
        assert_eq!((&again["known"], &again["rows"][0]["id"]), (&json!(1), &Value::Null));
        let named: i64 = other.state.db.fetch_scalar(
            "SELECT COUNT(*) FROM incident_people p JOIN users u ON u.id = p.user_id WHERE u.email = $1", args!["ada@faultline.test"],
        ).await.unwrap();
        assert_eq!(named, 1);
    }

    async fn a_postmortem_for_responders_only_is_exported_only_to_them(app: TestApp) {
        let (mut api, id) = rich(&app).await;
        let tx = app.state.db.begin().await.unwrap();
        tx.execute("UPDATE postmortems SET audience = 'private'", args![]).await.unwrap();
        tx.commit().await.unwrap();
        let mut viewer = app.browser(Role::Viewer).await;
        let seen: Value = viewer.get(&format!("/incidents/{id}/export.json")).await.expect(200).json();
        assert!(seen["incident"]["postmortem"].is_null());
        viewer.get("/incidents/export.jsonl").await.expect(200).contains("\"postmortem\":null");
        let whole = exported(&mut api, &id).await;
        assert_eq!(whole["incident"]["postmortem"]["audience"], "private");
    }

    async fn a_file_that_was_tampered_with_is_refused_by_place(app: TestApp) {
        let (mut api, id) = rich(&app).await;
        let good = exported(&mut api, &id).await;
        let other = TestApp::start_with(app.backend, |c| c.base_url = "http://other.test".into()).await;
        let mut there = other.api(Role::Commander).await;
        let broken: [(&str, Value); 9] = [
            ("/version", json!(9)),
            ("/incident/head/severity", json!("SEV9")),
            ("/incident/timeline/0/link", json!("javascript:alert(1)")),
            ("/incident/evidence/0/url", json!("//evil.example")),
            ("/incident/evidence/0/kind", json!("joke")),
            ("/incident/milestones/0/source", json!("hearsay")),
            ("/incident/runs/0/runbook/slug", json!("../../etc")),
            ("/incident/roles/0/email", json!("nobody")),
            ("/incident/services/0", json!("A B")),
        ];
        for (place, value) in broken {
            let mut bad = good.clone();
            *bad.pointer_mut(place).unwrap_or_else(|| panic!("{place} is there")) = value;
            let answer = there.post_json("/api/v1/incidents/import", &bad).await;
            let said = answer.text();
            let last = place.rsplit('/').find(|p| p.parse::<u8>().is_err()).unwrap_or_default();
            assert!(said.contains(last) && said.contains("\"status\":422"), "{place}: {said}");
        }
        let mut cut = good.clone();
        cut["incident"].as_object_mut().unwrap().remove("head");
        there.post_json("/api/v1/incidents/import", &cut).await.expect(422).contains("head");
        let count: i64 = other.state.db.fetch_scalar("SELECT COUNT(*) FROM incidents", args![]).await.unwrap();
        assert_eq!(count, 0);
        // The type that reads it is public: other programs may use it.
        serde_json::from_value::<Document>(good).unwrap();
    }
}

/// Tables that belong to an incident and are not in its file, each with the reason.
const NOT_EXPORTED: &[(&str, &str)] = &[
    ("incident_events", "what was to be told to others when it happened"),
    ("incident_origins", "said by the file itself: its external id"),
    ("incident_links", "ties to other incidents, which a file of one does not hold"),
    ("incident_recurrences", "ties to other incidents, which a file of one does not hold"),
    ("trace_fetches", "what this installation still fetches; what was fetched is evidence"),
    ("status_notices", "what this installation's status page said"),
    ("oncall_pages", "whom this installation paged; what came of it is on the timeline"),
    ("oncall_links", "its name in this installation's other tools"),
    ("alert_groups", "how this installation's rules grouped alerts; the alerts are evidence"),
];

const EXPORTED: &[&str] = &[
    "incidents",
    "incident_services",
    "incident_milestones",
    "incident_milestone_history",
    "incident_status_changes",
    "incident_roles",
    "incident_people",
    "timeline_entries",
    "evidence",
    "incident_tasks",
    "runbook_runs",
    "suspect_rankings",
    "suspect_verdicts",
    "postmortems",
    "alerts",
    "incident_impacts",
    "incident_classes",
    "postmortem_duties",
];

#[tokio::test]
async fn every_table_of_an_incident_is_exported_or_says_why_not() {
    let app = TestApp::start(Backend::Sqlite).await;
    let rows: Vec<(String,)> = app
        .state
        .db
        .fetch_all(
            "SELECT DISTINCT m.name FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f \
             WHERE m.type = 'table' AND f.\"table\" = 'incidents'",
            args![],
        )
        .await
        .unwrap();
    let found: BTreeSet<String> = rows.into_iter().map(|r| r.0).collect();
    assert!(found.len() > 10, "the schema was not read");
    let known: BTreeSet<&str> = EXPORTED.iter().copied().chain(NOT_EXPORTED.iter().map(|(t, _)| *t)).collect();
    let missing: Vec<_> = found.iter().filter(|t| !known.contains(t.as_str())).collect();
    assert!(missing.is_empty(), "add to src/portable/document.rs, or give the reason here: {missing:?}");
}
