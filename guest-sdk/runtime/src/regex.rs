//! Patterns: unanchored search, in time linear in pattern and text, with the flags `i`, `s`, `m`.
//!
//! The syntax is what ICU and its relatives share: literals, `.`, classes, `\d \w \s \b`, anchors, groups, alternatives, repetition, `(?i)`. Look-around, back references and possessive repetition need backtracking and are refused, as is what is malformed; a refused pattern matches nothing.

mod parse;
mod search;

use alloc::string::String;
use alloc::vec::Vec;

use crate::value::Value;
use search::{Search, Until};

/// Most instructions of a compiled pattern: bounds counted repetition.
const INSTRUCTIONS_MAX: usize = 4096;

/// A compiled pattern.
#[derive(Debug)]
pub struct Regex {
    program: Vec<Instruction>,
}

/// One step of the machine that runs all alternatives at once (Thompson 1968).
#[derive(Debug, Clone)]
enum Instruction {
    /// Takes a character of the set.
    Take(Set),
    /// Goes on at both places.
    Split(usize, usize),
    /// Goes on elsewhere.
    Jump(usize),
    /// Goes on if the place in the text is right.
    Assert(Anchor),
    /// The pattern has matched.
    Done,
}

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Anchor {
    TextStart,
    /// The end, or before a last line break.
    TextEnd,
    /// The very end.
    LastEnd,
    LineStart,
    LineEnd,
    WordEdge,
    NoWordEdge,
}

/// Characters that a step takes.
#[derive(Debug, Clone, Default)]
struct Set {
    items: Vec<Item>,
    negated: bool,
    any_case: bool,
}

