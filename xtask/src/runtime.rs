//! `cargo xtask runtime`: guest-sdk/runtime to `aro-to-wasm/runtime.wasm`.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use aro_runtime::abi;
use aro_wit::manifest::DIGEST_SECTION;
use sha2::{Digest, Sha256};
use wasm_encoder::{CustomSection, ExportKind, ExportSection, RawSection};
use wasmparser::{ExportSectionReader, ExternalKind, Parser, Payload};

use crate::wasm;

/// Shadow stack of the module: what the deepest value needs, see `NESTING_MAX`.
const STACK_BYTES: u32 = 32 << 10;
/// Initial memory: data, stack and an arena that common events do not outgrow.
const MEMORY_BYTES: u32 = 128 << 10;
/// Where the artefact is committed, from the root.
const ARTEFACT: &str = "aro-to-wasm/runtime.wasm";
/// What the module is built from, from `guest-sdk/runtime`: files, and folders with all files in them.
const SOURCES: [&str; 5] = [
    "Cargo.toml",
    "src",
    "module/Cargo.toml",
    "module/Cargo.lock",
    "module/src",
];

/// Options of the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Builds nothing, but fails if the committed module is not the one that would be built.
    #[arg(long)]
    check: bool,
}

/// Builds the runtime, or checks that it is fresh.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let module = module()?;
    let artefact = crate::root().join(ARTEFACT);
    if options.check {
        if fs::read(&artefact).ok().as_deref() != Some(module.as_slice()) {
            bail!(
                "{ARTEFACT} differs from what its sources build: run `cargo xtask runtime` and commit the file"
            );
        }
        return Ok(());
    }
    write(&artefact, &module)
}

/// The committed module, put back when dropped.
pub(crate) struct Replaced {
    committed: Vec<u8>,
}

impl Drop for Replaced {
    fn drop(&mut self) {
        if let Err(error) = write(&crate::root().join(ARTEFACT), &self.committed) {
            eprintln!("{error:#}");
        }
    }
}

/// Builds the runtime and has the compiler take it in place of the committed one, if their bytes differ, for as long as the answer lives.
pub(crate) fn rebuild() -> anyhow::Result<Option<Replaced>> {
    let module = module()?;
    let artefact = crate::root().join(ARTEFACT);
    let committed = fs::read(&artefact).with_context(|| format!("cannot read {ARTEFACT}"))?;
    if committed == module {
        return Ok(None);
    }
    let replaced = Replaced { committed };
    write(&artefact, &module)?;
    Ok(Some(replaced))
}

fn module() -> anyhow::Result<Vec<u8>> {
    let crate_dir = crate::root().join("guest-sdk/runtime");
    let module = fs::read(build(&crate_dir)?)?;
    let module = finish(&module, &source_digest(&crate_dir)?)?;
    wasmparser::validate(&module).context("the built module is not valid")?;
    Ok(module)
}

fn write(artefact: &Path, module: &[u8]) -> anyhow::Result<()> {
    fs::write(artefact, module).with_context(|| format!("cannot write {}", artefact.display()))
}

fn build(crate_dir: &Path) -> anyhow::Result<PathBuf> {
    let flags = [
        format!("-zstack-size={STACK_BYTES}"),
        "--stack-first".into(),
        "--export=__heap_base".into(),
        format!("--initial-memory={MEMORY_BYTES}"),
    ];
    wasm::build(&crate_dir.join("module"), "aro_runtime_module", &flags)
}

/// The module with the digest as its only custom section. Function names go: they are a third of the file, and a trap is told by the feature set's statement.
fn finish(module: &[u8], digest: &str) -> anyhow::Result<Vec<u8>> {
    let mut out = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        if matches!(payload, Payload::CustomSection(_)) {
            continue;
        }
        if let Payload::ExportSection(exports) = payload {
            out.section(&wanted(exports)?);
        } else if let Some((id, range)) = payload.as_section() {
            out.section(&RawSection {
                id,
                data: module
                    .get(range)
                    .context("a section lies outside of the module")?,
            });
        }
    }
    out.section(&CustomSection {
        name: Cow::Borrowed(DIGEST_SECTION),
        data: Cow::Borrowed(digest.as_bytes()),
    });
    Ok(out.finish())
}

/// The exports without what only the linker's conventions add.
fn wanted(exports: ExportSectionReader<'_>) -> anyhow::Result<ExportSection> {
    let mut section = ExportSection::new();
    for export in exports {
        let export = export?;
        let kind = match export.kind {
            ExternalKind::Func => ExportKind::Func,
            ExternalKind::Memory => ExportKind::Memory,
            ExternalKind::Global if export.name == abi::HEAP_BASE => ExportKind::Global,
            ExternalKind::Global
            | ExternalKind::Table
            | ExternalKind::Tag
            | ExternalKind::FuncExact => continue,
        };
        section.export(export.name, kind, export.index);
    }
    Ok(section)
}

