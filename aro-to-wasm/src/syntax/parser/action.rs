//! Action statements: verb, result, object (5.2, 3.4).

use super::{Parse, Parser};
use crate::actions::{ActionKind, SINK_VERBS, lookup};
use crate::source::Span;
use crate::syntax::ast::{
    Action, Clauses, Expression, ExpressionKind, Name, Noun, Object, Operand, Preposition,
    Qualifier, Statement, Target, With, WithValue,
};
use crate::syntax::token::{TokenKind, Word};

/// Objects of the system, which a lone `<name>` without article means unless the feature set binds that name (EXT-7).
const SYSTEM_OBJECTS: &[&str] = &[
    "console",
    "stderr",
    "stdin",
    "template",
    "env",
    "parameter",
    "file",
    "directory",
    "url",
    "websocket",
    "git",
    "system",
];

/// Words behind an amount that make it a duration.
const TIME_UNITS: &[&str] = &[
    "second",
    "seconds",
    "s",
    "minute",
    "minutes",
    "min",
    "hour",
    "hours",
    "h",
    "millisecond",
    "milliseconds",
    "ms",
];

/// Words that a misspelt one before an object may be meant as.
const PREPOSITIONS: [&str; 10] = [
    "from", "for", "against", "to", "into", "via", "with", "on", "at", "by",
];

