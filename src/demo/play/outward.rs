//! What the company shows outward and keeps ready: the status page with a year of notices, and who is on
//! call. Played at the end, with the times of the year.

use std::collections::HashMap;

use chrono::TimeDelta;

use crate::accounts::{Actor, Role};
use crate::clock::Timestamp;
use crate::db::Tx;
use crate::demo::company::{PEOPLE, TEAMS};
use crate::demo::incidents::{Ending, IncidentPlan};
use crate::demo::year::Year;
use crate::error::Result;
use crate::incidents::{Kind, Severity};
use crate::oncall::model::input::{OverrideInput, TeamInput};
use crate::oncall::service::teams as oncall;
use crate::status_page::model::NoticeKind;
use crate::status_page::model::input::{ComponentInput, DraftInput, PageInput};
use crate::status_page::service::{components, notices};

use super::Player;

/// Group, public name, description, service behind.
const COMPONENTS: [(&str, &str, &str, &str); 8] = [
    ("Shop", "Website and app", "Browsing the shop", "storefront"),
    ("Shop", "Search", "Finding products", "search"),
    ("Shop", "Product pages", "Pictures, descriptions, stock", "catalogue"),
    ("Orders", "Basket and checkout", "From the basket to the order", "checkout"),
    ("Orders", "Payments", "Cards and vouchers", "payments"),
    ("Orders", "Delivery", "Slots, couriers and tracking", "dispatch"),
    ("Account", "Sign-in", "Signing in and out", "auth"),
    ("Account", "E-mail and messages", "Confirmations and news", "notifications"),
];

/// What customers read first, and when it is over.
const WORDS: [(&str, &str, &str); 4] = [
    (
        "does not work for some customers",
        "We see that it fails for some of you and are looking into it. We will write again within 30 minutes.",
        "It works again. We are sorry for the trouble, and are finding out how to prevent it.",
    ),
    (
        "is slow",
        "Pages take longer than usual to answer. We have found where it comes from and are working on it.",
        "Answers are as quick as ever again.",
    ),
    (
        "is unreliable at the moment",
        "Some attempts fail; trying again often helps. We are on it.",
        "The cause is removed, and everything has been steady since.",
    ),
    (
        "is interrupted",
        "It is not available at the moment. No order and no payment is lost.",
        "It is available again. Orders that were waiting are being worked through.",
    ),
];

/// People of a rotation; every team has three or four.
fn crew(team: usize) -> Vec<String> {
    let size = 3 + team % 2;
    (0..size).filter_map(|i| PEOPLE.get(5 + (team * 3 + i) % 8)).map(|p| p.email.to_owned()).collect()
}

