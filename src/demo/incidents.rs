//! One incident in full: its times, who did what, what was written, and what came of it.

use chrono::TimeDelta;

use super::aftermath;
use super::company::{COMMANDERS, PEOPLE, RESPONDERS, find, path_to};
use super::stories::{Places, Story};
use super::traces::{self, TracePlan};
use super::year::{AlertPlan, ChangePlan, GuiltyChange};
use crate::clock::Timestamp;
use crate::incidents::model::{Kind, Severity};
use crate::seeded::Seeded;

/// What is decided first: what breaks, where, when and how bad.
#[derive(Clone, Debug)]
pub struct Skeleton {
    pub story: &'static Story,
    pub service: &'static str,
    pub severity: Severity,
    pub kind: Kind,
    pub began: Timestamp,
    /// Factor on all durations.
    pub pace: f64,
    /// Still burning when the demo opens.
    pub open: bool,
}

/// The lifecycle times as they really were.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    pub impact_started: Timestamp,
    pub detected: Timestamp,
    pub declared: Timestamp,
    pub acknowledged: Timestamp,
    pub mitigated: Timestamp,
    pub impact_ended: Timestamp,
    pub resolved: Timestamp,
}

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Closed,
    /// Still open; what lies ahead of the demo's end has not happened yet.
    Open,
    Declined,
    /// Turned out to be the incident with this plan number.
    Merged(usize),
}

#[derive(Clone, Debug)]
pub struct NotePlan {
    pub occurred: Timestamp,
    pub recorded: Timestamp,
    pub author: usize,
    pub story: bool,
    pub text: String,
}

