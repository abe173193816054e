//! Every incident as a dot along a duration axis: outliers are seen and named, not averaged away.

use super::ranges::count;
use super::scale::{LogScale, short_duration};
use super::scene::{Anchor, Mark, Px, Scene, Shape, shortened};

const WIDTH: f64 = 720.0;
const LABELS: f64 = 170.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 28.0;
const RADIUS: f64 = 4.0;
const ROW: f64 = 54.0;
/// Dots stacked higher than this in a row are pressed together.
const LEVELS: usize = 5;

/// One incident.
#[derive(Clone, Debug)]
pub struct Dot {
    pub label: String,
    pub href: Option<String>,
    pub seconds: f64,
    /// 1 to 4: decides the shape's class.
    pub severity: u8,
}

#[derive(Clone, Debug)]
pub struct Strip {
    pub label: String,
    pub dots: Vec<Dot>,
}

#[derive(Clone, Debug)]
pub struct StripChart {
    pub id: String,
    pub title: String,
    pub strips: Vec<Strip>,
}

impl StripChart {
    pub fn draw(&self) -> Scene {
        let bottom = ROW.mul_add(count(self.strips.len()), TOP);
        let values = self.strips.iter().flat_map(|s| s.dots.iter().map(|d| d.seconds));
        let scale = LogScale::covering(values, LABELS, WIDTH - RIGHT);
        let mut ground = Vec::new();
        for (x, label) in scale.ticks(38.0) {
            ground.push(Shape::line((x, TOP), (x, bottom), "chart-grid"));
            ground.push(Shape::text(x, bottom + 16.0, Anchor::Middle, "chart-label", label));
        }
        let mut marks = Vec::new();
        for (i, strip) in self.strips.iter().enumerate() {
            let foot = ROW.mul_add(count(i + 1), TOP) - 8.0;
            ground.push(Shape::line((LABELS, foot + 6.0), (WIDTH - RIGHT, foot + 6.0), "chart-grid"));
            let label = shortened(&strip.label, 24);
            ground.push(Shape::text(LABELS - 10.0, foot - 12.0, Anchor::End, "chart-name", label));
            marks.extend(strip.marks(foot, &scale));
        }
        Scene {
            id: self.id.clone(),
            title: self.title.clone(),
            desc: "Each dot is one incident on a logarithmic axis of time; dots that would cover each other are \
                   stacked."
                .to_owned(),
            width: Px(WIDTH),
            height: Px(bottom + BOTTOM),
            ground,
            marks,
        }
    }
}

impl Strip {
    fn marks(&self, foot: f64, scale: &LogScale) -> Vec<Mark> {
        let mut ordered: Vec<&Dot> = self.dots.iter().collect();
        ordered.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        // The right edge of the last dot on each level.
        let mut edges: Vec<f64> = Vec::new();
        ordered
            .into_iter()
            .map(|dot| {
                let x = scale.at(dot.seconds);
                let free = edges.iter().position(|edge| *edge <= x - RADIUS);
                let level = free.unwrap_or(edges.len());
                match edges.get_mut(level) {
                    Some(edge) => *edge = x + RADIUS,
                    None => edges.push(x + RADIUS),
                }
                let y = count(level.min(LEVELS)).mul_add(-(RADIUS * 2.0), foot);
                let class = match dot.severity {
                    1 => "chart-sev1",
                    2 => "chart-sev2",
                    3 => "chart-sev3",
                    _ => "chart-sev4",
                };
                Mark {
                    href: dot.href.clone(),
                    label: format!("{}: {}", dot.label, short_duration(dot.seconds)),
                    // The two worst severities also differ in shape from the other two.
                    shapes: vec![if dot.severity <= 2 {
                        Shape::diamond(x, y, RADIUS + 1.0, class)
                    } else {
                        Shape::circle(x, y, RADIUS, class)
                    }],
                }
            })
            .collect()
    }
}
