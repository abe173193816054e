//! Reading a time as a person types it in a hurry. Everything is UTC.

use chrono::TimeDelta;

use crate::clock::Timestamp;

/// What the field beside a time box says.
pub const HINT: &str = "UTC, such as 2026-11-23 13:45, 13:45, -15m or now";

/// Reads RFC 3339, `2026-11-23 13:45`, a bare `13:45` (its last occurrence), `-15m`, `1h30m ago`
/// and `now`. `None` when it is none of these.
pub fn parse(text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("now") {
        return Some(now);
    }
    if let Some(span) = text.strip_prefix('-') {
        return span_of(span).map(|d| now - d);
    }
    if let Some(span) = text.strip_suffix("ago") {
        return span_of(span).map(|d| now - d);
    }
    Timestamp::parse(text).or_else(|| time_of_day(text, now))
}

/// `90s`, `15m`, `1h30m`, `2d 4h`: at most ten years, so that no arithmetic overflows.
pub fn span_of(text: &str) -> Option<TimeDelta> {
    const LIMIT_S: i64 = 10 * 366 * 86_400;
    let mut total: i64 = 0;
    let mut digits = String::new();
    for c in text.chars().filter(|c| !c.is_whitespace()) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let unit = match c {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        let n: i64 = digits.parse().ok()?;
        total = total.checked_add(n.checked_mul(unit)?).filter(|t| *t <= LIMIT_S)?;
        digits.clear();
    }
    (digits.is_empty() && !text.trim().is_empty()).then(|| TimeDelta::seconds(total))
}

fn time_of_day(text: &str, now: Timestamp) -> Option<Timestamp> {
    let time = ["%H:%M:%S", "%H:%M"].iter().find_map(|form| chrono::NaiveTime::parse_from_str(text, form).ok())?;
    let today: Timestamp = now.to_datetime().date_naive().and_time(time).and_utc().into();
    Some(if today > now { today - TimeDelta::days(1) } else { today })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_type() {
        let now = Timestamp::parse("2026-11-23T10:00:00Z").unwrap();
        let read = |text: &str| parse(text, now).map(Timestamp::to_rfc3339);
        assert_eq!(read("now").as_deref(), Some("2026-11-23T10:00:00Z"));
        assert_eq!(read("-15m").as_deref(), Some("2026-11-23T09:45:00Z"));
        assert_eq!(read("1h30m ago").as_deref(), Some("2026-11-23T08:30:00Z"));
        assert_eq!(read("09:59").as_deref(), Some("2026-11-23T09:59:00Z"));
        assert_eq!(read("10:01").as_deref(), Some("2026-11-22T10:01:00Z"));
        assert_eq!(read("2026-11-23T12:00:00+02:00").as_deref(), Some("2026-11-23T10:00:00Z"));
        for text in ["", "-", "-15", "-15x", "soon", "25:00", "-99999999999999999999d", "- ago"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_spans_go_back(text in ".{0,24}", minutes in 0i64..1_000_000) {
            let now = Timestamp::from_secs(1_764_000_000);
            let _ = parse(&text, now);
            prop_assert_eq!(parse(&format!("-{minutes}m"), now), Some(now - TimeDelta::minutes(minutes)));
        }
    }
}