const METHODS: &[&str] = &["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];

impl Parser<'_> {
    /// At a verb in either style: an action, a pipeline, or `Publish as` and `Require`.
    pub(super) fn action_statement(&mut self) -> Parse<Statement> {
        let start = self.span();
        let verb = self.verb()?;
        if verb.text.eq_ignore_ascii_case("require") {
            return self.require(start).map(Statement::Require);
        }
        if verb.text.eq_ignore_ascii_case("publish") && self.at_word("as") {
            return self.publish(start).map(Statement::Publish);
        }
        let mut action = self.action(start, verb)?;
        if !self.at(&TokenKind::PipeGreater) {
            self.terminator()?;
            action.span = self.since(start);
            return Ok(Statement::Action(Box::new(action)));
        }
        let mut stages = vec![action];
        while self.eat(&TokenKind::PipeGreater) {
            let start = self.span();
            let verb = self.verb()?;
            stages.push(self.action(start, verb)?);
        }
        self.terminator()?;
        Ok(Statement::Pipeline(stages))
    }

    /// `Verb`, `Dotted.Verb`, or in the older style `<verb>` (EXT-10).
    fn verb(&mut self) -> Parse<Name> {
        let open = self.at(&TokenKind::Less).then(|| self.bump());
        let capital = |parser: &Self, ahead| parser.word(ahead).starts_with(char::is_uppercase);
        if self.word_class(0).is_none()
            || (open.is_none() && !capital(self, 0) && !self.starts_keyword(0))
        {
            return Err(self.expected("an action verb (e.g. Extract, Filter, Return)"));
        }
        let first = self.bump();
        while self.at(&TokenKind::Dot)
            && self.touches(0)
            && self.touches(1)
            && (open.is_some() && self.word_class(1).is_some() || capital(self, 1))
        {
            self.bump();
            self.bump();
        }
        let span = self.since(first);
        if let Some(open) = open {
            self.close_angle(open)?;
        }
        Ok(Name {
            text: self.text(span).to_owned(),
            span,
        })
    }

    fn action(&mut self, start: Span, verb: Name) -> Parse<Action> {
        let mut action = Action {
            result: self.target(&verb)?,
            object: None,
            extra: Vec::new(),
            clauses: Clauses::default(),
            when: None,
            span: start,
            verb,
        };
        if self.at_word("as")
            && matches!(action.result, Target::Noun(_))
            && *self.peek(1) != TokenKind::Less
        {
            self.result_type(&mut action)?;
        }
        self.first_object(&mut action)?;
        self.clauses(&mut action)?;
        reorder_return(&mut action);
        action.span = self.since(start);
        self.bind(&action);
        Ok(action)
    }

    /// Remembers what the action may bind.
    fn bind(&mut self, action: &Action) {
        let result = if let Target::Noun(noun) = &action.result {
            Some(&noun.base)
        } else {
            None
        };
        let alias = action.clauses.alias.as_ref().map(|noun| &noun.base);
        self.bound.extend(result.into_iter().chain(alias).cloned());
    }

    /// The result position.
    fn target(&mut self, verb: &Name) -> Parse<Target> {
        let article = self.eat_article();
        if !article
            && SINK_VERBS
                .iter()
                .any(|sink| verb.text.eq_ignore_ascii_case(sink))
            && self.at_value(0)
        {
            return self.expression().map(Target::Sink);
        }
        if !article
            && self.preposition(0).is_some()
            && lookup(&verb.text).is_some_and(|action| action.omits_result)
        {
            return Ok(Target::None);
        }
        if self.at(&TokenKind::Less) {
            return self.angle_noun().map(Target::Noun);
        }
        let mistake = self.expected("`<`");
        Err(match self.kind() {
            TokenKind::Text(_) | TokenKind::Interpolated(_) if article => {
                Box::new(mistake.help(format!(
                    "leave the article out to use a value: `{} \"…\" to the <console>.`",
                    verb.text
                )))
            }
            TokenKind::Word(Word::Plain) => Box::new(mistake.help(format!(
                "names stand in angle brackets: `{} the <{}> …`",
                verb.text,
                self.word(0)
            ))),
            TokenKind::Text(_)
            | TokenKind::Interpolated(_)
            | TokenKind::Int(_)
            | TokenKind::Word(Word::Preposition(_)) => Box::new(mistake.help(format!(
                "name the result first: `{} the <result> …`",
                verb.text
            ))),
            _ => mistake,
        })
    }

    /// `as Type` behind the result replaces its qualifier.
    fn result_type(&mut self, action: &mut Action) -> Parse<()> {
        let keyword = self.bump();
        let quoted = if let TokenKind::Text(text) = self.kind() {
            Some(text.clone())
        } else {
            None
        };
        let text = match &quoted {
            Some(text) => {
                self.bump();
                text.clone()
            }
            None => self.annotation(keyword, false)?,
        };
        let span = self.since(keyword);
        if let Target::Noun(noun) = &mut action.result {
            let specifiers = if quoted.is_some() {
                vec![text.clone()]
            } else {
                super::noun::split(&text)
            };
            noun.qualifier = Some(Qualifier {
                specifiers,
                quoted: quoted.is_some(),
                text,
            });
            noun.span = noun.span.to(span);
        }
        Ok(())
    }

    /// Whether the token begins a value: any expression but a bare word.
    pub(super) fn at_value(&self, ahead: usize) -> bool {
        match self.peek(ahead) {
            TokenKind::Text(_)
            | TokenKind::Interpolated(_)
            | TokenKind::Int(_)
            | TokenKind::Float(_)
            | TokenKind::Regex { .. } => true,
            TokenKind::LeftBrace
            | TokenKind::LeftBracket
            | TokenKind::LeftParen
            | TokenKind::Less
            | TokenKind::Minus => true,
            TokenKind::Word(Word::Literal) => true,
            TokenKind::Word(Word::Keyword) => self.word_ahead(ahead, "not"),
            _ => false,
        }
    }

    /// The preposition `ahead`; `in` is read as `into` (EXT-22).
    pub(super) fn preposition(&self, ahead: usize) -> Option<Preposition> {
        match self.word_class(ahead)? {
            Word::Preposition(preposition) => Some(preposition),
            Word::Keyword if self.word_ahead(ahead, "in") => Some(Preposition::Into),
            _ => None,
        }
    }

    /// The object behind the result; none before a clause or the end (EXT-14).
    fn first_object(&mut self, action: &mut Action) -> Parse<()> {
        let Some(preposition) = self.preposition(0) else {
            let ends = matches!(
                self.kind(),
                TokenKind::Dot | TokenKind::PipeGreater | TokenKind::RightBrace | TokenKind::End
            );
            if ends || self.at_clause() || (self.starts_line(0) && self.at_statement()) {
                return Ok(());
            }
            let mistake = self.expected("a preposition");
            let meant = crate::check::nearest(self.word(0), PREPOSITIONS.into_iter());
            return Err(Box::new(match meant {
                Some(meant) => mistake.help(format!("did you mean `{meant}`?")),
                None => mistake.help(format!("one of {}", PREPOSITIONS.join(", "))),
            }));
        };
        let clause = match preposition {
            Preposition::With => self.label(1).is_some() || self.aggregate_ahead(1),
            Preposition::By => !(self.at_article(1) || self.word_class(1) == Some(Word::Plain)),
            _ => false,
        };
        if !clause {
            action.object = Some(self.object(preposition)?);
        }
        Ok(())
    }

    /// A preposition and what follows it.
    pub(super) fn object(&mut self, preposition: Preposition) -> Parse<Object> {
        let start = self.bump();
        let operand = self.operand(preposition)?;
        Ok(Object {
            preposition,
            operand,
            span: self.since(start),
        })
    }

    fn operand(&mut self, preposition: Preposition) -> Parse<Operand> {
        use Preposition as P;
        if self.eat_article() {
            return self.object_noun().map(Operand::Noun);
        }
        if self.word_class(0) == Some(Word::Plain) {
            return self.bare_object(preposition);
        }
        if !matches!(preposition, P::To | P::From | P::With | P::For) {
            return self.object_noun().map(Operand::Noun);
        }
        if !self.at_value(0) {
            return Err(self.no_object());
        }
        let bracket = self.at(&TokenKind::Less);
        let base_is_word = *self.peek(2) == TokenKind::Colon;
        let value = self.expression()?;
        if matches!(preposition, P::With | P::For)
            && let Some(unit) = self.time_unit()
        {
            return Ok(Operand::Duration {
                amount: value,
                unit,
            });
        }
        Ok(match value.kind {
            ExpressionKind::Reference(noun)
                if bracket && (base_is_word || self.is_system_object(&noun)) =>
            {
                Operand::Noun(noun)
            }
            _ => Operand::Expression(value),
        })
    }

    fn is_system_object(&self, noun: &Noun) -> bool {
        let system =
            noun.base.ends_with("-repository") || SYSTEM_OBJECTS.contains(&noun.base.as_str());
        system && noun.qualifier.is_none() && !self.bound.contains(&noun.base)
    }

    /// `<noun>` or a bare name.
    fn object_noun(&mut self) -> Parse<Noun> {
        match self.kind() {
            TokenKind::Less => self.angle_noun(),
            TokenKind::Word(Word::Plain | Word::Keyword) if !self.at_clause() => {
                self.bare_name().map(noun_of)
            }
            _ => Err(self.no_object()),
        }
    }

    fn no_object(&self) -> Box<crate::diagnostic::Diagnostic> {
        let mistake = self.expected("an object (`<` or identifier)");
        Box::new(match self.kind() {
            TokenKind::Text(_) | TokenKind::Interpolated(_) | TokenKind::Int(_) | TokenKind::Float(_) | TokenKind::LeftBrace => {
                mistake.help("values follow from, for, to and with, without an article; other prepositions take a name: `<name>`")
            }
            _ => mistake.help("objects stand in angle brackets: `the <name>`"),
        })
    }

    /// A bare word: the object itself, a label (EXT-20, EXT-21), a method (EXT-25), or the start of an expression (EXT-6).
    fn bare_object(&mut self, preposition: Preposition) -> Parse<Operand> {
        let before = self.at;
        let method = preposition == Preposition::Via && METHODS.contains(&self.word(0));
        let name = self.bare_name()?;
        if method && (self.at_article(0) || self.at(&TokenKind::Less)) {
            self.eat_article();
            let noun = self.object_noun()?;
            return Ok(Operand::Noun(with_method(name, noun)));
        }
        if self.at_labelled_value() {
            let value = self.expression()?;
            return Ok(Operand::Labelled { label: name, value });
        }
        let expression = matches!(
            preposition,
            Preposition::To | Preposition::From | Preposition::With | Preposition::For
        );
        if expression && self.continues_expression() {
            self.at = before;
            return self.expression().map(Operand::Expression);
        }
        Ok(Operand::Noun(noun_of(name)))
    }

    /// Whether a value stands behind a bare word on its line, and no operator.
    fn at_labelled_value(&self) -> bool {
        let value = match self.kind() {
            TokenKind::Less => self.at_noun(0),
            TokenKind::Minus | TokenKind::LeftParen => false,
            TokenKind::Int(_) | TokenKind::Float(_) => !self.text(self.span()).starts_with('-'),
            _ => self.at_value(0) && !self.at_word("not"),
        };
        value && !self.starts_line(0)
    }

    /// A time unit behind an amount.
    pub(super) fn time_unit(&mut self) -> Option<Name> {
        let unit = TIME_UNITS.iter().any(|unit| self.word(0) == *unit);
        unit.then(|| self.name_here())
    }
}

