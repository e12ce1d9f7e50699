//! Separated values (RFC 4180, with the delimiter of choice).

use alloc::string::String;
use alloc::vec::Vec;

use super::{Options, mistake, scalar};
use crate::error::Error;
use crate::text;
use crate::value::{Entry, Value};

/// How cells are told apart.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    delimiter: char,
    quote: char,
    header: bool,
}

impl Dialect {
    /// The settings of a `with` clause over the format's own delimiter.
    pub fn new(delimiter: char, options: Options) -> Self {
        let char = |key, otherwise| {
            let text = options.settings.entry(key).and_then(Value::as_text);
            match text {
                Some("\\t") => '\t',
                Some(text) => text.chars().next().unwrap_or(otherwise),
                None => otherwise,
            }
        };
        Dialect {
            delimiter: char("delimiter", delimiter),
            quote: char("quote", '"'),
            header: options.settings.entry("header") != Some(Value::Bool(false)),
        }
    }
}

/// Appends a list of maps as header and rows, the columns being the keys of the first; other lists as one row an element; a map as its pairs.
pub fn write(out: &mut String, value: Value, dialect: Dialect) {
    if let Some(mut rows) = scalar::rows(value) {
        let Some(columns) = rows.clone().next() else {
            return;
        };
        if dialect.header {
            write_row(out, columns.iter().map(|(key, _)| *key), dialect);
        }
        rows.by_ref()
            .for_each(|row| write_columns(out, columns, row, dialect));
    } else if let Value::List(items) = value {
        for item in items {
            match item.as_list() {
                Some(cells) => write_row(out, cells.iter().map(|cell| text::of(*cell)), dialect),
                None => write_row(out, [text::of(*item)].into_iter(), dialect),
            }
        }
    } else if let Value::Map(entries) = value {
        if dialect.header {
            write_row(out, ["key", "value"].into_iter(), dialect);
        }
        for (key, item) in entries {
            write_row(out, [*key, text::of(*item)].into_iter(), dialect);
        }
    } else {
        text::write(out, value);
        return;
    }
    if out.ends_with('\n') {
        out.pop();
    }
}

fn write_columns(out: &mut String, columns: &[Entry], row: &'static [Entry], dialect: Dialect) {
    let row = Value::Map(row);
    let cells = columns
        .iter()
        .map(|(key, _)| row.entry(key).map_or("", text::of));
    write_row(out, cells, dialect);
}

fn write_row(out: &mut String, cells: impl Iterator<Item = &'static str>, dialect: Dialect) {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            out.push(dialect.delimiter);
        }
        if !cell.contains([dialect.delimiter, dialect.quote, '\n', '\r']) {
            out.push_str(cell);
            continue;
        }
        out.push(dialect.quote);
        for char in cell.chars() {
            if char == dialect.quote {
                out.push(char);
            }
            out.push(char);
        }
        out.push(dialect.quote);
    }
    out.push('\n');
}

/// Reads a table, finding out the delimiter where the options name none.
///
/// # Errors
/// [`Error::Format`].
pub fn read(text: &'static str, mut dialect: Dialect, options: Options) -> Result<Value, Error> {
    if options.settings.entry("delimiter").is_none() {
        let first = text.lines().next().unwrap_or_default();
        // `max_by_key` takes the last of equals, and the first candidate shall win.
        dialect.delimiter = ['\t', ',', ';']
            .into_iter()
            .max_by_key(|candidate| first.matches(*candidate).count())
            .filter(|winner| first.contains(*winner))
            .unwrap_or(',');
    }
    read_with(text, dialect)
}

/// Reads a table: maps by the names of the header, or lists without one. A header `key`, `value` makes it one map; a text of a single line is no table.
///
/// # Errors
/// [`Error::Format`].
pub fn read_with(text: &'static str, dialect: Dialect) -> Result<Value, Error> {
    let mut rows = Reader {
        rest: text,
        line: 1,
        dialect,
    };
    if !dialect.header {
        let mut list = Vec::new();
        while let Some(row) = rows.row()? {
            list.push(Value::list(row.into_iter().map(scalar::typed).collect()));
        }
        return Ok(Value::list(list));
    }
    let Some(header) = rows.row()? else {
        return Ok(Value::Text(text));
    };
    let mut list = Vec::new();
    let is_pairs = header == ["key", "value"];
    let names: Vec<&'static str> = header.into_iter().map(column).collect();
    let mut pairs = Vec::new();
    while let Some(row) = rows.row()? {
        if is_pairs {
            let mut cells = row.into_iter();
            let (key, value) = (cells.next().unwrap_or(""), cells.next().unwrap_or(""));
            pairs.push((key, scalar::typed(value)));
        } else {
            let cells = row.into_iter().map(scalar::typed);
            list.push(Value::map(names.iter().copied().zip(cells).collect()));
        }
    }
    Ok(match (list.is_empty() && pairs.is_empty(), is_pairs) {
        (true, _) => Value::Text(text),
        (false, true) => Value::map(pairs),
        (false, false) => Value::list(list),
    })
}

