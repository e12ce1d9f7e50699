//! A statement as pieces of text that stay together, and as lists and maps that may be broken into lines.

use super::comment::Comment;

/// One part of a statement.
pub(super) enum Node {
    Piece(Piece),
    Comment(Comment),
    Group(Group),
}

/// Text that is never broken.
pub(super) struct Piece {
    pub(super) text: String,
    /// Nothing stands between it and what precedes.
    pub(super) tight_before: bool,
    /// Nothing stands between it and what follows.
    pub(super) tight_after: bool,
    /// A long line may be broken before it.
    pub(super) chunk: bool,
}

/// A list or map.
pub(super) struct Group {
    pub(super) map: bool,
    pub(super) elements: Vec<Element>,
    /// Comments behind the last element, on lines of their own.
    pub(super) tail: Vec<Comment>,
    pub(super) tight_before: bool,
    /// Its width on one line; none if it cannot be on one.
    pub(super) flat: Option<usize>,
}

/// An element of a list, or key and value.
pub(super) struct Element {
    pub(super) nodes: Vec<Node>,
    /// Comments behind it on its line.
    pub(super) after: Vec<Comment>,
}

/// How wide nodes are on one line.
#[derive(Clone, Copy, Default)]
pub(super) struct Measure {
    /// Characters, up to the first line feed in a text.
    pub(super) width: usize,
    /// A text has a line feed in it.
    pub(super) lines: bool,
    /// They cannot be on one line.
    pub(super) broken: bool,
}

impl Group {
    pub(super) fn new(map: bool, elements: Vec<Element>, tail: Vec<Comment>, tight: bool) -> Group {
        let mut flat = if elements.is_empty() {
            Some(2)
        } else {
            Some(if map { 4 } else { 2 } + 2 * (elements.len() - 1))
        };
        for element in &elements {
            let measure = measure(&element.nodes);
            flat = flat
                .filter(|_| !(measure.lines || measure.broken) && element.after.is_empty())
                .map(|flat| flat + measure.width);
        }
        Group {
            flat: flat.filter(|_| tail.is_empty()),
            map,
            elements,
            tail,
            tight_before: tight,
        }
    }

    pub(super) fn brackets(&self) -> (char, char) {
        if self.map { ('{', '}') } else { ('[', ']') }
    }
}

impl Comment {
    /// Whether what follows must begin a line.
    pub(super) fn ends_line(&self) -> bool {
        self.line || self.newlines > 0
    }
}

/// Measures nodes as they stand on one line.
pub(super) fn measure(nodes: &[Node]) -> Measure {
    let mut measure = Measure::default();
    let mut tight = true;
    for node in nodes {
        let (width, before, after) = match node {
            Node::Piece(piece) => {
                let first = piece.text.split('\n').next().unwrap_or("");
                measure.broken |= measure.lines && piece.text.contains('\n');
                let width = if measure.lines {
                    0
                } else {
                    first.chars().count()
                };
                measure.lines |= piece.text.contains('\n');
                (width, piece.tight_before, piece.tight_after)
            }
            Node::Comment(comment) => {
                measure.broken |= comment.ends_line() || comment.text.contains('\n');
                (comment.text.chars().count(), false, false)
            }
            Node::Group(group) => {
                measure.broken |= group.flat.is_none();
                (group.flat.unwrap_or(1), group.tight_before, false)
            }
        };
        if !(tight || before || measure.lines) {
            measure.width += 1;
        }
        measure.width += width;
        tight = after;
    }
    measure
}
