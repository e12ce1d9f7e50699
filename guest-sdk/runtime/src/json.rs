//! JSON (RFC 8259): the one writer of the language (runtime.md A.1.1) and its reader (A.1.4).

mod read;
mod write;

pub use read::read;
pub use write::{text, write};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{NESTING_MAX, Value};
    use alloc::string::String;
    use alloc::vec;
    use proptest::prelude::*;

    #[test]
    fn writer_follows_the_wire_form() {
        let map = Value::map(vec![
            ("url", Value::Text("ws://x/\"\\\u{8}\u{c}\n\r\t\u{1}é")),
            (
                "a",
                Value::list(vec![
                    Value::Int(1),
                    Value::Float(10.0),
                    Value::Float(249.99),
                ]),
            ),
            ("n", Value::Null),
            ("t", Value::Bool(true)),
            (
                "d",
                Value::Date {
                    millis: 1,
                    offset_minutes: 0,
                },
            ),
            ("b", Value::Bytes(&[0xFF, 0, 1, 2])),
            ("s", Value::Socket(&[0; 16])),
        ]);
        assert_eq!(
            text(map),
            r#"{"a":[1,10,249.99],"b":"/wABAg==","d":"1970-01-01T00:00:00Z","n":null,"s":"00000000-0000-0000-0000-000000000000","t":true,"url":"ws:\/\/x\/\"\\\b\f\n\r\t\u0001é"}"#.replace("/wAB", "\\/wAB")
        );
    }

    #[test]
    fn reader_keeps_kinds() {
        let value = read(r#" { "i" : -7, "f":1.5, "e":1e2, "big":9223372036854775808, "s":"\u00e9\ud83d\ude00\/\n", "l":[true,false,null,{}], "i":8 } "#).unwrap();
        assert_eq!(value.entry("i"), Some(Value::Int(8)));
        assert_eq!(value.entry("f"), Some(Value::Float(1.5)));
        assert_eq!(value.entry("e"), Some(Value::Float(100.0)));
        assert_eq!(
            value.entry("big"),
            Some(Value::Float(9_223_372_036_854_775_808.0))
        );
        assert_eq!(value.entry("s"), Some(Value::Text("é😀/\n")));
        assert_eq!(
            value.entry("l"),
            Some(Value::list(vec![
                Value::Bool(true),
                Value::Bool(false),
                Value::Null,
                Value::map(vec![])
            ]))
        );
    }

    #[test]
    fn reader_refuses_what_is_no_json() {
        for wrong in [
            "",
            " ",
            "{",
            "[",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "-",
            "nul",
            "\"",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"\n\"",
            "1 2",
            "[1 2]",
            "{\"a\" 1}",
            "'a'",
            "NaN",
            "\"\\u00g0\"",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nest = |depth: usize| String::leak("[".repeat(depth) + &"]".repeat(depth));
        assert!(read(nest(NESTING_MAX)).is_ok());
        assert!(read(nest(NESTING_MAX + 1)).is_err());
        assert!(read("[".repeat(100_000).leak()).is_err());
        let deep = (0..NESTING_MAX + 1).fold(Value::Null, |inner, _| Value::list(vec![inner]));
        assert!(text(deep).contains("null"));
    }

    proptest! {
        #[test]
        fn values_round_trip(value in crate::strategy::json()) {
            prop_assert_eq!(read(text(value)), Ok(value));
        }

        #[test]
        fn reader_never_panics(text in ".{0,80}") {
            let _read = read(text.leak());
        }

        #[test]
        fn reader_never_panics_on_json_like_text(text in r#"[\[\]{}":,0-9eE+\-.ntrufals\\ ]{0,40}"#) {
            let _read = read(text.leak());
        }
    }
}
