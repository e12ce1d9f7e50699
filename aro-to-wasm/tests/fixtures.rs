//! One test per file of `fixtures/{parse,check,emit}/{ok,err}`: the snapshot beside it holds the source and what became of it.
//!
//! A fixture is a whole program. `parse/ok` shows the tree, `emit/ok` the generated code, the others the diagnostics; what is `ok` has none.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use aro_to_wasm::diagnostic::{Diagnostic, render};
use aro_to_wasm::source::SourceFile;
use aro_to_wasm::{Input, compile, lint, syntax};
use libtest_mimic::{Arguments, Failed, Trial};
use std::path::{Path, PathBuf};

#[path = "support/code.rs"]
mod code;
#[path = "support/tree.rs"]
mod tree;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut trials = Vec::new();
    for folder in [
        "parse/ok",
        "parse/err",
        "check/ok",
        "check/err",
        "emit/ok",
        "emit/err",
    ] {
        let entries = std::fs::read_dir(root.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let mut paths: Vec<PathBuf> = entries
            .filter(|path| path.extension().is_some_and(|extension| extension == "aro"))
            .collect();
        paths.sort();
        for path in paths {
            let name = format!("{folder}/{}", path.file_stem().unwrap().to_string_lossy());
            trials.push(Trial::test(name, move || fixture(&path, folder)));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn fixture(path: &Path, folder: &str) -> Result<(), Failed> {
    let text = std::fs::read_to_string(path)?;
    let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
    let files = vec![SourceFile {
        path: format!("{stem}.aro"),
        text: text.clone(),
    }];
    let outcome = if folder.starts_with("parse") {
        let parsed = syntax::parse(0, &text);
        expect(
            folder,
            parsed.diagnostics.iter().any(Diagnostic::is_error),
            &parsed.diagnostics,
            &files,
        )?;
        let tree = if folder == "parse/ok" {
            tree::tree(&parsed.program)
        } else {
            String::new()
        };
        format!("{tree}{}", render(&parsed.diagnostics, &files, false))
    } else if folder.starts_with("emit") {
        let input = Input {
            name: stem.clone(),
            files,
            ..Input::default()
        };
        let compiled = compile(input)?;
        expect(
            folder,
            compiled.artifact.is_none(),
            &compiled.diagnostics,
            &compiled.files,
        )?;
        let code = compiled.artifact.as_ref().map(code::code);
        code.unwrap_or_else(|| render(&compiled.diagnostics, &compiled.files, false))
    } else {
        let checked = lint(files, true);
        expect(
            folder,
            !checked.diagnostics.is_empty(),
            &checked.diagnostics,
            &checked.files,
        )?;
        render(&checked.diagnostics, &checked.files, false)
    };
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(path.parent().unwrap());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _settings = settings.bind_to_scope();
    insta::assert_snapshot!(
        stem,
        format!(
            "{}\n--- becomes ---\n{outcome}",
            text.trim_end().replace('\r', "␍")
        )
    );
    Ok(())
}

fn expect(
    folder: &str,
    found: bool,
    diagnostics: &[Diagnostic],
    files: &[SourceFile],
) -> Result<(), Failed> {
    if found == folder.ends_with("err") {
        Ok(())
    } else {
        Err(render(diagnostics, files, false).into())
    }
}
