//! What people write about rotations, and what is wrong with it. Pure.

use chrono::{NaiveDate, NaiveTime};
use chrono_tz::Tz;
use serde::Deserialize;

use crate::clock::Timestamp;
use crate::error::FieldErrors;
use crate::fields;

/// People of one rotation.
pub const MAX_MEMBERS: usize = 50;
/// An override longer than this is a mistyped date.
const LONGEST_OVERRIDE: chrono::TimeDelta = chrono::TimeDelta::days(90);

/// A team's rotation as it is typed or sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TeamInput {
    #[serde(deserialize_with = "fields::text")]
    pub name: String,
    /// Addresses of people in the order of their turns.
    #[serde(deserialize_with = "fields::words")]
    pub members: Vec<String>,
    #[serde(deserialize_with = "fields::text")]
    pub zone: String,
    #[serde(deserialize_with = "fields::text")]
    pub first_day: String,
    #[serde(deserialize_with = "fields::text")]
    pub handover: String,
    #[serde(deserialize_with = "fields::id_text")]
    pub turn_days: String,
    #[serde(deserialize_with = "fields::id_text")]
    pub ack_minutes: String,
    /// `SEV1` to `SEV4`: incidents as bad as this page; empty for none.
    #[serde(deserialize_with = "fields::text")]
    pub pages_from: String,
    pub version: Option<i64>,
}

/// A checked [`TeamInput`], its people still by address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTeam {
    pub name: String,
    pub members: Vec<String>,
    pub zone: Tz,
    pub first_day: NaiveDate,
    pub handover: NaiveTime,
    pub turn_days: u32,
    pub ack_minutes: i64,
    pub pages_from: String,
    pub version: Option<i64>,
}

fn number(errors: &mut FieldErrors, field: &str, text: &str, (from, to): (u32, u32), otherwise: u32) -> u32 {
    if text.trim().is_empty() {
        return otherwise;
    }
    text.trim().parse().ok().filter(|n| (from..=to).contains(n)).unwrap_or_else(|| {
        errors.add(field, format!("'{}' is not a whole number from {from} to {to}", text.trim()));
        otherwise
    })
}

impl TeamInput {
    /// From a form, where each `member` is one field.
    pub fn from_pairs(pairs: Vec<(String, String)>) -> Self {
        let mut input = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "name" => input.name = value,
                "member" if !value.trim().is_empty() => input.members.push(value.trim().to_owned()),
                "zone" => input.zone = value,
                "first_day" => input.first_day = value,
                "handover" => input.handover = value,
                "turn_days" => input.turn_days = value,
                "ack_minutes" => input.ack_minutes = value,
                "pages_from" => input.pages_from = value,
                "version" => input.version = value.parse().ok(),
                _ => {}
            }
        }
        input
    }

    /// # Errors
    /// Every complaint, by field.
    pub fn normalize(&self, now: Timestamp) -> Result<NewTeam, FieldErrors> {
        let mut errors = FieldErrors::default();
        let zone = match self.zone.trim() {
            "" => Tz::UTC,
            text => text.parse().unwrap_or_else(|_| {
                errors.add("zone", format!("'{text}' is not a time zone: use a name such as Europe/Berlin"));
                Tz::UTC
            }),
        };
        let today = now.to_datetime().date_naive();
        let first_day = match self.first_day.trim() {
            "" => today,
            text => NaiveDate::parse_from_str(text, "%Y-%m-%d").unwrap_or_else(|_| {
                errors.add("first_day", format!("'{text}' is not a day: use 2026-11-23"));
                today
            }),
        };
        if (first_day - today).num_days().abs() > 3_660 {
            errors.add("first_day", "lies more than ten years away");
        }
        let handover = match self.handover.trim() {
            "" => NaiveTime::from_hms_opt(9, 0, 0).unwrap_or_default(),
            text => NaiveTime::parse_from_str(text, "%H:%M").unwrap_or_else(|_| {
                errors.add("handover", format!("'{text}' is not a time of day: use 09:00"));
                NaiveTime::MIN
            }),
        };
        let pages_from = self.pages_from.trim().to_uppercase();
        if !["", "SEV1", "SEV2", "SEV3", "SEV4"].contains(&pages_from.as_str()) {
            errors.add("pages_from", format!("'{pages_from}' is not a severity: use SEV1 to SEV4, or nothing"));
        }
        let members: Vec<String> = self.members.iter().map(|m| m.trim().to_lowercase()).collect();
        if members.is_empty() {
            errors.add("members", "a rotation needs at least one person");
        } else if members.len() > MAX_MEMBERS {
            errors.add("members", format!("can be {MAX_MEMBERS} at most"));
        }
        if members.iter().enumerate().any(|(i, m)| members[..i].contains(m)) {
            errors.add("members", "name a person twice: each takes turns once in a round");
        }
        let team = NewTeam {
            name: fields::required(&mut errors, "name", &self.name, 100),
            members,
            zone,
            first_day,
            handover,
            turn_days: number(&mut errors, "turn_days", &self.turn_days, (1, 28), 7),
            ack_minutes: i64::from(number(&mut errors, "ack_minutes", &self.ack_minutes, (1, 240), 5)),
            pages_from,
            version: self.version,
        };
        if errors.is_empty() { Ok(team) } else { Err(errors) }
    }
}

