//! The evaluation table of language.md 12, row by row.

use alloc::string::{String, ToString};
use alloc::vec;
use core::cmp::Ordering;

use crate::compare::{contains, equal, order};
use crate::operate::{add, concat, div, is_word, mul, negate, rem, sub, truthy, type_test};
use crate::value::Value::{self, Bool, Float, Int, Null, Text};
use crate::{Error, access, regex};

fn message(result: Result<Value, Error>) -> String {
    result.expect_err("the row is an error").to_string()
}

fn less(left: Value, right: Value) -> bool {
    order(left, right).unwrap() == Some(Ordering::Less)
}

#[test]
fn arithmetic() {
    for (result, value) in [
        (add(Int(2), Int(3)), Int(5)),
        (add(Int(2), Float(0.5)), Float(2.5)),
        (add(Float(1.5), Float(1.5)), Float(3.0)),
        (div(Int(7), Int(2)), Int(3)),
        (div(Int(-7), Int(2)), Int(-3)),
        (div(Int(7), Float(2.0)), Float(3.5)),
        (div(Text("10"), Int(4)), Float(2.5)),
        (div(Int(1), Float(0.0)), Float(f64::INFINITY)),
        (rem(Int(7), Int(3)), Int(1)),
        (rem(Int(-7), Int(3)), Int(-1)),
        (add(Text("5"), Text("6")), Float(11.0)),
        (add(Text("3"), Int(4)), Float(7.0)),
        (mul(Text("3"), Int(2)), Text("33")),
        (mul(Int(2), Text("ab")), Text("abab")),
        (mul(Text("ab"), Int(-1)), Text("")),
        (mul(Text("ab"), Float(2.9)), Text("abab")),
        (mul(Text("3"), Text("2")), Float(6.0)),
        (sub(Int(3), Int(-2)), Int(5)),
        (add(Text("a"), Text("b")), Text("ab")),
        (add(Text("n="), Null), Text("n=")),
        (add(Bool(true), Text("x")), Text("truex")),
    ] {
        assert_eq!(result, Ok(value));
    }
}

#[test]
fn arithmetic_errors() {
    for (result, text) in [
        (div(Int(1), Int(0)), "Division by zero"),
        (rem(Int(1), Int(0)), "Division by zero"),
        (
            add(Bool(true), Int(1)),
            "Type mismatch: Cannot convert Bool to number",
        ),
        (
            add(Null, Int(1)),
            "Type mismatch: Cannot convert NullValue to number",
        ),
        (
            rem(Float(7.0), Int(2)),
            "Type mismatch: Expected integers for modulo operation",
        ),
        (negate(Text("5")), "Type mismatch: Cannot negate String"),
        (
            sub(Text("a"), Int(1)),
            "Type mismatch: Cannot convert String to number",
        ),
        (add(Int(i64::MAX), Int(1)), "Arithmetic overflow"),
        (div(Int(i64::MIN), Int(-1)), "Arithmetic overflow"),
        (negate(Int(i64::MIN)), "Arithmetic overflow"),
        (
            mul(Text("ab"), Int(i64::MAX)),
            "Text longer than 16777216 bytes",
        ),
    ] {
        assert_eq!(message(result), text);
    }
    assert_eq!(rem(Int(i64::MIN), Int(-1)), Ok(Int(0)));
    assert!(
        Error::DivisionByZero.is_runtime()
            && Error::Overflow.is_runtime()
            && !Error::ModuloKinds.is_runtime()
    );
}