/// SHA-256 over path and contents of every source file, in path order, as hexadecimal text.
pub(crate) fn source_digest(crate_dir: &Path) -> anyhow::Result<String> {
    let mut files = Vec::new();
    for source in SOURCES {
        collect(&crate_dir.join(source), &mut files)?;
    }
    let mut names = Vec::with_capacity(files.len());
    for file in files {
        let name = file
            .strip_prefix(crate_dir)?
            .to_str()
            .context("a source path is not UTF-8")?
            .replace('\\', "/");
        names.push((name, file));
    }
    names.sort();
    let mut hash = Sha256::new();
    for (name, file) in names {
        let contents =
            fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name);
        hash.update((contents.len() as u64).to_be_bytes());
        hash.update(contents);
    }
    Ok(hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            collect(&entry?.path(), files)?;
        }
    } else {
        files.push(path.to_path_buf());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use abi::{Export, Ty};
    use std::collections::BTreeMap;
    use wasmparser::{CompositeInnerType, FuncType, TypeRef, ValType};

    fn artefact() -> Vec<u8> {
        fs::read(crate::root().join(ARTEFACT)).expect("the artefact is committed")
    }

    #[test]
    fn committed_runtime_is_fresh() {
        let stated = Parser::new(0).parse_all(&artefact()).find_map(|payload| {
            let Payload::CustomSection(section) = payload.unwrap() else {
                return None;
            };
            let text = String::from_utf8_lossy(section.data()).into_owned();
            Some((section.name().to_owned(), text))
        });
        let digest = source_digest(&crate::root().join("guest-sdk/runtime")).unwrap();
        assert_eq!(
            stated,
            Some((DIGEST_SECTION.to_owned(), digest)),
            "{ARTEFACT} is stale: run `cargo xtask runtime` and commit the file"
        );
    }

    fn types(types: &[ValType]) -> Vec<Ty> {
        let ty = |ty: &ValType| match ty {
            ValType::I32 => Ty::I32,
            ValType::I64 => Ty::I64,
            ValType::F64 => Ty::F64,
            ValType::F32 | ValType::V128 | ValType::Ref(_) => panic!("{ty} is no type of the ABI"),
        };
        types.iter().map(ty).collect()
    }

    #[test]
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "sections and types that say nothing about exports"
    )]
    fn committed_runtime_exports_the_table_and_imports_nothing() {
        let module = artefact();
        let mut signatures: Vec<FuncType> = Vec::new();
        let mut functions: Vec<u32> = Vec::new();
        let mut found = BTreeMap::new();
        let mut others = Vec::new();
        for payload in Parser::new(0).parse_all(&module) {
            match payload.unwrap() {
                Payload::TypeSection(section) => signatures.extend(
                    section
                        .into_iter()
                        .flat_map(|group| group.unwrap().into_types())
                        .filter_map(|ty| match ty.composite_type.inner {
                            CompositeInnerType::Func(ty) => Some(ty),
                            _ => None,
                        }),
                ),
                Payload::ImportSection(section) => assert_eq!(
                    section
                        .into_imports()
                        .filter(|import| !matches!(import.as_ref().unwrap().ty, TypeRef::Tag(_)))
                        .count(),
                    0,
                    "imports"
                ),
                Payload::FunctionSection(section) => {
                    functions.extend(section.into_iter().map(Result::unwrap))
                }
                Payload::MemorySection(section) => {
                    let memories: Vec<_> = section
                        .into_iter()
                        .map(|memory| memory.unwrap())
                        .map(|memory| (memory.initial, memory.maximum))
                        .collect();
                    assert_eq!(memories, [(abi::MEMORY_PAGES, None)]);
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export.unwrap();
                        if export.kind == ExternalKind::Func {
                            let ty = &signatures[functions[export.index as usize] as usize];
                            found.insert(export.name, (types(ty.params()), types(ty.results())));
                        } else {
                            others.push((export.name, export.kind));
                        }
                    }
                }
                _ => {}
            }
        }
        let table: BTreeMap<_, _> = abi::EXPORTS
            .iter()
            .map(
                |Export {
                     name,
                     params,
                     results,
                 }| (*name, (params.to_vec(), results.to_vec())),
            )
            .collect();
        assert_eq!(table.len(), abi::EXPORTS.len(), "a name stands twice");
        assert_eq!(found, table);
        assert_eq!(
            others,
            [
                (abi::MEMORY, ExternalKind::Memory),
                (abi::HEAP_BASE, ExternalKind::Global)
            ]
        );
    }
}
