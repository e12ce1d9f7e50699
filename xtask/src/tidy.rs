//! `cargo xtask tidy`: rules about files that no compiler knows.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::docs;

/// Lines of a source file; tests and their tables may have more.
const LINES_MAX: usize = 1000;
/// What we write by hand and read as text.
const TEXT: [&str; 7] = ["aro", "md", "rs", "sh", "toml", "wat", "wit"];
/// Folders that hold what others made.
const SKIPPED: [&str; 3] = [".git", "target", "components"];
/// Files that must be there.
const REQUIRED: [&str; 8] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "clippy.toml",
];

/// Fails with everything that is not as it should be.
pub(crate) fn run() -> anyhow::Result<()> {
    let problems = problems(&crate::root())?;
    if !problems.is_empty() {
        bail!(
            "{} things are untidy:\n{}",
            problems.len(),
            problems.join("\n")
        );
    }
    Ok(())
}

fn problems(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut problems: Vec<String> = REQUIRED
        .iter()
        .filter(|file| !root.join(file).is_file())
        .map(|file| format!("{file}: is missing"))
        .collect();
    let mut files = Vec::new();
    collect(root, &mut files)?;
    let places = places(root);
    for file in files {
        let name = file.strip_prefix(root)?.display().to_string();
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {name}"))?;
        let mut report = |line: usize, what: &str| problems.push(format!("{name}:{line}: {what}"));
        check_text(&text, &places, &mut report);
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => check_rust(&name, &text, &mut report),
            Some("md") => check_markdown(&text, &mut report),
            Some("toml") if name.ends_with("Cargo.toml") => {
                check_manifest(&name, &text, &mut report)
            }
            _ => {}
        }
        if name.ends_with("/mod.rs") {
            report(1, "modules are `x.rs` and `x/`");
        }
    }
    for package in ["log", "net", "program", "state"] {
        if !root.join("wit").join(package).join("README.md").is_file() {
            problems.push(format!("wit/{package}: has no README.md"));
        }
    }
    problems.extend(
        docs::stale(root)
            .into_iter()
            .map(|file| format!("{file}: is stale: run `cargo xtask docs`")),
    );
    problems.sort();
    Ok(problems)
}

/// Directories of this machine that no file may name.
fn places(root: &Path) -> Vec<String> {
    let places = [Some(root.to_path_buf()), std::env::home_dir()];
    // A home directory such as `/` would be found everywhere.
    places
        .into_iter()
        .flatten()
        .filter(|place| place.components().count() > 1)
        .map(|place| format!("{}/", place.display()))
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.is_dir() {
            if !SKIPPED.contains(&name) {
                collect(&path, files)?;
            }
        } else if path
            .extension()
            .and_then(|extension| extension.to_str())
            .is_some_and(|extension| TEXT.contains(&extension))
        {
            files.push(path);
        }
    }
    Ok(())
}

fn check_text(text: &str, places: &[String], report: &mut impl FnMut(usize, &str)) {
    if !text.is_empty() && !text.ends_with('\n') {
        report(text.lines().count(), "the last line has no end");
    }
    for (number, line) in (1..).zip(text.lines()) {
        if line.ends_with([' ', '\t']) {
            report(number, "ends with a blank");
        }
        if places.iter().any(|place| names(line, place)) {
            report(number, "names a directory of this machine");
        }
    }
}

/// Whether a path in `line` begins with `place`; `/src/` is no part of `host/src/`.
fn names(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        before.is_none_or(|letter| !letter.is_alphanumeric() && !"._-/".contains(letter))
    })
}

fn check_rust(name: &str, text: &str, report: &mut impl FnMut(usize, &str)) {
    if !text.starts_with("//! ") {
        report(1, "the first line must say what the module is for: `//! …`");
    }
    let is_test = name
        .split('/')
        .any(|part| part == "tests" || part == "tests.rs");
    let lines = text.lines().count();
    if lines > LINES_MAX && !is_test {
        report(lines, "has more than 1000 lines");
    }
    // Spelled in two parts, so that this file does not find itself.
    let forbidden = [
        (concat!("#[ig", "nore"), "a test that is not run"),
        (
            concat!("#[should", "_panic"),
            "state the failure that is expected",
        ),
        (concat!("TO", "DO"), "unfinished"),
        (concat!("FIX", "ME"), "unfinished"),
        (concat!("todo", "!("), "unfinished"),
        (concat!("unimple", "mented!("), "unfinished"),
    ];
    for (number, line) in (1..).zip(text.lines()) {
        for (_, why) in forbidden.iter().filter(|(what, _)| line.contains(what)) {
            report(number, why);
        }
    }
}

/// One paragraph or list item is one line.
fn check_markdown(text: &str, report: &mut impl FnMut(usize, &str)) {
    let mut fenced = false;
    let mut after_prose = false;
    for (number, line) in (1..).zip(text.lines()) {
        fenced ^= line.starts_with("```");
        let prose = !fenced
            && line
                .trim_start()
                .starts_with(|first: char| first.is_alphanumeric());
        let item = line
            .trim_start()
            .split_once(". ")
            .is_some_and(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()));
        if prose && !item && after_prose {
            report(
                number,
                "is hard-wrapped: a paragraph or list item is one line",
            );
        }
        after_prose = prose || (!fenced && line.trim_start().starts_with("- "));
    }
}

fn check_manifest(name: &str, text: &str, report: &mut impl FnMut(usize, &str)) {
    if text.contains("[package]") && !text.contains("\nlicense") {
        report(1, "states no licence");
    }
    // Examples are crates of their users.
    if text.contains("[package]") && !text.contains("[lints") && !name.starts_with("examples/") {
        report(1, "takes no part in the lints");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repository_is_tidy() {
        assert_eq!(problems(&crate::root()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn untidy_files_are_found() {
        let mut found = Vec::new();
        let mut report = |line: usize, what: &str| found.push(format!("{line}: {what}"));
        check_text(
            "a \nb /checkout/c host/checkout/c",
            &["/checkout/".to_owned()],
            &mut report,
        );
        check_rust("a.rs", &"x\n".repeat(LINES_MAX + 1), &mut report);
        check_markdown(
            "one\ntwo\n\n- item\n- item\n\n```\na\nb\n```\n1. item\n2. item\n",
            &mut report,
        );
        check_manifest("Cargo.toml", "[package]\n", &mut report);
        let expected = [
            "2: the last line has no end",
            "1: ends with a blank",
            "2: names a directory of this machine",
            "1: the first line must say what the module is for: `//! …`",
            "1001: has more than 1000 lines",
            "2: is hard-wrapped: a paragraph or list item is one line",
            "1: states no licence",
            "1: takes no part in the lints",
        ];
        assert_eq!(found, expected);
    }
}