impl Player<'_> {
    fn actor(&self, person: usize) -> Actor {
        let by = self.by(person);
        Actor { user_id: by.user_id, token_id: None, name: by.name, role: Role::Commander }
    }

    /// Everybody takes turns; at this moment somebody stands in for somebody.
    pub(super) async fn keep_ready(&self, tx: &Tx, year: &Year) -> Result<()> {
        let chief = self.actor(1);
        for (i, (_, name)) in TEAMS.iter().enumerate() {
            let input = TeamInput {
                name: (*name).to_owned(),
                members: crew(i),
                zone: "Europe/Berlin".to_owned(),
                first_day: year.start.format("%Y-%m-%d"),
                handover: "09:00".to_owned(),
                turn_days: if i % 3 == 2 { "3" } else { "7" }.to_owned(),
                ack_minutes: "5".to_owned(),
                pages_from: if i < 4 { "SEV2" } else { "SEV1" }.to_owned(),
                version: None,
            };
            let team = oncall::create(tx, &input, &chief, year.start).await?;
            if *name == "Payments" {
                let swap = OverrideInput {
                    email: PEOPLE[4].email.to_owned(),
                    from: (year.end - TimeDelta::hours(5)).to_rfc3339(),
                    until: (year.end + TimeDelta::hours(19)).to_rfc3339(),
                };
                oncall::swap(tx, team.id, &swap, &chief, year.end - TimeDelta::hours(6)).await?;
            }
        }
        Ok(())
    }

    /// The page, and a notice for each bad incident that customers noticed.
    pub(super) async fn tell_customers(&self, tx: &Tx, year: &Year) -> Result<()> {
        let admin = Actor { role: Role::Admin, ..self.actor(0) };
        let page = PageInput {
            title: "Meridian Market status".to_owned(),
            intro: "How the shop is doing. For questions about an order, write to help@meridian.example.".to_owned(),
            is_public: true,
        };
        components::save_head(tx, &page, &admin, year.start).await?;
        let mut ids = HashMap::new();
        for (group, name, description, service) in COMPONENTS {
            let input = ComponentInput {
                name: name.to_owned(),
                description: description.to_owned(),
                group: group.to_owned(),
                service: service.to_owned(),
            };
            ids.insert(service, (components::add(tx, &input, &admin, year.start).await?, name));
        }
        let noticed = |i: &&IncidentPlan| {
            i.kind == Kind::Real
                && i.severity <= Severity::Sev2
                && !i.private
                && matches!(i.ending, Ending::Closed | Ending::Open)
                && i.services.iter().any(|s| ids.contains_key(s))
        };
        for plan in year.incidents.iter().filter(noticed) {
            let concerned: Vec<_> = plan.services.iter().filter_map(|s| ids.get(s)).copied().collect();
            self.notice(tx, plan, &concerned, year.end).await?;
        }
        let id = ids.get("payments").map_or(0, |c| c.0);
        self.maintenance(tx, id, year.end - TimeDelta::days(24), year.end - TimeDelta::days(30)).await?;
        self.maintenance(tx, id, year.end + TimeDelta::days(3), year.end - TimeDelta::days(1)).await
    }

    async fn notice(&self, tx: &Tx, plan: &IncidentPlan, concerned: &[(i64, &str)], end: Timestamp) -> Result<()> {
        let Some((_, name)) = concerned.first() else { return Ok(()) };
        let (what, first, last) = WORDS[plan.number % WORDS.len()];
        let state = match (plan.severity, plan.number % 2) {
            (Severity::Sev1, _) => "major_outage",
            (_, 0) => "partial_outage",
            _ => "degraded",
        };
        let told = (plan.course.declared + TimeDelta::minutes(8)).min(end);
        let speaker = self.actor(plan.commander);
        let mut draft = DraftInput {
            title: format!("{name} {what}"),
            state: "investigating".to_owned(),
            text: first.to_owned(),
            components: concerned.iter().map(|(id, _)| (id.to_string(), state.to_owned())).collect(),
            starts_at: plan.course.impact_started.min(told).to_rfc3339(),
            ..DraftInput::default()
        };
        let incident = self.id(plan)?;
        let id = notices::create(tx, NoticeKind::Incident, Some(incident), &draft, &speaker, told).await?;
        notices::publish(tx, id, None, &speaker, told).await?;
        let over = (plan.course.resolved + TimeDelta::minutes(5)).max(told + TimeDelta::minutes(1));
        if plan.ending == Ending::Closed && over < end {
            draft.state = "resolved".to_owned();
            draft.text = last.to_owned();
            draft.ends_at = plan.course.impact_ended.max(told).to_rfc3339();
            draft.starts_at = String::new();
            notices::save_draft(tx, id, &draft, &speaker, over).await?;
            notices::publish(tx, id, None, &speaker, over).await?;
        }
        Ok(())
    }

    async fn maintenance(&self, tx: &Tx, component: i64, begin: Timestamp, told: Timestamp) -> Result<()> {
        let speaker = self.actor(2);
        let draft = DraftInput {
            title: "Maintenance of the payment system".to_owned(),
            state: "scheduled".to_owned(),
            text: "Paying by card pauses for up to ten minutes within this time. Orders can be placed and are kept."
                .to_owned(),
            components: [(component.to_string(), "maintenance".to_owned())].into(),
            starts_at: begin.to_rfc3339(),
            ends_at: (begin + TimeDelta::hours(2)).to_rfc3339(),
            version: None,
        };
        let id = notices::create(tx, NoticeKind::Maintenance, None, &draft, &speaker, told).await?;
        notices::publish(tx, id, None, &speaker, told).await.map(drop)
    }
}
