//! Suspects as pages and the API show them.

use serde_json::{Value, json};

use super::model::{EvidenceRef, Reason, Suspect, SuspectKind};
use super::store::Kept;
use super::verdict::{Given, Verdict};

/// A page of ours where a reason can be looked at; empty for none.
pub fn url(reason: &Reason) -> String {
    match &reason.evidence {
        Some(EvidenceRef::Trace(id)) => format!("/traces/{id}"),
        Some(EvidenceRef::Change(id)) => format!("/deployments/{id}"),
        Some(EvidenceRef::Alert(id)) => format!("/alerts/{id}"),
        Some(EvidenceRef::Log(_)) | None => String::new(),
    }
}

/// One suspect on a page.
pub struct Card {
    pub suspect: Suspect,
    /// The latest verdict on it.
    pub verdict: Option<Given>,
    /// The example trace of its strongest reason that has one.
    pub example: Option<String>,
}

impl Card {
    pub fn percent(&self) -> String {
        format!("{:.0} %", self.suspect.score * 100.0)
    }

    pub fn url(&self) -> String {
        match (&self.suspect.kind, &self.suspect.change) {
            (SuspectKind::Deployment, Some(id)) => format!("/deployments/{id}"),
            _ => format!("/services/{}", self.suspect.service),
        }
    }

    /// Width of the score's bar, out of 100.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
    pub fn bar(&self) -> u8 {
        (self.suspect.score.clamp(0.0, 1.0) * 100.0) as u8
    }

    pub fn operation(&self) -> &str {
        self.suspect.operation.as_deref().unwrap_or_default()
    }

    pub fn version(&self) -> &str {
        self.suspect.version.as_deref().unwrap_or_default()
    }

    pub fn deployment(&self) -> &str {
        self.suspect.change.as_deref().unwrap_or_default()
    }

    pub const fn choices(&self) -> [Verdict; 3] {
        Verdict::ALL
    }
}

/// The suspects with what was said about each.
pub fn cards(kept: &Kept, verdicts: &[Given]) -> Vec<Card> {
    kept.ranking
        .suspects
        .iter()
        .map(|s| Card {
            verdict: verdicts.iter().find(|v| v.subject.is_about(s)).cloned(),
            example: s.reasons.iter().find_map(|r| match &r.evidence {
                Some(EvidenceRef::Trace(id)) => Some(id.clone()),
                _ => None,
            }),
            suspect: s.clone(),
        })
        .collect()
}

pub fn json(kept: &Kept, verdicts: &[Given]) -> Value {
    let suspects: Vec<Value> = kept
        .ranking
        .suspects
        .iter()
        .map(|s| {
            let mut value = json!({
                "rank": s.rank,
                "kind": s.kind,
                "service": s.service,
                "score": s.score,
                "reasons": s.reasons.iter().map(reason).collect::<Vec<_>>(),
            });
            for (key, text) in [("operation", &s.operation), ("version", &s.version), ("deployment", &s.change)] {
                if let Some(text) = text {
                    value[key] = json!(text);
                }
            }
            value
        })
        .collect();
    json!({
        "suspects": suspects,
        "headline": kept.ranking.headline,
        "missing": kept.ranking.missing,
        "changed": kept.changed,
        "changed_at": kept.changed_at,
        "impact_started_at": kept.impact_at,
        "computed_at": kept.computed_at,
        "spans": kept.span_count,
        "log_lines": kept.log_count,
        "verdicts": verdicts,
    })
}

fn reason(r: &Reason) -> Value {
    let url = url(r);
    json!({
        "signal": r.signal,
        "text": r.text,
        "strength": (r.strength * 1e3).round() / 1e3,
        "url": if url.is_empty() { Value::Null } else { json!(url) },
    })
}
