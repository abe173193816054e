//! What the public templates show.

use std::fmt;

use chrono::{Datelike, NaiveDate};

use crate::clock::{Timestamp, human_duration};
use crate::status_page::model::strip::{self, Day, Strip};
use crate::status_page::model::{ComponentState, Impact, PublicNotice, states_at};
use crate::status_page::store::public::ComponentRow;
use crate::web::Shell;

/// The frame of a public page: nothing of who looks is in it.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Of the whole status page.
    pub site: String,
    pub title: String,
    pub css: &'static str,
    pub base_url: String,
}

impl Frame {
    pub fn new(site: &str, title: &str, base_url: &str) -> Self {
        Self {
            site: site.to_owned(),
            title: title.to_owned(),
            css: Shell::stylesheet(),
            base_url: base_url.trim_end_matches('/').to_owned(),
        }
    }
}

/// A notice with what its template needs.
#[derive(Clone, Debug)]
pub struct NoticeView {
    pub notice: PublicNotice,
}

pub fn notice_view(mut notice: PublicNotice, now: Timestamp) -> NoticeView {
    notice.progress(now);
    NoticeView { notice }
}

impl NoticeView {
    pub fn is_maintenance(&self) -> bool {
        self.notice.kind == crate::status_page::model::NoticeKind::Maintenance
    }

    pub fn lasted(&self) -> Option<String> {
        self.notice.resolved_at.map(|end| human_duration(end - self.notice.started_at))
    }

    pub fn concerned(&self) -> String {
        self.notice.components.join(", ")
    }
}

/// A component with its strip.
pub struct ComponentView {
    pub component: ComponentRow,
    pub state: ComponentState,
    pub strip: Strip,
}

impl ComponentView {
    /// Cells with their place: x, class, and the words for those that are not plainly good.
    pub fn cells(&self) -> impl Iterator<Item = (i64, &'static str, Option<String>)> + '_ {
        (0_i64..).zip(&self.strip.days).map(|(i, day)| (i * 8, class_of(day), words_of(day)))
    }

    pub fn width(&self) -> i64 {
        strip::DAYS * 8 - 2
    }

    pub fn is_group(&self, group: &str) -> bool {
        self.component.group_name == group
    }
}

const fn class_of(day: &Day) -> &'static str {
    match day.worst {
        None => "none",
        Some(state) => state.as_str(),
    }
}

fn words_of(day: &Day) -> Option<String> {
    let worst = day.worst.filter(|w| *w != ComponentState::Operational)?;
    let date = day.start.format("%-d %b %Y");
    if day.outage.is_zero() {
        return Some(format!("{date}: {}", worst.label()));
    }
    Some(format!("{date}: {}, {} of outage", worst.label(), human_duration(day.outage)))
}

/// Components in the order of the page, with group names in the order of their first member.
pub fn components(rows: Vec<ComponentRow>, impacts: &[Impact], now: Timestamp) -> (Vec<String>, Vec<ComponentView>) {
    let states = states_at(impacts, now);
    let views: Vec<_> = rows
        .into_iter()
        .map(|component| ComponentView {
            state: states.get(&component.id).copied().unwrap_or(ComponentState::Operational),
            strip: strip::strip(impacts, component.id, component.created_at, now),
            component,
        })
        .collect();
    let mut groups: Vec<String> = Vec::new();
    for view in &views {
        if !groups.contains(&view.component.group_name) {
            groups.push(view.component.group_name.clone());
        }
    }
    (groups, views)
}

/// A calendar month in UTC, `2026-11`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: i32,
    month: u32,
}

impl Month {
    /// `None` for what is no month, or lies a year and more ahead.
    pub fn parse(text: &str, now: Timestamp) -> Option<Self> {
        let present = Self::of(now);
        if text.trim().is_empty() {
            return Some(present);
        }
        let date = NaiveDate::parse_from_str(&format!("{}-01", text.trim()), "%Y-%m-%d").ok()?;
        let month = Self { year: date.year(), month: date.month() };
        (month.year >= 2000 && month.year <= present.year + 1).then_some(month)
    }

    pub fn of(at: Timestamp) -> Self {
        let date = at.to_datetime().date_naive();
        Self { year: date.year(), month: date.month() }
    }

    pub fn start(self) -> Timestamp {
        // The fields came from a date, so the first of their month is one.
        NaiveDate::from_ymd_opt(self.year, self.month, 1)
            .unwrap_or_default()
            .and_time(chrono::NaiveTime::MIN)
            .and_utc()
            .into()
    }

    pub fn next(self) -> Self {
        if self.month == 12 { Self { year: self.year + 1, month: 1 } } else { Self { month: self.month + 1, ..self } }
    }

    pub fn before(self) -> Self {
        if self.month == 1 { Self { year: self.year - 1, month: 12 } } else { Self { month: self.month - 1, ..self } }
    }

    pub fn name(self) -> String {
        self.start().format("%B %Y")
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_each_other_and_junk_is_none() {
        let now = Timestamp::parse("2026-11-23T11:00:00Z").expect("a time");
        let month = Month::parse("", now).expect("the present one");
        assert_eq!((month.to_string(), month.name()), ("2026-11".into(), "November 2026".into()));
        assert_eq!(month.next().next().to_string(), "2027-01");
        assert_eq!(month.next().next().before().to_string(), "2026-12");
        assert_eq!(Month::parse("2026-01", now).map(Month::before).map(|m| m.to_string()).as_deref(), Some("2025-12"));
        for junk in ["2026", "2026-13", "x", "2026-11-05", "1999-01", "9999-01", "<script>"] {
            assert_eq!(Month::parse(junk, now), None, "{junk}");
        }
    }
}
