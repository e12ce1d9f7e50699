//! The value runtime of ARO: values, text, numbers, dates, JSON, patterns and the codec, as every compiled feature set uses them.
//!
//! Pure functions on [`value::Value`]. The crate in `module/` wraps them into the core module `$rt` of an `app.wasm` and owns memory; [`abi`] lists that module's exports for the compiler. Nothing here does I/O or imports anything, and no input makes it panic.
//!
//! What a value refers to is `'static`: in the module it lives until the arena is reset, natively it is leaked.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod abi;
pub mod access;
pub mod canonical;
pub mod cbor;
pub mod check;
pub mod client;
pub mod compare;
pub mod compute;
pub mod condition;
pub mod convert;
pub mod date;
pub mod error;
pub mod event;
pub mod field;
pub mod file;
pub mod format;
pub mod hash;
pub mod http;
pub mod human;
pub mod json;
pub mod number;
pub mod operate;
pub mod reduce;
pub mod regex;
pub mod response;
pub mod schema;
pub mod sets;
pub mod shape;
pub mod socket;
pub mod sort;
pub mod split;
#[cfg(test)]
mod strategy;
#[cfg(test)]
mod table;
pub mod template;
pub mod text;
pub mod time;
pub mod unicode;
pub mod update;
pub mod uuid;
pub mod value;
pub mod verify;
pub mod wait;

pub use error::Error;
pub use value::Value;
