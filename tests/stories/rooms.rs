//! The rules of the house, read from the source: who may import whom, how long a file may be, and that
//! nothing inline slips past the content security policy.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Rooms from the ground up; a room may use those of lower rows and, within its row, those before it.
const TIERS: &[&[&str]] = &[
    &["clock", "seeded", "error", "fields", "random", "args", "difference"],
    &["db", "config", "charts", "markdown", "telemetry", "outbound"],
    &["state"],
    &["audit", "accounts", "web"],
    &["search", "notifications", "services", "oncall"],
    &["incidents", "inbox"],
    &["runbooks", "alerts", "deployments", "logs", "traces", "trace_sources"],
    &["suspects", "status_page", "postmortems"],
    &["reports"],
    &["demo", "health", "openapi"],
    &["app", "cli"],
];

/// Circles that are meant, each with its reason.
const ALLOWED: &[(&str, &str, &str)] = &[
    ("audit", "accounts", "a row names its actor"),
    ("accounts", "web", "accounts has pages like every room"),
    ("web", "accounts", "a route's permission is a role"),
    ("openapi", "app", "it describes the table of all routes"),
    ("web", "app", "the body limit is said once, where the layers are"),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<PathBuf> {
    let mut found = vec![];
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 50, "the source was not found");
    found
}

/// `src/incidents/store/head.rs` → `incidents`; files at the top are rooms of their own.
fn room_of(path: &Path) -> String {
    let below = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = below.components().next().unwrap().as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

fn tier_of(room: &str) -> usize {
    TIERS
        .iter()
        .position(|tier| tier.contains(&room))
        .unwrap_or_else(|| panic!("room '{room}' has no tier in {}", file!()))
}

/// Code lines without comments and without the tests at a file's end.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Names after `crate::` in a text, also inside `use crate::{a, b::c}`.
fn used_rooms(code: &str) -> Vec<String> {
    let mut rooms = vec![];
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with('$') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0_usize;
            let mut name = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => rooms.push(std::mem::take(&mut name)),
                    _ if depth == 0 => name.push(c),
                    _ => {}
                }
            }
            rooms.push(name);
        } else {
            rooms.push(rest.to_owned());
        }
    }
    let first_word = |r: &String| r.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    rooms.iter().map(first_word).filter(|r| !r.is_empty()).collect()
}

#[test]
fn rooms_import_only_what_lies_below_them() {
    let mut wrong = vec![];
    for path in all_sources() {
        let room = room_of(&path);
        if ["lib", "main"].contains(&room.as_str()) {
            continue;
        }
        for used in used_rooms(&code(&path)) {
            let meant = ALLOWED.iter().any(|(a, b, _)| *a == room && *b == used);
            let (mine, theirs) = (tier_of(&room), tier_of(&used));
            let below = theirs < mine
                || (theirs == mine && {
                    let place = |r: &str| TIERS[mine].iter().position(|x| *x == r);
                    place(&used) <= place(&room)
                });
            if !below && !meant {
                wrong.push(format!("{}: {room} may not use {used}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn layers_of_a_room_keep_to_their_work() {
    const FORBIDDEN: [(&str, &[&str]); 3] = [
        ("model", &["axum", "sqlx::query", "askama", "crate::db", "crate::state", "crate::web"]),
        ("store", &["axum", "askama", "crate::web"]),
        ("service", &["axum::extract", "askama", "sqlx::query"]),
    ];
    let mut wrong = vec![];
    for path in all_sources() {
        let layer = path
            .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
            .unwrap()
            .components()
            .nth(1)
            .map(|c| c.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned());
        let Some((_, words)) = FORBIDDEN.iter().find(|(l, _)| layer.as_deref() == Some(l)) else { continue };
        let code = code(&path);
        wrong.extend(words.iter().filter(|w| code.contains(**w)).map(|w| format!("{}: {w}", path.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_database_room_knows_two_engines() {
    let wrong: Vec<_> = all_sources()
        .into_iter()
        .filter(|p| !["db", "error"].contains(&room_of(p).as_str()))
        .filter(|p| {
            ["sqlx::Sqlite", "sqlx::Postgres", "sqlx::query", "Engine::Sqlite", "Engine::Postgres"]
                .iter()
                .any(|w| code(p).contains(w))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Lines up to a file's own tests.
fn lines_without_tests(path: &Path) -> usize {
    let text = std::fs::read_to_string(path).unwrap();
    text.split("#[cfg(test)]\nmod ").next().unwrap_or_default().lines().count()
}

#[test]
fn files_stay_readable() {
    let too_long: BTreeMap<_, _> = all_sources()
        .into_iter()
        .filter(|p| !p.ends_with("tests.rs"))
        .map(|p| (lines_without_tests(&p), p))
        .filter(|(lines, _)| *lines > 400)
        .map(|(lines, path)| (path, lines))
        .collect();
    assert!(too_long.is_empty(), "split by action: {too_long:#?}");
}

#[test]
fn templates_hold_nothing_inline_and_escape_everything() {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut templates = vec![];
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"), &mut templates);
    assert!(templates.len() > 5);
    let mut wrong = vec![];
    for path in templates {
        let text = std::fs::read_to_string(&path).unwrap();
        for bad in [" style=\"", "<style", " onclick=", " onload=", " onsubmit=", " onchange=", "javascript:", "|safe"]
        {
            if text.contains(bad) {
                wrong.push(format!("{}: {bad}", path.display()));
            }
        }
    }
    // An exported file stands alone, so it carries its own style; its page sets a policy with the hash.
    wrong.retain(|w| !w.contains("export"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
