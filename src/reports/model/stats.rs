//! Mean, percentiles, interval and histogram of durations.
//!
//! Recovery times are heavily skewed, so nothing here is ever shown as a mean alone. The methods
//! are named in [`METHOD`], which every report prints. Results depend on the values only, not on
//! their order, the database or the machine.

use crate::seeded::Seeded;

/// Printed with every report.
pub const METHOD: &str = "Percentiles interpolate linearly between the ordered values (type 7 of Hyndman and Fan). \
     The interval of the mean is a 95 % percentile bootstrap with a fixed seed for up to 500 values, \
     and mean ± 1.96 standard errors above that; below 3 values there is none. A report of more than 400 groups \
     resamples nothing: its intervals are mean ± 1.96 standard errors from 30 values on.";

/// Fewer values than this say nothing about the spread of a mean.
const FEWEST_FOR_INTERVAL: usize = 3;
/// Above this, the bootstrap and the normal approximation agree to within what a page shows.
const MOST_FOR_BOOTSTRAP: usize = 500;
const MOST_RESAMPLES: usize = 1_000;
/// Draws spent on one interval, so that a report of many groups stays quick.
const DRAWS: usize = 200_000;
/// Where nothing is resampled, the normal approximation needs this many values.
const FEWEST_FOR_NORMAL: usize = 30;
const BOOTSTRAP_SEED: u64 = 0x00FA_0171_1E5E_ED00;

/// What is shown of a set of durations. All in seconds.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Summary {
    pub n: usize,
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p95: f64,
    pub least: f64,
    pub most: f64,
    /// 95 % interval of the mean; none below three values.
    pub interval: Option<(f64, f64)>,
    /// Values per bin of [`EDGES_S`].
    pub bins: [usize; EDGES_S.len()],
}

/// Which sets of values get an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intervals {
    All,
    /// Only those that are large enough without resampling: for reports of very many groups.
    OnlyLarge,
}

impl Summary {
    /// `None` without values. Takes durations in microseconds in any order.
    pub fn of(mut micros: Vec<i64>) -> Option<Self> {
        sort_micros(&mut micros);
        Self::of_sorted(&micros, Intervals::All)
    }

    /// The same of ordered values.
    pub fn of_sorted(sorted: &[i64], intervals: Intervals) -> Option<Self> {
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let interval = match intervals {
            Intervals::All => interval(sorted),
            Intervals::OnlyLarge => (sorted.len() >= FEWEST_FOR_NORMAL).then(|| normal_interval(sorted)),
        };
        Some(Self {
            n: sorted.len(),
            mean: seconds(mean(sorted)),
            p50: seconds(percentile(sorted, 0.50)),
            p90: seconds(percentile(sorted, 0.90)),
            p95: seconds(percentile(sorted, 0.95)),
            least: seconds(exact(least)),
            most: seconds(exact(most)),
            interval: interval.map(|(low, high)| (seconds(low), seconds(high))),
            bins: bins(sorted),
        })
    }
}

/// Orders durations. Large lists of what is not negative go by their digits, which takes a few passes
/// whatever the order they come in.
pub fn sort_micros(values: &mut Vec<i64>) {
    /// Below this, comparing is quicker.
    const FEWEST_FOR_DIGITS: usize = 4_096;
    /// Digits of eleven bits: 2,048 counters fit the first-level cache.
    const BITS: u32 = 11;
    const MASK: i64 = (1 << BITS) - 1;
    let (least, most) = values.iter().fold((i64::MAX, 0), |(low, high), v| (low.min(*v), high.max(*v)));
    if values.len() < FEWEST_FOR_DIGITS || least < 0 {
        values.sort_unstable();
        return;
    }
    let mut other = vec![0_i64; values.len()];
    let mut shift = 0;
    while shift < i64::BITS - 1 && most >> shift > 0 {
        let digit = |v: i64| usize::try_from(v >> shift & MASK).unwrap_or(0);
        let mut starts = [0_usize; 1 << BITS];
        for value in values.iter() {
            if let Some(n) = starts.get_mut(digit(*value)) {
                *n += 1;
            }
        }
        let mut before = 0;
        for start in &mut starts {
            before += std::mem::replace(start, before);
        }
        for value in values.iter() {
            let Some(start) = starts.get_mut(digit(*value)) else { continue };
            if let Some(slot) = other.get_mut(*start) {
                *slot = *value;
            }
            *start += 1;
        }
        std::mem::swap(values, &mut other);
        shift += BITS;
    }
}

