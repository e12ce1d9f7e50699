//! Takes an `app.wasm` apart: the manifest, the value runtime and the nested components, all still in wasm.
//!
//! The file is hostile until proven otherwise: it is validated as a whole and its limits are checked before anything is compiled.

use crate::config::ArtifactLimits;
use aro_wit::manifest::{self, Manifest, ManifestError};
use wasmparser::{BinaryReaderError, Encoding, Parser, Payload, Validator, WasmFeatures};

/// Why a file is no program of ours.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// The file is larger than the limit.
    #[error("the file has {bytes} bytes; at most {max} are read")]
    FileTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// It does not begin as WebAssembly does.
    #[error("the file is not WebAssembly")]
    NotWasm,
    /// It is a core module.
    #[error("the file is a core module, not a component: build it with `aro-to-wasm build`")]
    CoreModule,
    /// It is truncated or malformed.
    #[error("the file is damaged or truncated at byte {offset}")]
    Invalid {
        /// Where the validator stopped.
        offset: usize,
        /// What it said.
        #[source]
        source: InvalidWasm,
    },
    /// It was made by something else.
    #[error(
        "the component has no section {:?}: it was not built by aro-to-wasm",
        manifest::SECTION
    )]
    NoManifest,
    /// Its manifest cannot be used.
    #[error("the manifest cannot be read")]
    Manifest(#[from] ManifestError),
    /// The manifest and the file disagree about the number of feature sets.
    #[error("the manifest lists {listed} feature sets, the file holds {found}")]
    FeatureSetCount {
        /// In the manifest.
        listed: usize,
        /// In the file.
        found: usize,
    },
    /// Two feature sets have one name.
    #[error("the manifest lists feature set {name:?} twice")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// The file exceeds a limit.
    #[error("the program has {found} {what}; at most {max} are allowed")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        found: u64,
        /// The limit.
        max: u64,
    },
}

/// What the validator found wrong.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidWasm(BinaryReaderError);

/// The parts of a valid artefact.
#[derive(Debug)]
pub(crate) struct Artifact<'a> {
    /// All of it.
    pub(crate) file: &'a [u8],
    pub(crate) manifest: Manifest,
    /// The value runtime; absent when no feature set was compiled from ARO.
    pub(crate) runtime: Option<&'a [u8]>,
    /// Nested components in file order.
    pub(crate) components: Vec<&'a [u8]>,
}

/// Takes a file apart.
pub(crate) fn dissect<'a>(
    file: &'a [u8],
    limits: &ArtifactLimits,
) -> Result<Artifact<'a>, ArtifactError> {
    if file.len() > limits.file_bytes_max {
        return Err(ArtifactError::FileTooLarge {
            bytes: file.len(),
            max: limits.file_bytes_max,
        });
    }
    check_header(file)?;
    let invalid = |error: BinaryReaderError| ArtifactError::Invalid {
        offset: error.offset(),
        source: InvalidWasm(error),
    };
    Validator::new_with_features(features())
        .validate_all(file)
        .map_err(invalid)?;
    let parts = Parts::read(file, limits).map_err(|error| match error {
        ReadError::Invalid(error) => invalid(error),
        ReadError::Artifact(error) => error,
    })?;
    let manifest = Manifest::from_bytes(parts.manifest.ok_or(ArtifactError::NoManifest)?)?;
    if manifest.feature_sets.len() != parts.components.len() {
        return Err(ArtifactError::FeatureSetCount {
            listed: manifest.feature_sets.len(),
            found: parts.components.len(),
        });
    }
    let mut names = std::collections::BTreeSet::new();
    if let Some(twice) = manifest
        .feature_sets
        .iter()
        .find(|entry| !names.insert(&entry.component))
    {
        return Err(ArtifactError::DuplicateName {
            name: twice.component.clone(),
        });
    }
    Ok(Artifact {
        file,
        manifest,
        runtime: parts.runtime,
        components: parts.components,
    })
}

/// What the engine accepts, and nothing beyond.
fn features() -> WasmFeatures {
    WasmFeatures::WASM2
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::COMPONENT_MODEL
}

