//! Writing in the incident room: the box and its commands, files, inserting, promoting, importing a chat.

use faultline::accounts::Role;

use crate::support::{Browser, TestApp};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0000IHDR";

async fn declare(browser: &mut Browser, title: &str) -> String {
    browser.post_form("/incidents", &[("title", title), ("severity", "SEV3")]).await.expect(303).location().to_owned()
}

async fn ada(app: &TestApp) -> Browser {
    app.browser_of("Ada Lovelace", Role::Responder).await.0
}

fn entry_of(location: &str) -> String {
    location.rsplit_once("entry-").expect("the place of an entry").1.to_owned()
}

const EXPORT: &str = r#"[
  {"type":"message","user":"U1","text":"errors on <https://grafana.example/d/1|the board> &amp; rising","ts":"1795427100.000200","user_profile":{"display_name":"grace"}},
  {"type":"message","subtype":"channel_join","user":"U3","text":"<@U3> has joined","ts":"1795427001.000000"},
  {"type":"message","user":"U2","text":"rolled back, a &lt; b","ts":"1795427400.000300"}
]"#;

on_both! {
    async fn the_boxs_commands_do_what_the_forms_do(app: TestApp) {
        let mut ada = ada(&app).await;
        app.browser_of("Grace Hopper", Role::Responder).await;
        let path = declare(&mut ada, "Cart fails").await;
        let timeline = format!("{path}/timeline");
        let write = |text: &'static str| [("text", text), ("story", "true")];
        ada.post_form(&timeline, &write("/status identified the release leaks")).await.redirects_to(&path);
        ada.post_form(&timeline, &write("/severity 1 everybody is hit")).await.redirects_to(&path);
        ada.post_form(&timeline, &write("/assign commander me")).await.redirects_to(&format!("{path}#roles"));
        ada.post_form(&timeline, &write("/assign scribe grace hopper")).await.redirects_to(&format!("{path}#roles"));
        ada.post_form(&timeline, &write("/assign operations @grace.hopper")).await.redirects_to(&format!("{path}#roles"));
        ada.post_form(&timeline, &write("/task drain the queue")).await.redirects_to(&format!("{path}#tasks"));
        ada.post_form(&timeline, &write("/followup alert on its length")).await.redirects_to(&format!("{path}#tasks"));
        ada.post_form(&timeline, &write("/time -15m first *call*")).await.expect(303);
        ada.post_form(&timeline, &write("//etc/hosts was wrong")).await.expect(303);
        ada.get(&path).await.contains("Status changed from triage to identified: the release leaks")
            .contains("Severity changed from SEV3 to SEV1: everybody is hit")
            .contains("Ada Lovelace is now Commander").contains("Grace Hopper is now Scribe").contains("Grace Hopper is now Operations")
            .contains("drain the queue").contains("Task added (Follow-up): alert on its length")
            .contains("first <em>call</em>").contains("2026-11-23 10:45").contains("<p>/etc/hosts was wrong</p>");
    }

    async fn a_wrong_command_says_how_it_goes_and_keeps_the_text(app: TestApp) {
        let mut ada = ada(&app).await;
        app.browser_of("Grace Hopper", Role::Responder).await;
        app.browser_of("Grace Murray", Role::Responder).await;
        let path = declare(&mut ada, "Cart fails").await;
        let timeline = format!("{path}/timeline");
        for (text, complaint) in [
            ("/stauts resolved", "/stauts is not a command"),
            ("/status gone", "is not a status"),
            ("/status triage", "the incident is already triage"),
            ("/severity 9", "is not a severity"),
            ("/assign captain me", "is not a role"),
            ("/assign scribe nobody@faultline.test", "nobody here has the address"),
            ("/task", "say what is to be done"),
            ("/time soon it broke", "is not a time"),
        ] {
            let answer = ada.post_form(&timeline, &[("text", text)]).await.expect(422).contains(complaint);
            answer.contains(&format!(">{text}</textarea>"));
        }
        ada.post_form(&timeline, &[("text", "/status monitoring")]).await.expect(303);
        ada.post_form(&timeline, &[("text", "/status investigating")]).await.expect(422).contains("needs a reason");
        app.browser(Role::Viewer).await.post_form(&timeline, &[("text", "/status resolved")]).await.expect(403);
    }

    async fn images_and_files_are_kept_by_what_they_are_and_handed_out_harmless(app: TestApp) {
        let mut ada = ada(&app).await;
        let path = declare(&mut ada, "Cart fails").await;
        let entry = ada.post_files(&format!("{path}/timeline"), &[("text", "The graph"), ("story", "true")], &[("file", "graph.txt", PNG)]).await.expect(303);
        ada.get(&path).await.contains("The graph").contains(&format!("<img src=\"{path}/evidence/1/raw\" alt=\"graph.txt\"")).contains(&format!("entry-{}", entry_of(entry.location())));
        let raw = ada.get(&format!("{path}/evidence/1/raw")).await.expect(200);
        assert_eq!(raw.body, PNG);
        assert_eq!((raw.header("content-type"), raw.header("x-content-type-options")), ("image/png", "nosniff"));
        assert_eq!(raw.header("content-security-policy"), "default-src 'none'; sandbox");
        assert_eq!(raw.header("content-disposition"), "inline; filename*=UTF-8''graph.txt");
        let html = b"<script>alert(1)</script>".as_slice();
        ada.post_files(&format!("{path}/files"), &[("note", "from the proxy")], &[("file", "a 'b'.html", html), ("file", "dump.bin", b"a\0b")]).await.expect(303);
        let raw = ada.get(&format!("{path}/evidence/2/raw")).await.expect(200);
        assert_eq!(raw.header("content-type"), "text/plain; charset=utf-8");
        assert!(raw.header("content-disposition").starts_with("attachment; filename*=UTF-8''a%20"), "{}", raw.header("content-disposition"));
        ada.get(&format!("{path}/evidence/2")).await.contains("&#60;script&#62;").lacks("<script>alert");
        ada.get(&format!("{path}/evidence")).await.contains("dump.bin").contains("from the proxy");
        // What is refused is refused whole, and told by name.
        let refused = [("file", "ok.txt", b"fine".as_slice()), ("file", "fake.png", html), ("file", "tool.exe", b"MZ\x90\0")];
        ada.post_files(&format!("{path}/files"), &[("note", "kept note")], &refused).await.expect(422)
            .contains("fake.png: says that it is an image").contains("tool.exe: is a program").contains("kept note").lacks("ok.txt</a>");
        ada.post_files(&format!("{path}/timeline"), &[("text", "kept text")], &[("file", "fake.png", html)]).await.expect(422).contains("kept text").contains("fake.png: says that it is an image");
        let long = "y".repeat(20_001);
        ada.post_files(&format!("{path}/timeline"), &[("text", &long)], &[("file", "fine.png", PNG)]).await.expect(422).contains("must be chosen again").contains("yyyy");
        ada.post_files(&format!("{path}/files"), &[], &[("file", "", b"")]).await.expect(422).contains("choose an image or a file");
        // The same bytes are one piece of evidence; a file that a script sends gives its Markdown.
        let again = ada.post_files(&format!("{path}/files"), &[], &[("file", "other-name.png", PNG)]).await.expect(303);
        assert!(again.location().ends_with("#piece-1"), "{}", again.location());
        // Another's private incident gives nothing away.
        let (mut bo, _) = app.browser_of("Bo", Role::Commander).await;
        let secret = bo.post_form("/incidents", &[("title", "Key stolen"), ("severity", "SEV1"), ("private", "true")]).await.location().to_owned();
        let there = bo.post_files(&format!("{secret}/files"), &[], &[("file", "key.png", PNG)]).await.expect(303).location().to_owned();
        let piece = there.rsplit_once("piece-").unwrap().1;
        bo.get(&format!("{secret}/evidence/{piece}/raw")).await.expect(200);
        ada.get(&format!("{secret}/evidence/{piece}/raw")).await.expect(404);
        ada.get(&format!("{path}/evidence/{piece}/raw")).await.expect(404);
        ada.post_files(&format!("{secret}/files"), &[], &[("file", "x.png", PNG)]).await.expect(404);
        let mut api = app.api(Role::Responder).await;
        let kept = api.post_files("/api/v1/incidents/INC-1/files", &[], &[("file", "notes.txt", b"one")]).await.expect(201).json();
        assert_eq!((kept["items"][0]["kind"].as_str(), kept["items"][0]["title"].as_str()), (Some("file"), Some("notes.txt")));
        api.post_files("/api/v1/incidents/INC-1/files", &[], &[("file", "x.svg", b"<svg/>")]).await.expect(422);
    }

    async fn a_file_that_is_too_large_is_refused_plainly(app: TestApp) {
        let mut ada = ada(&app).await;
        let path = declare(&mut ada, "Cart fails").await;
        let large = vec![b'x'; 10 * 1024 * 1024 + 1];
        ada.post_files(&format!("{path}/files"), &[], &[("file", "big.log", &large)]).await.expect(422).contains("big.log: has 10485 kB; at most 10485 kB are kept");
        let huge = vec![b'x'; 100 * 1024 * 1024];
        ada.post_files(&format!("{path}/files"), &[], &[("file", "huge.log", &huge)]).await.expect(413).contains("larger than the limit");
        let paste = format!("text={}", "x".repeat(100 * 1024 * 1024));
        let form = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
        ada.post_bytes(&format!("{path}/timeline"), &form, paste).await.expect(413).contains("larger than the limit");
        ada.post_form(&format!("{path}/timeline"), &[("text", &"y".repeat(20_001))]).await.expect(422).contains("at most 20000 are kept").contains("yyyy");
        ada.get(&path).await.expect(200).lacks("yyyy");
    }

    async fn an_entry_is_inserted_between_others_and_promoted(app: TestApp) {
        let mut ada = ada(&app).await;
        let path = declare(&mut ada, "Cart fails").await;
        let timeline = format!("{path}/timeline");
        let first = entry_of(ada.post_form(&timeline, &[("text", "Errors rise"), ("occurred_at", "10:00")]).await.location());
        ada.post_form(&timeline, &[("text", "Rolled back"), ("occurred_at", "10:10")]).await.expect(303);
        let form = format!("{timeline}/new?after={first}");
        ada.get(&form).await.expect(200).contains("Errors rise").contains("Rolled back").contains("value=\"2026-11-23 10:05:00\"");
        let wrong = [("text", " "), ("occurred_at", "2026-11-23 10:05:00"), ("after", first.as_str())];
        ada.post_form(&timeline, &wrong).await.expect(422).contains("Errors rise").contains("is needed");
        let right = [("text", "Paged the **team**"), ("occurred_at", "2026-11-23 10:05:00"), ("after", first.as_str()), ("story", "false")];
        let there = ada.post_form(&timeline, &right).await.expect(303).location().to_owned();
        let entry = entry_of(&there);
        assert_eq!(there, format!("{timeline}?entry={entry}#entry-{entry}"));
        let page = ada.get(&timeline).await.text();
        let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is not there"));
        assert!(place("Errors rise") < place("Paged the") && place("Paged the") < place("Rolled back"));
        assert!(page.contains("Paged the **team**"), "activity is plain");
        ada.post_form(&format!("{timeline}/{entry}/layer"), &[("story", "true"), ("from", "timeline")]).await.redirects_to(&there);
        ada.get(&format!("{timeline}?layer=story")).await.contains("Paged the <strong>team</strong>");
        ada.get(&format!("{timeline}?q=PAGED")).await.contains("Paged the").lacks("Errors rise");
        let newest = ada.get(&format!("{timeline}?order=newest")).await.text();
        assert!(newest.find("Rolled back") < newest.find("Errors rise"));
        ada.post_form(&format!("{timeline}/{entry}"), &[("text", "Paged the team twice"), ("version", "2")]).await.expect(303);
        ada.get(&format!("{timeline}/{entry}")).await.contains("diff-removed").contains("Paged the **team**").contains("Paged the team twice");
        ada.get(&format!("{timeline}?entry=999")).await.expect(404);
    }

    async fn a_chat_export_is_looked_at_first_and_imported_once(app: TestApp) {
        let mut ada = ada(&app).await;
        let path = declare(&mut ada, "Cart fails").await;
        let import = format!("{path}/timeline/import");
        ada.get(&import).await.expect(200);
        ada.post_form(&import, &[("export", "{\"messages\": 1}")]).await.expect(422).contains("is not a Slack export");
        ada.post_files(&import, &[], &[]).await.expect(422).contains("is needed");
        ada.post_files(&import, &[("story", "true")], &[("file", "2026-11-23.json", EXPORT.as_bytes())]).await.expect(200)
            .contains("2 messages would be added").contains("grace").contains("1 joins, renames");
        ada.get(&path).await.lacks("rolled back, a");
        let preview = ada.post_form(&import, &[("export", EXPORT)]).await.expect(200).text();
        let kept = preview.split("aria-label=\"The export\">").nth(1).unwrap().split("</textarea>").next().unwrap();
        let kept = kept.replace("&quot;", "\"").replace("&#34;", "\"").replace("&#60;", "<").replace("&lt;", "<").replace("&#62;", ">").replace("&gt;", ">").replace("&#38;", "&").replace("&amp;", "&");
        ada.post_form(&import, &[("export", &kept), ("confirm", "true"), ("story", "true")]).await.redirects_to(&format!("{path}/timeline?kind=import"));
        let page = ada.get(&format!("{path}/timeline?kind=import")).await.contains("grace (chat, imported by Ada Lovelace)").contains("rolled back, a &lt; b").text();
        assert!(page.contains("href=\"https://grafana.example/d/1\"") && page.contains("rising"), "{page}");
        ada.post_form(&import, &[("export", EXPORT), ("confirm", "true")]).await.expect(303);
        ada.get(&format!("{path}/timeline?kind=import")).await.contains("2 entries");
        ada.post_form(&import, &[("export", EXPORT)]).await.expect(200).contains("0 messages would be added").contains("there already");
        let mut api = app.api(Role::Responder).await;
        let messages: serde_json::Value = serde_json::from_str(EXPORT).unwrap();
        let told = api.post_json("/api/v1/incidents/INC-1/timeline/import", &serde_json::json!({ "messages": messages })).await.expect(200).json();
        assert_eq!((told["new"].as_i64(), told["known"].as_i64(), told["written"].as_bool()), (Some(0), Some(2), Some(false)));
    }
}
