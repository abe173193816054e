//! Live updates: open pages are told that something changed, and only those who may see it.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use faultline::accounts::Role;
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::support::{Browser, TestApp};

/// Opens the stream of a signed-in browser's page.
async fn listen(app: &TestApp, browser: &Browser, topics: &str) -> Body {
    let cookie = format!("faultline={}", browser.cookie("faultline").expect("signed in"));
    let request = Request::builder().uri(format!("/live?topics={topics}")).header("host", "faultline.test");
    let request = request.header("cookie", cookie).body(Body::empty()).expect("a request");
    let response = app.router.clone().oneshot(request).await.expect("an answer");
    assert_eq!(response.status().as_u16(), 200);
    response.into_body()
}

/// The next event as it travels, if one comes soon.
async fn next(stream: &mut Body) -> Option<String> {
    let frame = tokio::time::timeout(Duration::from_millis(500), stream.frame()).await.ok()??.ok()?;
    frame.into_data().ok().map(|data| String::from_utf8_lossy(&data).into_owned())
}

/// Writes on the timeline until the stream tells of it: PostgreSQL's listener needs a moment to start.
async fn told(browser: &mut Browser, path: &str, stream: &mut Body) -> Option<String> {
    for _ in 0..20 {
        browser.post_form(&format!("{path}/status"), &[("status", "investigating")]).await;
        browser.post_form(&format!("{path}/edit"), &[("title", "A"), ("summary", "one")]).await;
        browser.post_form(&format!("{path}/edit"), &[("title", "B"), ("summary", "two")]).await;
        if let Some(event) = next(stream).await {
            return Some(event);
        }
    }
    None
}

on_both! {
    async fn a_change_is_told_to_those_who_may_see_it_and_to_nobody_else(app: TestApp) {
        let mut ada = app.browser_of("Ada", Role::Commander).await.0;
        let bo = app.browser_of("Bo", Role::Commander).await.0;
        let form = [("title", "Stolen key"), ("severity", "SEV1"), ("private", "true")];
        let path = ada.post_form("/incidents", &form).await.expect(303).location().to_owned();
        let mut hers = listen(&app, &ada, "incident:1").await;
        let mut his = listen(&app, &bo, "incident:1").await;
        assert!(next(&mut hers).await.expect("greeted").contains("event: hello\ndata: live"), "a browser drops an event without data");
        assert!(next(&mut his).await.expect("greeted").contains("event: hello"));
        let event = told(&mut ada, &path, &mut hers).await.expect("told");
        assert!(event.contains("event: changed") && event.contains("incident:1"), "{event}");
        assert_eq!(next(&mut his).await, None, "a private incident is silent to others");
        app.visitor().get("/live?topics=incidents").await.redirects_to("/login?next=%2Flive%3Ftopics%3Dincidents");
    }

    async fn what_is_made_once_for_many_shows_each_what_is_theirs(app: TestApp) {
        let mut ada = app.browser_of("Ada", Role::Commander).await.0;
        let mut bo = app.browser_of("Bo", Role::Commander).await.0;
        let mut vi = app.browser_of("Vi", Role::Viewer).await.0;
        let mut admin = app.browser_of("Al", Role::Admin).await.0;
        let open = ada.post_form("/incidents", &[("title", "Cart fails"), ("severity", "SEV1")]).await.expect(303).location().to_owned();
        let secret = [("title", "Stolen key"), ("severity", "SEV1"), ("private", "true")];
        let hidden = ada.post_form("/incidents", &secret).await.expect(303).location().to_owned();
        ada.post_form(&format!("{open}/links"), &[("relation", "related"), ("other", "INC-2")]).await.expect(303);
        let parts = format!("{open}/parts");
        ada.get(&open).await.contains(&format!("data-live-from=\"{parts}\"")).contains("Stolen key").contains("Sign out");
        // The clock stands and nothing is written: whoever may see the same gets the same, and no more.
        for path in [&open, &parts] {
            bo.get(path).await.expect(200).contains("Cart fails").contains("Take it").lacks("Stolen key");
            ada.get(path).await.expect(200).contains("Stolen key").contains("Take it");
            vi.get(path).await.expect(200).contains("Cart fails").lacks("Take it").lacks("Stolen key");
            admin.get(path).await.expect(200).contains("Stolen key");
        }
        bo.get(&parts).await.lacks("Sign out").lacks("<html");
        bo.get(&format!("{hidden}/parts")).await.expect(404);
        // Whoever asks after a change sees it, in the same second.
        bo.post_form(&format!("{open}/timeline"), &[("text", "The cache was full")]).await.expect(303);
        for browser in [&mut ada, &mut bo, &mut vi, &mut admin] {
            browser.get(&parts).await.contains("The cache was full");
            browser.get(&open).await.contains("The cache was full");
        }
        app.visitor().get(&parts).await.redirects_to("/login?next=%2Fincidents%2FINC-1%2Fparts");
    }
}
