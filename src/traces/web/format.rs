//! How durations and places in a trace are written for people.

/// `850 µs`, `12.3 ms`, `1.24 s`, `2 min 3 s`.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub fn duration(nanos: i64) -> String {
    let n = nanos.max(0);
    match n {
        0..1_000 => format!("{n} ns"),
        1_000..1_000_000 => short(n as f64 / 1e3, "µs"),
        1_000_000..1_000_000_000 => short(n as f64 / 1e6, "ms"),
        1_000_000_000..60_000_000_000 => short(n as f64 / 1e9, "s"),
        _ => format!("{} min {} s", n / 60_000_000_000, n / 1_000_000_000 % 60),
    }
}

/// Three significant digits.
fn short(value: f64, unit: &str) -> String {
    let text = match value {
        v if v < 10.0 => format!("{v:.2}"),
        v if v < 100.0 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    };
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} {unit}")
}

/// The width of the drawing, in its own units.
pub const WIDTH: i64 = 1_000;

/// Where a moment `offset` into `total` is drawn, 0 to [`WIDTH`].
pub fn place(offset: i64, total: i64) -> i64 {
    if total <= 0 {
        return 0;
    }
    let at = i128::from(offset.clamp(0, total)) * i128::from(WIDTH) / i128::from(total);
    i64::try_from(at).unwrap_or(WIDTH)
}

/// A bar from `offset` over `length`: its place and width, never too thin to be seen nor out of the
/// drawing.
pub fn bar(offset: i64, length: i64, total: i64) -> (i64, i64) {
    const MIN: i64 = 2;
    let from = place(offset, total).min(WIDTH - MIN);
    let to = place(offset.saturating_add(length), total);
    (from, (to - from).max(MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits() {
        let table = [
            (0, "0 ns"),
            (850_000, "850 µs"),
            (12_345_678, "12.3 ms"),
            (1_000_000, "1 ms"),
            (100_000_000, "100 ms"),
            (1_240_000_000, "1.24 s"),
            (123_000_000_000, "2 min 3 s"),
            (-5, "0 ns"),
        ];
        for (nanos, text) in table {
            assert_eq!(duration(nanos), text);
        }
    }

    #[test]
    fn bars_stay_in_the_drawing() {
        assert_eq!(bar(0, 100, 100), (0, 1000));
        assert_eq!(bar(100, 0, 100), (998, 2));
        assert_eq!(bar(50, 900, 100), (500, 500));
        assert_eq!(bar(5, 5, 0), (0, 2));
        assert_eq!(bar(i64::MAX, i64::MAX, i64::MAX), (998, 2));
    }
}
