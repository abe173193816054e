//! Reviews, comments and suggestions, handwriting that survives a new draft, and who may read a postmortem.

use faultline::accounts::Role;
use faultline::db::Db;
use serde_json::json;

use crate::runbooks::declared;
use crate::support::TestApp;

async fn drafted(app: &TestApp, title: &str, private: bool) -> String {
    let id = declared(app, title, private).await;
    let path = format!("/incidents/{id}/postmortem");
    app.browser(Role::Admin).await.post_form(&path, &[]).await.redirects_to(&path);
    path
}

async fn number(db: &Db, sql: &'static str) -> i64 {
    db.fetch_scalar(sql, vec![]).await.unwrap()
}

on_both! {
    async fn a_review_leads_to_publication(app: TestApp) {
        let path = drafted(&app, "Cart fails", false).await;
        let (mut ada, _) = app.browser_of("Ada", Role::Responder).await;
        let (mut bob, _) = app.browser_of("Bob", Role::Responder).await;
        let (mut cleo, _) = app.browser_of("Cleo", Role::Commander).await;
        ada.post_form(&format!("{path}/reviewers"), &[("reviewer", "nobody@faultline.test")]).await.expect(422).contains("nobody has the address");
        ada.post_form(&format!("{path}/reviewers"), &[("reviewer", "bob@faultline.test")]).await.redirects_to(&format!("{path}#review"));
        ada.get(&path).await.expect(200).contains("In review").contains("asked").lacks("Ask for changes");
        ada.post_form(&format!("{path}/review"), &[("verdict", "approved")]).await.expect(403);
        bob.get(&path).await.expect(200).contains("Ask for changes");
        bob.post_form(&format!("{path}/review"), &[("verdict", "changes"), ("note", "")]).await.expect(422).contains("what should change?");
        bob.post_form(&format!("{path}/review"), &[("verdict", "changes"), ("note", "Who was hit?")]).await.redirects_to(&format!("{path}#review"));
        let refused = cleo.post_form(&format!("{path}/state"), &[("state", "published")]).await.expect(422);
        refused.contains("Bob asks for changes").contains("not ticked: ").contains("Publish all the same");
        bob.post_form(&format!("{path}/review"), &[("verdict", "approved")]).await.redirects_to(&format!("{path}#review"));
        let all = [("item", "data_kept"), ("item", "impact_complete"), ("item", "cause_deep"), ("item", "actions_sound"), ("item", "shared")];
        bob.post_form(&format!("{path}/checklist"), &all).await.redirects_to(&format!("{path}#review"));
        cleo.post_form(&format!("{path}/state"), &[("state", "published")]).await.redirects_to(&path);
        assert_eq!(number(&app.state.db, "SELECT COUNT(*) FROM outbox_events WHERE event LIKE '%postmortem.published%'").await, 1);
        bob.post_form(&format!("{path}/review"), &[("verdict", "changes"), ("note", "late")]).await.expect(409);
        bob.post_form(&format!("{path}/checklist"), &[]).await.expect(409);
    }

    async fn a_commander_may_publish_before_the_review_is_through_and_the_record_says_so(app: TestApp) {
        let path = drafted(&app, "Cart fails", false).await;
        let (_, _) = app.browser_of("Bob", Role::Responder).await;
        let mut cleo = app.browser(Role::Commander).await;
        cleo.post_form(&format!("{path}/reviewers"), &[("reviewer", "bob@faultline.test")]).await;
        cleo.post_form(&format!("{path}/state"), &[("state", "published"), ("confirm", "on")]).await.redirects_to(&path);
        assert_eq!(number(&app.state.db, "SELECT COUNT(*) FROM timeline_entries WHERE text LIKE '%before the review was through: Bob has not answered%'").await, 1);
    }

    async fn comments_are_settled_and_suggestions_taken_over(app: TestApp) {
        let path = drafted(&app, "Cart fails", false).await;
        let (mut ada, _) = app.browser_of("Ada", Role::Responder).await;
        let (mut bob, _) = app.browser_of("Bob", Role::Responder).await;
        let section = format!("{path}/sections/went_well");
        ada.post_form(&section, &[("body", "one\n\ntwo\n\nthree"), ("base", "1")]).await.redirects_to(&format!("{path}#went_well"));
        bob.post_form(&format!("{section}/comments"), &[("comment", ""), ("base", "2")]).await.expect(422).contains("is needed");
        bob.post_form(&format!("{section}/comments"), &[("comment", "Is *two* true? <script>alert(1)</script>"), ("base", "2")]).await.redirects_to(&format!("{path}#went_well"));
        bob.post_form(&format!("{section}/suggest"), &[("body", "one\n\ntwo\n\nthree"), ("base", "2")]).await.expect(422).contains("changes nothing");
        bob.post_form(&format!("{section}/suggest"), &[("body", "one\n\ntwo\n\nthree and a half"), ("comment", "more exact"), ("base", "2")]).await.redirects_to(&format!("{path}#went_well"));
        // Meanwhile Ada changes another line: taking the suggestion over keeps both.
        ada.post_form(&section, &[("body", "ONE\n\ntwo\n\nthree"), ("base", "2")]).await.redirects_to(&format!("{path}#went_well"));
        ada.get(&path).await.expect(200).contains("Is <em>two</em> true?").contains("more exact").contains("three and a half").lacks("<script>alert");
        let suggestion = number(&app.state.db, "SELECT MAX(id) FROM postmortem_comments").await;
        ada.post_form(&format!("{path}/comments/{suggestion}"), &[("press", "take")]).await.redirects_to(&format!("{path}#review"));
        let kept: String = app.state.db.fetch_scalar("SELECT body FROM postmortem_sections WHERE section = 'went_well'", vec![]).await.unwrap();
        assert_eq!(kept, "ONE\n\ntwo\n\nthree and a half");
        ada.post_form(&format!("{path}/comments/{suggestion}"), &[("press", "take")]).await.expect(409);
        ada.post_form(&format!("{path}/comments/{}", suggestion - 1), &[("press", "settled")]).await.redirects_to(&format!("{path}#went_well"));
        ada.get(&path).await.expect(200).contains("settled by Ada").contains("taken by Ada");
        // Both changed the same line: both texts are shown, nothing is saved.
        bob.post_form(&format!("{section}/suggest"), &[("body", "uno\n\ntwo\n\nthree and a half"), ("base", "4")]).await;
        ada.post_form(&section, &[("body", "eins\n\ntwo\n\nthree and a half"), ("base", "4")]).await;
        let clash = ada.post_form(&format!("{path}/comments/{}", suggestion + 1), &[("press", "take")]).await.expect(409);
        clash.contains("uno").contains("eins");
        let mut viewer = app.browser(Role::Viewer).await;
        viewer.post_form(&format!("{section}/comments"), &[("comment", "hello")]).await.expect(403);
    }

    async fn a_new_draft_keeps_what_was_written_by_hand(app: TestApp) {
        let path = drafted(&app, "Cart fails", false).await;
        let mut ada = app.browser(Role::Responder).await;
        let section = format!("{path}/sections/impact");
        let draft: String = app.state.db.fetch_scalar("SELECT body FROM postmortem_sections WHERE section = 'impact'", vec![]).await.unwrap();
        let question = draft.lines().find(|l| l.starts_with("*How many users")).unwrap().to_owned();
        let written = draft.replace(&question, "1,200 orders were lost.");
        ada.post_form(&section, &[("body", &written), ("base", "1")]).await.redirects_to(&format!("{path}#impact"));
        // The record learns another service; drafting anew brings it in and leaves the sentence alone.
        let tx = app.state.db.begin().await.unwrap();
        let slug = faultline::services::ensure_discovered(&tx, "payments", app.state.now()).await.unwrap();
        let id: i64 = app.state.db.fetch_scalar("SELECT id FROM incidents", vec![]).await.unwrap();
        let by = faultline::incidents::By::system("Test");
        faultline::incidents::add_service(&tx, faultline::incidents::IncidentId(id), &slug, &by, app.state.now()).await.unwrap();
        tx.commit().await.unwrap();
        ada.get(&section).await.expect(200).contains("Bring in what is new").contains("payments");
        ada.post_form(&format!("{section}/regenerate"), &[("base", "2")]).await.redirects_to(&format!("{path}#impact"));
        ada.get(&path).await.expect(200).contains("1,200 orders were lost.").contains("payments");
        ada.post_form(&format!("{section}/regenerate"), &[("base", "3"), ("how", "replace")]).await.redirects_to(&format!("{path}#impact"));
        ada.get(&path).await.expect(200).lacks("1,200 orders were lost.").contains("How many users");
        ada.get(&format!("{section}/versions")).await.expect(200).contains("1,200 orders were lost.");
    }

    async fn readers_are_responders_everybody_or_the_public(app: TestApp) {
        let path = drafted(&app, "Ada broke db-7", false).await;
        let public = format!("/status/postmortems/{}", path.split('/').nth(2).unwrap());
        let (mut ada, _) = app.browser_of("Ada Lovelace", Role::Responder).await;
        let mut cleo = app.browser(Role::Commander).await;
        let mut viewer = app.browser(Role::Viewer).await;
        viewer.get(&path).await.expect(200);
        ada.post_form(&format!("{path}/audience"), &[("audience", "private")]).await.redirects_to(&format!("{path}#audience"));
        for hidden in [path.clone(), format!("{path}/export.md"), format!("{path}/sections/impact/versions"), format!("/api/v1{path}")] {
            viewer.get(&hidden).await.expect(404);
        }
        viewer.get("/postmortems").await.expect(200).lacks("db-7");
        viewer.get("/search?q=postmortem%20cart").await.expect(200).lacks("/postmortem\"");
        ada.get("/postmortems").await.expect(200).contains("db-7");

        ada.post_form(&format!("{path}/audience"), &[("audience", "everybody")]).await.expect(422);
        ada.post_form(&format!("{path}/audience"), &[("audience", "public"), ("words", "db-7")]).await.expect(422).contains("choose at least one section");
        ada.post_form(&format!("{path}/sections/summary"), &[("body", "Ada Lovelace (ada@example.org) restarted **db-7** at 10.0.0.7, see [the board](https://secret.example/x). ![x](/static/x.png)"), ("base", "1")]).await;
        ada.post_form(&format!("{path}/sections/recovery"), &[("body", "d**b-7** again"), ("base", "1")]).await;
        let set = [("audience", "public"), ("words", "db-7"), ("section", "summary"), ("section", "recovery")];
        ada.post_form(&format!("{path}/audience"), &set).await.redirects_to(&format!("{path}#audience"));
        app.visitor().get(&public).await.expect(404);
        ada.get(&format!("{path}/public")).await.expect(200).contains("This is what the public reads");
        cleo.post_form(&format!("{path}/state"), &[("state", "published")]).await.redirects_to(&path);
        let page = app.visitor().get(&public).await.expect(200);
        let html = page.text();
        page.contains("[a colleague] ([e-mail]) restarted <strong>[redacted]</strong> at [address], see <span>the board</span>").contains("This section is withheld");
        for secret in ["Lovelace", "db-7", "10.0.0.7", "secret.example", "ada@", "Impact", "x.png"] {
            assert!(!html.contains(secret), "{secret} in {html}");
        }
        cleo.post_form(&format!("{path}/state"), &[("state", "draft")]).await.redirects_to(&path);
        app.visitor().get(&public).await.expect(404);
        app.visitor().get("/status/postmortems/INC-999").await.expect(404);
        app.visitor().get("/status/postmortems/nonsense").await.expect(404);
    }

    async fn a_private_incident_has_no_public_postmortem(app: TestApp) {
        let path = drafted(&app, "Leaked key", true).await;
        let mut admin = app.browser(Role::Admin).await;
        admin.post_form(&format!("{path}/audience"), &[("audience", "public"), ("section", "summary")]).await.expect(422).contains("cannot be public");
        let mut outsider = app.browser(Role::Commander).await;
        for part in ["reviewers", "review", "checklist", "audience", "comments/1", "sections/impact/comments", "sections/impact/suggest", "recurrences"] {
            outsider.post_form(&format!("{path}/{part}"), &[("verdict", "approved"), ("press", "take"), ("comment", "x")]).await.expect(404);
        }
        outsider.get(&format!("{path}/public")).await.expect(404);
    }

    async fn reviews_by_api(app: TestApp) {
        let path = format!("/api/v1{}", drafted(&app, "Cart fails", false).await);
        let (_, _) = app.browser_of("Bob", Role::Responder).await;
        let mut api = app.api(Role::Commander).await;
        let put = axum::http::Method::PUT;
        assert_eq!(api.post_json(&format!("{path}/reviewers"), &json!({ "reviewer": "bob@faultline.test" })).await.expect(200).json()["reviewers"][0]["verdict"], "waiting");
        api.post_json(&format!("{path}/review"), &json!({ "verdict": "approved" })).await.expect(403);
        api.post_json(&format!("{path}/comments"), &json!({ "section": "impact", "comment": "who?" })).await.expect(201);
        api.post_json(&format!("{path}/comments"), &json!({ "section": "impct", "comment": "who?" })).await.expect(422);
        api.json(put.clone(), &path, &json!({ "state": "published" })).await.expect(422).contains("has not answered yet").contains("1 comment is open");
        let set = json!({ "audience": "public", "sections": ["summary"], "words": ["acme"] });
        assert_eq!(api.json(put.clone(), &format!("{path}/audience"), &set).await.expect(200).json()["audience"], "public");
        assert_eq!(api.json(put, &path, &json!({ "state": "published", "confirm": true })).await.expect(200).json()["state"], "published");
        assert_eq!(api.get(&path).await.expect(200).json()["comments"][0]["body"], "who?");
    }
}