/// Rounded to the millisecond: what is below it is noise, and equal digits compare well.
fn seconds(micros: f64) -> f64 {
    (micros / 1_000.0).round() / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "exact below 2⁵³ µs, which is 285 years")]
const fn exact(micros: i64) -> f64 {
    micros as f64
}

#[expect(clippy::cast_precision_loss, reason = "a count of values in memory is far below 2⁵³")]
const fn count(n: usize) -> f64 {
    n as f64
}

/// The sum is taken in whole numbers, so the order of the values cannot change the last digit.
#[expect(clippy::cast_precision_loss, reason = "one rounding of an exact sum")]
fn mean(values: &[i64]) -> f64 {
    let sum: i128 = values.iter().copied().map(i128::from).sum();
    sum as f64 / count(values.len().max(1))
}

/// Type 7: position `(n − 1)·p` in the ordered values, interpolated. 0 for an empty slice.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a position within the slice")]
pub fn percentile(sorted: &[i64], p: f64) -> f64 {
    let position = count(sorted.len().saturating_sub(1)) * p.clamp(0.0, 1.0);
    let below = position.floor();
    let at = |i: usize| sorted.get(i).or_else(|| sorted.last()).copied().map_or(0.0, exact);
    let (low, high) = (at(below as usize), at(below as usize + 1));
    (high - low).mul_add(position - below, low)
}

/// The 95 % interval of the mean of ordered values, by the method that [`METHOD`] names.
pub fn interval(sorted: &[i64]) -> Option<(f64, f64)> {
    match sorted.len() {
        n if n < FEWEST_FOR_INTERVAL => None,
        n if n <= MOST_FOR_BOOTSTRAP => Some(bootstrap(sorted)),
        _ => Some(normal_interval(sorted)),
    }
}

fn bootstrap(sorted: &[i64]) -> (f64, f64) {
    let n = sorted.len();
    let resamples = (DRAWS / n).clamp(200, MOST_RESAMPLES);
    let mut seeded = Seeded::new(BOOTSTRAP_SEED);
    let mut sums: Vec<i64> = (0..resamples)
        .map(|_| {
            (0..n).fold(0_i64, |sum, _| sum.saturating_add(sorted.get(seeded.below(n)).copied().unwrap_or_default()))
        })
        .collect();
    sums.sort_unstable();
    (percentile(&sums, 0.025) / count(n), percentile(&sums, 0.975) / count(n))
}

fn normal_interval(sorted: &[i64]) -> (f64, f64) {
    let centre = mean(sorted);
    let squares: f64 = sorted.iter().map(|v| (exact(*v) - centre).powi(2)).sum();
    let error = (squares / count(sorted.len() - 1) / count(sorted.len())).sqrt();
    (1.96_f64.mul_add(-error, centre), 1.96_f64.mul_add(error, centre))
}

/// One bar: values from `from_s` (inclusive) to `to_s` (exclusive; the last bar is open-ended).
#[derive(Clone, Debug, PartialEq)]
pub struct Bin {
    pub from_s: f64,
    pub to_s: Option<f64>,
    pub n: usize,
}

/// Bin edges that people think in; recovery times spread over five orders of magnitude, so even
/// widths would put everything into the first bar.
pub const EDGES_S: [i64; 11] = [0, 60, 300, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400, 259_200];

