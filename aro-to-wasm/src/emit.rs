//! IR to core module to component to `app.wasm`. The only folder that names `wasm_encoder` and `wit_parser`.

pub(crate) mod artifact;
mod client;
pub(crate) mod code;
pub(crate) mod component;
mod event_stream;
mod file;
pub(crate) mod host;
pub(crate) mod module;
pub(crate) mod socket;
mod websocket;
pub(crate) mod wit;
