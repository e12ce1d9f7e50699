//! Tokens to nodes: what stands together, and what a space separates.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "few of all tokens stand close to others"
)]

use super::Verbs;
use super::comment::{Comment, Gap, gap};
use super::group::{Element, Group, Node, Piece};
use super::role::Roles;
use super::site::capital;
use crate::syntax::token::{Token, TokenKind, Word};

/// The tokens at hand.
pub(super) struct Reader<'a> {
    pub(super) source: &'a str,
    pub(super) roles: &'a Roles,
    pub(super) verbs: Verbs,
    /// Index of the next token.
    pub(super) at: usize,
    /// End of the text that was read.
    pub(super) end: u32,
    /// Open round brackets and subscripts.
    depth: usize,
}

/// What ended the nodes of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Stop,
    Block,
    File,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a str, roles: &'a Roles, verbs: Verbs) -> Reader<'a> {
        Reader {
            source,
            roles,
            verbs,
            at: 0,
            end: 0,
            depth: 0,
        }
    }

    pub(super) fn token(&self, ahead: usize) -> Option<&'a Token> {
        self.roles.tokens.get(self.at + ahead)
    }

    pub(super) fn kind(&self, ahead: usize) -> &'a TokenKind {
        self.token(ahead)
            .map_or(&TokenKind::End, |token| &token.kind)
    }

    pub(super) fn start(&self, ahead: usize) -> u32 {
        self.token(ahead).map_or(u32::MAX, |token| token.span.start)
    }

    pub(super) fn bump(&mut self) {
        if let Some(token) = self.token(0) {
            self.end = token.span.end;
            self.at += 1;
        }
    }

    /// Moves behind everything that begins before `end`.
    pub(super) fn skip_to(&mut self, end: u32) {
        while self.start(0) < end && *self.kind(0) != TokenKind::End {
            self.at += 1;
        }
        self.end = end;
    }

    /// What stands before the next token.
    pub(super) fn gap(&self) -> Gap {
        gap(self.slice(self.end, self.start(0)))
    }

    fn slice(&self, start: u32, end: u32) -> &'a str {
        let end = (end as usize).min(self.source.len());
        self.source.get(start as usize..end).unwrap_or("")
    }

    pub(super) fn text(&self, ahead: usize) -> &'a str {
        self.token(ahead)
            .map_or("", |token| self.slice(token.span.start, token.span.end))
    }

    /// Everything up to the end of a statement or the brace of a block, and comments that stand right before it.
    pub(super) fn statement(&mut self) -> (Vec<Node>, End, Vec<Comment>) {
        let mut nodes = Vec::new();
        self.depth = 0;
        let end = loop {
            if !nodes.is_empty() {
                nodes.extend(self.gap().comments.into_iter().map(Node::Comment));
            }
            match self.kind(0) {
                TokenKind::End | TokenKind::RightBrace => break End::File,
                TokenKind::Dot if !self.is_member_dot() => break End::Stop,
                TokenKind::LeftBrace if !self.roles.maps.contains(&self.start(0)) => {
                    break End::Block;
                }
                _ => self.node(&mut nodes),
            }
        };
        let comments = take_comments(&mut nodes);
        if end == End::Stop {
            nodes.push(piece(".", true, false));
            self.bump();
            // More full stops say nothing, unless a comment stands between them.
            while *self.kind(0) == TokenKind::Dot && self.gap().comments.is_empty() {
                self.bump();
            }
        } else if end == End::Block {
            nodes.push(piece("{", false, false));
            self.bump();
        }
        (nodes, end, comments)
    }

    fn is_member_dot(&self) -> bool {
        self.roles.members.contains(&self.start(1))
    }

    /// The next part of a statement.
    fn node(&mut self, nodes: &mut Vec<Node>) {
        let start = self.start(0);
        if let Some(end) = self.roles.words.get(&start) {
            let text = self.region(*end);
            return nodes.push(piece(&text, false, false));
        }
        if let Some(end) = self.roles.verbs.get(&start) {
            let text = self.region(*end);
            return nodes.push(piece(&text, false, false));
        }
        let map = match self.kind(0) {
            TokenKind::Less if self.roles.verbs.contains_key(&self.start(1)) => {
                return self.angle_verb(nodes);
            }
            TokenKind::Less if self.text(1).eq_ignore_ascii_case("concurrency") => {
                return self.up_to(&TokenKind::Greater, nodes);
            }
            TokenKind::Word(_) if self.at_aggregate() => {
                return self.up_to(&TokenKind::RightParen, nodes);
            }
            TokenKind::LeftBrace => true,
            TokenKind::LeftBracket if self.roles.lists.contains(&start) => false,
            _ => return self.plain(nodes),
        };
        let tight = last_is_tight(nodes);
        let group = self.group(map, tight);
        nodes.push(Node::Group(group));
    }

    /// `sum(<field>)` behind `with`; its field is no place of the tree.
    fn at_aggregate(&self) -> bool {
        let before = self
            .at
            .checked_sub(1)
            .and_then(|at| self.roles.tokens.get(at));
        let with = before.is_some_and(|token| {
            self.slice(token.span.start, token.span.end)
                .eq_ignore_ascii_case("with")
        });
        let functions = ["sum", "count", "avg", "min", "max"];
        with && *self.kind(1) == TokenKind::LeftParen
            && functions
                .iter()
                .any(|function| self.text(0).eq_ignore_ascii_case(function))
    }

    /// Everything up to the next `last`, as one piece.
    fn up_to(&mut self, last: &TokenKind, nodes: &mut Vec<Node>) {
        let rest = self.roles.tokens.get(self.at..).unwrap_or_default();
        let close = rest.iter().find(|token| token.kind == *last);
        let end = close.map_or(self.start(0) + 1, |token| token.span.end);
        let text = self.region(end);
        nodes.push(piece(&text, false, false));
    }

    /// `<Verb>`, without brackets if it can be and shall be.
    fn angle_verb(&mut self, nodes: &mut Vec<Node>) {
        let verb_end = self.roles.verbs.get(&self.start(1)).copied().unwrap_or(0);
        let close = self.roles.tokens.get(self.at..).unwrap_or_default();
        let close = close.iter().find(|token| token.span.start >= verb_end);
        let end = close.map_or(verb_end, |token| token.span.end);
        let words = self.text(1).to_ascii_lowercase();
        let reserved = Word::classify(&words) != Word::Plain;
        let bare_keyword = ["when", "then", "assert", "exists", "publish", "require"];
        let text = self.region(end);
        let bare =
            self.verbs == Verbs::Bare && (!reserved || bare_keyword.contains(&words.as_str()));
        let inner = text
            .strip_prefix('<')
            .and_then(|text| text.strip_suffix('>'));
        match inner.filter(|inner| bare && !inner.contains(['(', '/'])) {
            Some(verb) => nodes.push(piece(&capital(verb), false, false)),
            None => nodes.push(piece(&text, false, false)),
        }
    }

    /// A single token.
    fn plain(&mut self, nodes: &mut Vec<Node>) {
        let start = self.start(0);
        let text = self.text(0);
        let tight = last_is_tight(nodes);
        let mut made = Piece {
            text: text.to_owned(),
            tight_before: false,
            tight_after: false,
            chunk: false,
        };
        match self.kind(0) {
            TokenKind::LeftParen => {
                self.depth += 1;
                made.tight_after = true;
            }
            TokenKind::LeftBracket => {
                self.depth += 1;
                (made.tight_before, made.tight_after) = (true, true);
            }
            TokenKind::RightParen | TokenKind::RightBracket => {
                self.depth = self.depth.saturating_sub(1);
                made.tight_before = true;
            }
            TokenKind::Dot => (made.tight_before, made.tight_after) = (true, true),
            TokenKind::Comma | TokenKind::Colon => made.tight_before = true,
            TokenKind::Minus if self.roles.negations.contains(&start) => {
                let next = self.text(1);
                made.tight_after =
                    !next.starts_with(|first: char| first == '-' || first.is_ascii_digit());
            }
            TokenKind::Int(_) | TokenKind::Float(_) => {
                // A number whose minus sign is a subtraction.
                let positive = text.strip_prefix('-');
                if let Some(positive) =
                    positive.filter(|_| self.roles.numbers.contains(&(start + 1)))
                {
                    nodes.push(piece("-", false, false));
                    positive.clone_into(&mut made.text);
                }
                // `5s`
                let unit = matches!(self.kind(1), TokenKind::Word(_))
                    && self.token(0).map(|token| token.span.end) == Some(self.start(1));
                made.tight_after = unit;
            }
            TokenKind::PipeGreater | TokenKind::DoublePlus => made.chunk = true,
            TokenKind::Word(class) => made.chunk = self.depth == 0 && begins_chunk(*class, text),
            _ => {}
        }
        made.tight_before |= tight;
        self.bump();
        nodes.push(Node::Piece(made));
    }

    /// A list or map.
    fn group(&mut self, map: bool, tight: bool) -> Group {
        let depth = std::mem::take(&mut self.depth);
        let close = if map {
            TokenKind::RightBrace
        } else {
            TokenKind::RightBracket
        };
        self.bump();
        let mut elements: Vec<Element> = Vec::new();
        let mut nodes = Vec::new();
        loop {
            let mut comments = self.gap().comments;
            if nodes.is_empty()
                && let Some(last) = elements.last_mut()
            {
                let full = last.after.iter().any(|one| one.line);
                let behind = comments.iter().take_while(|one| !full && one.newlines == 0);
                let behind = behind.count();
                last.after.extend(comments.drain(..behind));
                comments
                    .iter_mut()
                    .for_each(|one| one.newlines = one.newlines.max(1));
            }
            nodes.extend(comments.into_iter().map(Node::Comment));
            let kind = self.kind(0);
            // A bracket of a subscript or the like closes itself.
            let ends = *kind == TokenKind::Comma || *kind == close;
            if ends && self.depth == 0 || *kind == TokenKind::End {
                let after = take_comments(&mut nodes);
                let closed = *kind != TokenKind::Comma;
                if nodes.is_empty() {
                    self.bump();
                    self.depth = depth;
                    return Group::new(map, elements, after, tight);
                }
                let behind = after.iter().take_while(|one| one.newlines == 0).count();
                let mut after = after;
                let tail = after.split_off(behind);
                elements.push(Element {
                    nodes: std::mem::take(&mut nodes),
                    after,
                });
                self.bump();
                if closed {
                    self.depth = depth;
                    return Group::new(map, elements, tail, tight);
                }
                nodes.extend(tail.into_iter().map(Node::Comment));
            } else {
                self.node(&mut nodes);
            }
        }
    }

    /// Tokens that belong together, up to `end`; as written if a comment stands among them.
    fn region(&mut self, end: u32) -> String {
        let start = self.start(0);
        let first = self.at;
        self.skip_to(end);
        let tokens = self.roles.tokens.get(first..self.at).unwrap_or_default();
        let mut text = String::new();
        let mut before: Option<&Token> = None;
        let mut depth = 0_usize;
        for token in tokens {
            if let Some(before) = before {
                let between = self.slice(before.span.end, token.span.start);
                if !between.trim().is_empty() {
                    return self.slice(start, end).to_owned();
                }
                text.push_str(glue(before, token, depth, self.text_of(before)));
            }
            match token.kind {
                TokenKind::Less => depth += 1,
                TokenKind::Greater => depth = depth.saturating_sub(1),
                _ => {}
            }
            text.push_str(self.text_of(token));
            before = Some(token);
        }
        text
    }

    fn text_of(&self, token: &Token) -> &'a str {
        self.slice(token.span.start, token.span.end)
    }
}

