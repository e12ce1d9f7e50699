//! `cargo xtask bench compile`: how compile time grows with the program, and how large components are.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use aro_to_wasm::source::SourceFile;
use aro_to_wasm::{Artifact, Input, compile};
use wasmparser::{Parser, Payload};

use super::page;

/// Feature sets of the programs.
const SIZES: [usize; 3] = [10, 100, 1000];
/// How often each is compiled; the fastest counts, because everything else on the machine only adds.
const ROUNDS: usize = 5;

/// Measures, prints, and writes the section unless `no_page`.
pub(crate) fn run(no_page: bool) -> anyhow::Result<()> {
    let mut table = String::from(
        "| feature sets | source bytes | compile ms | µs each | growth | app.wasm bytes |\n|---:|---:|---:|---:|---:|---:|\n",
    );
    let mut before: Option<(usize, Duration)> = None;
    for sets in SIZES {
        let text = program(sets);
        let (artifact, time) = measure(&text)?;
        let growth = before.map_or_else(String::new, |(less, faster)| {
            let growth = time.as_secs_f64() / faster.as_secs_f64();
            format!("{growth:.1} × for {} × the program", sets / less)
        });
        writeln!(
            table,
            "| {sets} | {} | {:.1} | {:.0} | {growth} | {} |",
            text.len(),
            time.as_secs_f64() * 1e3,
            time.as_secs_f64() * 1e6 / sets as f64,
            artifact.bytes.len()
        )?;
        before = Some((sets, time));
    }
    println!("{table}");
    let sizes = component_sizes()?;
    let median = sizes.get(sizes.len() / 2).copied().unwrap_or(0);
    let largest = sizes.last().copied().unwrap_or(0);
    let text = format!(
        "Programs of feature sets with ten statements each: handlers that extract, compute, compare, store, retrieve and log. Source text to `app.wasm` in one process, without reading and writing files; the fastest of {ROUNDS} runs.\n\n{table}\nThe {} feature sets of the programs under `examples/` are components of {median} bytes in the median and at most {largest}, each without the value runtime, which is in an artifact once.\n",
        sizes.len()
    );
    println!("{text}");
    if !no_page {
        page::put("Compiling", &text)?;
    }
    Ok(())
}

/// A program of `sets` feature sets of ten statements.
fn program(sets: usize) -> String {
    let mut text = String::from(
        "(Application-Start: Bench) {\n    Listen on port 9000 as <server>.\n    Return an <OK: status> for the <startup>.\n}\n",
    );
    for number in 1..sets {
        text.push_str(&FEATURE_SET.replace("{number}", &number.to_string()));
    }
    text
}

const FEATURE_SET: &str = r#"
(Handle {number}: DataReceived Handler) {
    Extract the <data> from the <event: data>.
    Extract the <connection> from the <event: connection>.
    Extract the <id> from the <event: connectionId>.
    Create the <entry> with { id: <id>, number: {number}, tags: ["a", "b"], text: "n ${id}" }.
    Compute the <size> from {number} % 7 - 1.
    Compute the <cost> from <size> * {number} + 4.
    Store the <entry> into the <entry-repository>.
    Log "handler {number}: ${cost}" to the <console> when <cost> > 100 and (<size> is not 0).
    Send the <data> to the <connection>.
    Return an <OK: status> for the <data>.
}
"#;

fn build(name: &str, files: Vec<SourceFile>) -> anyhow::Result<Artifact> {
    let input = Input {
        name: name.to_owned(),
        files,
        ..Input::default()
    };
    let compiled = compile(input)?;
    let first = compiled.diagnostics.iter().find(|one| one.is_error());
    let Some(artifact) = compiled.artifact else {
        bail!("{name} does not compile: {first:?}");
    };
    Ok(artifact)
}

fn measure(text: &str) -> anyhow::Result<(Artifact, Duration)> {
    let mut fastest: Option<(Artifact, Duration)> = None;
    for _ in 0..ROUNDS {
        let files = vec![SourceFile {
            path: "main.aro".to_owned(),
            text: text.to_owned(),
        }];
        let start = Instant::now();
        let artifact = build("bench", files)?;
        let time = start.elapsed();
        if fastest.as_ref().is_none_or(|(_, least)| time < *least) {
            fastest = Some((artifact, time));
        }
    }
    fastest.context("it is compiled at least once")
}

/// Sizes of the components of all examples that compile by themselves, ascending.
fn component_sizes() -> anyhow::Result<Vec<usize>> {
    let mut sizes = Vec::new();
    for entry in fs::read_dir(crate::root().join("examples"))? {
        let path = entry?.path().join("main.aro");
        if path.is_file() {
            sizes.extend(sizes_of(&path)?);
        }
    }
    sizes.sort_unstable();
    Ok(sizes)
}

fn sizes_of(path: &Path) -> anyhow::Result<Vec<usize>> {
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let mut sources: Vec<PathBuf> = fs::read_dir(&folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    sources.retain(|path| path.extension().is_some_and(|extension| extension == "aro"));
    sources.sort();
    let files = sources
        .iter()
        .map(|path| {
            Ok(SourceFile {
                path: path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                text: fs::read_to_string(path)?,
            })
        })
        .collect::<std::io::Result<Vec<_>>>()?;
    // A program that is written in Rust as well is not whole without its components.
    if !files.iter().any(aro_to_wasm::has_start) {
        return Ok(Vec::new());
    }
    let artifact = build(&folder.display().to_string(), files)?;
    let mut sizes = Vec::new();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(&artifact.bytes) {
        let payload = payload?;
        if let Payload::ComponentSection {
            unchecked_range, ..
        } = &payload
        {
            // A component may hold smaller ones, which are parts of it.
            if depth == 0 {
                sizes.push(unchecked_range.len());
            }
            depth += 1;
        } else if matches!(payload, Payload::ModuleSection { .. }) {
            depth += 1;
        } else if matches!(payload, Payload::End(_)) {
            depth = depth.saturating_sub(1);
        }
    }
    Ok(sizes)
}
