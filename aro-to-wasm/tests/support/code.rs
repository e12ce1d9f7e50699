//! Generated code as text: for each feature set its permissions, its statements, and the functions of its core module.

#![expect(
    clippy::wildcard_enum_match_arm,
    clippy::indexing_slicing,
    reason = "a few sections of many matter, and a test that cannot go on fails"
)]

use aro_to_wasm::Artifact;
use aro_wit::manifest::FeatureSet;
use std::fmt::Write;
use wasmparser::{Parser, Payload, Validator};

/// What was generated, for a snapshot. The artifact and each component by itself must validate.
pub(crate) fn code(artifact: &Artifact) -> String {
    Validator::new().validate_all(&artifact.bytes).unwrap();
    let mut out = String::new();
    for (set, component) in artifact
        .manifest
        .feature_sets
        .iter()
        .zip(nested(&artifact.bytes))
    {
        Validator::new().validate_all(component).unwrap();
        describe(set, component, &mut out);
    }
    out
}

/// The bytes of the nested components, in order.
fn nested(bytes: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } => depth += 1,
            Payload::ComponentSection {
                unchecked_range, ..
            } => {
                if depth == 0 {
                    found.push(&bytes[unchecked_range]);
                }
                depth += 1;
            }
            Payload::End(_) => depth -= 1,
            _ => {}
        }
    }
    found
}

fn describe(set: &FeatureSet, component: &[u8], out: &mut String) {
    writeln!(out, "== {} ({:?})", set.component, set.triggers).unwrap();
    for (index, statement) in set.statements.iter().enumerate() {
        writeln!(
            out,
            "statement {index} at {}:{}: {}",
            statement.line, statement.column, statement.text
        )
        .unwrap();
    }
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload.unwrap() {
            Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    writeln!(out, "imports {}", import.unwrap().name.name).unwrap();
                }
            }
            Payload::ModuleSection {
                unchecked_range, ..
            } => {
                let wat = wasmprinter::print_bytes(&component[unchecked_range]).unwrap();
                out.push_str(&wat);
                out.push('\n');
                depth += 1;
            }
            _ => {}
        }
    }
}
