//! `docs/benchmarks.md`, section by section: a benchmark replaces its own and leaves the others.

use std::fs;

use anyhow::Context;

use super::{PAGE, machine};

const HEAD: &str = "# Benchmarks\n\nWritten by `cargo xtask bench` with `tcp`, `compile`, `compute`, `repository`, `broadcast`, `connections`, `redeploy` or `neighbours`, each its own section; run them to get the figures of your machine.\n";
/// The section that every benchmark writes, and the last one.
const MACHINE: &str = "Machine";

/// Puts the section `title` into the page, and describes this machine.
pub(crate) fn put(title: &str, text: &str) -> anyhow::Result<()> {
    let path = crate::root().join(PAGE);
    let old = fs::read_to_string(&path).unwrap_or_default();
    let lines: String = machine::describe()
        .iter()
        .map(|line| format!("- {line}\n"))
        .collect();
    let machine = format!(
        "{lines}- dev profile of this repository: dependencies and the host at `opt-level = 3`, the compiler at 1\n"
    );
    let page = replaced(&replaced(&old, title, text), MACHINE, &machine);
    fs::write(&path, page).with_context(|| format!("cannot write {PAGE}"))
}

fn replaced(page: &str, title: &str, text: &str) -> String {
    let mut sections: Vec<(&str, &str)> = page
        .split("\n## ")
        .skip(1)
        .filter_map(|section| section.split_once('\n'))
        .map(|(title, text)| (title, text.trim()))
        .collect();
    let text = text.trim();
    match sections.iter_mut().find(|(known, _)| *known == title) {
        Some(section) => section.1 = text,
        None => sections.push((title, text)),
    }
    sections.sort_by_key(|(title, _)| *title == MACHINE);
    let sections: String = sections
        .iter()
        .map(|(title, text)| format!("\n## {title}\n\n{text}\n"))
        .collect();
    format!("{HEAD}{sections}")
}

#[cfg(test)]
mod tests {
    use super::{HEAD, replaced};

    #[test]
    fn a_section_is_replaced_and_the_others_stay() {
        let page = "# Old\n\nhead\n\n## One\n\n1\n\n## Machine\n\n- m\n";
        let page = replaced(&replaced(page, "Two", "2\n"), "One", "new");
        let expected = format!("{HEAD}\n## One\n\nnew\n\n## Two\n\n2\n\n## Machine\n\n- m\n");
        assert_eq!(page, expected);
    }
}
