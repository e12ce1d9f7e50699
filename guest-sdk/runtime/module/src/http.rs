//! Requests and responses of HTTP.
#![expect(
    unsafe_code,
    reason = "exports have unmangled names, which must be unique in the module: the linker checks that"
)]

use alloc::boxed::Box;
use alloc::vec::Vec;

use aro_runtime::value::Value;
use aro_runtime::http::{Answer, parameters};
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

/// The headers that the contract declares, one name on each line.
#[unsafe(no_mangle)]
pub extern "C" fn http_headers(
    address: usize,
    length: usize,
    names: usize,
    names_length: usize,
) -> &'static Value {
    let names = memory::text(names, names_length);
    keep(parameters::headers(&pairs(address, length), names))
}

/// The cookies that the contract declares, one name on each line.
#[unsafe(no_mangle)]
pub extern "C" fn http_cookies(
    address: usize,
    length: usize,
    names: usize,
    names_length: usize,
) -> &'static Value {
    let names = memory::text(names, names_length);
    keep(parameters::cookies(&pairs(address, length), names))
}

/// The parameters of a query with those that the contract declares as lists.
#[unsafe(no_mangle)]
pub extern "C" fn http_lists(
    map: &'static Value,
    query: usize,
    query_length: usize,
    declared: usize,
    declared_length: usize,
) -> &'static Value {
    let query = memory::text(query, query_length);
    let declared = memory::text(declared, declared_length);
    keep(parameters::lists(*map, query, declared))
}

/// One parameter of all.
#[unsafe(no_mangle)]
pub extern "C" fn http_parameter(
    map: &'static Value,
    name: usize,
    length: usize,
) -> &'static Value {
    keep(parameters::parameter(*map, memory::text(name, length)))
}

/// Gives headers to the response.
#[unsafe(no_mangle)]
pub extern "C" fn http_with(headers: &'static Value) {
    STATE.headers.set(Some(*headers));
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
    let mut headers = parameters::given(STATE.headers.get());
    let answer = Answer {
        status,
        reason,
        path: memory::text(path, length),
        headers: &headers,
    };
    let body = http::respond(answer, fields.all());
    let code = http::status_code(status, &headers);
    let is_typed = |(name, _): &(&str, &str)| name.eq_ignore_ascii_case("content-type");
    if let Some(media_type) = body.media_type
        && !headers.iter().any(is_typed)
    {
        headers.push(("content-type", media_type));
    }
    Box::leak(Box::new(canonical::http_response(
        code,
        canonical::pairs(&headers),
        body.bytes,
    )))
}
