//! What the compiler has to say about a program: data first, drawings later.

pub mod codes;
mod render;

pub use codes::{Code, Severity};
pub use render::render;

use crate::source::{SourceFile, Span};
use serde_json::{Value, json};

/// One mistake or doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which rule; never changes its meaning between versions.
    pub code: Code,
    /// Errors block compiling, warnings do not.
    pub severity: Severity,
    /// One sentence without a full stop, names in back-quotes.
    pub message: String,
    /// The place to look at first; none if the mistake is that something is absent from the whole program.
    pub primary: Option<Span>,
    /// Further places and what they have to do with it; a label at the primary place explains that place.
    pub labels: Vec<(Span, String)>,
    /// What to do, one hint each.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// A diagnostic at `primary`, with the severity of its code.
    pub fn new(code: Code, primary: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            primary: Some(primary),
            ..Diagnostic::without_place(code, message)
        }
    }

    /// A diagnostic about the program as a whole.
    pub fn without_place(code: Code, message: impl Into<String>) -> Diagnostic {
        let (message, severity) = (message.into(), code.severity());
        Diagnostic {
            code,
            severity,
            message,
            primary: None,
            labels: Vec::new(),
            help: Vec::new(),
        }
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.labels.push((span, text.into()));
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help.push(text.into());
        self
    }

    /// Whether it blocks compiling.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The diagnostics for tools: `[{code, severity, title, message, at, labels, help}]`, where a place is `{path, line, column, start, end}` with 1-based line and column in characters and 0-based byte offsets.
pub fn to_json(diagnostics: &[Diagnostic], files: &[SourceFile]) -> Value {
    let place = |span: Span| {
        let file = files.get(span.file as usize);
        let (line, column) = file.map_or((1, 1), |file| file.position(span.start));
        let path = file.map_or("", |file| file.path.as_str());
        json!({ "path": path, "line": line, "column": column, "start": span.start, "end": span.end })
    };
    let one = |diagnostic: &Diagnostic| {
        let labels: Vec<Value> = diagnostic
            .labels
            .iter()
            .map(|(span, text)| json!({ "at": place(*span), "text": text }))
            .collect();
        json!({
            "code": diagnostic.code.id(),
            "severity": diagnostic.severity.as_str(),
            "title": diagnostic.code.title(),
            "message": diagnostic.message,
            "at": diagnostic.primary.map(place),
            "labels": labels,
            "help": diagnostic.help,
        })
    };
    Value::Array(diagnostics.iter().map(one).collect())
}
