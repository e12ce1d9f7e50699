//! The host from outside: artefacts made by hand, real sockets on loopback, facts waited for with a deadline.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::indexing_slicing, reason = "a test that cannot go on fails")]
#![expect(clippy::string_slice, reason = "texts of the tests are ASCII")]

mod end;
mod exchange;
mod hostile;
mod intruder;
mod limits;
mod limits_page;
mod refusal;
mod support;
mod tenants;
