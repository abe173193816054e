//! An incident as one page that stands alone: nothing in it is fetched from anywhere, so that it reads the same offline
//! and in ten years. Its own content security policy allows its one style sheet and its own pictures, and nothing else.

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::document::{
    Body, Document, Entry, EntryVersion, Evidence, Exported, Milestone, MilestoneChange, Piece, Run, RunOfBook,
    StepRecord, TimelineEntry, Whole,
};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::incidents::hooks::Hooks;
use crate::incidents::record::{Evidence as Attached, Snapshot};
use crate::incidents::{EntryKind, EvidenceKind, MilestoneName};
use crate::markdown::{self, SafeHtml};
use crate::postmortems::model::SectionKey;
use crate::web::Rendered;

/// The look of the application, and what only a page on its own needs.
const STYLE: &str = concat!(
    include_str!("../../static/app.css"),
    "main{max-width:60rem}.piece{break-inside:avoid}details>summary{cursor:pointer}img{max-width:100%}\
     @media print{details{display:block}.card{box-shadow:none}}"
);
/// Characters of a kept text that are shown; the whole of it is in the JSON export.
const SHOWN_TEXT: usize = 200_000;

#[derive(Template)]
#[template(path = "portable/export.html")]
struct ExportPage<'a> {
    policy: String,
    style: &'static str,
    d: &'a Document,
    summary: SafeHtml,
    milestones: Vec<MilestoneView<'a>>,
    entries: Vec<EntryView<'a>>,
    pieces: Vec<PieceView<'a>>,
    runs: Vec<RunView<'a>>,
    sections: Vec<(&'static str, SafeHtml)>,
    headline: Option<&'a str>,
}

struct MilestoneView<'a> {
    label: String,
    now: &'a Milestone,
    history: Vec<&'a MilestoneChange>,
}

struct EntryView<'a> {
    kind: String,
    entry: &'a Entry,
    html: SafeHtml,
    versions: &'a [EntryVersion],
}

struct PieceView<'a> {
    kind: String,
    piece: &'a Evidence,
    note: SafeHtml,
    drawn: Option<String>,
    text: Option<String>,
    /// A `data:` address of a picture.
    image: Option<String>,
    /// A `data:` address of any other file, to be saved.
    file: Option<String>,
}

impl PieceView<'_> {
    fn drawing(&self) -> Option<Rendered<'_>> {
        self.drawn.as_deref().map(Rendered::by_template)
    }
}

struct RunView<'a> {
    title: String,
    run: &'a Run,
    records: &'a [StepRecord],
}

impl ExportPage<'_> {
    /// The style sheet is ours; its hash is in the policy.
    fn css(&self) -> Rendered<'_> {
        Rendered::by_template(self.style)
    }

    fn exported(&self) -> &Exported {
        &self.d.exported
    }

    /// `2026-11-23 10:00:05 UTC`: a page on its own has no script that would make it local.
    fn utc(&self, at: &Timestamp) -> String {
        at.format("%Y-%m-%d %H:%M:%S UTC")
    }
}

/// The page of a document, with each piece of evidence drawn by the room that knows its kind.
///
/// # Errors
/// `Internal` when a template fails.
pub fn page(document: &Document, hooks: &Hooks) -> Result<String> {
    let whole = &document.incident;
    let hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let mut entries: Vec<&TimelineEntry> = whole.timeline.iter().collect();
    entries.sort_by_key(|e| e.entry.occurred_at);
    let html = ExportPage {
        policy: format!(
            "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'"
        ),
        style: STYLE,
        d: document,
        summary: markdown::render(&whole.head.summary),
        milestones: milestones(whole),
        entries: entries
            .into_iter()
            .map(|e| EntryView {
                kind: EntryKind::parse(&e.entry.kind).map_or_else(|| e.entry.kind.clone(), |k| k.label().to_owned()),
                html: markdown::render(&e.entry.text),
                entry: &e.entry,
                versions: &e.versions,
            })
            .collect(),
        pieces: whole.evidence.iter().filter(|p| p.evidence.removed_at.is_none()).map(|p| piece(p, hooks)).collect(),
        runs: whole.runs.iter().map(run).collect(),
        sections: sections(whole),
        headline: whole.suspects.as_ref().and_then(|s| s.ranking.get("headline")?.as_str()),
    }
    .render()
    .map_err(|e| Error::Internal(format!("rendering an export: {e}")))?;
    Ok(alone(&html, &document.exported.from))
}

