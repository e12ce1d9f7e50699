//! Head.
pub mod abi;
