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
mod compiled_code;
mod dev_command;
mod durability;
mod echo;
mod events;
mod faults;
mod file_monitor;
mod folding;
mod grants;
mod guest;
mod half_close;
mod hosting;
mod http;
mod http_client;
mod http_compression;
mod http_conformance;
mod http_contract;
mod http_examples;
mod http_followers;
mod http_half_close;
mod http_service;
mod http_streams;
mod intruder;
mod language;
mod mutations;
mod observe;
mod outbound;
mod record;
mod redeploy;
mod routing;
mod secrets;
mod seed_fragments;
mod seeds;
mod slow;
mod socket_examples;
mod socket_faults;
mod sockets;
mod tenants;
mod test_command;
mod websocket;
