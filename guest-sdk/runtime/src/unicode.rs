//! Letters of every script: capital and small ones, and what people take for one character (grapheme clusters, UAX #29).

mod tables;

use alloc::string::String;

use tables::{BREAKS, MARKS};

/// `text` in capital letters.
pub fn uppercase(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).collect()
}

/// `text` in small letters. A sigma at the end of a word is as any other.
pub fn lowercase(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// What a letter means for the boundaries around it (UAX #29, table 2). The numbers are those of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Break {
    Other,
    Control,
    Extend,
    /// An Extend that joins Indic consonants.
    Linker,
    SpacingMark,
    Prepend,
    Pictograph,
    Consonant,
    Regional,
    Joiner,
    Leading,
    Vowel,
    Trailing,
    LeadingVowel,
    LeadingVowelTrailing,
}

const BREAK_KINDS: [Break; 13] = [
    Break::Other,
    Break::Control,
    Break::Extend,
    Break::Linker,
    Break::SpacingMark,
    Break::Prepend,
    Break::Pictograph,
    Break::Consonant,
    Break::Regional,
    Break::Joiner,
    Break::Leading,
    Break::Vowel,
    Break::Trailing,
];

const HANGUL_FIRST: u32 = 0xAC00;
const HANGUL_LAST: u32 = 0xD7A3;
/// Hangul syllables of one leading consonant and vowel.
const HANGUL_TRAILING: u32 = 28;

fn kind(char: char) -> Break {
    let code = u32::from(char);
    match code {
        0..0x20 | 0x7F => Break::Control,
        // The letters of most texts: Latin, Greek, Cyrillic, Kana and Han.
        0x20..0x7F
        | 0xAF..0x300
        | 0x370..0x483
        | 0x48A..0x591
        | 0x309B..0x3297
        | 0x3400..0xA000 => Break::Other,
        HANGUL_FIRST..=HANGUL_LAST => {
            if (code - HANGUL_FIRST).is_multiple_of(HANGUL_TRAILING) {
                Break::LeadingVowel
            } else {
                Break::LeadingVowelTrailing
            }
        }
        // Tags and variation selectors.
        0xE_0020..0xE_0080 | 0xE_0100..0xE_01F0 => Break::Extend,
        0xE_0000..0xE_1000 => Break::Control,
        _ => in_table(code),
    }
}

/// The property of a letter in [`BREAKS`].
fn in_table(code: u32) -> Break {
    let after = MARKS.partition_point(|(first, _)| *first <= code);
    let Some((first, place)) = after.checked_sub(1).and_then(|index| MARKS.get(index)) else {
        return Break::Other;
    };
    let mut bytes = BREAKS
        .iter()
        .skip((*place).into())
        .map(|byte| u32::from(*byte));
    let mut end = *first;
    while let Some(start) = number(&mut bytes).map(|gap| end + gap) {
        if code < start {
            break;
        }
        let Some(range) = bytes.next() else { break };
        let more = match range >> 4 {
            0xF => number(&mut bytes).unwrap_or_default(),
            _ => 0,
        };
        end = start + (range >> 4) + 1 + more;
        if code < end {
            let kind = BREAK_KINDS.get(range as usize & 0xF);
            return kind.copied().unwrap_or(Break::Other);
        }
    }
    Break::Other
}

/// A number of one byte or two.
fn number(bytes: &mut impl Iterator<Item = u32>) -> Option<u32> {
    let byte = bytes.next()?;
    match byte & 0x80 {
        0 => Some(byte),
        _ => Some((byte & 0x7F) << 8 | bytes.next()?),
    }
}

/// The characters of a text as people count them.
#[derive(Debug, Clone)]
pub struct Clusters<'a> {
    rest: &'a str,
}

/// The characters of `text` as people count them.
pub fn clusters(text: &str) -> Clusters<'_> {
    Clusters { rest: text }
}

/// How many characters people count in `text`.
pub fn count(text: &str) -> usize {
    if text.is_ascii() {
        // Looking for one byte is many times as fast as looking at all pairs.
        if !text.as_bytes().contains(&b'\r') {
            return text.len();
        }
        return text.len()
            - text
                .as_bytes()
                .windows(2)
                .filter(|two| two == b"\r\n")
                .count();
    }
    clusters(text).count()
}

/// The first `number` characters of `text`.
pub fn first(text: &str, number: usize) -> &str {
    let mut clusters = clusters(text);
    for _ in 0..number {
        if clusters.next().is_none() {
            return text;
        }
    }
    text.strip_suffix(clusters.rest).unwrap_or(text)
}

impl<'a> Iterator for Clusters<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let mut chars = self.rest.chars();
        let first = chars.next()?;
        let mut state = State::after(first);
        let mut length = first.len_utf8();
        for next in chars {
            if !state.joins(next) {
                break;
            }
            length += next.len_utf8();
        }
        let (cluster, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(cluster)
    }
}

