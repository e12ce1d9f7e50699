//! Compiles a directory of sources in memory.

use std::path::Path;

/// The artefact of the program in `directory`.
pub(crate) fn build_directory(directory: &Path) -> anyhow::Result<Vec<u8>> {
    anyhow::bail!(
        "{} is a directory of sources: build it with `aro-to-wasm build` first",
        directory.display()
    )
}
