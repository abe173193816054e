//! Incidents that stand far from the rest: named, never hidden.

use super::measures::Basis;
use super::select::Selection;
use super::stats::percentile;

/// Those of one measure.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Outliers {
    /// Longer than this is far out, in microseconds: Tukey's outer fence, the third quartile and three
    /// times the distance between the quartiles.
    pub fence: f64,
    /// Number and duration, the longest first, at most as many as were asked for.
    pub named: Vec<(i64, i64)>,
    pub n: usize,
    /// The mean of all, and of those within the fence, in microseconds.
    pub mean: f64,
    pub mean_without: f64,
}

/// Fewer values than this have no outliers worth the name.
const FEWEST: usize = 8;

impl Outliers {
    /// None when nothing stands far out, and for distances between incidents. `sorted` are the values of the
    /// definition, in order.
    pub fn of(selection: &Selection<'_>, place: usize, sorted: &[i64], most: usize) -> Option<Self> {
        let distances = selection.question.definitions.get(place).is_none_or(|d| d.basis == Basis::BetweenStarts);
        if sorted.len() < FEWEST || distances {
            return None;
        }
        let (first, third) = (percentile(sorted, 0.25), percentile(sorted, 0.75));
        let fence = 3.0_f64.mul_add(third - first, third);
        let kept = sorted.partition_point(|v| (*v as f64) <= fence);
        if kept == sorted.len() || kept == 0 {
            return None;
        }
        let mean = |values: &[i64]| values.iter().map(|v| i128::from(*v)).sum::<i128>() as f64 / values.len() as f64;
        let beyond = |(i, picked): (usize, &super::select::Picked)| {
            let value = selection.value(place, i).filter(|v| (*v as f64) > fence)?;
            Some((selection.fact(*picked).number, value))
        };
        let mut named: Vec<(i64, i64)> = selection.picked.iter().enumerate().filter_map(beyond).collect();
        named.sort_unstable_by_key(|(number, v)| (std::cmp::Reverse(*v), *number));
        let n = named.len();
        named.truncate(most);
        Some(Self { fence, named, n, mean: mean(sorted), mean_without: mean(sorted.get(..kept)?) })
    }
}
