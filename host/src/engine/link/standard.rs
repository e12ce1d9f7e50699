//! The interfaces of WASI 0.2 that programs use: the wall clock and secure random bytes.
//!
//! Implemented here in a few lines each: the context that wasmtime-wasi needs in every store would cost allocations with every fresh instance.

use super::Interface;
use crate::engine::state::{GuestState, Refused};
use crate::engine::types::WitDatetime;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wasmtime::{Result, StoreContextMut};

/// Random bytes given at once.
const RANDOM_BYTES_MAX: u64 = 64 << 10;
/// What the system clock can tell apart.
const CLOCK_RESOLUTION: Duration = Duration::from_nanos(1);

pub(super) fn define_wall_clock(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap("now", |_: StoreContextMut<'_, GuestState>, (): ()| {
        // A clock set before 1970 reads as 1970: the interface has no earlier time.
        Ok((datetime(
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        ),))
    })?;
    interface.func_wrap(
        "resolution",
        |_: StoreContextMut<'_, GuestState>, (): ()| Ok((datetime(CLOCK_RESOLUTION),)),
    )
}

fn datetime(time: Duration) -> WitDatetime {
    WitDatetime {
        seconds: time.as_secs(),
        nanoseconds: time.subsec_nanos(),
    }
}

pub(super) fn define_random(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap(
        "get-random-bytes",
        |_: StoreContextMut<'_, GuestState>, (bytes,): (u64,)| {
            let length = usize::try_from(bytes)
                .ok()
                .filter(|_| bytes <= RANDOM_BYTES_MAX);
            let mut random = vec![
                0;
                length.ok_or(Refused::Random {
                    bytes,
                    max: RANDOM_BYTES_MAX
                })?
            ];
            getrandom::fill(&mut random).map_err(|_| Refused::NoRandom)?;
            Ok((random,))
        },
    )?;
    interface.func_wrap(
        "get-random-u64",
        |_: StoreContextMut<'_, GuestState>, (): ()| {
            Ok((getrandom::u64().map_err(|_| Refused::NoRandom)?,))
        },
    )
}
