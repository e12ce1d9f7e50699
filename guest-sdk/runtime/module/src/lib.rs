//! The core module `$rt` of an `app.wasm`: [`aro_runtime`] behind exports, with memory and its allocator.
//!
//! The code of every feature set imports this module's memory and functions. It imports nothing. An execution begins with `start(base)` once per instance, `base` being the end of the feature set's own data, and ends with `reset()` when the instance is used again: both throw away every value.
//!
//! Conventions of the exports, whose table is `aro_runtime::abi::EXPORTS`:
//! - a value is the address of a [`Value`](aro_runtime::Value), never 0;
//! - a function that can fail answers 0 and leaves a message for `fail` and `take_message`; comparisons that can fail answer −1;
//! - texts and bytes come as address and length, are borrowed until `reset`, and are returned packed: length in the high half of an i64, address in the low one. Text that comes in must be UTF-8: the canonical ABI guarantees it for what hosts pass, the compiler for its constants.
#![no_std]

extern crate alloc;

mod arena;
mod change;
mod check;
mod client;
mod collect;
mod collections;
mod construct;
mod formats;
mod file;
mod event;
mod growing;
mod http;
mod memory;
mod operators;
mod reading;
mod report;
mod socket;
mod state;
mod times;
mod transfer;

/// There is nobody to tell: the trap ends the instance.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
