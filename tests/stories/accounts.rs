//! Setting up, signing in and out, users, tokens, sessions.

use faultline::accounts::{Role, service};

on_both! {
    async fn the_first_user_is_made_with_the_code_of_the_log(app: TestApp) {
        let code = service::new_setup_code(&app.state).await.unwrap().expect("no users yet");
        let mut browser = app.visitor();
        browser.get("/settings/profile").await.redirects_to("/login?next=%2Fsettings%2Fprofile");
        browser.get("/login").await.redirects_to("/setup");
        let form = |code: &'static str| [("code", code), ("email", "Ada@Example.org"), ("name", "Ada"), ("password", "violet anchor drum")];
        browser.post_form("/setup", &form("wrong")).await.expect(422).contains("is not the code").contains("Ada@Example.org");
        let code: &'static str = code.leak();
        browser.post_form("/setup", &form(code)).await.redirects_to("/");
        browser.get("/settings/users").await.expect(200).contains("ada@example.org");
        app.visitor().get("/setup").await.redirects_to("/login");
        app.visitor().post_form("/setup", &form(code)).await.expect(404);
    }

    async fn signing_in_gives_a_new_session_and_signing_out_ends_it(app: TestApp) {
        let admin = faultline::accounts::Actor::system();
        let user = faultline::accounts::model::NewUser {
            email: "bo@example.org".into(), name: "Bo".into(), password: "violet anchor drum".into(), role: Role::Viewer,
        };
        service::add_user(&app.state, &admin, user).await.unwrap();
        let mut browser = app.visitor();
        let wrong = [("email", "bo@example.org"), ("password", "wrong"), ("next", "/reports")];
        browser.post_form("/login", &wrong).await.expect(422).contains("does not belong").contains("bo@example.org");
        let right = [("email", " BO@example.org"), ("password", "violet anchor drum"), ("next", "//evil.example")];
        browser.post_form("/login", &right).await.redirects_to("/");
        let first = browser.cookie("faultline").expect("a session").to_owned();
        browser.post_form("/login", &right).await.redirects_to("/");
        assert_ne!(browser.cookie("faultline"), Some(first.as_str()), "the token is new at every sign-in");
        browser.get("/settings/profile").await.expect(200).contains("Bo");
        let secret = browser.cookie("faultline").unwrap().to_owned();
        browser.post_form("/logout", &[]).await.redirects_to("/login");
        browser.set_cookie("faultline", &secret);
        browser.get("/settings/profile").await.redirects_to("/login?next=%2Fsettings%2Fprofile");
    }

    async fn sessions_end_when_idle_and_when_the_user_is_disabled(app: TestApp) {
        let (mut browser, _) = app.browser_of("Cleo", Role::Viewer).await;
        app.advance(chrono::TimeDelta::days(6));
        browser.get("/settings/profile").await.expect(200);
        app.advance(chrono::TimeDelta::days(6));
        browser.get("/settings/profile").await.expect(200);
        app.advance(chrono::TimeDelta::days(8));
        assert!(browser.get("/settings/profile").await.status.is_redirection(), "idle for over a week");

        let (mut other, actor) = app.browser_of("Dan", Role::Viewer).await;
        let mut admin = app.browser(Role::Admin).await;
        let path = format!("/settings/users/{}", actor.user_id.unwrap());
        admin.post_form(&path, &[("role", "viewer"), ("disabled", "on")]).await.redirects_to("/settings/users");
        assert!(other.get("/settings/profile").await.status.is_redirection(), "disabled");
    }

    async fn a_new_role_and_a_revoked_session_count_from_the_next_request_on(app: TestApp) {
        let (mut cleo, actor) = app.browser_of("Cleo", Role::Responder).await;
        let mut admin = app.browser(Role::Admin).await;
        let path = format!("/settings/users/{}", actor.user_id.unwrap());
        let list = "/incidents";
        cleo.get(list).await.expect(200).contains("Declare an incident");
        admin.post_form(&path, &[("role", "viewer")]).await.redirects_to("/settings/users");
        cleo.get(list).await.expect(200).lacks("Declare an incident");
        cleo.post_form(list, &[("title", "No"), ("severity", "SEV2")]).await.expect(403);
        // Another of Cleo's browsers signs out, with this one's session.
        let mut stolen = app.visitor();
        stolen.set_cookie("faultline", cleo.cookie("faultline").unwrap());
        stolen.get(list).await.expect(200);
        cleo.post_form("/logout", &[]).await.redirects_to("/login");
        assert!(stolen.get(list).await.status.is_redirection(), "revoked");
    }

    async fn the_last_admin_stays_one_and_an_address_is_used_once(app: TestApp) {
        let (mut admin, actor) = app.browser_of("Eve", Role::Admin).await;
        let path = format!("/settings/users/{}", actor.user_id.unwrap());
        admin.post_form(&path, &[("role", "viewer")]).await.expect(422).contains("last admin");
        let form = [("email", "eve@faultline.test"), ("name", "Second Eve"), ("password", "violet anchor drum"), ("role", "viewer")];
        admin.post_form("/settings/users", &form).await.expect(422).contains("belongs to another user").contains("Second Eve");
    }

    async fn a_token_is_shown_once_and_refused_after_its_end(app: TestApp) {
        let mut admin = app.browser(Role::Admin).await;
        let page = admin.post_form("/settings/tokens", &[("name", "ci"), ("scope", "api"), ("role", "viewer")]).await.expect(200);
        let text = page.text();
        let start = text.find("flt_").expect("the secret is shown");
        let secret = &text[start..start + 68];
        admin.get("/settings/tokens").await.expect(200).lacks(secret).contains(&secret[..10]);
        assert!(service::find_by_token(&app.state, secret, faultline::accounts::Scope::Api).await.unwrap().is_some());
        assert!(service::find_by_token(&app.state, secret, faultline::accounts::Scope::Ingest).await.unwrap().is_none());
        admin.post_form("/settings/tokens/1/revoke", &[]).await.redirects_to("/settings/tokens");
        assert!(service::find_by_token(&app.state, secret, faultline::accounts::Scope::Api).await.unwrap().is_none());
    }

    async fn changes_from_another_site_are_refused(app: TestApp) {
        let mut browser = app.browser(Role::Admin).await;
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
        browser.post_bytes("/settings/tokens", &headers, "name=x&scope=api&role=admin").await.expect(403).contains("another site");
    }
}
