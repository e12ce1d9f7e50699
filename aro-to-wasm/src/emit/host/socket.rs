//! The helpers of `aro:net` that open sockets, choose among connections, and use channels.

use wasm_encoder::ValType;

use super::body::at;
use super::{Body, Helper, I32, QUEUE_FULL};
use crate::ir::HostFunction;
use aro_runtime::shape::CLOSED;
use aro_wit::interface::{CHANNELS, CONNECTIONS, DIRECTORY, LISTENERS, OUTBOUND};

/// Flags of `socket_options`: there must be a port to connect to.
const CONNECTS: i32 = 1;
/// Flags of `socket_options`: unknown options are mistakes.
const STRICT: i32 = 2;
/// Ports where a statement names none (runtime.md 6.1, 6.7).
const LISTEN_PORT: i32 = 9000;
const CONNECT_PORT: i32 = 8080;

/// Offsets into the options of sockets.
const HOST: u32 = 0;
const HOST_LENGTH: u32 = 4;
const NAME: u32 = 8;
const NAME_LENGTH: u32 = 12;
const FRAMING: u32 = 16;
const FRAME_BYTES: u32 = 20;
const REUSE_PORT: u32 = 24;
const TIMEOUT: u32 = 28;
const PORT: u32 = 32;
const HALF_CLOSE: u32 = 36;

/// The parts of a helper for sockets.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the caller passes functions of sockets only"
)]
pub(super) fn helper(function: HostFunction) -> Helper {
    use HostFunction as H;
    match function {
        H::Listen => Helper::of(
            &[I32; 5],
            &[I32],
            &[(LISTENERS, "listen")],
            &["socket_options", "raise", "socket"],
        ),
        H::Connect => Helper::of(
            &[I32; 7],
            &[I32],
            &[(OUTBOUND, "connect")],
            &["socket_options", "raise", "socket", "null"],
        ),
        H::BroadcastWhere => Helper::of(
            &[I32; 4],
            &[I32],
            &[(CONNECTIONS, "broadcast-where")],
            &["socket_high", "socket_low", "filter_list", "raise"],
        ),
        H::Subscribe => Helper::of(
            &[I32; 3],
            &[I32],
            &[(CHANNELS, "subscribe")],
            &["socket_high", "socket_low", "raise"],
        ),
        H::Unsubscribe => Helper::of(
            &[I32; 3],
            &[],
            &[(CHANNELS, "unsubscribe")],
            &["socket_high", "socket_low"],
        ),
        H::PublishChannel => Helper::of(&[I32; 4], &[], &[(CHANNELS, "publish")], &[]),
        H::CountChannel => Helper::of(&[I32; 2], &[I32], &[(CHANNELS, "count")], &["int"]),
        other => unreachable!("{other:?} is no function of sockets"),
    }
}

