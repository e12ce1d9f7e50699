//! A value runtime without what a program does not call.
//!
//! The value runtime serves every program, and most programs call a small part of it. Compiling is most of what starting a program costs, so a process that runs one program compiles that part alone: the body of every other function becomes a trap; indices, exports and data stay as they are.
//!
//! Needed is what the named exports call, directly or through a table. A call through a table reaches every function of its type whose reference anything takes, because nothing is known of the index.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "all other sections and instructions name no function"
)]

use std::collections::BTreeSet;

use rustc_hash::FxHashSet;
use wasmparser::{
    BinaryReaderError, ConstExpr, ElementItems, ExternalKind, FuncType, FunctionBody, Operator,
    Parser, Payload, TypeRef,
};

/// A body that traps: its size, no locals, `unreachable`, `end`.
const TRAP: [u8; 4] = [3, 0, 0x00, 0x0b];
/// The section of function bodies.
const CODE_SECTION: u8 = 10;
/// Magic number and version of a module.
const HEADER_BYTES: usize = 8;

/// The valid module `bytes` with traps for the bodies that `exports` do not need.
pub(super) fn only(bytes: &[u8], exports: &BTreeSet<String>) -> Result<Vec<u8>, BinaryReaderError> {
    let mut functions = Functions::read(bytes, exports)?;
    let needed = functions.needed()?;
    let mut out = Vec::with_capacity(bytes.len());
    out.extend(bytes.get(..HEADER_BYTES).unwrap_or_default());
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        match payload.as_section() {
            Some((CODE_SECTION, _)) if matches!(payload, Payload::CodeSectionStart { .. }) => {
                let code = functions.code(bytes, &needed);
                write_section(&mut out, CODE_SECTION, &code);
            }
            Some((CODE_SECTION, _)) | None => {}
            Some((id, range)) => {
                write_section(&mut out, id, bytes.get(range).unwrap_or_default());
            }
        }
    }
    Ok(out)
}

/// The functions of a module, by index.
#[derive(Default)]
struct Functions<'a> {
    types: Vec<FuncType>,
    /// Index of the type of each function, imported ones first.
    functions: Vec<u32>,
    imported: u32,
    bodies: Vec<FunctionBody<'a>>,
    /// Functions that somebody holds a reference of.
    referred: Vec<u32>,
    /// Functions that are needed and not looked into yet.
    open: Vec<u32>,
}

