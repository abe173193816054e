//! Deliveries: accepted ones are durable and processed once, refused ones are listed with the reason.

use std::collections::BTreeMap;
use std::io::Write;

use chrono::TimeDelta;
use faultline::accounts::Role;
use faultline::inbox::{Delivery, Inbox, Kind, store};

use super::support::{TestApp, sample};

pub fn inbox(app: &TestApp) -> Inbox {
    faultline::app::Shared::new(&app.state).inbox
}

const ONE: &str = r#"{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"Down","service":"checkout","severity":"critical"},
    "annotations":{"summary":"Checkout is down"},"startsAt":"2026-11-23T10:50:00Z","endsAt":"0001-01-01T00:00:00Z","fingerprint":"f1"}]}"#;
const JSON: (&str, &str) = ("content-type", "application/json");

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

async fn heads(app: &TestApp) -> Vec<store::Head> {
    store::list(&app.state.db, &store::Filter::default(), 50).await.unwrap()
}

on_both! {
    async fn a_delivery_is_committed_answered_and_then_processed(app: TestApp) {
        let mut sender = app.sender().await;
        let answer = sender.post_bytes("/ingest/alerts/alertmanager", &[JSON], ONE).await.expect(202).json();
        assert_eq!(answer["status"], "accepted");
        let waiting = heads(&app).await;
        assert_eq!((waiting.len(), waiting[0].status.as_str(), waiting[0].token_name.as_str()), (1, "pending", "sender"));
        assert_eq!(inbox(&app).drain().await.unwrap(), 1);
        let done = &heads(&app).await[0];
        assert_eq!((done.status.as_str(), done.attempts, done.processed_at.is_some()), ("processed", 1, true));
        assert_eq!(inbox(&app).drain().await.unwrap(), 0, "nothing is processed twice");
        let (body, truncated) = store::raw_body(&app.state.db, done.id).await.unwrap().unwrap();
        assert_eq!((body.as_slice(), truncated), (ONE.as_bytes(), false));
    }

    async fn what_is_worked_off_at_once_is_bounded_in_bytes(app: TestApp) {
        let mut sender = app.sender().await;
        for _ in 0..4 {
            sender.post_bytes("/ingest/alerts/alertmanager", &[JSON], ONE).await.expect(202);
        }
        let tx = app.state.db.begin().await.unwrap();
        tx.execute("UPDATE deliveries SET size = 20000000 WHERE id < 4", vec![]).await.unwrap();
        tx.commit().await.unwrap();
        let mut rounds = Vec::new();
        for _ in 0..3 {
            rounds.push(inbox(&app).process_due().await.unwrap());
        }
        assert_eq!(rounds, [2, 2, 0], "40 MB are more than enough for one round");
    }

    /// What the door read is what the work is done from; after a restart it is read from the row again. The
    /// two must not differ, and no delivery may be done by both.
    async fn a_delivery_means_the_same_before_and_after_a_restart(app: TestApp) {
        let before = inbox(&app);
        for (i, name) in ["known", "restarted"].into_iter().enumerate() {
            let body = ONE.replace("f1", name).replace("Checkout is down", "Checkout äß is down");
            let received_at = app.state.now() + TimeDelta::seconds(i64::try_from(i).unwrap());
            let delivery = Delivery {
                id: 0,
                kind: Kind::Alerts,
                source: "alertmanager".to_owned(),
                received_at,
                token_name: "sender".to_owned(),
                path: "/ingest/alerts/alertmanager".to_owned(),
                content_type: "application/json".to_owned(),
                headers: BTreeMap::new(),
                body: body.into_bytes(),
            };
            app.advance(TimeDelta::seconds(1));
            before.accept(delivery, 202).await.unwrap();
            let worker = if name == "known" { before.clone() } else { inbox(&app) };
            assert_eq!(worker.drain().await.unwrap(), 1, "{name}");
        }
        assert_eq!(before.drain().await.unwrap(), 0, "what the other has done is not done again");
        let list = app.api(Role::Viewer).await.get("/api/v1/alerts?limit=10").await.expect(200).json();
        let rows = list["items"].as_array().unwrap();
        assert_eq!(rows.len(), 2, "{list}");
        for field in ["title", "service", "severity", "labels", "annotations", "started_at", "count"] {
            assert!(!rows[0][field].is_null(), "{field}: {list}");
            assert_eq!(rows[0][field], rows[1][field], "{field}");
        }
        assert_eq!(rows[0]["title"], "Checkout äß is down");
    }

    async fn what_a_process_took_in_it_does_not_fetch_again(app: TestApp) {
        let mut app = app;
        let shared = faultline::app::Shared::new(&app.state);
        app.router = faultline::app::router_with(app.state.clone(), shared.clone());
        app.sender().await.post_bytes("/ingest/alerts/alertmanager", &[JSON], ONE).await.expect(202);
        let tx = app.state.db.begin().await.unwrap();
        let nothing = vec![faultline::db::Value::from(Vec::<u8>::new())];
        tx.execute("UPDATE delivery_bodies SET body = $1, encoding = 'identity'", nothing).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(shared.inbox.drain().await.unwrap(), 1);
        let list = app.api(Role::Viewer).await.get("/api/v1/alerts?limit=10").await.expect(200).json();
        assert_eq!(list["items"][0]["title"], "Checkout is down", "{list}");
    }

    async fn every_way_to_show_a_token_works_and_none_is_kept(app: TestApp) {
        let token = app.ingest_token().await;
        let mut visitor = app.visitor();
        let basic = format!("Basic {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("x:{token}")));
        visitor.post_bytes("/ingest/alerts/alertmanager", &[JSON, ("authorization", &basic)], ONE).await.expect(202);
        visitor.post_bytes(&format!("/ingest/alerts/alertmanager/{token}"), &[JSON], ONE).await.expect(202);
        visitor.post_bytes("/ingest/alerts/alertmanager", &[JSON, ("x-api-key", &token)], ONE).await.expect(202);
        let event = serde_json::json!({"routing_key": token, "event_action": "trigger", "dedup_key": "d", "payload": {"summary": "s", "source": "h", "severity": "info"}});
        let answer = visitor.post_json("/v2/enqueue", &event).await.expect(202).json();
        assert_eq!(answer["dedup_key"], "d");
        for head in heads(&app).await {
            let (body, _) = store::raw_body(&app.state.db, head.id).await.unwrap().unwrap();
            let kept = format!("{} {} {}", head.path, head.headers, String::from_utf8_lossy(&body));
            assert!(!kept.contains(&token), "{kept}");
        }
    }

    async fn refused_deliveries_get_their_status_and_are_listed_with_the_reason(app: TestApp) {
        let mut sender = app.sender().await;
        let path = "/ingest/alerts/alertmanager";
        sender.post_bytes(path, &[JSON], "{\"alerts\": [").await.expect(400).contains("not JSON");
        sender.post_bytes(path, &[JSON], "{\"alerts\": 5}").await.expect(400).contains("expected a list, found a number");
        let bomb = gzip(&vec![b' '; 17 << 20]);
        sender.post_bytes(path, &[JSON, ("content-encoding", "gzip")], bomb).await.expect(413);
        sender.post_bytes(path, &[JSON], vec![b' '; (16 << 20) + 1]).await.expect(413);
        sender.post_bytes(path, &[JSON, ("content-encoding", "gzip")], "plain").await.expect(400).contains("not gzip");
        sender.post_bytes("/ingest/alerts/nobody", &[JSON], ONE).await.expect(404);
        let anonymous = app.visitor().post_bytes(path, &[JSON], ONE).await.expect(401);
        assert_eq!(anonymous.header("www-authenticate"), "Bearer realm=\"Faultline ingest\"");
        app.visitor().post_bytes("/ingest/alerts/alertmanager/flt_wrong", &[JSON], ONE).await.expect(401);
        let listed: Vec<(String, i64)> = heads(&app).await.into_iter().map(|h| (h.status, h.http_status)).collect();
        let mut statuses: Vec<i64> = listed.iter().map(|l| l.1).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [400, 400, 400, 401, 401, 404, 413, 413]);
        assert!(listed.iter().all(|l| l.0 == "rejected"));
        assert_eq!(inbox(&app).drain().await.unwrap(), 0);
    }

    async fn signatures_are_required_once_secrets_are_set(app: TestApp) {
        let set = store::SourceSettings { secrets: "new\nold".into(), mapping: String::new() };
        let tx = app.state.db.begin().await.unwrap();
        store::save_settings(&tx, Kind::Alerts, "grafana", &set, app.state.now(), "test").await.unwrap();
        tx.commit().await.unwrap();
        let sign = |secret: &str, at: i64| hex::encode(faultline::inbox::signature::hmac_sha256(secret.as_bytes(), &[format!("{at}:").as_bytes(), ONE.as_bytes()]));
        let now = app.state.now().as_micros() / 1_000_000;
        let mut visitor = app.visitor();
        let mut send = async |signature: &str, at: i64| {
            let at = at.to_string();
            let headers = [JSON, ("x-grafana-alerting-signature", signature), ("x-grafana-alerting-timestamp", at.as_str())];
            visitor.post_bytes("/ingest/alerts/grafana", &headers, ONE).await
        };
        send(&sign("old", now), now).await.expect(202);
        send(&sign("wrong", now), now).await.expect(403).contains("does not match");
        send(&sign("new", now - 3_600), now - 3_600).await.expect(403).contains("more than five minutes ago");
        app.sender().await.post_bytes("/ingest/alerts/grafana", &[JSON], ONE).await.expect(401).contains("is missing");
    }

    async fn what_the_doors_remember_of_a_sender_ends_with_its_token(app: TestApp) {
        let path = "/ingest/alerts/alertmanager";
        let (mut here, mut there) = (app.sender().await, app.sender().await);
        here.post_bytes(path, &[JSON], ONE).await.expect(202);
        there.post_bytes(path, &[JSON], ONE).await.expect(202);
        // On this node at once.
        let mut admin = app.browser(Role::Admin).await;
        admin.post_form("/settings/tokens/1/revoke", &[]).await.expect(303);
        here.post_bytes(path, &[JSON], ONE).await.expect(401);
        // By another process, of which this node hears nothing: within a second.
        there.post_bytes(path, &[JSON], ONE).await.expect(202);
        let tx = app.state.db.begin().await.unwrap();
        tx.execute("UPDATE tokens SET revoked_at = 1", vec![]).await.unwrap();
        tx.commit().await.unwrap();
        app.advance(TimeDelta::seconds(1));
        there.post_bytes(path, &[JSON], ONE).await.expect(401);
        // A secret that is set for a source counts for the next delivery.
        let mut other = app.sender().await;
        other.post_bytes("/ingest/alerts/grafana", &[JSON], ONE).await.expect(202);
        admin.post_form("/settings/sources/grafana/secrets", &[("secrets", "s3cret")]).await.expect(303);
        other.post_bytes("/ingest/alerts/grafana", &[JSON], ONE).await.expect(401).contains("is missing");
    }

    async fn a_failed_delivery_waits_for_its_replay(app: TestApp) {
        // A mapping that cannot be used: the delivery is accepted, fails, and is replayed after the mend.
        let save = async |mapping: &str| {
            let set = store::SourceSettings { secrets: String::new(), mapping: mapping.into() };
            let tx = app.state.db.begin().await.unwrap();
            store::save_settings(&tx, Kind::Alerts, "mapped", &set, app.state.now(), "test").await.unwrap();
            tx.commit().await.unwrap();
        };
        save("title = $.wrong\ndedup_key = $.id").await;
        let mut sender = app.sender().await;
        sender.post_json("/ingest/alerts/mapped", &serde_json::json!({"id": 7, "what": "Disk"})).await.expect(202);
        sender.post_bytes("/ingest/alerts/alertmanager", &[JSON], ONE).await.expect(202);
        assert_eq!(inbox(&app).drain().await.unwrap(), 2);
        let failed: Vec<store::Head> = heads(&app).await.into_iter().filter(|h| h.status == "failed").collect();
        assert_eq!(failed.len(), 1, "the other one was not held up");
        assert_eq!(failed[0].reason, "title: nothing is at its path");
        assert!(inbox(&app).replay(failed[0].id).await.is_err());
        save("title = $.what\ndedup_key = $.id").await;
        inbox(&app).replay(failed[0].id).await.unwrap();
        assert_eq!(store::counts(&app.state.db).await.unwrap()["processed"], 2);
        let list = app.api(Role::Viewer).await.get("/api/v1/alerts").await.expect(200).json();
        assert_eq!(list["total"], 2);
    }

    async fn an_outage_of_the_database_is_answered_with_503_and_retry_after(app: TestApp) {
        let mut sender = app.sender().await;
        app.state.db.close().await;
        let answer = sender.post_bytes("/ingest/alerts/alertmanager", &[JSON], ONE).await.expect(503);
        assert_eq!(answer.header("retry-after"), "5");
    }

    async fn old_deliveries_are_forgotten_and_failed_ones_kept(app: TestApp) {
        let mut sender = app.sender().await;
        sender.post_bytes("/ingest/alerts/alertmanager", &[JSON], ONE).await.expect(202);
        inbox(&app).drain().await.unwrap();
        sender.post_bytes("/ingest/alerts/alertmanager", &[JSON], "x").await.expect(400);
        app.advance(chrono::TimeDelta::days(31));
        assert_eq!(inbox(&app).prune().await.unwrap(), 2);
        assert!(heads(&app).await.is_empty());
    }
}

