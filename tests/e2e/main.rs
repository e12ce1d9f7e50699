//! The product from outside: programs compiled in memory or by the commands, real sockets on loopback, facts waited for with a deadline.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on fails"
)]

mod admin;
mod artifact;
mod browser;
mod commands;
mod dev_command;
mod durability;
mod echo;
mod faults;
mod folding;
mod grants;
mod guest;
mod http;
mod http_client;
mod http_conformance;
mod http_contract;
mod http_examples;
mod http_followers;
mod http_service;
mod http_streams;
mod mutations;
mod outbound;
mod redeploy;
mod seeds;
mod slow;
mod socket_examples;
mod socket_faults;
mod sockets;
mod tenants;
mod test_command;
mod websocket;
