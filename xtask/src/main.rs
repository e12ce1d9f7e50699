//! Tasks of this repository: `cargo xtask <task>`. Each has its own file; CI only calls them.

mod guest;
mod runtime;
mod wasm;

use std::path::{Path, PathBuf};

use clap::Parser;

/// Tasks of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
enum Task {
    /// Builds the value runtime of guests and writes it into the compiler crate.
    Runtime(runtime::Options),
    /// Builds a Rust guest as a component.
    Guest(guest::Options),
}

fn main() -> anyhow::Result<()> {
    match Task::parse() {
        Task::Runtime(options) => runtime::run(&options),
        Task::Guest(options) => guest::run(&options),
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .map_or_else(|| here.to_path_buf(), Path::to_path_buf)
}
