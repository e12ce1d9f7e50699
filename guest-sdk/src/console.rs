//! The program's console.

use crate::bindings::imports::aro::log::console::{Stream, write};

/// Writes a line to standard output.
pub fn log(message: &str) {
    write(Stream::Output, message);
}

/// Writes a line to standard error.
pub fn log_error(message: &str) {
    write(Stream::Error, message);
}
