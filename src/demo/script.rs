//! The year as one list of single acts in order of time: what a player does one after another.

use chrono::TimeDelta;

use super::incidents::{Ending, IncidentPlan};
use super::traces::TracePlan;
use super::year::{AlertPlan, ChangePlan, Year};
use crate::clock::Timestamp;
use crate::incidents::{Kind, MilestoneName, Severity, Status};

/// One act, as one person or machine does it.
#[derive(Clone, Copy, Debug)]
pub enum Act<'a> {
    Change(&'a ChangePlan),
    AlertFires(&'a AlertPlan),
    AlertResolves(&'a AlertPlan),
    Trace(&'a TracePlan),
    Declare(&'a IncidentPlan),
    Roles(&'a IncidentPlan),
    Status {
        incident: &'a IncidentPlan,
        to: Status,
    },
    Milestone {
        incident: &'a IncidentPlan,
        name: MilestoneName,
        at: Timestamp,
        reason: &'static str,
    },
    /// The place of the note in the plan.
    Note {
        incident: &'a IncidentPlan,
        note: usize,
    },
    Tasks(&'a IncidentPlan),
    /// What is known by now is attached: alert, trace, deployment.
    Evidence(&'a IncidentPlan),
    StartRunbook(&'a IncidentPlan),
    /// The next step of the run, whichever that is.
    RunbookStep(&'a IncidentPlan),
    Merge(&'a IncidentPlan),
    DraftPostmortem(&'a IncidentPlan),
    PublishPostmortem(&'a IncidentPlan),
    /// The place of the action item in the postmortem's plan.
    FinishAction {
        incident: &'a IncidentPlan,
        action: usize,
    },
}

#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    pub at: Timestamp,
    pub act: Act<'a>,
}

/// Steps that are worked through before the incident is mitigated, at most.
const RUNBOOK_STEPS: i32 = 9;

/// Everything until the year's end, in order; what would come later has not happened.
pub fn script(year: &Year) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for change in &year.changes {
        steps.push(Step { at: change.finished, act: Act::Change(change) });
    }
    for alert in &year.lone_alerts {
        alert_steps(&mut steps, alert);
    }
    for trace in &year.healthy {
        steps.push(Step { at: trace.end(), act: Act::Trace(trace) });
    }
    for incident in &year.incidents {
        match incident.kind {
            Kind::Backfilled => backfilled(&mut steps, incident),
            Kind::Real | Kind::Drill => lived_through(&mut steps, incident),
        }
    }
    steps.retain(|s| s.at <= year.end);
    // Stable: acts of one moment stay in the order in which they were planned.
    steps.sort_by_key(|s| s.at);
    steps
}

fn alert_steps<'a>(steps: &mut Vec<Step<'a>>, alert: &'a AlertPlan) {
    for delivery in 0..alert.deliveries {
        let at = alert.fired + TimeDelta::minutes(4) * i32::try_from(delivery).unwrap_or(0);
        if alert.resolved.is_none_or(|over| at < over) {
            steps.push(Step { at, act: Act::AlertFires(alert) });
        }
    }
    if let Some(at) = alert.resolved {
        steps.push(Step { at, act: Act::AlertResolves(alert) });
    }
}

fn backfilled<'a>(steps: &mut Vec<Step<'a>>, incident: &'a IncidentPlan) {
    let mut push = |minutes: i64, act| steps.push(Step { at: incident.recorded + TimeDelta::minutes(minutes), act });
    push(0, Act::Declare(incident));
    for (note, plan) in incident.notes.iter().enumerate() {
        if plan.story {
            push(2, Act::Note { incident, note });
        }
    }
    push(9, Act::Status { incident, to: Status::Closed });
}

fn lived_through<'a>(steps: &mut Vec<Step<'a>>, incident: &'a IncidentPlan) {
    let course = incident.course;
    if let Some(alert) = &incident.alert {
        alert_steps(steps, alert);
    }
    if let Some(trace) = &incident.trace {
        steps.push(Step { at: trace.end(), act: Act::Trace(trace) });
    }
    let mut push = |at, act| steps.push(Step { at, act });
    push(course.declared, Act::Declare(incident));
    if let Ending::Merged(_) = incident.ending {
        push(course.declared + TimeDelta::minutes(5), Act::Merge(incident));
        return;
    }
    push(course.declared + TimeDelta::seconds(8), Act::Roles(incident));
    push(course.declared + TimeDelta::seconds(15), Act::Status { incident, to: Status::Investigating });
    if incident.ending == Ending::Declined {
        push(course.declared + TimeDelta::minutes(12), Act::Status { incident, to: Status::Declined });
        return;
    }
    for (note, plan) in incident.notes.iter().enumerate() {
        push(plan.recorded, Act::Note { incident, note });
    }
    let until_mitigated = course.mitigated - course.declared;
    push(course.declared + until_mitigated / 6, Act::Tasks(incident));
    push(course.declared + until_mitigated / 5, Act::Evidence(incident));
    if incident.runbook.is_some() {
        push(course.declared + until_mitigated / 4, Act::StartRunbook(incident));
        for step in 1..=RUNBOOK_STEPS {
            let after = until_mitigated / 4 + until_mitigated * 7 / 10 / RUNBOOK_STEPS * step;
            push(course.declared + after, Act::RunbookStep(incident));
        }
    }
    push(course.declared + until_mitigated * 3 / 5, Act::Status { incident, to: Status::Identified });
    if incident.ending == Ending::Open {
        // However long ago it began, nobody has got the better of it yet.
        return;
    }
    if let Some(rollback) = &incident.rollback {
        push(rollback.finished, Act::Change(rollback));
    }
    push(course.mitigated, Act::Status { incident, to: Status::Monitoring });
    let ended = Act::Milestone {
        incident,
        name: MilestoneName::ImpactEnded,
        at: course.impact_ended,
        reason: "The error share is back to normal",
    };
    push(course.impact_ended + TimeDelta::seconds(20), ended);
    push(course.resolved, Act::Status { incident, to: Status::Resolved });
    afterwards(steps, incident);
}

fn afterwards<'a>(steps: &mut Vec<Step<'a>>, incident: &'a IncidentPlan) {
    let resolved = incident.course.resolved;
    let mut push = |at, act| steps.push(Step { at, act });
    if incident.believed.is_some() {
        let correction = Act::Milestone {
            incident,
            name: MilestoneName::ImpactStarted,
            at: incident.course.impact_started,
            reason: "The traces show failures before the first alert",
        };
        push(resolved + TimeDelta::minutes(50), correction);
    }
    let mut closed = resolved + TimeDelta::hours(if incident.severity <= Severity::Sev2 { 72 } else { 20 });
    if let Some(postmortem) = &incident.postmortem {
        push(postmortem.started, Act::DraftPostmortem(incident));
        if let Some(published) = postmortem.published {
            push(published, Act::PublishPostmortem(incident));
            closed = published + TimeDelta::hours(1);
        }
        for (action, plan) in postmortem.actions.iter().enumerate() {
            if let Some(done) = plan.done {
                push(done.max(postmortem.started + TimeDelta::hours(1)), Act::FinishAction { incident, action });
            }
        }
    }
    if incident.kind == Kind::Drill {
        closed = resolved + TimeDelta::minutes(30);
    }
    push(closed, Act::Status { incident, to: Status::Closed });
}
