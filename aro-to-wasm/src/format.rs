//! Canonical layout of source text: one statement a line, four spaces for a block, no line longer than it must be.
//!
//! Tokens are laid out anew and never rewritten, so that every comment, string and number stays as its author wrote it. What comes out is read again before it is given away: it must have the tree and the comments of what went in.

mod comment;
mod group;
mod layout;
mod role;
mod site;
mod spacing;
mod writer;

use crate::diagnostic::Diagnostic;
use crate::syntax::ast::Program;
use crate::syntax::parse;

/// Widest line, in characters, where a line can be broken at all.
pub const LINE_CHARS_MAX: usize = 100;
/// Columns of one level.
pub const INDENT_CHARS: usize = 4;

/// How verbs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbs {
    /// As they are, `<Log>` or `Log`.
    AsWritten,
    /// Without angle brackets wherever the language allows it.
    Bare,
}

/// Why a text was not formatted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// It cannot be read: these are the mistakes.
    #[error("it has syntax errors")]
    Broken(Vec<Diagnostic>),
    /// The new layout would read differently. Nothing is known to cause it; it is checked all the same.
    #[error("formatting would change its meaning; please report this program")]
    Changed,
}

/// Formats one file. Formatting the answer again gives the same text.
///
/// ```
/// use aro_to_wasm::format::{Verbs, format};
/// let text = "(Hello: Demo) { <Log> \"hi\"   to the <console> . }";
/// assert_eq!(format(text, Verbs::Bare).unwrap(), "(Hello: Demo) {\n    Log \"hi\" to the <console>.\n}\n");
/// ```
///
/// # Errors
/// [`FormatError::Broken`] if the text has syntax errors.
pub fn format(source: &str, verbs: Verbs) -> Result<String, FormatError> {
    let source = source.strip_prefix('\u{FEFF}').unwrap_or(source);
    let lines: Vec<&str> = source
        .split('\n')
        .map(|line| line.trim_end_matches('\r'))
        .collect();
    let source = lines.join("\n");
    let parsed = parse(0, &source);
    if parsed.diagnostics.iter().any(Diagnostic::is_error) {
        return Err(FormatError::Broken(parsed.diagnostics));
    }
    let mut before = parsed.program;
    let roles = role::Roles::take(&source, &mut before);
    // A line that begins with a word may read differently from one that goes on with it: then lines stay long.
    for width in [LINE_CHARS_MAX, usize::MAX] {
        let text = layout::layout(&source, &roles, verbs, width);
        if same(&mut before, &source, &text, verbs) {
            return Ok(text);
        }
    }
    Err(FormatError::Changed)
}

fn same(before: &mut Program, source: &str, text: &str, verbs: Verbs) -> bool {
    let parsed = parse(0, text);
    if parsed.diagnostics.iter().any(Diagnostic::is_error) {
        return false;
    }
    let mut after = parsed.program;
    site::visit(&mut after, &mut |_, span| *span = Default::default());
    if verbs == Verbs::Bare {
        site::capital_verbs(before);
        site::capital_verbs(&mut after);
    }
    *before == after && comment::all(source) == comment::all(text)
}

/// Whether two texts have the same tree, places aside; both must read without error.
pub fn same_tree(left: &str, right: &str) -> bool {
    let erased = |text: &str| {
        let mut program = parse(0, text).program;
        site::visit(&mut program, &mut |_, span| *span = Default::default());
        site::capital_verbs(&mut program);
        program
    };
    erased(left) == erased(right)
}
