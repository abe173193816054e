//! Subscribers of the status page: asked once, told only after they confirmed, gone with one click.

use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, StatusCode};
use chrono::TimeDelta;
use faultline::accounts::Role;
use faultline::args;
use faultline::notifications::signing;
use faultline::outbound::{Outbound, Policy};
use faultline::status_page::jobs;
use faultline::status_page::service::subscribers::{Mail, MailFailure, Post, Ways};
use futures::future::BoxFuture;

use super::support::{Backend, Browser, TestApp};

/// A mail server in memory that can have a bad day.
#[derive(Default)]
struct Mailbox {
    mails: Mutex<Vec<Mail>>,
    fails: Mutex<Option<MailFailure>>,
}

impl Post for Mailbox {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), MailFailure>> {
        Box::pin(async move {
            if let Some(failure) = self.fails.lock().unwrap().clone() {
                return Err(failure);
            }
            self.mails.lock().unwrap().push(mail.clone());
            Ok(())
        })
    }
}

impl Mailbox {
    fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut self.mails.lock().unwrap())
    }
}

type Hooked = Arc<Mutex<Vec<(HeaderMap, String)>>>;

/// A webhook that answers with what `answer` makes of the body.
async fn hook(answer: fn(&str) -> (StatusCode, String)) -> (String, Hooked) {
    let seen: Hooked = Arc::default();
    let kept = seen.clone();
    let app = axum::Router::new().fallback(move |headers: HeaderMap, body: String| {
        let kept = kept.clone();
        async move {
            kept.lock().unwrap().push((headers, body.clone()));
            answer(&body)
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, seen)
}

async fn rounds(app: &TestApp, mailbox: &Mailbox) {
    let outbound = Outbound::new(Policy::parse("127.0.0.1").unwrap()).unwrap();
    let ways = Ways { outbound: &outbound, mail: Some(mailbox) };
    while jobs::run_once(&app.state, &ways).await.unwrap() > 0 {}
}

async fn publish(chief: &mut Browser, title: &str) -> String {
    let path = chief
        .post_form("/status-page/notices", &[("title", title), ("text", "Words for all.")])
        .await
        .expect(303)
        .location()
        .to_owned();
    chief.post_form(&format!("{path}/publish"), &[]).await.redirects_to(&path);
    path
}

/// The path of a link to `what` in a text.
fn link(text: &str, what: &str) -> String {
    let start = text.find(&format!("/status/{what}/")).unwrap_or_else(|| panic!("no {what} link in {text}"));
    text[start..].split_whitespace().next().unwrap().trim_end_matches('"').to_owned()
}

async fn subscribers(app: &TestApp) -> i64 {
    app.state.db.fetch_scalar("SELECT COUNT(*) FROM status_subscribers", args![]).await.unwrap()
}

async fn app_with(backend: Backend) -> TestApp {
    TestApp::start_with(backend, |config| {
        config.outbound_allow = "127.0.0.1".to_owned();
        // Never spoken to: the tests' mails go to a box of their own.
        config.smtp_url = Some("smtp://127.0.0.1:1".to_owned());
        config.mail_from = "Shop <status@shop.example>".to_owned();
    })
    .await
}

async fn both(story: impl AsyncFn(TestApp)) {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        story(app_with(backend).await).await;
    }
}

#[tokio::test]
async fn an_address_is_told_only_after_it_confirmed_and_leaves_by_one_click() {
    both(async |app: TestApp| {
        let mailbox = Mailbox::default();
        let mut chief = app.browser(Role::Commander).await;
        let mut reader = app.visitor();
        reader.get("/status/subscribe").await.expect(200).contains("By webhook");
        for bad in ["", "nobody", "a@b", "a b@c.example", "a@c.example, b@c.example", "<x@y.example>"] {
            reader
                .post_form("/status/subscribe", &[("kind", "email"), ("address", bad)])
                .await
                .expect(422)
                .contains("is not an e-mail address");
        }
        reader
            .post_form("/status/subscribe", &[("kind", "email"), ("address", " Eve@Shop.example ")])
            .await
            .expect(202)
            .contains("a message is on its way");
        publish(&mut chief, "First").await;
        rounds(&app, &mailbox).await;
        let mails = mailbox.take();
        assert_eq!(mails.iter().map(|m| m.to.as_str()).collect::<Vec<_>>(), ["eve@shop.example"]);
        assert!(mails[0].subject.starts_with("Confirm") && !mails[0].text.contains("First"));
        // Typed again at once, it is not asked again; nor does the answer tell that it is known.
        reader
            .post_form("/status/subscribe", &[("kind", "email"), ("address", "eve@shop.example")])
            .await
            .expect(202)
            .contains("a message is on its way");
        rounds(&app, &mailbox).await;
        assert!(mailbox.take().is_empty());
        // Opening the link is not confirming: programs that check mails open links.
        let confirm = link(&mails[0].text, "confirm");
        let page = reader.get(&confirm).await.expect(200).contains("Yes, send me updates");
        assert_eq!(page.header("cache-control"), "no-store");
        publish(&mut chief, "Second").await;
        rounds(&app, &mailbox).await;
        assert!(mailbox.take().is_empty());
        reader.post_form(&confirm, &[]).await.expect(200).contains("You are subscribed");
        let path = publish(&mut chief, "Third").await;
        chief
            .post_form(&format!("{path}/draft"), &[("title", "Third"), ("text", "MARKDRAFT"), ("version", "0")])
            .await
            .expect(303);
        rounds(&app, &mailbox).await;
        let mails = mailbox.take();
        assert_eq!(mails.len(), 1);
        assert!(
            mails[0].subject.contains("Third (Investigating)")
                && mails[0].text.contains("Words for all.")
                && !mails[0].text.contains("MARKDRAFT")
        );
        let leave = link(&mails[0].text, "unsubscribe");
        assert_eq!(mails[0].unsubscribe_url.as_deref(), Some(format!("http://faultline.test{leave}").as_str()));
        reader.get(&leave).await.expect(200).contains("Unsubscribe");
        assert_eq!(subscribers(&app).await, 1);
        // As a mail program's button does it: no cookie, no origin.
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        app.visitor().post_bytes(&leave, &kind, "List-Unsubscribe=One-Click").await.expect(200);
        assert_eq!(subscribers(&app).await, 0);
        app.visitor().post_bytes(&leave, &kind, "List-Unsubscribe=One-Click").await.expect(200);
        reader.get("/status/confirm/0123").await.expect(404);
    })
    .await;
}

#[tokio::test]
async fn a_webhook_proves_that_it_wants_to_be_told_and_gets_signed_messages() {
    both(async |app: TestApp| {
        let mailbox = Mailbox::default();
        let mut chief = app.browser(Role::Commander).await;
        let (good, seen) = hook(|body| (StatusCode::OK, body.to_owned())).await;
        let (silent, unasked) = hook(|_| (StatusCode::OK, String::new())).await;
        let mut reader = app.visitor();
        reader
            .post_form("/status/subscribe", &[("kind", "webhook"), ("address", "http://10.0.0.1/")])
            .await
            .expect(422)
            .contains("10.0.0.1");
        let page =
            reader.post_form("/status/subscribe", &[("kind", "webhook"), ("address", &good)]).await.expect(202).text();
        let secret = page.split("class=\"secret\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
        reader.post_form("/status/subscribe", &[("kind", "webhook"), ("address", &silent)]).await.expect(202);
        rounds(&app, &mailbox).await;
        publish(&mut chief, "Hook news").await;
        rounds(&app, &mailbox).await;
        let seen = seen.lock().unwrap().clone();
        assert_eq!(seen.len(), 2);
        let (headers, body) = &seen[1];
        let header = |name: &str| headers.get(name).unwrap().to_str().unwrap();
        assert!(signing::verify(
            &secret,
            header("webhook-id"),
            header("webhook-timestamp").parse().unwrap(),
            body.as_bytes(),
            header("webhook-signature")
        ));
        let message: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(
            (message["type"].as_str(), message["notice"]["title"].as_str()),
            (Some("notice.updated"), Some("Hook news"))
        );
        assert_eq!(unasked.lock().unwrap().len(), 1, "only the question");
    })
    .await;
}

#[tokio::test]
async fn failures_are_tried_again_and_lasting_ones_end_the_subscription() {
    both(async |app: TestApp| {
        let mailbox = Mailbox::default();
        let mut chief = app.browser(Role::Commander).await;
        let mut reader = app.visitor();
        reader.post_form("/status/subscribe", &[("kind", "email"), ("address", "eve@shop.example")]).await.expect(202);
        *mailbox.fails.lock().unwrap() = Some(MailFailure::Later("421 busy".into()));
        rounds(&app, &mailbox).await;
        *mailbox.fails.lock().unwrap() = None;
        rounds(&app, &mailbox).await;
        assert!(mailbox.take().is_empty(), "not before its pause is over");
        app.advance(TimeDelta::minutes(1));
        rounds(&app, &mailbox).await;
        let confirm = link(&mailbox.take()[0].text, "confirm");
        reader.post_form(&confirm, &[]).await.expect(200);
        *mailbox.fails.lock().unwrap() = Some(MailFailure::Refused("550 no such user".into()));
        for n in 0..5 {
            assert_eq!(subscribers(&app).await, 1);
            publish(&mut chief, &format!("News {n}")).await;
            rounds(&app, &mailbox).await;
        }
        assert_eq!(subscribers(&app).await, 0);
        // Withdrawn before it went out, a notice is not told.
        *mailbox.fails.lock().unwrap() = None;
        reader.post_form("/status/subscribe", &[("kind", "email"), ("address", "bo@shop.example")]).await.expect(202);
        rounds(&app, &mailbox).await;
        reader.post_form(&link(&mailbox.take()[0].text, "confirm"), &[]).await.expect(200);
        let path = publish(&mut chief, "A mistake").await;
        chief.post_form(&format!("{path}/withdraw"), &[("confirm", "yes")]).await.expect(303);
        rounds(&app, &mailbox).await;
        assert!(mailbox.take().is_empty());
    })
    .await;
}

#[tokio::test]
async fn who_does_not_confirm_is_forgotten_and_administrators_see_the_list() {
    both(async |app: TestApp| {
        let mailbox = Mailbox::default();
        app.visitor()
            .post_form("/status/subscribe", &[("kind", "email"), ("address", "eve@shop.example")])
            .await
            .expect(202);
        let mut admin = app.browser(Role::Admin).await;
        admin
            .get("/status-page/subscribers")
            .await
            .expect(200)
            .contains("eve@shop.example")
            .contains("0 confirmed, 1 asked");
        app.browser(Role::Commander).await.get("/status-page/subscribers").await.expect(403);
        let listed = app.api(Role::Admin).await.get("/api/v1/status-page/subscribers?limit=1").await.expect(200).json();
        let (one, count) = (&listed["items"][0], &listed["total"]);
        assert_eq!((one["address"].as_str(), count.as_i64()), (Some("eve@shop.example"), Some(1)));
        assert!(one["token"].is_null() && one["secret"].is_null() && one["confirmed_at"].is_null(), "{one}");
        app.api(Role::Commander).await.get("/api/v1/status-page/subscribers").await.expect(403);
        rounds(&app, &mailbox).await;
        app.advance(TimeDelta::days(3));
        rounds(&app, &mailbox).await;
        assert_eq!(subscribers(&app).await, 0);
        for _ in 0..120 {
            app.visitor()
                .post_form("/status/subscribe", &[("kind", "email"), ("address", "eve@shop.example")])
                .await
                .expect(202);
        }
        let flood = app
            .visitor()
            .post_form("/status/subscribe", &[("kind", "email"), ("address", "eve@shop.example")])
            .await
            .expect(429);
        assert_eq!(flood.header("retry-after"), "2");
        let mut api = app.api(Role::Admin).await;
        let listed = api.get("/api/v1/status-page/subscribers").await.expect(200).json();
        let one = format!("/api/v1/status-page/subscribers/{}", listed["items"][0]["id"]);
        api.json(axum::http::Method::DELETE, &one, &serde_json::json!({})).await.expect(200);
        api.json(axum::http::Method::DELETE, &one, &serde_json::json!({})).await.expect(404);
        assert_eq!(subscribers(&app).await, 0);
    })
    .await;
}
