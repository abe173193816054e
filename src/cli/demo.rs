//! `faultline demo`: a year of a believable company in a temporary database, served like the real thing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::serve;
use crate::accounts::model::NewUser;
use crate::accounts::{Actor, Role, service as accounts};
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::db::{Db, DbUrl};
use crate::demo::company::PEOPLE;
use crate::demo::play::{self, Cast};
use crate::demo::year;
use crate::error::{Error, Result};
use crate::incidents::By;
use crate::random::Random;
use crate::search;
use crate::state::AppState;

/// Of the people who can sign in; printed, and worth nothing outside the demo.
const PASSWORD: &str = "harbour-lantern-42";
/// Who can sign in: one of each role, so that each view can be tried.
const WITH_LOGIN: [&str; 4] =
    ["ada@meridian.example", "tomas@meridian.example", "priya@meridian.example", "ruth@meridian.example"];

/// # Errors
/// When the temporary database cannot be made, or the address is taken.
pub async fn run(config: Config) -> Result<()> {
    serve::init_log(&config)?;
    let folder = TemporaryFolder::new(&Random::System)?;
    let database_url = DbUrl::sqlite_file(&folder.0.join("demo.db"));
    let mut state = AppState {
        db: Db::connect_scratch(&database_url).await?,
        clock: Clock::System,
        random: Random::System,
        config: Arc::new(Config { database_url, ..config }),
    };
    let end = minute(state.now());
    state.clock = Clock::fixed(end);
    fill(&state, end).await?;
    state.clock = Clock::System;
    // What making a year left in the connections' memory is not needed to show it.
    state.db.close().await;
    state.db = Db::connect_scratch(&state.config.database_url).await?;
    introduce(&state.config.base_url);
    serve::serve(state).await
}

/// Plays the demo year, ending at `end`, into an empty database whose clock is fixed.
///
/// # Errors
/// The first act that was refused.
pub async fn fill(state: &AppState, end: Timestamp) -> Result<play::Played> {
    let year = year::plan(year::SEED, end);
    state.clock.set(year.start);
    let cast = hire(state).await?;
    let play = Box::pin(play::play(&state.db, &state.clock, &year, &cast));
    search::gathering(&state.db, play).await
}

/// Makes everybody's account.
async fn hire(state: &AppState) -> Result<Cast> {
    let mut cast = Cast::new();
    for person in PEOPLE {
        let role: Role = person.role.parse()?;
        let id = if WITH_LOGIN.contains(&person.email) {
            let user = NewUser {
                email: person.email.to_owned(),
                name: person.name.to_owned(),
                password: PASSWORD.to_owned(),
                role,
            };
            accounts::add_user(state, &Actor::system(), user).await?
        } else {
            let tx = state.db.begin().await?;
            let id = accounts::add_person(&tx, state.now(), person.email, person.name, role).await?;
            tx.commit().await?;
            id
        };
        cast.push(By { user_id: Some(id), name: person.name.to_owned() });
    }
    Ok(cast)
}

#[expect(clippy::print_stdout, reason = "the command's answer belongs on standard output")]
fn introduce(base_url: &str) {
    println!("Meridian Market, a year of incidents: {base_url}");
    println!("Sign in with the password {PASSWORD} as one of");
    for email in WITH_LOGIN {
        let role = PEOPLE.iter().find(|p| p.email == email).map_or("", |p| p.role);
        println!("  {email} ({role})");
    }
    println!("Everything is in a temporary database and gone when you stop it with Ctrl-C.");
}

fn minute(at: Timestamp) -> Timestamp {
    Timestamp::from_secs(at.as_micros().div_euclid(60_000_000) * 60)
}

/// A folder of its own that goes away with the command.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn new(random: &Random) -> Result<Self> {
        let name = format!("faultline-demo-{}", hex::encode(random.bytes::<6>()));
        let path: PathBuf = Path::new(&std::env::temp_dir()).join(name);
        std::fs::create_dir(&path).map_err(|e| Error::Unavailable(format!("{}: {e}", path.display())))?;
        Ok(Self(path))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own clean-up of temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
