//! E-mail, with a mail server of our own that fails as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use faultline::accounts::Role;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::{channel, configured, declare, log, work};
use crate::support::TestApp;

/// How a connection goes.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Accept,
    /// 550 to the recipient.
    Refuse,
    /// Breaks off after DATA, before the mail is taken.
    BreakInData,
    /// 421 at the greeting.
    Busy,
}

struct Mailbox {
    port: u16,
    /// Recipient and text of each mail that was taken.
    taken: Arc<Mutex<Vec<(String, String)>>>,
}

impl Mailbox {
    async fn start(turns: &[Turn]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let turns = Arc::new(Mutex::new(turns.iter().copied().collect::<VecDeque<_>>()));
        let kept = taken.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let turn = turns.lock().unwrap().pop_front().unwrap_or(Turn::Accept);
                let kept = kept.clone();
                tokio::spawn(async move { converse(stream, turn, &kept).await });
            }
        });
        Self { port, taken }
    }

    fn recipients(&self) -> Vec<String> {
        let mut all: Vec<String> = self.taken.lock().unwrap().iter().map(|t| t.0.clone()).collect();
        all.sort();
        all
    }

    fn text(&self) -> String {
        self.taken.lock().unwrap().last().unwrap().1.clone()
    }
}

async fn converse(stream: TcpStream, turn: Turn, taken: &Mutex<Vec<(String, String)>>) -> Option<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    if matches!(turn, Turn::Busy) {
        write.write_all(b"421 later\r\n").await.ok()?;
        return None;
    }
    write.write_all(b"220 tests ESMTP\r\n").await.ok()?;
    let mut recipient = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let answer: &[u8] = match verb.as_str() {
            "EHLO" => b"250-tests\r\n250 8BITMIME\r\n",
            "RCPT" if matches!(turn, Turn::Refuse) => b"550 no such person\r\n",
            "RCPT" => {
                recipient = line.split(['<', '>']).nth(1)?.to_owned();
                b"250 ok\r\n"
            }
            "DATA" => {
                write.write_all(b"354 go on\r\n").await.ok()?;
                if matches!(turn, Turn::BreakInData) {
                    return None;
                }
                let mut text = String::new();
                while let Ok(Some(line)) = lines.next_line().await {
                    if line == "." {
                        break;
                    }
                    text.push_str(&line);
                    text.push('\n');
                }
                taken.lock().unwrap().push((recipient.clone(), text));
                b"250 taken\r\n"
            }
            "QUIT" => b"221 bye\r\n",
            _ => b"250 ok\r\n",
        };
        write.write_all(answer).await.ok()?;
    }
    Some(())
}

fn with_mail(app: TestApp, mailbox: &Mailbox) -> TestApp {
    configured(app, |config| {
        config.smtp_url = Some(format!("smtp://127.0.0.1:{}", mailbox.port));
        config.mail_from = "Faultline <faultline@example.org>".to_owned();
    })
}

on_both! {
    async fn a_server_that_fails_half_way_is_asked_only_for_the_rest(app: TestApp) {
        let mailbox = Mailbox::start(&[Turn::Accept, Turn::BreakInData, Turn::Refuse, Turn::Busy]).await;
        let app = with_mail(app, &mailbox);
        let to = "a@example.org, b@example.org, c@example.org, d@example.org";
        channel(&app, "mail", "email", to, json!({})).await;
        let id = declare(&app, json!({ "title": "Cart is down", "severity": "SEV1" })).await;
        work(&app).await;
        assert_eq!(mailbox.recipients(), ["a@example.org"]);
        let waiting = &log(&app, "status=waiting").await[0];
        assert!(waiting["answer"].as_str().unwrap().contains("refused: c@example.org"), "{waiting}");
        app.advance(TimeDelta::seconds(10));
        work(&app).await;
        work(&app).await;
        assert_eq!(mailbox.recipients(), ["a@example.org", "b@example.org", "d@example.org"], "each once");
        assert_eq!(log(&app, "status=sent").await.len(), 1);
        let text = mailbox.text();
        for header in [
            format!("Subject: [Faultline] SEV1 {id} declared: Cart is down"),
            "From: Faultline <faultline@example.org>".to_owned(),
            "Message-ID: <msg_".to_owned(),
            format!("References: <{}@faultline.test>", id.to_lowercase()),
            "Auto-Submitted: auto-generated".to_owned(),
            format!("http://faultline.test/incidents/{id}"),
        ] {
            assert!(text.contains(&header), "{header} is not in {text}");
        }
    }

    async fn whoever_holds_a_role_is_told(app: TestApp) {
        let mailbox = Mailbox::start(&[]).await;
        let app = with_mail(app, &mailbox);
        channel(&app, "leads", "email", "role:commander", json!({})).await;
        let id = declare(&app, json!({ "title": "Cart is down", "severity": "SEV1" })).await;
        work(&app).await;
        assert_eq!(log(&app, "status=dropped").await[0]["answer"], "nobody holds the role that this channel tells");
        app.browser_of("Ada", Role::Commander).await;
        let path = format!("/api/v1/incidents/{id}/roles/commander");
        let body = json!({ "email": "ada@faultline.test" });
        app.api(Role::Admin).await.json(axum::http::Method::PUT, &path, &body).await.expect(200);
        work(&app).await;
        assert_eq!(mailbox.recipients(), ["ada@faultline.test"]);
    }

    async fn without_a_mail_server_the_channel_says_what_is_missing(app: TestApp) {
        let app = configured(app, |_| {});
        let made = channel(&app, "mail", "email", "a@example.org", json!({})).await;
        let path = format!("/api/v1/notifications/channels/{}/test", made["id"]);
        let tried = app.api(Role::Admin).await.post_json(&path, &json!({})).await.expect(200).json();
        assert_eq!(tried["delivered"], false);
        assert!(tried["answer"].as_str().unwrap().contains("FAULTLINE_SMTP_URL"));
    }

    async fn a_title_adds_no_header_and_no_recipient(app: TestApp) {
        let mailbox = Mailbox::start(&[]).await;
        let app = with_mail(app, &mailbox);
        channel(&app, "mail", "email", "a@example.org", json!({})).await;
        declare(&app, json!({ "title": "x\r\nBcc: all@example.org\r\n\r\n.\r\nRCPT TO:<b@example.org>", "severity": "SEV1",
            "summary": "line\n.\nQUIT\n" })).await;
        work(&app).await;
        assert_eq!(mailbox.recipients(), ["a@example.org"]);
        let text = mailbox.text();
        assert!(!text.lines().any(|l| l.starts_with("Bcc:")), "{text}");
    }
}
