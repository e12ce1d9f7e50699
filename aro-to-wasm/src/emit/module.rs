//! One unit to one core module: imports, helpers, functions, constants.

use aro_runtime::abi::{EXPORTS, Export, Ty};
use aro_wit::manifest::CodeRange;
use indexmap::{IndexMap, IndexSet};
use wasm_encoder::{
    CodeSection, DataCountSection, DataSection, EntityType, ExportKind, ExportSection,
    Function as Body, FunctionSection, ImportSection, MemoryType, Module, NameMap, NameSection,
    StartSection, TypeSection, ValType,
};

use super::code::{self, Calls, Symbols};
use super::host::{self, SCRATCH_BYTES};
use super::wit::Contract;
use crate::ir::{HostFunction, Role, Unit};
use crate::runtime::Runtime;

/// Name of the core module in its name section; the host looks for it in backtraces.
pub(crate) const MODULE_NAME: &str = "feature-set";
/// Export of the function that handles the event.
pub(crate) const HANDLE: &str = "handle";
/// Export of the function that is called when the result of `handle` has been read (`post-return` of the canonical ABI).
pub(crate) const FINISH: &str = "finish";
/// Bytes of a memory page.
const PAGE_BYTES: u32 = 65_536;

/// A core module and what the component around it must provide.
#[derive(Debug)]
pub(crate) struct CoreModule {
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    /// Imported host functions as interface and name, grouped by interface.
    pub(crate) imports: IndexMap<&'static str, Vec<&'static str>>,
    /// Imported functions of the value runtime.
    pub(crate) runtime: Vec<&'static str>,
    /// Which code belongs to which statement.
    pub(crate) code: Vec<CodeRange>,
    /// Imported interfaces, each with the first statement that leads to it, if one does.
    pub(crate) asked: IndexMap<&'static str, Option<u32>>,
}

/// The entry of the value runtime's table for one export.
pub(crate) fn runtime_export(name: &str) -> Option<&'static Export> {
    EXPORTS.iter().find(|export| export.name == name)
}

/// Core types of an export of the value runtime.
pub(crate) fn runtime_signature(name: &str) -> (Vec<ValType>, Vec<ValType>) {
    let export = runtime_export(name)
        .unwrap_or_else(|| panic!("the value runtime exports no function {name}"));
    let core = |ty: &Ty| match ty {
        Ty::I32 => ValType::I32,
        Ty::I64 => ValType::I64,
        Ty::F64 => ValType::F64,
    };
    (
        export.params.iter().map(core).collect(),
        export.results.iter().map(core).collect(),
    )
}

/// Encodes a unit.
pub(crate) fn emit(unit: &Unit, contract: &Contract, runtime: &Runtime) -> CoreModule {
    let mut calls = Calls::default();
    for function in &unit.functions {
        calls.collect(function);
    }
    // Every handler resets the arena after its event and may end without a failure.
    calls.runtime.extend(["start", "reset"]);
    if unit
        .functions
        .first()
        .is_some_and(|function| !matches!(function.role, Role::Start | Role::Operation))
    {
        calls.runtime.insert("done");
    }
    let asked = asked(&calls);
    let (helpers, imports) = close_over_helpers(&mut calls);
    let mut writer = Writer {
        types: Types::default(),
        imports: ImportSection::new(),
        imported: 0,
        symbols: Symbols::default(),
    };
    writer.import_everything(&calls, &imports, contract, runtime);
    let data = writer.lay_out(unit, &helpers, runtime.heap_base());
    let by_interface = group(&imports);
    let (bytes, code) = writer.finish(unit, &helpers, &data, runtime);
    CoreModule {
        bytes,
        imports: by_interface,
        runtime: calls.runtime.into_iter().collect(),
        code,
        asked,
    }
}

/// The interfaces that helpers need, helpers of theirs included.
fn asked(calls: &Calls) -> IndexMap<&'static str, Option<u32>> {
    let mut asked = IndexMap::new();
    for (function, statement) in &calls.helpers {
        let mut pending = vec![*function];
        while let Some(function) = pending.pop() {
            let parts = host::helper(function);
            for (interface, _) in parts.imports {
                let first = asked.entry(*interface).or_insert(*statement);
                *first = match (*first, *statement) {
                    (Some(one), Some(other)) => Some(one.min(other)),
                    (one, other) => one.or(other),
                };
            }
            pending.extend(parts.helpers);
        }
    }
    asked
}

