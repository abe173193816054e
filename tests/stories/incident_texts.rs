//! Whatever is written into the fields of an incident's room stays text.

use faultline::accounts::Role;

use crate::support::Browser;

fn injections() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/markdown_injection.txt");
    std::fs::read_to_string(path).expect("the list").split("\n%%\n").map(|s| s.trim_matches('\n').to_owned()).collect()
}

/// What is live in a page: elements that run or load, handlers, and addresses that run. The page's own
/// script and style are taken away first; text inside elements is escaped and so is not found.
fn live_markup(page: &str) -> Option<String> {
    let lower = page.to_ascii_lowercase();
    let own = ["<script type=\"module\" src=\"/static/", "<link rel=\"stylesheet\" href=\"/static/"];
    let tags = lower.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or_default());
    for tag in tags {
        let name: String = tag.chars().take_while(char::is_ascii_alphanumeric).collect();
        let full = format!("<{tag}");
        // An end tag alone does nothing, and our own script has one.
        if tag.starts_with('/') {
            continue;
        }
        if own.iter().any(|o| full.starts_with(o)) {
            continue;
        }
        let forbidden = [
            "script", "style", "iframe", "object", "embed", "base", "svg", "math", "frame", "applet", "video", "audio",
        ];
        // SVG of our own charts carries a class of ours and no address.
        if forbidden.contains(&name.as_str()) && !tag.contains("class=\"") {
            return Some(full);
        }
        let attributes = tag.split('"').step_by(2).collect::<Vec<_>>().join(" ");
        if attributes.split_whitespace().any(|a| a.starts_with("on") && a.contains('=')) {
            return Some(full);
        }
        for address in [
            "href=\"javascript",
            "src=\"javascript",
            "href=\"data:",
            "action=\"javascript",
            "href=\"vbscript",
            "srcdoc=",
        ] {
            if tag.contains(address) && !tag.contains("value=\"") {
                return Some(full);
            }
        }
        if name == "img" && !tag.contains("src=\"/") {
            return Some(full);
        }
    }
    None
}

/// Every form of the room, with the text in each of its fields; `{}` is the incident's path.
const FORMS: [(&str, &[&str]); 15] = [
    ("{}/next-update", &["due"]),
    ("{}/timeline", &["text", "occurred_at"]),
    ("{}/status", &["status", "reason", "at"]),
    ("{}/roles", &["email"]),
    ("{}/edit", &["title", "summary", "severity", "kind", "services", "reason"]),
    ("{}/tasks", &["title", "owner", "due_at", "kind"]),
    ("{}/impacts", &["what", "affected", "started_at", "ended_at"]),
    ("{}/impacts/1", &["what", "affected", "started_at", "ended_at"]),
    ("{}/links", &["other", "relation"]),
    ("{}/evidence", &["reference", "text", "title", "note", "occurred_at", "kind"]),
    ("{}/milestones/detected", &["at", "reason"]),
    ("{}/milestones/detected/clear", &["reason"]),
    ("{}/merge", &["into", "reason"]),
    ("{}/access", &["email"]),
    ("{}/timeline/import", &["export", "from", "to"]),
];

/// What makes the other fields of a form right, so that the text is also kept, not only refused.
const RIGHT: [(&str, &str); 9] = [
    ("role", "scribe"),
    ("text", "words"),
    ("what", "words"),
    ("title", "words"),
    ("action", "grant"),
    ("kind", "log"),
    ("at", "-1m"),
    ("reason", "words"),
    ("status", "investigating"),
];

async fn fill_all(browser: &mut Browser, path: &str, text: &str) {
    for (form, fields) in FORMS {
        let url = form.replace("{}", path);
        for field in fields {
            let others = RIGHT
                .iter()
                .filter(|(name, _)| name != field && (fields.contains(name) || *name == "role" || *name == "action"));
            let mut pairs: Vec<(&str, &str)> =
                others.copied().filter(|(name, _)| *name != "kind" || url.ends_with("evidence")).collect();
            pairs.push((field, text));
            let answer = browser.post_form(&url, &pairs).await;
            assert!(answer.status.as_u16() < 500, "{url} {field}: {text}\n{}", answer.text());
            assert_eq!(live_markup(&answer.text()), None, "{url} {field}: {text}");
        }
    }
}

const PAGES: [&str; 9] = [
    "",
    "/timeline",
    "/timeline/1",
    "/evidence",
    "/edit",
    "/milestones/detected",
    "/impacts/1",
    "/tasks/1",
    "/timeline/new?after=1",
];

on_both! {
    async fn nothing_that_is_typed_into_a_field_becomes_markup(app: TestApp) {
        let mut ada = app.browser_of("Ada", Role::Admin).await.0;
        let all = injections();
        assert!(all.len() > 20, "the list is read");
        let first = ada.post_form("/incidents", &[("title", "Cart fails"), ("severity", "SEV2")]).await.expect(303).location().to_owned();
        ada.post_form(&format!("{first}/impacts"), &[("what", "Checkout fails")]).await.expect(303);
        ada.post_form(&format!("{first}/tasks"), &[("title", "Drain")]).await.expect(303);
        // Each text in each field of each form is many requests: a sample for each engine will do.
        let step = if app.backend == crate::support::Backend::Postgres { 40 } else { 10 };
        for text in all.iter().step_by(step) {
            fill_all(&mut ada, &first, text).await;
            ada.post_form("/settings/incident-templates", &[("name", text), ("severity", "SEV1"), ("title", text), ("summary", text), ("tasks", text)]).await;
            let new = ada.post_form("/incidents", &[("title", text.as_str()), ("severity", text), ("services", text), ("summary", text), ("impact_started_at", text)]).await;
            assert_eq!(live_markup(&new.text()), None, "{text}");
        }
        for page in PAGES {
            let answer = ada.get(&format!("{first}{page}")).await.expect(200);
            assert_eq!(live_markup(&answer.text()), None, "{page}");
        }
        for page in ["/", "/incidents", "/settings/incident-templates", "/incidents/new", "/incidents/new?services=%3Cscript%3E&attach=trace:%3Cscript%3E&title=%22%3E%3Cscript%3E"] {
            assert_eq!(live_markup(&ada.get(page).await.expect(200).text()), None, "{page}");
        }
    }

    async fn the_check_itself_finds_live_markup(app: TestApp) {
        for bad in ["<p onclick=\"x\">", "<script>", "<a href=\"javascript:x\">", "<img src=\"//evil/x\" onerror=\"y\">", "<svg/onload=x>", "<iframe>"] {
            assert!(live_markup(bad).is_some(), "{bad}");
        }
        let page = app.browser(Role::Viewer).await.get("/").await.text();
        assert_eq!(live_markup(&page), None);
    }
}
