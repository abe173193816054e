//! Changes to the course of an incident: its status, its milestones, its timeline.

use serde::Deserialize;

use crate::clock::Timestamp;
use crate::error::FieldErrors;
use crate::fields::{self, past_moment, when};

use super::super::{Layer, MilestoneName, Status};
use super::{MAX_ENTRY, MAX_REASON};

/// `POST …/status`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct StatusInput {
    #[serde(deserialize_with = "fields::text")]
    pub status: String,
    #[serde(deserialize_with = "fields::text")]
    pub reason: String,
    #[serde(deserialize_with = "fields::text")]
    pub at: String,
    /// Yes to the question that was asked first (alerts still fire).
    #[serde(deserialize_with = "fields::flag")]
    pub confirm: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChange {
    pub to: Status,
    pub reason: String,
    /// When it happened; now unless it is told later.
    pub at: Timestamp,
    pub confirmed: bool,
}

impl StatusInput {
    /// # Errors
    /// Every complaint, by field.
    pub fn normalize(&self, now: Timestamp) -> Result<StatusChange, FieldErrors> {
        let mut errors = FieldErrors::default();
        let to = Status::parse(&self.status);
        if to.is_none() {
            let message =
                if self.status.trim().is_empty() { "is needed".to_owned() } else { Status::unknown(&self.status) };
            errors.add("status", message);
        }
        let reason = fields::limited(&mut errors, "reason", &self.reason, MAX_REASON);
        let at = past_moment(&mut errors, "at", &self.at, now).unwrap_or(now);
        match to {
            Some(to) if errors.is_empty() => Ok(StatusChange { to, reason, at, confirmed: self.confirm }),
            _ => Err(errors),
        }
    }
}

/// `PUT …/next-update`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct NextUpdateInput {
    /// `30m`, `14:15`, a whole time, or nothing to promise none.
    #[serde(deserialize_with = "fields::text")]
    pub due: String,
}

impl NextUpdateInput {
    /// # Errors
    /// When it cannot be read, is over, or lies more than a week ahead.
    pub fn normalize(&self, now: Timestamp) -> Result<Option<Timestamp>, FieldErrors> {
        let text = self.due.trim().trim_start_matches("in ").trim_start_matches('+').trim();
        if text.is_empty() {
            return Ok(None);
        }
        let mut errors = FieldErrors::default();
        let due = when::span_of(text).map(|span| now + span).or_else(|| when::parse(text, now)).map(|at| {
            // A bare time of day means the next one, not the last.
            let is_time_of_day = text.len() <= 8 && text.contains(':');
            if is_time_of_day && at <= now { at + chrono::TimeDelta::days(1) } else { at }
        });
        match due {
            None => errors.add("due", format!("'{text}' is not a time: use 30m, 14:15 or 2026-11-23 14:15, in UTC")),
            Some(at) if at <= now => {
                errors.add("due", format!("{} UTC is over: it is {} UTC now", at.to_minute(), now.to_minute()))
            }
            Some(at) if at > now + chrono::TimeDelta::days(7) => errors.add("due", "lies more than a week ahead"),
            Some(_) => {}
        }
        if errors.is_empty() { Ok(due) } else { Err(errors) }
    }
}

/// `PUT …/milestones/{name}`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct MilestoneInput {
    #[serde(deserialize_with = "fields::text")]
    pub at: String,
    #[serde(deserialize_with = "fields::text")]
    pub reason: String,
    /// How many values it had when the form was read. When it has more now, nothing is overwritten.
    pub values: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetMilestone {
    pub name: MilestoneName,
    pub at: Timestamp,
    pub reason: String,
}

impl MilestoneInput {
    /// # Errors
    /// Every complaint, by field. The order is checked against the record, by the action.
    pub fn normalize(&self, name: MilestoneName, now: Timestamp) -> Result<SetMilestone, FieldErrors> {
        let mut errors = FieldErrors::default();
        let at = fields::moment(&mut errors, "at", &self.at, now);
        if self.at.trim().is_empty() {
            errors.add("at", "is needed");
        }
        let reason = self.reason(&mut errors);
        match at {
            Some(at) if errors.is_empty() => Ok(SetMilestone { name, at, reason }),
            _ => Err(errors),
        }
    }

    /// The reason alone, for clearing.
    ///
    /// # Errors
    /// When it is missing or too long.
    pub fn normalize_clear(&self) -> Result<String, FieldErrors> {
        let mut errors = FieldErrors::default();
        let reason = self.reason(&mut errors);
        if errors.is_empty() { Ok(reason) } else { Err(errors) }
    }

    fn reason(&self, errors: &mut FieldErrors) -> String {
        if self.reason.trim().is_empty() {
            errors.add("reason", "is needed: times are evidence");
        }
        fields::limited(errors, "reason", &self.reason, MAX_REASON)
    }
}

/// `POST …/timeline`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TimelineInput {
    #[serde(deserialize_with = "fields::text")]
    pub occurred_at: String,
    #[serde(deserialize_with = "fields::text")]
    pub text: String,
    /// What a person writes belongs to the story unless it is said not to.
    #[serde(deserialize_with = "fields::maybe_flag")]
    pub story: Option<bool>,
    /// Yes to the question that a `/status` command raised (alerts still fire).
    #[serde(deserialize_with = "fields::flag")]
    pub confirm: bool,
    /// The entry after which this one is inserted; only says which form it came from.
    pub after: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    pub occurred_at: Timestamp,
    /// Markdown.
    pub text: String,
    pub layer: Layer,
}

