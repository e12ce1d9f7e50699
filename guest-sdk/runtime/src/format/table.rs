//! Formats for readers and other tools, which are only written: Markdown and HTML tables, SQL, logs.

use alloc::string::String;

use super::{escape, scalar};
use crate::json;
use crate::text;
use crate::value::{Entry, Value};

/// Appends a list of maps as table, other lists as bullets, a map as table of two columns.
pub fn write_markdown(out: &mut String, value: Value) {
    if let Some(rows) = scalar::rows(value) {
        let columns = rows.clone().next().unwrap_or(&[]);
        markdown_row(out, columns.iter().map(|(key, _)| *key));
        out.push_str("\n|");
        columns.iter().for_each(|_| out.push_str("---|"));
        for row in rows {
            out.push('\n');
            markdown_row(out, cells(columns, row));
        }
    } else if let Value::List(items) = value {
        for (index, item) in items.iter().enumerate() {
            out.push_str(if index == 0 { "- " } else { "\n- " });
            text::write(out, *item);
        }
    } else if let Value::Map(entries) = value {
        out.push_str("| Key | Value |\n|-----|-------|");
        for (key, item) in entries {
            out.push('\n');
            markdown_row(out, [*key, text::of(*item)].into_iter());
        }
    } else {
        text::write(out, value);
    }
}

fn markdown_row(out: &mut String, cells: impl Iterator<Item = &'static str>) {
    out.push('|');
    for cell in cells {
        out.push(' ');
        for char in cell.chars() {
            match char {
                '|' => out.push_str("\\|"),
                '\n' => out.push(' '),
                _ => out.push(char),
            }
        }
        out.push_str(" |");
    }
}

fn cells(columns: &'static [Entry], row: &'static [Entry]) -> impl Iterator<Item = &'static str> {
    let row = Value::Map(row);
    columns
        .iter()
        .map(move |(key, _)| row.entry(key).map_or("", text::of))
}

/// Appends a list of maps or a map as `<table>`, other lists as `<ul>`, two blanks a level.
pub fn write_html(out: &mut String, value: Value) {
    if let Some(rows) = scalar::rows(value) {
        let columns = rows.clone().next().unwrap_or(&[]);
        out.push_str("<table>\n  <thead>\n");
        html_row(out, "th", columns.iter().map(|(key, _)| *key));
        out.push_str("  </thead>\n  <tbody>\n");
        rows.for_each(|row| html_row(out, "td", cells(columns, row)));
        out.push_str("  </tbody>\n</table>");
    } else if let Value::List(items) = value {
        out.push_str("<ul>\n");
        for item in items {
            out.push_str("  ");
            html_cell(out, "li", text::of(*item));
        }
        out.push_str("</ul>");
    } else if let Value::Map(entries) = value {
        out.push_str("<table>\n  <thead>\n");
        html_row(out, "th", ["Key", "Value"].into_iter());
        out.push_str("  </thead>\n  <tbody>\n");
        for (key, item) in entries {
            html_row(out, "td", [*key, text::of(*item)].into_iter());
        }
        out.push_str("  </tbody>\n</table>");
    } else {
        escape(out, text::of(value), false);
    }
}

fn html_row(out: &mut String, tag: &str, cells: impl Iterator<Item = &'static str>) {
    out.push_str("    <tr>\n");
    for cell in cells {
        out.push_str("      ");
        html_cell(out, tag, cell);
    }
    out.push_str("    </tr>\n");
}

fn html_cell(out: &mut String, tag: &str, cell: &str) {
    for part in ["<", tag, ">"] {
        out.push_str(part);
    }
    escape(out, cell, false);
    for part in ["</", tag, ">\n"] {
        out.push_str(part);
    }
}

/// Appends one `INSERT` for each map, into the table `name`.
pub fn write_sql(out: &mut String, value: Value, name: &str) {
    let items = value.as_list().unwrap_or(core::slice::from_ref(&value));
    for (index, item) in items.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { "\n" });
        let Value::Map(entries) = item else {
            out.push_str("-- Cannot serialize non-object value to SQL");
            continue;
        };
        out.push_str("INSERT INTO ");
        out.push_str(name);
        out.push_str(" (");
        for (index, (key, _)) in entries.iter().enumerate() {
            out.push_str(if index == 0 { "" } else { ", " });
            out.push_str(key);
        }
        out.push_str(") VALUES (");
        for (index, (_, item)) in entries.iter().enumerate() {
            out.push_str(if index == 0 { "" } else { ", " });
            sql_literal(out, *item);
        }
        out.push_str(");");
    }
}

