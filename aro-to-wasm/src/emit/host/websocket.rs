//! The helpers for all WebSockets of a program.

use wasm_encoder::ValType;

use super::{Body, Helper, I32};
use crate::ir::HostFunction;
use aro_wit::interface::{HTTP_SERVER, WEBSOCKETS};

const I64: ValType = ValType::I64;

/// Largest code that a close frame can carry (RFC 6455 5.5.1).
const CODE_MAX: i64 = 65_535;

/// The parts of a helper for WebSockets.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the caller passes functions of WebSockets only"
)]
pub(super) fn helper(function: HostFunction) -> Helper {
    use HostFunction as H;
    match function {
        H::BroadcastWebSockets => Helper::of(
            &[I32; 4],
            &[I32],
            &[(WEBSOCKETS, "broadcast")],
            &["filter_list", "raise"],
        ),
        H::CloseWebSocket => Helper::of(
            &[I32, I64, I32, I32],
            &[I32],
            &[(WEBSOCKETS, "close")],
            &["socket_high", "socket_low", "raise"],
        ),
        H::ConfigureWebSockets => Helper::of(
            &[I32; 2],
            &[I32],
            &[(HTTP_SERVER, "configure-websockets")],
            &["string", "texts", "raise"],
        ),
        other => unreachable!("{other:?} is no function of WebSockets"),
    }
}

impl Body<'_> {
    pub(super) fn websocket(&mut self, function: HostFunction) -> &mut Self {
        if function == HostFunction::BroadcastWebSockets {
            self.local(0).runtime("filter_list").split(4);
            self.local(1).local(2).local(3).scratch();
            self.import(WEBSOCKETS, "broadcast").succeeded()
        } else if function == HostFunction::CloseWebSocket {
            self.halves().code().local(2).local(3).scratch();
            self.import(WEBSOCKETS, "close").succeeded()
        } else {
            self.optional(0, "string").optional(1, "texts").scratch();
            self.import(HTTP_SERVER, "configure-websockets").succeeded()
        }
    }

    /// The code in local 1; 0, which is none, for what does not fit.
    fn code(&mut self) -> &mut Self {
        self.local(1).long(CODE_MAX).exceeds();
        self.when(Some(I32)).number(0).otherwise();
        self.local(1).wrap().end()
    }

    /// `option<string>` or `option<list<string>>` of a value or zero, by the function that makes the slice.
    fn optional(&mut self, value: u32, function: &'static str) -> &mut Self {
        self.local(value).is_zero().is_zero();
        self.local(value).when(Some(I64));
        self.local(value)
            .runtime(function)
            .otherwise()
            .long(0)
            .end();
        self.split(2)
    }
}
