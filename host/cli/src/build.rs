//! Compiles a program in memory.

use std::io::IsTerminal;
use std::path::Path;

use aro_to_wasm::diagnostic::{self, Diagnostic};
use aro_to_wasm_cli::project;

/// Whether what the compiler warns of is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Warnings {
    Shown,
    /// runtime.md 1.2
    Hidden,
}

/// The artifact of the program in a directory or source file. Mistakes are printed.
pub(crate) fn build(program: &Path, warnings: Warnings) -> anyhow::Result<Vec<u8>> {
    let mut compiled = aro_to_wasm::compile(project::read(program)?)?;
    if warnings == Warnings::Hidden {
        compiled.diagnostics.retain(Diagnostic::is_error);
    }
    if !compiled.diagnostics.is_empty() {
        let color = std::io::stderr().is_terminal();
        anstream::eprintln!(
            "{}",
            diagnostic::render(&compiled.diagnostics, &compiled.files, color)
        );
    }
    let artifact = compiled
        .artifact
        .ok_or_else(|| anyhow::anyhow!("{} has mistakes", program.display()))?;
    Ok(artifact.bytes)
}