/// Counts of ordered values per bin of [`EDGES_S`]; negative values (kept out before) count as 0.
fn bins(sorted: &[i64]) -> [usize; EDGES_S.len()] {
    let mut counts = [0; EDGES_S.len()];
    let below = |edge: Option<&i64>| {
        edge.map_or(sorted.len(), |edge| sorted.partition_point(|v| *v < edge.saturating_mul(1_000_000)))
    };
    let mut from = 0;
    for (i, slot) in counts.iter_mut().enumerate() {
        let to = below(EDGES_S.get(i + 1));
        *slot = to - from;
        from = to;
    }
    counts
}

impl Summary {
    /// The bars with their edges.
    pub fn histogram(&self) -> Vec<Bin> {
        self.bins
            .iter()
            .enumerate()
            .map(|(i, n)| Bin {
                from_s: EDGES_S.get(i).copied().map_or(0.0, exact),
                to_s: EDGES_S.get(i + 1).copied().map(exact),
                n: *n,
            })
            .collect()
    }
}

/// Whether two sets of durations differ by more than chance: the 95 % bootstrap interval of the
/// difference of their means (later − earlier), in seconds; `None` when either has too few values. Takes
/// ordered values.
pub fn difference(earlier: &[i64], later: &[i64]) -> Option<(f64, f64)> {
    if earlier.len() < FEWEST_FOR_INTERVAL || later.len() < FEWEST_FOR_INTERVAL {
        return None;
    }
    // The two intervals are independent, so the spreads of the means add in quadrature.
    let (a, b) = (mean(earlier), mean(later));
    let ((a_low, a_high), (b_low, b_high)) = (interval(earlier)?, interval(later)?);
    let low = (b - a) - ((b - b_low).powi(2) + (a_high - a).powi(2)).sqrt();
    let high = (b - a) + ((b_high - b).powi(2) + (a - a_low).powi(2)).sqrt();
    Some((seconds(low), seconds(high)))
}

/// How often chance alone sets the medians of two sets of ordered values at least as far apart as they are:
/// the share of 2,000 shuffles, with a fixed seed. `None` when either has too few values. Of long lists at
/// most 1,000 values are shuffled, evenly spaced in order.
pub fn permuted(earlier: &[i64], later: &[i64]) -> Option<f64> {
    const SHUFFLES: usize = 2_000;
    const MOST: usize = 1_000;
    if earlier.len() < FEWEST_FOR_INTERVAL || later.len() < FEWEST_FOR_INTERVAL {
        return None;
    }
    let thin = |values: &[i64]| -> Vec<i64> {
        let n = values.len().min(MOST);
        (0..n).filter_map(|i| values.get(i * values.len() / n).copied()).collect()
    };
    let (a, b) = (thin(earlier), thin(later));
    // Twice the median, in whole numbers: no rounding decides a tie.
    let twice = |values: &mut [i64]| -> i64 {
        let odd = values.len() % 2 == 1;
        let (below, middle, _) = values.select_nth_unstable(values.len() / 2);
        if odd { *middle * 2 } else { *middle + below.iter().max().copied().unwrap_or(*middle) }
    };
    let observed = (twice(&mut a.clone()) - twice(&mut b.clone())).abs();
    let mut all: Vec<i64> = a.iter().chain(&b).copied().collect();
    let mut seeded = Seeded::new(BOOTSTRAP_SEED);
    let mut as_far = 0;
    for _ in 0..SHUFFLES {
        for i in 0..a.len() {
            let j = i + seeded.below(all.len() - i);
            all.swap(i, j);
        }
        let (first, second) = all.split_at_mut(a.len());
        as_far += usize::from((twice(first) - twice(second)).abs() >= observed);
    }
    Some(count(as_far + 1) / count(SHUFFLES + 1))
}

#[cfg(test)]
#[path = "stats_tests.rs"]
mod tests;
