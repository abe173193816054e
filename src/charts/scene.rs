//! Positioned shapes, and the one template that writes them.

use std::fmt;

use askama::Template;

/// A length in user units, written with at most one decimal.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Px(pub f64);

impl fmt::Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A value that is not a number would break the whole drawing.
        let rounded = if self.0.is_finite() { (self.0 * 10.0).round() / 10.0 } else { 0.0 };
        write!(f, "{}", if rounded == 0.0 { 0.0 } else { rounded })
    }
}

impl askama::filters::HtmlSafe for Px {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// One shape; `class` names its role in the style sheet.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    Line {
        x1: Px,
        y1: Px,
        x2: Px,
        y2: Px,
        class: &'static str,
    },
    Rect {
        x: Px,
        y: Px,
        width: Px,
        height: Px,
        class: &'static str,
    },
    Circle {
        x: Px,
        y: Px,
        r: Px,
        class: &'static str,
    },
    /// Straight lines through the points.
    Path {
        points: Vec<(Px, Px)>,
        closed: bool,
        class: &'static str,
    },
    Text {
        x: Px,
        y: Px,
        anchor: Anchor,
        class: &'static str,
        text: String,
    },
}

impl Shape {
    pub const fn line((x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &'static str) -> Self {
        Self::Line { x1: Px(x1), y1: Px(y1), x2: Px(x2), y2: Px(y2), class }
    }

    pub const fn rect(x: f64, y: f64, width: f64, height: f64, class: &'static str) -> Self {
        Self::Rect { x: Px(x), y: Px(y), width: Px(width), height: Px(height), class }
    }

    pub const fn circle(x: f64, y: f64, r: f64, class: &'static str) -> Self {
        Self::Circle { x: Px(x), y: Px(y), r: Px(r), class }
    }

    pub fn diamond(x: f64, y: f64, r: f64, class: &'static str) -> Self {
        let points = [(x, y - r), (x + r, y), (x, y + r), (x - r, y)];
        Self::Path { points: points.map(|(x, y)| (Px(x), Px(y))).to_vec(), closed: true, class }
    }

    pub fn path(points: &[(f64, f64)], class: &'static str) -> Self {
        Self::Path { points: points.iter().map(|(x, y)| (Px(*x), Px(*y))).collect(), closed: false, class }
    }

    pub fn text(x: f64, y: f64, anchor: Anchor, class: &'static str, text: impl Into<String>) -> Self {
        Self::Text { x: Px(x), y: Px(y), anchor, class, text: text.into() }
    }

    /// The `d` of a path; empty for other shapes.
    fn path_data(&self) -> String {
        let Self::Path { points, closed, .. } = self else { return String::new() };
        let mut d = String::new();
        for (i, (x, y)) in points.iter().enumerate() {
            d.push_str(if i == 0 { "M" } else { " L" });
            d.push_str(&format!("{x} {y}"));
        }
        if *closed {
            d.push('Z');
        }
        d
    }
}

/// Something to read or follow: reachable by keyboard when it has a link.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    pub href: Option<String>,
    /// Read aloud, and shown when the pointer rests on the mark.
    pub label: String,
    pub shapes: Vec<Shape>,
}

/// A whole drawing.
#[derive(Clone, Debug, PartialEq, Template)]
#[template(path = "charts/scene.svg")]
pub struct Scene {
    /// Unique in the page; ties the drawing to its title and description.
    pub id: String,
    pub title: String,
    pub desc: String,
    pub width: Px,
    pub height: Px,
    /// Axes, grid and labels.
    pub ground: Vec<Shape>,
    pub marks: Vec<Mark>,
}

// The template escapes every text in it, so a page may embed the finished drawing.
impl askama::filters::HtmlSafe for Scene {}

/// At most `most` characters, the last one an ellipsis when something was cut.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(most.saturating_sub(1)).collect();
    kept.push('…');
    kept
}
