//! A program on disk: which files belong to it, in which order (runtime.md 1.1).

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use aro_to_wasm::source::SourceFile;
use aro_to_wasm::{CONTRACT_NAMES, Input};

/// Most source files of a program.
pub const FILES_MAX: usize = 10_000;
/// Most bytes of one source file or component.
pub const FILE_BYTES_MAX: u64 = 64 << 20;
/// Deepest nesting of directories.
const DEPTH_MAX: usize = 32;

/// Why a program could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file system said no.
    #[error("cannot read {}", path.display())]
    Io {
        /// What was read.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// Not UTF-8.
    #[error("{} is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// No source file.
    #[error("{} holds no .aro file", path.display())]
    Empty {
        /// The directory.
        path: PathBuf,
    },
    /// Too many files, or too large a file.
    #[error("{}: {what}", path.display())]
    TooLarge {
        /// Where.
        path: PathBuf,
        /// Which limit.
        what: String,
    },
}

/// Reads a program: a directory with everything below it and what it imports, or one file.
///
/// # Errors
/// [`ReadError`] if a file cannot be read, is no text, or a limit is exceeded.
pub fn read(path: &Path) -> Result<Input, ReadError> {
    let is_file = metadata(path)?.is_file();
    let root = if is_file {
        path.parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."))
    } else {
        path
    };
    let mut files = Vec::new();
    let mut seen = BTreeSet::new();
    if is_file {
        files.push(read_source(path, path.file_name().map_or(path, Path::new))?);
        seen.insert(canonical(path)?);
        import_all(root, &mut files, 0, &mut seen)?;
    } else {
        read_directory(root, "", &mut files, &mut seen)?;
    }
    if files.is_empty() {
        return Err(ReadError::Empty {
            path: path.to_owned(),
        });
    }
    let components = if is_file {
        Vec::new()
    } else {
        read_components(&root.join("components"))?
    };
    let templates = read_templates(root)?;
    let contract = read_contract(root)?;
    let stores = read_stores(root)?;
    Ok(Input {
        name: program_name(path)?,
        files,
        templates,
        contract,
        stores,
        components,
        traced: false,
    })
}

/// The source files of a directory in program order, without those that they import; or the one file.
///
/// # Errors
/// [`ReadError`] if the directory cannot be read or holds too much.
pub fn sources(path: &Path) -> Result<Vec<PathBuf>, ReadError> {
    if metadata(path)?.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut paths = Vec::new();
    walk(path, 0, &mut paths, is_source)?;
    let stem_is_main = |path: &Path| path.file_stem().is_some_and(|stem| stem == "main");
    paths.sort_by(|left, right| (!stem_is_main(left), left).cmp(&(!stem_is_main(right), right)));
    Ok(paths)
}

fn program_name(path: &Path) -> Result<String, ReadError> {
    let full = canonical(path)?;
    Ok(full.file_stem().map_or_else(
        || "program".to_owned(),
        |stem| stem.to_string_lossy().into_owned(),
    ))
}

/// Files of a directory, `main` first, then by path; then what they import.
fn read_directory(
    root: &Path,
    prefix: &str,
    files: &mut Vec<SourceFile>,
    seen: &mut BTreeSet<PathBuf>,
) -> Result<(), ReadError> {
    if !seen.insert(canonical(root)?) {
        return Ok(());
    }
    let first = files.len();
    for path in sources(root)? {
        // A folder below the application may be imported as well: its files are there once.
        if !seen.insert(canonical(&path)?) {
            continue;
        }
        let relative = path.strip_prefix(root).unwrap_or(&path);
        files.push(read_source(&path, &Path::new(prefix).join(relative))?);
        if files.len() > FILES_MAX {
            return Err(too_large(
                root,
                format!("more than {FILES_MAX} source files"),
            ));
        }
    }
    import_all(root, files, first, seen)
}

/// Follows the imports of the files from `first` on. A directory that is not there is skipped.
fn import_all(
    root: &Path,
    files: &mut Vec<SourceFile>,
    first: usize,
    seen: &mut BTreeSet<PathBuf>,
) -> Result<(), ReadError> {
    let imports: Vec<String> = files
        .iter()
        .skip(first)
        .filter(|file| file.text.contains("import"))
        .flat_map(|file| aro_to_wasm::syntax::parse(0, &file.text).program.imports)
        .map(|import| import.path)
        .collect();
    for import in imports {
        let target = root.join(&import);
        if target.is_dir() {
            read_directory(&target, &import, files, seen)?;
        }
    }
    Ok(())
}

fn walk(
    directory: &Path,
    depth: usize,
    paths: &mut Vec<PathBuf>,
    wanted: fn(&Path) -> bool,
) -> Result<(), ReadError> {
    if depth > DEPTH_MAX {
        return Err(too_large(
            directory,
            format!("directories nested deeper than {DEPTH_MAX}"),
        ));
    }
    for entry in entries(directory)? {
        let name = entry
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.starts_with('.') {
            continue;
        }
        if entry.is_dir() {
            if name != "Plugins" {
                walk(&entry, depth + 1, paths, wanted)?;
            }
        } else if wanted(&entry) {
            paths.push(entry);
        }
        if paths.len() > FILES_MAX {
            return Err(too_large(
                directory,
                format!("more than {FILES_MAX} source files"),
            ));
        }
    }
    Ok(())
}

fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        extension.eq_ignore_ascii_case("aro") || extension.eq_ignore_ascii_case("fdd")
    })
}

fn read_source(path: &Path, name: &Path) -> Result<SourceFile, ReadError> {
    let text = String::from_utf8(read_bytes(path)?).map_err(|_| ReadError::NotText {
        path: path.to_owned(),
    })?;
    let path = name
        .to_string_lossy()
        .replace(std::path::MAIN_SEPARATOR, "/");
    Ok(SourceFile { path, text })
}

/// Everything below `templates/` that is text, in path order.
fn read_templates(root: &Path) -> Result<Vec<SourceFile>, ReadError> {
    let directory = root.join("templates");
    let mut templates = Vec::new();
    if !directory.is_dir() {
        return Ok(templates);
    }
    let mut paths = Vec::new();
    walk(&directory, 0, &mut paths, |path| !is_source(path))?;
    paths.sort();
    for path in paths {
        let relative = path.strip_prefix(&directory).unwrap_or(&path);
        match read_source(&path, &Path::new("templates").join(relative)) {
            Ok(template) => templates.push(template),
            // A picture beside the templates is none.
            Err(ReadError::NotText { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(templates)
}

/// The OpenAPI contract beside the sources.
fn read_contract(root: &Path) -> Result<Option<SourceFile>, ReadError> {
    let name = CONTRACT_NAMES.iter().find(|name| root.join(name).is_file());
    name.map(|name| read_source(&root.join(name), Path::new(name)))
        .transpose()
}

/// Store files beside the program, in name order (runtime.md 7.7); one that is no text seeds nothing.
fn read_stores(root: &Path) -> Result<Vec<SourceFile>, ReadError> {
    let mut stores = Vec::new();
    for path in store_files(root)? {
        match read_source(&path, path.file_name().map_or(&path, Path::new)) {
            Ok(store) => stores.push(store),
            Err(ReadError::NotText { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(stores)
}

/// Paths of the store files in a directory, in name order.
///
/// # Errors
/// [`ReadError`] if the directory cannot be read.
pub fn store_files(root: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let is_store = |path: &PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "store")
            && path.is_file()
    };
    let mut paths: Vec<PathBuf> = entries(root)?.into_iter().filter(is_store).collect();
    paths.sort();
    Ok(paths)
}

/// `components/*.wasm`, in name order.
fn read_components(directory: &Path) -> Result<Vec<(String, Vec<u8>)>, ReadError> {
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = entries(directory)?;
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "wasm")
    });
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let stem = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            Ok((stem, read_bytes(&path)?))
        })
        .collect()
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let error = |source| ReadError::Io {
        path: directory.to_owned(),
        source,
    };
    std::fs::read_dir(directory)
        .map_err(error)?
        .map(|entry| entry.map(|entry| entry.path()).map_err(error))
        .collect()
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, ReadError> {
    if metadata(path)?.len() > FILE_BYTES_MAX {
        return Err(too_large(
            path,
            format!("larger than {FILE_BYTES_MAX} bytes"),
        ));
    }
    std::fs::read(path).map_err(|source| ReadError::Io {
        path: path.to_owned(),
        source,
    })
}

fn metadata(path: &Path) -> Result<std::fs::Metadata, ReadError> {
    std::fs::metadata(path).map_err(|source| ReadError::Io {
        path: path.to_owned(),
        source,
    })
}

fn canonical(path: &Path) -> Result<PathBuf, ReadError> {
    path.canonicalize().map_err(|source| ReadError::Io {
        path: path.to_owned(),
        source,
    })
}

fn too_large(path: &Path, what: String) -> ReadError {
    ReadError::TooLarge {
        path: path.to_owned(),
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::{ReadError, read};

    fn write(root: &std::path::Path, name: &str, text: &str) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn main_comes_first_then_paths_in_order() {
        let root = tempfile::tempdir().unwrap();
        for name in [
            "b.aro",
            "a/z.fdd",
            "main.ARO",
            ".hidden/x.aro",
            "Plugins/p.aro",
            "notes.txt",
        ] {
            write(root.path(), name, "");
        }
        let input = read(root.path()).unwrap();
        let names: Vec<_> = input.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(names, ["main.ARO", "a/z.fdd", "b.aro"]);
    }

    #[test]
    fn imports_join_the_program_and_may_be_cyclic() {
        let root = tempfile::tempdir().unwrap();
        write(
            root.path(),
            "app/main.aro",
            "import ../shared\nimport ../missing\n",
        );
        write(root.path(), "shared/lib.aro", "import ../app\n");
        let input = read(&root.path().join("app")).unwrap();
        let names: Vec<_> = input.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(names, ["main.aro", "../shared/lib.aro"]);
    }

    #[test]
    fn a_folder_that_is_imported_as_well_is_read_once() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "main.aro", "import ./sources\n");
        write(root.path(), "sources/more.aro", "");
        let input = read(root.path()).unwrap();
        let names: Vec<_> = input.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(names, ["main.aro", "sources/more.aro"]);
    }

    #[test]
    fn a_directory_without_sources_is_refused() {
        let root = tempfile::tempdir().unwrap();
        assert!(matches!(read(root.path()), Err(ReadError::Empty { .. })));
    }
}
