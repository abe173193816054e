//! Runbooks: the folder, the library, editing with two people, running one step by step.

use faultline::accounts::Role;
use faultline::incidents::{self, By, DeclareInput, IncidentId, Source};
use faultline::runbooks::service::folder::FolderFile;
use faultline::runbooks::service::sync::take_in;
use serde_json::json;

use crate::support::TestApp;

const ROLL_BACK: &str = "---\ntitle: Roll back\nowner: platform\nservices: ['*']\ntags: [deploy]\nattach_when:\n  - title: release\n---\n\n## Signals\n\n- [ ] errors\n\n## Steps\n\n### Check: is {{service}} bad? (2 min)\n\n```bash\nkubectl rollout history deployment/{{service}}\n```\n\n### Decide: go back?\n\n- Yes -> next\n- No -> end\n\n### Do: roll back (5 min)\n";

pub async fn declared(app: &TestApp, title: &str, private: bool) -> IncidentId {
    let tx = app.state.db.begin().await.unwrap();
    let now = app.state.now();
    let slug = faultline::services::ensure_discovered(&tx, "cart", now).await.unwrap();
    let input = DeclareInput {
        title: title.to_owned(),
        severity: "SEV2".to_owned(),
        services: vec![slug],
        impact_started_at: "10:00".to_owned(),
        private,
        ..DeclareInput::default()
    };
    let id = incidents::declare(&tx, &input.normalize(now, Source::Person).unwrap(), &By::system("Test"), now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    id
}

async fn with_folder(app: &TestApp, files: &[(&str, &str)]) {
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| FolderFile { name: (*name).to_owned(), content: Ok((*text).to_owned()) })
        .collect();
    take_in(&app.state.db, &files, app.state.now()).await.unwrap();
}