/// Somebody else for a while, as it is typed or sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct OverrideInput {
    #[serde(deserialize_with = "fields::text")]
    pub email: String,
    #[serde(deserialize_with = "fields::text")]
    pub from: String,
    #[serde(deserialize_with = "fields::text")]
    pub until: String,
}

impl OverrideInput {
    /// The span; who it is is looked up by the action.
    ///
    /// # Errors
    /// Every complaint, by field.
    pub fn span(&self, now: Timestamp) -> Result<(Timestamp, Timestamp), FieldErrors> {
        let mut errors = FieldErrors::default();
        if self.email.trim().is_empty() {
            errors.add("email", "is needed: who takes over?");
        }
        let from =
            if self.from.trim().is_empty() { Some(now) } else { fields::moment(&mut errors, "from", &self.from, now) };
        let until = fields::moment(&mut errors, "until", &self.until, now);
        if self.until.trim().is_empty() {
            errors.add("until", "is needed: an override always ends");
        }
        if let (Some(from), Some(until)) = (from, until) {
            if until <= from {
                errors.add("until", "must lie after the begin");
            } else if until - from > LONGEST_OVERRIDE {
                errors.add("until", "lies more than 90 days after the begin");
            } else if until <= now {
                errors.add("until", "lies in the past: what was cannot be swapped any more");
            }
        }
        match (from, until) {
            (Some(from), Some(until)) if errors.is_empty() => Ok((from, until)),
            _ => Err(errors),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

    #[test]
    fn what_is_left_out_is_sensible() {
        let input =
            TeamInput { name: "Payments".into(), members: vec!["Ada@X.example".into()], ..TeamInput::default() };
        let team = input.normalize(NOW).expect("enough");
        assert_eq!((team.turn_days, team.ack_minutes, team.zone), (7, 5, Tz::UTC));
        assert_eq!((team.handover.to_string().as_str(), team.members[0].as_str()), ("09:00:00", "ada@x.example"));
    }

    #[test]
    fn complaints_come_by_field() {
        let pairs = [
            ("name", ""),
            ("member", "a@x"),
            ("member", "A@x"),
            ("zone", "Mars/Base"),
            ("first_day", "tomorrow"),
            ("handover", "25:00"),
            ("turn_days", "0"),
            ("ack_minutes", "soon"),
            ("pages_from", "P1"),
        ];
        let input = TeamInput::from_pairs(pairs.map(|(n, v)| (n.to_owned(), v.to_owned())).to_vec());
        let errors = input.normalize(NOW).expect_err("refused");
        for field in ["name", "members", "zone", "first_day", "handover", "turn_days", "ack_minutes", "pages_from"] {
            assert!(errors.has(field), "{field}: {errors}");
        }
        let swap = |from: &str, until: &str| {
            OverrideInput { email: "a@x".into(), from: from.into(), until: until.into() }.span(NOW)
        };
        assert!(swap("", "2026-09-22 10:00").is_ok());
        for (from, until) in
            [("", ""), ("2026-09-23 10:00", "2026-09-22 10:00"), ("", "2027-09-22 10:00"), ("-3h", "-1h"), ("x", "y")]
        {
            assert!(swap(from, until).is_err(), "{from} {until}");
        }
    }
}
