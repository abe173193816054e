//! Real payloads and data that live outside this project, in `../shared` or where `FAULTLINE_SHARED` points.

use std::path::PathBuf;

/// A path below the shared folder; `None`, said loudly, when it is not there.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("FAULTLINE_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
    let file = root.join(path);
    if file.exists() {
        return Some(file);
    }
    eprintln!("*** NOT TESTED AGAINST REAL DATA: {} is absent; set FAULTLINE_SHARED ***", file.display());
    None
}

/// The bytes of `samples/<path>`.
pub fn sample(path: &str) -> Option<Vec<u8>> {
    shared(&format!("samples/{path}")).map(|file| std::fs::read(file).expect("a readable sample"))
}
