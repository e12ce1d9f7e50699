//! Every program of the user documents reads and compiles without error. They are handed over beside the repository, not copied into it.

use aro_to_wasm::diagnostic::{Code, Diagnostic, render};
use aro_to_wasm::source::SourceFile;
use aro_to_wasm::syntax::parse;
use aro_to_wasm::{Input, compile, front};
use std::path::{Path, PathBuf};

/// The text of the document whose number begins its file name.
pub(crate) fn seed(number: &str) -> String {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/seeds");
    let given = std::env::var_os("ARO_SEEDS").map(PathBuf::from);
    let folder = if beside.is_dir() { Some(beside) } else { given };
    let folder = folder.expect("the seed documents stand in ../shared/seeds beside the repository, or ARO_SEEDS names their folder");
    let mut entries = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let path = entries.find(|path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(number))
    });
    std::fs::read_to_string(
        path.unwrap_or_else(|| panic!("no document {number} in {}", folder.display())),
    )
    .unwrap()
}

/// The `aro` code blocks of a Markdown document; bare statements are put into a feature set.
pub(crate) fn blocks(markdown: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut rest = markdown;
    while let Some(start) = rest.find("```aro\n") {
        let body = &rest[start + 7..];
        let end = body.find("```").unwrap();
        blocks.push(wrapped(&body[..end]));
        rest = &body[end + 3..];
    }
    blocks
}

fn wrapped(block: &str) -> String {
    let headed = block
        .lines()
        .any(|line| line.starts_with('(') && !line.starts_with("(*"));
    if headed {
        block.to_owned()
    } else {
        format!("(Snippet: Shown Handler) {{\n{block}}}\n")
    }
}

/// A page saved as plain text: programs are the lines between a header and its closing brace, single statements stand between them.
pub(crate) fn programs(page: &str) -> Vec<String> {
    let mut programs: Vec<String> = Vec::new();
    let mut depth = 0_i32;
    let mut loose = String::new();
    for line in page.lines() {
        let opens = line.starts_with('(') && line.ends_with('{');
        if depth == 0 && opens {
            programs.push(String::new());
        }
        let statement = line.ends_with('.') && line.contains('<') || line.ends_with("with {");
        if depth > 0 || opens {
            let program = programs.last_mut().unwrap();
            program.push_str(line);
            program.push('\n');
            depth += line.matches('{').count() as i32 - line.matches('}').count() as i32;
        } else if statement
            || loose.ends_with(",\n")
            || loose.ends_with("{\n")
            || (line == "}." && !loose.is_empty())
        {
            loose.push_str(line);
            loose.push('\n');
        }
    }
    programs.push(format!("(Snippets: Shown Handler) {{\n{loose}}}\n"));
    programs
}

fn reads(name: &str, program: &str) {
    let file = SourceFile {
        path: name.to_owned(),
        text: program.to_owned(),
    };
    assert_eq!(parse(0, program).diagnostics, []);
    let checked = front(vec![file], true);
    assert!(!checked.program.feature_sets.is_empty(), "{program}");
    // Most blocks are excerpts of a program.
    let errors = checked
        .diagnostics
        .iter()
        .filter(|found| found.is_error() && found.code != Code::NoStart);
    let errors: Vec<Diagnostic> = errors.cloned().collect();
    assert!(
        errors.is_empty(),
        "{}",
        render(&errors, &checked.files, false)
    );
}

/// An excerpt as a program: with the entry point that it may lack.
fn compiles(name: &str, program: &str) {
    reads(name, program);
    let start = match program.contains("(Application-Start:") {
        true => "",
        false => "(Application-Start: Excerpt) { Return an <OK: status> for the <startup>. }\n",
    };
    let file = SourceFile {
        path: name.to_owned(),
        text: format!("{start}{program}"),
    };
    let input = Input {
        name: name.to_owned(),
        files: vec![file],
        ..Input::default()
    };
    let compiled = compile(input).unwrap();
    let errors = compiled.diagnostics.iter().filter(|found| found.is_error());
    let errors: Vec<Diagnostic> = errors.cloned().collect();
    assert!(
        compiled.artifact.is_some(),
        "{}",
        render(&errors, &compiled.files, false)
    );
}

#[test]
fn socket_guide_in_angle_style_compiles() {
    let blocks = blocks(&seed("000"));
    assert!(blocks.len() > 20, "{}", blocks.len());
    blocks.iter().for_each(|block| compiles("000", block));
}

#[test]
fn socket_guide_in_bare_style_compiles() {
    let programs = programs(&seed("001"));
    assert!(programs.len() > 20, "{}", programs.len());
    assert!(programs.last().unwrap().lines().count() > 10);
    programs.iter().for_each(|program| compiles("001", program));
}

#[test]
fn websocket_proposal_reads() {
    let blocks = blocks(&seed("002"));
    // Two blocks show headers only.
    let whole = blocks
        .iter()
        .filter(|block| block.contains('{') && !block.contains("{ ... }"));
    whole.for_each(|block| reads("002", block));
}
