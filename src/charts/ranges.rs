//! One row per group: the middle, the slow tail and the mean with its interval.

use super::scale::{LogScale, short_duration};
use super::scene::{Anchor, Mark, Px, Scene, Shape, shortened};

const WIDTH: f64 = 720.0;
const LABELS: f64 = 170.0;
const RIGHT: f64 = 50.0;
const ROW: f64 = 30.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 30.0;

/// One group's durations, in seconds.
#[derive(Clone, Debug)]
pub struct Range {
    pub label: String,
    pub href: Option<String>,
    pub n: usize,
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p95: f64,
    pub interval: Option<(f64, f64)>,
}

/// Rows of ranges on one logarithmic axis.
#[derive(Clone, Debug)]
pub struct RangeChart {
    pub id: String,
    pub title: String,
    pub rows: Vec<Range>,
}

impl RangeChart {
    pub fn draw(&self) -> Scene {
        let bottom = ROW.mul_add(count(self.rows.len()), TOP);
        let values = self.rows.iter().flat_map(|r| {
            let (low, high) = r.interval.unwrap_or((r.mean, r.mean));
            [r.p50, r.p95, r.mean, low, high]
        });
        let scale = LogScale::covering(values, LABELS, WIDTH - RIGHT);
        let mut ground = Vec::new();
        for (x, label) in scale.ticks(38.0) {
            ground.push(Shape::line((x, TOP - 6.0), (x, bottom), "chart-grid"));
            ground.push(Shape::text(x, bottom + 16.0, Anchor::Middle, "chart-label", label));
        }
        ground.push(Shape::text(WIDTH - 4.0, 12.0, Anchor::End, "chart-label", "n"));
        ground.extend(legend());
        Scene {
            id: self.id.clone(),
            title: self.title.clone(),
            desc: "One row per group on a logarithmic axis of time. A circle marks the median, a line runs from it \
                   to the 95th percentile with a tick at the 90th, a diamond marks the mean and the thin bar under \
                   it its 95 % interval."
                .to_owned(),
            width: Px(WIDTH),
            height: Px(bottom + BOTTOM),
            ground,
            marks: self.rows.iter().enumerate().map(|(i, row)| row.mark(ROW.mul_add(count(i), TOP), &scale)).collect(),
        }
    }
}

fn legend() -> Vec<Shape> {
    let text = |x, label: &str| Shape::text(x, 12.0, Anchor::Start, "chart-label", label);
    vec![
        Shape::circle(LABELS + 4.0, 8.0, 4.5, "chart-mid"),
        text(LABELS + 13.0, "p50"),
        Shape::line((LABELS + 48.0, 3.0), (LABELS + 48.0, 13.0), "chart-tick"),
        text(LABELS + 54.0, "p90"),
        Shape::line((LABELS + 86.0, 8.0), (LABELS + 104.0, 8.0), "chart-range"),
        text(LABELS + 108.0, "to p95"),
        Shape::diamond(LABELS + 162.0, 8.0, 4.5, "chart-mean"),
        text(LABELS + 171.0, "mean, 95 % interval"),
    ]
}

impl Range {
    fn mark(&self, top: f64, scale: &LogScale) -> Mark {
        let (line, below) = (top + 11.0, top + 21.0);
        let mut shapes = vec![
            Shape::rect(0.0, top, WIDTH, ROW, "chart-hit"),
            Shape::text(LABELS - 10.0, top + 18.0, Anchor::End, "chart-name", shortened(&self.label, 24)),
            Shape::text(WIDTH - 4.0, top + 18.0, Anchor::End, "chart-label", self.n.to_string()),
        ];
        if self.n > 0 {
            shapes.push(Shape::line((scale.at(self.p50), line), (scale.at(self.p95), line), "chart-range"));
            let tick = scale.at(self.p90);
            shapes.push(Shape::line((tick, line - 5.0), (tick, line + 5.0), "chart-tick"));
            if let Some((low, high)) = self.interval {
                shapes.push(Shape::line((scale.at(low), below), (scale.at(high), below), "chart-interval"));
            }
            shapes.push(Shape::diamond(scale.at(self.mean), below, 4.5, "chart-mean"));
            shapes.push(Shape::circle(scale.at(self.p50), line, 5.0, "chart-mid"));
        }
        Mark { href: self.href.clone(), label: self.words(), shapes }
    }

    fn words(&self) -> String {
        if self.n == 0 {
            return format!("{}: no values", self.label);
        }
        format!(
            "{}: p50 {}, p90 {}, p95 {}, mean {}, n {}",
            self.label,
            short_duration(self.p50),
            short_duration(self.p90),
            short_duration(self.p95),
            short_duration(self.mean),
            self.n
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number of rows")]
pub(super) const fn count(n: usize) -> f64 {
    n as f64
}
