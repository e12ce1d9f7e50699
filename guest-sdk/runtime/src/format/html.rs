//! What programs want of HTML pages: links, content, texts of elements, Markdown (actions.md 11.4).
//!
//! A scanner of tags, forgiving as browsers are, without a tree: every mode is one pass.

mod extract;
mod scan;

pub use extract::extract;
