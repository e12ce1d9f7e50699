//! The export that reads the options of sockets.
#![expect(
    unsafe_code,
    reason = "exports have unmangled names, which must be unique in the module: the linker checks that"
)]

use alloc::boxed::Box;

use aro_runtime::Value;
use aro_runtime::socket::{Options, Statement};

use crate::state::refuse;

/// Of `flags`: there must be a port to connect to.
const CONNECTS: u32 = 1;
/// Of `flags`: unknown options are mistakes.
const STRICT: u32 = 2;

/// The options in a value, and the port of the statement; either may be 0.
#[unsafe(no_mangle)]
pub extern "C" fn socket_options(
    value: Option<&'static Value>,
    port: Option<&'static Value>,
    port_default: u32,
    flags: u32,
) -> Option<&'static Options> {
    let statement = Statement {
        port: port.copied(),
        port_default,
        connects: flags & CONNECTS != 0,
        strict: flags & STRICT != 0,
    };
    match Options::read(value.copied(), statement) {
        Ok(options) => Some(Box::leak(Box::new(options))),
        Err(error) => {
            refuse(error);
            None
        }
    }
}
