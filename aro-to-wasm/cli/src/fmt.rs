//! `aro-to-wasm fmt`: source files in their canonical layout.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::Context;
use aro_to_wasm::diagnostic;
use aro_to_wasm::format::{FormatError, Verbs, format};
use aro_to_wasm::source::SourceFile;
use aro_to_wasm_cli::project;

use crate::WRONG;

/// Options of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Directories and .aro files
    #[arg(required = true)]
    programs: Vec<PathBuf>,
    /// Change nothing; print the names of files that would change, and exit with 1 if there are any
    #[arg(long)]
    check: bool,
    /// Write verbs without angle brackets: `Log` for `<Log>`
    #[arg(long)]
    modern: bool,
}

/// Formats every file; one that cannot be read by the parser stays as it is.
pub(crate) fn run(options: &Options) -> anyhow::Result<u8> {
    let verbs = if options.modern {
        Verbs::Bare
    } else {
        Verbs::AsWritten
    };
    let mut code = 0;
    for program in &options.programs {
        for path in project::sources(program)? {
            let name = path.display();
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("cannot read {name}"))?;
            let formatted = match format(&text, verbs) {
                Ok(formatted) => formatted,
                Err(error) => {
                    report(&error, &path, text);
                    code = WRONG;
                    continue;
                }
            };
            if formatted == text {
                continue;
            }
            anstream::println!("{name}");
            if options.check {
                code = WRONG;
            } else {
                std::fs::write(&path, formatted).with_context(|| format!("cannot write {name}"))?;
            }
        }
    }
    Ok(code)
}

fn report(error: &FormatError, path: &Path, text: String) {
    if let FormatError::Broken(mistakes) = error {
        let file = SourceFile {
            path: path.display().to_string(),
            text,
        };
        let color = std::io::stderr().is_terminal();
        anstream::eprintln!("{}", diagnostic::render(mistakes, &[file], color));
    } else {
        anstream::eprintln!("error: {}: {error}", path.display());
    }
}
