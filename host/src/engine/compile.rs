//! From Wasm to machine code. What is in use is shared, what was compiled before is read from the cache, and the rest is compiled in this process or, where programs are others', in one that can do nothing else.

mod cache;
mod child;
mod code;

pub use child::compile_parts;

use crate::config::{ArtifactLimits, CompileIn, Settings};
use cache::Cache;
use child::{Child, ChildError};
use code::MachineCode;
use parking_lot::{Condvar, Mutex, MutexGuard};
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};
use wasmtime::Module;
use wasmtime::component::Component;

/// Why there is no machine code.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// The engine does not take the Wasm.
    #[error("{reason}")]
    Refused {
        /// What the engine said, with all causes.
        reason: String,
    },
    /// The process that compiles cannot be started or does not answer as it should.
    #[error("the process that compiles cannot be used")]
    Process(#[source] std::io::Error),
    /// The process that compiles exceeded a limit or ended otherwise.
    #[error("{0}")]
    Ended(String),
    /// Its machine code cannot be used here.
    #[error("the machine code cannot be used: {reason}")]
    Unusable {
        /// What the engine said.
        reason: String,
    },
}

/// SHA-256 of Wasm, of what it is, and of the engine's version and settings.
type Key = [u8; 32];

/// What Wasm is compiled as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Component,
    Module,
}

/// Processes that compile at once: their memory is what one may use times this.
const CHILDREN_MAX: usize = 4;

/// What has machine code: a component or a module.
pub(super) trait Part: Sized {
    const KIND: Kind;

    fn compile(engine: &wasmtime::Engine, wasm: &[u8]) -> wasmtime::Result<Self>;
    fn serialize(&self) -> wasmtime::Result<Vec<u8>>;
    fn from_code(engine: &wasmtime::Engine, code: &MachineCode) -> wasmtime::Result<Self>;
    fn known(compiler: &Compiler) -> MutexGuard<'_, Known<Self>>;
}

/// Makes machine code, one [`Session`] for each program.
pub(super) struct Compiler {
    engine: wasmtime::Engine,
    place: CompileIn,
    cache: Option<Cache>,
    components: Mutex<Known<Component>>,
    modules: Mutex<Known<Module>>,
    children: Children,
}

impl Compiler {
    pub(super) fn new(engine: &wasmtime::Engine, settings: &Settings) -> Self {
        let limit = settings.artifact.code_cache_bytes_max;
        let open = |directory: &std::path::PathBuf| match Cache::open(directory, limit) {
            Ok(cache) => Some(cache),
            Err(error) => {
                let path = directory.display();
                tracing::warn!(%path, %error, "the cache of compiled code is not used");
                None
            }
        };
        Self {
            engine: engine.clone(),
            place: settings.compile_in.clone(),
            cache: settings.code_cache.as_ref().and_then(open),
            components: Mutex::default(),
            modules: Mutex::default(),
            children: Children::default(),
        }
    }

    /// Compiles the parts of one program within `limits`.
    pub(super) fn session<'a>(&'a self, limits: &'a ArtifactLimits) -> Session<'a> {
        Session {
            compiler: self,
            limits,
            child: None,
        }
    }

    fn key(&self, kind: Kind, wasm: &[u8]) -> Key {
        let mut hash = Hash256(Sha256::new());
        self.engine.precompile_compatibility_hash().hash(&mut hash);
        hash.write(&[kind as u8]);
        hash.write(wasm);
        hash.0.finalize().into()
    }
}

/// The parts of one program on their way to machine code; ends the process that it started.
pub(super) struct Session<'a> {
    compiler: &'a Compiler,
    limits: &'a ArtifactLimits,
    child: Option<(Child, Slot<'a>)>,
}

