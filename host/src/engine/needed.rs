//! A value runtime without what a program does not call.
//!
//! The value runtime serves every program, and most programs call a small part of it. Compiling is most of what starting a program costs, so a process that runs one program compiles that part alone: other functions and exports are left out, and those that stay are numbered anew. Functions in tables stay, because their places there must; those that nothing calls trap.
//!
//! Needed is what the named exports call, directly or through a table. A call through a table reaches every function of its type in any table, because nothing is known of the index.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "all other sections and instructions name no function"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use rustc_hash::FxHashSet;
use wasmparser::{
    ElementItems, ElementKind, Export, ExternalKind, FuncType, FunctionBody, Operator, Parser,
    Payload, TypeRef,
};

/// A body that traps: its size, no locals, `unreachable`, `end`.
const TRAP: [u8; 4] = [3, 0, 0x00, 0x0b];
/// Magic number and version of a module.
const HEADER_BYTES: usize = 8;
/// Sections that are written anew, or left out as they name functions for people.
const CUSTOM_SECTION: u8 = 0;
const FUNCTION_SECTION: u8 = 3;
const EXPORT_SECTION: u8 = 7;
const START_SECTION: u8 = 8;
const ELEMENT_SECTION: u8 = 9;
const CODE_SECTION: u8 = 10;
/// A segment of function indices that begins at a constant place of the first table.
const ACTIVE_SEGMENT: u8 = 0;
/// Instructions that name a function.
const CALL: u8 = 0x10;
const RETURN_CALL: u8 = 0x12;

/// The valid module `bytes` with nothing but what `exports` need; `None` for a module that imports functions or refers to them in ways that compiled value runtimes do not.
pub(super) fn only(bytes: &[u8], exports: &BTreeSet<String>) -> Option<Vec<u8>> {
    let mut functions = Functions::read(bytes, exports)?;
    let needed = functions.needed()?;
    functions.write(bytes, &needed)
}

/// The functions of a module, by index, and what names them.
#[derive(Default)]
struct Functions<'a> {
    types: Vec<FuncType>,
    /// Index of the type of each function.
    functions: Vec<u32>,
    bodies: Vec<FunctionBody<'a>>,
    exports: Vec<Export<'a>>,
    start: Option<u32>,
    segments: Vec<Segment>,
    /// Functions that are needed and not looked into yet.
    open: Vec<u32>,
}

/// Functions that are put into the first table.
struct Segment {
    /// The constant expression of the first place.
    place: Range<usize>,
    functions: Vec<u32>,
}

