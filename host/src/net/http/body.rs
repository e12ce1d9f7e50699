//! Bodies of requests: whole, bounded in size and time.

use crate::config::Limits;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderMap};

/// Why a body was not read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// Larger than a body may be.
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// The peer broke off, or broke the framing.
    Broken,
}

/// Reads a body to its end.
pub(super) async fn read(
    incoming: Incoming,
    headers: &HeaderMap,
    limits: &Limits,
) -> Result<Vec<u8>, ReadError> {
    let stated = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    // Refused before `100 Continue` invites it.
    if stated.is_some_and(|length| length > limits.http_body_bytes_max as u64) {
        return Err(ReadError::TooLarge);
    }
    if incoming.is_end_stream() {
        return Ok(Vec::new());
    }
    let collected = Limited::new(incoming, limits.http_body_bytes_max).collect();
    match tokio::time::timeout(limits.http_body_time_max, collected).await {
        Err(_) => Err(ReadError::TooSlow),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            Err(ReadError::TooLarge)
        }
        Ok(Err(_)) => Err(ReadError::Broken),
        Ok(Ok(body)) => Ok(body.to_bytes().into()),
    }
}
