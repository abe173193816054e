//! The listed changes along time: one lane a service, and the incidents of the same time above them. Pure.

use chrono::TimeDelta;

use super::model::{ChangeKind, ChangeStatus, Deployment};
use crate::clock::Timestamp;
use crate::incidents::Incident;

/// Width of a lane in its own units.
const WIDTH: i64 = 1000;
/// Services beyond these share the last lane.
const LANES: usize = 8;

/// A mark on a lane, from `x` on, `width` wide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub x: i64,
    pub width: i64,
    pub class: &'static str,
    pub url: String,
    pub title: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    pub name: String,
    /// Where the name leads; empty for nowhere.
    pub url: String,
    pub marks: Vec<Mark>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    pub from: Timestamp,
    pub to: Timestamp,
    pub lanes: Vec<Lane>,
}

impl Band {
    /// `None` when there is nothing to compare: fewer than two changes.
    pub fn draw(changes: &[Deployment], incidents: &[Incident], now: Timestamp) -> Option<Self> {
        let first = changes.iter().map(|c| c.at).min()?;
        let last = changes.iter().map(|c| c.finished_at.unwrap_or(c.at)).max()?;
        if changes.len() < 2 || first == last {
            return None;
        }
        // Some air on both sides, so that no mark sticks to the edge.
        let air = ((last - first) / 40).max(TimeDelta::seconds(1));
        let (from, to) = (first - air, (last + air).min(now.max(last)) + air);
        let band = Self { from, to, lanes: Vec::new() };
        let mut lanes = Vec::new();
        let concerned: Vec<&Incident> =
            incidents.iter().filter(|i| i.started_at <= to && i.ended_at.unwrap_or(now) >= from).collect();
        if !concerned.is_empty() {
            let marks = concerned.into_iter().map(|i| band.incident(i, now)).collect();
            lanes.push(Lane { name: "Incidents".to_owned(), url: "/incidents".to_owned(), marks });
        }
        let ahead = lanes.len();
        for change in changes {
            let mark = band.change(change);
            let own = lanes.iter().skip(ahead).position(|l: &Lane| l.name == change.service);
            let rest = lanes.iter().skip(ahead).position(|l| l.url.is_empty());
            let at = match own {
                Some(at) => at,
                None if lanes.len() - ahead < LANES => {
                    let url = format!("/services/{}", change.service);
                    lanes.push(Lane { name: change.service.clone(), url, marks: Vec::new() });
                    lanes.len() - ahead - 1
                }
                None => rest.unwrap_or_else(|| {
                    let name = "other services".to_owned();
                    lanes.push(Lane { name, url: String::new(), marks: Vec::new() });
                    lanes.len() - ahead - 1
                }),
            };
            lanes[ahead + at].marks.push(mark);
        }
        Some(Self { lanes, ..band })
    }

    fn x(&self, at: Timestamp) -> i64 {
        let whole = (self.to - self.from).num_milliseconds().max(1);
        ((at - self.from).num_milliseconds() * WIDTH / whole).clamp(0, WIDTH)
    }

    fn change(&self, change: &Deployment) -> Mark {
        let class = match (change.status, change.kind) {
            (ChangeStatus::Failed | ChangeStatus::Cancelled, _) => "band-failed",
            (_, ChangeKind::Rollback) => "band-rollback",
            (ChangeStatus::Pending | ChangeStatus::Started, _) => "band-running",
            (ChangeStatus::Succeeded, _) => "band-done",
        };
        let x = self.x(change.at).min(WIDTH - 6);
        let end = change.finished_at.map_or(x, |t| self.x(t));
        let title = format!(
            "{}: {}, {}, {} UTC",
            change.headline(),
            change.kind.label(),
            change.status.label(),
            change.at.to_minute()
        );
        Mark { x, width: (end - x).max(6), class, url: format!("/deployments/{}", change.id), title }
    }

    fn incident(&self, incident: &Incident, now: Timestamp) -> Mark {
        let (x, end) = (self.x(incident.started_at), self.x(incident.ended_at.unwrap_or(now)));
        let title = format!("{}: {}", incident.id, incident.title);
        Mark { x: x.min(WIDTH - 4), width: (end - x).max(4), class: "band-incident", url: incident.path(), title }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployments::model::ChangeSource;

    fn change(id: i64, service: &str, minute: i64) -> Deployment {
        let at = Timestamp::from_secs(1_790_000_000 + minute * 60);
        Deployment {
            id,
            service: service.into(),
            service_name: service.into(),
            environment: "production".into(),
            kind: ChangeKind::Deployment,
            status: ChangeStatus::Succeeded,
            status_at: at,
            version: format!("v{id}"),
            commit: String::new(),
            author: String::new(),
            title: String::new(),
            url: String::new(),
            source: ChangeSource::Generic,
            external_id: id.to_string(),
            observed: false,
            at,
            started_at: Some(at),
            finished_at: Some(at),
            created_at: at,
        }
    }

    #[test]
    fn each_service_has_a_lane_and_time_runs_to_the_right() {
        let now = Timestamp::from_secs(1_790_100_000);
        let changes = [change(3, "cart", 60), change(2, "search", 30), change(1, "cart", 0)];
        let band = Band::draw(&changes, &[], now).unwrap();
        let names: Vec<_> = band.lanes.iter().map(|l| l.name.as_str()).collect();
        assert_eq!(names, ["cart", "search"]);
        assert!(band.lanes[0].marks[0].x > band.lanes[1].marks[0].x);
        assert!(band.lanes[1].marks[0].x > band.lanes[0].marks[1].x);
        assert!(band.lanes.iter().flat_map(|l| &l.marks).all(|m| m.x >= 0 && m.x + m.width <= WIDTH + 6));
        assert_eq!(Band::draw(&changes[..1], &[], now), None);
    }

    #[test]
    fn many_services_share_the_last_lane() {
        let now = Timestamp::from_secs(1_790_100_000);
        let changes: Vec<_> = (0..30).map(|i| change(i, &format!("svc-{i}"), i)).collect();
        let band = Band::draw(&changes, &[], now).unwrap();
        assert_eq!(band.lanes.len(), LANES + 1);
        assert_eq!(band.lanes.iter().map(|l| l.marks.len()).sum::<usize>(), 30);
    }
}
