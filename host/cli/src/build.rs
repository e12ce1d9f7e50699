//! Compiles a program in memory.

use std::io::IsTerminal;
use std::path::Path;

use aro_to_wasm::diagnostic;
use aro_to_wasm_cli::project;

/// The artifact of the program in a directory or source file. Mistakes and doubts are printed.
pub(crate) fn build(program: &Path) -> anyhow::Result<Vec<u8>> {
    let compiled = aro_to_wasm::compile(project::read(program)?)?;
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
