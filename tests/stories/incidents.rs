//! Running an incident in the browser: from the declaration to the end, with its times, its timeline,
//! its evidence, its tasks, and who may see it.

use chrono::TimeDelta;
use faultline::accounts::Role;

use crate::support::Browser;

/// Declares an incident by form and gives its path.
async fn declare(browser: &mut Browser, title: &str, more: &[(&str, &str)]) -> String {
    let mut form = vec![("title", title), ("severity", "SEV2")];
    form.extend_from_slice(more);
    let answer = browser.post_form("/incidents", &form).await.expect(303);
    answer.location().to_owned()
}

on_both! {
    async fn an_incident_is_declared_run_and_resolved(app: TestApp) {
        let mut ada = app.browser_of("Ada", Role::Responder).await.0;
        ada.get("/").await.expect(200).contains("Nothing is on fire");
        ada.get("/incidents").await.expect(200).contains("No incident yet");
        ada.post_form("/services", &[("name", "Cart"), ("tier", "1"), ("owner_team", "shop")]).await.redirects_to("/services/cart");
        let path = declare(&mut ada, "Cart fails", &[("services", "cart"), ("impact_started_at", "-20m")]).await;
        assert_eq!(path, "/incidents/INC-1");
        ada.get(&path).await.expect(200).contains("Cart fails").contains("20m so far").contains("nobody yet").contains("taken as the time of the declaration");
        ada.post_form(&format!("{path}/roles"), &[("role", "commander"), ("email", "me")]).await.expect(303);
        ada.get(&path).await.contains("Ada").lacks("nobody yet");
        app.advance(chrono::TimeDelta::minutes(5));
        ada.post_form(&format!("{path}/status"), &[("status", "investigating"), ("reason", "looking")]).await.redirects_to(&path);
        app.advance(chrono::TimeDelta::minutes(5));
        ada.post_form(&format!("{path}/status"), &[("status", "resolved"), ("reason", "rolled back")]).await.redirects_to(&path);
        ada.get(&path).await.contains("Status changed from investigating to resolved: rolled back").contains("30m");
        ada.get("/").await.contains("Nothing is on fire").contains("Cart fails");
        ada.get("/incidents?status=open").await.contains("No incident matches");
        ada.get("/incidents?service=cart&severity=SEV2&q=cart").await.contains("INC-1");
        ada.get("/services/cart").await.expect(200).contains("shop");
        ada.get("/services").await.expect(200).lacks("/incidents?status=open");
        declare(&mut ada, "Cart fails again", &[("services", "cart")]).await;
        ada.get("/services").await.contains("/incidents?status=open&#38;service=cart");
    }

    async fn the_clock_of_a_declined_incident_does_not_run_on(app: TestApp) {
        let mut ada = app.browser_of("Ada", Role::Responder).await.0;
        let path = declare(&mut ada, "A blip", &[("impact_started_at", "-20m")]).await;
        ada.get("/incidents").await.contains(">20m");
        ada.post_form(&format!("{path}/status"), &[("status", "declined"), ("reason", "a test")]).await.expect(303);
        app.advance(chrono::TimeDelta::days(3));
        ada.get("/incidents").await.expect(200).contains("A blip").lacks(">3d");
    }

    async fn what_is_wrong_with_a_declaration_is_named_beside_the_field(app: TestApp) {
        let mut ada = app.browser(Role::Responder).await;
        let form = [("title", " "), ("severity", "SEV1"), ("services", "nope"), ("impact_started_at", "11:00"), ("detected_at", "10:00"), ("summary", "kept text")];
        let answer = ada.post_form("/incidents", &form).await.expect(422);
        let answer = answer.contains("is needed").contains("2026-11-23 11:00:00 UTC").contains("2026-11-23 10:00:00 UTC").contains("kept text");
        drop(answer);
        let unknown = [("title", "x"), ("severity", "SEV1"), ("services", "nope, nada")];
        ada.post_form("/incidents", &unknown).await.expect(422).contains("the catalogue does not know &#39;nope&#39;, &#39;nada&#39;");
        app.browser(Role::Viewer).await.post_form("/incidents", &unknown).await.expect(403);
    }

    async fn a_milestone_is_corrected_with_its_history_and_never_put_out_of_order(app: TestApp) {
        let mut ada = app.browser_of("Ada", Role::Responder).await.0;
        let path = declare(&mut ada, "Slow search", &[("impact_started_at", "10:30")]).await;
        let detected = format!("{path}/milestones/detected");
        let early = [("at", "10:00"), ("reason", "first page")];
        ada.post_form(&detected, &early).await.expect(422)
            .contains("Impact started (2026-11-23 10:30:00 UTC) must not be later than Detected (2026-11-23 10:00:00 UTC)")
            .contains("first page");
        ada.post_form(&detected, &[("at", "10:40"), ("reason", "")]).await.expect(422).contains("times are evidence");
        ada.post_form(&detected, &[("at", "10:40"), ("reason", "the pager says so")]).await.expect(303);
        ada.get(&path).await.contains("the pager says so").contains("corrected").contains("2 values");
        ada.get(&detected).await.contains("2026-11-23 11:00:00").contains("2026-11-23 10:40:00").contains("stands");
        ada.post_form(&format!("{detected}/clear"), &[("reason", "it was another alert")]).await.expect(303);
        ada.get(&path).await.contains("Detected was cleared: it was another alert");
        ada.get(&detected).await.contains("2026-11-23 10:40:00").contains("cleared");
    }

    async fn going_back_needs_a_reason_and_takes_the_later_times_away(app: TestApp) {
        let mut ada = app.browser(Role::Responder).await;
        let path = declare(&mut ada, "Queue stuck", &[]).await;
        let status = format!("{path}/status");
        ada.post_form(&status, &[("status", "monitoring")]).await.expect(303);
        ada.post_form(&status, &[("status", "investigating")]).await.expect(422).contains("needs a reason");
        ada.post_form(&status, &[("status", "investigating"), ("reason", "it is back")]).await.expect(303);
        ada.get(&format!("{path}/milestones/mitigated")).await.contains("back to investigating: it is back");
        ada.post_form(&status, &[("status", "merged")]).await.expect(422).contains("by merging it into another one");
        ada.post_form(&status, &[("status", "resolved"), ("at", "12:00 tomorrow")]).await.expect(422).contains("is not a time");
    }

    async fn the_timeline_keeps_both_times_edits_and_strikes(app: TestApp) {
        let mut ada = app.browser_of("Ada", Role::Responder).await.0;
        let mut bo = app.browser_of("Bo", Role::Responder).await.0;
        let path = declare(&mut ada, "Mail late", &[]).await;
        let answer = ada.post_form(&format!("{path}/timeline"), &[("text", "**Rolled** back"), ("occurred_at", "-15m"), ("story", "true")]).await;
        let entry = answer.location().rsplit_once("entry-").unwrap().1.to_owned();
        ada.get(&path).await.contains("<strong>Rolled</strong> back").contains("written down");
        let page = format!("{path}/timeline/{entry}");
        let edit = |text: &'static str, version: &'static str| [("text", text), ("occurred_at", "10:45"), ("story", "true"), ("version", version)];
        bo.post_form(&page, &edit("Rolled back to 1.3", "1")).await.redirects_to(&page);
        ada.post_form(&page, &edit("Rolled back by me", "1")).await.expect(409).contains("Rolled back to 1.3").contains("Rolled back by me");
        ada.get(&page).await.contains("Version 1").contains("replaced").contains("by Bo");
        ada.post_form(&format!("{page}/strike"), &[]).await.expect(303);
        ada.get(&format!("{path}/timeline")).await.contains("struck out by Ada").contains("Rolled back to 1.3");
        ada.post_form(&format!("{page}/restore"), &[]).await.expect(303);
        ada.get(&format!("{path}/timeline?layer=story")).await.contains("Rolled back to 1.3").lacks("struck out").lacks("Declared as");
        ada.post_form(&format!("{path}/timeline"), &[("text", "<script>alert(1)</script>"), ("story", "true")]).await.expect(303);
        ada.post_form(&format!("{path}/timeline"), &[("text", "<b>raw</b>"), ("story", "false")]).await.expect(303);
        ada.get(&path).await.lacks("<script>alert").lacks("<b>raw");
        ada.post_form(&format!("{path}/timeline"), &[("text", "  "), ("occurred_at", "2030-01-01 10:00")]).await.expect(422).contains("future");
    }

    async fn evidence_is_kept_with_the_incident(app: TestApp) {
        let mut ada = app.browser(Role::Responder).await;
        let path = declare(&mut ada, "Errors", &[]).await;
        let list = format!("{path}/evidence");
        ada.get(&list).await.expect(200).contains("Nothing attached yet");
        ada.post_form(&list, &[("kind", "link"), ("reference", "javascript:alert(1)")]).await.expect(422).contains("http or https");
        ada.post_form(&list, &[("kind", "log"), ("text", "ERROR out of memory\nat main")]).await.expect(303);
        ada.post_form(&list, &[("kind", "link"), ("reference", "https://grafana.example/d/1"), ("title", "The board")]).await.expect(303);
        ada.get(&list).await.contains("ERROR out of memory").contains("The board").contains("27 B");
        ada.get(&format!("{list}/1")).await.contains("at main");
        let raw = ada.get(&format!("{list}/1/raw")).await.expect(200);
        assert_eq!((raw.text().as_str(), raw.header("content-disposition")), ("ERROR out of memory\nat main", "attachment"));
        ada.post_form(&format!("{list}/2/remove"), &[]).await.expect(303);
        ada.get(&list).await.lacks("The board");
        ada.get(&format!("{list}/2")).await.expect(404);
    }

    async fn tasks_have_owners_and_end(app: TestApp) {
        let mut ada = app.browser_of("Ada", Role::Responder).await.0;
        let path = declare(&mut ada, "Errors", &[]).await;
        let tasks = format!("{path}/tasks");
        ada.post_form(&tasks, &[("title", "Drain it"), ("owner", "nobody@faultline.test")]).await.expect(422).contains("nobody here has the address").contains("Drain it");
        ada.post_form(&tasks, &[("title", "Drain it"), ("owner", "ada@faultline.test"), ("due_at", "-5m")]).await.expect(303);
        ada.get("/").await.contains("Drain it").contains("late");
        ada.post_form(&format!("{tasks}/1"), &[("state", "done")]).await.expect(303);
        ada.get("/").await.lacks("Drain it");
        ada.get(&path).await.contains("Task done: Drain it").contains("0 open of 1");
        ada.post_form(&format!("{tasks}/1"), &[("title", "Drain them"), ("version", "1")]).await.expect(422).contains("somebody else changed this task");
    }

    async fn the_list_is_made_once_for_those_who_see_the_same(app: TestApp) {
        let mut ada = app.browser_of("Ada", Role::Commander).await.0;
        let mut bo = app.browser_of("Bo", Role::Viewer).await.0;
        let mut cleo = app.browser_of("Cleo", Role::Commander).await.0;
        ada.get("/incidents").await.contains("No incident yet").contains("<summary>Ada</summary>").contains("/incidents/import");
        bo.get("/incidents").await.contains("No incident yet").contains("<summary>Bo</summary>").lacks("/incidents/import");
        declare(&mut ada, "Cart fails", &[]).await;
        bo.get("/incidents").await.contains("Cart fails").contains("1 in all");
        bo.get("/incidents?q=mail").await.contains("No incident matches").contains("value=\"mail\"");
        // Private ones: what Ada is given is not given to Cleo, who may do the same.
        declare(&mut ada, "Stolen key", &[("private", "true")]).await;
        ada.get("/incidents").await.contains("Stolen key").contains("2 in all");
        cleo.get("/incidents").await.contains("Cart fails").lacks("Stolen key").contains("1 in all").contains("<summary>Cleo</summary>");
        bo.get("/incidents").await.lacks("Stolen key");
        ada.get("/incidents?severity=9&q=cart").await.expect(422).contains("value=\"cart\"");
        // A second later the times are told anew, although nothing was committed.
        app.advance(TimeDelta::hours(3));
        bo.get("/incidents").await.contains("3h");
    }

    async fn a_private_incident_is_seen_by_those_named_and_by_administrators_only(app: TestApp) {
        let mut ada = app.browser_of("Ada", Role::Commander).await.0;
        let (mut bo, _) = app.browser_of("Bo", Role::Commander).await;
        let mut admin = app.browser(Role::Admin).await;
        let path = declare(&mut ada, "Stolen key", &[("private", "true")]).await;
        ada.post_form(&format!("{path}/tasks"), &[("title", "Rotate the secret"), ("owner", "bo@faultline.test")]).await.expect(303);
        let below = ["", "/timeline", "/evidence", "/edit", "/milestones/detected", "/timeline/1", "/tasks/1"];
        for part in below {
            bo.get(&format!("{path}{part}")).await.expect(404).lacks("Stolen key");
        }
        bo.get("/").await.expect(200).lacks("Stolen key").lacks("Rotate the secret").contains("Nothing is on fire");
        bo.get("/incidents").await.lacks("Stolen key").contains("No incident yet");
        for (part, form) in [("/status", ("status", "resolved")), ("/timeline", ("text", "x")), ("/merge", ("into", "INC-9")), ("/tasks", ("title", "x")), ("/roles", ("role", "scribe"))] {
            bo.post_form(&format!("{path}{part}"), &[form]).await.expect(404);
        }
        let public = declare(&mut bo, "Public one", &[]).await;
        bo.post_form(&format!("{public}/merge"), &[("into", "INC-1")]).await.expect(422).contains("is not an incident").lacks("Stolen key");
        admin.get(&path).await.expect(200).contains("Stolen key");
        let access = format!("{path}/access");
        ada.post_form(&access, &[("action", "grant"), ("email", "bo@faultline.test")]).await.expect(303);
        bo.get(&path).await.expect(200).contains("Stolen key");
        bo.get("/").await.contains("Rotate the secret");
        ada.post_form(&access, &[("action", "revoke"), ("email", "bo@faultline.test")]).await.expect(303);
        bo.get(&path).await.expect(404);
        ada.post_form(&access, &[("action", "public")]).await.expect(303);
        bo.get(&path).await.expect(200);
    }

    async fn a_merge_points_onwards_and_can_be_undone(app: TestApp) {
        let mut ada = app.browser(Role::Commander).await;
        let first = declare(&mut ada, "Cart down", &[]).await;
        let second = declare(&mut ada, "Cart is down again", &[]).await;
        ada.post_form(&format!("{second}/merge"), &[("into", "inc-2")]).await.expect(422).contains("is the same incident");
        ada.post_form(&format!("{second}/merge"), &[("into", "INC-77")]).await.expect(422).contains("is not an incident");
        ada.post_form(&format!("{second}/merge"), &[("into", "INC-1"), ("reason", "one fault")]).await.redirects_to(&first);
        ada.get(&first).await.contains("Merged into this one").contains("Cart is down again");
        ada.get(&second).await.contains("work goes on there");
        ada.post_form(&format!("{second}/status"), &[("status", "resolved")]).await.expect(422).contains("undoing its merge");
        ada.post_form(&format!("{second}/unmerge"), &[]).await.redirects_to(&second);
        ada.get(&second).await.lacks("work goes on there").contains("triage");
    }

    async fn two_people_editing_one_incident_lose_nothing(app: TestApp) {
        let mut ada = app.browser(Role::Responder).await;
        let path = declare(&mut ada, "Errors", &[("summary", "first")]).await;
        let edit = format!("{path}/edit");
        let form = |summary: &'static str| [("title", "Errors"), ("severity", "SEV2"), ("summary", summary), ("version", "1")];
        ada.post_form(&edit, &form("hers")).await.redirects_to(&path);
        ada.post_form(&edit, &form("mine")).await.expect(409).contains("hers").contains("mine");
        ada.get(&path).await.contains("hers").contains("Summary changed");
    }
}