impl TimelineInput {
    /// # Errors
    /// Every complaint, by field.
    pub fn normalize(&self, now: Timestamp) -> Result<NewEntry, FieldErrors> {
        let mut errors = FieldErrors::default();
        let text = fields::required(&mut errors, "text", &self.text, MAX_ENTRY);
        let occurred_at = past_moment(&mut errors, "occurred_at", &self.occurred_at, now).unwrap_or(now);
        let layer = if self.story.unwrap_or(true) { Layer::Story } else { Layer::Activity };
        if errors.is_empty() { Ok(NewEntry { occurred_at, text, layer }) } else { Err(errors) }
    }
}

/// `PATCH …/timeline/{id}`: what is left out stays.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct EditEntryInput {
    pub text: Option<String>,
    pub occurred_at: Option<String>,
    #[serde(deserialize_with = "fields::maybe_flag")]
    pub story: Option<bool>,
    /// The version that was read. When another one stands, nothing is overwritten.
    pub version: Option<i64>,
}

impl EditEntryInput {
    /// The entry as it will be, given the one that stands.
    ///
    /// # Errors
    /// Every complaint, by field.
    pub fn normalize(&self, standing: NewEntry, now: Timestamp) -> Result<NewEntry, FieldErrors> {
        let mut errors = FieldErrors::default();
        let text = match &self.text {
            Some(text) => fields::required(&mut errors, "text", text, MAX_ENTRY),
            None => standing.text,
        };
        let typed = self.occurred_at.as_deref().unwrap_or_default();
        // A form shows whole minutes; sending them back unchanged must not cut off the seconds.
        let same_minute = typed.trim() == standing.occurred_at.to_input();
        let moved = if same_minute { None } else { past_moment(&mut errors, "occurred_at", typed, now) };
        let layer = match self.story {
            Some(true) => Layer::Story,
            Some(false) => Layer::Activity,
            None => standing.layer,
        };
        let entry = NewEntry { occurred_at: moved.unwrap_or(standing.occurred_at), text, layer };
        if errors.is_empty() { Ok(entry) } else { Err(errors) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-23T10:00:30Z").unwrap()
    }

    #[test]
    fn a_status_change_is_now_unless_it_is_told_later() {
        let change = StatusInput { status: "resolved".into(), ..StatusInput::default() }.normalize(now()).unwrap();
        assert_eq!((change.to, change.at), (Status::Resolved, now()));
        let bad = StatusInput { status: "gone".into(), at: "11:30 tomorrow".into(), ..StatusInput::default() };
        let errors = bad.normalize(now()).unwrap_err();
        assert!(errors.has("status") && errors.has("at"));
    }

    #[test]
    fn the_next_update_is_promised_ahead() {
        let due =
            |text: &str| NextUpdateInput { due: text.into() }.normalize(now()).map(|due| due.map(Timestamp::to_minute));
        assert_eq!(due(" "), Ok(None));
        for (text, at) in [
            ("30m", "2026-11-23 10:30"),
            ("in 1h", "2026-11-23 11:00"),
            ("+15m", "2026-11-23 10:15"),
            ("11:15", "2026-11-23 11:15"),
            ("09:00", "2026-11-24 09:00"),
            ("2026-11-23 12:00", "2026-11-23 12:00"),
        ] {
            assert_eq!(due(text), Ok(Some(at.to_owned())), "{text}");
        }
        for text in ["soon", "2026-11-22 12:00", "-15m", "0m", "8d"] {
            assert!(due(text).unwrap_err().has("due"), "{text}");
        }
    }

    #[test]
    fn a_milestone_needs_its_reason() {
        let errors = MilestoneInput { at: "09:00".into(), reason: " ".into(), values: None }
            .normalize(MilestoneName::Detected, now())
            .unwrap_err();
        assert_eq!(errors.of("reason"), Some("is needed: times are evidence"));
        assert!(MilestoneInput::default().normalize_clear().is_err());
    }

    #[test]
    fn what_people_write_is_story_unless_told_otherwise() {
        let write = |story| TimelineInput { text: "Rolled back".into(), story, ..TimelineInput::default() };
        assert_eq!(write(None).normalize(now()).unwrap().layer, Layer::Story);
        assert_eq!(write(Some(false)).normalize(now()).unwrap().layer, Layer::Activity);
        let future = TimelineInput { occurred_at: "2026-11-24 10:00".into(), ..write(None) };
        assert!(future.normalize(now()).unwrap_err().of("occurred_at").unwrap().contains("future"));
    }

    #[test]
    fn an_edit_keeps_the_seconds_that_the_form_does_not_show() {
        let standing = NewEntry { occurred_at: now(), text: "a".into(), layer: Layer::Story };
        let edit = EditEntryInput {
            text: Some("b".into()),
            occurred_at: Some("2026-11-23T10:00".into()),
            ..EditEntryInput::default()
        };
        let edited = edit.normalize(standing, now()).unwrap();
        assert_eq!((edited.occurred_at, edited.text.as_str()), (now(), "b"));
    }
}