on_both! {
    async fn the_shipped_folder_is_read_at_start_and_listed(app: TestApp) {
        let report = faultline::runbooks::jobs::run_once(&app.state).await.unwrap();
        assert!(report.taken.len() >= 8 && report.broken.is_empty(), "{report:?}");
        let mut browser = app.browser(Role::Viewer).await;
        browser.get("/runbooks").await.expect(200).contains("Roll back a bad deployment").contains("Queue backlog").lacks("New runbook");
        browser.get("/runbooks?q=certificate").await.expect(200).contains("Certificate expired").lacks("Queue backlog");
        browser.get("/runbooks?tag=database").await.expect(200).contains("Database connections exhausted").lacks("Queue backlog");
        browser.get("/runbooks?show=unused").await.expect(200).contains("Queue backlog");
        browser.get("/runbooks?q=nothing-like-it").await.expect(200).contains("No runbook matches");
        let page = browser.get("/runbooks/queue-backlog").await.expect(200);
        page.contains("<h3 id=\"rb-signals\">").contains("class=\"code\" data-lang=\"promql\"").lacks("style=");
        browser.get("/search?q=stampede").await.expect(200).contains("/runbooks/cache-stampede");
        browser.get("/runbooks/none").await.expect(404);
        browser.get("/runbooks/new").await.expect(403);
        browser.get("/settings/runbooks").await.expect(403);
    }

    async fn a_broken_file_is_named_to_administrators(app: TestApp) {
        with_folder(&app, &[("a.md", ROLL_BACK), ("b.md", "---\ntitle: B\nowner: [x]\n---\n")]).await;
        let mut admin = app.browser(Role::Admin).await;
        admin.get("/runbooks").await.expect(200).contains("1 file in the folder cannot be used");
        admin.get("/settings/runbooks").await.expect(200).contains("b.md").contains("owner").contains("must be text, not a list");
        app.browser(Role::Commander).await.get("/runbooks").await.expect(200).lacks("cannot be used");
    }

    async fn two_people_edit_and_neither_loses_text(app: TestApp) {
        with_folder(&app, &[("roll-back.md", ROLL_BACK)]).await;
        let (mut ada, _) = app.browser_of("Ada", Role::Responder).await;
        let (mut bob, _) = app.browser_of("Bob", Role::Responder).await;
        ada.get("/runbooks/roll-back/edit").await.expect(200).contains("### Decide: go back?");
        let adas = ROLL_BACK.replace("errors", "errors of Ada");
        ada.post_form("/runbooks/roll-back/edit", &[("source", &adas), ("base", "1"), ("preview", "on")]).await.expect(200).contains("errors of Ada").contains("not saved");
        ada.post_form("/runbooks/roll-back/edit", &[("source", &adas), ("base", "1"), ("note", "clearer")]).await.redirects_to("/runbooks/roll-back");
        let bobs = ROLL_BACK.replace("errors", "errors of Bob");
        let clash = bob.post_form("/runbooks/roll-back/edit", &[("source", &bobs), ("base", "1")]).await.expect(409);
        clash.contains("Ada saved version 2").contains("errors of Ada").contains("errors of Bob").contains("name=\"base\" value=\"2\"");
        bob.post_form("/runbooks/roll-back/edit", &[("source", &bobs), ("base", "2")]).await.redirects_to("/runbooks/roll-back");
        let broken = bob.post_form("/runbooks/roll-back/edit", &[("source", "---\ntitle: 3\n---\nmy text"), ("base", "3")]).await.expect(422);
        broken.contains("line 2: title: must be text").contains("my text");
        bob.get("/runbooks/roll-back/versions/3").await.expect(200).contains("diff-added").contains("errors of Bob");
        bob.post_form("/runbooks/roll-back/versions/1/restore", &[]).await.redirects_to("/runbooks/roll-back");
        bob.get("/runbooks/roll-back/versions").await.expect(200).contains("Restored version 1").contains("clearer");
        // The file changes as well: nobody's text is lost, a person decides.
        with_folder(&app, &[("roll-back.md", &ROLL_BACK.replace("errors", "errors of the file"))]).await;
        bob.post_form("/runbooks/roll-back/edit", &[("source", &bobs), ("base", "5")]).await.redirects_to("/runbooks/roll-back");
        with_folder(&app, &[("roll-back.md", &ROLL_BACK.replace("errors", "errors of a later file"))]).await;
        bob.get("/runbooks/roll-back").await.expect(200).contains("Compare both and decide");
        bob.post_form("/runbooks/roll-back/pending", &[("take", "file")]).await.redirects_to("/runbooks/roll-back");
        bob.get("/runbooks/roll-back").await.expect(200).contains("errors of a later file").lacks("Compare both");
    }

    async fn a_new_runbook_is_written_in_the_browser(app: TestApp) {
        let mut browser = app.browser(Role::Responder).await;
        browser.get("/runbooks/new").await.expect(200).contains("attach_when");
        browser.post_form("/runbooks", &[("source", "---\ntitle: T\n---\n### Wait: x\n")]).await.expect(422).contains("does not say how long").contains("### Wait: x");
        browser.post_form("/runbooks", &[("source", ROLL_BACK)]).await.redirects_to("/runbooks/roll-back");
        browser.post_form("/runbooks", &[("source", ROLL_BACK)]).await.expect(422).contains("is taken by another runbook");
        browser.post_form("/runbooks/roll-back/archive", &[("archived", "on")]).await.expect(403);
        let mut commander = app.browser(Role::Commander).await;
        commander.post_form("/runbooks/roll-back/archive", &[("archived", "on")]).await.redirects_to("/runbooks/roll-back");
        commander.get("/runbooks").await.expect(200).contains("No runbooks yet");
        commander.get("/runbooks?show=archived").await.expect(200).contains("Roll back");
    }

    async fn a_run_goes_step_by_step_without_scripts(app: TestApp) {
        with_folder(&app, &[("roll-back.md", ROLL_BACK)]).await;
        let id = declared(&app, "Errors after the release", false).await;
        let (mut ada, _) = app.browser_of("Ada", Role::Responder).await;
        let (mut bob, _) = app.browser_of("Bob", Role::Responder).await;
        ada.get(&format!("/incidents/{id}/runs")).await.expect(200).contains("because the title mentions &#39;release&#39;");
        ada.get(&format!("/runbooks/roll-back/run?incident={id}")).await.redirects_to(&format!("/incidents/{id}/runs/new?runbook=roll-back"));
        ada.get(&format!("/incidents/{id}/runs/new?runbook=roll-back")).await.expect(200).contains("name=\"v.service\" value=\"cart\"");
        let start = ada.post_form(&format!("/incidents/{id}/runs"), &[("runbook", "roll-back"), ("v.service", "cart")]).await;
        let run = start.location().to_owned();
        assert!(run.starts_with(&format!("/incidents/{id}/runs/")), "{run}");
        ada.get(&run).await.expect(200).contains("kubectl rollout history deployment/cart").contains("0 of 3");
        bob.post_form(&format!("/incidents/{id}/runs"), &[("runbook", "roll-back")]).await.expect(409).contains("started by Ada");

        let steps = format!("{run}/steps");
        bob.post_form(&steps, &[("step", "is-cart-bad"), ("press", "done")]).await.expect(409);
        bob.post_form(&steps, &[("step", "is-service-bad"), ("press", "done"), ("note", "since 10:02"), ("output", "REVISION 7")]).await.redirects_to(&format!("{run}#step-go-back"));
        ada.post_form(&steps, &[("step", "is-service-bad"), ("press", "skipped"), ("note", "my words")]).await.expect(409).contains("Bob already marked this step as done");
        ada.post_form(&steps, &[("step", "roll-back"), ("press", "failed"), ("output", "my output")]).await.expect(422).contains("what went wrong?").contains("my output");
        ada.post_form(&steps, &[("step", "go-back"), ("press", "branch:0")]).await.redirects_to(&format!("{run}#step-roll-back"));
        bob.post_form(&format!("{run}/lead"), &[]).await.redirects_to(&run);
        bob.post_form(&steps, &[("step", "roll-back"), ("press", "done"), ("at", "-2m")]).await.redirects_to(&format!("{run}#end"));
        bob.get(&run).await.expect(200).contains("This run was completed by Bob").contains("REVISION 7").contains("3 of 3");

        bob.get("/runbooks/roll-back/efficacy").await.expect(200).contains("fewer than ten incidents").contains("since 10:02");
        let told = app.state.db.fetch_all::<(String, String)>("SELECT kind, text FROM timeline_entries WHERE layer = 'story' ORDER BY id", vec![]).await.unwrap();
        assert_eq!(told.len(), 3);
        assert_eq!(told[1].1, "Roll back: go back? → Yes: **done**");
        let mut viewer = app.browser(Role::Viewer).await;
        viewer.get(&run).await.expect(200).lacks("name=\"press\"");
        viewer.post_form(&steps, &[("step", "roll-back"), ("press", "reopened")]).await.expect(403);
    }

    async fn runs_and_runbooks_by_api(app: TestApp) {
        let id = declared(&app, "Slow", false).await;
        let mut api = app.api(Role::Responder).await;
        api.post_json("/api/v1/runbooks", &json!({ "source": "no front matter" })).await.expect(422).contains("\"field\":\"source\"");
        let made = api.post_json("/api/v1/runbooks", &json!({ "source": ROLL_BACK })).await.expect(201).json();
        assert_eq!((made["slug"].as_str(), made["version"].as_i64()), (Some("roll-back"), Some(1)));
        let list = api.get("/api/v1/runbooks?tag=deploy&limit=1").await.expect(200).json();
        assert_eq!((list["total"].as_i64(), list["items"][0]["title"].as_str()), (Some(1), Some("Roll back")));
        assert_eq!(api.get("/api/v1/runbooks/roll-back").await.expect(200).json()["steps"][1]["kind"], "decide");
        api.post_json(&format!("/api/v1/incidents/{id}/runs"), &json!({ "runbook": "none" })).await.expect(422).contains("there is no runbook");
        let run = api.post_json(&format!("/api/v1/incidents/{id}/runs"), &json!({ "runbook": "roll-back", "values": { "service": "pay" } })).await.expect(201).json();
        assert_eq!((run["current_step"].as_str(), run["values"]["service"].as_str()), (Some("is-service-bad"), Some("pay")));
        let path = format!("/api/v1/incidents/{id}/runs/{}/steps", run["id"]);
        let after = api.post_json(&path, &json!({ "step": "go-back", "outcome": "done", "branch": "No" })).await.expect(200).json();
        assert_eq!(after["steps"][2]["state"], "not taken");
        let after = api.post_json(&path, &json!({ "step": "is-service-bad", "outcome": "skipped" })).await.expect(200).json();
        assert_eq!(after["state"], "completed");
        api.post_json(&path, &json!({ "step": "is-service-bad", "outcome": "done" })).await.expect(409);
        assert_eq!(api.get(&format!("/api/v1/incidents/{id}/runs")).await.expect(200).json()["total"], 1);
    }

    async fn runs_of_a_private_incident_are_hidden(app: TestApp) {
        with_folder(&app, &[("roll-back.md", ROLL_BACK)]).await;
        let id = declared(&app, "Leaked key", true).await;
        let mut admin = app.browser(Role::Admin).await;
        let run = admin.post_form(&format!("/incidents/{id}/runs"), &[("runbook", "roll-back")]).await.location().to_owned();
        let mut outsider = app.browser(Role::Commander).await;
        for path in [format!("/incidents/{id}/runs"), format!("/incidents/{id}/runs/new?runbook=roll-back"), run.clone(), format!("/api/v1/incidents/{id}/runs")] {
            outsider.get(&path).await.expect(404).lacks("Leaked");
        }
        outsider.post_form(&format!("{run}/steps"), &[("step", "go-back"), ("press", "done")]).await.expect(404);
        outsider.post_form(&format!("/incidents/{id}/runs"), &[("runbook", "roll-back")]).await.expect(404);
    }

    async fn no_injection_gets_through_the_editor_or_a_run(app: TestApp) {
        let vectors: Vec<&str> = include_str!("../fixtures/markdown_injection.txt").trim_end().split("\n%%\n").collect();
        assert!(vectors.len() >= 200);
        let id = declared(&app, "<img src=x onerror=alert(1)>", false).await;
        let mut browser = app.browser(Role::Responder).await;
        for (i, chunk) in vectors.chunks(60).enumerate() {
            let body = chunk.iter().filter(|v| !v.contains('\u{0}')).map(|v| format!("{v}\n\n")).collect::<String>();
            let source = format!("---\ntitle: V{i}\n---\n\n{body}\n");
            // Some vectors are headings that read as broken steps; either answer must be clean.
            let page = browser.post_form("/runbooks", &[("source", &source), ("preview", "on")]).await;
            assert!([200, 422].contains(&page.status.as_u16()), "{}", page.status);
            assert_clean(&page.text());
            let saved = browser.post_form("/runbooks", &[("source", &source)]).await;
            if saved.status.is_redirection() {
                assert_clean(&browser.get(&format!("/runbooks/v{i}")).await.expect(200).text());
            }
        }
        let source = "---\ntitle: Run\n---\n### Do: use {{service}}\n`x {{service}}` {{incident.title}}\n";
        browser.post_form("/runbooks", &[("source", source)]).await.redirects_to("/runbooks/run");
        let evil = "'\"><script>alert(1)</script>`$(reboot)";
        let run = browser.post_form(&format!("/incidents/{id}/runs"), &[("runbook", "run"), ("v.service", evil)]).await.location().to_owned();
        assert_clean(&browser.get(&run).await.expect(200).text());
        let step = browser.post_form(&format!("{run}/steps"), &[("step", "use-service"), ("press", "done"), ("note", evil), ("output", evil)]).await;
        assert!(step.status.is_redirection());
        assert_clean(&browser.get(&run).await.expect(200).text());
    }
}

/// Our own pages hold one script, from our own host, and no handler in any tag.
pub fn assert_clean(html: &str) {
    let lower = html.to_lowercase();
    assert_eq!(lower.matches("<script").count(), 1, "{html}");
    for bad in [
        "<svg",
        "<iframe",
        "<object",
        "<embed",
        "<math",
        "<style",
        "href=\"javascript:",
        "href=\"data:",
        "src=\"http",
        "src=\"//",
    ] {
        assert!(!lower.contains(bad), "{bad} in {html}");
    }
    for tag in lower.split('<').skip(1).filter_map(|t| t.split('>').next()) {
        let mut unquoted = String::new();
        tag.split('"').step_by(2).for_each(|part| unquoted.push_str(part));
        assert!(
            !unquoted.split_whitespace().any(|word| word.starts_with("on") && word.contains('=')),
            "a handler in <{tag}>"
        );
    }
}
