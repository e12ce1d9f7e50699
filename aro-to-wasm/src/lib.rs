//! The ARO compiler: source text in, component bytes and diagnostics out. It does no I/O and does not fail on bad source.

pub mod actions;
pub mod check;
mod compile;
mod contract;
pub mod diagnostic;
mod emit;
pub mod format;
mod ir;
mod lower;
mod nested;
mod optimise;
pub mod program;
mod repositories;
mod runtime;
pub mod source;
pub mod sources;
pub mod syntax;
mod template;

pub use check::spelling::nearest;
pub use compile::{Artifact, Compiled, Input, RefusedComponent, compile, compile_tests};
pub use contract::NAMES as CONTRACT_NAMES;
use diagnostic::Diagnostic;
pub use nested::ComponentError;
use program::Program;
use source::SourceFile;

/// Most diagnostics of a program; nobody reads more, and drawing one costs time in proportion to its file.
pub const DIAGNOSTICS_MAX: usize = 1000;

/// What is known of a program before it is lowered.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Everything that could be read.
    pub program: Program,
    /// The files as given; spans carry their index.
    pub files: Vec<SourceFile>,
    /// All mistakes and doubts, by file and place.
    pub diagnostics: Vec<Diagnostic>,
}

impl Checked {
    /// Whether it must not be compiled.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// [`front`], and what is only worth knowing to whoever asks for a check: places where the language does otherwise than a reader may think.
pub fn lint(files: Vec<SourceFile>, whole_program: bool) -> Checked {
    let mut checked = front(files, whole_program);
    check::quirks(&checked.program, &mut checked.diagnostics);
    order(&mut checked.diagnostics);
    checked
}

/// Whether a file has the entry point of a program.
pub fn has_start(file: &SourceFile) -> bool {
    // Most files need not be read for that.
    file.text.contains("Application-Start")
        && Program::new(vec![syntax::parse(0, &file.text).program])
            .feature_sets
            .iter()
            .any(|set| set.trigger == program::Trigger::Start)
}

/// Reads and checks `files`. If they are a `whole_program`, its entry point, events and user-defined actions must all be there.
///
/// ```
/// use aro_to_wasm::{front, source::SourceFile};
/// let text = "(Application-Start: Hello) { Log \"hi\" to the <console>. Return an <OK: status>. }".to_owned();
/// let checked = front(vec![SourceFile { path: "main.aro".to_owned(), text }], true);
/// assert!(!checked.has_errors());
/// ```
pub fn front(files: Vec<SourceFile>, whole_program: bool) -> Checked {
    let mut diagnostics = Vec::new();
    let mut parsed = Vec::with_capacity(files.len());
    for (index, file) in files.iter().enumerate() {
        let mut one = syntax::parse(index as u32, &file.text);
        diagnostics.extend(one.diagnostics);
        if is_imported(file) {
            // Of an imported application all but its entry point becomes part of the program (language 1.2).
            one.program
                .feature_sets
                .retain(|set| set.name != program::START);
        }
        parsed.push(one.program);
    }
    let broken = diagnostics.iter().any(Diagnostic::is_error);
    let program = Program::new(parsed);
    let scope = match (whole_program, broken) {
        (false, _) => check::Scope::Part,
        (true, false) => check::Scope::Whole,
        (true, true) => check::Scope::Broken,
    };
    diagnostics.extend(check::check(&program, scope));
    order(&mut diagnostics);
    Checked {
        program,
        files,
        diagnostics,
    }
}

/// By file and place, and no more than anybody reads.
fn order(diagnostics: &mut Vec<Diagnostic>) {
    if diagnostics.len() > DIAGNOSTICS_MAX {
        // Errors decide whether the program compiles: warnings give way first.
        diagnostics.sort_by_key(|diagnostic| !diagnostic.is_error());
        diagnostics.truncate(DIAGNOSTICS_MAX);
    }
    diagnostics.sort_by_key(|diagnostic| diagnostic.primary.map(|span| (span.file, span.start)));
}

/// Whether a file lies outside of the application's directory, so that only an import can have brought it.
fn is_imported(file: &SourceFile) -> bool {
    file.path.starts_with("../")
}
