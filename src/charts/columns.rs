//! Counts per period, stacked by severity, from zero.

use super::ranges::count;
use super::scale::count_ticks;
use super::scene::{Anchor, Mark, Px, Scene, Shape};
use super::trend::labels_every;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 40.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 28.0;

/// The classes of the four severities, worst first; the most severe is at the foot of a column.
pub const SEVERITY_CLASSES: [&str; 4] = ["chart-sev1", "chart-sev2", "chart-sev3", "chart-sev4"];

/// One period with its counts, SEV1 first.
#[derive(Clone, Debug)]
pub struct Column {
    pub label: String,
    pub href: Option<String>,
    pub counts: [usize; 4],
}

#[derive(Clone, Debug)]
pub struct ColumnChart {
    pub id: String,
    pub title: String,
    pub columns: Vec<Column>,
}

impl ColumnChart {
    pub fn draw(&self) -> Scene {
        let bottom = HEIGHT - BOTTOM;
        let most = self.columns.iter().map(|c| c.counts.iter().sum()).max().unwrap_or(0);
        let ticks = count_ticks(most);
        let unit = (bottom - TOP) / count(ticks.last().copied().unwrap_or(1).max(1));
        let slot = (WIDTH - LEFT - RIGHT) / count(self.columns.len().max(1));
        let x = |i: usize| slot.mul_add(count(i), LEFT);
        let mut ground = Vec::new();
        for tick in ticks {
            let y = unit.mul_add(-count(tick), bottom);
            ground.push(Shape::line((LEFT, y), (WIDTH - RIGHT, y), "chart-grid"));
            ground.push(Shape::text(LEFT - 6.0, y + 4.0, Anchor::End, "chart-label", tick.to_string()));
        }
        let every = labels_every(slot);
        for (i, column) in self.columns.iter().enumerate().filter(|(i, _)| i % every == 0) {
            let centre = x(i) + slot / 2.0;
            ground.push(Shape::text(centre, bottom + 18.0, Anchor::Middle, "chart-label", column.label.clone()));
        }
        for (i, class) in SEVERITY_CLASSES.into_iter().enumerate() {
            let left = 70.0_f64.mul_add(count(i), LEFT);
            ground.push(Shape::rect(left, 3.0, 11.0, 11.0, class));
            ground.push(Shape::text(left + 16.0, 13.0, Anchor::Start, "chart-label", format!("SEV{}", i + 1)));
        }
        Scene {
            id: self.id.clone(),
            title: self.title.clone(),
            desc: "One column per period, from zero, stacked by severity with SEV1 at the foot.".to_owned(),
            width: Px(WIDTH),
            height: Px(HEIGHT),
            ground,
            marks: self.columns.iter().enumerate().map(|(i, c)| c.mark(x(i), slot, unit)).collect(),
        }
    }
}

impl Column {
    fn mark(&self, left: f64, slot: f64, unit: f64) -> Mark {
        let total: usize = self.counts.iter().sum();
        let (bottom, width) = (HEIGHT - BOTTOM, (slot * 0.7).min(36.0));
        let mut shapes = vec![Shape::rect(left, TOP, slot, bottom - TOP, "chart-hit")];
        let mut top = bottom;
        for (n, class) in self.counts.iter().zip(SEVERITY_CLASSES).filter(|(n, _)| **n > 0) {
            let height = unit * count(*n);
            top -= height;
            shapes.push(Shape::rect(left + (slot - width) / 2.0, top, width, height, class));
        }
        let parts: Vec<String> =
            self.counts.iter().enumerate().filter(|(_, n)| **n > 0).map(|(i, n)| format!("{n} SEV{}", i + 1)).collect();
        let label = match total {
            0 => format!("{}: none", self.label),
            _ => format!("{}: {total} ({})", self.label, parts.join(", ")),
        };
        Mark { href: if total > 0 { self.href.clone() } else { None }, label, shapes }
    }
}
