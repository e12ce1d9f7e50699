//! Nodes to lines.

use super::INDENT_CHARS;
use super::comment::Comment;
use super::group::{Element, Group, Node, Piece, measure};

/// The text so far.
pub(super) struct Writer {
    text: String,
    /// Widest line that is not broken.
    width: usize,
    /// Characters on the line at hand.
    column: usize,
    /// Indentation of the line at hand.
    indent: usize,
    /// Indentation of a line that goes on with what the last one began.
    continuation: usize,
    /// Nothing stands between what was written last and what comes.
    tight: bool,
    /// What comes must begin a line.
    ended: bool,
}

impl Writer {
    pub(super) fn new(width: usize) -> Writer {
        Writer {
            text: String::new(),
            width,
            column: 0,
            indent: 0,
            continuation: 0,
            tight: true,
            ended: false,
        }
    }

    pub(super) fn finish(mut self) -> String {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text
    }

    /// Begins a line; the first one is there already.
    pub(super) fn line(&mut self, indent: usize) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
        self.indent = indent;
        self.tight = true;
        self.ended = false;
    }

    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// Writes text as it is.
    pub(super) fn raw(&mut self, text: &str) {
        self.text.push_str(text);
        self.column = match text.rsplit_once('\n') {
            Some((_, last)) => last.chars().count(),
            None => self.column + text.chars().count(),
        };
        self.tight = true;
    }

    fn word(&mut self, text: &str, tight_before: bool, tight_after: bool) {
        if self.ended {
            self.line(self.continuation);
        } else if !(self.tight || tight_before) {
            self.raw(" ");
        }
        self.raw(text);
        self.tight = tight_after;
    }

    /// A statement or the head of a block, at the beginning of a line or behind `}`.
    pub(super) fn statement(&mut self, nodes: &[Node], head: bool) {
        let levels = if head { 2 } else { 1 };
        self.continuation = self.indent + levels * INDENT_CHARS;
        let mut rest = nodes;
        let mut first = true;
        while !rest.is_empty() {
            let starts = rest.iter().skip(1).position(starts_chunk);
            let length = starts.map_or(rest.len(), |position| position + 1);
            let (chunk, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            if !first && self.wants_line(chunk) {
                self.line(self.continuation);
            }
            self.nodes(chunk);
            first = false;
            rest = after;
        }
    }

    /// Whether a chunk reads better on a line of its own.
    fn wants_line(&self, chunk: &[Node]) -> bool {
        let whole = measure(chunk);
        if !whole.broken && self.column + 1 + whole.width <= self.width {
            return false;
        }
        let group = chunk.iter().position(|node| matches!(node, Node::Group(_)));
        let Some(group) = group else {
            return !whole.broken;
        };
        let lead = measure(chunk.get(..group).unwrap_or_default()).width + 2;
        let fits_alone =
            !whole.broken && self.continuation.saturating_add(whole.width) <= self.width;
        fits_alone || self.column + 1 + lead > self.width
    }

    fn nodes(&mut self, nodes: &[Node]) {
        for node in nodes {
            match node {
                Node::Piece(piece) => self.word(&piece.text, piece.tight_before, piece.tight_after),
                Node::Comment(comment) => self.comment(comment),
                Node::Group(group) => self.group(group),
            }
        }
    }

    /// A comment inside a statement.
    fn comment(&mut self, comment: &Comment) {
        if comment.newlines > 0 && self.column > self.indent {
            self.ended = true;
        }
        self.word(&comment.text, false, false);
        self.ended = comment.ends_line();
    }

    fn group(&mut self, group: &Group) {
        let fits = group
            .flat
            .filter(|flat| self.column.saturating_add(flat + 2) <= self.width);
        if fits.is_some() {
            self.flat(group);
        } else {
            self.broken(group);
        }
    }

    fn flat(&mut self, group: &Group) {
        let (open, close) = group.brackets();
        self.word(&open.to_string(), group.tight_before, true);
        let space = group.map && !group.elements.is_empty();
        for (index, element) in group.elements.iter().enumerate() {
            let before = if index > 0 {
                ", "
            } else if space {
                " "
            } else {
                ""
            };
            self.raw(before);
            self.tight = true;
            self.nodes(&element.nodes);
        }
        if space {
            self.raw(" ");
        }
        self.raw(&close.to_string());
        self.tight = false;
    }

    fn broken(&mut self, group: &Group) {
        let (open, close) = group.brackets();
        self.word(&open.to_string(), group.tight_before, false);
        let (indent, continuation) = (self.indent, self.continuation);
        let inner = indent + INDENT_CHARS;
        self.continuation = inner + INDENT_CHARS;
        for Element { nodes, after } in &group.elements {
            self.line(inner);
            self.nodes(nodes);
            self.word(",", true, false);
            after.iter().for_each(|comment| self.comment(comment));
        }
        for comment in &group.tail {
            self.line(inner);
            self.raw(&comment.text);
        }
        self.line(indent);
        self.raw(&close.to_string());
        self.tight = false;
        self.continuation = continuation;
    }
}

fn starts_chunk(node: &Node) -> bool {
    matches!(node, Node::Piece(Piece { chunk: true, .. }))
}
