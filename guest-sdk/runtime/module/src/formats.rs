//! Exports that read and write other formats.
#![expect(
    unsafe_code,
    reason = "exports have unmangled names, which must be unique in the module: the linker checks that"
)]

use aro_runtime::format::{self, Options, html, markdown};
use aro_runtime::{Value, canonical, text};

use crate::memory;
use crate::state::{answer, keep, refuse};

fn content(value: &Value) -> &'static str {
    match value {
        Value::Bytes(bytes) => {
            core::str::from_utf8(bytes).unwrap_or_else(|_| text::of(Value::Bytes(bytes)))
        }
        _ => text::of(*value),
    }
}

fn packed(value: &Value, extension: &str, options: Options) -> u64 {
    match format::serialize(*value, extension, options) {
        Ok(text) => canonical::pack(text.as_bytes()),
        Err(error) => {
            refuse(error);
            0
        }
    }
}

/// The text of a value in the format of an extension or qualifier, an unknown one as it is; 0 with a message if it is nested too deep.
#[unsafe(no_mangle)]
pub extern "C" fn serialize(value: &'static Value, extension: usize, length: usize) -> u64 {
    packed(value, memory::text(extension, length), Options::default())
}

/// As `serialize`, with the name of what is written and the map of a `with` clause, or 0.
#[unsafe(no_mangle)]
pub extern "C" fn serialize_as(
    value: &'static Value,
    extension: usize,
    length: usize,
    name: usize,
    name_length: usize,
    settings: Option<&'static Value>,
) -> u64 {
    let options = Options {
        name: memory::text(name, name_length),
        settings: settings.copied().unwrap_or(Value::Null),
    };
    packed(value, memory::text(extension, length), options)
}

/// The value of a text in the format of an extension or qualifier, an unknown one as it is.
#[unsafe(no_mangle)]
pub extern "C" fn deserialize(
    value: &'static Value,
    extension: usize,
    length: usize,
) -> Option<&'static Value> {
    deserialize_as(value, extension, length, None)
}

/// As `deserialize`, with the map of a `with` clause, or 0.
#[unsafe(no_mangle)]
pub extern "C" fn deserialize_as(
    value: &'static Value,
    extension: usize,
    length: usize,
    settings: Option<&'static Value>,
) -> Option<&'static Value> {
    let options = Options {
        settings: settings.copied().unwrap_or(Value::Null),
        ..Options::default()
    };
    let extension = memory::text(extension, length);
    answer(format::deserialize(content(value), extension, options))
}

/// What ParseHtml answers for a mode; `selector` is a text or 0.
#[unsafe(no_mangle)]
pub extern "C" fn parse_html(
    page: &'static Value,
    mode: usize,
    mode_length: usize,
    selector: Option<&'static Value>,
) -> Option<&'static Value> {
    let selector = selector.map_or("body", |selector| text::of(*selector));
    let mode = memory::text(mode, mode_length);
    answer(html::extract(content(page), mode, selector))
}

/// Markdown to HTML.
#[unsafe(no_mangle)]
pub extern "C" fn markdown(value: &'static Value) -> &'static Value {
    keep(Value::text(markdown::html(text::of(*value))))
}
