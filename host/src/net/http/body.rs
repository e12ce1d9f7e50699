//! Bodies of requests: whole, bounded in size and time.

use crate::config::Limits;
use crate::net::intake::{Full, Part};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderMap};

/// Why a body was not read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// Larger than a body may be.
    TooLarge,
    /// Too much is being received beside it.
    Crowded,
    /// It did not arrive in time.
    TooSlow,
    /// The peer broke off, or broke the framing.
    Broken,
}

/// Reads a body to its end. `part` is what it counts as.
pub(super) async fn read(
    incoming: Incoming,
    headers: &HeaderMap,
    limits: &Limits,
    part: &mut Part,
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
    let collected = collect(incoming, limits.http_body_bytes_max, part);
    let collected = tokio::time::timeout(limits.http_body_time_max, collected).await;
    collected.unwrap_or(Err(ReadError::TooSlow))
}

async fn collect(
    mut incoming: Incoming,
    max: usize,
    part: &mut Part,
) -> Result<Vec<u8>, ReadError> {
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|_| ReadError::Broken)?;
        // Trailers are read and forgotten.
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        let length = body.len() + piece.len();
        if length > max {
            return Err(ReadError::TooLarge);
        }
        part.reach(length)
            .map_err(|Full { .. }| ReadError::Crowded)?;
        if body.is_empty() {
            body = piece.into();
        } else {
            body.extend_from_slice(&piece);
        }
    }
    Ok(body)
}
