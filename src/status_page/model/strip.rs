//! The last days of a component, one cell a day, from what was published. Pure.

use chrono::TimeDelta;

use super::{ComponentState, Impact};
use crate::clock::Timestamp;

/// Days that the page shows, today included.
pub const DAYS: i64 = 90;
const DAY_MICROS: i64 = 86_400_000_000;

/// One day (UTC) of one component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// Midnight at its beginning.
    pub start: Timestamp,
    /// The worst of the day; `None` before the component was on the page.
    pub worst: Option<ComponentState>,
    /// How much of the day had a partial or major outage.
    pub outage: TimeDelta,
}

/// The days of one component up to `now`, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strip {
    pub days: Vec<Day>,
    /// What the days cover of the component's life on the page.
    pub watched: TimeDelta,
    pub outage: TimeDelta,
}

impl Strip {
    /// Share of the watched time without a partial or major outage, in percent, cut (never rounded up
    /// to a perfect 100) to two digits.
    pub fn uptime(&self) -> String {
        let watched = self.watched.num_milliseconds().max(1);
        let good = (watched - self.outage.num_milliseconds()).max(0);
        let hundredths = i128::from(good) * 10_000 / i128::from(watched);
        format!("{}.{:02}", hundredths / 100, hundredths % 100)
    }
}

fn midnight(at: Timestamp) -> Timestamp {
    Timestamp::from_micros(at.as_micros().div_euclid(DAY_MICROS) * DAY_MICROS)
}

/// The strip of a component that has been on the page since `since`. Impacts may overlap; time that
/// two of them cover counts once.
pub fn strip(impacts: &[Impact], component: i64, since: Timestamp, now: Timestamp) -> Strip {
    let today = midnight(now);
    let own: Vec<&Impact> = impacts.iter().filter(|i| i.component == component).collect();
    // Impacts that were published for the time before the component was added count as watched, too.
    let since = own.iter().map(|i| i.from).fold(since, Timestamp::min);
    let mut strip = Strip { days: Vec::new(), watched: TimeDelta::zero(), outage: TimeDelta::zero() };
    for back in (0..DAYS).rev() {
        let start = today - TimeDelta::days(back);
        let (from, until) = (start.max(since), (start + TimeDelta::days(1)).min(now));
        if until <= from {
            strip.days.push(Day { start, worst: None, outage: TimeDelta::zero() });
            continue;
        }
        let touching = || own.iter().filter(|i| i.from < until && i.until.is_none_or(|end| end > from));
        let worst = touching().map(|i| i.state).max().unwrap_or(ComponentState::Operational);
        let outages = touching().filter(|i| i.state.is_outage());
        let outage = covered(outages.map(|i| (i.from.max(from), i.until.unwrap_or(until).min(until))).collect());
        strip.days.push(Day { start, worst: Some(worst), outage });
        strip.watched += until - from;
        strip.outage += outage;
    }
    strip
}

/// Length of the union of spans.
fn covered(mut spans: Vec<(Timestamp, Timestamp)>) -> TimeDelta {
    spans.sort_unstable();
    let mut total = TimeDelta::zero();
    let mut reached = None;
    for (from, until) in spans {
        let from = reached.map_or(from, |r: Timestamp| r.max(from));
        if until > from {
            total += until - from;
            reached = Some(until);
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_secs(1_790_035_200 + hours * HOUR)
    }

    fn impact(state: ComponentState, from: i64, until: Option<i64>) -> Impact {
        Impact { component: 1, state, from: at(from), until: until.map(at) }
    }

    #[test]
    fn a_day_shows_its_worst_and_time_is_counted_once() {
        assert_eq!(at(0).to_minute(), "2026-09-22 00:00");
        let impacts = [
            impact(ComponentState::Degraded, 1, Some(20)),
            impact(ComponentState::PartialOutage, 2, Some(6)),
            impact(ComponentState::MajorOutage, 4, Some(8)),
            impact(ComponentState::MajorOutage, 30, None),
            Impact { component: 2, ..impact(ComponentState::MajorOutage, 0, None) },
        ];
        let strip = strip(&impacts, 1, at(-240), at(36));
        assert_eq!(strip.days.len(), 90);
        let last: Vec<_> = strip.days[88..].iter().map(|d| (d.worst, d.outage)).collect();
        assert_eq!(
            last,
            [
                (Some(ComponentState::MajorOutage), TimeDelta::hours(6)),
                (Some(ComponentState::MajorOutage), TimeDelta::hours(6))
            ]
        );
        assert_eq!(strip.days[87].worst, Some(ComponentState::Operational));
        assert_eq!(strip.days[70].worst, None);
        assert_eq!((strip.watched, strip.outage), (TimeDelta::hours(276), TimeDelta::hours(12)));
        assert_eq!(strip.uptime(), "95.65");
    }

    #[test]
    fn a_second_of_outage_is_not_rounded_away() {
        let blink =
            Impact { until: Some(at(0) + TimeDelta::seconds(1)), ..impact(ComponentState::MajorOutage, 0, None) };
        assert_eq!(strip(&[blink], 1, at(-2_000), at(12)).uptime(), "99.99");
        assert_eq!(strip(&[], 1, at(-2_000), at(12)).uptime(), "100.00");
    }

    proptest! {
        /// Hour by hour, the strip says what the impacts say.
        #[test]
        fn the_strip_agrees_with_every_hour(
            spans in prop::collection::vec((0i64..200, 1i64..60, 0usize..4), 0..6), end in 1i64..240,
        ) {
            let states = [ComponentState::Maintenance, ComponentState::Degraded, ComponentState::PartialOutage, ComponentState::MajorOutage];
            let impacts: Vec<_> = spans.iter().map(|(f, l, s)| impact(states[*s], *f, Some(f + l))).collect();
            let strip = strip(&impacts, 1, at(0), at(end));
            let hours = (0..end).filter(|h| impacts.iter().any(|i| i.state.is_outage() && i.holds_at(at(*h)))).count();
            prop_assert_eq!(strip.outage, TimeDelta::hours(i64::try_from(hours).expect("few")));
            prop_assert_eq!(strip.watched, TimeDelta::hours(end));
            for day in &strip.days {
                let worst = (0..24).map(|h| day.start + TimeDelta::hours(h)).filter(|t| *t >= at(0) && *t < at(end))
                    .map(|t| super::super::states_at(&impacts, t).get(&1).copied().unwrap_or(ComponentState::Operational)).max();
                prop_assert_eq!(day.worst, worst);
            }
        }
    }
}
