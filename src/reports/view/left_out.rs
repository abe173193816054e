//! Who is not in the numbers, by reason.

use std::collections::HashMap;

use crate::reports::model::measures::Definition;
use crate::reports::model::reasons::LeftAside;

/// Those listed per reason on a page.
const MOST_LISTED: usize = 12;

/// How many were left out for one reason, and the first of them.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LeftOut {
    pub reason: String,
    /// `MTTR, MTTM`, or `all measures`.
    pub measures: String,
    /// Number and title.
    pub incidents: Vec<(i64, String)>,
    pub more: usize,
}

impl LeftOut {
    pub const fn count(&self) -> usize {
        self.incidents.len() + self.more
    }
}

/// Only what concerns the first `shown` definitions: the other measures would list nearly everything.
pub fn left_out(excluded: &LeftAside, definitions: &[Definition], shown: usize) -> Vec<LeftOut> {
    let mask = (0..shown.min(32)).fold(0_u32, |mask, place| mask | 1 << place);
    excluded
        .of_measures(mask, MOST_LISTED)
        .into_iter()
        .map(|(one, n, listed)| {
            let names: Vec<&str> = one.places().filter_map(|p| definitions.get(p)).map(|d| &*d.short).collect();
            LeftOut {
                reason: one.reason.words(),
                measures: if names.is_empty() { "all measures".to_owned() } else { names.join(", ") },
                more: n - listed.len(),
                incidents: listed.into_iter().map(|number| (number, String::new())).collect(),
            }
        })
        .collect()
}

/// Fills in the titles.
pub(crate) fn name(left_out: &mut [LeftOut], titles: &HashMap<i64, String>) {
    for (number, title) in left_out.iter_mut().flat_map(|l| &mut l.incidents) {
        title.clone_from(titles.get(number).unwrap_or(&String::new()));
    }
}
