//! From values to positions: a logarithmic axis of durations and a linear one of counts.

/// Ticks of a duration axis that people think in, in seconds.
const LADDER: [f64; 16] = [
    1.0,
    5.0,
    15.0,
    60.0,
    300.0,
    900.0,
    1_800.0,
    3_600.0,
    7_200.0,
    14_400.0,
    28_800.0,
    86_400.0,
    259_200.0,
    604_800.0,
    2_592_000.0,
    31_536_000.0,
];

/// A logarithmic axis of seconds. Recovery times spread over several orders of magnitude; on an
/// even axis one bad week would flatten all others.
#[derive(Clone, Debug, PartialEq)]
pub struct LogScale {
    low: f64,
    high: f64,
    start: f64,
    end: f64,
}

impl LogScale {
    /// Covers all values (those below a second sit on the edge), from one rung of the ladder to
    /// another, drawn from `start` to `end`.
    pub fn covering(values: impl Iterator<Item = f64>, start: f64, end: f64) -> Self {
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for value in values.filter(|v| v.is_finite()) {
            least = least.min(value);
            most = most.max(value);
        }
        let below = LADDER.iter().rev().find(|t| **t <= least).copied().unwrap_or(1.0);
        let above = LADDER.iter().find(|t| **t >= most && **t > below).copied().unwrap_or(most.max(below * 2.0));
        let low = if least.is_finite() { below } else { 60.0 };
        let high = if least.is_finite() { above } else { 86_400.0 };
        Self { low, high, start, end }
    }

    pub fn at(&self, seconds: f64) -> f64 {
        let share = (seconds.clamp(self.low, self.high) / self.low).ln() / (self.high / self.low).ln();
        (self.end - self.start).mul_add(share, self.start)
    }

    /// Position and label of each tick that leaves `gap` units to the one before.
    pub fn ticks(&self, gap: f64) -> Vec<(f64, String)> {
        let mut out: Vec<(f64, String)> = Vec::new();
        for tick in LADDER.iter().filter(|t| **t >= self.low && **t <= self.high) {
            let place = self.at(*tick);
            if out.last().is_none_or(|(last, _)| (place - last).abs() >= gap) {
                out.push((place, short_duration(*tick)));
            }
        }
        out
    }
}

/// `45s`, `12m`, `3.5h`, `2.1d`: for axes and marks, where two units would not fit.
pub fn short_duration(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 60.0 => (s, "s"),
        s if s < 3_600.0 => (s / 60.0, "m"),
        s if s < 86_400.0 => (s / 3_600.0, "h"),
        s => (s / 86_400.0, "d"),
    };
    let rounded = if value < 10.0 { (value * 10.0).round() / 10.0 } else { value.round() };
    format!("{rounded}{unit}")
}

/// Evenly spaced round ticks from 0 to at least `most`, about five of them.
pub(super) fn count_ticks(most: usize) -> Vec<usize> {
    let step = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000]
        .into_iter()
        .find(|step| most.div_ceil(*step) <= 5)
        .unwrap_or_else(|| most.div_ceil(5));
    (0..=most.div_ceil(step).max(1)).map(|i| i * step).collect()
}
