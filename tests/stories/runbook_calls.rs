//! Steps that call something: shown before they are sent, made in the background, recorded with the answer.

use faultline::accounts::Role;
use faultline::runbooks::jobs;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::runbooks::declared;
use crate::support::TestApp;

/// Answers every connection with these bytes and gives back what it was sent; hangs on `/hang`.
async fn receiver() -> (u16, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sent, seen) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let sent = sent.clone();
            tokio::spawn(async move {
                let mut text = String::new();
                let mut buffer = [0; 4096];
                while !is_whole(&text) {
                    let n = stream.read(&mut buffer).await.unwrap_or(0);
                    if n == 0 {
                        return;
                    }
                    text.push_str(&String::from_utf8_lossy(&buffer[..n]));
                }
                let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
                sent.send(text).ok();
                if path == "/hang" {
                    std::future::pending::<()>().await;
                }
                let answer: &[u8] = if path == "/broken" {
                    b"HTTP/1.1 500 Oops\r\ncontent-length: 12\r\n\r\n<b>on</b> fi\r\n"
                } else {
                    b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npurged 12"
                };
                stream.write_all(answer).await.ok();
            });
        }
    });
    (port, seen)
}

/// Head and body have arrived.
fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head.to_lowercase().lines().find_map(|l| l.strip_prefix("content-length:")?.trim().parse().ok());
    body.len() >= length.unwrap_or(0)
}

fn runbook(port: u16) -> String {
    format!(
        "---\ntitle: Purge\nowner: web\n---\n\n### Webhook: purge {{{{service}}}} {{#purge}}\n\n```http\nPOST http://127.0.0.1:{port}/purge/{{{{service}}}}\ncontent-type: application/json\n\n{{\"service\": \"{{{{service}}}}\"}}\n```\n\n### Webhook: call what breaks {{#broken}}\n\n```http\nGET http://127.0.0.1:{port}/broken\n```\n\n### Webhook: call what hangs {{#hang}}\n\n```http timeout=3s\nGET http://127.0.0.1:{port}/hang\n```\n\n### Wait: let it settle (10 min)\n\n### Link: look at the board\n\n[board](https://grafana.example/d/{{{{service}}}})\n"
    )
}

/// A run of the runbook in a new incident; gives its path. Calls to this machine are allowed.
async fn run_of(app: &TestApp, port: u16) -> String {
    let id = declared(app, "Stale pages", false).await;
    let mut ada = app.browser(Role::Responder).await;
    ada.post_form("/runbooks", &[("source", &runbook(port))]).await.redirects_to("/runbooks/purge");
    ada.post_form(&format!("/incidents/{id}/runs"), &[("runbook", "purge"), ("v.service", "ca\"rt")])
        .await
        .location()
        .to_owned()
}

/// The same application, allowed to call this machine.
fn allowing(app: TestApp) -> TestApp {
    app.reconfigured(|config| config.outbound_allow = "127.0.0.1".to_owned())
}

async fn call_once(app: &TestApp) -> usize {
    jobs::call_once(&app.state, &jobs::client(&app.state).unwrap()).await.unwrap()
}

