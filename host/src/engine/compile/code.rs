//! Machine code as bytes. The only place where bytes become code that runs outside the sandbox's checks.
#![expect(
    unsafe_code,
    reason = "the engine cannot check machine code; where it comes from is the proof"
)]

use super::Part;
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

/// What a compiler of this build made: in this process, in a child that runs the same file, or read back from the cache, which nobody but the host's user can write to and whose files carry their digest.
pub(in crate::engine) struct MachineCode(Vec<u8>);

impl MachineCode {
    pub(super) fn of<P: Part>(part: &P) -> wasmtime::Result<Self> {
        part.serialize().map(Self)
    }

    /// The caller vouches that the bytes are those of [`Self::as_bytes`] of a value that a compiler of this build made.
    pub(super) fn vouched(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn component(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: the bytes are the engine's own, see the type; it checks version and settings itself.
        unsafe { Component::deserialize(engine, &self.0) }
    }

    pub(super) fn module(&self, engine: &Engine) -> wasmtime::Result<Module> {
        // SAFETY: as above.
        unsafe { Module::deserialize(engine, &self.0) }
    }
}
