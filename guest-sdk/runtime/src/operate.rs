//! Operators, truth, types (language.md 7.5, 10.2 to 10.4, 10.6, EXT-19).

use alloc::string::String;

use crate::check;
use crate::error::Error;
use crate::number;
use crate::text;
use crate::value::{TEXT_BYTES_MAX, Value};

/// An Int or Float as a float; other kinds are none.
pub(crate) fn as_float(value: Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(number as f64),
        Value::Float(number) => Some(number),
        Value::Null
        | Value::Bool(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::Date { .. }
        | Value::Socket(_) => None,
    }
}

/// The number that `value` is or, as a text, denotes (then a Float).
///
/// # Errors
/// [`Error::NotANumber`].
pub fn to_number(value: Value) -> Result<Value, Error> {
    match value {
        Value::Int(_) | Value::Float(_) => Ok(value),
        Value::Text(text) => number::parse(text)
            .map(Value::Float)
            .ok_or(Error::NotANumber("String")),
        Value::Null
        | Value::Bool(_)
        | Value::Bytes(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::Date { .. }
        | Value::Socket(_) => Err(Error::NotANumber(value.type_name())),
    }
}

/// The operands as doubles.
fn floats(left: Value, right: Value) -> Result<(f64, f64), Error> {
    let (left, right) = (to_number(left)?, to_number(right)?);
    Ok((
        as_float(left).unwrap_or_default(),
        as_float(right).unwrap_or_default(),
    ))
}

/// `left + right`: the sum; where a text is in it and not both are numbers, the texts joined (design: `+` concatenates).
///
/// # Errors
/// [`Error::NotANumber`], [`Error::Overflow`].
pub fn add(left: Value, right: Value) -> Result<Value, Error> {
    if let (Value::Int(left), Value::Int(right)) = (left, right) {
        return left
            .checked_add(right)
            .map(Value::Int)
            .ok_or(Error::Overflow);
    }
    match floats(left, right) {
        Ok((left, right)) => Ok(Value::Float(left + right)),
        Err(_) if left.as_text().is_some() || right.as_text().is_some() => Ok(concat(left, right)),
        Err(error) => Err(error),
    }
}

/// `left - right`.
///
/// # Errors
/// [`Error::NotANumber`], [`Error::Overflow`].
pub fn sub(left: Value, right: Value) -> Result<Value, Error> {
    if let (Value::Int(left), Value::Int(right)) = (left, right) {
        return left
            .checked_sub(right)
            .map(Value::Int)
            .ok_or(Error::Overflow);
    }
    let (left, right) = floats(left, right)?;
    Ok(Value::Float(left - right))
}

/// `left * right`: the product, or a text repeated.
///
/// # Errors
/// [`Error::NotANumber`], [`Error::Overflow`], [`Error::TextTooLong`].
pub fn mul(left: Value, right: Value) -> Result<Value, Error> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => left
            .checked_mul(right)
            .map(Value::Int)
            .ok_or(Error::Overflow),
        (Value::Text(text), Value::Int(_) | Value::Float(_)) => repeat(text, right),
        (Value::Int(_) | Value::Float(_), Value::Text(text)) => repeat(text, left),
        _ => {
            let (left, right) = floats(left, right)?;
            Ok(Value::Float(left * right))
        }
    }
}

