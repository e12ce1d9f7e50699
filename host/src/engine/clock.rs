//! Time as guests spend it: a tick every five milliseconds while guests run, counted while a guest is being polled.
//!
//! The ticker is an OS thread: a guest that spins can starve the timers of the runtime it spins on. It sleeps while no guest runs, so that an idle host uses no CPU.

use parking_lot::{Condvar, Mutex};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Length of a tick.
pub(crate) const TICK: Duration = Duration::from_millis(TICK_MILLIS);
const TICK_MILLIS: u64 = 5;
/// A guest gives the executor back after this many ticks. Shorter ones were measured (`cargo xtask bench neighbours`): others answer no sooner, because by then the processors are shared by the system.
pub(crate) const SLICE_TICKS: u64 = 2;
/// The ticker goes to sleep after this many ticks without a guest at work.
const IDLE_TICKS_MAX: u32 = 20;

thread_local! {
    /// The tick at which the guest that runs on this thread was last resumed.
    static RESUMED: Cell<u64> = const { Cell::new(0) };
}

/// The current tick; cheap to copy into every instance.
#[derive(Debug, Clone)]
pub(crate) struct Clock(Arc<Face>);

/// What the ticker and all that are timed share.
#[derive(Debug, Default)]
struct Face {
    ticks: AtomicU64,
    /// Guests that are being polled.
    running: AtomicUsize,
    /// Whether the ticker sleeps, or is about to.
    asleep: AtomicBool,
    stopped: Mutex<bool>,
    woken: Condvar,
}

/// A guest is being polled while this lives.
#[derive(Debug)]
pub(crate) struct Running<'a>(&'a Face);

/// How long so many ticks are.
pub(crate) fn duration(ticks: u64) -> Duration {
    Duration::from_millis(ticks.saturating_mul(TICK_MILLIS))
}

impl Clock {
    pub(super) fn now(&self) -> u64 {
        self.0.ticks.load(Ordering::Relaxed)
    }

    /// To be called before each poll of a guest; the result is kept until the poll is over.
    pub(crate) fn resume(&self) -> Running<'_> {
        let face = &*self.0;
        // The ticker says that it falls asleep before it looks for guests, and a guest says that it runs before it looks for the ticker: in one order for all threads, at least one of them sees the other.
        face.running.fetch_add(1, Ordering::SeqCst);
        if face.asleep.load(Ordering::SeqCst) {
            drop(face.stopped.lock());
            face.woken.notify_all();
        }
        RESUMED.set(self.now());
        Running(face)
    }

    /// To be called after a wait during which other guests may have run on this thread.
    pub(crate) fn mark(&self) {
        RESUMED.set(self.now());
    }

    /// Ticks since the guest on this thread was resumed, or since the last call of this.
    pub(crate) fn spent(&self) -> u64 {
        let now = self.now();
        now.saturating_sub(RESUMED.replace(now))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Release);
    }
}

impl Face {
    /// Ticks until it is stopped.
    fn tick(&self, on_tick: impl Fn()) {
        let mut idle_ticks = 0;
        let mut stopped = self.stopped.lock();
        while !*stopped {
            if idle_ticks >= IDLE_TICKS_MAX {
                self.asleep.store(true, Ordering::SeqCst);
                if self.running.load(Ordering::SeqCst) == 0 {
                    self.woken.wait(&mut stopped);
                }
                self.asleep.store(false, Ordering::Relaxed);
                idle_ticks = 0;
            } else if self.woken.wait_for(&mut stopped, TICK).timed_out() {
                self.ticks.fetch_add(1, Ordering::Relaxed);
                on_tick();
                idle_ticks = match self.running.load(Ordering::Relaxed) {
                    0 => idle_ticks + 1,
                    _ => 0,
                };
            }
        }
    }
}

/// The thread behind the clock; stops when dropped.
#[derive(Debug)]
pub(crate) struct Ticker {
    clock: Clock,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts ticking; `on_tick` runs on the ticker's thread.
    pub(crate) fn start(on_tick: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let clock = Clock(Arc::default());
        let face = Arc::clone(&clock.0);
        let thread = std::thread::Builder::new()
            .name("ticker".into())
            .spawn(move || face.tick(on_tick))?;
        Ok(Self {
            clock,
            thread: Some(thread),
        })
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock.clone()
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        *self.clock.0.stopped.lock() = true;
        self.clock.0.woken.notify_all();
        if let Some(thread) = self.thread.take() {
            // A ticker that panicked has stopped, which is all that is asked for.
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_of_years_are_told() {
        assert_eq!(duration(3), Duration::from_millis(15));
        let day = Duration::from_secs(86_400);
        let ticks_a_day = u64::try_from(day.as_millis()).unwrap() / TICK_MILLIS;
        assert_eq!(duration(2500 * ticks_a_day), day * 2500);
    }
    use std::time::Instant;

    #[test]
    fn ticker_sleeps_while_nothing_runs_and_wakes_for_a_guest() {
        let ticker = Ticker::start(|| ()).unwrap();
        let clock = ticker.clock();
        let deadline = Instant::now() + Duration::from_secs(30);
        while !clock.0.asleep.load(Ordering::SeqCst) {
            assert!(Instant::now() < deadline, "the ticker never sleeps");
            std::thread::yield_now();
        }
        let before = clock.now();
        let running = clock.resume();
        while clock.now() < before + u64::from(IDLE_TICKS_MAX) * 2 {
            assert!(Instant::now() < deadline, "the ticker sleeps on");
            std::thread::yield_now();
        }
        assert!(!clock.0.asleep.load(Ordering::SeqCst));
        assert!(clock.spent() > 0);
        drop(running);
    }
}
