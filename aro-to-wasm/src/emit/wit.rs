//! The WIT contract as the emitter needs it: core signatures of imported functions, and interface types encoded into components.

use rustc_hash::FxHashMap;
use wasm_encoder::{
    ComponentBuilder, ComponentDefinedTypeEncoder, ComponentExportKind, ComponentTypeRef,
    ComponentValType, InstanceType, PrimitiveValType, TypeBounds, ValType,
};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Function, InterfaceId, Resolve, Type, TypeDefKind, TypeId};

/// The resolved WIT packages.
#[derive(Debug)]
pub(crate) struct Contract {
    resolve: Resolve,
    interfaces: FxHashMap<String, InterfaceId>,
}

impl Contract {
    /// Resolves the packages this crate was built with.
    pub(crate) fn load() -> Self {
        let mut resolve = Resolve::default();
        for (file, text) in aro_wit::PACKAGES {
            resolve
                .push_str(file, text)
                .expect("the committed WIT packages resolve, as a test of aro-wit shows");
        }
        let interfaces = resolve
            .interfaces
            .iter()
            .filter_map(|(id, _)| resolve.id_of(id).map(|name| (name, id)))
            .collect();
        Contract {
            resolve,
            interfaces,
        }
    }

    /// Whether the contract has an interface of that name and version.
    pub(crate) fn has_interface(&self, name: &str) -> bool {
        self.interfaces.contains_key(name)
    }

    /// A function of an interface.
    pub(crate) fn function(&self, interface: &str, name: &str) -> Option<&Function> {
        let id = self.interfaces.get(interface)?;
        self.resolve.interfaces.get(*id)?.functions.get(name)
    }

    /// Core parameters and results of an imported function after lowering.
    pub(crate) fn import_signature(&self, function: &Function) -> (Vec<ValType>, Vec<ValType>) {
        let signature = self
            .resolve
            .wasm_signature(AbiVariant::GuestImport, function);
        (
            signature.params.iter().map(core_type).collect(),
            signature.results.iter().map(core_type).collect(),
        )
    }

    /// The type of an imported instance that has just these functions and the types they use.
    pub(crate) fn instance_type<'a>(
        &self,
        interface: &str,
        functions: impl IntoIterator<Item = &'a str>,
    ) -> InstanceType {
        let mut instance = InstanceType::new();
        let mut known = Known::default();
        for name in functions {
            let function = self
                .function(interface, name)
                .expect("the caller names functions of the contract");
            let (params, result) = self.function_types(function, &mut instance, &mut known);
            let index = instance.type_count();
            instance
                .ty()
                .function()
                .params(borrowed(&params))
                .result(result);
            instance.export(name, ComponentTypeRef::Func(index));
        }
        instance
    }

    /// Encodes the parameter and result types of a function into `sink`.
    pub(crate) fn function_types(
        &self,
        function: &Function,
        sink: &mut impl TypeSink,
        known: &mut Known,
    ) -> FunctionTypes {
        let params = function
            .params
            .iter()
            .map(|param| (param.name.clone(), self.value_type(param.ty, sink, known)))
            .collect();
        let result = function.result.map(|ty| self.value_type(ty, sink, known));
        (params, result)
    }

    fn value_type(
        &self,
        ty: Type,
        sink: &mut impl TypeSink,
        known: &mut Known,
    ) -> ComponentValType {
        match ty {
            Type::Bool => PrimitiveValType::Bool.into(),
            Type::U8 => PrimitiveValType::U8.into(),
            Type::U16 => PrimitiveValType::U16.into(),
            Type::U32 => PrimitiveValType::U32.into(),
            Type::U64 => PrimitiveValType::U64.into(),
            Type::S8 => PrimitiveValType::S8.into(),
            Type::S16 => PrimitiveValType::S16.into(),
            Type::S32 => PrimitiveValType::S32.into(),
            Type::S64 => PrimitiveValType::S64.into(),
            Type::F32 => PrimitiveValType::F32.into(),
            Type::F64 => PrimitiveValType::F64.into(),
            Type::Char => PrimitiveValType::Char.into(),
            Type::String => PrimitiveValType::String.into(),
            Type::ErrorContext => PrimitiveValType::ErrorContext.into(),
            Type::Id(id) => ComponentValType::Type(self.defined_type(id, sink, known)),
        }
    }

    fn defined_type(&self, id: TypeId, sink: &mut impl TypeSink, known: &mut Known) -> u32 {
        if let Some(index) = known.types.get(&id) {
            return *index;
        }
        let definition = self
            .resolve
            .types
            .get(id)
            .expect("ids come from the same resolve");
        let defined = self.define(&definition.kind, sink, known);
        let index = match &definition.name {
            Some(name) => {
                let named = sink.name(name, defined);
                known.named.push((name.clone(), named));
                named
            }
            None => defined,
        };
        known.types.insert(id, index);
        index
    }

    fn define(&self, kind: &TypeDefKind, sink: &mut impl TypeSink, known: &mut Known) -> u32 {
        match kind {
            TypeDefKind::Record(record) => {
                let fields: Vec<_> = record
                    .fields
                    .iter()
                    .map(|field| (field.name.as_str(), self.value_type(field.ty, sink, known)))
                    .collect();
                sink.define(|encoder| encoder.record(fields))
            }
            TypeDefKind::Tuple(tuple) => {
                let types: Vec<_> = tuple
                    .types
                    .iter()
                    .map(|ty| self.value_type(*ty, sink, known))
                    .collect();
                sink.define(|encoder| encoder.tuple(types))
            }
            TypeDefKind::Variant(variant) => {
                let cases: Vec<_> = variant
                    .cases
                    .iter()
                    .map(|case| {
                        (
                            case.name.as_str(),
                            case.ty.map(|ty| self.value_type(ty, sink, known)),
                        )
                    })
                    .collect();
                sink.define(|encoder| encoder.variant(cases))
            }
            TypeDefKind::Enum(tags) => {
                let tags: Vec<_> = tags.cases.iter().map(|case| case.name.as_str()).collect();
                sink.define(|encoder| encoder.enum_type(tags))
            }
            TypeDefKind::Option(ty) => {
                let ty = self.value_type(*ty, sink, known);
                sink.define(|encoder| encoder.option(ty))
            }
            TypeDefKind::Result(result) => {
                let ok = result.ok.map(|ty| self.value_type(ty, sink, known));
                let err = result.err.map(|ty| self.value_type(ty, sink, known));
                sink.define(|encoder| encoder.result(ok, err))
            }
            TypeDefKind::List(ty) => {
                let ty = self.value_type(*ty, sink, known);
                sink.define(|encoder| encoder.list(ty))
            }
            TypeDefKind::Type(ty) => match self.value_type(*ty, sink, known) {
                ComponentValType::Type(index) => index,
                ComponentValType::Primitive(primitive) => {
                    sink.define(|encoder| encoder.primitive(primitive))
                }
            },
            TypeDefKind::Flags(_)
            | TypeDefKind::Resource
            | TypeDefKind::Handle(_)
            | TypeDefKind::Map(..)
            | TypeDefKind::FixedLengthList(..)
            | TypeDefKind::Future(_)
            | TypeDefKind::Stream(_)
            | TypeDefKind::Unknown => {
                unreachable!("the contract does not use {} types", kind.as_str())
            }
        }
    }
}

