//! `faultline eval`: how often the suspect ranking is right, on labelled failures and on made ones. Needs no database.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use crate::error::{Error, Result};
use crate::suspects::evaluation::{print, trial};
use crate::suspects::model::Signal;
use crate::suspects::tuning::Tunables;

#[derive(Subcommand)]
pub enum EvalCommand {
    /// Rank the labelled failures of a folder and count how often the broken service came first
    #[command(
        after_help = "Example:\n  faultline eval rca ../shared/rca\n  faultline eval rca ../shared/rca --without change --json"
    )]
    Rca {
        /// Folder with cases.json and gzipped CSV of spans and logs
        dir: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Leave a signal out (may repeat)
        #[arg(long, value_name = "SIGNAL", value_parser = signal)]
        without: Vec<Signal>,
        /// What to print besides: each signal left out, each tunable halved and doubled, choices tried on cases they
        /// have not seen, calm stretches, less data of each case
        #[arg(long, value_enum)]
        trial: Option<Trial>,
    },
    /// Rank faults injected into made systems
    #[command(after_help = "Example:\n  faultline eval made --cases 200")]
    Made {
        /// Seeds 1 to this many
        #[arg(long, default_value_t = 100)]
        cases: u64,
        /// Largest share of the requests at a fault's place that it hits; the smallest is 0.4 of it
        #[arg(long, default_value_t = 1.0, value_parser = share)]
        hits: f64,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Leave a signal out (may repeat)
        #[arg(long, value_name = "SIGNAL", value_parser = signal)]
        without: Vec<Signal>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Trial {
    Ablation,
    Sensitivity,
    CrossValidation,
    Calm,
    LessData,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "a share is a number from 0 to 1".to_owned())
}

fn signal(name: &str) -> Result<Signal, String> {
    Signal::ALL.into_iter().find(|s| s.name() == name).ok_or_else(|| {
        let known: Vec<&str> = Signal::ALL.iter().map(|s| s.name()).collect();
        format!("not a signal; one of {}", known.join(", "))
    })
}

/// # Errors
/// A folder or file that cannot be read, by name.
pub fn run(command: EvalCommand) -> Result<()> {
    match command {
        EvalCommand::Rca { dir, json, without, trial } => rca(&dir, json, &without, trial),
        EvalCommand::Made { cases, hits, json, without } => {
            let report = trial::made(cases, hits, &without);
            let calm = trial::made_calm(cases);
            if json {
                return write_json(&json!({ "report": report, "calm": trial::alarms(&calm) }));
            }
            print!("{}\n{}", print::report(&report), print::calm("made", &calm));
            Ok(())
        }
    }
}

fn rca(dir: &Path, json: bool, without: &[Signal], trial: Option<Trial>) -> Result<()> {
    let cases = trial::Cases::load(dir).map_err(|e| Error::BadRequest(e.to_string()))?;
    let report = cases.score(&Tunables::default(), without);
    if json && trial.is_none() {
        return write_json(&report);
    }
    if trial.is_none() {
        print!("{}", print::report(&report));
    }
    match trial {
        None => {}
        Some(Trial::Ablation) => print!("{}", print::variants(&cases.ablation(without))),
        Some(Trial::Sensitivity) => print!("{}", print::variants(&cases.sensitivity(without))),
        Some(Trial::CrossValidation) => {
            print!("{}", print::folds(&cases.cross_validation(1, without)));
            print!("{}", print::folds(&cases.cross_validation(5, without)));
        }
        Some(Trial::LessData) => print!("{}", print::variants(&cases.less_data(without))),
        Some(Trial::Calm) => print!("{}", print::calm("baselines", &cases.calm())),
    }
    Ok(())
}

fn write_json(value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::Internal(e.to_string()))?;
    println!("{text}");
    Ok(())
}
