//! The value runtime as it was built from `guest-sdk/runtime`: the one core module that every component of a program shares.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "three sections and one instruction of many matter"
)]

use wasmparser::{ConstExpr, ExternalKind, Operator, Parser, Payload};

/// The committed build; `cargo xtask runtime` makes it.
const COMMITTED: &[u8] = include_bytes!("../runtime.wasm");

/// The value runtime and the facts about it that generated code depends on.
#[derive(Debug, Clone)]
pub(crate) struct Runtime {
    bytes: &'static [u8],
    heap_base: u32,
    pages: u32,
}

impl Runtime {
    /// The committed build.
    pub(crate) fn committed() -> Self {
        Self::read(COMMITTED).expect("the committed value runtime is well formed")
    }

    fn read(bytes: &'static [u8]) -> Option<Self> {
        let mut globals = Vec::new();
        let mut pages = None;
        let mut heap_base = None;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.ok()? {
                Payload::MemorySection(section) => {
                    pages = u32::try_from(section.into_iter().next()?.ok()?.initial).ok();
                }
                Payload::GlobalSection(section) => {
                    for global in section {
                        globals.push(constant(&global.ok()?.init_expr));
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export.ok()?;
                        if export.name == "__heap_base" && export.kind == ExternalKind::Global {
                            heap_base = globals.get(export.index as usize).copied()?;
                        }
                    }
                }
                _ => {}
            }
        }
        Some(Runtime {
            bytes,
            heap_base: heap_base?,
            pages: pages?,
        })
    }

    /// The module.
    pub(crate) fn bytes(&self) -> &'static [u8] {
        self.bytes
    }

    /// First byte behind its stack and data.
    pub(crate) fn heap_base(&self) -> u32 {
        self.heap_base
    }

    /// Pages its memory begins with.
    pub(crate) fn pages(&self) -> u32 {
        self.pages
    }
}

fn constant(expr: &ConstExpr<'_>) -> Option<u32> {
    match expr.get_operators_reader().read().ok()? {
        Operator::I32Const { value } => u32::try_from(value).ok(),
        _ => None,
    }
}
