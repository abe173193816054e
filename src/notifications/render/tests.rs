use super::*;
use crate::clock::Timestamp;
use proptest::prelude::*;

const BASE: &str = "https://faultline.example/";

fn event() -> Event {
    Event {
        severity: Some("SEV1".into()),
        status: Some("investigating".into()),
        services: vec!["cart".into(), "checkout".into()],
        text: Some("Checkout failures rose 60 % after cart v1.3.2".into()),
        actor: Some("Ada".into()),
        ..Event::new(EventKind::IncidentDeclared, "INC-12", "Cart is down", Timestamp::from_secs(1_790_000_000))
    }
}

/// Every text in a JSON document.
fn texts(value: &serde_json::Value, out: &mut Vec<String>) {
    match value {
        serde_json::Value::String(s) => out.push(s.clone()),
        serde_json::Value::Array(list) => list.iter().for_each(|v| texts(v, out)),
        serde_json::Value::Object(map) => map.values().for_each(|v| texts(v, out)),
        _ => {}
    }
}

#[test]
fn every_channel_says_what_where_and_how_bad() {
    let event = event();
    let message = Message::One(&event);
    for kind in [ChannelKind::Slack, ChannelKind::Teams, ChannelKind::Discord, ChannelKind::Webhook] {
        let mut all = Vec::new();
        texts(&body(kind, &message, BASE, false).expect("a JSON channel"), &mut all);
        let all = all.join("\n");
        for part in ["Cart is down", "SEV1", "INC-12", "https://faultline.example/incidents/INC-12", "Ada"] {
            assert!(all.contains(part), "{kind:?} lacks {part}: {all}");
        }
    }
    let mail = mail(&message, BASE);
    assert_eq!(mail.subject, "[Faultline] SEV1 INC-12 declared: Cart is down");
    assert!(mail.text.contains("https://faultline.example/incidents/INC-12"));
    assert!(mail.text.contains("Services: cart, checkout"));
}

#[test]
fn slack_blocks_keep_to_slacks_shape() {
    let event = event();
    let body = body(ChannelKind::Slack, &Message::One(&event), BASE, false).expect("slack");
    assert_eq!(body["blocks"][0]["type"], "header");
    assert_eq!(body["blocks"][1]["text"]["type"], "mrkdwn");
    assert_eq!(body["blocks"][3]["elements"][0]["url"], "https://faultline.example/incidents/INC-12");
    assert!(body["text"].as_str().is_some_and(|t| t.starts_with("SEV1 INC-12 declared")));
}

#[test]
fn a_storm_is_one_message_that_counts() {
    let events: Vec<_> = (0..300).map(|n| Event { subject: format!("INC-{}", n % 3), ..event() }).collect();
    let message = Message::Digest(&events);
    assert_eq!(message.headline(), "300 updates on 3 incidents");
    let slack = body(ChannelKind::Slack, &message, BASE, false).expect("slack");
    assert!(slack["blocks"].as_array().is_some_and(|b| b.len() <= 50));
    assert!(slack.to_string().contains("and 280 more"));
    assert!(mail(&message, BASE).text.contains("and 280 more"));
    let webhook = body(ChannelKind::Webhook, &message, BASE, false).expect("webhook");
    assert_eq!(webhook["data"]["events"].as_array().map(Vec::len), Some(300));
}

#[test]
fn markup_typed_by_people_stays_text() {
    let hostile = Event { title: "<!channel> [x](http://evil) *b* @everyone & <b>".into(), ..event() };
    let message = Message::One(&hostile);
    let slack = body(ChannelKind::Slack, &message, BASE, false).expect("slack").to_string();
    assert!(slack.contains("&lt;!channel&gt;"));
    let discord = body(ChannelKind::Discord, &message, BASE, false).expect("discord");
    assert_eq!(discord["allowed_mentions"]["parse"], serde_json::json!([]));
    assert!(discord["embeds"][0]["title"].as_str().is_some_and(|t| t.contains("\\[x\\]\\(http://evil\\)")));
    let teams = body(ChannelKind::Teams, &message, BASE, false).expect("teams")["attachments"].to_string();
    assert!(!teams.contains("[x](http://evil)"));
    let headers = mail(&Message::One(&Event { title: "x\r\nBcc: all@example.org".into(), ..event() }), BASE);
    assert!(!headers.subject.contains(['\r', '\n']));
}

proptest! {
    /// Whatever people typed, the documented limits of the receivers hold.
    #[test]
    fn limits_hold(title in "\\PC{0,600}", text in "[&<> a-zé]{0,6000}", services in prop::collection::vec("[a-z]{1,40}", 0..60)) {
        let event = Event { title, text: Some(text), services, ..event() };
        let message = Message::One(&event);
        let slack = body(ChannelKind::Slack, &message, BASE, false).expect("slack");
        let header = slack["blocks"][0]["text"]["text"].as_str().expect("a header");
        prop_assert!(header.chars().count() <= 150);
        for block in slack["blocks"].as_array().expect("blocks") {
            if let Some(text) = block["text"]["text"].as_str() {
                prop_assert!(text.chars().count() <= 3000);
            }
            for field in block["fields"].as_array().into_iter().flatten() {
                prop_assert!(field["text"].as_str().is_some_and(|t| t.chars().count() <= 2000));
            }
        }
        let discord = body(ChannelKind::Discord, &message, BASE, false).expect("discord");
        prop_assert!(discord["embeds"][0]["description"].as_str().is_some_and(|t| t.chars().count() <= 4096));
        prop_assert!(!mail(&message, BASE).subject.contains(['\r', '\n']));
    }
}
