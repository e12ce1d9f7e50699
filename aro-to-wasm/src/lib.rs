//! The ARO compiler: source text in, component bytes and diagnostics out. It does no I/O and does not fail on bad source.

pub mod actions;
pub mod check;
pub mod diagnostic;
pub mod source;
pub mod syntax;
