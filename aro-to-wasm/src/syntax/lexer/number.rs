//! Number literals (2.6).

use super::Lexer;
use crate::diagnostic::{Code, Diagnostic};
use crate::syntax::token::TokenKind;

impl Lexer<'_> {
    /// At a digit, or at a minus sign before one.
    pub(super) fn number(&mut self) {
        let start = self.at;
        let negative = self.byte_at(self.at) == Some(b'-');
        self.at += usize::from(negative);
        let kind = if negative {
            None
        } else {
            self.based(16, b'x').or_else(|| self.based(2, b'b'))
        };
        let kind = kind.unwrap_or_else(|| self.decimal(start));
        let kind = kind.unwrap_or_else(|| {
            let span = self.span(start);
            let text = self.source.get(start..self.at).unwrap_or("").to_owned();
            self.report(
                Diagnostic::new(
                    Code::InvalidNumber,
                    span,
                    format!("invalid number literal `{text}`"),
                )
                .label(span, "does not fit into 64 bits")
                .help("integers range from -9223372036854775808 to 9223372036854775807"),
            );
            TokenKind::Int(0)
        });
        self.push(kind, start);
    }

    /// `0x…` and `0b…`; without a digit behind the letter it is a zero and a word.
    fn based(&mut self, radix: u32, letter: u8) -> Option<Option<TokenKind>> {
        let marked = self.byte_at(self.at) == Some(b'0')
            && self
                .byte_at(self.at + 1)
                .is_some_and(|byte| byte.eq_ignore_ascii_case(&letter));
        let digits = self.source.get(self.at + 2..self.end)?;
        let length = digits
            .find(|char: char| !(char == '_' || char.is_digit(radix)))
            .unwrap_or(digits.len());
        let text: String = digits
            .get(..length)?
            .chars()
            .filter(|char| *char != '_')
            .collect();
        if !marked || text.is_empty() {
            return None;
        }
        self.at += 2 + length;
        Some(i64::from_str_radix(&text, radix).ok().map(TokenKind::Int))
    }

    fn decimal(&mut self, start: usize) -> Option<TokenKind> {
        self.digits();
        let is_digit = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_digit());
        let mut float = false;
        if self.byte_at(self.at) == Some(b'.') && is_digit(self.byte_at(self.at + 1)) {
            float = true;
            self.at += 1;
            self.digits();
        }
        if matches!(self.byte_at(self.at), Some(b'e' | b'E')) {
            let signed = matches!(self.byte_at(self.at + 1), Some(b'+' | b'-'));
            let digits = self.at + 1 + usize::from(signed);
            // `5 events` written without a space is a number and a word: an exponent needs a digit.
            if is_digit(self.byte_at(digits)) {
                float = true;
                self.at = digits;
                self.digits();
            }
        }
        let text: String = self
            .source
            .get(start..self.at)?
            .chars()
            .filter(|char| *char != '_')
            .collect();
        if float {
            text.parse()
                .ok()
                .filter(|value: &f64| value.is_finite())
                .map(TokenKind::Float)
        } else {
            text.parse().ok().map(TokenKind::Int)
        }
    }

    fn digits(&mut self) {
        while self
            .byte_at(self.at)
            .is_some_and(|byte| byte.is_ascii_digit() || byte == b'_')
        {
            self.at += 1;
        }
    }
}
