//! The exports of the core module `$rt`, for the compiler that imports them. The module's own crate documents each.

/// Type of a parameter or result. Addresses, lengths, flags and kinds are [`Ty::I32`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ty {
    /// 32 bits: the address of a value, an address, a length, a flag.
    I32,
    /// 64 bits: an Int, half of an identity, a packed span.
    I64,
    /// A Float.
    F64,
}

/// One exported function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Export {
    /// Its name.
    pub name: &'static str,
    /// Types of its parameters.
    pub params: &'static [Ty],
    /// Types of its results: one at most.
    pub results: &'static [Ty],
}

/// Pages of 64 KiB that the module's memory begins with; it has no maximum of its own.
pub const MEMORY_PAGES: u64 = 2;
/// Exported name of the memory.
pub const MEMORY: &str = "memory";
/// Exported immutable global: the first byte that belongs to nobody.
pub const HEAP_BASE: &str = "__heap_base";
/// The canonical ABI's allocator.
pub const REALLOC: &str = "realloc";

use Ty::{F64, I32, I64};

const fn export(name: &'static str, params: &'static [Ty], results: &'static [Ty]) -> Export {
    Export {
        name,
        params,
        results,
    }
}

/// The export named `name`.
pub fn find(name: &str) -> Option<&'static Export> {
    EXPORTS.iter().find(|export| export.name == name)
}

