//! The form of a definition that people make: a measure between two milestones.

use serde::Deserialize;

use crate::error::FieldErrors;
use crate::fields;
use crate::incidents::MilestoneName;
use crate::reports::filters::ORGANISATION;
use crate::reports::model::measures::{Basis, Definition, Hours, Kinds, Measure};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DefinitionForm {
    pub key: String,
    pub name: String,
    pub text: String,
    pub from: String,
    pub to: String,
    pub hours: String,
    pub severities: String,
    pub kinds: String,
}

impl DefinitionForm {
    /// The definition as typed; `business` is what business hours mean today.
    ///
    /// # Errors
    /// Every complaint, by field.
    pub fn check(&self, business: Hours) -> Result<Definition, FieldErrors> {
        let mut errors = FieldErrors::default();
        let key = fields::required(&mut errors, "key", &self.key, 40).to_lowercase();
        if !key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
            errors.add("key", "letters a to z, digits and - only");
        }
        if Measure::parse(&key).is_some() {
            errors.add("key", format!("'{key}' is a built-in measure; choose another key"));
        }
        let name = fields::required(&mut errors, "name", &self.name, 60);
        let text = fields::limited(&mut errors, "text", &self.text, 300);
        let mut end = |field: &str, word: &str| {
            let found = MilestoneName::parse(word);
            if found.is_none() {
                errors.add(field, MilestoneName::unknown(word));
            }
            found.unwrap_or(MilestoneName::Detected)
        };
        let (from, to) = (end("from", &self.from), end("to", &self.to));
        if from == to && !errors.has("from") && !errors.has("to") {
            errors.add("to", "must be another time than the first");
        }
        let hours = match self.hours.trim() {
            ORGANISATION | "business" => business,
            text => Hours::parse(text).unwrap_or_else(|wrong| {
                errors.add("hours", wrong);
                Hours::Clock
            }),
        };
        let words =
            |text: &str| text.split(',').map(|w| w.trim().to_lowercase()).filter(|w| !w.is_empty()).collect::<Vec<_>>();
        let mut severities: Vec<u8> = Vec::new();
        for word in words(&self.severities) {
            match word.trim_start_matches("sev").parse() {
                Ok(level @ 1..=4) => severities.push(level),
                _ => errors.add("severities", format!("'{word}' is none of SEV1, SEV2, SEV3, SEV4")),
            }
        }
        severities.sort_unstable();
        severities.dedup();
        let kinds = words(&self.kinds);
        for word in kinds.iter().filter(|k| !["real", "backfilled", "drill"].contains(&k.as_str())) {
            errors.add("kinds", format!("'{word}' is none of real, backfilled, drill"));
        }
        let has = |kind: &str| kinds.is_empty() || kinds.iter().any(|k| k == kind);
        let definition = Definition {
            key: key.into(),
            short: name.clone().into(),
            name: name.into(),
            version: 0,
            basis: Basis::Span { from, to },
            hours,
            severities,
            kinds: Kinds { real: has("real"), backfilled: has("backfilled"), drill: has("drill") },
            text: text.into(),
        };
        if errors.is_empty() { Ok(definition) } else { Err(errors) }
    }
}
