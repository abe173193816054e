//! Uploading images and files: told by their content, kept with the incident.

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::error::{Error, FieldErrors, Result};

use super::super::model::input::TimelineInput;
use super::super::model::record::{Entry, Evidence};
use super::super::model::upload::{Inspected, Upload};
use super::super::model::{EvidenceKind, IncidentId};
use super::super::service;
use super::super::service::evidence::{Attach, NewSnapshot};
use super::Acting;

/// Files of one form.
pub const MAX_FILES: usize = 10;

impl Acting<'_> {
    /// Keeps every file, or none when one of them is refused.
    ///
    /// # Errors
    /// `Invalid` (field `file`) that names each file that is refused, and why.
    pub async fn add_files(&self, id: IncidentId, files: &[Upload], note: &str) -> Result<Vec<Evidence>> {
        self.see(id).await?;
        let inspected = inspect_all(files)?;
        let mut kept = Vec::with_capacity(files.len());
        for (file, Inspected { kind, media_type }) in files.iter().zip(inspected) {
            let attach = Attach {
                kind,
                title: file.name.clone(),
                note: note.to_owned(),
                reference: format!("sha256:{}", hex::encode(Sha256::digest(&file.bytes))),
                url: String::new(),
                topic: String::new(),
                occurred_at: None,
                snapshot: Some(NewSnapshot { media_type: media_type.to_owned(), body: file.bytes.clone() }),
            };
            let piece = service::evidence::add_evidence(self.tx, id, &attach, &self.by(), self.now).await?;
            let detail = json!({ "evidence": piece, "kind": kind, "bytes": file.bytes.len() });
            self.audit("incident.evidence.add", id, &detail).await?;
            kept.push(service::evidence::get(self.tx, id, piece).await?);
        }
        Ok(kept)
    }

    /// An entry with the files that came with it: images are shown in it, other files linked.
    ///
    /// # Errors
    /// As [`Acting::add_files`] and [`Acting::post_entry`].
    pub async fn post_with_files(&self, id: IncidentId, input: &TimelineInput, files: &[Upload]) -> Result<Entry> {
        if files.is_empty() {
            return self.post_entry(id, input).await;
        }
        let kept = self.add_files(id, files, "").await?;
        let links: Vec<String> = kept.iter().map(|piece| markdown_of(id, piece)).collect();
        let text = format!("{}\n\n{}", input.text.trim_end(), links.join("\n"));
        self.post_entry(id, &TimelineInput { text, ..input.clone() }).await
    }
}

/// How an entry shows or links a kept file.
pub fn markdown_of(id: IncidentId, piece: &Evidence) -> String {
    let label: String = piece.title.chars().map(|c| if matches!(c, '[' | ']' | '\\') { '_' } else { c }).collect();
    match piece.kind {
        EvidenceKind::Image => format!("![{label}](/incidents/{id}/evidence/{}/raw)", piece.id),
        _ => format!("[{label}](/incidents/{id}/evidence/{})", piece.id),
    }
}

fn inspect_all(files: &[Upload]) -> Result<Vec<Inspected>> {
    let mut errors = FieldErrors::default();
    if files.is_empty() {
        errors.add("file", "is needed: choose an image or a file");
    }
    if files.len() > MAX_FILES {
        errors.add("file", format!("are {}; at most {MAX_FILES} are taken at once", files.len()));
    }
    let mut inspected = Vec::with_capacity(files.len());
    for file in files {
        match file.inspect() {
            Ok(found) => inspected.push(found),
            Err(message) => errors.add("file", format!("{}: {message}", file.name)),
        }
    }
    if errors.is_empty() { Ok(inspected) } else { Err(Error::Invalid(errors)) }
}
