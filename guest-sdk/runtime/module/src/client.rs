//! Requests to servers elsewhere, and what they answer.
#![expect(
    unsafe_code,
    reason = "exports have unmangled names, which must be unique in the module: the linker checks that"
)]

use alloc::boxed::Box;

use aro_runtime::client::{self, Ask, Form, Status};
use aro_runtime::value::Value;
use aro_runtime::{access, canonical};

use crate::http::pairs;
use crate::memory;
use crate::state::{answer, keep, refuse};

/// The request of a statement: its URL, its `with` clause or 0, what it gives away or 0, its method, its form.
#[unsafe(no_mangle)]
pub extern "C" fn http_ask(
    url: &'static Value,
    with: Option<&'static Value>,
    data: Option<&'static Value>,
    method: usize,
    method_length: usize,
    form: u32,
) -> Option<&'static Ask> {
    let form = match form {
        0 => Form::Request,
        1 => Form::Options,
        2 => Form::Probe,
        4 => Form::Open,
        _ => Form::Call,
    };
    let method = memory::text(method, method_length);
    match Ask::new(*url, with.copied(), data.copied(), method, form) {
        Ok(ask) => Some(Box::leak(Box::new(ask))),
        Err(error) => {
            refuse(error);
            None
        }
    }
}

/// The answer of a server; its body is not looked into if it is wanted `raw`.
#[unsafe(no_mangle)]
pub extern "C" fn http_answer(
    status: u32,
    headers: usize,
    headers_length: usize,
    body: usize,
    body_length: usize,
    micros: u32,
    raw: u32,
) -> &'static Value {
    let headers = pairs(headers, headers_length);
    let body = memory::bytes(body, body_length);
    let status = Status { status, micros };
    keep(client::answer(status, &headers, body, raw != 0))
}

/// Name of the format of an answer's body.
#[unsafe(no_mangle)]
pub extern "C" fn http_format(value: &'static Value) -> u64 {
    canonical::pack(client::format(*value).as_bytes())
}

/// What Probe finds out: status and microseconds, or a reason with the status 0.
#[unsafe(no_mangle)]
pub extern "C" fn http_probe(
    ask: &'static Ask,
    status: u32,
    micros: u32,
    reason: usize,
    reason_length: usize,
) -> &'static Value {
    let found = match status {
        0 => Err(memory::text(reason, reason_length)),
        status => Ok(Status { status, micros }),
    };
    keep(client::probe(ask.url, found))
}

/// A header in any letter case; what is none as a step of an expression or of a path finds it.
#[unsafe(no_mangle)]
pub extern "C" fn header(
    value: &'static Value,
    name: usize,
    length: usize,
    is_path: u32,
) -> Option<&'static Value> {
    let name = memory::text(name, length);
    answer(match (client::header(*value, name), is_path) {
        (Some(found), _) => Ok(found),
        (None, 0) => access::get(*value, name),
        (None, _) => access::step(*value, name),
    })
}
