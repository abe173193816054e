//! Differences between two texts, line by line, for pages.

use std::time::{Duration, Instant};

use similar::algorithms::{Capture, Compact, Replace, myers};
use similar::{ChangeTag, DiffOp, group_diff_ops};

use crate::fields::text_enum;

text_enum! {
    pub enum LineKind("kind of line") {
        Same = "same",
        Added = "added",
        Removed = "removed",
        /// Lines without a change were left out here.
        Gap = "gap",
    }
}

impl LineKind {
    /// The mark in front of the line, so that colour is not all that tells.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Same => " ",
            Self::Added => "+",
            Self::Removed => "-",
            Self::Gap => "⋯",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Line {
    pub kind: LineKind,
    pub text: String,
}

/// Lines around a change that are shown with it.
const CONTEXT: usize = 3;
/// Longest difference that a page shows, in lines.
const MAX_LINES: usize = 2_000;
/// Two long texts with nothing in common would be compared for minutes; after this the rest is taken as
/// replaced.
const PATIENCE: Duration = Duration::from_millis(500);

/// How to get from one list of lines to the other.
pub fn operations(old: &[&str], new: &[&str]) -> Vec<DiffOp> {
    // One algorithm, called by its name: the library's switch between all of them is half a megabyte.
    let mut found = Compact::new(Replace::new(Capture::new()), old, new);
    let until = Some(Instant::now() + PATIENCE);
    let Ok(()) = myers::diff_deadline(&mut found, old, 0..old.len(), new, 0..new.len(), until);
    found.into_inner().into_inner().into_ops()
}

/// The changed lines with their surroundings; empty when the texts are equal.
pub fn lines(old: &str, new: &str) -> Vec<Line> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let mut lines = Vec::new();
    for (i, group) in group_diff_ops(operations(&old, &new), CONTEXT).iter().enumerate() {
        if i > 0 {
            lines.push(Line { kind: LineKind::Gap, text: String::new() });
        }
        for change in group.iter().flat_map(|op| op.iter_changes(&old[..], &new[..])) {
            if lines.len() >= MAX_LINES {
                lines.push(Line { kind: LineKind::Gap, text: "The rest is left out.".to_owned() });
                return lines;
            }
            let kind = match change.tag() {
                ChangeTag::Equal => LineKind::Same,
                ChangeTag::Insert => LineKind::Added,
                ChangeTag::Delete => LineKind::Removed,
            };
            lines.push(Line { kind, text: change.value().to_owned() });
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_stand_with_their_surroundings() {
        let old = (1..=20).map(|i| format!("line {i}\n")).collect::<String>();
        let new = old.replace("line 10\n", "line ten\n").replace("line 20\n", "");
        let shown: Vec<_> = lines(&old, &new).iter().map(|l| format!("{}{}", l.kind.mark(), l.text)).collect();
        assert_eq!(
            shown,
            [
                " line 7",
                " line 8",
                " line 9",
                "-line 10",
                "+line ten",
                " line 11",
                " line 12",
                " line 13",
                "⋯",
                " line 17",
                " line 18",
                " line 19",
                "-line 20"
            ]
        );
        assert_eq!(lines(&old, &old), []);
    }

    #[test]
    fn a_huge_difference_is_cut() {
        let old = "a\n".repeat(5_000);
        let new = "b\n".repeat(5_000);
        assert_eq!(lines(&old, &new).len(), MAX_LINES + 1);
    }
}