#[tokio::test]
async fn many_senders_at_once_share_commits_and_lose_nothing() {
    for backend in [super::support::Backend::Sqlite, super::support::Backend::Postgres] {
        let app = TestApp::start(backend).await;
        let token = app.ingest_token().await;
        let sent = (0..200).map(|i| {
            let mut client = app.visitor();
            let path = format!("/ingest/alerts/generic/{token}");
            async move {
                client
                    .post_json(&path, &serde_json::json!({"title": "t", "dedup_key": format!("k{i}")}))
                    .await
                    .expect(202)
                    .json()["delivery"]
                    .as_i64()
                    .unwrap()
            }
        });
        let mut ids = futures::future::join_all(sent).await;
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 200);
        assert_eq!(inbox(&app).drain().await.unwrap(), 200);
        let list = app.api(Role::Viewer).await.get("/api/v1/alerts?limit=1").await.expect(200).json();
        assert_eq!(list["total"], 200);
    }
}

#[tokio::test]
async fn the_shared_samples_pass_through_the_doors() {
    let app = TestApp::start(super::support::Backend::Sqlite).await;
    let mut sender = app.sender().await;
    for (path, file, alerts) in [
        ("/ingest/alerts/alertmanager", "alertmanager/webhook-v4-two-alerts.json", 2),
        ("/ingest/alerts/grafana", "grafana/unified-v11-firing.json", 3),
        ("/ingest/alerts/newrelic", "newrelic/workflow-activated.json", 4),
        ("/ingest/alerts/honeycomb", "honeycomb/trigger-v0.1.0.json", 5),
        ("/ingest/alerts/sentry", "sentry/event_alert-triggered.trimmed.json", 6),
        ("/ingest/alerts/sentry", "sentry/metric_alert-resolved.json", 7),
        ("/ingest/alerts/pagerduty", "pagerduty/webhook-v3-incident.triggered.json", 8),
        ("/ingest/checks/junit", "junit/junit-basic.xml", 9),
    ] {
        let Some(body) = sample(file) else { continue };
        sender.post_bytes(path, &[], body).await.expect(202);
        inbox(&app).drain().await.unwrap();
        let list = app.api(Role::Viewer).await.get("/api/v1/alerts?status=all&limit=1").await.expect(200).json();
        assert_eq!(list["total"], alerts, "{file}");
    }
}
