//! Which runbooks fit an incident, each with its reasons.

use crate::db::Db;
use crate::error::Result;

use super::super::model::record::Runbook;
use super::super::model::{IncidentFacts, conditions};
use super::super::store::runbooks as store;

/// Links of alerts that are looked at.
const MAX_LINKS: usize = 20;

/// A runbook that offers itself.
#[derive(Clone, Debug)]
pub struct Suggestion {
    pub runbook: Runbook,
    /// In words, strongest condition first.
    pub reasons: Vec<String>,
}

/// Best first: the condition with the most parts that hold wins, then the title. At most `limit`.
pub async fn suggest(db: &Db, facts: &IncidentFacts, limit: usize) -> Result<Vec<Suggestion>> {
    let mut found: Vec<Suggestion> =
        store::with_conditions(db).await?.into_iter().filter_map(|runbook| fits(runbook, facts)).collect();
    let named = named_by_alerts(db, facts).await?;
    found.retain(|s| named.iter().all(|n| n.runbook.id != s.runbook.id));
    found.sort_by(|a, b| b.reasons.len().cmp(&a.reasons.len()).then_with(|| a.runbook.title.cmp(&b.runbook.title)));
    // What an alert names itself stands before what conditions guess.
    found.splice(0..0, named);
    found.truncate(limit);
    Ok(found)
}

/// Runbooks that the rules of its alerts attach, and those that its alerts link to (`runbook_url`), each once.
async fn named_by_alerts(db: &Db, facts: &IncidentFacts) -> Result<Vec<Suggestion>> {
    let mut named: Vec<Suggestion> = Vec::new();
    let by_rules = facts.attached.iter().map(|(rule, slug)| (format!("the rule '{rule}' attaches it"), slug));
    let by_alerts = facts.runbook_links.iter().map(|(alert, link)| (format!("the alert '{alert}' names it"), link));
    for (reason, link) in by_rules.chain(by_alerts).take(MAX_LINKS) {
        let Some(slug) = conditions::slug_of_link(link) else { continue };
        if named.iter().any(|s| s.runbook.slug == slug) {
            continue;
        }
        if let Some(runbook) = store::find(db, &slug).await?.filter(|r| r.archived_at.is_none()) {
            named.push(Suggestion { runbook, reasons: vec![reason] });
        }
    }
    Ok(named)
}

/// A runbook for named services is not offered to an incident of others.
fn fits(runbook: Runbook, facts: &IncidentFacts) -> Option<Suggestion> {
    let for_any = runbook.services.is_empty() || runbook.services.iter().any(|s| s == "*");
    let for_these = runbook.services.iter().any(|pattern| facts.services.iter().any(|s| conditions::glob(pattern, s)));
    if !for_any && !for_these {
        return None;
    }
    let mut reasons = runbook.attach_when.iter().filter_map(|condition| condition.holds(facts)).max_by_key(Vec::len)?;
    if for_these && !for_any {
        reasons.push("it is written for this service".to_owned());
    }
    Some(Suggestion { runbook, reasons })
}
