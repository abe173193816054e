//! Percentiles, intervals and histograms against slow oracles that share no code with them.
#![expect(clippy::cast_possible_truncation, reason = "the samples are far smaller")]

use proptest::prelude::*;

use super::*;

/// Type 7 by its picture: the ordered values stand at 0, 1/(n−1), 2/(n−1), … 1, joined by straight
/// lines; read off the height at `p`.
fn percentile_oracle(values: &[i64], p: f64) -> f64 {
    let mut left = values.to_vec();
    let mut ordered = Vec::new();
    while let Some(smallest) = left.iter().copied().min() {
        let place = left.iter().position(|v| *v == smallest).expect("it is in there");
        ordered.push(left.swap_remove(place) as f64);
    }
    if ordered.len() == 1 {
        return ordered[0];
    }
    let step = 1.0 / (ordered.len() - 1) as f64;
    for i in 0..ordered.len() - 1 {
        let (x0, x1) = (i as f64 * step, (i + 1) as f64 * step);
        if p <= x1 || i == ordered.len() - 2 {
            return ordered[i] + (ordered[i + 1] - ordered[i]) * (p - x0) / (x1 - x0);
        }
    }
    unreachable!("p is at most 1")
}

fn durations() -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(0_i64..10_000_000_000, 1..60)
}

proptest! {
    #[test]
    fn percentiles_agree_with_the_oracle(values in durations(), p in 0.0_f64..=1.0) {
        let mut sorted = values.clone();
        sorted.sort_unstable();
        prop_assert!((percentile(&sorted, p) - percentile_oracle(&values, p)).abs() <= 1.0);
    }

    #[test]
    fn a_summary_is_ordered_and_does_not_depend_on_the_order(values in durations()) {
        let one = Summary::of(values.clone()).expect("not empty");
        let mut turned = values.clone();
        turned.reverse();
        prop_assert_eq!(Some(one.clone()), Summary::of(turned));
        prop_assert!(one.least <= one.p50 && one.p50 <= one.p90 && one.p90 <= one.p95 && one.p95 <= one.most);
        prop_assert!(one.least <= one.mean && one.mean <= one.most);
        prop_assert_eq!(one.n, values.len());
        if let Some((low, high)) = one.interval {
            prop_assert!(one.least <= low && low <= high && high <= one.most);
        }
    }

    #[test]
    fn every_value_falls_into_exactly_one_bar(values in durations()) {
        let bins = Summary::of(values.clone()).expect("not empty").histogram();
        prop_assert_eq!(bins.iter().map(|b| b.n).sum::<usize>(), values.len());
        for bin in &bins {
            let by_hand = values.iter().filter(|v| {
                let s = **v as f64 / 1e6;
                s >= bin.from_s && bin.to_s.is_none_or(|to| s < to)
            }).count();
            prop_assert_eq!(bin.n, by_hand);
        }
    }
}

#[test]
fn known_percentiles() {
    // R: quantile(c(1,2,4,8,16), c(.5,.9,.95), type = 7) → 4.0 12.8 14.4
    let sorted = [1, 2, 4, 8, 16];
    let got = [0.5, 0.9, 0.95].map(|p| percentile(&sorted, p));
    for (got, expected) in got.iter().zip([4.0, 12.8, 14.4]) {
        assert!((got - expected).abs() < 1e-9, "{got} is not {expected}");
    }
}

#[test]
fn few_values_have_no_interval() {
    assert_eq!(Summary::of(vec![]), None);
    let one = Summary::of(vec![5_000_000]).expect("one value");
    assert_eq!((one.n, one.mean, one.p95, one.interval), (1, 5.0, 5.0, None));
    assert_eq!(Summary::of(vec![1, 2]).expect("two values").interval, None);
}

#[test]
fn equal_values_leave_no_doubt() {
    let summary = Summary::of(vec![60_000_000; 40]).expect("values");
    assert_eq!(summary.interval, Some((60.0, 60.0)));
}

#[test]
fn the_interval_covers_the_true_mean_about_as_often_as_it_says() {
    // 400 samples of 60 from an exponential distribution with mean 1000 s. A bootstrap of skewed
    // data covers a little less than its nominal 95 %; far less would be a fault.
    let mut seeded = Seeded::new(99);
    let covered = (0..400)
        .filter(|_| {
            let mut sample: Vec<i64> = (0..60).map(|_| (-1e9 * (1.0 - seeded.unit()).ln()).round() as i64).collect();
            sample.sort_unstable();
            let (low, high) = interval(&sample).expect("enough values");
            low <= 1e9 && 1e9 <= high
        })
        .count();
    assert!((350..=395).contains(&covered), "covered {covered} of 400");
}

#[test]
fn both_methods_agree_where_they_meet() {
    let mut seeded = Seeded::new(5);
    let mut sample: Vec<i64> = (0..500).map(|_| seeded.skewed(1.8e9, 0.9).round() as i64).collect();
    sample.sort_unstable();
    let ((b_low, b_high), (n_low, n_high)) = (bootstrap(&sample), normal_interval(&sample));
    let width = n_high - n_low;
    assert!((b_low - n_low).abs() < 0.15 * width && (b_high - n_high).abs() < 0.15 * width);
}

#[test]
fn a_clear_change_is_told_from_chance() {
    let mut seeded = Seeded::new(3);
    let mut draw = |median: f64| -> Vec<i64> {
        let mut values: Vec<i64> = (0..80).map(|_| seeded.skewed(median, 0.5).round() as i64).collect();
        values.sort_unstable();
        values
    };
    let (before, same, faster) = (draw(3.6e9), draw(3.6e9), draw(1.2e9));
    let (low, high) = difference(&before, &same).expect("enough");
    assert!(low < 0.0 && high > 0.0, "no detectable change: {low}..{high}");
    let (_, high) = difference(&before, &faster).expect("enough");
    assert!(high < 0.0, "faster");
    assert_eq!(difference(&before, &[1]), None);
}