fn repeat(text: &'static str, times: Value) -> Result<Value, Error> {
    let times = match times {
        Value::Int(times) => times,
        Value::Float(times) => times as i64,
        Value::Null
        | Value::Bool(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::Date { .. }
        | Value::Socket(_) => 0,
    };
    let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
    match text.len().checked_mul(times) {
        Some(bytes) if bytes <= TEXT_BYTES_MAX => Ok(Value::text(text.repeat(times))),
        Some(_) | None => Err(Error::TextTooLong),
    }
}

/// `left / right`: truncating between Ints.
///
/// # Errors
/// [`Error::NotANumber`], [`Error::DivisionByZero`], [`Error::Overflow`].
pub fn div(left: Value, right: Value) -> Result<Value, Error> {
    match (left, right) {
        (Value::Int(_), Value::Int(0)) => Err(Error::DivisionByZero),
        (Value::Int(left), Value::Int(right)) => left
            .checked_div(right)
            .map(Value::Int)
            .ok_or(Error::Overflow),
        _ => {
            let (left, right) = floats(left, right)?;
            Ok(Value::Float(left / right))
        }
    }
}

/// `left % right`: the sign is that of the dividend.
///
/// # Errors
/// [`Error::ModuloKinds`], [`Error::DivisionByZero`].
pub fn rem(left: Value, right: Value) -> Result<Value, Error> {
    match (left, right) {
        (Value::Int(_), Value::Int(0)) => Err(Error::DivisionByZero),
        (Value::Int(left), Value::Int(right)) => Ok(Value::Int(left.wrapping_rem(right))),
        _ => Err(Error::ModuloKinds),
    }
}

/// `left ++ right`.
pub fn concat(left: Value, right: Value) -> Value {
    if let (Value::Text(left), Value::Text(right)) = (left, right) {
        let mut out = String::with_capacity(left.len() + right.len());
        out.push_str(left);
        out.push_str(right);
        return Value::text(out);
    }
    let mut out = String::new();
    text::write(&mut out, left);
    text::write(&mut out, right);
    Value::text(out)
}

/// The text forms of `parts`, joined.
pub fn interpolate(parts: &[Value]) -> Value {
    let mut out = String::with_capacity(
        parts
            .iter()
            .map(|part| part.as_text().map_or(8, str::len))
            .sum(),
    );
    for part in parts {
        text::write(&mut out, *part);
    }
    Value::text(out)
}

/// `- value`.
///
/// # Errors
/// [`Error::CannotNegate`], [`Error::Overflow`].
pub fn negate(value: Value) -> Result<Value, Error> {
    match value {
        Value::Int(number) => number.checked_neg().map(Value::Int).ok_or(Error::Overflow),
        Value::Float(number) => Ok(Value::Float(-number)),
        Value::Null
        | Value::Bool(_)
        | Value::Text(_)
        | Value::Bytes(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::Date { .. }
        | Value::Socket(_) => Err(Error::CannotNegate(value.type_name())),
    }
}

/// Truth in guards, `while`, `and`, `or`, `not`.
pub fn truthy(value: Value) -> bool {
    match value {
        Value::Bool(truth) => truth,
        Value::Int(number) => number != 0,
        Value::Text(text) => !text.is_empty(),
        Value::List(items) => !items.is_empty(),
        Value::Map(_) => check::outcome(value).unwrap_or(true),
        Value::Null | Value::Float(_) | Value::Bytes(_) | Value::Date { .. } | Value::Socket(_) => {
            true
        }
    }
}

/// `value is empty`.
pub fn is_empty(value: Value) -> bool {
    matches!(
        value,
        Value::Null | Value::Text("") | Value::Bytes([]) | Value::List([]) | Value::Map([])
    )
}

/// `value is T` for the type named `name`; `None` if that is no type's name.
pub fn type_test(value: Value, name: &str) -> Option<bool> {
    let is = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
    Some(if is(&["string"]) {
        matches!(value, Value::Text(_))
    } else if is(&["number", "integer", "int"]) {
        matches!(value, Value::Int(_) | Value::Float(_))
    } else if is(&["float", "double"]) {
        matches!(value, Value::Float(_))
    } else if is(&["boolean", "bool"]) {
        matches!(value, Value::Bool(_))
    } else if is(&["list", "array"]) {
        matches!(value, Value::List(_))
    } else if is(&["map", "dictionary", "object"]) {
        matches!(value, Value::Map(_))
    } else {
        return None;
    })
}

/// `value is WORD`: a type test, an outcome word for a Bool or a record of Validate, or the same text in any letter case.
pub fn is_word(value: Value, word: &str) -> bool {
    if let Some(answer) = type_test(value, word) {
        return answer;
    }
    let is = |names: &[&str]| names.iter().any(|known| word.eq_ignore_ascii_case(known));
    let outcome = if let Value::Bool(truth) = value {
        Some(truth)
    } else {
        check::outcome(value)
    };
    match outcome {
        Some(truth) if is(&["valid", "success", "successful", "ok", "passed"]) => truth,
        Some(truth) if is(&["invalid", "failed", "failure", "error"]) => !truth,
        Some(_) | None => equals_ignoring_case(text::of(value), word),
    }
}

fn equals_ignoring_case(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right)
        || left
            .chars()
            .flat_map(char::to_lowercase)
            .eq(right.chars().flat_map(char::to_lowercase))
}
