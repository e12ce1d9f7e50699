//! The helpers of `aro:http/client`.

use wasm_encoder::MemArg;

use super::{Body, Helper, I32};
use crate::ir::HostFunction;
use aro_wit::interface::HTTP_CLIENT;

/// Bytes of an `ask` as the value runtime lays it out: nine words.
const ASK_BYTES: u32 = 36;
/// Offsets into `result<answer, error>`.
const CODE: u32 = 4;
const STATUS: u64 = 4;
const HEADERS: u32 = 8;
const BODY: u32 = 16;
const LATENCY: u32 = 24;
const MESSAGE: u32 = 8;
/// The word behind an `ask` that says when to ask again.
const RETRY: u32 = ASK_BYTES;
/// Offsets into `result<socket, error>`, which is aligned to the halves of a socket.
const SOCKET: u32 = 8;
const SOCKET_MESSAGE: u32 = 12;

/// The parts of a helper for requests.
pub(super) fn helper(function: HostFunction) -> Helper {
    if function == HostFunction::Follow {
        let imports = &[(HTTP_CLIENT, "follow")];
        return Helper::of(&[I32; 8], &[I32], imports, &["http_ask", "raise"]);
    } else if function == HostFunction::OpenWebSocket {
        let imports = &[(HTTP_CLIENT, "open-websocket")];
        let runtime = &["http_ask", "raise", "socket", "null"];
        return Helper::of(&[I32; 9], &[I32], imports, runtime);
    }
    let is_probe = function == HostFunction::Probe;
    Helper {
        params: if is_probe { &[I32; 6] } else { &[I32; 7] },
        results: &[I32],
        imports: &[(HTTP_CLIENT, "send")],
        runtime: if is_probe {
            &["http_ask", "raise", "http_probe"]
        } else {
            &["http_ask", "raise", "http_answer"]
        },
        helpers: &[],
    }
}

impl Body<'_> {
    /// Parameters: URL, `with` value or 0, data or 0, method, form; and whether the body is wanted raw.
    pub(super) fn request(&mut self, function: HostFunction) -> &mut Self {
        self.locals(6).runtime("http_ask").tee(0).is_zero();
        self.when(Some(I32)).number(0).otherwise();
        for offset in (0..ASK_BYTES).step_by(4) {
            self.field(0, offset);
        }
        self.scratch().import(HTTP_CLIENT, "send").load8(0);
        self.when(Some(I32));
        if function == HostFunction::Probe {
            // What is no URL is a mistake of the program; everything else is what it wants to know.
            self.load8(CODE).is_zero().when(Some(I32));
            self.raised().otherwise();
            self.local(0).number(0).number(0);
            self.load32(MESSAGE).load32(MESSAGE + 4);
            self.runtime("http_probe").end().otherwise();
            self.local(0).status().load32(LATENCY).number(0).number(0);
            self.runtime("http_probe");
        } else {
            self.raised().otherwise().status();
            for offset in [HEADERS, HEADERS + 4, BODY, BODY + 4, LATENCY] {
                self.load32(offset);
            }
            self.local(6).runtime("http_answer");
        }
        self.end().end()
    }

    /// Parameters: URL, `with` value or 0, 0, method, form; the event that a stream becomes, or the name of a WebSocket and whether a failure is Null.
    pub(super) fn opening(&mut self, function: HostFunction) -> &mut Self {
        let follows = function == HostFunction::Follow;
        self.locals(6).runtime("http_ask").tee(0).is_zero();
        self.when(Some(I32)).number(0).otherwise();
        if follows {
            self.local(6).local(7);
        }
        for offset in (0..ASK_BYTES).step_by(4) {
            self.field(0, offset);
        }
        if follows {
            self.field(0, RETRY).scratch();
            self.import(HTTP_CLIENT, "follow").load8(0);
            self.when(Some(I32)).raised().otherwise().number(1);
        } else {
            self.local(6).local(7).scratch();
            self.import(HTTP_CLIENT, "open-websocket").load8(0);
            self.when(Some(I32));
            self.local(8).when(Some(I32)).runtime("null").otherwise();
            self.load32(SOCKET_MESSAGE).load32(SOCKET_MESSAGE + 4);
            self.runtime("raise").number(0).end();
            self.otherwise().load64(SOCKET).load64(SOCKET + 8);
            self.runtime("socket");
        }
        self.end().end()
    }

    fn raised(&mut self) -> &mut Self {
        self.load32(MESSAGE).load32(MESSAGE + 4);
        self.runtime("raise").number(0)
    }

    fn status(&mut self) -> &mut Self {
        self.scratch().load16(MemArg {
            offset: STATUS,
            align: 0,
            memory_index: 0,
        })
    }
}
