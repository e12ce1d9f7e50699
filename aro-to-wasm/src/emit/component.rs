//! One core module to one component: imports the value runtime and the interfaces it uses, exports the interface of its trigger.

use wasm_encoder::{
    CanonicalOption, ComponentBuilder, ComponentExportKind, ComponentTypeRef, EntityType,
    ExportKind, MemoryType, ModuleArg, ModuleType,
};
use wit_parser::Function;

use super::module::{CoreModule, FINISH, HANDLE, runtime_signature, short_name};
use super::wit::{Contract, Known, Naming, Types, borrowed, import_type_name};
use crate::runtime::Runtime;

/// Encodes the component of a feature set that is run through `interface`.
pub(crate) fn emit(
    module: &CoreModule,
    interface: &str,
    contract: &Contract,
    runtime: &Runtime,
) -> Vec<u8> {
    let mut builder = ComponentBuilder::default();
    let rt = import_runtime(&mut builder, module, runtime);
    let imported: Vec<(&str, u32)> = module
        .imports
        .iter()
        .map(|(interface, functions)| {
            let ty = contract.instance_type(interface, functions.iter().copied());
            let ty = builder.type_instance(None, &ty);
            (
                *interface,
                builder.import(*interface, ComponentTypeRef::Instance(ty)),
            )
        })
        .collect();
    let rt = builder.core_instantiate(Some("rt"), rt, []);
    let memory = builder.core_alias_export(Some("memory"), rt, "memory", ExportKind::Memory);
    let realloc = builder.core_alias_export(Some("realloc"), rt, "realloc", ExportKind::Func);
    let options = [
        CanonicalOption::UTF8,
        CanonicalOption::Memory(memory),
        CanonicalOption::Realloc(realloc),
    ];
    let mut arguments = vec![(aro_wit::RUNTIME_IMPORT, ModuleArg::Instance(rt))];
    for ((interface, functions), (_, instance)) in module.imports.iter().zip(&imported) {
        let lowered: Vec<(&str, ExportKind, u32)> = functions
            .iter()
            .map(|name| {
                let function = builder.alias_export(*instance, name, ComponentExportKind::Func);
                (
                    *name,
                    ExportKind::Func,
                    builder.lower_func(Some(name), function, options),
                )
            })
            .collect();
        let instance = builder.core_instantiate_exports(Some(interface), lowered);
        arguments.push((short_name(interface), ModuleArg::Instance(instance)));
    }
    let main = builder.core_module_raw(Some("main"), &module.bytes);
    let main = builder.core_instantiate(Some("main"), main, arguments);
    let handle = builder.core_alias_export(Some(HANDLE), main, HANDLE, ExportKind::Func);
    let finish = builder.core_alias_export(Some(FINISH), main, FINISH, ExportKind::Func);
    export_handler(
        &mut builder,
        interface,
        contract,
        &Lift {
            handle,
            finish,
            memory,
            realloc,
        },
    );
    builder.finish()
}

fn import_runtime(builder: &mut ComponentBuilder, module: &CoreModule, runtime: &Runtime) -> u32 {
    let mut ty = ModuleType::new();
    let memory = MemoryType {
        minimum: u64::from(runtime.pages()),
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    };
    ty.export("memory", EntityType::Memory(memory));
    for name in module.runtime.iter().copied().chain(["realloc"]) {
        let (params, results) = runtime_signature(name);
        let index = ty.type_count();
        ty.ty().function(params, results);
        ty.export(name, EntityType::Function(index));
    }
    let (index, encoder) = builder.core_type(None);
    encoder.module(&ty);
    builder.import(aro_wit::RUNTIME_IMPORT, ComponentTypeRef::Module(index))
}

struct Lift {
    handle: u32,
    finish: u32,
    memory: u32,
    realloc: u32,
}

/// Name of the one function of a trigger's interface.
fn handler<'a>(contract: &'a Contract, interface: &str) -> &'a Function {
    ["handle", "run"]
        .iter()
        .find_map(|name| contract.function(interface, name))
        .expect("every trigger's interface has `handle` or `run`")
}

/// Lifts the core function and exports it as an instance whose types carry their names.
///
/// Named types must be exported beside the function that uses them, and only a component can give an exported type its name: hence the small component that imports function and types and exports them again, as other encoders do.
fn export_handler(
    builder: &mut ComponentBuilder,
    interface: &str,
    contract: &Contract,
    lift: &Lift,
) {
    let function = handler(contract, interface);
    let mut inside = Known::default();
    let (params, result) = contract.function_types(
        function,
        &mut Types {
            builder,
            naming: Naming::None,
        },
        &mut inside,
    );
    let (ty, mut encoder) = builder.type_function(None);
    encoder.params(borrowed(&params)).result(result);
    let lifted = builder.lift_func(
        Some(&function.name),
        lift.handle,
        ty,
        [
            CanonicalOption::UTF8,
            CanonicalOption::Memory(lift.memory),
            CanonicalOption::Realloc(lift.realloc),
            CanonicalOption::PostReturn(lift.finish),
        ],
    );
    let shim = builder.component(Some("export"), re_exporter(function, contract));
    let import = import_function_name(&function.name);
    let mut arguments = vec![(import, ComponentExportKind::Func, lifted)];
    arguments.extend(
        inside
            .named
            .iter()
            .map(|(name, index)| (import_type_name(name), ComponentExportKind::Type, *index)),
    );
    let instance = builder.instantiate(Some("export"), shim, arguments);
    builder.export(interface, ComponentExportKind::Instance, instance, None);
}

fn import_function_name(name: &str) -> String {
    format!("import-func-{name}")
}

fn re_exporter(function: &Function, contract: &Contract) -> ComponentBuilder {
    let mut builder = ComponentBuilder::default();
    let function_type = |builder: &mut ComponentBuilder, naming| {
        let (params, result) = contract.function_types(
            function,
            &mut Types { builder, naming },
            &mut Known::default(),
        );
        let (index, mut encoder) = builder.type_function(None);
        encoder.params(borrowed(&params)).result(result);
        index
    };
    let imported = function_type(&mut builder, Naming::Import);
    let name = import_function_name(&function.name);
    let index = builder.import(name.as_str(), ComponentTypeRef::Func(imported));
    let exported = function_type(&mut builder, Naming::Export);
    builder.export(
        function.name.as_str(),
        ComponentExportKind::Func,
        index,
        Some(ComponentTypeRef::Func(exported)),
    );
    builder
}