type Imports = IndexSet<(&'static str, &'static str)>;

/// Adds what helpers call, helpers of helpers first, so that the order does not depend on use.
fn close_over_helpers(calls: &mut Calls) -> (Vec<HostFunction>, Imports) {
    let mut helpers: IndexSet<HostFunction> = IndexSet::new();
    let mut pending: Vec<HostFunction> = calls.helpers.keys().copied().collect();
    while let Some(function) = pending.pop() {
        if helpers.insert(function) {
            pending.extend(host::helper(function).helpers);
        }
    }
    helpers.sort();
    let mut imports = Imports::new();
    for function in &helpers {
        let parts = host::helper(*function);
        imports.extend(parts.imports);
        calls.runtime.extend(parts.runtime);
    }
    imports.sort();
    calls.runtime.sort();
    (helpers.into_iter().collect(), imports)
}

fn group(imports: &Imports) -> IndexMap<&'static str, Vec<&'static str>> {
    let mut groups: IndexMap<&'static str, Vec<&'static str>> = IndexMap::new();
    for (interface, function) in imports {
        groups.entry(interface).or_default().push(function);
    }
    groups
}

/// The last part of an interface name, under which the core module imports its functions.
pub(crate) fn short_name(interface: &str) -> &str {
    let path = interface
        .split_once('@')
        .map_or(interface, |(path, _)| path);
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

#[derive(Default)]
struct Types {
    section: TypeSection,
    known: IndexMap<(Vec<ValType>, Vec<ValType>), u32>,
}

impl Types {
    fn index(&mut self, params: Vec<ValType>, results: Vec<ValType>) -> u32 {
        let next = self.known.len() as u32;
        *self
            .known
            .entry((params, results))
            .or_insert_with_key(|(params, results)| {
                self.section
                    .ty()
                    .function(params.iter().copied(), results.iter().copied());
                next
            })
    }
}

struct Writer {
    types: Types,
    imports: ImportSection,
    imported: u32,
    symbols: Symbols,
}

impl Writer {
    fn import_everything(
        &mut self,
        calls: &Calls,
        imports: &Imports,
        contract: &Contract,
        runtime: &Runtime,
    ) {
        let memory = MemoryType {
            minimum: u64::from(runtime.pages()),
            maximum: None,
            memory64: false,
            shared: false,
            page_size_log2: None,
        };
        self.imports.import(
            aro_wit::RUNTIME_IMPORT,
            "memory",
            EntityType::Memory(memory),
        );
        for name in &calls.runtime {
            let (params, results) = runtime_signature(name);
            let index = self.import(aro_wit::RUNTIME_IMPORT, name, params, results);
            self.symbols.runtime.insert(name, index);
        }
        for (interface, name) in imports {
            let function = contract
                .function(interface, name)
                .expect("helpers import functions of the contract");
            let (params, results) = contract.import_signature(function);
            let index = self.import(short_name(interface), name, params, results);
            self.symbols.imports.insert((interface, name), index);
        }
    }

    fn import(
        &mut self,
        module: &str,
        name: &str,
        params: Vec<ValType>,
        results: Vec<ValType>,
    ) -> u32 {
        let ty = self.types.index(params, results);
        self.imports.import(module, name, EntityType::Function(ty));
        self.imported += 1;
        self.imported - 1
    }

    /// Puts the scratch area at the heap's base and the texts behind it.
    fn lay_out(&mut self, unit: &Unit, helpers: &[HostFunction], base: u32) -> Layout {
        let scratch = base.next_multiple_of(8);
        let first = scratch + SCRATCH_BYTES;
        let mut bytes = Vec::new();
        let helper_texts = helpers
            .iter()
            .flat_map(|function| host::texts(*function))
            .map(|text| text.as_bytes().to_vec());
        for text in unit.texts.iter().cloned().chain(helper_texts) {
            let address = first + bytes.len() as u32;
            let length = text.len() as u32;
            if !self.symbols.texts.contains_key(&text) {
                bytes.extend_from_slice(&text);
                self.symbols.texts.insert(text, (address, length));
            }
        }
        Layout {
            scratch,
            first,
            bytes,
        }
    }

    fn finish(
        mut self,
        unit: &Unit,
        helpers: &[HostFunction],
        data: &Layout,
        runtime: &Runtime,
    ) -> (Vec<u8>, Vec<CodeRange>) {
        let mut functions = FunctionSection::new();
        let mut code = CodeSection::new();
        let mut names = NameMap::new();
        let mut ranges = Vec::new();
        let start = self.imported;
        functions.function(self.types.index(Vec::new(), Vec::new()));
        functions.function(self.types.index(vec![ValType::I32], Vec::new()));
        for (offset, function) in helpers.iter().enumerate() {
            let parts = host::helper(*function);
            functions.function(
                self.types
                    .index(parts.params.to_vec(), parts.results.to_vec()),
            );
            self.symbols
                .helpers
                .insert(*function, start + 2 + offset as u32);
        }
        self.symbols.first_function = start + 2 + helpers.len() as u32;
        for function in &unit.functions {
            let params = function
                .role
                .parameters()
                .iter()
                .map(|kind| code::core_type(*kind))
                .collect();
            functions.function(self.types.index(params, vec![ValType::I32]));
        }
        code.function(&self.start_function(data, runtime));
        names.append(start, "start");
        code.function(&self.finish_function());
        names.append(start + 1, FINISH);
        for (function, index) in &self.symbols.helpers {
            code.function(&host::body(*function, &self.symbols, data.scratch as i32));
            names.append(*index, &format!("{function:?}"));
        }
        for (offset, function) in unit.functions.iter().enumerate() {
            let index = self.symbols.first_function + offset as u32;
            let (body, found) = code::encode(function, index, &self.symbols);
            code.function(&body);
            names.append(index, &function.name);
            ranges.extend(found);
        }
        (self.assemble(&functions, &code, &names, data), ranges)
    }

    /// Runs once for each instance: constants into place, arena behind them.
    fn start_function(&self, data: &Layout, runtime: &Runtime) -> Body {
        let mut body = Body::new([]);
        let end = data.first + data.bytes.len() as u32;
        let missing = end.div_ceil(PAGE_BYTES).saturating_sub(runtime.pages());
        let mut sink = body.instructions();
        if missing > 0 {
            sink.i32_const(missing as i32)
                .memory_grow(0)
                .i32_const(-1)
                .i32_eq();
            sink.if_(wasm_encoder::BlockType::Empty).unreachable().end();
        }
        if !data.bytes.is_empty() {
            sink.i32_const(data.first as i32)
                .i32_const(0)
                .i32_const(data.bytes.len() as i32)
                .memory_init(0, 0);
        }
        sink.i32_const(end as i32)
            .call(self.symbols.runtime("start"))
            .end();
        body
    }

    /// Frees what the event has used, so that the instance can take another.
    fn finish_function(&self) -> Body {
        let mut body = Body::new([]);
        body.instructions()
            .call(self.symbols.runtime("reset"))
            .end();
        body
    }

    fn assemble(
        self,
        functions: &FunctionSection,
        code: &CodeSection,
        names: &NameMap,
        data: &Layout,
    ) -> Vec<u8> {
        let mut exports = ExportSection::new();
        exports.export(HANDLE, ExportKind::Func, self.symbols.first_function);
        exports.export(FINISH, ExportKind::Func, self.imported + 1);
        let mut module = Module::new();
        module
            .section(&self.types.section)
            .section(&self.imports)
            .section(functions)
            .section(&exports);
        module.section(&StartSection {
            function_index: self.imported,
        });
        let mut segments = DataSection::new();
        if !data.bytes.is_empty() {
            segments.passive(data.bytes.iter().copied());
            module.section(&DataCountSection { count: 1 });
        }
        module.section(code);
        if !data.bytes.is_empty() {
            module.section(&segments);
        }
        let mut section = NameSection::new();
        section.module(MODULE_NAME);
        section.functions(names);
        module.section(&section);
        module.finish()
    }
}

struct Layout {
    scratch: u32,
    first: u32,
    bytes: Vec<u8>,
}
