//! Statements as run-time errors cite them (runtime.md 2.7).

use aro_wit::manifest;

use super::Body;
use crate::ir::{Expr, TextId};
use crate::source::Span;
use crate::syntax::ast::{Action, Noun, Object, Operand, Target};

impl Body<'_, '_> {
    /// Enters a statement; answers its index.
    pub(super) fn add_statement(&mut self, span: Span, sentence: String, text: String) -> u32 {
        let facts = self.shared.facts;
        let index = span.file as usize;
        let (line, column) = facts
            .files
            .get(index)
            .zip(facts.lines.get(index))
            .map_or((1, 1), |(file, lines)| lines.position(file, span.start));
        self.shared.statements.push(manifest::Statement {
            file: span.file,
            line,
            column,
            sentence,
            text,
        });
        self.shared.statements.len() as u32 - 1
    }

    /// Enters an action statement.
    pub(super) fn add_action(&mut self, action: &Action) -> u32 {
        self.add_statement(action.span, sentence(action), text(action))
    }

    /// Names of the statement that may be bound, with their locals (runtime.md 2.7.2).
    pub(super) fn traced(&mut self, action: &Action) -> Vec<(TextId, Expr)> {
        let mut names: Vec<&str> = Vec::new();
        let nouns = [result_noun(action), object_noun(action)];
        for noun in nouns.into_iter().flatten() {
            names.push(&noun.base);
            if let Some(qualifier) = &noun.qualifier {
                names.extend(qualifier.specifiers.iter().map(String::as_str));
            }
        }
        names.sort_unstable();
        names.dedup();
        names
            .into_iter()
            .filter_map(|name| Some((name, self.lookup(name)?.0)))
            .collect::<Vec<_>>()
            .into_iter()
            .map(|(name, local)| (self.text(name), Expr::Local(local)))
            .collect()
    }
}

fn result_noun(action: &Action) -> Option<&Noun> {
    match &action.result {
        Target::Noun(noun) => Some(noun),
        Target::Sink(_) | Target::None => None,
    }
}

fn object_noun(action: &Action) -> Option<&Noun> {
    match &action.object.as_ref()?.operand {
        Operand::Noun(noun) => Some(noun),
        Operand::Expression(_) | Operand::Duration { .. } | Operand::Labelled { .. } => None,
    }
}

/// `Cannot log the message for the console.`
fn sentence(action: &Action) -> String {
    let mut sentence = format!("Cannot {}", action.verb.text.to_lowercase());
    write_rest(action, &mut sentence, "", "");
    sentence
}

/// `<Log> the <message> for the <console>.`
fn text(action: &Action) -> String {
    let mut text = format!("<{}>", action.verb.text);
    write_rest(action, &mut text, "<", ">");
    text
}

fn write_rest(action: &Action, out: &mut String, open: &str, close: &str) {
    let mut word = |word: &str| {
        out.push(' ');
        out.push_str(word);
    };
    let bracketed = |name: &str| format!("{open}{name}{close}");
    match &action.result {
        Target::Noun(noun) => {
            word("the");
            word(&bracketed(&full_name(noun)));
        }
        Target::Sink(_) => {
            word("the");
            word(&bracketed("_sink_"));
        }
        Target::None => {}
    }
    for object in action.object.iter().chain(&action.extra) {
        word(object.preposition.as_str());
        match object_words(object) {
            ObjectWords::Noun(name) => {
                word("the");
                word(&bracketed(&name));
            }
            ObjectWords::Plain(words) => word(&words),
        }
    }
    if let Some(alias) = &action.clauses.alias {
        word("as");
        word(&bracketed(&alias.base));
    }
    if action.when.is_some() {
        word("when <condition>");
    }
    out.push('.');
}

enum ObjectWords {
    Noun(String),
    Plain(String),
}

fn object_words(object: &Object) -> ObjectWords {
    use crate::syntax::ast::ExpressionKind as Kind;
    let literal = |expression: &crate::syntax::ast::Expression| match &expression.kind {
        Kind::Int(number) => number.to_string(),
        Kind::Text(text) => text.clone(),
        Kind::Reference(noun) => full_name(noun),
        Kind::Name(name) => name.clone(),
        _ => "_expression_".to_owned(),
    };
    match &object.operand {
        Operand::Noun(noun) => ObjectWords::Noun(full_name(noun)),
        Operand::Expression(_) => ObjectWords::Noun("_expression_".to_owned()),
        Operand::Duration { amount, unit } => {
            ObjectWords::Plain(format!("{} {}", literal(amount), unit.text))
        }
        Operand::Labelled { label, value } => {
            ObjectWords::Plain(format!("{} {}", label.text, literal(value)))
        }
    }
}

fn full_name(noun: &Noun) -> String {
    match &noun.qualifier {
        Some(qualifier) => format!("{}: {}", noun.base, qualifier.specifiers.join(".")),
        None => noun.base.clone(),
    }
}