impl Body<'_> {
    pub(super) fn send(&mut self) -> &mut Self {
        self.halves()
            .local(1)
            .local(2)
            .local(3)
            .scratch()
            .import(CONNECTIONS, "send");
        // A connection that is gone swallows what is sent to it (runtime.md 6.6.3); only a full queue fails.
        self.load8(0).load8(1);
        self.function.instructions().i32_and();
        self.when(Some(I32));
        self.text(QUEUE_FULL).runtime("raise").number(0);
        self.otherwise().number(1).end()
    }

    pub(super) fn broadcast(&mut self) -> &mut Self {
        self.local(0);
        self.when(None)
            .number(1)
            .halves()
            .local(1)
            .local(2)
            .import(CONNECTIONS, "broadcast");
        self.function.instructions().drop();
        self.otherwise().number(0);
        self.function.instructions().i64_const(0).i64_const(0);
        self.local(1).local(2).import(CONNECTIONS, "broadcast");
        self.function.instructions().drop();
        self.end()
    }

    pub(super) fn describe(&mut self) -> &mut Self {
        self.halves().scratch().import(DIRECTORY, "describe");
        self.load8(0).when(Some(I32));
        self.local(0)
            .load8(4)
            .load32(8)
            .load32(12)
            .load32(16)
            .load32(20);
        self.number(self.scratch);
        self.function.instructions().i32_load16_u(at(24));
        self.load8(26).runtime("description");
        // A socket that is gone has no facts but its identity.
        self.otherwise().local(0).number(CLOSED as i32);
        for _ in ["address", "name"] {
            self.number(self.scratch).number(0);
        }
        self.number(0).number(0).runtime("description").end()
    }

    pub(super) fn find(&mut self) -> &mut Self {
        self.locals(2).scratch().import(DIRECTORY, "find");
        self.load8(0)
            .when(Some(I32))
            .load64(8)
            .load64(16)
            .runtime("socket");
        self.otherwise().number(0).end()
    }

    pub(super) fn step_socket(&mut self) -> &mut Self {
        self.local(0).helper(HostFunction::Describe);
        self.local(1).local(2).runtime("step")
    }

    pub(super) fn socket(&mut self, function: HostFunction) -> &mut Self {
        use HostFunction as H;
        if function == H::Listen {
            self.listen()
        } else if function == H::Connect {
            self.connect()
        } else if function == H::BroadcastWhere {
            self.broadcast_where()
        } else if function == H::Subscribe {
            self.halves().local(1).local(2).scratch();
            self.import(CHANNELS, "subscribe");
            self.failed().when(Some(I32)).number(0);
            self.otherwise().number(1).end()
        } else if function == H::Unsubscribe {
            self.halves().local(1).local(2);
            self.import(CHANNELS, "unsubscribe")
        } else if function == H::PublishChannel {
            self.locals(4).import(CHANNELS, "publish").discard()
        } else {
            self.locals(2).import(CHANNELS, "count").extend();
            self.runtime("int")
        }
    }

    /// Reads options into the local that holds their value; leaves whether that failed, with the message set.
    fn options(&mut self, value: u32, port: u32, default: i32, flags: i32) -> &mut Self {
        self.local(value).local(port).number(default).number(flags);
        self.runtime("socket_options").tee(value).is_zero()
    }

    /// Parameters: port or 0, name, options or 0, whether unknown options are mistakes.
    fn listen(&mut self) -> &mut Self {
        // Strict is the flag of that value.
        self.local(3).local(0).number(LISTEN_PORT);
        self.local(4).number(1).shift().runtime("socket_options");
        self.tee(3).is_zero();
        self.when(Some(I32)).number(0).otherwise();
        self.field(3, PORT).name(3, 1);
        for offset in [
            HOST,
            HOST_LENGTH,
            FRAMING,
            FRAME_BYTES,
            REUSE_PORT,
            HALF_CLOSE,
        ] {
            self.field(3, offset);
        }
        self.scratch().import(LISTENERS, "listen");
        self.load8(0).when(Some(I32)).load32(8).load32(12);
        self.runtime("raise").number(0).otherwise();
        self.load64(8).load64(16).runtime("socket").end().end()
    }

    /// Parameters: host, port or 0, name, options or 0, whether a failure is Null.
    fn connect(&mut self) -> &mut Self {
        self.options(5, 2, CONNECT_PORT, CONNECTS | STRICT);
        self.when(Some(I32)).number(0).otherwise();
        self.local(0).local(1).field(5, PORT).name(5, 3);
        for offset in [FRAMING, FRAME_BYTES, TIMEOUT, HALF_CLOSE] {
            self.field(5, offset);
        }
        self.scratch().import(OUTBOUND, "connect");
        self.load8(0).when(Some(I32));
        self.local(6).when(Some(I32)).runtime("null").otherwise();
        self.load32(12).load32(16).runtime("raise").number(0).end();
        self.otherwise().load64(8).load64(16);
        self.runtime("socket").end().end()
    }

    /// Address and length of the name in the options, or if there is none of that in the parameters from `given` on.
    fn name(&mut self, options: u32, given: u32) -> &mut Self {
        for (offset, given) in [(NAME, given), (NAME_LENGTH, given + 1)] {
            self.field(options, offset).local(given);
            self.field(options, NAME_LENGTH).select();
        }
        self
    }

    /// Parameters: listener or 0, filter, payload.
    fn broadcast_where(&mut self) -> &mut Self {
        self.local(0).is_zero().is_zero();
        for half in ["socket_high", "socket_low"] {
            self.local(0).when(Some(ValType::I64));
            self.local(0).runtime(half).otherwise().long(0).end();
        }
        self.local(1).runtime("filter_list").split(4);
        self.local(2).local(3).scratch();
        self.import(CONNECTIONS, "broadcast-where");
        self.failed().when(Some(I32)).number(0);
        self.otherwise().number(1).end()
    }
}
