//! The language as a whole: the specification's parse vectors, the user programs handed over, and random input.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on fails"
)]

mod format;
mod generate;
mod properties;
mod seeds;
mod vectors;
mod verbs;

#[path = "../support/tree.rs"]
mod tree;
