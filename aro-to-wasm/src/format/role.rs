//! What tokens are, from the tree: a brace may open a block or a map, a full stop may end a statement or lead to a member.

use rustc_hash::{FxHashMap, FxHashSet};

use super::comment::gap;
use super::site::{Site, visit};
use crate::source::Span;
use crate::syntax::ast::{FeatureSet, Program};
use crate::syntax::lexer::lex;
use crate::syntax::token::{Token, TokenKind};

/// The tokens of a file and what some of them are, by their first byte.
pub(super) struct Roles {
    pub(super) tokens: Vec<Token>,
    /// Where a noun or name ends.
    pub(super) words: FxHashMap<u32, u32>,
    /// Where a verb ends.
    pub(super) verbs: FxHashMap<u32, u32>,
    /// Names behind member dots.
    pub(super) members: FxHashSet<u32>,
    /// Braces that open maps.
    pub(super) maps: FxHashSet<u32>,
    /// Brackets that open lists; the others open subscripts.
    pub(super) lists: FxHashSet<u32>,
    /// Minus signs that negate; the others subtract.
    pub(super) negations: FxHashSet<u32>,
    /// Numbers, without the minus sign of a subtraction (EXT-2).
    pub(super) numbers: FxHashSet<u32>,
    /// `match` statements.
    pub(super) matches: FxHashSet<u32>,
    /// End and text of headers and imports.
    pub(super) lines: FxHashMap<u32, (u32, String)>,
}

impl Roles {
    /// Reads the roles from a tree, and takes all places out of it.
    pub(super) fn take(source: &str, program: &mut Program) -> Roles {
        let mut roles = Roles {
            tokens: lex(0, source, 0..source.len()).tokens,
            words: FxHashMap::default(),
            verbs: FxHashMap::default(),
            members: FxHashSet::default(),
            maps: FxHashSet::default(),
            lists: FxHashSet::default(),
            negations: FxHashSet::default(),
            numbers: FxHashSet::default(),
            matches: FxHashSet::default(),
            lines: FxHashMap::default(),
        };
        for import in &program.imports {
            let line = (import.span.end, format!("import {}", import.path));
            roles.lines.insert(import.span.start, line);
        }
        for set in &program.feature_sets {
            let text = header(source, &roles.tokens, set);
            roles.lines.insert(set.header.start, (set.header.end, text));
        }
        visit(program, &mut |site, span| {
            roles.note(site, *span);
            *span = Span::default();
        });
        roles
    }

    fn note(&mut self, site: Site, span: Span) {
        match site {
            Site::Word => {
                let end = self.words.entry(span.start).or_default();
                *end = span.end.max(*end);
            }
            Site::Verb => drop(self.verbs.insert(span.start, span.end)),
            Site::Member => drop(self.members.insert(span.start)),
            Site::Map => drop(self.maps.insert(self.inner(span.start))),
            Site::List => drop(self.lists.insert(self.inner(span.start))),
            Site::Negation => drop(self.negations.insert(self.inner(span.start))),
            Site::Number => drop(self.numbers.insert(span.start)),
            Site::Match => drop(self.matches.insert(span.start)),
            Site::Other => {}
        }
    }

    /// The first token behind round brackets, which belong to the place of what they hold.
    fn inner(&self, start: u32) -> u32 {
        let at = self
            .tokens
            .partition_point(|token| token.span.start < start);
        let behind = self.tokens.get(at..).unwrap_or_default();
        let first = behind
            .iter()
            .find(|token| token.kind != TokenKind::LeftParen);
        first.map_or(start, |token| token.span.start)
    }
}

/// `(Name: Activity takes <field: Type>)`; as written if a comment stands in it.
fn header(source: &str, tokens: &[Token], set: &FeatureSet) -> String {
    let (start, end) = (set.header.start, set.header.end);
    let from = tokens.partition_point(|token| token.span.start < start);
    let to = tokens.partition_point(|token| token.span.start < end);
    let inside = tokens.get(from..to).unwrap_or_default();
    let commented = inside.windows(2).any(|pair| {
        let [left, right] = pair else { return false };
        let between = source.get(left.span.end as usize..right.span.start as usize);
        !gap(between.unwrap_or("")).comments.is_empty()
    });
    if commented {
        return source
            .get(start as usize..end as usize)
            .unwrap_or("")
            .to_owned();
    }
    // `(*` would begin a comment.
    let open = if set.name.starts_with('*') { "( " } else { "(" };
    let mut text = format!("{open}{}", set.name);
    if !set.activity.is_empty() {
        text.push_str(": ");
        text.push_str(&set.activity);
    }
    if let Some(takes) = &set.takes {
        text.push_str(" takes <");
        text.push_str(&takes.field);
        if let Some(ty) = &takes.ty {
            text.push_str(": ");
            text.push_str(ty);
        }
        text.push('>');
    }
    text.push(')');
    text
}
