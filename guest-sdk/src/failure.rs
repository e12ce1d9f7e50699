//! Why a handler ended early.

use alloc::string::{String, ToString};

use crate::SendError;

/// Why a handler ended early: the host logs it; the connection stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// One sentence.
    pub cause: String,
}

impl From<&str> for Failure {
    fn from(cause: &str) -> Self {
        Self {
            cause: cause.into(),
        }
    }
}

impl From<String> for Failure {
    fn from(cause: String) -> Self {
        Self { cause }
    }
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        Self {
            cause: error.to_string(),
        }
    }
}
