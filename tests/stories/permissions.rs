//! Walks every route of the application and proves who may use it.

use axum::http::Method;
use faultline::accounts::Role;
use faultline::web::{Access, RouteInfo};

/// A path that matches the pattern, with ids that exist nowhere.
fn concrete(pattern: &str) -> String {
    let parts = pattern.split('/').map(|p| match p {
        _ if p.starts_with("{*") => "x",
        _ if p.contains("incident") && p.starts_with('{') => "INC-999999",
        _ if p.starts_with('{') => "999999",
        _ => p,
    });
    parts.collect::<Vec<_>>().join("/")
}

fn is_api(route: &RouteInfo) -> bool {
    route.path.starts_with("/api/")
}

on_both! {
    async fn every_route_lets_in_its_role_and_nobody_below(app: TestApp) {
        let mut visitor = app.visitor();
        let mut walked = 0;
        for route in faultline::app::routes().table() {
            let Access::Role(needed) = route.access else { continue };
            let path = concrete(route.path);
            let answer = visitor.send(route.method.clone(), &path, &[], vec![]).await;
            if is_api(route) || route.method != Method::GET {
                assert_eq!(answer.status, 401, "{} {} without a session", route.method, route.path);
            } else {
                assert!(answer.location().starts_with("/login"), "{} {} without a session: {}", route.method, route.path, answer.status);
            }
            for role in Role::ALL {
                if route.path == "/live" && role >= needed {
                    // A stream of live updates never ends; tests/stories/live.rs reads from it.
                    continue;
                }
                let mut client = if is_api(route) { app.api(role).await } else { app.browser(role).await };
                let status = client.send(route.method.clone(), &path, &[], vec![]).await.status.as_u16();
                if role < needed {
                    assert_eq!(status, 403, "{} {} as {role}", route.method, route.path);
                } else {
                    assert!(status != 401 && status != 403 && status != 500, "{} {} as {role}: {status}", route.method, route.path);
                }
            }
            walked += 1;
        }
        assert!(walked >= 10, "only {walked} routes");
    }

    async fn machines_are_refused_without_a_token(app: TestApp) {
        for route in faultline::app::routes().table().iter().filter(|r| r.access == Access::Ingest) {
            let path = concrete(route.path);
            for mut client in [app.visitor(), app.api(Role::Admin).await] {
                let status = client.send(route.method.clone(), &path, &[], b"{}".to_vec()).await.status.as_u16();
                assert!(status == 401 || status == 403, "{} {}: {status}", route.method, route.path);
            }
        }
    }

    async fn what_is_public_is_a_short_known_list(app: TestApp) {
        let _ = app;
        // What Slack sends is checked by its signature.
        const PUBLIC: [&str; 11] = ["/slack/", "/static/", "/healthz", "/readyz", "/metrics", "/setup", "/login", "/status", "/api/v1/openapi.json", "/embed/", "/calendar/"];
        // OPTIONS only says what may be sent; the sending itself is checked.
        let public = |r: &&RouteInfo| r.access == Access::Public && r.method != Method::OPTIONS;
        for route in faultline::app::routes().table().iter().filter(public) {
            assert!(PUBLIC.iter().any(|p| route.path.starts_with(p)), "{} {} is public", route.method, route.path);
        }
    }

    async fn every_answer_carries_the_strict_headers(app: TestApp) {
        for path in ["/login", "/healthz", "/nowhere", "/api/v1/nowhere", "/static/x/y"] {
            let answer = app.visitor().get(path).await;
            let csp = answer.header("content-security-policy").to_owned();
            assert!(csp.contains("default-src 'none'") && csp.contains("frame-ancestors 'none'") && !csp.contains("unsafe"), "{path}: {csp}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
            assert_eq!(answer.header("x-request-id").len(), 12, "{path}");
        }
    }

    async fn an_error_has_a_face_for_people_and_one_for_programs(app: TestApp) {
        let page = app.browser(Role::Viewer).await.get("/nowhere").await.expect(404);
        let id = page.header("x-request-id").to_owned();
        page.contains(&id).contains("Not found");
        let problem = app.api(Role::Viewer).await.get("/api/v1/nowhere").await.expect(404);
        assert_eq!(problem.header("content-type"), "application/problem+json");
        assert_eq!(problem.json()["status"], 404);
    }
}
