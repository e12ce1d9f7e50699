//! What lives from one export call to the next: the message of the last failure, the trace, the response, rooms to grow.
#![expect(
    unsafe_code,
    reason = "a static with inner mutability in a module of one thread"
)]

use alloc::string::ToString;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use aro_runtime::regex::{self, Regex};
use aro_runtime::response::Fields;
use aro_runtime::{Error, Value};

use crate::growing::Growing;

/// Most patterns that are kept compiled.
const PATTERNS_MAX: usize = 8;

/// The state of the execution.
pub(crate) struct State {
    /// Why the last operation failed, and whether the language's runtime did.
    pub(crate) message: Cell<(&'static str, bool)>,
    /// Bound names of the failed statement with their texts.
    pub(crate) trace: RefCell<Vec<(&'static str, &'static str)>>,
    /// Status, reason and fields that Return has said.
    pub(crate) response: Cell<(&'static str, &'static str)>,
    /// Its fields.
    pub(crate) fields: RefCell<Fields>,
    /// Headers of a response of HTTP.
    pub(crate) headers: Cell<Option<Value>>,
    /// Compiled patterns with their sources; `None` does not compile.
    patterns: RefCell<Vec<Pattern>>,
    /// Room behind the last long text.
    pub(crate) text: Growing,
    /// Room behind the last long list.
    pub(crate) list: Growing,
}

/// Pattern, flags, and what they compile to.
type Pattern = ((&'static str, &'static str), Option<&'static Regex>);

/// The one state of the instance.
pub(crate) static STATE: State = State {
    message: Cell::new(("", false)),
    trace: RefCell::new(Vec::new()),
    response: Cell::new(("OK", "success")),
    fields: RefCell::new(Fields::new()),
    headers: Cell::new(None),
    patterns: RefCell::new(Vec::new()),
    text: Growing::new(),
    list: Growing::new(),
};

// SAFETY: the module has no shared memory, so there is one thread.
unsafe impl Sync for State {}

/// Forgets everything: it lies in an arena that is gone. What is replaced is forgotten, not dropped: dropping would give memory back to the new arena.
pub(crate) fn clear() {
    STATE.message.set(("", false));
    core::mem::forget(STATE.trace.take());
    STATE.response.set(("OK", "success"));
    core::mem::forget(STATE.fields.take());
    STATE.headers.set(None);
    core::mem::forget(STATE.patterns.take());
    STATE.text.clear();
    STATE.list.clear();
    crate::collect::clear();
}

/// Forgets what may refer to the arena behind `mark`: whatever is kept here between statements and is neither value nor response.
pub(crate) fn forget(mark: usize) {
    STATE.message.set(("", false));
    core::mem::forget(STATE.patterns.take());
    STATE.text.forget(mark);
    STATE.list.forget(mark);
}

/// Puts a value into the arena.
#[inline]
pub(crate) fn keep(value: Value) -> &'static Value {
    alloc::boxed::Box::leak(alloc::boxed::Box::new(value))
}

/// The value, or nothing and a message.
#[inline]
pub(crate) fn answer(result: Result<Value, Error>) -> Option<&'static Value> {
    match result {
        Ok(value) => Some(keep(value)),
        Err(error) => {
            refuse(error);
            None
        }
    }
}

/// Leaves a message.
#[cold]
#[inline(never)]
pub(crate) fn refuse(error: Error) {
    STATE
        .message
        .set((error.to_string().leak(), error.is_runtime()));
}

/// `subject matches pattern`.
pub(crate) fn matches(subject: Value, pattern: Value) -> bool {
    let (Some(subject), Some(source)) = (subject.as_text(), regex::pattern(pattern)) else {
        return false;
    };
    compiled(source).is_some_and(|regex| regex.is_match(subject))
}

/// The compiled form of a pattern and its flags, made once for an execution; none if it is malformed.
pub(crate) fn compiled(source: (&'static str, &'static str)) -> Option<&'static Regex> {
    let known = STATE
        .patterns
        .borrow()
        .iter()
        .find(|(known, _)| *known == source)
        .map(|(_, compiled)| *compiled);
    known.unwrap_or_else(|| {
        let compiled = Regex::new(source.0, source.1)
            .map(|regex| &*alloc::boxed::Box::leak(alloc::boxed::Box::new(regex)));
        let mut patterns = STATE.patterns.borrow_mut();
        if patterns.len() == PATTERNS_MAX {
            patterns.clear();
        }
        patterns.push((source, compiled));
        compiled
    })
}
