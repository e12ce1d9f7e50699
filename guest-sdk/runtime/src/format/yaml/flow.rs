//! Flow style and quoted scalars: what stands in one run of text.

use alloc::string::String;
use alloc::vec::Vec;

use super::super::DEPTH_MAX;
use super::plain;
use crate::error::Error;
use crate::value::{Entry, Value};

/// What is left of a run of text, and the line it began in.
pub(super) struct Flow {
    pub(super) rest: &'static str,
    pub(super) line: usize,
}

impl Flow {
    fn wrong(&self, what: &'static str) -> Error {
        super::read::mistake(self.line, what)
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn take(&mut self, char: char) -> bool {
        self.space();
        match self.rest.strip_prefix(char) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// A list, map, quoted or plain scalar.
    pub(super) fn value(&mut self, depth: usize) -> Result<Value, Error> {
        if depth > DEPTH_MAX {
            return Err(Error::TooDeep);
        }
        if self.take('[') {
            return self.list(depth);
        }
        if self.take('{') {
            return self.map(depth);
        }
        if let Some(text) = self.quoted()? {
            return Ok(Value::Text(text));
        }
        Ok(plain(self.plain(false)?))
    }

    fn list(&mut self, depth: usize) -> Result<Value, Error> {
        let mut items = Vec::new();
        loop {
            if self.take(']') {
                return Ok(Value::list(items));
            }
            items.push(self.value(depth + 1)?);
            if !self.take(',') && !self.rest.starts_with(']') {
                return Err(self.wrong("expected `,` or `]`"));
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Error> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            if self.take('}') {
                return Ok(Value::map(entries));
            }
            let key = match self.quoted()? {
                Some(key) => key,
                None => self.plain(true)?,
            };
            let value = if self.take(':') {
                self.space();
                if self.rest.starts_with([',', '}']) {
                    Value::Null
                } else {
                    self.value(depth + 1)?
                }
            } else {
                Value::Null
            };
            entries.push((key, value));
            if !self.take(',') && !self.rest.starts_with('}') {
                return Err(self.wrong("expected `,` or `}`"));
            }
        }
    }

    /// A plain scalar inside brackets; a key ends at its colon.
    fn plain(&mut self, key: bool) -> Result<&'static str, Error> {
        self.space();
        super::read::refuse_mark(self.rest, self.line)?;
        let mut chars = self.rest.char_indices().peekable();
        let mut end = self.rest.len();
        while let Some((at, char)) = chars.next() {
            let colon = key
                && char == ':'
                && chars
                    .peek()
                    .is_none_or(|(_, next)| matches!(next, ' ' | ',' | '}'));
            if colon || matches!(char, ',' | '[' | ']' | '{' | '}') {
                end = at;
                break;
            }
        }
        let (text, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        if text.trim().is_empty() {
            return Err(self.wrong("a value is missing"));
        }
        Ok(text.trim())
    }

    /// A quoted scalar, if one begins here.
    pub(super) fn quoted(&mut self) -> Result<Option<&'static str>, Error> {
        if self.take('\'') {
            return self.single().map(Some);
        }
        if self.take('"') {
            return self.double().map(Some);
        }
        Ok(None)
    }

    fn single(&mut self) -> Result<&'static str, Error> {
        let mut out = String::new();
        loop {
            let Some((part, rest)) = self.rest.split_once('\'') else {
                return Err(self.wrong("a quoted text does not end in its line"));
            };
            out.push_str(part);
            match rest.strip_prefix('\'') {
                Some(rest) => {
                    out.push('\'');
                    self.rest = rest;
                }
                None => {
                    self.rest = rest;
                    return Ok(out.leak());
                }
            }
        }
    }

    fn double(&mut self) -> Result<&'static str, Error> {
        let mut out = String::new();
        let mut chars = self.rest.chars();
        loop {
            match chars.next() {
                Some('"') => {
                    self.rest = chars.as_str();
                    return Ok(out.leak());
                }
                Some('\\') => {
                    let escaped = escape(&mut chars).ok_or(self.wrong("unknown escape"))?;
                    out.push(escaped);
                }
                Some(char) => out.push(char),
                None => return Err(self.wrong("a quoted text does not end in its line")),
            }
        }
    }
}

/// The character of an escape, behind its backslash.
pub(crate) fn escape(chars: &mut core::str::Chars<'_>) -> Option<char> {
    Some(match chars.next()? {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'e' => '\u{1b}',
        '0' => '\0',
        char @ ('"' | '\\' | '/' | ' ') => char,
        'x' => return hex(chars, 2),
        'u' => return hex(chars, 4),
        'U' => return hex(chars, 8),
        _ => return None,
    })
}

fn hex(chars: &mut core::str::Chars<'_>, digits: usize) -> Option<char> {
    let code = (0..digits).try_fold(0u32, |code, _| {
        Some(code.checked_mul(16)? + chars.next()?.to_digit(16)?)
    })?;
    char::from_u32(code)
}
