//! Charts, drawn on the server as SVG.
//!
//! A chart is a pure function from a small struct of numbers to a [`Scene`]: positioned shapes,
//! with a title, a description and marks that are links. One template writes the scene, so all
//! text is escaped in one place. Colours, dark mode and print live in the style sheet (`.chart`
//! classes); marks also differ by shape, so colour never carries meaning alone. The table of the
//! same numbers stands beside each chart and belongs to the page.
//!
//! Not here: what the numbers mean (`reports`), and trace waterfalls (`traces`).

mod columns;
mod ranges;
mod scale;
mod scene;
mod strip;
mod trend;

pub use columns::{Column, ColumnChart, SEVERITY_CLASSES};
pub use ranges::{Range, RangeChart};
pub use scale::{LogScale, short_duration};
pub use scene::{Anchor, Mark, Px, Scene, Shape};
pub use strip::{Dot, Strip, StripChart};
pub use trend::{TrendChart, TrendPoint};

#[cfg(test)]
mod tests;
