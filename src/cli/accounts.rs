//! `faultline user` and `faultline token`.

use std::io::{BufRead, IsTerminal};

use clap::{Args, Subcommand};

use crate::accounts::model::NewUser;
use crate::accounts::{Actor, service};
use crate::error::{Error, Result};
use crate::state::AppState;

#[derive(Subcommand)]
pub enum UserCommand {
    /// Add a user; the password is asked for, or read from standard input
    #[command(after_help = "Example:\n  faultline user add ada@example.com --role commander")]
    Add(UserAdd),
}

#[derive(Args)]
pub struct UserAdd {
    email: String,
    /// viewer, responder, commander or admin
    #[arg(long)]
    role: String,
    /// As shown to others; from the address if not given
    #[arg(long, default_value = "")]
    name: String,
}

#[derive(Subcommand)]
pub enum TokenCommand {
    /// Add a token and print its secret, once, alone on standard output
    #[command(after_help = "Example:\n  faultline token add collector --scope ingest")]
    Add(TokenAdd),
}

#[derive(Args)]
pub struct TokenAdd {
    name: String,
    /// api or ingest
    #[arg(long)]
    scope: String,
    /// Role of an API token
    #[arg(long, default_value = "responder")]
    role: String,
}

pub async fn user(state: &AppState, command: UserCommand) -> Result<()> {
    let UserCommand::Add(add) = command;
    let role = add.role.parse()?;
    let password = read_password()?;
    let user = NewUser { email: add.email.clone(), name: add.name, password, role };
    service::add_user(state, &Actor::system(), user).await?;
    state.db.close().await;
    eprintln!("added {} as {role}", add.email);
    Ok(())
}

pub async fn token(state: &AppState, command: TokenCommand) -> Result<()> {
    let TokenCommand::Add(add) = command;
    let (scope, role) = (add.scope.parse()?, add.role.parse()?);
    let (_, secret) = service::add_token(state, &Actor::system(), &add.name, scope, role).await?;
    state.db.close().await;
    println!("{secret}");
    Ok(())
}

/// Asked for without echo at a terminal, else the first line of standard input.
fn read_password() -> Result<String> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return rpassword::prompt_password("Password: ")
            .map_err(|e| Error::Internal(format!("reading the password: {e}")));
    }
    let mut line = String::new();
    stdin.lock().read_line(&mut line).map_err(|e| Error::Internal(format!("reading the password: {e}")))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