/// Paths lead back to where the page came from; pictures that are not inside are left to their description.
fn alone(html: &str, base: &str) -> String {
    let base: String = base.trim_end_matches('/').chars().filter(|c| !matches!(c, '"' | '<' | '>')).collect();
    html.replace(" href=\"/", &format!(" href=\"{base}/")).replace(" src=\"/", " data-left-out=\"/")
}

fn milestones(whole: &Whole) -> Vec<MilestoneView<'_>> {
    let mut all: Vec<_> = whole
        .milestones
        .iter()
        .map(|m| {
            let name = MilestoneName::parse(&m.name);
            let view = MilestoneView {
                label: name.map_or_else(|| m.name.clone(), |n| n.label().to_owned()),
                now: m,
                history: whole.milestone_history.iter().filter(|h| h.name == m.name).collect(),
            };
            (name, view)
        })
        .collect();
    all.sort_by_key(|(name, _)| *name);
    all.into_iter().map(|(_, view)| view).collect()
}

fn piece<'a>(piece: &'a Piece, hooks: &Hooks) -> PieceView<'a> {
    let kind = EvidenceKind::parse(&piece.evidence.kind);
    let mut view = PieceView {
        kind: kind.map_or_else(|| piece.evidence.kind.clone(), |k| k.label().to_owned()),
        piece: &piece.evidence,
        note: markdown::render(&piece.evidence.note),
        drawn: None,
        text: None,
        image: None,
        file: None,
    };
    let (Some(kind), Some(kept)) = (kind, &piece.kept) else { return view };
    let bytes = match &kept.body {
        Body::Text(text) => text.clone().into_bytes(),
        Body::Base64(text) => STANDARD.decode(text).unwrap_or_default(),
    };
    let snapshot = Snapshot { media_type: kept.media_type.clone(), body: bytes, taken_at: kept.taken_at };
    // A snapshot that its room cannot draw (from another version, by hand) is shown as it is.
    view.drawn = hooks.evidence_source(kind).and_then(|s| s.draw(&attached(kind, piece), &snapshot).ok().flatten());
    if view.drawn.is_some() {
        return view;
    }
    let is_image = matches!(kept.media_type.as_str(), "image/png" | "image/jpeg" | "image/gif" | "image/webp");
    match &kept.body {
        Body::Text(text) => view.text = Some(text.chars().take(SHOWN_TEXT).collect()),
        Body::Base64(text) if is_image => view.image = Some(format!("data:{};base64,{text}", kept.media_type)),
        Body::Base64(text) => view.file = Some(format!("data:application/octet-stream;base64,{text}")),
    }
    view
}

fn attached(kind: EvidenceKind, piece: &Piece) -> Attached {
    let e = &piece.evidence;
    Attached {
        id: 0,
        kind,
        title: e.title.clone(),
        note: e.note.clone(),
        reference: e.reference.clone(),
        url: e.url.clone(),
        topic: e.topic.clone(),
        occurred_at: e.occurred_at,
        added_at: e.added_at,
        added_by: e.added_by_name.clone(),
        kept_bytes: None,
    }
}

fn run(run: &RunOfBook) -> RunView<'_> {
    let title = crate::runbooks::model::parse(&run.runbook.source)
        .map_or_else(|_| run.runbook.slug.clone(), |parsed| parsed.front.title);
    RunView { title, run: &run.run, records: &run.records }
}

fn sections(whole: &Whole) -> Vec<(&'static str, SafeHtml)> {
    let Some(report) = &whole.postmortem else { return Vec::new() };
    let mut all: Vec<_> = report
        .sections
        .iter()
        .filter(|s| !s.body.trim().is_empty())
        .filter_map(|s| SectionKey::parse(&s.section).map(|key| (key, markdown::render(&s.body))))
        .collect();
    all.sort_by_key(|(key, _)| *key);
    all.into_iter().map(|(key, html)| (key.title(), html)).collect()
}
