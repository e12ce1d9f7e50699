//! Tasks of this repository: `cargo xtask <task>`. Each has its own file; CI only calls them.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a task talks to whoever runs it"
)]

mod bench;
mod ci;
mod debian;
mod docs;
mod guest;
mod runtime;
mod tidy;
mod wasm;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

/// Tasks of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
enum Task {
    /// Runs all tests, with the value runtime and the guests built from their sources.
    Test,
    /// Runs every check, then all tests.
    Ci,
    /// Checks what no compiler knows: sizes, headers, licences, stale pages.
    Tidy,
    /// Writes the pages of docs/reference.
    Docs,
    /// Builds the value runtime of guests and writes it into the compiler crate.
    Runtime(runtime::Options),
    /// Builds a Rust guest as a component.
    Guest(guest::Options),
    /// Measures what the sandbox costs.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let done = match Task::parse() {
        Task::Test => ci::test(),
        Task::Ci => ci::ci(),
        Task::Tidy => tidy::run(),
        Task::Docs => docs::run(),
        Task::Runtime(options) => runtime::run(&options),
        Task::Guest(options) => guest::run(&options),
        Task::Bench(options) => bench::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .map_or_else(|| here.to_path_buf(), Path::to_path_buf)
}