impl<'a> Functions<'a> {
    fn read(bytes: &'a [u8], exports: &BTreeSet<String>) -> Option<Self> {
        let mut read = Self::default();
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.ok()? {
                Payload::TypeSection(section) => {
                    let types = section.into_iter_err_on_gc_types();
                    read.types = types.collect::<Result<_, _>>().ok()?;
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        if let TypeRef::Func(_) = import.ok()?.ty {
                            return None;
                        }
                    }
                }
                Payload::FunctionSection(section) => {
                    read.functions = section.into_iter().collect::<Result<_, _>>().ok()?;
                }
                Payload::GlobalSection(section) => {
                    for global in section {
                        for operator in global.ok()?.init_expr.get_operators_reader() {
                            if let Operator::RefFunc { .. } = operator.ok()? {
                                return None;
                            }
                        }
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export.ok()?;
                        if exports.contains(export.name) {
                            read.exports.push(export);
                        }
                    }
                }
                Payload::StartSection { func, .. } => read.start = Some(func),
                Payload::ElementSection(section) => {
                    for element in section {
                        let element = element.ok()?;
                        read.segments
                            .push(Segment::read(&element.kind, element.items)?);
                    }
                }
                Payload::CodeSectionEntry(body) => read.bodies.push(body),
                _ => {}
            }
        }
        read.open_roots();
        Some(read)
    }

    /// Opens what others can call.
    fn open_roots(&mut self) {
        self.open.extend(self.start);
        for export in &self.exports {
            match export.kind {
                ExternalKind::Func => self.open.push(export.index),
                // Whoever gets a table may call what is in it.
                ExternalKind::Table => {
                    let functions = self.segments.iter().flat_map(|segment| &segment.functions);
                    self.open.extend(functions);
                }
                _ => {}
            }
        }
    }

    /// Everything that the open functions reach.
    fn needed(&mut self) -> Option<FxHashSet<u32>> {
        let mut needed = FxHashSet::default();
        let mut called = FxHashSet::default();
        while !self.open.is_empty() {
            while let Some(function) = self.open.pop() {
                if needed.insert(function) {
                    self.look_into(function, &mut called)?;
                }
            }
            for function in self.segments.iter().flat_map(|segment| &segment.functions) {
                let ty = self.types.get(self.type_of(*function)? as usize)?;
                if called.contains(ty) && !needed.contains(function) {
                    self.open.push(*function);
                }
            }
        }
        Some(needed)
    }

    /// Opens what a function calls, and notes the types of its calls through tables.
    fn look_into(&mut self, function: u32, called: &mut FxHashSet<FuncType>) -> Option<()> {
        let body = self.bodies.get(function as usize)?;
        for operator in body.get_operators_reader().ok()? {
            match operator.ok()? {
                Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                    self.open.push(function_index);
                }
                Operator::CallIndirect { type_index, .. }
                | Operator::ReturnCallIndirect { type_index, .. } => {
                    called.insert(self.types.get(type_index as usize)?.clone());
                }
                Operator::RefFunc { .. } => return None,
                _ => {}
            }
        }
        Some(())
    }

    fn type_of(&self, function: u32) -> Option<u32> {
        self.functions.get(function as usize).copied()
    }

    fn write(&self, bytes: &[u8], needed: &FxHashSet<u32>) -> Option<Vec<u8>> {
        let in_tables = self.segments.iter().flat_map(|segment| &segment.functions);
        let kept: BTreeSet<u32> = needed.iter().chain(in_tables).copied().collect();
        let numbers: Numbers = kept.iter().copied().zip(0..).collect();
        let mut out = bytes.get(..HEADER_BYTES)?.to_vec();
        for payload in Parser::new(0).parse_all(bytes) {
            let Some((id, range)) = payload.ok()?.as_section() else {
                continue;
            };
            let mut section = Vec::new();
            match id {
                CUSTOM_SECTION => continue,
                FUNCTION_SECTION => {
                    write_number(&mut section, kept.len());
                    for function in &kept {
                        write_number(&mut section, self.type_of(*function)? as usize);
                    }
                }
                EXPORT_SECTION => self.write_exports(&mut section, &numbers)?,
                START_SECTION => write_number(&mut section, *numbers.get(&self.start?)?),
                ELEMENT_SECTION => self.write_segments(&mut section, bytes, &numbers)?,
                CODE_SECTION => {
                    write_number(&mut section, kept.len());
                    for function in &kept {
                        if needed.contains(function) {
                            let body = self.bodies.get(*function as usize)?;
                            let body = renumbered(body, bytes, &numbers)?;
                            write_bytes(&mut section, &body);
                        } else {
                            section.extend(TRAP);
                        }
                    }
                }
                _ => section.extend(bytes.get(range)?),
            }
            out.push(id);
            write_bytes(&mut out, &section);
        }
        Some(out)
    }

    fn write_exports(&self, out: &mut Vec<u8>, numbers: &Numbers) -> Option<()> {
        write_number(out, self.exports.len());
        for export in &self.exports {
            write_bytes(out, export.name.as_bytes());
            let (kind, index) = match export.kind {
                ExternalKind::Func => (0, *numbers.get(&export.index)?),
                ExternalKind::Table => (1, export.index as usize),
                ExternalKind::Memory => (2, export.index as usize),
                ExternalKind::Global => (3, export.index as usize),
                _ => return None,
            };
            out.push(kind);
            write_number(out, index);
        }
        Some(())
    }

    fn write_segments(&self, out: &mut Vec<u8>, bytes: &[u8], numbers: &Numbers) -> Option<()> {
        write_number(out, self.segments.len());
        for segment in &self.segments {
            out.push(ACTIVE_SEGMENT);
            out.extend(bytes.get(segment.place.clone())?);
            write_number(out, segment.functions.len());
            for function in &segment.functions {
                write_number(out, *numbers.get(function)?);
            }
        }
        Some(())
    }
}

impl Segment {
    fn read(kind: &ElementKind<'_>, items: ElementItems<'_>) -> Option<Self> {
        match (kind, items) {
            (
                ElementKind::Active {
                    table_index: None | Some(0),
                    offset_expr,
                },
                ElementItems::Functions(functions),
            ) => Some(Self {
                place: offset_expr.get_binary_reader().range(),
                functions: functions.into_iter().collect::<Result<_, _>>().ok()?,
            }),
            _ => None,
        }
    }
}

/// New indices of functions by their old ones.
type Numbers = BTreeMap<u32, usize>;