#[derive(Clone, Debug)]
pub struct ActionPlan {
    pub text: String,
    pub owner: usize,
    pub due: Timestamp,
    pub done: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub struct PostmortemPlan {
    pub started: Timestamp,
    pub published: Option<Timestamp>,
    pub author: usize,
    pub summary: String,
    pub cause: String,
    pub mitigation: String,
    pub lesson: String,
    pub actions: Vec<ActionPlan>,
}

#[derive(Clone, Debug)]
pub struct IncidentPlan {
    /// Its place in the plan, not the number that it will get.
    pub number: usize,
    pub story: &'static str,
    pub title: String,
    pub summary: String,
    pub severity: Severity,
    pub kind: Kind,
    pub private: bool,
    /// The broken one first, then who felt it.
    pub services: Vec<&'static str>,
    pub course: Course,
    /// When it was typed in: the declaration, or much later for a backfilled one.
    pub recorded: Timestamp,
    /// The impact start that was believed at first and corrected afterwards.
    pub believed: Option<Timestamp>,
    pub commander: usize,
    pub operations: usize,
    pub alert: Option<AlertPlan>,
    pub guilty: Option<ChangePlan>,
    pub rollback: Option<ChangePlan>,
    pub trace: Option<TracePlan>,
    pub notes: Vec<NotePlan>,
    /// Slug of the runbook that was followed.
    pub runbook: Option<&'static str>,
    pub tasks: Vec<String>,
    pub postmortem: Option<PostmortemPlan>,
    pub ending: Ending,
}

/// Adds everything else to a skeleton.
pub fn flesh_out(
    skeleton: &Skeleton,
    guilty: Option<&GuiltyChange>,
    end: Timestamp,
    seeded: &mut Seeded,
) -> IncidentPlan {
    let story = skeleton.story;
    let path = path_to(skeleton.service);
    let caller = path.iter().rev().nth(1).copied().unwrap_or("storefront");
    let places = Places {
        service: skeleton.service.to_owned(),
        caller: caller.to_owned(),
        version: guilty.map_or_else(String::new, |g| g.change.version.clone()),
        old: guilty.map_or_else(String::new, |g| g.old.clone()),
        n: seeded.between(6, 64),
    };
    let course = course(skeleton, end, seeded);
    let ending = ending(skeleton, seeded);
    let commander = seeded.pick(&COMMANDERS).copied().unwrap_or(1);
    let operations = seeded.pick(&RESPONDERS).copied().unwrap_or(5);
    let by_alert = skeleton.kind == Kind::Real && seeded.chance(0.78);
    let title = seeded.pick(story.titles).map_or_else(String::new, |t| places.fill(t));
    let rollback = guilty.filter(|_| story.key != "slow-query").map(|g| rollback(g, &course, operations));
    let calls_it_off = ending == Ending::Declined;
    IncidentPlan {
        number: 0,
        story: story.key,
        title: if skeleton.kind == Kind::Drill { format!("Drill: {title}") } else { title },
        summary: places.fill(story.lines.first().map_or("", |l| l.text)),
        severity: skeleton.severity,
        kind: skeleton.kind,
        private: false,
        services: services(skeleton, caller, seeded),
        recorded: recorded(skeleton, &course, seeded),
        believed: believed(skeleton, &course, seeded),
        commander,
        operations,
        alert: by_alert.then(|| alert(skeleton, &course, &places, seeded)),
        guilty: guilty.map(|g| g.change.clone()),
        rollback: rollback.filter(|r| !calls_it_off && r.finished < end),
        trace: trace(skeleton, &course, guilty, seeded),
        notes: notes(skeleton, &course, &places, [commander, operations], seeded),
        runbook: (!calls_it_off && seeded.chance(0.55)).then_some(story.runbook),
        tasks: tasks(skeleton, &places, seeded),
        postmortem: aftermath::postmortem(skeleton, &course, &places, end, seeded).filter(|_| ending == Ending::Closed),
        course,
        ending,
    }
}

fn minutes(seeded: &mut Seeded, median: f64, spread: f64) -> TimeDelta {
    let seconds = (seeded.skewed(median, spread) * 60.0).clamp(20.0, 5.0 * 86_400.0);
    #[expect(clippy::cast_possible_truncation, reason = "clamped above")]
    TimeDelta::seconds(seconds as i64)
}

fn course(skeleton: &Skeleton, end: Timestamp, seeded: &mut Seeded) -> Course {
    let [detect, acknowledge, mitigate, resolve] = skeleton.story.medians;
    let (attention, work) = match skeleton.severity {
        Severity::Sev1 => (0.6, 1.15),
        Severity::Sev2 => (0.85, 1.0),
        Severity::Sev3 => (1.2, 0.9),
        Severity::Sev4 => (2.4, 1.1),
    };
    // Fulfilment has the oldest systems and payments the best runbooks.
    let team = match find(skeleton.service).map(|s| s.team) {
        Some("fulfilment") => 1.5,
        Some("payments") => 0.8,
        _ => 1.0,
    };
    let (attention, work) = (attention * skeleton.pace, work * skeleton.pace * team);
    let impact_started = skeleton.began;
    // What still burns has been found quickly, so that there is something to see.
    let first_sign = minutes(seeded, detect * attention, 0.8);
    let detected = impact_started + if skeleton.open { first_sign.min(TimeDelta::minutes(6)) } else { first_sign };
    let taken_on = minutes(seeded, acknowledge * attention, 0.6);
    let acknowledged = detected + if skeleton.open { taken_on.min(TimeDelta::minutes(4)) } else { taken_on };
    let declared = acknowledged + TimeDelta::seconds(seeded.between(20, 240));
    let mitigated = declared + minutes(seeded, mitigate * work, 0.8);
    let impact_ended = mitigated + TimeDelta::seconds(seeded.between(60, 500));
    let resolved = impact_ended + minutes(seeded, resolve * work, 0.7);
    let course = Course { impact_started, detected, declared, acknowledged, mitigated, impact_ended, resolved };
    if skeleton.open { course } else { course.over_by(end - TimeDelta::minutes(20)) }
}

impl Course {
    /// Pressed together evenly, if need be, so that it is over by then.
    fn over_by(self, limit: Timestamp) -> Self {
        let (room, needed) = (limit - self.impact_started, self.resolved - self.impact_started);
        if needed <= room {
            return self;
        }
        let press = |at: Timestamp| {
            let share = i128::from((at - self.impact_started).num_seconds()) * i128::from(room.num_seconds())
                / i128::from(needed.num_seconds().max(1));
            self.impact_started + TimeDelta::seconds(i64::try_from(share).unwrap_or(0))
        };
        Self {
            impact_started: self.impact_started,
            detected: press(self.detected),
            declared: press(self.declared),
            acknowledged: press(self.acknowledged),
            mitigated: press(self.mitigated),
            impact_ended: press(self.impact_ended),
            resolved: press(self.resolved),
        }
    }
}

fn ending(skeleton: &Skeleton, seeded: &mut Seeded) -> Ending {
    if skeleton.open {
        Ending::Open
    } else if skeleton.kind == Kind::Real && skeleton.severity >= Severity::Sev3 && seeded.chance(0.05) {
        Ending::Declined
    } else {
        Ending::Closed
    }
}

fn recorded(skeleton: &Skeleton, course: &Course, seeded: &mut Seeded) -> Timestamp {
    match skeleton.kind {
        // All of them on two afternoons in the third month.
        Kind::Backfilled => course.resolved + TimeDelta::days(seeded.between(18, 40)),
        _ => course.declared,
    }
}

/// In every fourth incident people first took the first alert for the start of the impact.
fn believed(skeleton: &Skeleton, course: &Course, seeded: &mut Seeded) -> Option<Timestamp> {
    (skeleton.kind == Kind::Real && !skeleton.open && seeded.chance(0.25)).then_some(course.detected)
}

fn services(skeleton: &Skeleton, caller: &'static str, seeded: &mut Seeded) -> Vec<&'static str> {
    let mut out = vec![skeleton.service];
    if caller != skeleton.service && skeleton.severity <= Severity::Sev3 && seeded.chance(0.7) {
        out.push(caller);
    }
    let felt_everywhere = if skeleton.severity == Severity::Sev1 { 0.9 } else { 0.3 };
    if skeleton.severity <= Severity::Sev2 && !out.contains(&"storefront") && seeded.chance(felt_everywhere) {
        out.push("storefront");
    }
    out
}

fn alert(skeleton: &Skeleton, course: &Course, places: &Places, seeded: &mut Seeded) -> AlertPlan {
    AlertPlan {
        name: skeleton.story.alert.0,
        service: skeleton.service,
        summary: places.fill(skeleton.story.alert.1),
        severity: if skeleton.severity <= Severity::Sev2 { "critical" } else { "warning" },
        fired: course.detected,
        resolved: (!skeleton.open).then_some(course.impact_ended + TimeDelta::seconds(30)),
        deliveries: u32::try_from(seeded.between(1, 5)).unwrap_or(1),
    }
}

fn rollback(guilty: &GuiltyChange, course: &Course, operations: usize) -> ChangePlan {
    let kind = if guilty.change.kind == "deployment" { "rollback" } else { guilty.change.kind };
    let finished = course.mitigated - TimeDelta::seconds(40);
    let started = (finished - TimeDelta::seconds(90)).max(course.declared);
    ChangePlan {
        version: if guilty.change.kind == "feature_flag" {
            format!("{} off", guilty.change.version)
        } else {
            guilty.old.clone()
        },
        kind,
        author: operations,
        started,
        finished: finished.max(started),
        ..guilty.change.clone()
    }
}

fn trace(
    skeleton: &Skeleton,
    course: &Course,
    guilty: Option<&GuiltyChange>,
    seeded: &mut Seeded,
) -> Option<TracePlan> {
    if skeleton.kind != Kind::Real || !(skeleton.open || seeded.chance(0.7)) {
        return None;
    }
    let span = (course.detected - course.impact_started).num_seconds().max(2);
    let at = course.impact_started + TimeDelta::seconds(seeded.between(1, span - 1));
    let version = guilty.filter(|g| g.change.kind == "deployment").map(|g| g.change.version.as_str());
    Some(traces::failed(seeded, skeleton.service, at, skeleton.story.error, version))
}

fn notes(
    skeleton: &Skeleton,
    course: &Course,
    places: &Places,
    authors: [usize; 2],
    seeded: &mut Seeded,
) -> Vec<NotePlan> {
    let span = (course.resolved - course.detected).num_seconds();
    let mut out = Vec::new();
    for (i, line) in skeleton.story.lines.iter().enumerate() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a share of some hours")]
        let after = (span as f64 * line.share) as i64;
        let occurred = course.detected + TimeDelta::seconds(after);
        let written = match skeleton.kind {
            Kind::Backfilled => course.resolved + TimeDelta::days(20),
            _ => (occurred + TimeDelta::seconds(seeded.between(15, 200))).max(course.declared + TimeDelta::seconds(20)),
        };
        let author = authors.get(i % authors.len()).copied().unwrap_or(1);
        out.push(NotePlan { occurred, recorded: written, author, story: line.story, text: places.fill(line.text) });
    }
    if skeleton.severity <= Severity::Sev2 && skeleton.kind == Kind::Real {
        let occurred = course.declared + TimeDelta::seconds(seeded.between(200, 600));
        let text = format!(
            "Customer care informed: {} is affected, next update in thirty minutes. {} leads.",
            places.caller,
            PEOPLE.get(authors[0]).map_or("The commander", |p| p.name)
        );
        let recorded = occurred + TimeDelta::seconds(25);
        out.push(NotePlan { occurred, recorded, author: authors[0], story: false, text });
    }
    out.sort_by_key(|n| n.recorded);
    out
}

fn tasks(skeleton: &Skeleton, places: &Places, seeded: &mut Seeded) -> Vec<String> {
    let all = [
        format!("Ask the owners of {} to join", places.caller),
        format!("Collect three failed requests of {}", places.service),
        "Tell customer care what to say".to_owned(),
        "Check whether orders were lost".to_owned(),
    ];
    let most = if skeleton.severity <= Severity::Sev2 { 3 } else { 1 };
    let wanted = usize::try_from(seeded.between(0, most)).unwrap_or(0);
    all.into_iter().take(wanted).collect()
}