/// Parameters and result of a function, encoded.
pub(crate) type FunctionTypes = (Vec<(String, ComponentValType)>, Option<ComponentValType>);

/// Parameters as the encoder takes them.
pub(crate) fn borrowed(params: &[(String, ComponentValType)]) -> Vec<(&str, ComponentValType)> {
    params
        .iter()
        .map(|(name, ty)| (name.as_str(), *ty))
        .collect()
}

/// The types already encoded into one index space.
#[derive(Debug, Default)]
pub(crate) struct Known {
    types: FxHashMap<TypeId, u32>,
    /// Named types in order of definition.
    pub(crate) named: Vec<(String, u32)>,
}

/// An index space that types are encoded into.
pub(crate) trait TypeSink {
    /// Adds a type.
    fn define(&mut self, encode: impl FnOnce(ComponentDefinedTypeEncoder<'_>)) -> u32;
    /// Gives a type its name; answers the index that uses refer to.
    fn name(&mut self, name: &str, index: u32) -> u32;
}

impl TypeSink for InstanceType {
    fn define(&mut self, encode: impl FnOnce(ComponentDefinedTypeEncoder<'_>)) -> u32 {
        let index = self.type_count();
        encode(self.ty().defined_type());
        index
    }

    fn name(&mut self, name: &str, index: u32) -> u32 {
        let named = self.type_count();
        self.export(name, ComponentTypeRef::Type(TypeBounds::Eq(index)));
        named
    }
}

/// How a component builder gives types their names.
pub(crate) enum Naming {
    /// Not at all: types of functions that stay inside.
    None,
    /// By importing them, with a prefix.
    Import,
    /// By exporting them.
    Export,
}

/// A component under construction as a place for types.
pub(crate) struct Types<'a> {
    pub(crate) builder: &'a mut ComponentBuilder,
    pub(crate) naming: Naming,
}

impl TypeSink for Types<'_> {
    fn define(&mut self, encode: impl FnOnce(ComponentDefinedTypeEncoder<'_>)) -> u32 {
        let (index, encoder) = self.builder.type_defined(None);
        encode(encoder);
        index
    }

    fn name(&mut self, name: &str, index: u32) -> u32 {
        match self.naming {
            Naming::None => index,
            Naming::Import => self.builder.import(
                import_type_name(name).as_str(),
                ComponentTypeRef::Type(TypeBounds::Eq(index)),
            ),
            Naming::Export => self
                .builder
                .export(name, ComponentExportKind::Type, index, None),
        }
    }
}

/// Name under which the re-exporting component imports a type.
pub(crate) fn import_type_name(name: &str) -> String {
    format!("import-type-{name}")
}

fn core_type(ty: &WasmType) -> ValType {
    match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => ValType::I32,
        WasmType::I64 | WasmType::PointerOrI64 => ValType::I64,
        WasmType::F32 => ValType::F32,
        WasmType::F64 => ValType::F64,
    }
}
