//! Operands: literals, names, lists, maps, brackets and interpolated strings.

use super::expression::name_expression;
use super::{Parse, Parser};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Expression, ExpressionKind, Name, Segment};
use crate::syntax::lexer::lex;
use crate::syntax::token::{Piece, TokenKind, Word};

impl Parser<'_> {
    pub(super) fn primary(&mut self) -> Parse<Expression> {
        self.height = 1;
        let kind = match self.kind() {
            TokenKind::Int(value) => ExpressionKind::Int(*value),
            TokenKind::Float(value) => ExpressionKind::Float(*value),
            TokenKind::Text(text) => ExpressionKind::Text(text.clone()),
            TokenKind::Regex { pattern, flags } => ExpressionKind::Regex {
                pattern: pattern.clone(),
                flags: flags.clone(),
            },
            TokenKind::Word(Word::Literal) => self.literal_word(),
            TokenKind::Word(Word::Plain) => return self.bare_name().map(name_expression),
            TokenKind::Interpolated(pieces) => {
                let pieces = pieces.clone();
                return self.interpolated(&pieces);
            }
            TokenKind::Less => {
                let noun = self.angle_noun()?;
                let span = noun.span;
                return Ok(Expression {
                    kind: ExpressionKind::Reference(noun),
                    span,
                });
            }
            TokenKind::LeftBracket => return self.nested(Self::list),
            TokenKind::LeftBrace => return self.nested(Self::map),
            TokenKind::LeftParen => return self.nested(Self::round),
            _ => return Err(self.no_expression()),
        };
        let span = self.bump();
        Ok(Expression { kind, span })
    }

    fn literal_word(&self) -> ExpressionKind {
        match self.word(0).to_ascii_lowercase().as_str() {
            "true" => ExpressionKind::Bool(true),
            "false" => ExpressionKind::Bool(false),
            _ => ExpressionKind::Null,
        }
    }

    fn no_expression(&self) -> Box<Diagnostic> {
        let mistake = self.expected("an expression");
        match self.word_class(0) {
            Some(Word::Article) if *self.peek(1) == TokenKind::Less => {
                Box::new(mistake.help("values are written without an article: `<name>`"))
            }
            Some(_) => Box::new(mistake.help(format!(
                "`{0}` is a reserved word; the variable is written `<{0}>`",
                self.word(0)
            ))),
            None => mistake,
        }
    }

    fn round(&mut self) -> Parse<Expression> {
        let open = self.bump();
        let inner = self.expression()?;
        self.expect_close(&TokenKind::RightParen, ")", open)?;
        let span = self.since(open);
        self.parenthesised = Some(span);
        Ok(Expression { span, ..inner })
    }

    fn list(&mut self) -> Parse<Expression> {
        let open = self.bump();
        let (mut items, mut height) = (Vec::new(), 0);
        while !self.at(&TokenKind::RightBracket) {
            items.push(self.expression()?);
            height = self.height.max(height);
            if !self.eat(&TokenKind::Comma) {
                break;
            }
        }
        self.expect_close(&TokenKind::RightBracket, "]", open)
            .map_err(|mistake| self.explain_comma(mistake))?;
        self.tall(height, open)?;
        Ok(Expression {
            kind: ExpressionKind::List(items),
            span: self.since(open),
        })
    }

    fn map(&mut self) -> Parse<Expression> {
        let open = self.bump();
        let (mut entries, mut height) = (Vec::new(), 0);
        while !self.at(&TokenKind::RightBrace) {
            let key = self.key()?;
            self.expect(&TokenKind::Colon, "`:`").map_err(|mistake| {
                Box::new(mistake.help(format!("write the value of the key as `{}: …`", key.text)))
            })?;
            entries.push((key, self.expression()?));
            height = self.height.max(height);
            if !self.eat(&TokenKind::Comma) {
                break;
            }
        }
        self.expect_close(&TokenKind::RightBrace, "}", open)
            .map_err(|mistake| self.explain_comma(mistake))?;
        self.tall(height, open)?;
        Ok(Expression {
            kind: ExpressionKind::Map(entries),
            span: self.since(open),
        })
    }

    /// Sets the height of a node above trees of `height`.
    fn tall(&mut self, height: u32, at: Span) -> Parse<()> {
        self.height = height + 1;
        if self.height > super::DEPTH_MAX {
            Err(self.too_deep(at))
        } else {
            Ok(())
        }
    }

    fn explain_comma(&self, mistake: Box<Diagnostic>) -> Box<Diagnostic> {
        let starts = matches!(
            self.kind(),
            TokenKind::Word(_) | TokenKind::Text(_) | TokenKind::Interpolated(_) | TokenKind::Less
        );
        if starts {
            Box::new(mistake.help("entries are separated by commas"))
        } else {
            mistake
        }
    }

    /// A string, or words joined by hyphens, reserved or not.
    fn key(&mut self) -> Parse<Name> {
        match self.kind() {
            TokenKind::Text(text) => {
                let text = text.clone();
                Ok(Name {
                    text,
                    span: self.bump(),
                })
            }
            TokenKind::Word(_) => {
                let mut name = self.name_here();
                loop {
                    if self.at(&TokenKind::Minus) && matches!(self.peek(1), TokenKind::Word(_)) {
                        self.bump();
                        name.text.push('-');
                    } else if !matches!(self.kind(), TokenKind::Int(_))
                        || !self.text(self.span()).starts_with('-')
                    {
                        name.span = self.since(name.span);
                        return Ok(name);
                    }
                    let span = self.bump();
                    name.text.push_str(self.text(span));
                }
            }
            TokenKind::Int(_) | TokenKind::Float(_) => {
                let quoted = format!(
                    "keys are words or strings: `\"{}\": …`",
                    self.text(self.span())
                );
                Err(Box::new(self.expected("a key").help(quoted)))
            }
            TokenKind::Interpolated(_) => Err(Box::new(
                self.expected("a key without interpolation")
                    .help("a key is a fixed text"),
            )),
            _ => Err(self.expected("a key or `}`")),
        }
    }

    fn interpolated(&mut self, pieces: &[Piece]) -> Parse<Expression> {
        let span = self.bump();
        let (mut segments, mut height) = (Vec::new(), 0);
        for piece in pieces {
            match piece {
                Piece::Text(text) => segments.push(Segment::Text(text.clone())),
                Piece::Code(code) => {
                    let inner = self.nested(|parser| parser.interpolation(*code))?;
                    height = self.height.max(height);
                    segments.extend(inner.map(Segment::Expression));
                }
            }
        }
        self.tall(height, span)?;
        let plain: Option<String> = segments
            .iter()
            .map(|segment| {
                if let Segment::Text(text) = segment {
                    Some(text.as_str())
                } else {
                    None
                }
            })
            .collect();
        let kind = plain.map_or(ExpressionKind::Interpolated(segments), ExpressionKind::Text);
        Ok(Expression { kind, span })
    }

    /// Reads what stands in `${…}` as one whole expression; nothing if it is empty or unreadable.
    fn interpolation(&mut self, code: Span) -> Parse<Option<Expression>> {
        let lexed = lex(
            self.file,
            self.source,
            code.start as usize..code.end as usize,
        );
        let unreadable = lexed.diagnostics.first().map(|first| first.message.clone());
        let reason = unreadable
            .or_else(|| (lexed.tokens.len() < 2).then(|| "there is nothing in it".to_owned()));
        if let Some(reason) = reason {
            let span = Span {
                start: code.start.saturating_sub(2),
                end: code.end + 1,
                ..code
            };
            let warning = Diagnostic::new(
                Code::IgnoredInterpolation,
                span,
                "this interpolation contributes nothing to the text",
            );
            self.warn(
                warning
                    .label(span, reason)
                    .help("write `\\${` for the characters themselves"),
            );
            return Ok(None);
        }
        let outer = std::mem::replace(&mut self.tokens, lexed.tokens);
        let at = std::mem::replace(&mut self.at, 0);
        let result = self.expression().and_then(|expression| {
            if self.at(&TokenKind::End) {
                return Ok(expression);
            }
            let mistake = self.expected("`}`");
            Err(Box::new(mistake.help(
                "a name with a qualifier needs angle brackets: `${<user: name>}`",
            )))
        });
        let result = result.map_err(|mistake| self.explain_interpolation(mistake));
        self.tokens = outer;
        self.at = at;
        result.map(Some)
    }

    fn explain_interpolation(&self, mistake: Box<Diagnostic>) -> Box<Diagnostic> {
        if self.word_class(0) == Some(Word::Article) {
            let word = self.word(0);
            let help = format!(
                "`{word}` is an article; the variable of that name is written `${{<{word}>}}`"
            );
            return Box::new(Diagnostic {
                help: vec![help],
                ..*mistake
            });
        }
        mistake
    }
}
