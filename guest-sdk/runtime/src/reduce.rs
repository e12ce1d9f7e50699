//! Reduce (actions.md 10.3).

use crate::error::Error;
use crate::field;
use crate::value::Value;

/// Reduces `value` with the named function. `name` is the field that the function names, `path` the last step of the path of the source: a step into a map, of a list the field if none is named. Both may be empty.
///
/// # Errors
/// [`Error::PropertyNotFound`] for a path that a map has not.
pub fn reduce(
    value: Value,
    function: &str,
    name: &str,
    path: &'static str,
) -> Result<Value, Error> {
    let is_position = path.bytes().all(|byte| byte.is_ascii_digit());
    let into = !path.is_empty() && (value.as_list().is_none() || is_position);
    let (value, path) = if into {
        (field::project(value, path)?, "")
    } else {
        (value, path)
    };
    let name = if name.is_empty() { path } else { name };
    Ok(match value.as_list() {
        Some(items) => aggregate(items, function, name),
        None if is_count(function) => Value::Int(1),
        None => value,
    })
}

/// Counting is what every function does that is not another one.
fn is_count(function: &str) -> bool {
    !matches!(
        function,
        "sum" | "avg" | "average" | "min" | "max" | "first" | "last"
    )
}

fn aggregate(items: &'static [Value], function: &str, name: &str) -> Value {
    let numbers = || {
        items.iter().filter_map(|item| {
            let number = match name {
                "" => Some(*item),
                _ => field::of(*item, name),
            };
            number?.to_float()
        })
    };
    let end = |item: Option<&Value>| item.copied().unwrap_or(Value::List(&[]));
    match function {
        "sum" => Value::Float(numbers().fold(0.0, |sum, number| sum + number)),
        "avg" | "average" => {
            let (sum, count) = numbers().fold((0.0, 0.0), |(sum, count), number| {
                (sum + number, count + 1.0)
            });
            Value::Float(if count == 0.0 { 0.0 } else { sum / count })
        }
        "min" => Value::Float(numbers().reduce(f64::min).unwrap_or(0.0)),
        "max" => Value::Float(numbers().reduce(f64::max).unwrap_or(0.0)),
        "first" => end(items.first()),
        "last" => end(items.last()),
        _ => Value::Int(i64::try_from(items.len()).unwrap_or(i64::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    fn rows(amounts: &[Value]) -> Value {
        let rows: Vec<Value> = amounts
            .iter()
            .map(|amount| Value::map(vec![("amount", *amount)]))
            .collect();
        Value::list(rows)
    }

    #[test]
    fn functions_answer_as_the_table_says() {
        let list = Value::list(vec![
            Value::Int(4),
            Value::Text("2.5"),
            Value::Text("no number"),
            Value::Null,
        ]);
        let empty = Value::list(vec![]);
        for (function, answer, of_empty) in [
            ("count", Value::Int(4), Value::Int(0)),
            ("sum", Value::Float(6.5), Value::Float(0.0)),
            ("avg", Value::Float(3.25), Value::Float(0.0)),
            ("average", Value::Float(3.25), Value::Float(0.0)),
            ("min", Value::Float(2.5), Value::Float(0.0)),
            ("max", Value::Float(4.0), Value::Float(0.0)),
            ("first", Value::Int(4), empty),
            ("last", Value::Null, empty),
            ("median", Value::Int(4), Value::Int(0)),
        ] {
            assert_eq!(reduce(list, function, "", ""), Ok(answer), "{function}");
            assert_eq!(reduce(empty, function, "", ""), Ok(of_empty), "{function}");
        }
    }

    #[test]
    fn a_field_comes_from_the_function_or_the_path() {
        let orders = rows(&[Value::Int(3), Value::Float(0.5), Value::Bool(true)]);
        let sum = Ok(Value::Float(3.5));
        assert_eq!(reduce(orders, "sum", "amount", ""), sum);
        assert_eq!(reduce(orders, "sum", "", "amount"), sum);
        assert_eq!(reduce(orders, "count", "", "amount"), Ok(Value::Int(3)));
        let customer = Value::map(vec![("orders", orders)]);
        assert_eq!(reduce(customer, "sum", "amount", "orders"), sum);
        assert_eq!(reduce(customer, "count", "", "orders"), Ok(Value::Int(3)));
        assert!(reduce(customer, "sum", "", "bills").is_err());
    }

    #[test]
    fn what_is_no_list_stays() {
        assert_eq!(
            reduce(Value::Text("x"), "sum", "", ""),
            Ok(Value::Text("x"))
        );
        assert_eq!(reduce(Value::Text("x"), "count", "", ""), Ok(Value::Int(1)));
    }
}
