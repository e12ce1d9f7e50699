//! Answers the operation `checksum` of the contract: the CRC-32 of what is sent.
#![no_std]

extern crate alloc;

use alloc::format;

use aro_guest::{Failure, HttpHandler, Request, Response};

struct Checksum;

impl HttpHandler for Checksum {
    fn handle(request: Request) -> Result<Response, Failure> {
        if request.body.is_empty() {
            let error = r#"{"error":"nothing was sent"}"#;
            return Ok(Response::new(400, "application/json", error));
        }
        let body = format!(
            r#"{{"bytes":{},"crc32":"{:08x}"}}"#,
            request.body.len(),
            crc32(&request.body)
        );
        Ok(Response::new(200, "application/json", body).with_header("x-computed-by", "rust"))
    }
}

/// The polynomial of Ethernet and ZIP, bits reversed.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

aro_guest::export_http!(Checksum);