on_both! {
    async fn a_call_is_shown_then_sent_once_and_its_answer_settles_the_step(app: TestApp) {
        let (port, mut seen) = receiver().await;
        let run = run_of(&app, port).await;
        let strict = app.browser(Role::Responder).await.get(&format!("{run}/steps/purge/call")).await.expect(422);
        strict.contains("this machine itself").contains("FAULTLINE_OUTBOUND_ALLOW");
        let app = allowing(app);
        let (mut ada, _) = app.browser_of("Ada", Role::Responder).await;
        let shown = ada.get(&format!("{run}/steps/purge/call")).await.expect(200);
        shown.contains(&format!("POST http://127.0.0.1:{port}/purge/ca%22rt")).contains("ca\\&#34;rt").contains("Nothing has been sent yet");
        assert_eq!(call_once(&app).await, 0);
        let mut viewer = app.browser(Role::Viewer).await;
        viewer.post_form(&format!("{run}/steps/purge/call"), &[]).await.expect(403);
        ada.post_form(&format!("{run}/steps/purge/call"), &[]).await.redirects_to(&format!("{run}#step-purge"));
        ada.get(&run).await.expect(200).contains("waiting for the answer").lacks("purged 12");
        ada.post_form(&format!("{run}/steps/purge/call"), &[]).await.expect(409).contains("its answer is awaited");
        assert_eq!(call_once(&app).await, 1);
        assert_eq!(call_once(&app).await, 0, "a call is made once");
        let sent = seen.recv().await.unwrap();
        assert!(sent.starts_with("POST /purge/ca%22rt HTTP/1.1\r\n") && sent.ends_with("{\"service\": \"ca\\\"rt\"}"), "{sent}");
        ada.get(&run).await.expect(200).contains("purged 12").contains("answered HTTP 200").contains("1 of 5");
        ada.post_form(&format!("{run}/steps/purge/call"), &[]).await.expect(409).contains("settled already");

        // What does not work is shown, and the step stays open for people.
        ada.post_form(&format!("{run}/steps/broken/call"), &[]).await.redirects_to(&format!("{run}#step-broken"));
        assert_eq!(call_once(&app).await, 1);
        ada.get(&run).await.expect(200).contains("HTTP 500").contains("&#60;b&#62;on&#60;/b&#62;").contains("Call it again").contains("1 of 5");
        let story: i64 = app.state.db.fetch_scalar("SELECT COUNT(*) FROM timeline_entries WHERE layer = 'story'", vec![]).await.unwrap();
        assert_eq!(story, 1, "only what was done is part of the story");
    }

    async fn a_call_that_hangs_hangs_nothing_else(app: TestApp) {
        let (port, mut seen) = receiver().await;
        let run = run_of(&app, port).await;
        let app = allowing(app);
        let (mut ada, _) = app.browser_of("Ada", Role::Responder).await;
        ada.post_form(&format!("{run}/steps/hang/call"), &[]).await.redirects_to(&format!("{run}#step-hang"));
        ada.post_form(&format!("{run}/steps/purge/call"), &[]).await.redirects_to(&format!("{run}#step-purge"));
        let state = app.state.clone();
        let calling = tokio::spawn(async move { jobs::call_once(&state, &jobs::client(&state).unwrap()).await });
        while !seen.recv().await.unwrap().contains("/hang") {}
        // The page answers while the call hangs.
        ada.get(&run).await.expect(200).contains("waiting for the answer");
        assert!(!calling.is_finished(), "the page waited for the call");
        assert_eq!(calling.await.unwrap().unwrap(), 2);
        ada.get(&run).await.expect(200).contains("no answer within 3 s").contains("purged 12");
    }

    async fn a_call_of_a_node_that_died_is_given_up_not_repeated(app: TestApp) {
        let (port, _seen) = receiver().await;
        let run = run_of(&app, port).await;
        let app = allowing(app);
        let (mut ada, _) = app.browser_of("Ada", Role::Responder).await;
        ada.post_form(&format!("{run}/steps/purge/call"), &[]).await;
        let taken = faultline::runbooks::service::calls::take(&app.state.db, app.state.now()).await.unwrap();
        assert!(taken.is_some());
        assert_eq!(call_once(&app).await, 0);
        app.advance(chrono::TimeDelta::minutes(3));
        assert_eq!(call_once(&app).await, 0);
        ada.get(&run).await.expect(200).contains("whether it arrived is not known").contains("Call it again");
    }

    async fn waits_and_links_say_what_they_are(app: TestApp) {
        let (port, _seen) = receiver().await;
        let run = run_of(&app, port).await;
        let mut ada = app.browser(Role::Responder).await;
        for step in ["purge", "broken", "hang"] {
            ada.post_form(&format!("{run}/steps"), &[("step", step), ("press", "skipped")]).await;
        }
        ada.get(&run).await.expect(200).contains("Wait until").contains("11:10").contains("href=\"https://grafana.example/d/ca%22rt\"");
        app.advance(chrono::TimeDelta::minutes(11));
        ada.get(&run).await.expect(200).contains("The wait was over at");
    }

    async fn a_run_is_handed_over_given_up_and_taken_up_again(app: TestApp) {
        let (port, _seen) = receiver().await;
        let run = run_of(&app, port).await;
        let (mut ada, _) = app.browser_of("Ada", Role::Responder).await;
        let (mut bob, _) = app.browser_of("Bob", Role::Responder).await;
        ada.post_form(&format!("{run}/lead"), &[("to", "nobody@faultline.test")]).await.expect(422);
        ada.post_form(&format!("{run}/lead"), &[("to", "bob@faultline.test")]).await.redirects_to(&run);
        ada.get(&run).await.expect(200).contains("driven by Bob");
        bob.post_form(&format!("{run}/steps"), &[("step", "purge"), ("press", "done"), ("note", "by hand")]).await;
        bob.post_form(&format!("{run}/resume"), &[]).await.expect(409);
        bob.post_form(&format!("{run}/stop"), &[("reason", "wrong runbook")]).await.redirects_to(&run);
        bob.post_form(&format!("{run}/lead"), &[("to", "ada@faultline.test")]).await.expect(409);
        ada.post_form(&format!("{run}/resume"), &[]).await.redirects_to(&run);
        ada.get(&run).await.expect(200).contains("driven by Ada").contains("1 of 5").contains("by hand");
        let told: i64 = app.state.db.fetch_scalar("SELECT COUNT(*) FROM timeline_entries WHERE text LIKE '%over to Bob' OR text LIKE 'Took up%'", vec![]).await.unwrap();
        assert_eq!(told, 2);
    }

    async fn calls_by_api(app: TestApp) {
        let (port, _seen) = receiver().await;
        let run = run_of(&app, port).await;
        let app = allowing(app);
        let mut api = app.api(Role::Responder).await;
        let path = format!("/api/v1{run}");
        let shown = api.post_json(&format!("{path}/steps/purge/call"), &json!({})).await.expect(200).json();
        assert_eq!((shown["sent"].as_bool(), shown["request"]["timeout_s"].as_i64()), (Some(false), Some(30)));
        assert_eq!(call_once(&app).await, 0);
        api.post_json(&format!("{path}/steps/purge/call"), &json!({ "confirm": true })).await.expect(202);
        api.post_json(&format!("{path}/steps/nothing/call"), &json!({ "confirm": true })).await.expect(404);
        assert_eq!(call_once(&app).await, 1);
        let run = api.get(&path).await.expect(200).json();
        assert_eq!((run["calls"][0]["http_status"].as_i64(), run["steps"][0]["state"].as_str()), (Some(200), Some("done")));
        api.post_json(&format!("{path}/stop"), &json!({ "reason": "x" })).await.expect(200);
        assert_eq!(api.post_json(&format!("{path}/resume"), &json!({})).await.expect(200).json()["state"], "running");
        api.post_json(&format!("{path}/lead"), &json!({})).await.expect(200);
    }
}
