//! Drawings made of text: they stand in the page, in print, in the exported file and in any editor.

use std::fmt::Write as _;

use super::super::record::{Comparison, Record, Side, TraceFigure};
use super::words::{inline, moment};

/// Width of a drawing, in characters.
const WIDTH: usize = 40;
/// Rows of a waterfall; the rest is counted.
const MAX_BARS: usize = 30;
/// Longest name in a waterfall, in characters.
const MAX_NAME: usize = 44;

/// What was measured before and after each confirmed cause, and the traces that show it.
pub(super) fn figures(r: &Record) -> String {
    let mut text = String::new();
    for comparison in &r.comparisons {
        text.push_str(&before_and_after(comparison));
    }
    for trace in &r.traces {
        text.push_str(&waterfall(trace));
    }
    text
}

fn before_and_after(c: &Comparison) -> String {
    if c.before.requests == 0 && c.after.requests == 0 {
        return String::new();
    }
    let worst = c.before.error_share().max(c.after.error_share()).max(0.01);
    let slowest = c.before.p95_us.max(c.after.p95_us).unwrap_or(0).max(1);
    let mut text = format!("#### {} before and after {}\n\n", inline(&c.service), moment(c.at));
    text.push_str("| | Before | After |\n|:--|:--|:--|\n");
    let _ = writeln!(text, "| Requests | {} | {} |", c.before.requests, c.after.requests);
    let errors = |s: Side| format!("{:.1} % {}", s.error_share() * 100.0, bar(s.error_share() / worst));
    let _ = writeln!(text, "| Failed | {} | {} |", errors(c.before).trim_end(), errors(c.after).trim_end());
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a request are far below 2^53")]
    let latency = |s: Side| {
        s.p95_us.map_or_else(
            || "–".to_owned(),
            |us| format!("{} {}", duration(us), bar(us as f64 / slowest as f64)).trim_end().to_owned(),
        )
    };
    let _ = writeln!(text, "| 95th percentile | {} | {} |\n", latency(c.before), latency(c.after));
    text
}

/// Up to ten blocks.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=10")]
fn bar(share: f64) -> String {
    "█".repeat((share.clamp(0.0, 1.0) * 10.0).round() as usize)
}

fn waterfall(trace: &TraceFigure) -> String {
    let total = trace.bars.iter().map(|b| b.offset_us.saturating_add(b.duration_us)).max().unwrap_or(0).max(1);
    let shown = trace.bars.get(..trace.bars.len().min(MAX_BARS)).unwrap_or_default();
    let name = |depth: usize, service: &str, operation: &str| {
        let label = format!("{}{service} {operation}", "  ".repeat(depth.min(8)));
        label.chars().map(|c| if c == '`' || c.is_control() { '\'' } else { c }).take(MAX_NAME).collect::<String>()
    };
    let names: Vec<String> = shown.iter().map(|b| name(b.depth, &b.service, &b.operation)).collect();
    let width = names.iter().map(|n| n.chars().count()).max().unwrap_or(0);
    let mut text = format!("#### Trace: {}\n\n```text\n", inline(&trace.title));
    for (b, label) in shown.iter().zip(&names) {
        let pad = " ".repeat(width - label.chars().count());
        let mark = if b.is_first_error {
            "  ← first error"
        } else if b.failed {
            "  failed"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "{label}{pad} |{}| {:>8}{mark}",
            drawn(b.offset_us, b.duration_us, total),
            duration(b.duration_us)
        );
    }
    text.push_str("```\n\n");
    if trace.bars.len() > MAX_BARS {
        let _ = writeln!(text, "… and {} more spans.\n", trace.bars.len() - MAX_BARS);
    }
    text
}

/// A bar in its place: at least one block wide.
fn drawn(offset_us: i64, duration_us: i64, total: i64) -> String {
    let place = |us: i64| {
        let scaled = i128::from(us.clamp(0, total)) * WIDTH as i128 / i128::from(total);
        usize::try_from(scaled).unwrap_or(0).min(WIDTH)
    };
    let from = place(offset_us).min(WIDTH - 1);
    let to = place(offset_us.saturating_add(duration_us)).clamp(from + 1, WIDTH);
    format!("{}{}{}", " ".repeat(from), "█".repeat(to - from), " ".repeat(WIDTH - to))
}

fn duration(us: i64) -> String {
    match us {
        ..1_000 => format!("{us} µs"),
        1_000..10_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{} s", us / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::record::Bar;
    use super::super::super::record::tests::{at, sparse};
    use super::*;

    fn span(depth: usize, offset_us: i64, duration_us: i64, failed: bool) -> Bar {
        Bar {
            depth,
            service: "pay".to_owned(),
            operation: "POST /`x`".to_owned(),
            offset_us,
            duration_us,
            failed,
            is_first_error: failed && depth == 1,
        }
    }

    #[test]
    fn a_trace_and_a_change_are_drawn() {
        let mut r = sparse();
        r.comparisons = vec![Comparison {
            service: "cart".to_owned(),
            at: at("10:00"),
            before: Side { requests: 1000, errors: 1, p95_us: Some(120_000) },
            after: Side { requests: 800, errors: 120, p95_us: Some(900_000) },
        }];
        r.traces = vec![TraceFigure {
            title: "POST /cart".to_owned(),
            bars: vec![span(0, 0, 900_000, true), span(1, 450_000, 10, true)],
        }];
        let text = figures(&r);
        assert!(text.contains("| Failed | 0.1 % | 15.0 % ██████████ |"), "{text}");
        assert!(text.contains("| 95th percentile | 120 ms █ | 900 ms ██████████ |"), "{text}");
        assert!(text.contains(&format!("pay POST /'x'   |{}|   900 ms  failed", "█".repeat(40))), "{text}");
        assert!(
            text.contains(&format!("  pay POST /'x' |{}█{}|    10 µs  ← first error", " ".repeat(20), " ".repeat(19))),
            "{text}"
        );
    }

    #[test]
    fn nothing_measured_is_nothing_drawn() {
        let mut r = sparse();
        r.comparisons = vec![Comparison {
            service: "x".to_owned(),
            at: at("10:00"),
            before: Side::default(),
            after: Side::default(),
        }];
        assert_eq!(figures(&r), "");
    }

    proptest! {
        #[test]
        fn every_bar_fits(offset in any::<i64>(), duration in any::<i64>(), total in 1..i64::MAX) {
            let bar = drawn(offset, duration, total);
            prop_assert_eq!(bar.chars().count(), WIDTH);
            prop_assert!(bar.contains('█'));
        }
    }
}