/// A dot in a name would be read as a path.
fn column(name: &'static str) -> &'static str {
    if name.contains('.') {
        name.replace('.', "-").leak()
    } else {
        name
    }
}

/// What is left of a table.
struct Reader {
    rest: &'static str,
    line: usize,
    dialect: Dialect,
}

impl Reader {
    /// The next row that is not blank.
    fn row(&mut self) -> Result<Option<Vec<&'static str>>, Error> {
        loop {
            if self.rest.is_empty() {
                return Ok(None);
            }
            let mut cells = Vec::new();
            while self.cell(&mut cells)? {}
            if cells != [""] {
                return Ok(Some(cells));
            }
        }
    }

    /// Reads a cell; answers whether the row goes on.
    fn cell(&mut self, cells: &mut Vec<&'static str>) -> Result<bool, Error> {
        let padding = [' '].as_slice();
        let start = self.rest.trim_start_matches(padding);
        let quoted = match start.strip_prefix(self.dialect.quote) {
            Some(inner) => {
                self.rest = inner;
                Some(self.quoted()?)
            }
            None => None,
        };
        let delimiter = self.dialect.delimiter;
        let end = self.rest.find([delimiter, '\n']).unwrap_or(self.rest.len());
        let (plain, behind) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        cells.push(quoted.unwrap_or(plain.trim_ascii()));
        match behind.strip_prefix(delimiter) {
            Some(rest) => {
                self.rest = rest;
                Ok(true)
            }
            None => {
                self.rest = behind.strip_prefix('\n').unwrap_or(behind);
                self.line += 1;
                Ok(false)
            }
        }
    }

    /// Behind an opening quote: up to the closing one, two of which are one.
    fn quoted(&mut self) -> Result<&'static str, Error> {
        let quote = self.dialect.quote;
        let opened = self.line;
        let mut out = String::new();
        loop {
            let Some((part, behind)) = self.rest.split_once(quote) else {
                return Err(mistake("CSV", opened, "a quoted cell does not end"));
            };
            self.line += part.matches('\n').count();
            self.rest = behind;
            match behind.strip_prefix(quote) {
                Some(behind) => {
                    out.push_str(part);
                    out.push(quote);
                    self.rest = behind;
                }
                None if out.is_empty() => return Ok(part),
                None => {
                    out.push_str(part);
                    return Ok(out.leak());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn shown(value: Value) -> String {
        let mut out = String::new();
        write(&mut out, value, Dialect::new(',', Options::default()));
        out
    }

    fn read(text: &'static str) -> Value {
        super::read(
            text,
            Dialect::new(',', Options::default()),
            Options::default(),
        )
        .unwrap()
    }

    #[test]
    fn rows_round_trip() {
        let rows = Value::list(vec![
            Value::map(vec![("b", Value::Int(2)), ("a", Value::Text("x"))]),
            Value::map(vec![("a", Value::Text("y,\"z\"\nw")), ("b", Value::Int(3))]),
            Value::map(vec![("b", Value::Bool(true))]),
        ]);
        let text = shown(rows);
        assert_eq!(text, "a,b\nx,2\n\"y,\"\"z\"\"\nw\",3\n,true");
        let back = read(text.leak());
        assert_eq!(
            back.as_list().and_then(|items| items.get(1)).copied(),
            rows.as_list().and_then(|items| items.get(1)).copied()
        );
    }

    #[test]
    fn delimiters_are_found_and_headers_tamed() {
        assert_eq!(
            text::of(read("a.b; c\r\n1;  x \r\n\r\n2.5;true\r\n")),
            r#"[["a-b": 1, "c": "x"], ["a-b": 2.5, "c": true]]"#
        );
        assert_eq!(
            text::of(read("key,value\nk,1\nl,x")),
            r#"["k": 1, "l": "x"]"#
        );
        assert_eq!(text::of(read("only one line")), "only one line");
        assert_eq!(text::of(read("")), "");
    }

    #[test]
    fn settings_choose_the_dialect() {
        let options = Options {
            name: "",
            settings: Value::map(vec![
                ("delimiter", Value::Text("|")),
                ("header", Value::Bool(false)),
                ("quote", Value::Text("'")),
            ]),
        };
        let dialect = Dialect::new(',', options);
        let value = super::read("'a|b'|2\n3|4", dialect, options).unwrap();
        assert_eq!(text::of(value), r#"[["a|b", 2], [3, 4]]"#);
        let mut out = String::new();
        write(&mut out, value, dialect);
        assert_eq!(out, "'a|b'|2\n3|4");
    }

    #[test]
    fn an_open_quote_is_a_mistake() {
        let options = Options::default();
        let error = super::read("a,b\n1,\"x\n2", Dialect::new(',', options), options);
        assert_eq!(error, Err(mistake("CSV", 2, "a quoted cell does not end")));
    }
}