/// A body that calls functions by their new indices.
fn renumbered(body: &FunctionBody<'_>, bytes: &[u8], numbers: &Numbers) -> Option<Vec<u8>> {
    let range = body.range();
    let mut out = Vec::with_capacity(range.len());
    // What precedes this has been written.
    let mut written = range.start;
    let mut operators = body.get_operators_reader().ok()?;
    while !operators.eof() {
        let start = operators.original_position();
        let (instruction, function) = match operators.read().ok()? {
            Operator::Call { function_index } => (CALL, function_index),
            Operator::ReturnCall { function_index } => (RETURN_CALL, function_index),
            _ => continue,
        };
        out.extend(bytes.get(written..start)?);
        out.push(instruction);
        write_number(&mut out, *numbers.get(&function)?);
        written = operators.original_position();
    }
    out.extend(bytes.get(written..range.end)?);
    Some(out)
}

/// Bytes behind their number.
fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_number(out, bytes.len());
    out.extend(bytes);
}

/// Unsigned LEB128.
fn write_number(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(number as u8 & 0x7f | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Functions 0 to 5: `$unused`, `$add`, `$twice`, `$plain`, `through`, `added`.
    const MODULE: &str = r#"(module
        (type $binary (func (param i32 i32) (result i32)))
        (type $unary (func (param i32) (result i32)))
        (table 3 funcref)
        (elem (i32.const 1) $add $twice)
        (func $unused (export "unused") (call $unused))
        (func $add (type $binary) (i32.add (local.get 0) (local.get 1)))
        (func $twice (type $unary) (call $add (local.get 0) (local.get 0)))
        (func $plain (export "plain") (result i32) (i32.const 7))
        (func (export "through") (result i32)
            (drop (call $plain)) (drop (call $plain))
            (call_indirect (type $unary) (i32.const 21) (i32.const 2)))
        (func (export "added") (result i32) (local i64)
            (call_indirect (type $binary) (call $plain) (i32.const 2) (i32.const 1)))
        (memory (export "memory") 1)
        (data (i32.const 0) "kept")
    )"#;

    /// The text of what is left.
    fn left(exports: &[&str]) -> String {
        let bytes = wat::parse_str(MODULE).unwrap();
        let exports = exports.iter().map(|name| (*name).to_owned()).collect();
        let module = only(&bytes, &exports).unwrap();
        wasmparser::validate(&module).unwrap();
        let mut names = Vec::new();
        let mut bodies = Vec::new();
        for payload in Parser::new(0).parse_all(&module) {
            match payload.unwrap() {
                Payload::CodeSectionEntry(body) if module[body.range()] == TRAP[1..] => {
                    bodies.push("trap".to_owned());
                }
                Payload::CodeSectionEntry(body) => {
                    let operators = body.get_operators_reader().unwrap();
                    let calls = operators.into_iter().filter_map(|operator| match operator {
                        Ok(Operator::Call { function_index }) => Some(function_index),
                        _ => None,
                    });
                    bodies.push(format!("{:?}", calls.collect::<Vec<_>>()));
                }
                Payload::ExportSection(section) => {
                    let name = |export: Export<'_>| format!("{}={}", export.name, export.index);
                    names.extend(section.into_iter().map(|export| name(export.unwrap())));
                }
                Payload::ElementSection(section) => {
                    for element in section {
                        let ElementItems::Functions(functions) = element.unwrap().items else {
                            panic!("functions");
                        };
                        let functions: Result<Vec<u32>, _> = functions.into_iter().collect();
                        names.push(format!("table {:?}", functions.unwrap()));
                    }
                }
                _ => {}
            }
        }
        format!("{}: {}", names.join(" "), bodies.join(" "))
    }

    #[test]
    fn what_is_not_reached_is_left_out() {
        assert_eq!(
            left(&["plain", "memory"]),
            "plain=2 memory=0 table [0, 1]: trap trap []"
        );
        assert_eq!(left(&[]), "table [0, 1]: trap trap");
    }

    #[test]
    fn calls_through_the_table_reach_functions_of_their_type() {
        assert_eq!(
            left(&["through"]),
            "through=3 table [0, 1]: [] [0] [] [2, 2]"
        );
        assert_eq!(left(&["added"]), "added=3 table [0, 1]: [] trap [] [2]");
    }

    #[test]
    fn calls_are_numbered_anew() {
        assert_eq!(
            left(&["unused", "through", "added"]),
            "unused=0 through=4 added=5 table [1, 2]: [0] [] [1] [] [3, 3] [3]"
        );
    }

    #[test]
    fn modules_of_other_forms_are_not_taken_apart() {
        for text in [
            r#"(module (import "a" "b" (func)))"#,
            "(module (func) (global funcref (ref.func 0)))",
            "(module (func) (elem func 0))",
        ] {
            let bytes = wat::parse_str(text).unwrap();
            assert_eq!(only(&bytes, &BTreeSet::new()), None, "{text}");
        }
    }
}