/// What of a cluster decides whether it goes on.
struct State {
    last: char,
    kind: Break,
    /// After a pictograph and marks (GB11).
    pictograph: bool,
    /// After an odd number of regional indicators (GB12, GB13).
    flag: bool,
    /// After a consonant and marks, and whether a linker is among them (GB9c).
    consonant: bool,
    linked: bool,
}

impl State {
    fn after(first: char) -> State {
        let kind = kind(first);
        State {
            last: first,
            kind,
            pictograph: kind == Break::Pictograph,
            flag: kind == Break::Regional,
            consonant: kind == Break::Consonant,
            linked: false,
        }
    }

    /// Whether the cluster goes on with `next`, which it then ends with.
    fn joins(&mut self, next: char) -> bool {
        let kind = kind(next);
        if !self.no_break(next, kind) {
            return false;
        }
        let mark = matches!(kind, Break::Extend | Break::Linker);
        self.pictograph = kind == Break::Pictograph
            || self.pictograph && (mark || kind == Break::Joiner) && self.kind != Break::Joiner;
        self.flag = kind == Break::Regional && !self.flag;
        // U+200C takes part in no conjunct (InCB=None).
        let inside = self.consonant && (mark || kind == Break::Joiner) && next != '\u{200C}';
        self.consonant = kind == Break::Consonant || inside;
        self.linked = inside && (self.linked || kind == Break::Linker);
        (self.last, self.kind) = (next, kind);
        true
    }

    /// Rules GB3 to GB13, by number.
    fn no_break(&self, next: char, kind: Break) -> bool {
        use Break::{
            Consonant, Control, Extend, Joiner, Leading, LeadingVowel, LeadingVowelTrailing,
            Linker, Pictograph, Prepend, Regional, SpacingMark, Trailing, Vowel,
        };
        match (self.kind, kind) {
            (Control, Control) => self.last == '\r' && next == '\n',
            (Control, _) | (_, Control) => false,
            (_, Extend | Linker | Joiner | SpacingMark) | (Prepend, _) => true,
            (Leading, Leading | Vowel | LeadingVowel | LeadingVowelTrailing) => true,
            (LeadingVowel | Vowel, Vowel | Trailing)
            | (LeadingVowelTrailing | Trailing, Trailing) => true,
            (Joiner, Pictograph) => self.pictograph,
            (Regional, Regional) => self.flag,
            (_, Consonant) => self.linked,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn letters_change_case() {
        assert_eq!(uppercase("straße, Ünï"), "STRASSE, ÜNÏ");
        assert_eq!(lowercase("ΟΔΟΣ İ"), "οδοσ i\u{307}");
    }

    #[test]
    fn clusters_end_where_people_see_an_end() {
        for (text, parts) in [
            ("", &[][..]),
            ("ab", &["a", "b"]),
            ("e\u{301}x", &["e\u{301}", "x"]),
            ("\r\n\n\r", &["\r\n", "\n", "\r"]),
            ("\r\u{308}", &["\r", "\u{308}"]),
            ("한국어", &["한", "국", "어"]),
            (
                "\u{1112}\u{1161}\u{11ab}\u{1100}",
                &["\u{1112}\u{1161}\u{11ab}", "\u{1100}"],
            ),
            ("🇳🇴🇸🇪🇩", &["🇳🇴", "🇸🇪", "🇩"]),
            ("👩‍🚀👍🏽!", &["👩‍🚀", "👍🏽", "!"]),
            ("a\u{200D}👍", &["a\u{200D}", "👍"]),
            ("👍\u{200D}\u{200D}👍", &["👍\u{200D}\u{200D}", "👍"]),
            ("क्षि", &["क्षि"]),
            ("क\u{94D}\u{200C}ष", &["क\u{94D}\u{200C}", "ष"]),
            ("\u{600}1", &["\u{600}1"]),
            ("நி", &["நி"]),
            ("🏴\u{E0067}\u{E007F}b", &["🏴\u{E0067}\u{E007F}", "b"]),
            ("日本\u{3099}か", &["日", "本\u{3099}", "か"]),
            ("a\u{AD}b", &["a", "\u{AD}", "b"]),
            ("🀄🙂", &["🀄", "🙂"]),
        ] {
            let found: Vec<&str> = clusters(text).collect();
            assert_eq!(found, parts);
            assert_eq!(count(text), parts.len());
        }
    }

    #[test]
    fn beginnings_are_of_whole_characters() {
        assert_eq!(first("👩‍🚀ab", 2), "👩‍🚀a");
        assert_eq!(first("ab", 0), "");
        assert_eq!(first("ab", 9), "ab");
    }
}
