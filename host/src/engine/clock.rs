//! Time as guests spend it: a tick every millisecond, counted while a guest is being polled.
//!
//! The ticker is an OS thread: a guest that spins can starve the timers of the runtime it spins on.

use parking_lot::{Condvar, Mutex};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Length of a tick.
pub(crate) const TICK: Duration = Duration::from_millis(1);
/// A guest gives the executor back after this many ticks.
pub(crate) const SLICE_TICKS: u64 = 5;

thread_local! {
    /// The tick at which the guest that runs on this thread was last resumed.
    static RESUMED: Cell<u64> = const { Cell::new(0) };
}

/// The current tick; cheap to copy into every instance.
#[derive(Debug, Clone)]
pub(crate) struct Clock(Arc<AtomicU64>);

impl Clock {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// To be called before each poll of a guest.
    pub(crate) fn resume(&self) {
        RESUMED.set(self.now());
    }

    /// Ticks since the guest on this thread was resumed, or since the last call of this.
    pub(crate) fn spent(&self) -> u64 {
        let now = self.now();
        now.saturating_sub(RESUMED.replace(now))
    }
}

/// The thread behind the clock; stops when dropped.
#[derive(Debug)]
pub(crate) struct Ticker {
    clock: Clock,
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts ticking; `on_tick` runs on the ticker's thread.
    pub(crate) fn start(on_tick: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let clock = Clock(Arc::new(AtomicU64::new(0)));
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let ticks = Arc::clone(&clock.0);
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("ticker".into())
            .spawn(move || {
                let (flag, condition) = &*stopped;
                let mut flag = flag.lock();
                while !*flag {
                    if condition.wait_for(&mut flag, TICK).timed_out() {
                        ticks.fetch_add(1, Ordering::Relaxed);
                        on_tick();
                    }
                }
            })?;
        Ok(Self {
            clock,
            stop,
            thread: Some(thread),
        })
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock.clone()
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        *self.stop.0.lock() = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // A ticker that panicked has stopped, which is all that is asked for.
            drop(thread.join());
        }
    }
}