fn sql_literal(out: &mut String, value: Value) {
    match value {
        Value::Null => out.push_str("NULL"),
        Value::Bool(truth) => out.push_str(if truth { "TRUE" } else { "FALSE" }),
        Value::Int(_) | Value::Float(_) => text::write(out, value),
        Value::Text(_)
        | Value::Bytes(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::Date { .. }
        | Value::Socket(_) => {
            out.push('\'');
            for char in text::of(value).chars() {
                if char == '\'' {
                    out.push(char);
                }
                out.push(char);
            }
            out.push('\'');
        }
    }
}

/// Appends one line for each element, behind the time where it is known; containers as JSON.
pub fn write_log(out: &mut String, value: Value, now: Option<Value>) {
    let items = value.as_list().unwrap_or(core::slice::from_ref(&value));
    for (index, item) in items.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { "\n" });
        if let Some(now) = now {
            text::write(out, now);
            out.push_str(": ");
        }
        if item.as_list().is_some() || item.as_map().is_some() {
            json::write(out, *item);
        } else {
            text::write(out, *item);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn rows() -> Value {
        Value::list(vec![
            Value::map(vec![("a", Value::Text("x|<y>\nz")), ("b", Value::Int(1))]),
            Value::map(vec![("b", Value::Bool(true)), ("c", Value::Null)]),
        ])
    }

    fn list() -> Value {
        Value::list(vec![Value::Text("it's"), Value::Float(2.0)])
    }

    fn written(write: impl Fn(&mut String)) -> String {
        let mut out = String::new();
        write(&mut out);
        out
    }

    #[test]
    fn markdown_tables_and_bullets() {
        assert_eq!(
            written(|out| write_markdown(out, rows())),
            "| a | b |\n|---|---|\n| x\\|<y> z | 1 |\n|  | true |"
        );
        assert_eq!(written(|out| write_markdown(out, list())), "- it's\n- 2.0");
        let map = Value::map(vec![("k", Value::Int(1))]);
        assert_eq!(
            written(|out| write_markdown(out, map)),
            "| Key | Value |\n|-----|-------|\n| k | 1 |"
        );
    }

    #[test]
    fn html_tables_and_lists() {
        let map = Value::map(vec![("k", Value::Text("<1>"))]);
        assert_eq!(
            written(|out| write_html(out, map)),
            "<table>\n  <thead>\n    <tr>\n      <th>Key</th>\n      <th>Value</th>\n    </tr>\n  </thead>\n  <tbody>\n    <tr>\n      <td>k</td>\n      <td>&lt;1&gt;</td>\n    </tr>\n  </tbody>\n</table>"
        );
        assert_eq!(
            written(|out| write_html(out, list())),
            "<ul>\n  <li>it's</li>\n  <li>2.0</li>\n</ul>"
        );
        assert!(written(|out| write_html(out, rows())).contains("<th>a</th>\n      <th>b</th>"));
    }

    #[test]
    fn sql_quotes_and_logs_stamp() {
        let map = Value::map(vec![
            ("n", Value::Text("it's")),
            ("a", Value::Int(1)),
            ("ok", Value::Bool(false)),
        ]);
        assert_eq!(
            written(|out| write_sql(out, map, "people")),
            "INSERT INTO people (a, n, ok) VALUES (1, 'it''s', FALSE);"
        );
        assert!(written(|out| write_sql(out, list(), "t")).starts_with("-- Cannot serialize"));
        let now = Value::Date {
            millis: 0,
            offset_minutes: 0,
        };
        let items = Value::list(vec![Value::Text("up"), map]);
        assert_eq!(
            written(|out| write_log(out, items, Some(now))),
            "1970-01-01T00:00:00Z: up\n1970-01-01T00:00:00Z: {\"a\":1,\"n\":\"it's\",\"ok\":false}"
        );
    }
}