impl Session<'_> {
    /// The machine code of valid Wasm.
    pub(super) fn part<P: Part>(&mut self, wasm: &[u8]) -> Result<Arc<P>, CompileError> {
        let key = self.compiler.key(P::KIND, wasm);
        if let Some(part) = P::known(self.compiler).get(&key) {
            return Ok(part);
        }
        let part = match self.cached(&key) {
            Some(part) => part,
            None => self.compiled(&key, wasm)?,
        };
        Ok(P::known(self.compiler).enter(key, part))
    }

    fn cached<P: Part>(&self, key: &Key) -> Option<P> {
        let cache = self.compiler.cache.as_ref()?;
        let code = cache.read(key)?;
        match P::from_code(&self.compiler.engine, &code) {
            Ok(part) => Some(part),
            Err(error) => {
                // Another version of the engine wrote it, or the machine has another processor now.
                tracing::debug!(%error, "compiled code is made anew");
                None
            }
        }
    }

    fn compiled<P: Part>(&mut self, key: &Key, wasm: &[u8]) -> Result<P, CompileError> {
        let compiler = self.compiler;
        let bytes = wasm.len();
        tracing::debug!(kind = ?P::KIND, bytes, "machine code is made");
        let unusable = |error: wasmtime::Error| CompileError::Unusable {
            reason: format!("{error:#}"),
        };
        if let CompileIn::Child(program) = &compiler.place {
            let code = self.in_child(program, P::KIND, wasm)?;
            if let Some(cache) = &compiler.cache {
                cache.write(key, &code);
            }
            return P::from_code(&compiler.engine, &code).map_err(unusable);
        }
        let part = P::compile(&compiler.engine, wasm).map_err(|error| CompileError::Refused {
            reason: format!("{error:#}"),
        })?;
        if let Some(cache) = &compiler.cache {
            let code = MachineCode::of(&part).map_err(unusable)?;
            cache.write(key, &code);
        }
        Ok(part)
    }

    fn in_child(
        &mut self,
        program: &std::path::Path,
        kind: Kind,
        wasm: &[u8],
    ) -> Result<MachineCode, CompileError> {
        let (child, _) = match &mut self.child {
            Some(child) => child,
            None => {
                let slot = self.compiler.children.enter();
                let child = Child::start(program, self.limits).map_err(CompileError::Process)?;
                self.child.insert((child, slot))
            }
        };
        let answer = child.compile(kind, wasm);
        if let Err(ChildError::Ended(_) | ChildError::Io(_)) = &answer {
            self.child = None;
        }
        answer.map_err(|error| match error {
            ChildError::Refused(reason) => CompileError::Refused { reason },
            ChildError::Ended(why) => CompileError::Ended(why),
            ChildError::Io(error) => CompileError::Process(error),
        })
    }
}

/// Machine code in use, which equal Wasm of all programs and tenants shares.
pub(super) struct Known<P>(FxHashMap<Key, Weak<P>>);

impl<P> Default for Known<P> {
    fn default() -> Self {
        Self(FxHashMap::default())
    }
}

impl<P> Known<P> {
    fn get(&self, key: &Key) -> Option<Arc<P>> {
        self.0.get(key)?.upgrade()
    }

    /// Notes a part; answers the one that somebody else noted meanwhile.
    fn enter(&mut self, key: Key, part: P) -> Arc<P> {
        if let Some(part) = self.get(&key) {
            return part;
        }
        if self.0.len() == self.0.capacity() {
            // What no program uses any more, so that the table grows with what is in use only.
            self.0.retain(|_, part| part.strong_count() > 0);
        }
        let part = Arc::new(part);
        self.0.insert(key, Arc::downgrade(&part));
        part
    }
}

impl Part for Component {
    const KIND: Kind = Kind::Component;

    fn compile(engine: &wasmtime::Engine, wasm: &[u8]) -> wasmtime::Result<Self> {
        Self::new(engine, wasm)
    }

    fn serialize(&self) -> wasmtime::Result<Vec<u8>> {
        self.serialize()
    }

    fn from_code(engine: &wasmtime::Engine, code: &MachineCode) -> wasmtime::Result<Self> {
        code.component(engine)
    }

    fn known(compiler: &Compiler) -> MutexGuard<'_, Known<Self>> {
        compiler.components.lock()
    }
}

impl Part for Module {
    const KIND: Kind = Kind::Module;

    fn compile(engine: &wasmtime::Engine, wasm: &[u8]) -> wasmtime::Result<Self> {
        Self::new(engine, wasm)
    }

    fn serialize(&self) -> wasmtime::Result<Vec<u8>> {
        self.serialize()
    }

    fn from_code(engine: &wasmtime::Engine, code: &MachineCode) -> wasmtime::Result<Self> {
        code.module(engine)
    }

    fn known(compiler: &Compiler) -> MutexGuard<'_, Known<Self>> {
        compiler.modules.lock()
    }
}

/// How many processes compile.
#[derive(Default)]
struct Children {
    running: Mutex<usize>,
    ended: Condvar,
}

impl Children {
    /// Waits until one more may run; those before it are cut off by their time limit.
    fn enter(&self) -> Slot<'_> {
        let mut running = self.running.lock();
        self.ended
            .wait_while(&mut running, |running| *running >= CHILDREN_MAX);
        *running += 1;
        Slot(self)
    }
}

/// The right to run one process that compiles.
struct Slot<'a>(&'a Children);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        *self.0.running.lock() -= 1;
        self.0.ended.notify_one();
    }
}

/// SHA-256 of what is hashed.
struct Hash256(Sha256);

impl Hasher for Hash256 {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        digest
            .iter()
            .take(8)
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}
