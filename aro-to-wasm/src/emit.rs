//! IR to core module to component to `app.wasm`. The only folder that names `wasm_encoder` and `wit_parser`.

pub(crate) mod artifact;
pub(crate) mod code;
pub(crate) mod component;
pub(crate) mod host;
pub(crate) mod module;
pub(crate) mod wit;
