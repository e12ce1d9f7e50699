//! From a trap to the failure of a statement.

use super::state::{GuestState, Refused};
use crate::failure::Failure;
use crate::observe::executions::Ending;
use crate::observe::limit::Limit;
use aro_wit::manifest::FeatureSet;
use wasmtime::{AsContext, FrameInfo, Trap, WasmBacktrace};

/// Name of the core module that holds a feature set's statements; the value runtime has another.
const FEATURE_SET_MODULE: &str = "feature-set";

/// The statement that the innermost known frame of the feature set's own code belongs to. A stack that overflows does so before the first instruction of a function, which has no position; its caller has.
pub(super) fn statement_of(backtrace: &WasmBacktrace, entry: &FeatureSet) -> Option<u32> {
    let mut own = backtrace
        .frames()
        .iter()
        .filter(|frame| frame.module().name() == Some(FEATURE_SET_MODULE));
    own.find_map(|frame| statement_at(frame, entry))
}

fn statement_at(frame: &FrameInfo, entry: &FeatureSet) -> Option<u32> {
    let offset = u32::try_from(frame.func_offset()?).ok()?;
    let after = entry
        .code
        .partition_point(|range| (range.function, range.start) <= (frame.func_index(), offset));
    let range = entry.code.get(after.checked_sub(1)?)?;
    (range.function == frame.func_index()).then_some(range.statement)
}

/// The statement that is running now. Walks the stack, so only for rare cases.
pub(super) fn statement_now(store: impl AsContext<Data = GuestState>) -> Option<u32> {
    let backtrace = WasmBacktrace::force_capture(&store);
    statement_of(&backtrace, store.as_context().data().scope.entry())
}

/// What a trap means to the person who wrote the program.
pub(super) fn failure_of(error: &wasmtime::Error, state: &GuestState) -> Failure {
    let statement = error
        .downcast_ref::<WasmBacktrace>()
        .and_then(|backtrace| statement_of(backtrace, state.scope.entry()));
    let (cause, ending) = if let Some(refused) = error.downcast_ref::<Refused>() {
        (refused.to_string(), refused.ending())
    } else if state.memory.denied {
        let cause = format!(
            "needs more than {} MiB of memory",
            state.scope.tenant.settings.limits.memory_bytes_max >> 20
        );
        (cause, Ending::Limited(Limit::Memory))
    } else {
        let cause = match error.downcast_ref::<Trap>() {
            Some(Trap::StackOverflow) => "recursed too deeply".to_owned(),
            Some(Trap::UnreachableCodeReached) => {
                "stopped at an instruction that must not be reached".to_owned()
            }
            Some(trap) => format!("trapped: {trap}"),
            None => format!("the engine failed: {}", error.root_cause()),
        };
        (cause, Ending::Trapped)
    };
    Failure::of_host(statement, cause, ending)
}
