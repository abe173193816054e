//! What comes after an incident: its postmortem, and finding out that two were one.

use chrono::TimeDelta;

use super::company::{COMMANDERS, RESPONDERS};
use super::incidents::{ActionPlan, Course, Ending, IncidentPlan, PostmortemPlan, Skeleton};
use super::stories::{Guilty, Places};
use crate::clock::Timestamp;
use crate::incidents::model::{Kind, Severity};
use crate::seeded::Seeded;

/// What will be written about it, by its severity; none for drills and for what is too recent.
pub(super) fn postmortem(
    skeleton: &Skeleton,
    course: &Course,
    places: &Places,
    end: Timestamp,
    seeded: &mut Seeded,
) -> Option<PostmortemPlan> {
    let chance = match skeleton.severity {
        Severity::Sev1 => 1.0,
        Severity::Sev2 => 0.85,
        Severity::Sev3 => 0.3,
        Severity::Sev4 => 0.05,
    };
    let started = course.resolved + TimeDelta::hours(seeded.between(14, 60));
    if skeleton.kind != Kind::Real || !seeded.chance(chance) || started >= end {
        return None;
    }
    let published = started + TimeDelta::hours(seeded.between(20, 160));
    let story = skeleton.story;
    let actions = story
        .actions
        .iter()
        .map(|text| {
            let due = course.resolved + TimeDelta::days(seeded.between(14, 45));
            let done = course.resolved + TimeDelta::days(seeded.between(4, 50));
            ActionPlan {
                text: places.fill(text),
                owner: seeded.pick(&RESPONDERS).copied().unwrap_or(5),
                due,
                done: (seeded.chance(0.8) && done < end).then_some(done.max(published)),
            }
        })
        .map(|a| ActionPlan { done: a.done.filter(|d| *d < end), ..a })
        .collect();
    let wordy = match story.guilty {
        Guilty::Nothing => "No change of ours preceded it.",
        _ => "It began minutes after a change of ours.",
    };
    Some(PostmortemPlan {
        started,
        published: (published < end).then_some(published),
        author: seeded.pick(&COMMANDERS).copied().unwrap_or(1),
        summary: format!("{} {wordy}", places.fill(story.lines.first().map_or("", |l| l.text))),
        cause: places.fill(story.cause),
        mitigation: places.fill(story.mitigation),
        lesson: places.fill(story.lesson),
        actions,
    })
}

/// Numbers the plans, makes two of them private, and adds the same failures declared twice.
pub fn duplicates(plans: &mut [IncidentPlan], seeded: &mut Seeded) -> Vec<IncidentPlan> {
    for (number, plan) in plans.iter_mut().enumerate() {
        plan.number = number;
    }
    let eligible =
        |p: &IncidentPlan| p.kind == Kind::Real && p.ending == Ending::Closed && p.severity <= Severity::Sev2;
    let secret: Vec<usize> =
        plans.iter().filter(|p| eligible(p) && p.services.contains(&"auth")).map(|p| p.number).collect();
    for number in secret.into_iter().take(2) {
        if let Some(plan) = plans.get_mut(number) {
            plan.private = true;
            plan.title = format!("{} (security)", plan.title);
        }
    }
    let wide: Vec<IncidentPlan> =
        plans.iter().filter(|p| eligible(p) && !p.private && p.services.len() > 1).cloned().collect();
    let mut out: Vec<IncidentPlan> = Vec::new();
    for (i, original) in wide.iter().enumerate().filter(|(i, _)| i % 9 == 4).take(4) {
        let felt = original.services.last().copied().unwrap_or("storefront");
        let mut course = original.course;
        course.declared = original.course.declared + TimeDelta::seconds(seeded.between(120, 400));
        course.detected = course.declared - TimeDelta::seconds(60);
        out.push(IncidentPlan {
            number: plans.len() + i,
            title: format!("Customers report errors in {felt}"),
            summary: format!("Several customers cannot use {felt}."),
            services: vec![felt],
            recorded: course.declared,
            course,
            believed: None,
            alert: None,
            guilty: None,
            rollback: None,
            trace: None,
            notes: Vec::new(),
            runbook: None,
            tasks: Vec::new(),
            postmortem: None,
            ending: Ending::Merged(original.number),
            ..original.clone()
        });
    }
    out
}
