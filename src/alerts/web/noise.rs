//! `/alerts/noise`: which rules tell much and mean little.

use askama::Template;
use axum::response::Response;
use chrono::TimeDelta;

use crate::alerts::store::noise::{self as stored, NoisyRule};
use crate::error::Result;
use crate::web::{Cx, Shell, render};

#[derive(Template)]
#[template(path = "alerts/noise.html")]
struct NoisePage {
    shell: Shell,
    rules: Vec<NoisyRule>,
}

impl NoisePage {
    /// All of them together.
    fn totals(&self) -> (i64, i64, i64) {
        self.rules.iter().fold((0, 0, 0), |t, r| (t.0 + r.episodes, t.1 + r.alerts, t.2 + r.noise))
    }
}

/// The last thirty days.
pub(super) async fn noise(cx: Cx) -> Result<Response> {
    let rules = stored::noise(&cx.state.db, cx.now() - TimeDelta::days(30), 100).await?;
    render(&NoisePage { shell: cx.shell("Noise").live(&["alerts"]), rules })
}