#[test]
fn concatenation() {
    let list = Value::list(vec![Int(1), Text("b")]);
    for (value, text) in [
        (concat(Text("n="), Int(2)), "n=2"),
        (concat(Int(1), Int(2)), "12"),
        (concat(Text("x"), Float(2.0)), "x2.0"),
        (concat(Text("l"), list), r#"l[1, "b"]"#),
        (concat(Text("v"), Null), "v"),
    ] {
        assert_eq!(value, Text(text));
    }
}

#[test]
fn equality() {
    let list = Value::list(vec![Int(1), Int(2)]);
    for (left, right, answer) in [
        (Int(1), Float(1.0), true),
        (Int(1), Text("1"), true),
        (Float(1.0), Text("1"), false),
        (Text("A"), Text("a"), false),
        (Bool(true), Text("true"), true),
        (Bool(true), Int(1), false),
        (Null, Text(""), false),
        (Null, Null, true),
        (Text("2025-01-01"), Text("2025-01-01T00:00:00Z"), true),
        (list, list, true),
    ] {
        assert_eq!(equal(left, right), answer, "{left:?} == {right:?}");
    }
}

#[test]
fn ordering() {
    assert!(!less(Text("10"), Text("9")));
    assert!(less(Text("2024-12-31"), Text("2025-01-01")));
    assert!(less(Int(5), Text("7")));
    assert_eq!(
        order(Text("b"), Text("a")).unwrap_err().to_string(),
        "Type mismatch: Cannot convert String to number"
    );
}

#[test]
fn membership_and_patterns() {
    let list = Value::list(vec![Text("p"), Text("q"), Text("r")]);
    let map = Value::map(vec![("k", Int(1))]);
    for (left, right, answer) in [
        (list, Text("q"), true),
        (Text("hello"), Text("ell"), true),
        (Text("hello"), Text(""), true),
        (map, Text("k"), true),
        (Int(12), Int(1), false),
        (Text("a1"), Int(1), false),
    ] {
        assert_eq!(contains(left, right), answer, "{left:?} contains {right:?}");
    }
    assert!(regex::matches(Text("xaby"), Text("ab")) && !regex::matches(Int(5), Text("5")));
}

#[test]
fn truth() {
    for (value, truth) in [
        (Int(0), false),
        (Float(0.0), true),
        (Text(""), false),
        (Null, true),
        (Value::list(vec![]), false),
        (Value::map(vec![]), true),
        (Text("x"), true),
        (Text("false"), true),
    ] {
        assert_eq!(truthy(value), truth, "{value:?}");
    }
}

#[test]
fn access_to_elements() {
    let list = Value::list(vec![Text("p"), Text("q"), Text("r")]);
    let map = Value::map(vec![("k", Int(1))]);
    for (result, value) in [
        (access::index(list, Int(0)), Text("r")),
        (access::member(map, "k"), Int(1)),
        (access::index(map, Text("k")), Int(1)),
        (access::get(map, "k"), Int(1)),
    ] {
        assert_eq!(result, Ok(value));
    }
    for (result, text) in [
        (
            access::index(list, Int(3)),
            "Index 3 out of bounds (count: 3)",
        ),
        (
            access::index(list, Int(-1)),
            "Index -1 out of bounds (count: 3)",
        ),
        (access::member(map, "z"), "Undefined member: z"),
        (access::index(map, Text("z")), "Undefined member: z"),
        (
            access::member(list, "k"),
            "Type mismatch: Cannot access member 'k' on List",
        ),
        (
            access::get(list, "first"),
            "Type mismatch: Cannot access property 'first' on List",
        ),
        (
            access::index(Int(1), Int(0)),
            "Type mismatch: Cannot subscript Int with Int",
        ),
        (
            access::step(list, "x"),
            "Property 'x' not found on type 'List'",
        ),
    ] {
        assert_eq!(message(result), text);
    }
}

#[test]
fn types_and_words() {
    for (value, name, answer) in [
        (Int(5), "Integer", true),
        (Int(5), "Float", false),
        (Float(5.0), "Integer", true),
        (Text("5"), "Number", false),
        (Value::regex("a", ""), "object", true),
    ] {
        assert_eq!(type_test(value, name), Some(answer), "{value:?} is {name}");
    }
    assert_eq!(type_test(Int(1), "Money"), None);
    for (value, word, answer) in [
        (Bool(true), "valid", true),
        (Bool(false), "Failed", true),
        (Bool(true), "error", false),
        (Text("ACTIVE"), "active", true),
        (Text("É"), "é", true),
        (Int(5), "int", true),
        (Text("x"), "y", false),
    ] {
        assert_eq!(is_word(value, word), answer, "{value:?} is {word}");
    }
}
