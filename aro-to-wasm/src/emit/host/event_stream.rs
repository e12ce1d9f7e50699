//! The helpers of `aro:http/event-streams`.

use wasm_encoder::ValType;

use super::{Body, Helper, I32};
use crate::ir::HostFunction;
use aro_wit::interface::EVENT_STREAMS;

const CURRENT: &[(&str, &str)] = &[(EVENT_STREAMS, "current")];
const LABEL: &[(&str, &str)] = &[(EVENT_STREAMS, "label")];
const BROADCAST: &[(&str, &str)] = &[(EVENT_STREAMS, "broadcast")];

/// The parts of a helper for streams of events.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the caller passes functions of streams of events only"
)]
pub(super) fn helper(function: HostFunction) -> Helper {
    let (params, import, runtime): (&[ValType], _, &[&str]) = match function {
        HostFunction::CurrentStream => (&[], CURRENT, &["socket", "null"]),
        HostFunction::LabelEvent => (&[I32; 4], LABEL, &["raise"]),
        _ => (&[I32; 3], BROADCAST, &["filter_list", "raise"]),
    };
    Helper {
        params,
        results: &[I32],
        imports: import,
        runtime,
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
        if function == HostFunction::LabelEvent {
            self.locals(4).scratch();
            return self.import(EVENT_STREAMS, "label").succeeded();
        }
        self.local(0).runtime("filter_list").split(3);
        self.local(1).local(2).scratch();
        self.import(EVENT_STREAMS, "broadcast").succeeded()
    }
}
