//! Handlers in Rust: what an ARO feature set can do with sockets and requests, typed.
//!
//! Implement [`TcpHandler`] and export the events you take; the component imports only the interfaces whose functions you call.
//!
//! ```ignore
//! struct Echo;
//!
//! impl aro_guest::TcpHandler for Echo {
//!     fn data(connection: Connection, data: Vec<u8>) -> Result<(), Failure> {
//!         connection.send(&data)?;
//!         Ok(())
//!     }
//! }
//!
//! aro_guest::export_tcp_data!(Echo);
//! ```
#![no_std]

extern crate alloc;

#[doc(hidden)]
pub mod bindings;
pub mod console;
mod failure;
mod handler;
mod http;
mod socket;

pub use failure::Failure;
pub use handler::{TcpHandler, WebSocketHandler, WebSocketMessage};
pub use http::{HttpHandler, Request, Response, broadcast_event, event_stream};
pub use socket::{
    Channel, ConnectError, ConnectErrorCode, ConnectOptions, Connection, Description, Framing, Kind,
    ListenOptions, Listener, SendError, broadcast_binary, broadcast_text,
};

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// There is nobody to tell: the trap ends the instance.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
