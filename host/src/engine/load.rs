//! From an artefact to feature sets that are ready to run: compiled, checked against the manifest, linked.

use super::clock::Clock;
use super::feature_set::{Exports, FeatureSet, signature};
use super::link::interface::Linking;
use super::state::{GuestState, Scope};
use super::{CompileError, Engine, EngineError, link, needed};
use crate::artifact::{Artifact, ArtifactError};
use crate::config::{ContractChecks, RuntimeCode, Settings, SettingsError};
use crate::grants::Grants;
use crate::life::Life;
use crate::net::http::{Contracts, contracts};
use crate::observe::executions::Executions;
use crate::route::Routes;
use crate::store::StateError;
use crate::tenant::Tenant;
use aro_wit::manifest::{FeatureSet as Entry, Manifest, Trigger};
use aro_wit::{RUNTIME_IMPORT, interface};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use wasmtime::Module;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};

/// Why a program cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file is not an artefact of ours, or exceeds a limit.
    #[error("the program cannot be loaded")]
    Artifact(#[from] ArtifactError),
    /// A schema of the contract is none.
    #[error("a schema of operation {operation:?} cannot be used: {reason}")]
    Contract {
        /// Whose.
        operation: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The engine does not compile the value runtime.
    #[error("the value runtime cannot be compiled")]
    Runtime(#[source] CompileError),
    /// The engine does not compile a feature set.
    #[error("feature set {feature_set:?} cannot be compiled")]
    Compile {
        /// Its name.
        feature_set: String,
        /// Why not.
        #[source]
        source: CompileError,
    },
    /// A feature set wants something that no host function provides.
    #[error("feature set {feature_set:?} imports {import:?}, which this host does not provide")]
    UnknownImport {
        /// Its name.
        feature_set: String,
        /// What it imports.
        import: String,
    },
    /// A feature set needs the value runtime and the file has none.
    #[error("feature set {feature_set:?} needs the value runtime, which the file does not hold")]
    NoRuntime {
        /// Its name.
        feature_set: String,
    },
    /// A statement asks for something that the operator has not granted.
    #[error("feature set {feature_set:?} {what}, which is not granted: {flag}")]
    NotGranted {
        /// Its name.
        feature_set: String,
        /// What it does, with the statement if that is known.
        what: String,
        /// How to grant it.
        flag: String,
    },
    /// An import has another type than the host's.
    #[error("feature set {feature_set:?} does not fit this host")]
    Link {
        /// Its name.
        feature_set: String,
        /// What the engine said.
        #[source]
        source: EngineError,
    },
    /// The manifest promises an export that the component lacks.
    #[error("feature set {feature_set:?} must export {export:?} for its trigger, and does not")]
    MissingExport {
        /// Its name.
        feature_set: String,
        /// What is missing.
        export: &'static str,
    },
    /// What the component exports for a trigger has another type than the interface.
    #[error(
        "feature set {feature_set:?} exports {export:?} with another type than that interface has"
    )]
    ExportType {
        /// Its name.
        feature_set: String,
        /// What it exports.
        export: &'static str,
        /// What the engine said.
        #[source]
        source: EngineError,
    },
    /// The component exports something that no trigger of the manifest explains.
    #[error("feature set {feature_set:?} exports {export:?}, which its triggers do not explain")]
    UnexpectedExport {
        /// Its name.
        feature_set: String,
        /// What it exports.
        export: String,
    },
    /// The tenant's state cannot be set up.
    #[error("the state of the program cannot be set up")]
    State(#[from] StateError),
    /// The settings of the tenant are refused.
    #[error("the settings of the tenant are refused")]
    Settings(#[from] SettingsError),
    /// The tenant already runs a program.
    #[error("tenant {tenant} already has a program")]
    Loaded {
        /// The tenant.
        tenant: String,
    },
}

/// A component, linked, and what it exports.
type Part = (InstancePre<GuestState>, Exports);

/// A program that is compiled and linked for one tenant. It holds machine code and no instance.
pub(crate) struct Code {
    pub(crate) manifest: Arc<Manifest>,
    /// What its components import, and what they ask for within that.
    pub(crate) abilities: BTreeSet<String>,
    /// In manifest order.
    parts: Vec<Part>,
    /// Machine code that other programs share while this one has it.
    _shared: (Vec<Arc<Component>>, Option<Arc<Module>>),
    /// Against which requests and responses are checked, where the operator wants that.
    contracts: Contracts,
    clock: Clock,
    /// Of the artifact; only where its events are recorded.
    pub(crate) digest: Option<[u8; 32]>,
}

impl Code {
    /// The handlers of one life of the program, without any instance.
    pub(crate) fn routes(&self, tenant: &Arc<Tenant>, life: Life) -> Arc<Routes> {
        let life = Arc::new(life);
        Arc::new_cyclic(|routes| {
            let feature_sets = self.feature_sets(tenant, &life, routes);
            let manifest = Arc::clone(&self.manifest);
            Routes::new(manifest, feature_sets, &self.contracts, life)
        })
    }

    fn feature_sets(
        &self,
        tenant: &Arc<Tenant>,
        life: &Arc<Life>,
        routes: &Weak<Routes>,
    ) -> Vec<Arc<FeatureSet>> {
        let records = tenant.counters.records.follow(&self.manifest);
        let parts = self.parts.iter().zip(records).enumerate();
        let feature_set = |(index, (part, executions)): (usize, (&Part, Arc<Executions>))| {
            let (component, exports) = part;
            let scope = Scope {
                tenant: Arc::clone(tenant),
                life: Arc::clone(life),
                routes: Weak::clone(routes),
                manifest: Arc::clone(&self.manifest),
                index,
                clock: self.clock.clone(),
                digest: self.digest,
                executions,
            };
            Arc::new(FeatureSet::new(scope, component.clone(), *exports))
        };
        parts.map(feature_set).collect()
    }
}

impl Engine {
    /// Compiles and links all feature sets of a program, in manifest order.
    pub(crate) fn load(
        &self,
        artifact: Artifact<'_>,
        settings: &Settings,
    ) -> Result<Code, LoadError> {
        let linking = match settings.record {
            Some(_) => Linking::Recorded,
            None => Linking::Plain,
        };
        self.load_linked(artifact, settings, linking)
    }

    /// The same, with nothing behind its imports but what was recorded.
    pub(crate) fn load_to_replay(
        &self,
        artifact: Artifact<'_>,
        settings: &Settings,
    ) -> Result<Code, LoadError> {
        self.load_linked(artifact, settings, Linking::Replayed)
    }

    fn load_linked(
        &self,
        artifact: Artifact<'_>,
        settings: &Settings,
        linking: Linking,
    ) -> Result<Code, LoadError> {
        let recorded = linking == Linking::Recorded;
        let digest = recorded.then(|| Sha256::digest(artifact.file).into());
        let manifest = Arc::new(artifact.manifest);
        let mut components = Vec::with_capacity(artifact.components.len());
        let mut exports = BTreeSet::new();
        let mut session = self.compiler.session(&settings.artifact);
        for (bytes, entry) in artifact.components.iter().zip(&manifest.feature_sets) {
            let component: Arc<Component> =
                session.part(bytes).map_err(|source| LoadError::Compile {
                    feature_set: entry.component.clone(),
                    source,
                })?;
            self.runtime_exports(&component, &mut exports);
            components.push(component);
        }
        let runtime = |bytes| {
            let part = match self.runtime_code {
                RuntimeCode::Needed => needed::only(bytes, &exports),
                RuntimeCode::Shared => None,
            };
            session.part(part.as_deref().unwrap_or(bytes))
        };
        let runtime: Option<Arc<Module>> = artifact
            .runtime
            .map(runtime)
            .transpose()
            .map_err(LoadError::Runtime)?;
        drop(session);
        let mut parts = Vec::with_capacity(components.len());
        for (component, entry) in components.iter().zip(&manifest.feature_sets) {
            let grants = (&settings.grants, &*manifest);
            let runtime = runtime.as_deref();
            parts.push(self.load_feature_set(component, entry, runtime, grants, linking)?);
        }
        let checked = settings.contract > ContractChecks::None;
        let http = manifest.http.as_ref().filter(|_| checked);
        let contracts = http.map(contracts).transpose()?.unwrap_or_default();
        Ok(Code {
            abilities: self.abilities(&components, &manifest),
            manifest,
            parts,
            _shared: (components, runtime),
            contracts,
            clock: self.clock(),
            digest,
        })
    }

    fn load_feature_set(
        &self,
        component: &Component,
        entry: &Entry,
        runtime: Option<&Module>,
        (grants, manifest): (&Grants, &Manifest),
        linking: Linking,
    ) -> Result<(InstancePre<GuestState>, Exports), LoadError> {
        let feature_set = || entry.component.clone();
        let exports = self.exports(component, entry)?;
        let mut linker = Linker::new(&self.inner);
        let ty = component.component_type();
        for (import, item) in ty.imports(&self.inner) {
            if linking != Linking::Replayed {
                granted(import, entry, grants, manifest)?;
            }
            let linked = match &item.ty {
                ComponentItem::Module(_) if import == RUNTIME_IMPORT => {
                    let runtime = runtime.ok_or_else(|| LoadError::NoRuntime {
                        feature_set: feature_set(),
                    })?;
                    linker.root().module(import, runtime).map(|()| true)
                }
                ComponentItem::ComponentInstance(_) => link::define(&mut linker, import, linking),
                ComponentItem::Module(_)
                | ComponentItem::ComponentFunc(_)
                | ComponentItem::CoreFunc(_)
                | ComponentItem::Component(_)
                | ComponentItem::Type(_)
                | ComponentItem::Resource(_) => Ok(false),
            };
            match linked {
                Ok(true) => {}
                Ok(false) => {
                    return Err(LoadError::UnknownImport {
                        feature_set: feature_set(),
                        import: import.to_owned(),
                    });
                }
                Err(error) => {
                    return Err(LoadError::Link {
                        feature_set: feature_set(),
                        source: EngineError(error),
                    });
                }
            }
        }
        let ready = linker
            .instantiate_pre(component)
            .map_err(|error| LoadError::Link {
                feature_set: feature_set(),
                source: EngineError(error),
            })?;
        check_types(component, entry, &ready)?;
        Ok((ready, exports))
    }

    /// What the components import, which is certain, and what the manifest says of it, which is granted or refused when it is used.
    fn abilities(&self, components: &[Arc<Component>], manifest: &Manifest) -> BTreeSet<String> {
        let mut abilities = BTreeSet::new();
        for (component, entry) in components.iter().zip(&manifest.feature_sets) {
            let ty = component.component_type();
            let imports = ty.imports(&self.inner).map(|(import, _)| import.to_owned());
            abilities.extend(imports.filter(|import| import != RUNTIME_IMPORT));
            let needs = entry.needs.iter().filter(|need| !need.detail.is_empty());
            abilities.extend(needs.map(|need| format!("{} {}", need.interface, need.detail)));
        }
        abilities
    }

    /// Notes what a component uses of the value runtime: the type of a module that it imports lists what it may name.
    fn runtime_exports(&self, component: &Component, exports: &mut BTreeSet<String>) {
        for (import, item) in component.component_type().imports(&self.inner) {
            if let ComponentItem::Module(module) = &item.ty
                && import == RUNTIME_IMPORT
            {
                exports.extend(module.exports(&self.inner).map(|(name, _)| name.to_owned()));
            }
        }
    }

    /// Finds the functions that events call and checks that they are those that the manifest's triggers name.
    fn exports(&self, component: &Component, entry: &Entry) -> Result<Exports, LoadError> {
        let promised: BTreeSet<&'static str> =
            entry.triggers.iter().map(Trigger::interface).collect();
        for (export, _) in component.component_type().exports(&self.inner) {
            if !promised.contains(export) {
                return Err(LoadError::UnexpectedExport {
                    feature_set: entry.component.clone(),
                    export: export.to_owned(),
                });
            }
        }
        let mut exports = Exports::default();
        for &name in &promised {
            let (_, index) = function(component, name).ok_or_else(|| LoadError::MissingExport {
                feature_set: entry.component.clone(),
                export: name,
            })?;
            *exports.of(name) = Some(index);
        }
        Ok(exports)
    }
}

/// Checks that the functions that events call take and answer what the interfaces say.
fn check_types(
    component: &Component,
    entry: &Entry,
    ready: &InstancePre<GuestState>,
) -> Result<(), LoadError> {
    let promised: BTreeSet<&'static str> = entry.triggers.iter().map(Trigger::interface).collect();
    for export in promised {
        let Some((function, _)) = function(component, export) else {
            continue;
        };
        signature::check(export, &function, ready).map_err(|error| LoadError::ExportType {
            feature_set: entry.component.clone(),
            export,
            source: EngineError(error),
        })?;
    }
    Ok(())
}

/// The function of an interface that a component exports.
fn function(
    component: &Component,
    name: &'static str,
) -> Option<(ComponentFunc, ComponentExportIndex)> {
    let is_life_cycle = [Trigger::Start, Trigger::EndSuccess, Trigger::Test]
        .iter()
        .any(|trigger| trigger.interface() == name);
    let instance = component.get_export_index(None, name)?;
    let name = if is_life_cycle { "run" } else { "handle" };
    let (item, index) = component.get_export(Some(&instance), name)?;
    let ComponentItem::ComponentFunc(function) = item else {
        return None;
    };
    Some((function, index))
}

/// Refuses an interface that the operator has not granted, or a name in it.
fn granted(
    import: &str,
    entry: &Entry,
    grants: &Grants,
    manifest: &Manifest,
) -> Result<(), LoadError> {
    let mut needs = entry.needs.iter().filter(|need| need.interface == import);
    let (need, what, flag) = match import {
        interface::FILES_READING
        | interface::FILES_WRITING
        | interface::FILES_SERVING
        | interface::FILES_MONITORING
            if grants.directories.is_empty() =>
        {
            let what = match import {
                interface::FILES_WRITING => "changes files",
                interface::FILES_MONITORING => "watches files",
                _ => "reads files",
            };
            (needs.next(), what.to_owned(), "--dir PATH".to_owned())
        }
        interface::INPUT if !grants.input => (
            needs.next(),
            "reads the standard input".to_owned(),
            "only `run` does".to_owned(),
        ),
        interface::OUTBOUND | interface::HTTP_CLIENT => {
            let outbound = &grants.outbound;
            let allowed = |need: &&aro_wit::manifest::Need| match need.detail.rsplit_once(':') {
                // Where the statement does not say it, it is decided when it runs.
                Some((host, port)) => port.parse().is_ok_and(|port| outbound.grants(host, port)),
                None => true,
            };
            let asked = needs.find(|need| outbound.is_empty() || !allowed(need));
            match asked {
                None if !outbound.is_empty() => return Ok(()),
                asked => {
                    let target = asked
                        .map(|need| need.detail.as_str())
                        .filter(|detail| !detail.is_empty());
                    let target = target.unwrap_or("HOST:PORT");
                    let what = format!("connects to {target}");
                    let what = what.replace("HOST:PORT", "others");
                    (asked, what, format!("--connect {target}"))
                }
            }
        }
        interface::ENVIRONMENT => {
            match needs.find(|need| !grants.environment.grants(&need.detail)) {
                None => return Ok(()),
                Some(need) => (
                    Some(need),
                    format!("reads the environment variable {}", need.detail),
                    format!("--env {}", need.detail),
                ),
            }
        }
        _ => return Ok(()),
    };
    let statement =
        need.and_then(|need| entry.statements.get(usize::try_from(need.statement).ok()?));
    let place = statement.map_or_else(String::new, |statement| {
        let place = crate::failure::place(manifest, statement).unwrap_or_default();
        format!(" (`{}` at {place})", statement.text)
    });
    Err(LoadError::NotGranted {
        feature_set: entry.name.clone(),
        what: what + &place,
        flag,
    })
}

impl Exports {
    fn of(&mut self, name: &str) -> &mut Option<ComponentExportIndex> {
        match name {
            interface::START => &mut self.start,
            interface::END => &mut self.end,
            interface::TEST => &mut self.test,
            interface::TCP_CONNECTED => &mut self.connected,
            interface::TCP_DATA => &mut self.data,
            interface::TCP_FINISHED => &mut self.finished,
            interface::WEBSOCKET_CONNECTED => &mut self.websocket_connected,
            interface::WEBSOCKET_MESSAGE => &mut self.websocket_message,
            interface::WEBSOCKET_DISCONNECTED => &mut self.websocket_disconnected,
            interface::EVENT_HANDLER => &mut self.event,
            interface::HTTP_HANDLER => &mut self.operation,
            _ => &mut self.disconnected,
        }
    }
}
