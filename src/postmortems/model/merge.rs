//! Bringing two changes of one text together, line by line: what one side left alone follows the
//! other; where both changed the same lines, the first side stays.

use similar::DiffTag;

use crate::difference;

/// A merged text, and in how many places both sides had changed the same lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    pub text: String,
    /// Places where `mine` stayed and `theirs` was left out.
    pub conflicts: usize,
}

/// `base` is what both began with.
pub fn merge(base: &str, mine: &str, theirs: &str) -> Merged {
    let (base, mine, theirs) = (lines(base), lines(mine), lines(theirs));
    let (to_mine, to_theirs) = (matches(&base, &mine), matches(&base, &theirs));
    let mut out: Vec<&str> = Vec::new();
    let mut conflicts = 0;
    // How far each text was read.
    let mut at = (0, 0, 0);
    loop {
        // The next line of the base that both sides kept.
        let kept_by_both = |i: usize| Some((i, (*to_mine.get(i)?)?, (*to_theirs.get(i)?)?));
        let next = (at.0..base.len()).find_map(kept_by_both);
        let end = next.unwrap_or((base.len(), mine.len(), theirs.len()));
        let (was, ours, other) = (part(&base, at.0, end.0), part(&mine, at.1, end.1), part(&theirs, at.2, end.2));
        if ours == was || ours == other {
            out.extend(other);
        } else {
            if other != was {
                conflicts += 1;
            }
            out.extend(ours);
        }
        if next.is_none() {
            break;
        }
        out.extend(base.get(end.0));
        at = (end.0 + 1, end.1 + 1, end.2 + 1);
    }
    Merged { text: out.join("\n"), conflicts }
}

fn lines(text: &str) -> Vec<&str> {
    if text.is_empty() { Vec::new() } else { text.split('\n').collect() }
}

fn part<'a, 'b>(all: &'b [&'a str], from: usize, to: usize) -> &'b [&'a str] {
    all.get(from..to).unwrap_or_default()
}

/// For each line of `base` its place in `side`, when it is still there.
fn matches(base: &[&str], side: &[&str]) -> Vec<Option<usize>> {
    let mut found = vec![None; base.len()];
    for op in difference::operations(base, side) {
        if op.tag() == DiffTag::Equal {
            for (i, j) in op.old_range().zip(op.new_range()) {
                if let Some(place) = found.get_mut(i) {
                    *place = Some(j);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn changes_in_different_places_come_together() {
        let base = "a\nb\nc\nd";
        let merged = merge(base, "a\nhand\nb\nc\nd", "a\nb\nc\nnew");
        assert_eq!(merged, Merged { text: "a\nhand\nb\nc\nnew".to_owned(), conflicts: 0 });
    }

    #[test]
    fn where_both_changed_the_hand_stays() {
        let merged = merge("a\nquestion?\nz", "a\nanswer\nz", "a\nother question?\nz\ny");
        assert_eq!(merged, Merged { text: "a\nanswer\nz\ny".to_owned(), conflicts: 1 });
    }

    #[test]
    fn removals_of_either_side_hold() {
        assert_eq!(merge("a\nb\nc", "a\nc", "a\nb\nc\nd").text, "a\nc\nd");
        assert_eq!(merge("", "x", "").text, "x");
        assert_eq!(merge("", "x", "y"), Merged { text: "x".to_owned(), conflicts: 1 });
    }

    proptest! {
        #[test]
        fn one_sided_changes_are_taken_whole(base in "[abc\n]{0,40}", side in "[abcd\n]{0,40}") {
            prop_assert_eq!(merge(&base, &side, &base), Merged { text: side.clone(), conflicts: 0 });
            prop_assert_eq!(merge(&base, &base, &side), Merged { text: side.clone(), conflicts: 0 });
            prop_assert_eq!(merge(&base, &side, &side), Merged { text: side, conflicts: 0 });
        }

        #[test]
        fn every_line_comes_from_somewhere(base in "[abc\n]{0,30}", mine in "[abcx\n]{0,30}", theirs in "[abcy\n]{0,30}") {
            let merged = merge(&base, &mine, &theirs).text;
            for line in merged.split('\n') {
                prop_assert!(line.is_empty() || [&base, &mine, &theirs].iter().any(|t| t.split('\n').any(|l| l == line)));
            }
        }
    }
}
