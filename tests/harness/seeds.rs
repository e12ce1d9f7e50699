//! Programs of the user documents, which are handed over beside the repository and not copied into it.
//!
//! A document shows excerpts; a program is put together from feature sets chosen by their headers, their text unchanged.

use std::path::{Path, PathBuf};

/// One feature set of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureSet {
    /// What stands between its parentheses: `Name: Activity`.
    pub header: String,
    /// From the header to the closing brace, as in the document.
    pub text: String,
}

/// The text of the document whose number begins its file name.
#[must_use]
pub fn document(number: &str) -> String {
    let folder = folder();
    let entries =
        std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let named = |path: &Path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(number))
    };
    let path = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| named(path))
        .unwrap_or_else(|| panic!("no document {number} in {}", folder.display()));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn folder() -> PathBuf {
    if let Some(given) = std::env::var_os("ARO_SEEDS") {
        return PathBuf::from(given);
    }
    let beside = crate::repository().join("../shared/seeds");
    assert!(
        beside.is_dir(),
        "the user documents stand in {}, or ARO_SEEDS names their folder",
        beside.display()
    );
    beside
}

/// The feature sets of a document in its order: from a line that begins a header to the brace that balances its first.
#[must_use]
pub fn feature_sets(document: &str) -> Vec<FeatureSet> {
    let mut found = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        let Some(header) = header(line) else { continue };
        let mut text = format!("{line}\n");
        let mut depth = depth(line);
        while depth > 0 {
            let line = lines
                .next()
                .unwrap_or_else(|| panic!("({header}) has no end"));
            text.push_str(line);
            text.push('\n');
            depth += self::depth(line);
        }
        found.push(FeatureSet {
            header: header.to_owned(),
            text,
        });
    }
    found
}

fn header(line: &str) -> Option<&str> {
    let (header, rest) = line.strip_prefix('(')?.split_once(')')?;
    (rest.trim() == "{" && header.contains(':')).then_some(header)
}

/// Braces that `line` opens, less those it closes. `${…}` in texts balances itself.
fn depth(line: &str) -> i64 {
    line.chars()
        .map(|letter| i64::from(letter == '{') - i64::from(letter == '}'))
        .sum()
}

/// The program of the feature sets with these headers and a word of their text each, which tells those of the same header apart.
#[must_use]
pub fn program(number: &str, chosen: &[(&str, &str)]) -> String {
    let sets = feature_sets(&document(number));
    let text = |(header, word): &(&str, &str)| {
        let mut fitting = sets
            .iter()
            .filter(|set| set.header == *header && set.text.contains(word));
        let set = fitting
            .next()
            .unwrap_or_else(|| panic!("document {number} has no ({header}) with {word:?}"));
        assert_eq!(
            fitting.next(),
            None,
            "document {number} has several ({header}) with {word:?}"
        );
        set.text.clone()
    };
    chosen.iter().map(text).collect::<Vec<_>>().join("\n")
}