/// What stands between two tokens of a noun.
fn glue(before: &Token, token: &Token, depth: usize, text: &str) -> &'static str {
    let touches = before.span.end == token.span.start;
    match (&before.kind, &token.kind) {
        (TokenKind::Colon, _) => " ",
        (TokenKind::Comma, _) if depth > 1 => " ",
        (TokenKind::Greater, TokenKind::Word(_)) => " ",
        (TokenKind::Word(_), TokenKind::Text(_)) if !touches => " ",
        (left, right) if is_atom(left) && is_atom(right) && !touches => {
            if matches!(token.kind, TokenKind::Int(value) if value < 0) {
                ""
            } else {
                " "
            }
        }
        (TokenKind::Word(_), TokenKind::Less) if text.eq_ignore_ascii_case("as") => " ",
        _ => "",
    }
}

fn is_atom(kind: &TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Word(_) | TokenKind::Int(_) | TokenKind::Float(_) | TokenKind::Regex { .. }
    )
}

/// Words before which a long line may be broken.
fn begins_chunk(class: Word, text: &str) -> bool {
    let words = ["where", "when", "default", "and", "or"];
    matches!(class, Word::Preposition(_))
        || words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn piece(text: &str, tight_before: bool, tight_after: bool) -> Node {
    Node::Piece(Piece {
        text: text.to_owned(),
        tight_before,
        tight_after,
        chunk: false,
    })
}

fn last_is_tight(nodes: &[Node]) -> bool {
    matches!(nodes.last(), Some(Node::Piece(piece)) if piece.tight_after)
}

/// Takes the comments off the end.
fn take_comments(nodes: &mut Vec<Node>) -> Vec<Comment> {
    let mut comments = Vec::new();
    while let Some(last) = nodes.pop() {
        if let Node::Comment(comment) = last {
            comments.push(comment);
        } else {
            nodes.push(last);
            break;
        }
    }
    comments.reverse();
    comments
}
