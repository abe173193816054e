//! Differences between two texts, line by line, for pages.

use similar::{ChangeTag, TextDiff};

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

/// The changed lines with their surroundings; empty when the texts are equal.
pub fn lines(old: &str, new: &str) -> Vec<Line> {
    let diff = TextDiff::from_lines(old, new);
    let mut lines = Vec::new();
    for (i, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if i > 0 {
            lines.push(Line { kind: LineKind::Gap, text: String::new() });
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            if lines.len() >= MAX_LINES {
                lines.push(Line { kind: LineKind::Gap, text: "The rest is left out.".to_owned() });
                return lines;
            }
            let kind = match change.tag() {
                ChangeTag::Equal => LineKind::Same,
                ChangeTag::Insert => LineKind::Added,
                ChangeTag::Delete => LineKind::Removed,
            };
            lines.push(Line { kind, text: change.value().trim_end_matches('\n').to_owned() });
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