fn noun_of(name: Name) -> Noun {
    Noun {
        base: name.text,
        qualifier: None,
        span: name.span,
    }
}

/// `via PUT the <url: path>` is `via the <url: PUT.path>` with the method as first specifier.
fn with_method(method: Name, noun: Noun) -> Noun {
    let mut specifiers = vec![method.text.clone()];
    let mut text = method.text;
    let quoted = noun
        .qualifier
        .as_ref()
        .is_some_and(|qualifier| qualifier.quoted);
    if let Some(qualifier) = noun.qualifier {
        text = format!("{text}.{}", qualifier.text);
        specifiers.extend(qualifier.specifiers);
    }
    Noun {
        base: noun.base,
        qualifier: Some(Qualifier {
            text,
            specifiers,
            quoted,
        }),
        span: noun.span,
    }
}

/// EXT-16: `Return an <OK: status> with <d> for the <r>.` means `… for the <r> with <d>.`
fn reorder_return(action: &mut Action) {
    let returns = lookup(&action.verb.text)
        .is_some_and(|known| matches!(known.kind, ActionKind::Return | ActionKind::Throw));
    let Some(second) = action
        .extra
        .iter()
        .position(|object| object.preposition == Preposition::For)
    else {
        return;
    };
    let with_first = action
        .object
        .as_ref()
        .is_some_and(|object| object.preposition == Preposition::With);
    if !(returns && with_first) {
        return;
    }
    let first = action.object.replace(action.extra.remove(second));
    let value = first.map(|object| match object.operand {
        Operand::Noun(noun) => {
            let span = noun.span;
            Expression {
                kind: ExpressionKind::Reference(noun),
                span,
            }
        }
        Operand::Expression(value)
        | Operand::Labelled { value, .. }
        | Operand::Duration { amount: value, .. } => value,
    });
    let with = value.map(|value| With {
        label: None,
        value: WithValue::Expression(value),
    });
    action.clauses.with.splice(0..0, with);
}