fn check_header(file: &[u8]) -> Result<(), ArtifactError> {
    if !file.starts_with(b"\0asm") {
        return Err(ArtifactError::NotWasm);
    }
    if Parser::is_core_wasm(file) {
        return Err(ArtifactError::CoreModule);
    }
    Ok(())
}

enum ReadError {
    Invalid(BinaryReaderError),
    Artifact(ArtifactError),
}

impl From<BinaryReaderError> for ReadError {
    fn from(error: BinaryReaderError) -> Self {
        Self::Invalid(error)
    }
}

#[derive(Default)]
struct Parts<'a> {
    manifest: Option<&'a [u8]>,
    runtime: Option<&'a [u8]>,
    components: Vec<&'a [u8]>,
}

/// Counts of one nested component.
#[derive(Default)]
struct Counts {
    /// Modules and components within it.
    parts: u64,
    memories: u64,
    tables: u64,
}

impl<'a> Parts<'a> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other sections matter to the validator only"
    )]
    fn read(file: &'a [u8], limits: &ArtifactLimits) -> Result<Self, ReadError> {
        let mut parts = Self::default();
        let mut counts = Counts::default();
        let mut functions = 0_u64;
        let mut beside = 0_u64;
        // How many modules and components the parser is inside of, the outer one not counted.
        let mut depth = 0_u64;
        for payload in Parser::new(0).parse_all(file) {
            match payload? {
                Payload::ModuleSection {
                    unchecked_range: range,
                    ..
                } => {
                    if depth == 0 && parts.runtime.is_none() {
                        parts.runtime = file.get(range);
                    }
                    match depth {
                        0 => beside += 1,
                        _ => counts.enter(limits)?,
                    }
                    let max = limits.parts_per_component_max;
                    check("modules beside the feature sets", beside, max)?;
                    depth += 1;
                    check_depth(depth, limits)?;
                }
                Payload::ComponentSection {
                    unchecked_range: range,
                    ..
                } => {
                    if depth == 0 {
                        parts.components.extend(file.get(range));
                        counts = Counts::default();
                        let count = parts.components.len() as u64;
                        check("feature sets", count, limits.feature_sets_max as u64)?;
                    } else {
                        counts.enter(limits)?;
                    }
                    depth += 1;
                    check_depth(depth, limits)?;
                }
                Payload::CustomSection(section)
                    if depth == 0 && section.name() == manifest::SECTION =>
                {
                    parts.manifest = Some(section.data())
                }
                Payload::FunctionSection(reader) => {
                    functions += u64::from(reader.count());
                    check("functions", functions, limits.functions_max)?;
                }
                Payload::MemorySection(reader) if depth > 0 => {
                    counts.memories(reader.count(), limits)?;
                }
                Payload::TableSection(reader) if depth > 0 => {
                    counts.tables(reader.count(), limits)?;
                }
                Payload::Version {
                    encoding: Encoding::Module,
                    ..
                } if depth == 0 => return Err(ReadError::Artifact(ArtifactError::CoreModule)),
                Payload::End(_) => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        Ok(parts)
    }
}

impl Counts {
    /// A module or a component begins.
    fn enter(&mut self, limits: &ArtifactLimits) -> Result<(), ReadError> {
        self.parts += 1;
        check(
            "modules and components in one feature set",
            self.parts,
            limits.parts_per_component_max,
        )
    }

    fn memories(&mut self, more: u32, limits: &ArtifactLimits) -> Result<(), ReadError> {
        self.memories += u64::from(more);
        let max = limits.memories_per_component_max;
        check("memories in one feature set", self.memories, max)
    }

    fn tables(&mut self, more: u32, limits: &ArtifactLimits) -> Result<(), ReadError> {
        self.tables += u64::from(more);
        let max = limits.tables_per_component_max;
        check("tables in one feature set", self.tables, max)
    }
}

fn check_depth(depth: u64, limits: &ArtifactLimits) -> Result<(), ReadError> {
    check(
        "levels of modules and components within each other",
        depth,
        limits.nesting_depth_max,
    )
}

fn check(what: &'static str, found: u64, max: u64) -> Result<(), ReadError> {
    if found > max {
        return Err(ReadError::Artifact(ArtifactError::TooMany {
            what,
            found,
            max,
        }));
    }
    Ok(())
}
