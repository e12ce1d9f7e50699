//! Drawings of diagnostics; the only file that names the renderer.

use super::{Diagnostic, Severity};
use crate::source::{SourceFile, Span};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// Draws the diagnostics as text: the source line, what is wrong, and what to do. Every drawing ends in a line feed; an empty line separates two.
pub fn render(diagnostics: &[Diagnostic], files: &[SourceFile], color: bool) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut drawn = String::new();
    for diagnostic in diagnostics {
        if !drawn.is_empty() {
            drawn.push('\n');
        }
        drawn.push_str(&renderer.render(&[group(diagnostic, files)]));
        drawn.push('\n');
    }
    drawn
}

fn group<'a>(diagnostic: &'a Diagnostic, files: &'a [SourceFile]) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(
        level
            .primary_title(diagnostic.message.as_str())
            .id(diagnostic.code.id()),
    );
    for file_index in places(diagnostic) {
        let Some(file) = files.get(file_index as usize) else {
            continue;
        };
        let mut snippet = Snippet::source(file.text.as_str()).path(file.path.as_str());
        if let Some(primary) = diagnostic.primary.filter(|span| span.file == file_index) {
            let own = diagnostic.labels.iter().find(|(span, _)| *span == primary);
            let annotation = AnnotationKind::Primary.span(clamp(primary, file));
            snippet = snippet.annotation(annotation.label(own.map(|(_, text)| text.as_str())));
        }
        let others = diagnostic
            .labels
            .iter()
            .filter(|(span, _)| span.file == file_index && Some(*span) != diagnostic.primary);
        for (span, text) in others {
            snippet = snippet.annotation(
                AnnotationKind::Context
                    .span(clamp(*span, file))
                    .label(text.as_str()),
            );
        }
        group = group.element(snippet);
    }
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    group
}

/// The files to draw: that of the primary place first.
fn places(diagnostic: &Diagnostic) -> Vec<u32> {
    let mut files: Vec<u32> = diagnostic.primary.iter().map(|span| span.file).collect();
    for (span, _) in &diagnostic.labels {
        if !files.contains(&span.file) {
            files.push(span.file);
        }
    }
    files
}

fn clamp(span: Span, file: &SourceFile) -> std::ops::Range<usize> {
    let end = (span.end as usize).min(file.text.len());
    (span.start as usize).min(end)..end
}