#[derive(Debug, Clone, Copy)]
enum Item {
    Range(char, char),
    Digit,
    NoDigit,
    Word,
    NoWord,
    Space,
    NoSpace,
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

fn is_line_break(char: char) -> bool {
    matches!(char, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

impl Item {
    fn has(self, char: char) -> bool {
        match self {
            Item::Range(first, last) => (first..=last).contains(&char),
            Item::Digit => char.is_ascii_digit(),
            Item::NoDigit => !char.is_ascii_digit(),
            Item::Word => is_word(char),
            Item::NoWord => !is_word(char),
            Item::Space => char.is_whitespace(),
            Item::NoSpace => !char.is_whitespace(),
        }
    }
}

impl Set {
    fn has(&self, char: char) -> bool {
        let has = |char| self.items.iter().any(|item| item.has(char));
        let found = has(char)
            || self.any_case && (char.to_lowercase().any(has) || char.to_uppercase().any(has));
        found != self.negated
    }
}

impl Regex {
    /// Compiles a pattern; `None` if it is malformed, unsupported or too large. Unknown flags are ignored.
    pub fn new(pattern: &str, flags: &str) -> Option<Regex> {
        let program = parse::compile(pattern, flags)?;
        Some(Regex { program })
    }

    /// Whether `text` contains a match.
    pub fn is_match(&self, text: &str) -> bool {
        Search::new(&self.program)
            .run(text, 0, Until::Found)
            .is_some()
    }

    /// The pieces of `text` between matches: one more than there are matches, empty ones included. After an empty match the search goes on one character later.
    pub fn split<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let mut pieces = Vec::new();
        let mut search = Search::new(&self.program);
        let (mut piece, mut from) = (0, 0);
        while let Some((start, end)) = search.run(text, from, Until::Best) {
            pieces.push(text.get(piece..start).unwrap_or_default());
            piece = end;
            from = end;
            if start == end {
                match text.get(end..).and_then(|rest| rest.chars().next()) {
                    Some(next) => from += next.len_utf8(),
                    None => break,
                }
            }
        }
        pieces.push(text.get(piece..).unwrap_or_default());
        pieces
    }
}

/// The pattern and flags that a regex literal or a text denotes.
pub fn pattern(value: Value) -> Option<(&'static str, &'static str)> {
    match value.as_text() {
        Some(pattern) => Some((pattern, "")),
        None => Some((
            value.entry("pattern")?.as_text()?,
            value.entry("flags")?.as_text()?,
        )),
    }
}

/// A regex literal as one text, its flags inside as `(?i)`; every other value as it is.
pub fn inline(value: Value) -> Value {
    match pattern(value) {
        Some((source, flags)) if value.as_text().is_none() => {
            let mut text = String::new();
            let known: String = flags.chars().filter(|flag| "ism".contains(*flag)).collect();
            if !known.is_empty() {
                text.push_str("(?");
                text.push_str(&known);
                text.push(')');
            }
            text.push_str(source);
            Value::text(text)
        }
        Some(_) | None => value,
    }
}

/// `subject matches pattern`: false for a subject that is no text and for a pattern that does not compile.
pub fn matches(subject: Value, regex: Value) -> bool {
    let (Some(subject), Some((pattern, flags))) = (subject.as_text(), pattern(regex)) else {
        return false;
    };
    Regex::new(pattern, flags).is_some_and(|regex| regex.is_match(subject))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn is_match(text: &str, pattern: &str, flags: &str) -> bool {
        Regex::new(pattern, flags).is_some_and(|regex| regex.is_match(text))
    }

    #[test]
    fn flags_change_the_match() {
        for (text, pattern, flags, answer) in [
            ("Abc", "^a", "", false),
            ("Abc", "^a", "i", true),
            ("É", "é", "i", true),
            ("a\nb", "a.b", "", false),
            ("a\nb", "a.b", "s", true),
            ("a\nb", "^b$", "", false),
            ("a\nb", "^b$", "m", true),
            ("xaby", "ab", "", true),
            ("QUIT", "(?i)quit", "", true),
            ("aB", "a(?i:b)", "", true),
            ("AB", "a(?i:b)", "", false),
            ("B", "[^b]", "i", false),
        ] {
            assert_eq!(
                is_match(text, pattern, flags),
                answer,
                "{pattern} on {text}"
            );
        }
    }

    #[test]
    fn a_last_line_break_is_no_text() {
        assert!(
            is_match("quit\n", "^quit$", "")
                && is_match("quit\r\n", "^quit$", "")
                && !is_match("quit\n", r"^quit\z", "")
                && !is_match("quit\n\n", "^quit$", "")
        );
    }

    #[test]
    fn classes_and_escapes() {
        for (text, pattern, answer) in [
            ("ab-1", r"^[a-c\-]+\d$", true),
            ("é9_", r"^\w+$", true),
            ("a b", r"^\S+$", false),
            ("x", r"\x78", true),
            ("x", r"\x{78}", true),
            ("x", r"\u0078", true),
            ("]", "[]]", true),
            ("-", "[a-]", true),
            ("a.b", r"a\.b", true),
            ("acb", r"a\.b", false),
            ("foo bar", r"\bbar\b", true),
            ("foobar", r"\bbar\b", false),
            ("aaa", "^a{2}$", false),
            ("aaa", "^a{2,}$", true),
            ("aaa", "^a{1,3}?$", true),
            ("", "^$", true),
            ("ab", "a|b|", true),
            ("b", r"[^\d]", true),
            ("2026-03-01", r"^\d{4}-\d{2}-\d{2}$", true),
            ("a@b.org", r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$", true),
            ("x", "(?<name>x)", true),
            ("x", "(?P<name>x)", true),
        ] {
            assert_eq!(is_match(text, pattern, ""), answer, "{pattern} on {text}");
        }
    }

    #[test]
    fn split_prefers_as_a_backtracking_engine_does() {
        for (text, pattern, flags, pieces) in [
            ("a,b,,c,", ",", "", &["a", "b", "", "c", ""][..]),
            ("one  two   three", r"\s+", "", &["one", "two", "three"]),
            ("aXbxc", "x", "i", &["a", "b", "c"]),
            ("<a><b>", "<.*>", "", &["", ""]),
            ("<a><b>", "<.*?>", "", &["", "", ""]),
            ("xaaby", "a|aa|aab", "", &["x", "", "by"]),
            ("xaaby", "aab|aa|a", "", &["x", "y"]),
            ("abc", "", "", &["", "a", "b", "c", ""]),
            ("a b", r"\s*", "", &["", "a", "", "b", ""]),
            ("äbä", "b", "", &["ä", "ä"]),
            ("none", ",", "", &["none"]),
            ("", ",", "", &[""]),
            ("a\nb\nc", "^", "m", &["", "a\n", "b\n", "c"]),
        ] {
            let regex = Regex::new(pattern, flags).unwrap();
            assert_eq!(regex.split(text), pieces, "{pattern} on {text}");
        }
    }

    #[test]
    fn refused_patterns_match_nothing() {
        for pattern in [
            "(",
            ")",
            "a(?=b)",
            r"(a)\1",
            "a++",
            "[",
            "[b-a]",
            "*",
            "a{2",
            "a{3,2}",
            "a{999999}",
            "((a{99}){99}){99}",
            r"\",
            r"\k",
            "(?y)",
            "[a[b]]",
            "a**",
        ] {
            assert!(Regex::new(pattern, "").is_none(), "{pattern}");
        }
        let nested = |depth: usize| "(".repeat(depth) + "a" + &")".repeat(depth);
        assert!(Regex::new(&nested(24), "").is_some() && Regex::new(&nested(10_000), "").is_none());
    }

    #[test]
    fn time_is_linear() {
        assert!(!is_match(&"a".repeat(5000), "(a*)*b", ""));
        assert!(!is_match(&"a".repeat(2000), "(a?){50}a{50}b", ""));
    }

    #[test]
    fn values_are_matched_as_the_language_says() {
        assert!(
            matches(Value::Text("Abc"), Value::regex("^a", "i"))
                && matches(Value::Text("xaby"), Value::Text("ab"))
        );
        assert!(
            !matches(Value::Int(5), Value::Text("5")) && !matches(Value::Text("5"), Value::Int(5))
        );
    }

    #[test]
    fn literals_become_texts() {
        assert_eq!(inline(Value::regex("^a", "ig")), Value::Text("(?i)^a"));
        assert_eq!(inline(Value::regex("^a", "")), Value::Text("^a"));
        assert_eq!(inline(Value::Text("b")), Value::Text("b"));
        assert_eq!(inline(Value::Int(1)), Value::Int(1));
    }

    /// Patterns of the syntax that the oracle reads alike.
    fn pattern_text() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("a"),
            Just("b"),
            Just("c"),
            Just("."),
            Just("[ab]"),
            Just("[^a]"),
            Just("[a-c]"),
            Just(r"\d"),
            Just(r"\w"),
            Just("^"),
            Just("$"),
            Just(r"\b"),
            Just(r"\B")
        ]
        .prop_map(String::from);
        leaf.prop_recursive(4, 20, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
                (inner.clone(), inner.clone())
                    .prop_map(|(left, right)| alloc::format!("(?:{left}|{right})")),
                (
                    inner,
                    prop_oneof![
                        Just("*"),
                        Just("+"),
                        Just("?"),
                        Just("{2}"),
                        Just("{1,2}"),
                        Just("*?"),
                        Just("{0}")
                    ]
                )
                    .prop_map(|(part, repeat)| alloc::format!("({part}){repeat}")),
            ]
        })
    }

    proptest! {
        #[test]
        fn search_agrees_with_the_oracle(pattern in pattern_text(), text in "[abcAB1 -]{0,12}", flags in "[ism]{0,2}") {
            let oracle = regex_lite::RegexBuilder::new(&pattern).case_insensitive(flags.contains('i')).multi_line(flags.contains('m')).dot_matches_new_line(flags.contains('s')).build().unwrap();
            prop_assert_eq!(is_match(&text, &pattern, &flags), oracle.is_match(&text), "{} on {:?}", pattern, text);
        }

        #[test]
        fn best_match_agrees_with_the_oracle(pattern in pattern_text(), text in "[abcAB1 -]{0,12}", from in 0usize..12) {
            let from = from.min(text.len());
            let oracle = regex_lite::Regex::new(&pattern).unwrap();
            let expected = oracle.find_at(&text, from).map(|found| (found.start(), found.end()));
            let regex = Regex::new(&pattern, "").unwrap();
            prop_assert_eq!(Search::new(&regex.program).run(&text, from, Until::Best), expected, "{} on {:?}", pattern, text);
        }

        #[test]
        fn compiler_never_panics(pattern in r"[a-c\\\[\](){}*+?|^$.,0-9:<>=!ixu-]{0,20}", text in ".{0,10}") {
            let _answer = is_match(&text, &pattern, "");
        }
    }
}
