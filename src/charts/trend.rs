//! The middle and the slow tail of a measure, period by period.

use super::ranges::count;
use super::scale::{LogScale, short_duration};
use super::scene::{Anchor, Mark, Px, Scene, Shape};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 46.0;

/// One period; the three percentiles are in seconds and absent when nothing happened in it.
#[derive(Clone, Debug)]
pub struct TrendPoint {
    pub label: String,
    pub href: Option<String>,
    pub n: usize,
    /// p50, p90, p95.
    pub percentiles: Option<(f64, f64, f64)>,
}

/// Periods along a time axis. `target` draws a line to stay under, in seconds.
#[derive(Clone, Debug)]
pub struct TrendChart {
    pub id: String,
    pub title: String,
    pub points: Vec<TrendPoint>,
    pub target: Option<f64>,
}

impl TrendChart {
    pub fn draw(&self) -> Scene {
        let bottom = HEIGHT - BOTTOM;
        let values =
            self.points.iter().filter_map(|p| p.percentiles).flat_map(|(low, _, high)| [low, high]).chain(self.target);
        let scale = LogScale::covering(values, bottom, TOP);
        let slot = (WIDTH - LEFT - RIGHT) / count(self.points.len().max(1));
        let x = |i: usize| slot.mul_add(count(i) + 0.5, LEFT);
        let mut ground = self.axes(&scale, slot);
        if let Some(target) = self.target {
            let y = scale.at(target);
            ground.push(Shape::line((LEFT, y), (WIDTH - RIGHT, y), "chart-target"));
            let label = format!("target {}", short_duration(target));
            ground.push(Shape::text(WIDTH - RIGHT, y - 4.0, Anchor::End, "chart-label", label));
        }
        for (i, pair) in self.points.windows(2).enumerate() {
            // Only neighbours are joined: a line across an empty period would invent a value.
            if let [a, b] = pair
                && let (Some((from, ..)), Some((to, ..))) = (a.percentiles, b.percentiles)
            {
                ground.push(Shape::line((x(i), scale.at(from)), (x(i + 1), scale.at(to)), "chart-join"));
            }
        }
        Scene {
            id: self.id.clone(),
            title: self.title.clone(),
            desc: "One column per period on a logarithmic axis of time. A circle marks the median, a line runs up to \
                   the 95th percentile with a tick at the 90th. Medians of neighbouring periods are joined."
                .to_owned(),
            width: Px(WIDTH),
            height: Px(HEIGHT),
            ground,
            marks: self.points.iter().enumerate().map(|(i, p)| p.mark(x(i), slot, &scale)).collect(),
        }
    }

    fn axes(&self, scale: &LogScale, slot: f64) -> Vec<Shape> {
        let bottom = HEIGHT - BOTTOM;
        let mut shapes = Vec::new();
        for (y, label) in scale.ticks(18.0) {
            shapes.push(Shape::line((LEFT, y), (WIDTH - RIGHT, y), "chart-grid"));
            shapes.push(Shape::text(LEFT - 6.0, y + 4.0, Anchor::End, "chart-label", label));
        }
        let every = labels_every(slot);
        for (i, point) in self.points.iter().enumerate().filter(|(i, _)| i % every == 0) {
            let x = slot.mul_add(count(i) + 0.5, LEFT);
            shapes.push(Shape::text(x, bottom + 18.0, Anchor::Middle, "chart-label", point.label.clone()));
        }
        shapes.extend([
            Shape::circle(LEFT + 4.0, 9.0, 4.5, "chart-mid"),
            Shape::text(LEFT + 13.0, 13.0, Anchor::Start, "chart-label", "p50"),
            Shape::line((LEFT + 42.0, 9.0), (LEFT + 54.0, 9.0), "chart-tick"),
            Shape::text(LEFT + 59.0, 13.0, Anchor::Start, "chart-label", "p90"),
            Shape::line((LEFT + 97.0, 3.0), (LEFT + 97.0, 15.0), "chart-range"),
            Shape::text(LEFT + 103.0, 13.0, Anchor::Start, "chart-label", "up to p95"),
        ]);
        shapes
    }
}

/// Every how many slots a label of a week (`2026-W07`) fits with air around it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
pub(super) fn labels_every(slot: f64) -> usize {
    (78.0 / slot.max(0.1)).ceil().max(1.0) as usize
}

impl TrendPoint {
    fn mark(&self, x: f64, slot: f64, scale: &LogScale) -> Mark {
        let mut shapes = vec![Shape::rect(x - slot / 2.0, TOP, slot, HEIGHT - TOP - BOTTOM + 22.0, "chart-hit")];
        if slot >= 16.0 && self.n > 0 {
            shapes.push(Shape::text(x, HEIGHT - 10.0, Anchor::Middle, "chart-label", self.n.to_string()));
        }
        let label = if let Some((p50, p90, p95)) = self.percentiles {
            let half = (slot / 4.0).clamp(1.5, 6.0);
            shapes.push(Shape::line((x, scale.at(p50)), (x, scale.at(p95)), "chart-range"));
            shapes.push(Shape::line((x - half, scale.at(p90)), (x + half, scale.at(p90)), "chart-tick"));
            shapes.push(Shape::circle(x, scale.at(p50), half.clamp(2.0, 5.0), "chart-mid"));
            let [p50, p90, p95] = [p50, p90, p95].map(short_duration);
            format!("{}: p50 {p50}, p90 {p90}, p95 {p95}, n {}", self.label, self.n)
        } else {
            format!("{}: no values", self.label)
        };
        // An empty period has nothing behind it to open.
        let href = if self.n > 0 { self.href.clone() } else { None };
        Mark { href, label, shapes }
    }
}
