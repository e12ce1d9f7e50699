//! The WebAssembly engine: the only part of the host that names it.
//!
//! Compiles artefacts, keeps instances, runs them within their limits and turns traps into failures of statements.

pub(crate) mod clock;
mod compile;
pub(crate) mod feature_set;
pub(crate) mod link;
pub(crate) mod load;
mod needed;
mod pool;
pub(crate) mod state;
pub(crate) mod tape;
mod trap;
pub(crate) mod turns;
mod types;

pub use compile::{CompileError, compile_parts};
pub use load::LoadError;

use crate::config::{RuntimeCode, Settings};
use clock::{Clock, Ticker};
use compile::Compiler;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use turns::Turns;

/// An error of the engine; its text holds the whole chain of causes.
pub struct EngineError(wasmtime::Error);

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

impl fmt::Debug for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::error::Error for EngineError {}

/// Why the engine could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineStartError {
    /// The engine refuses its configuration, or the system the memory for it.
    #[error("the engine cannot start; fewer instances or less memory for each may help")]
    Engine(#[source] EngineError),
    /// No thread for the clock.
    #[error("the clock cannot start")]
    Clock(#[source] std::io::Error),
}

/// The engine of a process.
pub(crate) struct Engine {
    inner: wasmtime::Engine,
    ticker: Ticker,
    pub(crate) turns: Arc<Turns>,
    compiler: Compiler,
    runtime_code: RuntimeCode,
}

impl Engine {
    pub(crate) fn new(settings: &Settings) -> Result<Self, EngineStartError> {
        let config = pool::config(settings);
        let inner = wasmtime::Engine::new(&config)
            .map_err(|error| EngineStartError::Engine(EngineError(error)))?;
        let ticking = inner.weak();
        let ticker = Ticker::start(move || {
            if let Some(engine) = ticking.upgrade() {
                engine.increment_epoch();
            }
        });
        let ticker = ticker.map_err(EngineStartError::Clock)?;
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Ok(Self {
            compiler: Compiler::new(&inner, settings),
            inner,
            turns: Turns::new(ticker.clock(), processors),
            ticker,
            runtime_code: settings.runtime_code,
        })
    }

    fn clock(&self) -> Clock {
        self.ticker.clock()
    }
}
