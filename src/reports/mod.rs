//! Reports: how long incidents took, by whom and when, with every number explained.
//!
//! Here live the measures, their definitions, the statistics, the pages and the export. The times
//! themselves belong to the incidents' room; how a chart is drawn to `charts`.

pub mod export;
pub mod json;
pub mod model;
pub mod view;
