//! How many alerts began when: the storm, drawn.

use chrono::TimeDelta;

use super::store::Filter;
use crate::args;
use crate::clock::Timestamp;
use crate::db::Db;
use crate::error::Result;

/// The bars of the drawing, oldest first, each as long as [`Storm::step`].
#[derive(Clone, Debug)]
pub struct Storm {
    pub bars: Vec<Bar>,
    pub step: TimeDelta,
    pub most: i64,
    pub total: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    pub from: Timestamp,
    pub to: Timestamp,
    pub count: i64,
}

const BARS: i64 = 72;
const SPAN: TimeDelta = TimeDelta::hours(6);

/// Width of the drawing in its own units.
pub const WIDTH: i64 = BARS * 10;
pub const HEIGHT: i64 = 60;

impl Storm {
    /// Height of a bar; what is not nothing is seen.
    pub fn height(&self, bar: &Bar) -> i64 {
        if bar.count == 0 { 0 } else { (bar.count * HEIGHT / self.most.max(1)).max(2) }
    }

    pub fn y(&self, bar: &Bar) -> i64 {
        HEIGHT - self.height(bar)
    }

    /// Bars with their place.
    pub fn placed(&self) -> impl Iterator<Item = (i64, &Bar)> {
        (0_i64..).map(|i| i * 10).zip(&self.bars)
    }

    pub const fn width(&self) -> i64 {
        WIDTH
    }
}

/// Episodes that began in each five minutes of the last six hours, of one incident or of all.
pub async fn last_hours(db: &Db, filter: &Filter, now: Timestamp) -> Result<Storm> {
    let step = SPAN / i32::try_from(BARS).unwrap_or(1);
    let micros = step.num_microseconds().unwrap_or(1);
    let last = now.as_micros().div_euclid(micros);
    let first = last - BARS + 1;
    let since = Timestamp::from_micros(first * micros);
    let counts: Vec<(i64, i64)> = match filter.incident {
        Some(incident) => {
            db.fetch_all(
                "SELECT s.starts_at / $1, COUNT(*) FROM signals s JOIN alerts a ON a.id = s.alert_id \
                 WHERE a.incident_id = $2 AND s.starts_at >= $3 AND s.status = 'firing' GROUP BY s.starts_at / $1",
                args![micros, incident, since],
            )
            .await?
        }
        None => {
            db.fetch_all(
                "SELECT slot_at / $1, CAST(SUM(episodes) AS BIGINT) FROM alert_starts WHERE slot_at >= $2 GROUP BY slot_at / $1",
                args![micros, since],
            )
            .await?
        }
    };
    let count_at = |slot: i64| counts.iter().find(|c| c.0 == slot).map_or(0, |c| c.1);
    let bars: Vec<Bar> = (first..=last)
        .map(|slot| Bar {
            from: Timestamp::from_micros(slot * micros),
            to: Timestamp::from_micros((slot + 1) * micros),
            count: count_at(slot),
        })
        .collect();
    let most = bars.iter().map(|b| b.count).max().unwrap_or(0);
    let total = bars.iter().map(|b| b.count).sum();
    Ok(Storm { bars, step, most, total })
}
