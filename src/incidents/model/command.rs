//! The `/` commands of the timeline box: one line that does what a form would do.

use crate::clock::Timestamp;
use crate::fields::when;

use super::{Role, Severity, Status, TaskKind};

/// What one line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `/status resolved it held for an hour`
    Status { to: Status, reason: String },
    /// `/severity 1 checkout is down everywhere`
    Severity { to: Severity, reason: String },
    /// `/assign commander ada@example.org`
    Assign { role: Role, who: String },
    /// `/task drain the queue`: to be done now. `/followup write the alert`: later.
    Task { kind: TaskKind, title: String },
    /// `/update 30m`: when the next update is due.
    Update { due: String },
    /// `/time -15m first customer call`
    At { at: Timestamp, text: String },
}

/// The line under the box.
pub const HELP: &str = "/status, /severity, /assign, /task, /followup, /update 30m and /time -15m … work here";

/// How each command is written, for the help beside the box.
pub const EXAMPLES: [(&str, &str); 7] = [
    ("/status identified the new release leaks connections", "changes the status; the rest is the reason"),
    ("/severity 1 checkout is down everywhere", "changes the severity; the rest is the reason"),
    ("/assign commander ada@example.org", "gives a role: an address, a name, or me"),
    ("/task drain the queue", "adds a task for now"),
    ("/followup alert on the queue's length", "adds a follow-up for later"),
    ("/update 30m", "promises the next update for then; alone it promises none"),
    ("/time -15m first customer call", "writes down what happened earlier"),
];

/// `None` when the text is no command: an ordinary entry. `//` at the start escapes the slash.
///
/// # Errors
/// What the command should look like.
pub fn parse(text: &str, now: Timestamp) -> Option<Result<Command, String>> {
    let line = text.trim_start();
    let rest = line.strip_prefix('/')?;
    if rest.starts_with('/') {
        return None;
    }
    let (name, argument) = split_word(rest);
    Some(match name.to_ascii_lowercase().as_str() {
        "status" => {
            let (word, reason) = split_word(argument);
            Status::parse(word)
                .map(|to| Command::Status { to, reason: reason.to_owned() })
                .ok_or_else(|| Status::unknown(word))
        }
        "severity" | "sev" => {
            let (word, reason) = split_word(argument);
            Severity::read(word)
                .map(|to| Command::Severity { to, reason: reason.to_owned() })
                .ok_or_else(|| Severity::unknown(word))
        }
        "assign" => {
            let (word, who) = split_word(argument);
            match (Role::parse(word), who) {
                (None, _) => Err(Role::unknown(word)),
                (Some(_), "") => Err("say who: /assign commander ada@example.org".to_owned()),
                (Some(role), who) => Ok(Command::Assign { role, who: who.trim_start_matches('@').to_owned() }),
            }
        }
        "task" | "followup" | "follow-up" if argument.is_empty() => {
            Err(format!("say what is to be done: /{name} drain the queue"))
        }
        "task" => Ok(Command::Task { kind: TaskKind::Now, title: argument.to_owned() }),
        "followup" | "follow-up" => Ok(Command::Task { kind: TaskKind::FollowUp, title: argument.to_owned() }),
        "update" => Ok(Command::Update { due: argument.to_owned() }),
        "time" => {
            let (word, text) = split_word(argument);
            match (when::parse(word, now), text) {
                (None, _) => Err(format!("'{word}' is not a time: use {}", when::HINT)),
                (Some(_), "") => Err("say what happened: /time -15m first customer call".to_owned()),
                (Some(at), text) => Ok(Command::At { at, text: text.to_owned() }),
            }
        }
        other => Err(format!("/{other} is not a command: {HELP}; start with // for a plain text")),
    })
}

/// The text of an ordinary entry: a doubled slash stands for one.
pub fn plain(text: &str) -> &str {
    let line = text.trim();
    if line.starts_with("//") { &line[1..] } else { line }
}

fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    text.split_once(char::is_whitespace).map_or((text, ""), |(word, rest)| (word, rest.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now() -> Timestamp {
        Timestamp::from_secs(1_764_000_000)
    }

    #[test]
    fn commands_are_read() {
        let ok = |text| parse(text, now()).unwrap().unwrap();
        assert_eq!(
            ok("/status resolved all good"),
            Command::Status { to: Status::Resolved, reason: "all good".into() }
        );
        assert_eq!(ok("/severity 1"), Command::Severity { to: Severity::Sev1, reason: String::new() });
        assert_eq!(ok("/assign scribe @ada"), Command::Assign { role: Role::Scribe, who: "ada".into() });
        assert_eq!(ok("/task  drain it "), Command::Task { kind: TaskKind::Now, title: "drain it".into() });
        assert_eq!(ok("/followup x"), Command::Task { kind: TaskKind::FollowUp, title: "x".into() });
        let at = now() - chrono::TimeDelta::minutes(15);
        assert_eq!(ok("/time -15m first call"), Command::At { at, text: "first call".into() });
    }

    #[test]
    fn every_example_of_the_help_is_a_command() {
        for (example, _) in EXAMPLES {
            assert!(matches!(parse(example, now()), Some(Ok(_))), "{example}");
        }
    }

    #[test]
    fn wrong_commands_say_what_is_wrong_and_plain_text_is_none() {
        for text in [
            "/status",
            "/status gone",
            "/assign",
            "/assign commander",
            "/task",
            "/time soon x",
            "/time -5m",
            "/nope",
            "/",
        ] {
            assert!(matches!(parse(text, now()), Some(Err(_))), "{text}");
        }
        assert_eq!(parse("rolled back", now()), None);
        assert_eq!(parse("//etc/passwd was read", now()), None);
        assert_eq!(plain("//etc/passwd was read"), "/etc/passwd was read");
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in ".{0,60}") {
            let _ = parse(&text, now());
            let _ = plain(&text);
        }
    }
}
