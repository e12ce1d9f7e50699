//! The helpers of `aro:http/event-streams`.

use wasm_encoder::ValType;

use super::{Body, Helper};
use crate::ir::HostFunction;
use aro_wit::interface::EVENT_STREAMS;

const I32: ValType = ValType::I32;

/// The parts of a helper for streams of events.
pub(super) fn helper(function: HostFunction) -> Helper {
    let is_current = function == HostFunction::CurrentStream;
    Helper {
        params: if is_current { &[] } else { &[I32; 3] },
        results: &[I32],
        imports: if is_current {
            &[(EVENT_STREAMS, "current")]
        } else {
            &[(EVENT_STREAMS, "broadcast")]
        },
        runtime: if is_current {
            &["socket", "null"]
        } else {
            &["filter_list", "raise"]
        },
        helpers: &[],
    }
}

impl Body<'_> {
    pub(super) fn event_stream(&mut self, function: HostFunction) -> &mut Self {
        if function == HostFunction::CurrentStream {
            self.scratch().import(EVENT_STREAMS, "current");
            self.load8(0).when(Some(I32)).load64(8).load64(16);
            return self.runtime("socket").otherwise().runtime("null").end();
        }
        self.local(0).runtime("filter_list").split(3);
        self.local(1).local(2).scratch();
        self.import(EVENT_STREAMS, "broadcast").succeeded()
    }
}