impl<'a> Functions<'a> {
    fn read(bytes: &'a [u8], exports: &BTreeSet<String>) -> Result<Self, BinaryReaderError> {
        let mut read = Self::default();
        // Whoever gets a table or a global may call what is in it.
        let mut shared = false;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::TypeSection(section) => {
                    for ty in section.into_iter_err_on_gc_types() {
                        read.types.push(ty?);
                    }
                }
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        if let TypeRef::Func(ty) = import?.ty {
                            read.functions.push(ty);
                            read.imported += 1;
                        }
                    }
                }
                Payload::FunctionSection(section) => {
                    for ty in section {
                        read.functions.push(ty?);
                    }
                }
                Payload::GlobalSection(section) => {
                    for global in section {
                        read.constant(&global?.init_expr)?;
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        if exports.contains(export.name) {
                            match export.kind {
                                ExternalKind::Func => read.open.push(export.index),
                                ExternalKind::Table | ExternalKind::Global => shared = true,
                                _ => {}
                            }
                        }
                    }
                }
                Payload::StartSection { func, .. } => read.open.push(func),
                Payload::ElementSection(section) => {
                    for element in section {
                        read.element(element?.items)?;
                    }
                }
                Payload::CodeSectionEntry(body) => read.bodies.push(body),
                _ => {}
            }
        }
        if shared {
            read.open.extend(&read.referred);
        }
        Ok(read)
    }

    fn element(&mut self, items: ElementItems<'_>) -> Result<(), BinaryReaderError> {
        match items {
            ElementItems::Functions(functions) => {
                for function in functions {
                    self.referred.push(function?);
                }
            }
            ElementItems::Expressions(_, expressions) => {
                for expression in expressions {
                    self.constant(&expression?)?;
                }
            }
        }
        Ok(())
    }

    fn constant(&mut self, expression: &ConstExpr<'_>) -> Result<(), BinaryReaderError> {
        for operator in expression.get_operators_reader() {
            if let Operator::RefFunc { function_index } = operator? {
                self.referred.push(function_index);
            }
        }
        Ok(())
    }

    /// Everything that the open functions reach.
    fn needed(&mut self) -> Result<FxHashSet<u32>, BinaryReaderError> {
        let mut needed = FxHashSet::default();
        let mut called = FxHashSet::default();
        while !self.open.is_empty() {
            while let Some(function) = self.open.pop() {
                if needed.insert(function) {
                    self.look_into(function, &mut called)?;
                }
            }
            for function in &self.referred {
                let ty = self.functions.get(*function as usize);
                if !needed.contains(function)
                    && ty.and_then(|ty| self.types.get(*ty as usize))
                        .is_some_and(|ty| called.contains(ty))
                {
                    self.open.push(*function);
                }
            }
        }
        Ok(needed)
    }

    /// Opens what a function calls, and notes the types of its calls through tables.
    fn look_into(
        &mut self,
        function: u32,
        called: &mut FxHashSet<FuncType>,
    ) -> Result<(), BinaryReaderError> {
        let Some(body) = function
            .checked_sub(self.imported)
            .and_then(|index| self.bodies.get(index as usize))
        else {
            return Ok(());
        };
        for operator in body.get_operators_reader()? {
            match operator? {
                Operator::Call { function_index }
                | Operator::ReturnCall { function_index }
                | Operator::RefFunc { function_index } => self.open.push(function_index),
                Operator::CallIndirect { type_index, .. }
                | Operator::ReturnCallIndirect { type_index, .. } => {
                    called.extend(self.types.get(type_index as usize).cloned());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn code(&self, bytes: &[u8], needed: &FxHashSet<u32>) -> Vec<u8> {
        let mut code = Vec::with_capacity(bytes.len());
        write_number(&mut code, self.bodies.len());
        for (index, body) in (self.imported..).zip(&self.bodies) {
            let body = bytes.get(body.range()).unwrap_or_default();
            if needed.contains(&index) {
                write_number(&mut code, body.len());
                code.extend(body);
            } else {
                code.extend(TRAP);
            }
        }
        code
    }
}

fn write_section(out: &mut Vec<u8>, id: u8, section: &[u8]) {
    out.push(id);
    write_number(out, section.len());
    out.extend(section);
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

    const MODULE: &str = r#"(module
        (type $binary (func (param i32 i32) (result i32)))
        (type $unary (func (param i32) (result i32)))
        (table 2 funcref)
        (elem (i32.const 0) $add $twice)
        (func $add (type $binary) (i32.add (local.get 0) (local.get 1)))
        (func $twice (type $unary) (call $add (local.get 0) (local.get 0)))
        (func $plain (export "plain") (result i32) (i32.const 7))
        (func (export "other") (result i32) (call $plain))
        (func (export "through") (result i32)
            (drop (call $plain)) (drop (call $plain))
            (call_indirect (type $unary) (i32.const 21) (i32.const 1)))
        (memory (export "memory") 1)
        (data (i32.const 0) "kept")
        (func (export "added") (result i32)
            (call_indirect (type $binary) (i32.const 1) (i32.const 2) (i32.const 0)))
    )"#;

    fn traps(exports: &[&str]) -> Vec<bool> {
        let bytes = wat::parse_str(MODULE).unwrap();
        let exports = exports.iter().map(|name| (*name).to_owned()).collect();
        let module = only(&bytes, &exports).unwrap();
        wasmparser::validate(&module).unwrap();
        let mut traps = Vec::new();
        for payload in Parser::new(0).parse_all(&module) {
            if let Payload::CodeSectionEntry(body) = payload.unwrap() {
                traps.push(module[body.range()] == TRAP[1..]);
            }
        }
        traps
    }

    #[test]
    fn what_is_not_reached_becomes_a_trap() {
        assert_eq!(
            traps(&["plain", "memory"]),
            [true, true, false, true, true, true]
        );
        assert_eq!(traps(&["other"]), [true, true, false, false, true, true]);
        assert_eq!(traps(&[]), [true; 6]);
    }

    #[test]
    fn calls_through_the_table_reach_functions_of_their_type() {
        assert_eq!(
            traps(&["through"]),
            [false, false, false, true, false, true]
        );
        assert_eq!(traps(&["added"]), [false, true, true, true, true, false]);
    }

    #[test]
    fn a_module_of_which_all_is_needed_stays() {
        let bytes = wat::parse_str(MODULE).unwrap();
        let all = ["other", "through", "added"].map(str::to_owned).into();
        assert_eq!(only(&bytes, &all).unwrap(), bytes);
    }
}
