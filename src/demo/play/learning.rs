//! What is learned: postmortems from draft to published, and their action items.

use super::Player;
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::demo::company::PEOPLE;
use crate::demo::incidents::{IncidentPlan, PostmortemPlan};
use crate::error::Result;
use crate::incidents::model::input::NewTask;
use crate::incidents::model::{TaskKind, TaskState};
use crate::incidents::{self, Viewer};
use crate::postmortems::model::{SectionKey, State};
use crate::postmortems::service::{self as postmortems, Edit};

/// The demo acts for everybody.
const EVERYBODY: Viewer = Viewer { all: true, user_id: 0 };

impl Player<'_> {
    /// Drafted from the record, then put into words by its author, with the follow-ups as tasks.
    pub(super) async fn draft_postmortem(&mut self, tx: &Tx, plan: &IncidentPlan, now: Timestamp) -> Result<()> {
        let Some(written) = &plan.postmortem else { return Ok(()) };
        let (id, by) = (self.id(plan)?, self.by(written.author));
        let incident = incidents::get_visible(tx, id, EVERYBODY).await?;
        for (place, action) in written.actions.iter().enumerate() {
            let new = NewTask {
                title: action.text.clone(),
                kind: TaskKind::FollowUp,
                owner: String::new(),
                due_at: Some(action.due),
                state: TaskState::Open,
            };
            let task = incidents::tasks::add(tx, id, &new, self.by(action.owner).user_id, &by, now).await?;
            self.follow_ups.insert((plan.number, place), task);
        }
        postmortems::draft(tx, &incident, &by, now).await?;
        for (key, body) in texts(plan, written) {
            let base = postmortems::get(tx, id).await?.section(key).map_or(0, |s| s.version);
            postmortems::save(tx, &incident, &Edit { key, body, base }, &by, now).await?;
        }
        Ok(())
    }

    pub(super) async fn publish_postmortem(&self, tx: &Tx, plan: &IncidentPlan, now: Timestamp) -> Result<()> {
        let Some(written) = &plan.postmortem else { return Ok(()) };
        let incident = incidents::get_visible(tx, self.id(plan)?, EVERYBODY).await?;
        postmortems::change_state(tx, &incident, State::InReview, &self.by(written.author), now).await?;
        postmortems::change_state(tx, &incident, State::Published, &self.by(plan.commander), now).await?;
        Ok(())
    }

    pub(super) async fn finish_action(
        &mut self,
        tx: &Tx,
        plan: &IncidentPlan,
        place: usize,
        now: Timestamp,
    ) -> Result<()> {
        let action = plan.postmortem.as_ref().and_then(|p| p.actions.get(place));
        let (Some(action), Some(task)) = (action, self.follow_ups.remove(&(plan.number, place))) else { return Ok(()) };
        let by = self.by(action.owner);
        let done = NewTask {
            title: task.title.clone(),
            kind: task.kind,
            owner: String::new(),
            due_at: task.due_at,
            state: TaskState::Done,
        };
        incidents::tasks::edit(tx, self.id(plan)?, &task, &done, by.user_id, &by, now).await?;
        Ok(())
    }
}

/// The sections that people write themselves; the rest stays as it was drafted from the record.
fn texts(plan: &IncidentPlan, written: &PostmortemPlan) -> Vec<(SectionKey, String)> {
    let course = plan.course;
    let lasted = (course.impact_ended - course.impact_started).num_minutes();
    let unnoticed = (course.detected - course.impact_started).num_minutes();
    let felt = plan.services.iter().skip(1).copied().collect::<Vec<_>>().join(" and ");
    let felt = if felt.is_empty() { "Callers of it".to_owned() } else { felt };
    let commander = PEOPLE.get(plan.commander).map_or("The commander", |p| p.name);
    vec![
        (SectionKey::Summary, format!("{} {}", written.summary, written.mitigation)),
        (
            SectionKey::Impact,
            format!(
                "{felt} felt it for {lasted} minutes, of which {unnoticed} passed before anybody noticed. No data was lost."
            ),
        ),
        (SectionKey::RootCause, written.cause.clone()),
        (SectionKey::WentWell, format!("{commander} took the lead within minutes and customer care was told early.")),
        (SectionKey::WentBadly, written.lesson.clone()),
    ]
}
