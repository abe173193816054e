//! The Atom feed (RFC 4287) of published updates. Pure.

use quick_xml::escape::escape;

use super::model::PublicNotice;
use crate::clock::Timestamp;

/// The feed of the newest updates: one entry for each published update, so that readers show each.
pub fn atom(title: &str, base_url: &str, notices: &[PublicNotice], now: Timestamp) -> String {
    let base = base_url.trim_end_matches('/');
    let newest = notices.iter().flat_map(|n| n.updates.iter().map(|u| u.published_at)).max().unwrap_or(now);
    let mut xml = format!(
        concat!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n",
            "<feed xmlns=\"http://www.w3.org/2005/Atom\">\n",
            "<title>{title}</title>\n<id>{base}/status</id>\n<updated>{updated}</updated>\n",
            "<link rel=\"self\" href=\"{base}/status/feed.atom\"/>\n<link href=\"{base}/status\"/>\n",
            "<author><name>{title}</name></author>\n"
        ),
        title = clean(title),
        base = clean(base),
        updated = newest.to_rfc3339(),
    );
    for notice in notices {
        for update in &notice.updates {
            xml.push_str(&format!(
                concat!(
                    "<entry>\n<title>{state}: {title}</title>\n<id>{base}/status/notices/{notice}#update-{id}</id>\n",
                    "<link href=\"{base}/status/notices/{notice}#update-{id}\"/>\n",
                    "<published>{at}</published>\n<updated>{changed}</updated>\n<content type=\"text\">{text}</content>\n</entry>\n"
                ),
                state = update.state.label(),
                title = clean(&notice.title),
                base = clean(base),
                notice = notice.id,
                id = update.id,
                at = update.published_at.to_rfc3339(),
                changed = update.corrected_at.unwrap_or(update.published_at).to_rfc3339(),
                text = clean(&update.text),
            ));
        }
    }
    xml.push_str("</feed>\n");
    xml
}

/// Escaped, and without the control characters that XML cannot carry at all.
fn clean(text: &str) -> String {
    let allowed: String = text
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .filter(|c| !matches!(c, '\u{fffe}' | '\u{ffff}'))
        .collect();
    escape(allowed.as_str()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status_page::model::{NoticeState, PublicUpdate};
    use proptest::prelude::*;

    fn notice(title: &str, text: &str) -> PublicNotice {
        PublicNotice {
            id: 4,
            kind: crate::status_page::model::NoticeKind::Incident,
            ends_at: None,
            title: title.into(),
            state: NoticeState::Monitoring,
            components: vec!["Checkout".into()],
            started_at: Timestamp::from_secs(0),
            resolved_at: None,
            updates: vec![PublicUpdate {
                id: 7,
                state: NoticeState::Identified,
                text: text.into(),
                published_at: Timestamp::from_secs(1_790_000_000),
                corrected_at: None,
            }],
        }
    }

    /// Reads the feed back and gives the text of every element.
    fn texts(xml: &str) -> Vec<String> {
        let mut reader = quick_xml::Reader::from_str(xml);
        let mut found = Vec::new();
        loop {
            match reader.read_event().expect("well-formed") {
                quick_xml::events::Event::Eof => return found,
                quick_xml::events::Event::Text(t) => found.push(String::from(&*t)),
                _ => {}
            }
        }
    }

    #[test]
    fn an_update_is_an_entry() {
        let xml = atom(
            "Shop <status>",
            "https://s.example/",
            &[notice("Slow & sad", "We <b>know</b>")],
            Timestamp::from_secs(0),
        );
        assert!(xml.contains("<title>Identified: Slow &amp; sad</title>"));
        assert!(xml.contains("<id>https://s.example/status/notices/4#update-7</id>"));
        assert!(xml.contains("<updated>2026-09-21T14:13:20Z</updated>"));
        assert!(xml.contains("We &lt;b&gt;know&lt;/b&gt;"));
    }

    proptest! {
        #[test]
        fn any_text_keeps_the_feed_well_formed(title in any::<String>(), text in any::<String>()) {
            let xml = atom("Status", "https://s.example", &[notice(&title, &text)], Timestamp::from_secs(0));
            prop_assert!(!texts(&xml).is_empty());
        }
    }
}
