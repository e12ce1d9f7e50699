//! Files as bodies of responses: read while they are sent, in pieces, and in part where a part is asked for (RFC 9110 13, 14).

use super::payload::Payload;
use super::{Answer, response_of};
use crate::engine::feature_set::HttpResponse;
use crate::files::ServedFile;
use crate::net::event_stream::CutOff;
use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use std::io::SeekFrom;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::UNIX_EPOCH;
use tokio::fs::File;
use tokio::io::AsyncSeekExt;
use tokio_util::io::poll_read_buf;

/// Bytes that are read at once, and held for one response.
const PIECE_BYTES: usize = 64 << 10;
/// Media type that a handler's response has where the program names none.
const UNNAMED: &str = "application/json";

/// Media types by extension (runtime.md 4.6.3, and what else is downloaded).
const MEDIA_TYPES: &[(&str, &str)] = &[
    ("aac", "audio/aac"),
    ("avif", "image/avif"),
    ("css", "text/css; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("eot", "application/vnd.ms-fontobject"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("htm", "text/html; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json; charset=utf-8"),
    ("jsonl", "application/jsonl"),
    ("log", "text/plain; charset=utf-8"),
    ("md", "text/markdown; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("ogg", "audio/ogg"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("tsv", "text/tab-separated-values; charset=utf-8"),
    ("ttf", "font/ttf"),
    ("txt", "text/plain; charset=utf-8"),
    ("wasm", "application/wasm"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("xml", "application/xml; charset=utf-8"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("zip", "application/zip"),
];

/// The response that a handler gives a file to: as far as its status is 200, only what is asked for and not there already is sent.
pub(super) async fn answer(
    file: ServedFile,
    mut response: HttpResponse,
    (method, asked): (&Method, &HeaderMap),
) -> Answer {
    let tag = entity_tag(&file);
    let length = file.length;
    let media_type = media_type(&file.name);
    // What the handler says besides is not sent, also where the file is not.
    response.body.clear();
    let mut answer = response_of(response);
    let headers = answer.headers_mut();
    let is_named = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|named| named != UNNAMED);
    if !is_named {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.entry(header::ETAG).or_insert(tag.clone());
    let is_plain = answer.status() == StatusCode::OK;
    if is_plain && names(asked, &header::IF_NONE_MATCH, &tag) {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        return answer;
    }
    let is_current = asked
        .get(header::IF_RANGE)
        .is_none_or(|known| *known == tag);
    let range = asked.get(header::RANGE).filter(|_| is_plain && is_current);
    let range = match range.and_then(|range| part(range.to_str().ok()?, length)) {
        None => 0..length,
        Some(None) => {
            *answer.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            say(
                &mut answer,
                header::CONTENT_RANGE,
                &format!("bytes */{length}"),
            );
            return answer;
        }
        Some(Some(range)) => {
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
            let stated = format!("bytes {}-{}/{length}", range.start, range.end - 1);
            say(&mut answer, header::CONTENT_RANGE, &stated);
            range
        }
    };
    let mut file = File::from_std(file.file);
    let is_elsewhere = range.start > 0 && *method != Method::HEAD;
    if is_elsewhere && file.seek(SeekFrom::Start(range.start)).await.is_err() {
        return super::refusal(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    }
    *answer.body_mut() = Payload::file(FileBody {
        file,
        left: range.end - range.start,
        piece: BytesMut::new(),
    });
    answer
}

fn say(answer: &mut Answer, name: HeaderName, text: &str) {
    if let Ok(text) = HeaderValue::from_str(text) {
        answer.headers_mut().insert(name, text);
    }
}

/// Changes when the file does (RFC 9110 8.8.3).
fn entity_tag(file: &ServedFile) -> HeaderValue {
    let since = file
        .changed
        .and_then(|changed| changed.duration_since(UNIX_EPOCH).ok());
    let tag = format!(
        "\"{:x}-{:x}\"",
        since.map_or(0, |since| since.as_nanos()),
        file.length
    );
    HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether one of the tags of a header is this one, or it means any.
fn names(asked: &HeaderMap, header: &HeaderName, tag: &HeaderValue) -> bool {
    let tag = tag.to_str().unwrap_or("");
    let values = asked.get_all(header).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == "*" || known == tag)
}

/// The one part that a `Range` asks for: none where all is to be sent, since several parts are not, and nothing within where there is no such part.
fn part(range: &str, length: u64) -> Option<Option<Range<u64>>> {
    let (first, last) = range.trim().strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| match text.trim() {
        "" => Some(None),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            // What is longer than a number lies beyond every file.
            Some(Some(digits.parse().unwrap_or(u64::MAX)))
        }
        _ => None,
    };
    let part = match (number(first)?, number(last)?) {
        (Some(first), Some(last)) if last < first => return None,
        (Some(first), last) => {
            let end = last.map_or(length, |last| last.saturating_add(1).min(length));
            first..end
        }
        (None, Some(count)) => length.saturating_sub(count)..length,
        (None, None) => return None,
    };
    Some((!part.is_empty()).then_some(part))
}

fn media_type(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let row = MEDIA_TYPES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(extension));
    row.map_or("application/octet-stream", |(_, media_type)| media_type)
}

/// What is left to send of a file.
pub(crate) struct FileBody {
    file: File,
    left: u64,
    piece: BytesMut,
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(None);
        }
        this.piece.reserve(PIECE_BYTES);
        let read = ready!(poll_read_buf(Pin::new(&mut this.file), cx, &mut this.piece));
        let mut piece = match read {
            // It has become shorter than its length was said to be, or cannot be read.
            Ok(0) | Err(_) => return Poll::Ready(Some(Err(CutOff))),
            Ok(_) => std::mem::take(&mut this.piece).freeze(),
        };
        piece.truncate(usize::try_from(this.left).unwrap_or(usize::MAX));
        this.left -= piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        for (range, expected) in [
            ("bytes=0-4", Some(Some(0..5))),
            ("bytes=5-", Some(Some(5..10))),
            ("bytes=-3", Some(Some(7..10))),
            ("bytes=-30", Some(Some(0..10))),
            ("bytes=8-99999999999999999999999", Some(Some(8..10))),
            ("bytes=10-", Some(None)),
            ("bytes=-0", Some(None)),
            ("bytes=4-2", None),
            ("bytes=0-1,3-4", None),
            ("bytes=-", None),
            ("items=0-4", None),
        ] {
            assert_eq!(part(range, 10), expected, "{range}");
        }
        assert_eq!(part("bytes=0-", 0), Some(None));
    }

    #[test]
    fn media_types_go_by_extension() {
        assert_eq!(media_type("a/b.tar.GZ"), "application/gzip");
        assert_eq!(media_type("README"), "application/octet-stream");
    }
}
