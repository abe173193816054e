//! A seeded generator whose numbers never change.
//!
//! For results that must be the same today, after an upgrade and on every machine: bootstrap
//! intervals of reports and the demo company. Not for secrets: tokens come from the operating
//! system's generator. The crates' generators promise speed, not equal numbers across versions,
//! hence these few lines (Steele, Lea and Flood's SplitMix64).

#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator of its own for a named part, so that changing one part leaves the others alone.
    pub fn fork(&self, label: &str) -> Self {
        // FNV-1a over the label, mixed with this generator's state.
        let hash =
            label.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
        let mut child = Self(self.0 ^ hash);
        child.next_u64();
        child
    }

    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Even over `0..bound`; 0 when the bound is 0. The bias of the multiplication is below
    /// 2⁻³² for every bound used here.
    #[expect(clippy::cast_possible_truncation, reason = "the high half of the product is below the bound, a usize")]
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize
    }

    /// Even over `low..=high`; `low` when the range is empty.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = usize::try_from(high.saturating_sub(low)).unwrap_or(0).saturating_add(1);
        low.saturating_add(i64::try_from(self.below(span)).unwrap_or(0))
    }

    /// Even over `[0, 1)`, with 53 bits.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact in an f64")]
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// `None` only for an empty slice.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    /// Standard normal (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Log-normal around a median: what recovery times look like. `spread` is the standard
    /// deviation of the logarithm.
    pub fn skewed(&mut self, median: f64, spread: f64) -> f64 {
        median * (spread * self.normal()).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_generator() {
        // First outputs for seed 1234567, from the reference implementation's test vector.
        let mut seeded = Seeded::new(1_234_567);
        let drawn: Vec<_> = (0..3).map(|_| seeded.next_u64()).collect();
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn draws_stay_within_their_bounds() {
        let mut seeded = Seeded::new(7);
        for bound in 1..50_usize {
            assert!(seeded.below(bound) < bound);
            assert!((0.0..1.0).contains(&seeded.unit()));
            assert!((-3..=4).contains(&seeded.between(-3, 4)));
        }
        assert_eq!(seeded.below(0), 0);
        assert_eq!(seeded.between(5, 1), 5);
        assert_eq!(seeded.pick::<u8>(&[]), None);
    }

    #[test]
    fn forks_differ_from_each_other_and_repeat() {
        let root = Seeded::new(42);
        assert_eq!(root.fork("alerts").next_u64(), root.fork("alerts").next_u64());
        assert_ne!(root.fork("alerts").next_u64(), root.fork("traces").next_u64());
    }
}
