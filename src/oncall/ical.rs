//! The calendar file (RFC 5545) of a team's shifts. Pure.

use super::model::Shift;
use crate::clock::Timestamp;

/// A shift with the names of its person and team.
#[derive(Clone, Debug)]
pub struct NamedShift {
    pub shift: Shift,
    pub team: String,
    pub name: String,
}

/// The whole calendar: each event begins with a hand-over. `host` makes event ids unique among calendars; `made_at` is the stamp that every
/// event must carry.
pub fn calendar(title: &str, host: &str, shifts: &[NamedShift], made_at: Timestamp) -> String {
    let mut out = String::new();
    for line in ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Faultline//On call//EN", "CALSCALE:GREGORIAN"] {
        push_line(&mut out, line);
    }
    push_line(&mut out, &format!("X-WR-CALNAME:{}", escape(&format!("On call: {title}"))));
    // Calendars that poll are asked to do so once an hour.
    push_line(&mut out, "REFRESH-INTERVAL;VALUE=DURATION:PT1H");
    push_line(&mut out, "X-PUBLISHED-TTL:PT1H");
    for NamedShift { shift, team, name } in shifts {
        push_line(&mut out, "BEGIN:VEVENT");
        let uid = format!("{}-{}-{}@{host}", slug(team), shift.from.as_micros() / 1_000_000, shift.user_id);
        push_line(&mut out, &format!("UID:{uid}"));
        push_line(&mut out, &format!("DTSTAMP:{}", utc(made_at)));
        push_line(&mut out, &format!("DTSTART:{}", utc(shift.from)));
        push_line(&mut out, &format!("DTEND:{}", utc(shift.until)));
        let swap = if shift.is_override { " (override)" } else { "" };
        push_line(&mut out, &format!("SUMMARY:{}", escape(&format!("{team}: {name} is on call{swap}"))));
        // On call does not make anybody busy.
        push_line(&mut out, "TRANSP:TRANSPARENT");
        push_line(&mut out, "END:VEVENT");
    }
    push_line(&mut out, "END:VCALENDAR");
    out
}

/// Letters and digits of a name, for an event's id.
fn slug(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect()
}

fn utc(at: Timestamp) -> String {
    at.format("%Y%m%dT%H%M%SZ")
}

/// Backslash, semicolon, comma and line breaks have a meaning in text values.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Lines end in CRLF and are folded at 75 bytes, between characters.
fn push_line(out: &mut String, line: &str) {
    let mut width = 0;
    for c in line.chars() {
        if width + c.len_utf8() > 75 {
            out.push_str("\r\n ");
            width = 1;
        }
        out.push(c);
        width += c.len_utf8();
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shift(name: &str) -> NamedShift {
        let from = Timestamp::from_secs(1_790_000_000);
        NamedShift {
            shift: Shift { user_id: 3, from, until: Timestamp::from_secs(1_790_604_800), is_override: true },
            team: "Payments".to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn a_shift_is_an_event_in_utc() {
        let text =
            calendar("Payments", "faultline.example", &[shift("Ada; Lovelace, \\ 2\nnd")], Timestamp::from_secs(0));
        assert!(text.starts_with("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n") && text.ends_with("END:VCALENDAR\r\n"));
        assert!(text.contains("DTSTART:20260921T141320Z\r\n"), "{text}");
        let unfolded = text.replace("\r\n ", "");
        assert!(unfolded.contains("SUMMARY:Payments: Ada\\; Lovelace\\, \\\\ 2\\nnd is on call (override)\r\n"));
    }

    proptest! {
        #[test]
        fn no_name_breaks_the_file(name in "\\PC{0,200}", team in "\\PC{0,200}") {
            let text = calendar(&team, "x", &[NamedShift { team: team.clone(), ..shift(&name) }], Timestamp::from_secs(0));
            prop_assert!(text.split("\r\n").all(|line| line.len() <= 75));
            prop_assert_eq!(text.matches("BEGIN:VEVENT\r\n").count(), 1);
            prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
        }
    }
}
