//! Why an operation failed, in the words programs and their authors see.

use core::fmt;

/// Failure of an operation on values. The text is that of language.md 15.1 and actions.md 3.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A map has no such key.
    UndefinedMember(&'static str),
    /// A path step that cannot be taken.
    PropertyNotFound {
        /// The step.
        property: &'static str,
        /// Kind of the value it was tried on.
        kind: &'static str,
    },
    /// `<value: property>` on a kind without properties.
    CannotAccessProperty {
        /// The property.
        property: &'static str,
        /// Kind of the value.
        kind: &'static str,
    },
    /// `value.member` on a kind without members.
    CannotAccessMember {
        /// The member.
        member: &'static str,
        /// Kind of the value.
        kind: &'static str,
    },
    /// `value[index]` on kinds that do not go together.
    CannotSubscript {
        /// Kind of the value.
        kind: &'static str,
        /// Kind of the index.
        index: &'static str,
    },
    /// A list index, counted from the end.
    IndexOutOfBounds {
        /// The index.
        index: i64,
        /// Length of the list.
        count: usize,
    },
    /// The kind is no number and no numeric text.
    NotANumber(&'static str),
    /// `%` on something else than two Ints.
    ModuloKinds,
    /// `-` before a kind that is no number.
    CannotNegate(&'static str),
    /// Zero as the divisor of an Int.
    DivisionByZero,
    /// An Int result does not fit 64 bits.
    Overflow,
    /// Repetition would exceed [`crate::value::TEXT_BYTES_MAX`].
    TextTooLong,
    /// Nested deeper than [`crate::value::NESTING_MAX`].
    TooDeep,
    /// An operation on a kind that it does not take.
    Mismatch {
        /// What it takes.
        expected: &'static str,
        /// Kind of the value.
        kind: &'static str,
    },
    /// A variable, or what an action reads like one.
    UndefinedVariable(&'static str),
    /// A pattern that is malformed or not supported.
    PatternInvalid(&'static str),
    /// A state transition from another state than the object is in.
    StateMismatch {
        /// The transition.
        transition: crate::check::Transition,
        /// The state the object is in.
        state: &'static str,
    },
    /// Text that is no JSON document.
    Json {
        /// Offset of the first wrong byte.
        offset: usize,
    },
    /// Text that a reader of its format does not understand.
    Format {
        /// Name of the format.
        format: &'static str,
        /// Line, counted from 1.
        line: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// Any other failure of formats and times, in full.
    Message(&'static str),
    /// Bytes that are no value as `wit/state/README.md` encodes them.
    Cbor {
        /// Offset of the first wrong byte.
        offset: usize,
    },
}

impl Error {
    /// Whether the language's runtime failed, as opposed to an expression (language.md 15.1): worded with one more `Runtime error: `.
    pub fn is_runtime(self) -> bool {
        matches!(self, Error::DivisionByZero | Error::Overflow)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::value::{NESTING_MAX, TEXT_BYTES_MAX};
        match self {
            Error::UndefinedMember(member) => write!(f, "Undefined member: {member}"),
            Error::PropertyNotFound { property, kind } => {
                write!(f, "Property '{property}' not found on type '{kind}'")
            }
            Error::CannotAccessProperty { property, kind } => write!(
                f,
                "Type mismatch: Cannot access property '{property}' on {kind}"
            ),
            Error::CannotAccessMember { member, kind } => write!(
                f,
                "Type mismatch: Cannot access member '{member}' on {kind}"
            ),
            Error::CannotSubscript { kind, index } => {
                write!(f, "Type mismatch: Cannot subscript {kind} with {index}")
            }
            Error::IndexOutOfBounds { index, count } => {
                write!(f, "Index {index} out of bounds (count: {count})")
            }
            Error::NotANumber(kind) => write!(f, "Type mismatch: Cannot convert {kind} to number"),
            Error::ModuloKinds => {
                f.write_str("Type mismatch: Expected integers for modulo operation")
            }
            Error::CannotNegate(kind) => write!(f, "Type mismatch: Cannot negate {kind}"),
            Error::DivisionByZero => f.write_str("Division by zero"),
            Error::Overflow => f.write_str("Arithmetic overflow"),
            Error::TextTooLong => write!(f, "Text longer than {TEXT_BYTES_MAX} bytes"),
            Error::TooDeep => write!(f, "Value nested deeper than {NESTING_MAX}"),
            Error::Mismatch { expected, kind } => {
                write!(f, "Type mismatch: expected '{expected}', got '{kind}'")
            }
            Error::UndefinedVariable(name) => write!(f, "Undefined variable: '{name}'"),
            Error::PatternInvalid(pattern) => {
                write!(f, "Invalid regular expression: '{pattern}'")
            }
            Error::StateMismatch { transition, state } => write!(
                f,
                "Cannot accept state {}->{} on {}: {}. Current state is \"{state}\".",
                transition.from, transition.to, transition.object, transition.field
            ),
            Error::Json { offset } => write!(f, "Invalid JSON at byte {offset}"),
            Error::Format { format, line, what } => {
                write!(f, "Invalid {format} at line {line}: {what}")
            }
            Error::Message(message) => f.write_str(message),
            Error::Cbor { offset } => write!(f, "Invalid value encoding at byte {offset}"),
        }
    }
}

impl core::error::Error for Error {}
