//! What stands in a block that shows a value or begins a loop. These are no expressions of the language: one operator, paths with colons, filters.

use super::{ForEach, Operand, Value};
use crate::source::Span;

/// Reads `value | filter: "argument" | filter`; the error says what was expected.
pub(super) fn shown(text: &str) -> Result<(Value, Vec<(String, String)>), String> {
    let mut parts = split(text, "|").into_iter();
    let value = value(parts.next().unwrap_or_default().trim())?;
    let filters = parts
        .map(|part| {
            let (name, argument) = part.split_once(':').unwrap_or((part, ""));
            let argument = argument.trim();
            let argument = argument
                .strip_prefix('"')
                .and_then(|inner| inner.strip_suffix('"'))
                .unwrap_or(argument);
            (name.trim().to_owned(), argument.to_owned())
        })
        .collect();
    Ok((value, filters))
}

fn value(text: &str) -> Result<Value, String> {
    let joined = split(text, " ++ ");
    if joined.len() == 1 {
        for operator in ["*", "+", "-", "/"] {
            if let [left, right] = split(text, &format!(" {operator} ")).as_slice() {
                let operator = operator.bytes().next().unwrap_or(b'*');
                return Ok(Value::Binary(operator, operand(left)?, operand(right)?));
            }
        }
    }
    let operands: Result<Vec<Operand>, String> = joined.into_iter().map(operand).collect();
    operands.map(Value::Joined)
}

fn operand(text: &str) -> Result<Operand, String> {
    let text = text.trim();
    if text.starts_with('<') {
        return path(text).map(Operand::Path);
    }
    if let Some(inner) = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
    {
        return Ok(Operand::Text(inner.to_owned()));
    }
    if let Ok(number) = text.parse() {
        return Ok(Operand::Int(number));
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Operand::Float(number)),
        _ => Err(format!(
            "expected a `<variable>`, a text or a number, found `{text}`"
        )),
    }
}

/// `<name: property: property>`, where a dot separates as well.
fn path(text: &str) -> Result<Vec<String>, String> {
    let Some(inner) = text
        .strip_prefix('<')
        .and_then(|text| text.strip_suffix('>'))
    else {
        return Err(format!("expected `>` at the end of `{text}`"));
    };
    let mut parts = inner.split(':');
    let name = parts.next().unwrap_or_default().trim();
    let mut path = vec![name.to_owned()];
    path.extend(
        parts
            .flat_map(|part| part.split('.'))
            .map(|part| part.trim().to_owned()),
    );
    if path.iter().any(String::is_empty) || inner.contains(['<', '>']) {
        return Err(format!("expected a name in `{text}`"));
    }
    Ok(path)
}

/// The parts between `separator`, outside of quotes.
fn split<'a>(text: &'a str, separator: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (at, char) in text.char_indices() {
        quoted ^= char == '"';
        let found = text
            .get(at..)
            .is_some_and(|rest| rest.starts_with(separator));
        if !quoted && found && at >= start {
            parts.push(text.get(start..at).unwrap_or_default());
            start = at + separator.len();
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

/// Reads `for each <item> at <index> in <collection> {`.
pub(super) fn for_each(text: &str, span: Span) -> Result<ForEach, String> {
    let wrong = |what: &str| format!("Invalid for-each syntax - expected {what}");
    let rest = after_word(text, "for").and_then(|rest| after_word(rest, "each"));
    let (item, rest) = rest
        .and_then(variable)
        .ok_or_else(|| wrong("<item> variable"))?;
    let (index, rest) = match after_word(rest, "at") {
        None => (None, rest),
        Some(rest) => {
            let (index, rest) =
                variable(rest).ok_or_else(|| wrong("<index> variable after 'at'"))?;
            (Some(index), rest)
        }
    };
    let rest = after_word(rest, "in").ok_or_else(|| wrong("'in' keyword"))?;
    let collection = rest
        .trim_start()
        .split_inclusive('>')
        .next()
        .filter(|text| text.starts_with('<'))
        .ok_or_else(|| wrong("<collection> expression"))?;
    let behind = rest
        .trim_start()
        .get(collection.len()..)
        .unwrap_or_default();
    if behind.trim() != "{" {
        return Err(wrong("'{' at end"));
    }
    Ok(ForEach {
        item,
        index,
        collection: path(collection)?,
        body: Vec::new(),
        span,
    })
}

fn after_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let text = text.trim_start();
    let found = text.get(..word.len())?.eq_ignore_ascii_case(word);
    let rest = text.get(word.len()..)?;
    (found && rest.starts_with(|next: char| next.is_whitespace() || next == '<')).then_some(rest)
}

fn variable(text: &str) -> Option<(String, &str)> {
    let (name, rest) = text.trim_start().strip_prefix('<')?.split_once('>')?;
    let name = name.trim();
    (!name.is_empty() && !name.contains([':', '<'])).then(|| (name.to_owned(), rest))
}