/// Every exported function. In comments: `v` value, `s` address and length of a text, `p` packed span, `?` 0 if it fails.
pub const EXPORTS: &[Export] = &[
    // Memory.
    export(REALLOC, &[I32, I32, I32, I32], &[I32]),
    export("start", &[I32], &[]),
    export("reset", &[], &[]),
    // Loops and calls.
    export("mark", &[], &[I32]),
    export("crowded", &[I32], &[I32]),
    export("root", &[I32], &[]),
    export("collect", &[I32], &[]),
    export("rooted", &[], &[I32]),
    export("enter", &[], &[I32]),
    export("leave", &[], &[]),
    // Construction: -> v.
    export("null", &[], &[I32]),
    export("bool", &[I32], &[I32]),
    export("int", &[I64], &[I32]),
    export("float", &[F64], &[I32]),
    export("text", &[I32, I32], &[I32]),
    export("bytes", &[I32, I32], &[I32]),
    export("data", &[I32, I32], &[I32]),
    export("lossy", &[I32, I32], &[I32]),
    export("socket", &[I64, I64], &[I32]),
    export("date", &[I64, I32], &[I32]),
    export("iso", &[I64], &[I32]),
    export("uuid", &[I64, I64], &[I32]),
    export("regex", &[I32, I32, I32, I32], &[I32]),
    export("list", &[I32], &[I32]),
    export("push", &[I32, I32], &[]),
    export("map", &[I32], &[I32]),
    // (map, s key, v)
    export("put", &[I32, I32, I32, I32], &[]),
    // (map, v)
    export("merge", &[I32, I32], &[]),
    export("append", &[I32, I32], &[I32]),
    // (v, kind, s remote, s name, port, open) -> v
    export(
        "description",
        &[I32, I32, I32, I32, I32, I32, I32, I32],
        &[I32],
    ),
    // (v, v id, s name) -> v
    export("row", &[I32, I32, I32, I32], &[I32]),
    export("pick", &[I32, I32], &[I32]),
    // (v list) -> v
    export("interpolate", &[I32], &[I32]),
    // Reading.
    export("kind", &[I32], &[I32]),
    export("socket_high", &[I32], &[I64]),
    export("socket_low", &[I32], &[I64]),
    export("as_int", &[I32, I64], &[I64]),
    export("as_float", &[I32, F64], &[F64]),
    export("len", &[I32], &[I32]),
    export("at", &[I32, I32], &[I32]),
    // (v, s) -> v?
    export("get", &[I32, I32, I32], &[I32]),
    export("member", &[I32, I32, I32], &[I32]),
    export("index", &[I32, I32], &[I32]),
    export("step", &[I32, I32, I32], &[I32]),
    export("select", &[I32, I32, I32], &[I32]),
    export("unpack", &[I32], &[I32]),
    // v -> v?
    export("parse_json", &[I32], &[I32]),
    export("target", &[I32], &[I32]),
    // (v or 0, v port or 0, port, flags) -> address of options?
    export("socket_options", &[I32, I32, I32, I32], &[I32]),
    // Actions on values. (s operation, v, v or 0) -> v?
    export("compute", &[I32, I32, I32, I32], &[I32]),
    // (s kind, v) -> v?
    export("convert", &[I32, I32, I32], &[I32]),
    // (v, v) -> v
    export("overlay", &[I32, I32], &[I32]),
    export("combine", &[I32, I32], &[I32]),
    // (v, s key, v) -> v
    export("with_entry", &[I32, I32, I32, I32], &[I32]),
    // (v, s key) -> v
    export("entry", &[I32, I32, I32], &[I32]),
    export("without", &[I32, I32, I32], &[I32]),
    // (v) -> flag; (v, v date, v uuid) -> v
    export("lacks_id", &[I32], &[I32]),
    export("with_id", &[I32, I32, I32], &[I32]),
    // Operators: (v, v) -> v?
    export("add", &[I32, I32], &[I32]),
    export("sub", &[I32, I32], &[I32]),
    export("mul", &[I32, I32], &[I32]),
    export("div", &[I32, I32], &[I32]),
    export("rem", &[I32, I32], &[I32]),
    export("concat", &[I32, I32], &[I32]),
    export("negate", &[I32], &[I32]),
    export("not", &[I32], &[I32]),
    export("and", &[I32, I32], &[I32]),
    export("or", &[I32, I32], &[I32]),
    // Tests: 0, 1; orders also -1 if they fail.
    export("equal", &[I32, I32], &[I32]),
    export("less", &[I32, I32], &[I32]),
    export("less_equal", &[I32, I32], &[I32]),
    export("greater", &[I32, I32], &[I32]),
    export("greater_equal", &[I32, I32], &[I32]),
    export("contains", &[I32, I32], &[I32]),
    export("matches", &[I32, I32], &[I32]),
    export("same", &[I32, I32], &[I32]),
    export("identical", &[I32, I32], &[I32]),
    export("truthy", &[I32], &[I32]),
    export("is_true", &[I32], &[I32]),
    export("is_empty", &[I32], &[I32]),
    export("is_type", &[I32, I32, I32], &[I32]),
    export("is_word", &[I32, I32, I32], &[I32]),
    // Texts and encodings: v -> p.
    export("human", &[I32], &[I64]),
    export("string", &[I32], &[I64]),
    export("payload", &[I32], &[I64]),
    export("texts", &[I32], &[I64]),
    export("json", &[I32], &[I64]),
    export("encode", &[I32], &[I64]),
    // (address, length) -> v?
    export("decode", &[I32, I32], &[I32]),
    // Files and tests. v -> p
    export("extension", &[I32], &[I64]),
    export("content", &[I32], &[I64]),
    export("dump", &[I32], &[I32]),
    // (v, v) -> 0, 1
    export("meets", &[I32, I32], &[I32]),
    export("developer", &[I32], &[I64]),
    // (map, s key) -> the entry, else the first one, else 0
    export("outcome", &[I32, I32, I32], &[I32]),
    // (v, milliseconds of the unit)
    export("milliseconds", &[I32, I64], &[I64]),
    // Filters: f is an address.
    export("filter", &[], &[I32]),
    export("group", &[I32], &[]),
    // (f, s field, operator, v)
    export("compare", &[I32, I32, I32, I32, I32], &[]),
    export("filter_list", &[I32], &[I64]),
    // Formats: (v, s extension) -> p; -> v?
    export("serialize", &[I32, I32, I32], &[I64]),
    export("serialize_as", &[I32, I32, I32, I32, I32, I32], &[I64]),
    export("deserialize", &[I32, I32, I32], &[I32]),
    export("deserialize_as", &[I32, I32, I32, I32], &[I32]),
    // (v, s mode, v selector) -> v?
    export("parse_html", &[I32, I32, I32, I32], &[I32]),
    export("markdown", &[I32], &[I32]),
    // Times: -> v?
    export("to_date", &[I32], &[I32]),
    // (v, s offset)
    export("shift", &[I32, I32, I32], &[I32]),
    // (v, v)
    export("format_date", &[I32, I32], &[I32]),
    export("distance", &[I32, I32], &[I32]),
    export("date_range", &[I32, I32], &[I32]),
    export("recurrence", &[I32, I32], &[I32]),
    // Templates: (v list) -> v; (v, s filter, s argument) -> v; (v, v, operator) -> v?
    export("render", &[I32], &[I32]),
    export("filter_text", &[I32, I32, I32, I32, I32], &[I32]),
    export("calculate", &[I32, I32, I32], &[I32]),
    // v -> v list
    export("values", &[I32], &[I32]),
    // Collections: c is the address of a condition.
    export("condition", &[], &[I32]),
    export("alternative", &[I32], &[]),
    // (c, s field, operator, v)
    export("test", &[I32, I32, I32, I32, I32], &[]),
    // (v, c) -> v
    export("select_where", &[I32, I32], &[I32]),
    // (v, s) -> v?
    export("project", &[I32, I32, I32], &[I32]),
    export("pluck", &[I32, I32, I32], &[I32]),
    // (v, s function, s field, s path) -> v?
    export("reduce", &[I32, I32, I32, I32, I32, I32, I32], &[I32]),
    // (v, s field, v or 0) -> v
    export("group_by", &[I32, I32, I32, I32], &[I32]),
    // (v, descending) -> v
    export("sort", &[I32, I32], &[I32]),
    // (v, s field, v or 0, descending) -> v
    export("sort_by", &[I32, I32, I32, I32, I32], &[I32]),
    // (v, v separator)
    export("split", &[I32, I32], &[I32]),
    export("join", &[I32, I32], &[I32]),
    export("lines", &[I32], &[I32]),
    // Checks: (v, s rule) -> v, (v, v) -> v, (v, s object, s field, s from, s to) -> v?
    export("validate", &[I32, I32, I32], &[I32]),
    export("relation", &[I32, I32], &[I32]),
    // Schemas of a contract: (v, s bundle, s name) -> v?, -> v record
    export("typed", &[I32, I32, I32, I32, I32], &[I32]),
    export("judged", &[I32, I32, I32, I32, I32], &[I32]),
    export(
        "accept",
        &[I32, I32, I32, I32, I32, I32, I32, I32, I32],
        &[I32],
    ),
    // Events: (v) -> v; (v, s path, s values) -> flag; (v target, s name, v message) -> v.
    export("event_payload", &[I32], &[I32]),
    export("event_guard", &[I32, I32, I32, I32, I32], &[I32]),
    export("event_row", &[I32], &[I32]),
    // (v, milliseconds of one) -> milliseconds, minus one if it is no number
    export("interval", &[I32, I64], &[I64]),
    export("event_notification", &[I32, I32, I32, I32], &[I32]),
    // Failures.
    export("raise", &[I32, I32], &[]),
    export("undefined", &[I32, I32], &[]),
    export("undefined_quoted", &[I32, I32], &[]),
    export("take_message", &[], &[I32]),
    // (s name, v)
    export("trace", &[I32, I32, I32], &[]),
    // (statement, kind) -> address of result<_, failure>
    export("fail", &[I32, I32], &[I32]),
    export("done", &[], &[I32]),
    // Responses: (s status, s reason), (s key, v).
    export("response", &[I32, I32, I32, I32], &[]),
    export("field", &[I32, I32, I32], &[]),
    export("fallback", &[I32], &[]),
    export("has_fields", &[], &[I32]),
    export("responded", &[], &[I32]),
    // Requests: (list of pairs), (s query, all names), (list of pairs, s body) -> v.
    // v -> port, negative for none
    export("http_port", &[I32], &[I64]),
    export("http_pairs", &[I32, I32], &[I32]),
    export("http_query", &[I32, I32, I32], &[I32]),
    // (list of pairs, s names) -> v; (v, s query, s declared) -> v; (v, s name) -> v; (v)
    export("http_headers", &[I32, I32, I32, I32], &[I32]),
    export("http_cookies", &[I32, I32, I32, I32], &[I32]),
    export("http_lists", &[I32, I32, I32, I32, I32], &[I32]),
    export("http_parameter", &[I32, I32, I32], &[I32]),
    export("http_with", &[I32], &[]),
    export("http_body", &[I32, I32, I32, I32], &[I32]),
    // (v URL, v with or 0, v data or 0, s method, form) -> address of an ask?
    export("http_ask", &[I32, I32, I32, I32, I32, I32], &[I32]),
    // (status, list of pairs, bytes, microseconds, raw) -> v
    export("http_answer", &[I32, I32, I32, I32, I32, I32, I32], &[I32]),
    export("http_format", &[I32], &[I64]),
    // (ask, status, microseconds, s reason) -> v
    export("http_probe", &[I32, I32, I32, I32, I32], &[I32]),
    // (v, s, whether it is a step of a path) -> v?
    export("header", &[I32, I32, I32, I32], &[I32]),
    // (s keys that stay nested); (s path) -> address of result<response, failure>
    export("http_nest", &[I32, I32], &[]),
    export("http_responded", &[I32, I32], &[I32]),
];
