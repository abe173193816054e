//! The `faultline` command.

use std::process::ExitCode;

use clap::Parser;
use faultline::cli::Cli;
use faultline::error::Error;

fn main() -> ExitCode {
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::Internal(format!("starting the runtime: {e}")))
        .and_then(|runtime| runtime.block_on(faultline::cli::run(Cli::parse())));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("faultline: {error}");
            match error {
                // As sysexits.h has it: a pipeline may try again.
                Error::Unavailable(_) | Error::RateLimited { .. } => ExitCode::from(75),
                _ => ExitCode::FAILURE,
            }
        }
    }
}
