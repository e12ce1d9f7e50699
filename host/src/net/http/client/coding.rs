//! Responses that are compressed on the way (RFC 9110 8.4): asked for where the program says nothing of it, and taken apart before it sees them.

use super::target::Target;
use super::{Request, RequestError, Response};
use crate::tenant::Tenant;
use async_compression::tokio::bufread::GzipDecoder;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt, ReadBuf};

/// What is asked for. Others gain little over it, and each is a decoder more that hostile servers can reach.
const GZIP: &str = "gzip";
/// What comes out at once; others compute in between.
const PIECE_BYTES: usize = 64 << 10;
/// What goes in at once, for bodies of which nothing comes out.
const INPUT_BYTES: usize = 16 << 10;

/// Asks for a compressed response. Whether it may be taken apart: what the program has asked for itself, or a part of a body, is given to it as it comes.
pub(super) fn ask(request: &mut Request) -> bool {
    let names = |wanted: &str| {
        let mut headers = request.headers.iter();
        headers.any(|(name, _)| name.eq_ignore_ascii_case(wanted))
    };
    if request.method == "HEAD" || names("accept-encoding") || names("range") {
        return false;
    }
    request
        .headers
        .push(("accept-encoding".to_owned(), GZIP.to_owned()));
    true
}

/// Takes a body apart, and the headers off that no longer hold for it. What it becomes has the limit of responses.
pub(super) async fn decode(
    response: &mut Response,
    target: &Target,
    tenant: &Tenant,
) -> Result<(), RequestError> {
    let mut codings = response
        .headers
        .iter()
        .filter(|(name, _)| name == "content-encoding");
    let is_gzip = |text: &str| {
        [GZIP, "x-gzip"]
            .iter()
            .any(|known| text.eq_ignore_ascii_case(known))
    };
    let is_one = codings.next().is_some_and(|(_, text)| is_gzip(text.trim()));
    if !is_one || codings.next().is_some() || response.body.is_empty() {
        return Ok(());
    }
    let max = tenant.settings.limits.request_answer_bytes_max;
    let body = gunzip(&response.body, max).await;
    let body = body.map_err(|source| RequestError::Coding {
        url: target.url(),
        coding: GZIP,
        source,
    })?;
    response.body = body.ok_or_else(|| RequestError::TooLarge {
        url: target.url(),
        max,
    })?;
    let stays = |name: &str| !["content-encoding", "content-length"].contains(&name);
    response.headers.retain(|(name, _)| stays(name));
    Ok(())
}

/// Bytes of which no more than a piece is read at once.
struct Paced<'a> {
    left: &'a [u8],
    /// What may be read before others compute.
    due: usize,
}

impl AsyncBufRead for Paced<'_> {
    fn poll_fill_buf(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<std::io::Result<&[u8]>> {
        if self.due == 0 {
            self.due = INPUT_BYTES;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let length = self.left.len().min(self.due);
        Poll::Ready(Ok(self.get_mut().left.get(..length).unwrap_or_default()))
    }

    fn consume(mut self: Pin<&mut Self>, length: usize) {
        self.left = self.left.get(length..).unwrap_or_default();
        self.due = self.due.saturating_sub(length);
    }
}

impl AsyncRead for Paced<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let bytes = std::task::ready!(self.as_mut().poll_fill_buf(cx))?;
        let length = bytes.len().min(buffer.remaining());
        buffer.put_slice(bytes.get(..length).unwrap_or_default());
        self.consume(length);
        Poll::Ready(Ok(()))
    }
}

/// None where it is longer than `max`.
async fn gunzip(bytes: &[u8], max: usize) -> std::io::Result<Option<Vec<u8>>> {
    let mut decoder = GzipDecoder::new(Paced {
        left: bytes,
        due: INPUT_BYTES,
    });
    decoder.multiple_members(true);
    let mut body = Vec::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = decoder.read(&mut piece).await?;
        let Some(piece) = piece.get(..length).filter(|piece| !piece.is_empty()) else {
            return Ok(Some(body));
        };
        if body.len() + piece.len() > max {
            return Ok(None);
        }
        body.extend_from_slice(piece);
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_compression::tokio::bufread::GzipEncoder;
    use bytes::Bytes;

    async fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        let mut encoder = GzipEncoder::new(bytes);
        encoder.read_to_end(&mut packed).await.unwrap();
        packed
    }

    #[tokio::test]
    async fn bodies_are_taken_apart_up_to_their_limit() {
        let text = vec![b'x'; 200_000];
        let packed = gzip(&text).await;
        assert!(packed.len() < 1000);
        let unpacked = |max| gunzip(&packed, max);
        assert_eq!(unpacked(200_000).await.unwrap(), Some(text.clone()));
        assert_eq!(unpacked(199_999).await.unwrap(), None);
        let two = [gzip(b"a").await, gzip(b"b").await].concat();
        assert_eq!(gunzip(&two, 10).await.unwrap(), Some(b"ab".to_vec()));
        let empty = gzip(b"").await.repeat(10_000);
        let mut unpacking = Box::pin(gunzip(&empty, 10));
        assert!(futures_util::poll!(&mut unpacking).is_pending());
        assert_eq!(unpacking.await.unwrap(), Some(Vec::new()));
        for broken in [&packed[..packed.len() - 1], b"text"] {
            assert!(gunzip(broken, 1 << 20).await.is_err());
        }
    }

    #[test]
    fn what_the_program_asks_for_is_its_own() {
        let asks = |method: &str, header: &str| {
            let mut request = Request {
                method: method.to_owned(),
                url: String::new(),
                headers: vec![(header.to_owned(), "x".to_owned())],
                body: Bytes::new(),
                time: None,
            };
            (ask(&mut request), request.headers.len())
        };
        assert_eq!(asks("GET", "Accept"), (true, 2));
        for (method, header) in [
            ("GET", "Accept-Encoding"),
            ("GET", "Range"),
            ("HEAD", "Accept"),
        ] {
            assert_eq!(asks(method, header), (false, 1), "{method} {header}");
        }
    }
}
