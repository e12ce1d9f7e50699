//! The JSON reader: strict, bounded in depth. Strings without escapes are borrowed from the text.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::Error;
use crate::value::{Entry, NESTING_MAX, Value};

/// Reads one JSON document.
///
/// # Errors
/// [`Error::Json`] with the place where it stops being JSON, [`Error::TooDeep`].
pub fn read(text: &'static str) -> Result<Value, Error> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    reader.space();
    if reader.at == text.len() {
        Ok(value)
    } else {
        Err(reader.wrong())
    }
}

struct Reader {
    text: &'static str,
    at: usize,
}

impl Reader {
    fn wrong(&self) -> Error {
        Error::Json { offset: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), Error> {
        if self.take(byte) {
            Ok(())
        } else {
            Err(self.wrong())
        }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        self.space();
        match self.peek() {
            Some(b'{' | b'[') if depth >= NESTING_MAX => Err(Error::TooDeep),
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => self.string().map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(_) | None => Err(self.wrong()),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Error> {
        match self.text.get(self.at..) {
            Some(rest) if rest.starts_with(word) => {
                self.at += word.len();
                Ok(value)
            }
            Some(_) | None => Err(self.wrong()),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, Error> {
        self.expect(b'[')?;
        let mut items = Vec::new();
        self.space();
        if self.take(b']') {
            return Ok(Value::list(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.space();
            if self.take(b']') {
                return Ok(Value::list(items));
            }
            self.expect(b',')?;
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, Error> {
        self.expect(b'{')?;
        let mut entries: Vec<Entry> = Vec::new();
        self.space();
        if self.take(b'}') {
            return Ok(Value::map(entries));
        }
        loop {
            self.space();
            let key = self.string()?;
            self.space();
            self.expect(b':')?;
            entries.push((key, self.value(depth)?));
            self.space();
            if self.take(b'}') {
                return Ok(Value::map(entries));
            }
            self.expect(b',')?;
        }
    }

    fn digits(&mut self) -> Result<(), Error> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            Err(self.wrong())
        } else {
            Ok(())
        }
    }

    fn number(&mut self) -> Result<Value, Error> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        let mut whole = true;
        if self.take(b'.') {
            whole = false;
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            whole = false;
            let _signed = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        match text.parse::<i64>() {
            Ok(number) if whole => Ok(Value::Int(number)),
            Ok(_) | Err(_) => text.parse().map(Value::Float).map_err(|_| self.wrong()),
        }
    }

    /// Position of the next byte that ends a run of plain characters.
    fn skip_plain(&mut self) {
        while self
            .peek()
            .is_some_and(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
        {
            self.at += 1;
        }
    }

    fn string(&mut self) -> Result<&'static str, Error> {
        self.expect(b'"')?;
        let start = self.at;
        self.skip_plain();
        let plain = self
            .text
            .get(start..self.at)
            .ok_or(Error::Json { offset: start })?;
        if self.take(b'"') {
            return Ok(plain);
        }
        let mut out = String::from(plain);
        loop {
            if self.take(b'"') {
                return Ok(out.leak());
            }
            self.expect(b'\\')?;
            out.push(self.escape()?);
            let start = self.at;
            self.skip_plain();
            out.push_str(
                self.text
                    .get(start..self.at)
                    .ok_or(Error::Json { offset: start })?,
            );
        }
    }

    fn escape(&mut self) -> Result<char, Error> {
        let byte = self.peek().ok_or(self.wrong())?;
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'/' => Ok(char::from(byte)),
            b'b' => Ok('\u{8}'),
            b'f' => Ok('\u{c}'),
            b'n' => Ok('\n'),
            b'r' => Ok('\r'),
            b't' => Ok('\t'),
            b'u' => self.unicode(),
            _ => Err(self.wrong()),
        }
    }

    /// `\uXXXX`, or two of them that are a surrogate pair.
    fn unicode(&mut self) -> Result<char, Error> {
        let high = self.hex()?;
        if !(0xD800..0xDC00).contains(&high) {
            return char::from_u32(high).ok_or(self.wrong());
        }
        self.expect(b'\\')?;
        self.expect(b'u')?;
        let low = self.hex()?;
        if !(0xDC00..0xE000).contains(&low) {
            return Err(self.wrong());
        }
        char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00)).ok_or(self.wrong())
    }

    fn hex(&mut self) -> Result<u32, Error> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self
                .peek()
                .and_then(|byte| char::from(byte).to_digit(16))
                .ok_or(self.wrong())?;
            code = code << 4 | digit;
            self.at += 1;
        }
        Ok(code)
    }
}
