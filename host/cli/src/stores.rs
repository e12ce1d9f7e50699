//! Which store files of a program are written back to (runtime.md 7.7).

use aro_host::StoreFile;
use aro_to_wasm_cli::project;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The bit of a file's mode that lets everybody write: whoever sets it for a store file wants it written.
const OTHERS_WRITE: u32 = 0o002;

/// The store files beside the sources of `program` that may be written and lie in a granted directory. None for an `app.wasm`, which brings its rows along.
pub(crate) fn writable(program: &Path, granted: &[PathBuf]) -> Vec<StoreFile> {
    let root = match program.parent() {
        _ if program.is_dir() => program,
        Some(parent) if is_source(program) && parent != Path::new("") => parent,
        _ if is_source(program) => Path::new("."),
        _ => return Vec::new(),
    };
    let Ok(files) = project::store_files(root) else {
        return Vec::new();
    };
    let granted: Vec<PathBuf> = granted
        .iter()
        .filter_map(|directory| directory.canonicalize().ok())
        .collect();
    files
        .into_iter()
        .filter_map(|file| {
            let path = file.canonicalize().ok()?;
            let mode = path.metadata().ok()?.permissions().mode();
            let may_write = mode & OTHERS_WRITE != 0
                && granted.iter().any(|directory| path.starts_with(directory));
            let stem = file.file_stem()?.to_str()?;
            may_write.then(|| StoreFile {
                repository: format!("{stem}-repository"),
                path,
            })
        })
        .collect()
}

fn is_source(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("aro"))
}
