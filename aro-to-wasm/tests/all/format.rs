//! The formatter keeps the tree and every comment, and has nothing to say about its own output.

use crate::generate;
use aro_to_wasm::diagnostic::Diagnostic;
use aro_to_wasm::format::{FormatError, Verbs, format, same_tree};
use aro_to_wasm::syntax::parse;
use proptest::prelude::*;
use std::path::{Path, PathBuf};

/// Formats in both ways; `false` if the text has syntax errors.
fn holds(source: &str) -> bool {
    for verbs in [Verbs::AsWritten, Verbs::Bare] {
        let once = match format(source, verbs) {
            Ok(text) => text,
            Err(FormatError::Broken(_)) => return false,
            Err(error) => panic!("{error}:\n{source}"),
        };
        assert!(same_tree(source, &once), "{source}\n---\n{once}");
        let twice = format(&once, verbs).unwrap_or_else(|error| panic!("{error}:\n{once}"));
        assert_eq!(once, twice, "from\n{source}");
        assert!(
            !once.lines().any(|line| line.ends_with(' ')) || source.contains('\''),
            "{once}"
        );
    }
    true
}

fn programs(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            programs(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "aro") {
            found.push(path);
        }
    }
}

#[test]
fn every_program_of_this_repository_keeps_its_meaning() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = Vec::new();
    for folder in ["aro-to-wasm/tests/fixtures", "examples", "tests/programs"] {
        programs(&root.join(folder), &mut found);
    }
    let formatted = found
        .iter()
        .filter(|path| holds(&std::fs::read_to_string(path).unwrap()));
    assert!(formatted.count() > 20);
}

#[test]
fn verbs_lose_their_brackets_where_they_may() {
    let source = "(A: B) {\n    <log> \"x\" to the <console>.\n    <If> the <x> from the <y>.\n}\n";
    let modern = "(A: B) {\n    Log \"x\" to the <console>.\n    <If> the <x> from the <y>.\n}\n";
    assert_eq!(format(source, Verbs::Bare).unwrap(), modern);
    assert_eq!(format(source, Verbs::AsWritten).unwrap(), source);
}

#[test]
fn comments_that_names_and_paths_touch_stay_comments() {
    for (written, formatted) in [
        ("import ../a(* b *)\n(A: B) {\n}\n", "import ../a (* b *)\n"),
        ("import ../a//b\n(A: B) {\n}\n", "import ../a //b\n"),
        ("( *a: B) {\n}\n", "( *a: B) {"),
    ] {
        assert!(holds(written), "{written}");
        let text = format(written, Verbs::AsWritten).unwrap();
        assert!(text.contains(formatted), "{text}");
    }
}

#[test]
fn a_broken_file_is_not_touched() {
    assert!(
        matches!(format("(A: B) { Log }", Verbs::AsWritten), Err(FormatError::Broken(found)) if !found.is_empty())
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn generated_programs_keep_their_meaning(source in generate::program()) {
        let mistakes: Vec<Diagnostic> = parse(0, &source).diagnostics.into_iter().filter(Diagnostic::is_error).collect();
        prop_assert!(mistakes.is_empty(), "{mistakes:#?}\n{source}");
        holds(&source);
    }
}
