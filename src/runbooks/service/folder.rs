//! Reading the folder of runbooks from disk: bounded, and never failing as a whole because of one file.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use super::super::model::MAX_RUNBOOK_BYTES;
use crate::markdown::slugify;

/// More files than a team keeps; the rest is left out and said.
pub const MAX_FILES: usize = 2_000;
const MAX_DEPTH: usize = 4;

/// One Markdown file of the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderFile {
    /// Path within the folder, with `/`.
    pub name: String,
    /// The text, or why it could not be read.
    pub content: Result<String, String>,
}

impl FolderFile {
    /// `network/dns.md` → `network-dns`.
    pub fn slug(&self) -> String {
        slugify(self.name.get(..self.name.len().saturating_sub(3)).unwrap_or(&self.name))
    }
}

/// All Markdown files below `folder`, by name, without `README.md` and hidden ones. A folder that does
/// not exist has none.
///
/// # Errors
/// When the folder itself cannot be listed.
pub fn read(folder: &Path) -> io::Result<Vec<FolderFile>> {
    let mut files = Vec::new();
    match walk(folder, "", 0, &mut files) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        outcome => outcome?,
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

fn walk(folder: &Path, prefix: &str, depth: usize, files: &mut Vec<FolderFile>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        if name.starts_with('.') || files.len() >= MAX_FILES {
            continue;
        }
        let path = entry.path();
        // Follows links, so that a mounted folder works; the depth bounds a circle of them.
        let Ok(kind) = fs::metadata(&path) else { continue };
        let name = format!("{prefix}{name}");
        if kind.is_dir() && depth < MAX_DEPTH {
            walk(&path, &format!("{name}/"), depth + 1, files)?;
        } else if kind.is_file() && name.to_lowercase().ends_with(".md") && !name.to_lowercase().ends_with("readme.md")
        {
            files.push(FolderFile { content: read_file(&path), name });
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<String, String> {
    let file = fs::File::open(path).map_err(|e| format!("cannot be opened: {e}"))?;
    let mut bytes = Vec::new();
    let limit = MAX_RUNBOOK_BYTES as u64 + 1;
    file.take(limit).read_to_end(&mut bytes).map_err(|e| format!("cannot be read: {e}"))?;
    String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_files_are_found_and_bad_ones_say_why() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("inside the folder")).expect("a folder");
            fs::write(path, bytes).expect("a file");
        };
        write("b.md", b"text");
        write("network/dns.MD", b"text");
        write("README.md", b"not a runbook");
        write(".hidden.md", b"x");
        write("notes.txt", b"x");
        write("latin1.md", b"\xe9");
        let files = read(folder.path()).expect("a listing");
        let shown: Vec<_> = files.iter().map(|f| (f.name.as_str(), f.content.is_ok())).collect();
        assert_eq!(shown, [("b.md", true), ("latin1.md", false), ("network/dns.MD", true)]);
        assert_eq!(files.first().map(FolderFile::slug).as_deref(), Some("b"));
        assert_eq!(read(&folder.path().join("missing")).expect("nothing there"), []);
    }
}
