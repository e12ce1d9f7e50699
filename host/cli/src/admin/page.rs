//! The admin page: three files of this binary, for a browser on this machine. They hold no secret; what they show they ask for with the token that somebody types into them.

use super::Answer;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

/// Path, media type and text of each file.
const FILES: [(&str, &str, &str); 3] = [
    (
        "/",
        "text/html; charset=utf-8",
        include_str!("page/page.html"),
    ),
    (
        "/page.css",
        "text/css; charset=utf-8",
        include_str!("page/page.css"),
    ),
    (
        "/page.js",
        "text/javascript; charset=utf-8",
        include_str!("page/page.js"),
    ),
];

/// Nothing from elsewhere, nothing in line, in no frame: a text that a program made cannot become code, whatever the script does with it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

/// The file of a path.
pub(super) fn file(path: &str) -> Option<Answer> {
    let (_, media, text) = FILES.iter().find(|(known, ..)| *known == path)?;
    let mut answer = Answer::new(Full::new(Bytes::from_static(text.as_bytes())));
    let headers = answer.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, *media),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Some(answer)
}
