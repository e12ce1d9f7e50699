//! Records and lists laid out in memory as the canonical ABI of the component model prescribes.
//!
//! Everything that crosses is made of 32-bit words here: a `u8` discriminant is the low byte of a word whose other bytes are padding. Addresses are those of wasm32; built natively they are cut off and mean nothing.

use alloc::vec::Vec;

/// A list or string: address and length.
pub type Span = [u32; 2];
/// `aro:state/repositories.comparison`: field, operator, encoded value.
pub type Comparison = [u32; 5];
/// `list<tuple<string, string>>` element.
pub type Pair = [u32; 4];

fn word(number: usize) -> u32 {
    number as u32
}

/// Address and length of `items`.
pub fn span<T>(items: &'static [T]) -> Span {
    [word(items.as_ptr().addr()), word(items.len())]
}

/// A span as one word: length in the high half.
pub fn pack<T>(items: &'static [T]) -> u64 {
    let [address, length] = span(items);
    u64::from(length) << 32 | u64::from(address)
}

/// Pairs of texts as `list<tuple<string, string>>`.
pub fn pairs(pairs: &[(&'static str, &'static str)]) -> Span {
    let words: Vec<Pair> = pairs
        .iter()
        .map(|(name, text)| join(span(name.as_bytes()), span(text.as_bytes())))
        .collect();
    span(words.leak())
}

fn join([a, b]: Span, [c, d]: Span) -> Pair {
    [a, b, c, d]
}

/// Where a failure came from, as the enum `failure-kind` numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// An action failed.
    Action = 0,
    /// An expression or guard failed.
    Expression = 1,
    /// The runtime of the language failed.
    Runtime = 2,
    /// A test found something else than it expects; only in `aro:program/test`.
    Assertion = 3,
}

/// `Err` of any `result<_, failure>`.
pub fn failure(
    statement: Option<u32>,
    kind: FailureKind,
    cause: &'static str,
    trace: Span,
) -> [u32; 8] {
    let [cause, cause_bytes] = span(cause.as_bytes());
    let [trace, trace_length] = trace;
    [
        1,
        u32::from(statement.is_some()),
        statement.unwrap_or_default(),
        kind as u32,
        cause,
        cause_bytes,
        trace,
        trace_length,
    ]
}

/// `Ok` of `result<response, failure>`.
pub fn response(status: &'static str, reason: &'static str, fields: Span) -> [u32; 8] {
    let [status, status_bytes] = span(status.as_bytes());
    let [reason, reason_bytes] = span(reason.as_bytes());
    let [fields, fields_length] = fields;
    [
        0,
        status,
        status_bytes,
        reason,
        reason_bytes,
        fields,
        fields_length,
        0,
    ]
}

/// `Ok` of `result<response, failure>` of `aro:http/handler`.
pub fn http_response(status: u16, headers: Span, body: &'static [u8]) -> [u32; 8] {
    let [headers, headers_length] = headers;
    let [body, body_bytes] = span(body);
    [
        0,
        u32::from(status),
        headers,
        headers_length,
        body,
        body_bytes,
        0,
        0,
    ]
}

/// A comparison of a repository filter; `value` is encoded.
pub fn comparison(field: &'static str, operator: u32, value: &'static [u8]) -> Comparison {
    let [field, field_bytes] = span(field.as_bytes());
    let [value, value_bytes] = span(value);
    [field, field_bytes, operator, value, value_bytes]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_those_of_the_canonical_abi() {
        assert_eq!(size_of::<Comparison>(), 20);
        assert_eq!(size_of::<Pair>(), 16);
        let failed = failure(
            Some(3),
            FailureKind::Runtime,
            "cause",
            pairs(&[("a", "bc")]),
        );
        assert_eq!(
            (
                failed[0], failed[1], failed[2], failed[3], failed[5], failed[7]
            ),
            (1, 1, 3, 2, 5, 1)
        );
        assert_eq!(
            failure(None, FailureKind::Action, "", [0, 0])[1..4],
            [0, 0, 0]
        );
        let responded = response("OK", "startup", [0, 0]);
        assert_eq!(
            (responded[0], responded[2], responded[4], responded[6]),
            (0, 2, 7, 0)
        );
        let compared = comparison("field", 7, &[1]);
        assert_eq!((compared[1], compared[2], compared[4]), (5, 7, 1));
        assert_eq!(pack(&[0u8; 3]) >> 32, 3);
    }
}
