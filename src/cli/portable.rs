//! `faultline import` and `faultline export`.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::accounts::Actor;
use crate::app;
use crate::error::{Error, Result};
use crate::incidents::{self, Filter, IncidentId};
use crate::portable::{self, Content, Line, Options, Stream, Verdict};
use crate::state::AppState;

#[derive(Subcommand)]
pub enum ImportCommand {
    /// Past incidents from CSV or JSON, or incidents that Faultline exported
    #[command(after_help = "Examples:\n  \
        faultline import incidents old.csv --dry-run\n  \
        faultline import incidents old.csv --map 'Opened=impact_started_at,Owner=' --add-services\n  \
        faultline import incidents INC-7.json")]
    Incidents(ImportIncidents),
}

#[derive(Args)]
pub struct ImportIncidents {
    /// CSV or JSON; - reads standard input
    file: PathBuf,
    /// Only say what would become of each row
    #[arg(long)]
    dry_run: bool,
    /// Import the rows without problems
    #[arg(long)]
    skip_bad: bool,
    /// Add services that the catalogue does not know
    #[arg(long)]
    add_services: bool,
    /// What columns mean, where their names do not say it: Column=field, with commas between; Column= leaves one out
    #[arg(long, default_value = "")]
    map: String,
}

#[derive(Subcommand)]
pub enum ExportCommand {
    /// All incidents as CSV or JSON lines, or one with its evidence
    #[command(after_help = "Examples:\n  \
        faultline export incidents incidents.csv\n  \
        faultline export incidents everything.jsonl\n  \
        faultline export incidents INC-7.html --incident INC-7")]
    Incidents(ExportIncidents),
}

#[derive(Args)]
pub struct ExportIncidents {
    /// Ends in .csv or .jsonl; with --incident in .html or .json; - writes to standard output
    file: PathBuf,
    /// Only this one, whole
    #[arg(long)]
    incident: Option<String>,
    /// csv, jsonl, html or json, where the file's name does not say it
    #[arg(long)]
    format: Option<String>,
}

/// # Errors
/// `Invalid` for a file that cannot be read, and when rows have problems.
#[expect(clippy::print_stdout, reason = "the command's answer belongs on standard output")]
pub async fn import(state: &AppState, command: ImportCommand) -> Result<()> {
    let ImportCommand::Incidents(wanted) = command;
    let bytes = read(&wanted.file)?;
    let content = Content::read(&bytes).map_err(|e| Error::invalid("file", e))?;
    let mapping = portable::mapping(&content, &wanted.map)?;
    let options = Options { skip_bad: wanted.skip_bad, add_services: wanted.add_services };
    let (actor, base) = (Actor::system(), &state.config.base_url);
    if wanted.dry_run {
        let lines =
            portable::preview(&state.db, &content, &mapping, options, (&actor).into(), base, state.now()).await?;
        lines.iter().for_each(print_line);
        let bad = lines.iter().filter(|l| l.problems().is_some()).count();
        state.db.close().await;
        eprintln!("{} rows, {bad} with problems; nothing was imported", lines.len());
        return Ok(());
    }
    let done = portable::run(&state.db, &content, &mapping, options, &actor, base, state.now()).await?;
    state.db.close().await;
    for id in &done.added {
        println!("{id}");
    }
    eprintln!("imported {}, {} were here already, {} left out", done.added.len(), done.known, done.left_out);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the command's answer belongs on standard output")]
fn print_line(line: &Line) {
    match &line.verdict {
        Verdict::Add => println!("line {}: {}: would be imported", line.line, line.title),
        Verdict::Known { id, differs } => {
            let id = id.map(|id| format!(" as {id}")).unwrap_or_default();
            let differs = if *differs { ", and says something else now" } else { "" };
            println!("line {}: {}: is here already{id}{differs}", line.line, line.title);
        }
        Verdict::Bad(errors) => {
            for error in &errors.0 {
                println!("line {}: {}: {}: {}", line.line, line.title, error.field, error.message);
            }
        }
    }
}

fn read(file: &Path) -> Result<Vec<u8>> {
    let fault = |e: std::io::Error| Error::invalid("file", format!("{}: {e}", file.display()));
    if file == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(fault)?;
        return Ok(bytes);
    }
    std::fs::read(file).map_err(fault)
}

/// # Errors
/// `Invalid` for a format that does not fit; `Conflict` for an incident that is larger than an export may be.
pub async fn export(state: &AppState, command: ExportCommand) -> Result<()> {
    let ExportCommand::Incidents(wanted) = command;
    let ending = wanted.file.extension().and_then(|e| e.to_str()).unwrap_or_default().to_owned();
    let format = wanted.format.unwrap_or(ending);
    let mut out = open(&wanted.file)?;
    let actor = Actor::system();
    if let Some(id) = &wanted.incident {
        let id = IncidentId::parse(id).ok_or_else(|| Error::invalid("incident", format!("'{id}' is not INC-n")))?;
        let incident = incidents::get_visible(&state.db, id, (&actor).into()).await?;
        let document = portable::document(&state.db, &incident, &actor, &state.config.base_url, state.now()).await?;
        let text = match format.as_str() {
            "html" => portable::html_page(&document, &app::incident_hooks(state))?,
            "json" => serde_json::to_string_pretty(&document)? + "\n",
            other => return Err(unknown_format(other, "html or json")),
        };
        write(&mut out, &text)?;
        state.db.close().await;
        return Ok(());
    }
    let count = export_all(state, &actor, &format, &mut out).await?;
    state.db.close().await;
    eprintln!("exported {count} incidents");
    Ok(())
}

async fn export_all(state: &AppState, reader: &Actor, format: &str, out: &mut dyn Write) -> Result<usize> {
    let mut rows = Stream::new(state.db.clone(), Filter::default(), reader.into());
    if format == "csv" {
        write(out, &portable::csv_header())?;
    } else if format != "jsonl" {
        return Err(unknown_format(format, "csv or jsonl"));
    }
    let mut count = 0;
    while let Some(some) = rows.next().await? {
        count += some.len();
        if format == "csv" {
            write(out, &portable::csv_rows(&state.db, &some, &state.config.base_url).await?)?;
            continue;
        }
        for incident in &some {
            write(out, &portable::json_line(state, incident, reader).await?)?;
        }
    }
    Ok(count)
}

fn unknown_format(format: &str, known: &str) -> Error {
    Error::invalid("format", format!("'{format}' is not a format here: use {known}"))
}

fn open(file: &Path) -> Result<Box<dyn Write>> {
    if file == Path::new("-") {
        return Ok(Box::new(std::io::stdout().lock()));
    }
    let created = std::fs::File::create_new(file);
    let created = created.map_err(|e| Error::invalid("file", format!("{}: {e}", file.display())))?;
    Ok(Box::new(std::io::BufWriter::new(created)))
}

fn write(out: &mut dyn Write, text: &str) -> Result<()> {
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| Error::invalid("file", e.to_string()))
}
