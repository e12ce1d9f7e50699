//! How host functions wait: the guest is not charged for it, and a limit that cuts it off can name the statement.

use crate::engine::clock::SLICE_TICKS;
use crate::engine::state::GuestState;
use crate::engine::trap;
use std::future::Future;
use wasmtime::{Result, StoreContextMut};

/// Waits for `work`.
pub(super) async fn wait<T>(
    mut store: StoreContextMut<'_, GuestState>,
    work: impl Future<Output = T>,
) -> Result<T> {
    store.data_mut().pause()?;
    let statement = trap::statement_now(&store);
    store.data_mut().suspended_at = statement;
    let done = work.await;
    store.set_epoch_deadline(SLICE_TICKS);
    Ok(done)
}

/// Does on a thread of its own what blocks.
pub(super) async fn block<T: Send + 'static>(
    store: StoreContextMut<'_, GuestState>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let done = wait(store, tokio::task::spawn_blocking(work)).await?;
    done.map_err(|error| wasmtime::Error::msg(error.to_string()))
}
