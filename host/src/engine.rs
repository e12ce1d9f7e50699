//! The WebAssembly engine: the only part of the host that names it.
//!
//! Compiles artefacts, keeps instances, runs them within their limits and turns traps into failures of statements.

pub(crate) mod clock;
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

pub use load::LoadError;

use crate::config::{RuntimeCode, Settings};
use clock::{Clock, Ticker};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use turns::Turns;
use wasmtime::Module;

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

/// SHA-256 of a value runtime.
type Digest256 = [u8; 32];

/// The engine of a process.
pub(crate) struct Engine {
    inner: wasmtime::Engine,
    ticker: Ticker,
    pub(crate) turns: Arc<Turns>,
    /// Value runtimes compiled so far; every program built by one compiler shares one.
    runtimes: Mutex<FxHashMap<Digest256, Module>>,
    runtime_code: RuntimeCode,
}

/// Value runtimes kept at once; a host that meets more forgets the others' sharing, not the programs.
const RUNTIMES_MAX: usize = 64;

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
            inner,
            turns: Turns::new(ticker.clock(), processors),
            ticker,
            runtimes: Mutex::default(),
            runtime_code: settings.runtime_code,
        })
    }

    fn clock(&self) -> Clock {
        self.ticker.clock()
    }

    /// Compiles a value runtime for a program that uses `exports` of it, or finds the machine code of the same bytes.
    fn runtime(&self, bytes: &[u8], exports: &BTreeSet<String>) -> Result<Module, EngineError> {
        if self.runtime_code == RuntimeCode::Needed {
            let part = needed::only(bytes, exports);
            return Module::new(&self.inner, part.as_deref().unwrap_or(bytes)).map_err(EngineError);
        }
        let digest: Digest256 = Sha256::digest(bytes).into();
        if let Some(module) = self.runtimes.lock().get(&digest) {
            return Ok(module.clone());
        }
        let module = Module::new(&self.inner, bytes).map_err(EngineError)?;
        let mut runtimes = self.runtimes.lock();
        if runtimes.len() >= RUNTIMES_MAX {
            runtimes.clear();
        }
        runtimes.insert(digest, module.clone());
        Ok(module)
    }
}
