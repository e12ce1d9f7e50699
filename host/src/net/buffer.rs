//! Read buffers: taken when bytes have arrived, given back when their event has been handled. An idle connection holds none.

use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Largest chunk delivered as one event (runtime.md 6.5).
pub(crate) const CHUNK_BYTES_MAX: usize = 64 << 10;
/// Buffers kept for later; more are given back to the allocator.
const IDLE_BUFFERS_MAX: usize = 64;

/// The bytes of one event, shared by its handlers.
pub(crate) type Chunk = Arc<Vec<u8>>;

/// A bounded number of buffers.
#[derive(Debug)]
pub(crate) struct BufferPool {
    permits: Semaphore,
    idle: Mutex<Vec<Chunk>>,
}

/// A buffer and the right to use it.
#[derive(Debug)]
pub(crate) struct Buffer<'a> {
    pool: &'a BufferPool,
    chunk: Chunk,
    _permit: SemaphorePermit<'a>,
}

impl BufferPool {
    pub(crate) fn new(buffers_max: usize) -> Self {
        Self {
            permits: Semaphore::new(buffers_max),
            idle: Mutex::new(Vec::new()),
        }
    }

    /// An empty buffer; waits in turn while all are in use.
    pub(crate) async fn take(&self) -> Buffer<'_> {
        let permit = match self.permits.try_acquire() {
            Ok(permit) => permit,
            Err(_) => self
                .permits
                .acquire()
                .await
                .expect("this semaphore is never closed"),
        };
        let chunk = self
            .idle
            .lock()
            .pop()
            .unwrap_or_else(|| Arc::new(Vec::with_capacity(CHUNK_BYTES_MAX)));
        Buffer {
            pool: self,
            chunk,
            _permit: permit,
        }
    }
}

impl Buffer<'_> {
    /// The buffer to read into; none while a handler still holds it.
    pub(crate) fn bytes_mut(&mut self) -> Option<&mut Vec<u8>> {
        Arc::get_mut(&mut self.chunk)
    }

    pub(crate) fn chunk(&self) -> Chunk {
        Arc::clone(&self.chunk)
    }
}

impl Drop for Buffer<'_> {
    fn drop(&mut self) {
        if let Some(bytes) = Arc::get_mut(&mut self.chunk) {
            bytes.clear();
            let mut idle = self.pool.idle.lock();
            if idle.len() < IDLE_BUFFERS_MAX {
                idle.push(std::mem::take(&mut self.chunk));
            }
        }
    }
}
