//! The helpers of `aro:http/client`.

use wasm_encoder::{MemArg, ValType};

use super::host::{Body, Helper};
use crate::ir::HostFunction;
use aro_wit::interface::HTTP_CLIENT;

const I32: ValType = ValType::I32;

/// Bytes of an `ask` as the value runtime lays it out: nine words.
const ASK_BYTES: u32 = 36;
/// Offsets into `result<answer, error>`.
const CODE: u32 = 4;
const STATUS: u64 = 4;
const HEADERS: u32 = 8;
const BODY: u32 = 16;
const LATENCY: u32 = 24;
const MESSAGE: u32 = 8;

/// The parts of a helper for requests.
pub(super) fn helper(function: HostFunction) -> Helper {
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
