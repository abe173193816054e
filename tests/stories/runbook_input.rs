//! What goes wrong with runbooks and postmortems: injections, huge texts, loops, wrong front matter, files that
//! disappear.

use faultline::accounts::Role;
use faultline::runbooks::service::folder::FolderFile;
use faultline::runbooks::service::sync::take_in;
use serde_json::json;

use crate::runbooks::{assert_clean, declared};
use crate::support::TestApp;

fn vectors() -> Vec<&'static str> {
    let vectors: Vec<&str> = include_str!("../fixtures/markdown_injection.txt").trim_end().split("\n%%\n").collect();
    assert!(vectors.len() >= 200);
    vectors
}

async fn with_files(app: &TestApp, files: &[(String, String)]) -> faultline::runbooks::service::sync::Report {
    let files: Vec<_> =
        files.iter().map(|(name, text)| FolderFile { name: name.clone(), content: Ok(text.clone()) }).collect();
    take_in(&app.state.db, &files, app.state.now()).await.unwrap()
}

on_both! {
    async fn no_injection_gets_through_a_file(app: TestApp) {
        let files: Vec<(String, String)> = vectors().chunks(50).enumerate().map(|(i, chunk)| {
            let body: String = chunk.iter().filter(|v| !v.contains('\u{0}')).map(|v| format!("{v}\n\n")).collect();
            (format!("f{i}.md"), format!("---\ntitle: F{i}\nowner: '<script>alert(1)</script>'\ntags: ['<b onclick=x()>']\n---\n\n{body}"))
        }).collect();
        with_files(&app, &files).await;
        let mut admin = app.browser(Role::Admin).await;
        for path in ["/runbooks", "/settings/runbooks", "/runbooks/efficacy"] {
            assert_clean(&admin.get(path).await.expect(200).text());
        }
        for i in 0..files.len() {
            let page = admin.get(&format!("/runbooks/f{i}")).await;
            assert!([200, 404].contains(&page.status.as_u16()));
            assert_clean(&page.text());
        }
    }

    async fn no_injection_gets_through_a_postmortem(app: TestApp) {
        let id = declared(&app, "<img src=x onerror=alert(1)>", false).await;
        let path = format!("/incidents/{id}/postmortem");
        let mut ada = app.browser(Role::Commander).await;
        ada.post_form(&path, &[]).await.redirects_to(&path);
        let all = vectors();
        let keys = ["summary", "impact", "detection", "root_cause", "what_happened", "recovery"];
        for (key, chunk) in keys.iter().zip(all.chunks(all.len().div_ceil(keys.len()))) {
            let body: String = chunk.iter().filter(|v| !v.contains('\u{0}')).map(|v| format!("{v}\n\n")).collect();
            let section = format!("{path}/sections/{key}");
            assert_clean(&ada.post_form(&section, &[("body", &body), ("base", "1"), ("preview", "on")]).await.expect(200).text());
            ada.post_form(&section, &[("body", &body), ("base", "1")]).await.redirects_to(&format!("{path}#{key}"));
            ada.post_form(&format!("{section}/comments"), &[("comment", &body.chars().take(4_000).collect::<String>()), ("base", "2")]).await.redirects_to(&format!("{path}#{key}"));
            ada.post_form(&format!("{section}/suggest"), &[("body", &format!("{body}x")), ("base", "2")]).await.redirects_to(&format!("{path}#{key}"));
            assert_clean(&ada.get(&section).await.expect(200).text());
            assert_clean(&ada.get(&format!("{section}/versions")).await.expect(200).text());
        }
        assert_clean(&ada.get(&path).await.expect(200).text());
        let set: Vec<(&str, &str)> = std::iter::once(("audience", "public")).chain(keys.iter().map(|k| ("section", *k))).collect();
        ada.post_form(&format!("{path}/audience"), &set).await.redirects_to(&format!("{path}#audience"));
        ada.post_form(&format!("{path}/state"), &[("state", "published"), ("confirm", "on")]).await.redirects_to(&path);
        let public = app.visitor().get(&format!("/status/postmortems/{id}")).await.expect(200);
        assert_clean(&public.text());
        // The exported file has a style of its own; otherwise it is held to the same.
        let file = ada.get(&format!("{path}/export.html")).await.expect(200).text();
        let body = file.split("<body>").nth(1).unwrap().to_owned();
        assert_clean(&format!("<script></script>{body}"));
    }

    async fn huge_texts_are_refused_or_shown_in_time(app: TestApp) {
        let id = declared(&app, "Cart fails", false).await;
        let path = format!("/incidents/{id}/postmortem");
        let mut ada = app.browser(Role::Responder).await;
        ada.post_form(&path, &[]).await.redirects_to(&path);
        let long = "word ".repeat(60_000);
        let refused = ada.post_form(&format!("{path}/sections/impact"), &[("body", &long), ("base", "1")]).await.expect(422);
        refused.contains("at most 200 kB").contains("word word");
        let nested = format!("{}x", "> ".repeat(2_000));
        ada.post_form(&format!("{path}/sections/impact"), &[("body", &nested), ("base", "1")]).await.redirects_to(&format!("{path}#impact"));
        ada.get(&path).await.expect(200);
        let source = format!("---\ntitle: Long\n---\n{}", "text\n".repeat(120_000));
        ada.post_form("/runbooks", &[("source", &source)]).await.expect(422).contains("at most 500 kB");
        let many: String = (0..150).map(|i| format!("### Do: step {i}\n")).collect();
        ada.post_form("/runbooks", &[("source", &format!("---\ntitle: Many\n---\n{many}"))]).await.expect(422).contains("at most 100");
    }

    async fn loops_without_an_end_are_refused_and_others_can_be_left(app: TestApp) {
        let mut ada = app.browser(Role::Responder).await;
        let endless = "---\ntitle: Endless\n---\n### Do: a\n### Decide: again?\n- Yes -> a\n- No -> again\n";
        ada.post_form("/runbooks", &[("source", endless)]).await.expect(422).contains("the end cannot be reached");
        let itself = "---\ntitle: Itself\n---\n\nSee [this runbook](/runbooks/itself) and [below](#itself).\n\n### Do: a\n### Decide: again?\n- Yes -> a\n- No -> end\n";
        ada.post_form("/runbooks", &[("source", itself)]).await.redirects_to("/runbooks/itself");
        ada.get("/runbooks/itself").await.expect(200).contains("href=\"/runbooks/itself\"");
        let id = declared(&app, "Slow", false).await;
        let run = ada.post_form(&format!("/incidents/{id}/runs"), &[("runbook", "itself")]).await.location().to_owned();
        for _ in 0..30 {
            ada.post_form(&format!("{run}/steps"), &[("step", "a"), ("press", "done")]).await.redirects_to(&format!("{run}#step-again"));
            ada.post_form(&format!("{run}/steps"), &[("step", "again"), ("press", "branch:0")]).await.redirects_to(&format!("{run}#step-a"));
        }
        ada.get(&run).await.expect(200).contains("0 of 2");
        ada.post_form("/runbooks", &[("source", "---\ntitle: Efficacy\n---\n")]).await.expect(422).contains("address of another page");
    }

    async fn front_matter_of_wrong_types_names_each_field(app: TestApp) {
        let mut ada = app.browser(Role::Responder).await;
        let source = "---\ntitle: [a]\nservices: 7\ntags: {a: b}\nowner: true\nreview_by: soon\nattach_when: yes\nsummary: [x]\n---\n";
        let refused = ada.post_form("/runbooks", &[("source", source)]).await.expect(422);
        let html = refused.text();
        for field in ["title", "services", "tags", "owner", "review_by", "attach_when", "summary"] {
            assert!(html.contains(&format!("{field}: ")), "{field} in {html}");
        }
        for broken in ["---\ntitle: x", "---\n\t- : :\n---\n", "---\ntitle: &a [*a]\n---\n", "---\n- just\n- a list\n---\n"] {
            ada.post_form("/runbooks", &[("source", broken)]).await.expect(422);
        }
    }

    async fn a_file_that_disappears_leaves_its_run_alone(app: TestApp) {
        let text = "---\ntitle: Gone\nowner: web\n---\n### Do: a\n### Do: b\n".to_owned();
        with_files(&app, &[("gone.md".to_owned(), text.clone())]).await;
        let id = declared(&app, "Slow", false).await;
        let mut ada = app.browser(Role::Responder).await;
        let run = ada.post_form(&format!("/incidents/{id}/runs"), &[("runbook", "gone")]).await.location().to_owned();
        ada.post_form(&format!("{run}/steps"), &[("step", "a"), ("press", "done")]).await.redirects_to(&format!("{run}#step-b"));
        let report = with_files(&app, &[]).await;
        assert_eq!(report.disappeared, ["gone.md"]);
        ada.get("/runbooks/gone").await.expect(200).contains("is gone from the folder");
        ada.get(&run).await.expect(200).contains("1 of 2");
        ada.post_form(&format!("{run}/steps"), &[("step", "b"), ("press", "done")]).await.redirects_to(&format!("{run}#end"));
        // It comes back changed: the finished run keeps what it pinned.
        with_files(&app, &[("gone.md".to_owned(), text.replace("### Do: b", "### Do: c"))]).await;
        ada.get(&run).await.expect(200).contains("2 of 2").contains("This run was completed");
        ada.get("/runbooks/gone").await.expect(200).lacks("is gone from the folder");
    }

    async fn all_runbooks_stand_side_by_side_and_propose_edits(app: TestApp) {
        let text = "---\ntitle: Restart\nowner: web\n---\n### Do: restart (1 min) {#restart}\n".to_owned();
        with_files(&app, &[("restart.md".to_owned(), text), ("idle.md".to_owned(), "---\ntitle: Idle\nreview_by: 2020-01-01\n---\n".to_owned())]).await;
        let mut ada = app.browser(Role::Responder).await;
        ada.get("/runbooks/efficacy").await.expect(200).contains("No runs yet");
        for _ in 0..3 {
            let id = declared(&app, "Slow", false).await;
            let run = ada.post_form(&format!("/incidents/{id}/runs"), &[("runbook", "restart")]).await.location().to_owned();
            app.advance(chrono::TimeDelta::minutes(9));
            ada.post_form(&format!("{run}/steps"), &[("step", "restart"), ("press", "failed"), ("note", "no access to the host")]).await;
            ada.post_form(&format!("{run}/steps"), &[("step", "restart"), ("press", "reopened")]).await;
            ada.post_form(&format!("{run}/steps"), &[("step", "restart"), ("press", "done")]).await;
        }
        let page = ada.get("/runbooks/efficacy").await.expect(200);
        page.contains("Restart").contains("50 %").contains("100 %").contains("review overdue").contains("few");
        ada.get("/runbooks/restart/efficacy").await.expect(200).contains("A proposed edit").contains("no access to the host");
        ada.get("/runbooks/restart/edit?proposal=on").await.expect(200).contains("&#62; failed: no access to the host").contains("From what responders noted");
        ada.get("/runbooks/restart").await.expect(200).lacks("no access to the host");
        let hidden = declared(&app, "Leaked key", true).await;
        let mut admin = app.api(Role::Admin).await;
        admin.post_json(&format!("/api/v1/incidents/{hidden}/runs"), &json!({ "runbook": "idle" })).await.expect(201);
        ada.get("/runbooks/efficacy").await.expect(200).lacks("Idle");
    }
}
