//! Requests and responses of HTTP.
#![expect(
    unsafe_code,
    reason = "exports have unmangled names, which must be unique in the module: the linker checks that"
)]

use alloc::boxed::Box;
use alloc::vec::Vec;

use aro_runtime::value::Value;
use aro_runtime::{canonical, http};

use crate::memory;
use crate::state::{STATE, keep};

/// A `list<tuple<string, string>>` that the host has written.
pub(crate) fn pairs(address: usize, length: usize) -> Vec<(&'static str, &'static str)> {
    let word = |pair: &[u8], index: usize| {
        let bytes = pair.get(index * 4..).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize)
    };
    let text = |pair: &[u8], index| memory::text(word(pair, index), word(pair, index + 1));
    memory::bytes(address, length * 16)
        .chunks_exact(16)
        .map(|pair| (text(pair, 0), text(pair, 2)))
        .collect()
}

/// The port that a value names: a number, or one under `port`; negative for none.
#[unsafe(no_mangle)]
pub extern "C" fn http_port(value: &'static Value) -> i64 {
    let named = value.entry("port").unwrap_or(*value);
    if let Value::Int(port) = named { port } else { -1 }
}

/// Headers, or parameters of a path, as a map.
#[unsafe(no_mangle)]
pub extern "C" fn http_pairs(address: usize, length: usize) -> &'static Value {
    keep(http::map(&pairs(address, length)))
}

/// The parameters of a query; names without a value only if `all` are wanted.
#[unsafe(no_mangle)]
pub extern "C" fn http_query(address: usize, length: usize, all: u32) -> &'static Value {
    keep(http::query(memory::text(address, length), all != 0))
}

/// The body by its media type.
#[unsafe(no_mangle)]
pub extern "C" fn http_body(
    headers: usize,
    headers_length: usize,
    body: usize,
    body_length: usize,
) -> &'static Value {
    let body = memory::bytes(body, body_length);
    keep(http::body(&pairs(headers, headers_length), body))
}

/// Makes the response one of HTTP, with the keys that stay nested, one on each line.
#[unsafe(no_mangle)]
pub extern "C" fn http_nest(keys: usize, length: usize) {
    STATE.fields.borrow_mut().nest(memory::text(keys, length));
}

/// `Ok` of `result<response, failure>` for a request of this path.
#[unsafe(no_mangle)]
pub extern "C" fn http_responded(path: usize, length: usize) -> &'static [u32; 8] {
    let (status, reason) = STATE.response.get();
    let fields = STATE.fields.borrow();
    let body = http::respond(status, reason, memory::text(path, length), fields.all());
    let headers: Vec<(&'static str, &'static str)> = body
        .media_type
        .map(|media_type| ("content-type", media_type))
        .into_iter()
        .collect();
    Box::leak(Box::new(canonical::http_response(
        http::status_code(status),
        canonical::pairs(&headers),
        body.bytes,
    )))
}
