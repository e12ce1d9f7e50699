//! Components to one `app.wasm`: the value runtime once, each component nested, the union of their imports outside.

use aro_wit::manifest::{Manifest, SECTION};
use indexmap::{IndexMap, IndexSet};
use wasm_encoder::{ComponentBuilder, ComponentExportKind, ComponentTypeRef, CustomSection};

use super::module::short_name;
use super::wit::Contract;
use crate::runtime::Runtime;
use crate::sources;

/// A component ready to be nested.
#[derive(Debug)]
pub(crate) struct Nested {
    /// Kebab-case name, unique in the program.
    pub(crate) name: String,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    /// The host functions it imports, by interface.
    pub(crate) imports: IndexMap<String, Vec<String>>,
    /// The interfaces it exports.
    pub(crate) exports: Vec<String>,
    /// Whether it imports the value runtime.
    pub(crate) uses_runtime: bool,
}

/// Encodes the outer component.
pub(crate) fn emit(
    components: &[Nested],
    manifest: &Manifest,
    sources: Option<&[u8]>,
    (contract, runtime): (&Contract, &Runtime),
) -> Vec<u8> {
    let mut builder = ComponentBuilder::default();
    let rt = builder.core_module_raw(Some(aro_wit::RUNTIME_IMPORT), runtime.bytes());
    let imports = import_union(&mut builder, components, contract);
    for component in components {
        let index = builder.component_raw(Some(&component.name), &component.bytes);
        let mut arguments: Vec<(&str, ComponentExportKind, u32)> = Vec::new();
        if component.uses_runtime {
            arguments.push((aro_wit::RUNTIME_IMPORT, ComponentExportKind::Module, rt));
        }
        for interface in component.imports.keys() {
            let instance = *imports
                .get(interface.as_str())
                .expect("the union holds every import");
            arguments.push((interface, ComponentExportKind::Instance, instance));
        }
        let instance = builder.instantiate(Some(&component.name), index, arguments);
        for interface in &component.exports {
            let exported = builder.alias_export(instance, interface, ComponentExportKind::Instance);
            let name = match component.exports.len() {
                1 => component.name.clone(),
                _ => format!("{}-{}", component.name, short_name(interface)),
            };
            builder.export(name.as_str(), ComponentExportKind::Instance, exported, None);
        }
    }
    builder.custom_section(&CustomSection {
        name: SECTION.into(),
        data: manifest.to_bytes().into(),
    });
    if let Some(sources) = sources {
        builder.custom_section(&CustomSection {
            name: sources::SECTION.into(),
            data: sources.into(),
        });
    }
    builder.finish()
}

/// Imports every interface that some component imports, with the functions that some component calls.
fn import_union<'a>(
    builder: &mut ComponentBuilder,
    components: &'a [Nested],
    contract: &Contract,
) -> IndexMap<&'a str, u32> {
    let mut union: IndexMap<&str, IndexSet<&str>> = IndexMap::new();
    for (interface, functions) in components.iter().flat_map(|component| &component.imports) {
        union
            .entry(interface)
            .or_default()
            .extend(functions.iter().map(String::as_str));
    }
    union.sort_keys();
    union
        .into_iter()
        .map(|(interface, mut functions)| {
            functions.sort();
            let ty = contract.instance_type(interface, functions);
            let ty = builder.type_instance(None, &ty);
            (
                interface,
                builder.import(interface, ComponentTypeRef::Instance(ty)),
            )
        })
        .collect()
}
