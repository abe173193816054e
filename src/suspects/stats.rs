//! The few statistics that the signals share. Each answers "how much, at least?": small samples count little.

use super::tuning::Tunables;

/// Lower bound of a share (Wilson's score interval at `sure` standard errors); 0 of nothing is 0. `hits` may be fractional.
pub(super) fn share_at_least(hits: f64, of: f64, sure: f64) -> f64 {
    if of <= 0.0 || hits <= 0.0 {
        return 0.0;
    }
    let p = (hits / of).min(1.0);
    let z2 = sure * sure;
    let centre = p + z2 / (2.0 * of);
    let spread = sure * ((p * (1.0 - p) + z2 / (4.0 * of)) / of).sqrt();
    ((centre - spread) / (1.0 + z2 / of)).max(0.0)
}

/// How much larger the share `a/na` is than `b/nb`, at least (normal bound with one success and one failure added to
/// each side, after Agresti and Caffo).
pub(super) fn share_grew_at_least((a, na): (f64, f64), (b, nb): (f64, f64), sure: f64) -> f64 {
    if na <= 0.0 || nb <= 0.0 {
        return 0.0;
    }
    let (na, nb) = (na + 2.0, nb + 2.0);
    let (pa, pb) = ((a + 1.0) / na, (b + 1.0) / nb);
    let se = (pa * (1.0 - pa) / na + pb * (1.0 - pb) / nb).sqrt();
    (pa - pb - sure * se).max(0.0)
}

/// What a share of requests says that is larger than before by `at_least`, with `excess` requests more than chance
/// would have brought. That some requests fail who never did tells where the trouble is, however many do not: at
/// `noticed` it tells about half as much as if all did. But few requests tell little, for they may be one user's: the
/// other factor is the lower bound of a share of which all of `excess` are hits.
pub(super) fn telling(at_least: f64, excess: f64, sure: f64, noticed: f64) -> f64 {
    if at_least <= 0.0 || excess <= 0.0 {
        return 0.0;
    }
    at_least * (1.0 + noticed) / (at_least + noticed) * seen(excess, sure)
}

/// What seeing something `n` times tells beside seeing it for ever: the lower bound of a share of which all are hits.
pub(super) fn seen(n: f64, sure: f64) -> f64 {
    n / (n + sure * sure)
}

/// What it tells by how much the share `now` (hits, of) is larger than the share `was`.
pub(super) fn growth(now: (f64, f64), was: (f64, f64), tuned: &Tunables) -> f64 {
    let usual = if was.1 > 0.0 { now.1 * was.0 / was.1 } else { 0.0 };
    telling(share_grew_at_least(now, was, tuned.sure), now.0 - usual, tuned.sure, tuned.noticed)
}

/// Running mean and variance (Welford).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moments {
    pub(super) n: f64,
    pub(super) mean: f64,
    m2: f64,
}

impl Moments {
    pub(super) fn add(&mut self, x: f64) {
        self.n += 1.0;
        let d = x - self.mean;
        self.mean += d / self.n;
        self.m2 += d * (x - self.mean);
    }

    /// How much the mean rose from `before` to `self`, at least. Both share one variance estimate, to which
    /// `prior_sd` is added as one more observation, so that two equal samples are not taken for certainty.
    pub(super) fn rose_at_least(&self, before: &Self, prior_sd: f64, sure: f64) -> f64 {
        if self.n < 1.0 || before.n < 1.0 {
            return 0.0;
        }
        let freedom = (self.n + before.n - 2.0).max(0.0);
        let variance = (self.m2 + before.m2 + prior_sd * prior_sd) / (freedom + 1.0);
        let se = (variance * (1.0 / self.n + 1.0 / before.n)).sqrt();
        (self.mean - before.mean - sure * se).max(0.0)
    }
}

/// Chance that at least one of independent causes with these strengths holds.
pub(super) fn either(strengths: impl IntoIterator<Item = f64>) -> f64 {
    1.0 - strengths.into_iter().map(|s| 1.0 - s.clamp(0.0, 1.0)).product::<f64>()
}

/// Median; `None` of nothing. Reorders its input.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let mid = values.len() / 2;
    let (_, m, _) = values.select_nth_unstable_by(mid, f64::total_cmp);
    Some(*m)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::telling;

    #[test]
    fn a_few_of_many_tell_more_than_their_share_and_a_few_alone_little() {
        assert!(telling(0.1, 100.0, 2.0, 0.1) > 0.5);
        assert!(telling(0.9, 5.0, 2.0, 0.1) < 0.6);
        assert!(telling(0.0, 100.0, 2.0, 0.1).abs() < f64::EPSILON);
        assert!(telling(0.5, 0.0, 2.0, 0.1).abs() < f64::EPSILON);
    }

    proptest! {
        #[test]
        fn more_never_tells_less(share in 0.0..1.0_f64, more in 0.0..1.0_f64, n in 0.0..1e6_f64, m in 0.0..1e6_f64) {
            let tell = |share, n| telling(share, n, 2.0, 0.1);
            let larger = (share + more).min(1.0);
            prop_assert!(tell(share, n) <= tell(larger, n) + 1e-12);
            prop_assert!(tell(share, n) <= tell(share, n + m) + 1e-12);
            prop_assert!((0.0..=1.0).contains(&tell(larger, n + m)));
        }
    }
}
