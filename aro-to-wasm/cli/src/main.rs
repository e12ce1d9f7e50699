//! `aro-to-wasm`: files in, `app.wasm` and diagnostics out.

mod fmt;
mod inspect;
mod new;
mod test;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use aro_to_wasm::diagnostic::{self, Diagnostic, Severity};
use aro_to_wasm::source::SourceFile;
use aro_to_wasm_cli::project;
use clap::{Parser, Subcommand, ValueEnum};

/// Compiles ARO programs to WebAssembly.
#[derive(Debug, Parser)]
#[command(name = "aro-to-wasm", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compile a program to one self-contained app.wasm
    Build {
        /// The program: a directory or one .aro file
        program: PathBuf,
        /// Where to write it
        #[arg(short, long, default_value = "app.wasm")]
        output: PathBuf,
        /// How to print mistakes: as text on standard error, or as JSON on standard output
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Report mistakes without building
    Check {
        /// A directory or one .aro file
        program: PathBuf,
        /// How to print them
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
        /// Leave warnings out
        #[arg(long)]
        no_warnings: bool,
    },
    /// Run the tests of a program, each in a sandbox of its own
    Test {
        /// The program: a directory or one .aro file
        program: PathBuf,
        /// Only tests whose names contain this text, in any letter case
        #[arg(long, value_name = "TEXT")]
        filter: Option<String>,
        /// No colours
        #[arg(long)]
        no_color: bool,
    },
    /// Lay source files out in the one canonical way
    Fmt(fmt::Options),
    /// Begin a program
    New(new::Options),
    /// Show what an app.wasm holds and what it may do
    Inspect {
        /// The artifact
        artifact: PathBuf,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// The program is wrong.
const WRONG: u8 = 1;
/// It was called wrongly, or the environment is not as it should be.
const ENVIRONMENT: u8 = 2;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { ENVIRONMENT } else { 0 };
            drop(error.print());
            return ExitCode::from(code);
        }
    };
    match run(cli.command) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            anstream::eprintln!("error: {error:#}");
            ExitCode::from(ENVIRONMENT)
        }
    }
}

fn run(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Build {
            program,
            output,
            format,
        } => build(&program, &output, format),
        Command::Fmt(options) => fmt::run(&options),
        Command::New(options) => new::run(&options),
        Command::Check {
            program,
            format,
            no_warnings,
        } => check(&program, format, no_warnings),
        Command::Test {
            program,
            filter,
            no_color,
        } => test::test(&program, filter.as_deref(), no_color),
        Command::Inspect { artifact, json } => {
            let bytes = std::fs::read(&artifact)
                .with_context(|| format!("cannot read {}", artifact.display()))?;
            inspect::inspect(&bytes, json)
                .with_context(|| format!("{} cannot be inspected", artifact.display()))?;
            Ok(0)
        }
    }
}

fn build(program: &Path, output: &Path, format: Format) -> anyhow::Result<u8> {
    let input = project::read(program)?;
    let compiled = aro_to_wasm::compile(input)?;
    match format {
        Format::Text => report(&compiled.diagnostics, &compiled.files),
        Format::Json => report_json(&compiled.diagnostics, &compiled.files)?,
    }
    let Some(artifact) = compiled.artifact else {
        return Ok(WRONG);
    };
    std::fs::write(output, &artifact.bytes)
        .with_context(|| format!("cannot write {}", output.display()))?;
    anstream::eprintln!(
        "{}: {} feature sets, {} bytes",
        output.display(),
        artifact.manifest.feature_sets.len(),
        artifact.bytes.len()
    );
    Ok(0)
}

fn check(program: &Path, format: Format, no_warnings: bool) -> anyhow::Result<u8> {
    let input = project::read(program)?;
    // A single file is a program if it has an entry point, else a part of one.
    let whole = program.is_dir() || input.files.iter().any(aro_to_wasm::has_start);
    let sources = input.files.len();
    let checked = aro_to_wasm::lint(input.files.clone(), whole);
    let (mut files, mut found) = (checked.files, checked.diagnostics);
    let mut refused = None;
    if whole {
        // What is wrong with contract, templates, stores and single statements is known when all is compiled.
        match aro_to_wasm::compile(input) {
            Ok(compiled) => {
                let more = compiled.diagnostics.into_iter();
                let more: Vec<_> = more.filter(|one| !found.contains(one)).collect();
                found.extend(more);
                found.sort_by_key(|one| one.primary.map(|span| (span.file, span.start)));
                files = compiled.files;
            }
            // What the sources have wrong is told all the same.
            Err(error) => refused = Some(anyhow::Error::from(error)),
        }
    }
    if no_warnings {
        found.retain(Diagnostic::is_error);
    }
    match format {
        Format::Text => {
            report(&found, &files);
            summary(&found, sources);
        }
        Format::Json => report_json(&found, &files)?,
    }
    if let Some(error) = &refused {
        anstream::eprintln!("error: {error:#}");
    }
    let is_wrong = refused.is_some() || found.iter().any(Diagnostic::is_error);
    Ok(if is_wrong { WRONG } else { 0 })
}

fn report_json(diagnostics: &[Diagnostic], files: &[SourceFile]) -> anyhow::Result<()> {
    let json = diagnostic::to_json(diagnostics, files);
    anstream::println!("{}", serde_json::to_string_pretty(&json)?);
    Ok(())
}

fn report(diagnostics: &[Diagnostic], files: &[SourceFile]) {
    if !diagnostics.is_empty() {
        let color = std::io::stderr().is_terminal();
        anstream::eprintln!("{}", diagnostic::render(diagnostics, files, color));
    }
}

fn summary(diagnostics: &[Diagnostic], files: usize) {
    let count = |severity| {
        diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == severity)
            .count()
    };
    anstream::eprintln!(
        "{files} files checked: {} errors, {} warnings",
        count(Severity::Error),
        count(Severity::Warning)
    );
}
