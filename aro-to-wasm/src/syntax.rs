//! Text to syntax tree; never fails.

pub mod ast;
pub(crate) mod lexer;
pub mod parser;
pub(crate) mod token;
pub mod walk;

pub use parser::{Parsed, parse};
