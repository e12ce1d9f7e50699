//! The lines of a file: imports, feature sets, blocks, and the comments and empty lines between them.

use super::comment::{Comment, Gap};
use super::role::Roles;
use super::spacing::{End, Reader};
use super::writer::Writer;
use super::{INDENT_CHARS, Verbs};
use crate::syntax::token::TokenKind;

/// What the last line was, which decides about an empty one behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    Open,
    Import,
    Statement,
    FeatureSet,
}

/// What a brace opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Brace {
    Block,
    /// The cases of a match.
    Cases,
}

struct Layout<'a> {
    reader: Reader<'a>,
    writer: Writer,
    braces: Vec<Brace>,
    last: Last,
    /// Comments that stood before the full stop or brace that ended a statement.
    pending: Vec<Comment>,
}

/// Lays a file out.
pub(super) fn layout(source: &str, roles: &Roles, verbs: Verbs, width: usize) -> String {
    let mut layout = Layout {
        reader: Reader::new(source, roles, verbs),
        writer: Writer::new(width),
        braces: Vec::new(),
        last: Last::Nothing,
        pending: Vec::new(),
    };
    while layout.next(roles) {}
    layout.writer.finish()
}

impl Layout<'_> {
    fn indent(&self) -> usize {
        self.braces.len() * INDENT_CHARS
    }

    /// One statement, head or closing brace; `false` at the end.
    fn next(&mut self, roles: &Roles) -> bool {
        let gap = self.comments();
        if *self.reader.kind(0) == TokenKind::End {
            return false;
        }
        if *self.reader.kind(0) == TokenKind::RightBrace {
            self.close();
            return true;
        }
        let start = self.reader.start(0);
        if let Some((end, text)) = roles.lines.get(&start) {
            let import = text.starts_with("import ");
            self.begin(&gap, import);
            self.writer.raw(text);
            self.reader.skip_to(*end);
            if import {
                self.last = Last::Import;
                return true;
            }
            // Behind the header the line goes on as if it had been written by the writer.
            return self.head(Brace::Block, " ");
        }
        self.begin(&gap, false);
        let brace = if roles.matches.contains(&start) {
            Brace::Cases
        } else {
            Brace::Block
        };
        self.head(brace, "")
    }

    /// A statement, or what stands before the brace of a block.
    fn head(&mut self, brace: Brace, before: &str) -> bool {
        let at = self.reader.at;
        let (nodes, end, comments) = self.reader.statement();
        self.writer.raw(before);
        self.writer.statement(&nodes, end == End::Block);
        self.pending = comments;
        if end == End::Block {
            self.braces.push(brace);
            self.last = Last::Open;
        } else {
            self.last = Last::Statement;
        }
        self.reader.at > at
    }

    fn close(&mut self) {
        let empty = self.last == Last::Open;
        self.braces.pop();
        if !empty {
            self.writer.line(self.indent());
        }
        self.writer.raw("}");
        self.reader.bump();
        self.last = if self.braces.is_empty() {
            Last::FeatureSet
        } else {
            Last::Statement
        };
        let word = self.reader.text(0);
        let goes_on = word.eq_ignore_ascii_case("else") || word.eq_ignore_ascii_case("otherwise");
        let in_block = self.braces.last() == Some(&Brace::Block);
        if goes_on && in_block && self.reader.gap().comments.is_empty() {
            self.head(Brace::Block, " ");
        }
    }

    /// Writes the comments before the next token; the answer is what stands behind them.
    fn comments(&mut self) -> Gap {
        let gap = self.reader.gap();
        let mut full = false;
        for comment in std::mem::take(&mut self.pending)
            .into_iter()
            .chain(gap.comments)
        {
            if comment.newlines == 0 && !full && self.last != Last::Nothing {
                full = comment.line;
                self.writer.raw(" ");
                self.writer.raw(&comment.text);
                self.last = commented(self.last);
                continue;
            }
            let before = Gap {
                comments: Vec::new(),
                newlines: comment.newlines,
            };
            self.begin(&before, false);
            self.writer.raw(&comment.text);
            full = comment.line;
            self.last = Last::Statement;
        }
        Gap {
            comments: Vec::new(),
            newlines: gap.newlines,
        }
    }

    /// Begins a line, with an empty one before it where there was one and where one must be.
    fn begin(&mut self, gap: &Gap, import: bool) {
        let blank = match self.last {
            Last::Nothing | Last::Open => false,
            Last::Import => !import || gap.newlines > 1,
            Last::FeatureSet => true,
            Last::Statement => gap.newlines > 1,
        };
        if blank {
            self.writer.blank();
        }
        self.writer.line(self.indent());
    }
}

/// Behind a comment on the same line.
fn commented(last: Last) -> Last {
    match last {
        Last::Open => Last::Statement,
        Last::Nothing | Last::Import | Last::Statement | Last::FeatureSet => last,
    }
}
