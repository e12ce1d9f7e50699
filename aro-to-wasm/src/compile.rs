//! A whole program to one `app.wasm`.

use aro_wit::manifest::{
    FILE_CREATED, FILE_DELETED, FILE_MODIFIED, FORMAT, FeatureSet as Entry, KEY_PRESSED, Manifest,
    NOTIFICATION_SENT, Need, Origin, STATE_CHANGED, Trigger, repository_changed,
    repository_evicted,
};
use indexmap::{IndexMap, IndexSet};

use crate::check::nearest;
use crate::contract;
use crate::diagnostic::{Code, Diagnostic};
use crate::emit::artifact::{self, Nested};
use crate::emit::component;
use crate::emit::module;
use crate::emit::wit::Contract;
use crate::ir::Role;
use crate::lower::{Facts, Job, lower};
use crate::nested::{self, ComponentError};
use crate::program::{
    FeatureSet, FileEvent, GuardCondition, Program, SocketEvent, Trigger as Kind, WebSocketEvent,
    emitted, plain_name,
};
use crate::repositories;
use crate::runtime::Runtime;
use crate::source::{Lines, SourceFile};
use crate::sources;
use crate::template::FOLDER;

/// What is compiled.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// Name of the program.
    pub name: String,
    /// Sources in program order (runtime.md 1.1).
    pub files: Vec<SourceFile>,
    /// Templates, with paths that begin with `templates/`.
    pub templates: Vec<SourceFile>,
    /// The OpenAPI contract, under one of the names in [`crate::CONTRACT_NAMES`].
    pub contract: Option<SourceFile>,
    /// Store files: rows that repositories begin with (runtime.md 7.7).
    pub stores: Vec<SourceFile>,
    /// Hand-written components as file stem and bytes, in name order.
    pub components: Vec<(String, Vec<u8>)>,
    /// Whether the program tells its statements and what they bind, by way of `aro:debug/trace`, which hosts provide to replays only.
    pub traced: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Compiled {
    /// The artifact; none if there was an error.
    pub artifact: Option<Artifact>,
    /// Everything there is to say, errors and warnings in source order.
    pub diagnostics: Vec<Diagnostic>,
    /// The sources, for drawing diagnostics.
    pub files: Vec<SourceFile>,
}

/// A compiled program.
#[derive(Debug)]
pub struct Artifact {
    /// The bytes of `app.wasm`.
    pub bytes: Vec<u8>,
    /// Its manifest.
    pub manifest: Manifest,
}

/// Why a hand-written component was refused.
#[derive(Debug, thiserror::Error)]
#[error("component {name}")]
pub struct RefusedComponent {
    /// Its file stem.
    pub name: String,
    /// What is wrong.
    #[source]
    pub source: ComponentError,
}

/// Compiles a program.
///
/// # Errors
/// [`RefusedComponent`] if a hand-written component does not fit the contract. Mistakes in source are no error of this kind: they are in [`Compiled::diagnostics`].
pub fn compile(input: Input) -> Result<Compiled, RefusedComponent> {
    build(input, Build::Program)
}

/// Compiles the tests of a program, each with the feature sets that it runs; nothing else of the program is in the artifact, which for a program without tests has no feature set.
///
/// # Errors
/// None today: hand-written components are left out.
pub fn compile_tests(input: Input) -> Result<Compiled, RefusedComponent> {
    build(input, Build::Tests)
}

/// What of a program is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Build {
    /// What runs, without tests.
    Program,
    /// Tests only.
    Tests,
}

fn build(input: Input, build: Build) -> Result<Compiled, RefusedComponent> {
    let sources = (build == Build::Program).then(|| sources::section(&input));
    let crate::Checked {
        program,
        mut files,
        mut diagnostics,
    } = crate::front(input.files, build == Build::Program);
    let templates = add_templates(&mut files, input.templates);
    diagnostics.extend(repositories::check(&input.stores, files.len() as u32));
    files.extend(input.stores.iter().cloned());
    let nested = input.components.as_slice();
    let api = input
        .contract
        .map(|source| read_contract(source, (&program, nested), &mut files, &mut diagnostics));
    let mut linker = Linker {
        contract: Contract::load(),
        runtime: Runtime::committed(),
        names: Names::default(),
        entries: Vec::new(),
        components: Vec::new(),
        diagnostics,
        emitted: emitted(&program),
    };
    let mut facts = facts(&program, &files, templates);
    facts.api = api.as_ref();
    facts.is_traced = input.traced;
    if build == Build::Tests {
        let sets = program.feature_sets.iter().map(|set| &set.syntax);
        let named = sets.map(|set| (plain_name(&set.name), set));
        facts.tested = named.collect();
    }
    linker.program(&program, input.components, build, &facts)?;
    let Linker {
        contract,
        runtime,
        entries,
        components,
        mut diagnostics,
        ..
    } = linker;
    diagnostics.sort_by_key(|diagnostic| diagnostic.primary.map(|span| (span.file, span.start)));
    // An action is compiled into each of its callers, and says each time what is wrong with it.
    diagnostics.dedup();
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Ok(Compiled {
            artifact: None,
            diagnostics,
            files,
        });
    }
    let manifest = Manifest {
        format: FORMAT,
        program: input.name,
        compiler: concat!("aro-to-wasm ", env!("CARGO_PKG_VERSION")).to_owned(),
        files: files.iter().map(|file| file.path.clone()).collect(),
        feature_sets: entries,
        http: api.map(|api| api.http),
        websockets: program.uses_websockets,
        repositories: repositories::declare(&program, &input.stores),
    };
    let bytes = artifact::emit(
        &components,
        &manifest,
        sources.as_deref(),
        (&contract, &runtime),
    );
    Ok(Compiled {
        artifact: Some(Artifact { bytes, manifest }),
        diagnostics,
        files,
    })
}

/// The components and manifest entries of a program, while they are collected.
struct Linker {
    contract: Contract,
    runtime: Runtime,
    names: Names,
    entries: Vec<Entry>,
    components: Vec<Nested>,
    diagnostics: Vec<Diagnostic>,
    /// Events that the program emits.
    emitted: IndexSet<String>,
}

impl Linker {
    fn program(
        &mut self,
        program: &Program,
        components: Vec<(String, Vec<u8>)>,
        build: Build,
        facts: &Facts<'_>,
    ) -> Result<(), RefusedComponent> {
        for set in &program.feature_sets {
            self.set(set, build, facts);
        }
        if build == Build::Program {
            self.nest(components, facts.api)?;
        }
        Ok(())
    }

    fn set(&mut self, set: &FeatureSet, build: Build, facts: &Facts<'_>) {
        match (build, job(set, facts.api)) {
            (Build::Tests, _) if set.trigger == Kind::Test => {
                self.feature_set(set, Job::of(Role::Test), Trigger::Test, facts);
            }
            (Build::Tests, _) => {}
            (Build::Program, Some((job, trigger))) => {
                let guards = job.guards.clone();
                self.feature_set(set, job, trigger, facts);
                self.emitted_too(set, guards, facts);
            }
            (Build::Program, None) => self.diagnostics.extend(never_run(set)),
        }
    }

    /// A handler of connections whose event the program emits as well handles that, too (runtime.md 3.3).
    fn emitted_too(&mut self, set: &FeatureSet, guards: Vec<GuardCondition>, facts: &Facts<'_>) {
        let Kind::Tcp(_) = set.trigger else { return };
        let Some((event, _)) = set.syntax.activity.split_once(" Handler") else {
            return;
        };
        if let Some(event) = self.emitted.get(event.trim()).cloned() {
            let job = Job {
                guards,
                ..Job::of(Role::Event)
            };
            self.feature_set(set, job, Trigger::Event(event), facts);
        }
    }

    fn feature_set(&mut self, set: &FeatureSet, job: Job, trigger: Trigger, facts: &Facts<'_>) {
        let lowered = lower(&set.syntax, job, facts);
        self.diagnostics.extend(lowered.diagnostics);
        if self.diagnostics.iter().any(Diagnostic::is_error) {
            return;
        }
        let module = module::emit(&lowered.unit, &self.contract, &self.runtime);
        let name = self.names.unique(&set.syntax.name);
        let ignores_headers = matches!(trigger, Trigger::Operation(_)) && !lowered.reads_headers;
        let bytes = component::emit(&module, trigger.interface(), &self.contract, &self.runtime);
        self.components.push(Nested {
            name: name.clone(),
            bytes,
            imports: owned(&module.imports),
            exports: vec![trigger.interface().to_owned()],
            uses_runtime: true,
        });
        self.entries.push(Entry {
            component: name,
            name: set.syntax.name.clone(),
            activity: set.syntax.activity.clone(),
            triggers: vec![trigger],
            statements: lowered.statements,
            code: module.code,
            origin: Origin::Aro,
            needs: needs(lowered.needs, &module.asked),
            ignores_headers,
        });
    }

    fn nest(
        &mut self,
        components: Vec<(String, Vec<u8>)>,
        api: Option<&contract::Contract>,
    ) -> Result<(), RefusedComponent> {
        let mut components = components.into_iter();
        components.try_for_each(|(stem, bytes)| self.component(stem, bytes, api))
    }

    fn component(
        &mut self,
        stem: String,
        bytes: Vec<u8>,
        api: Option<&contract::Contract>,
    ) -> Result<(), RefusedComponent> {
        let name = self.names.unique(&stem);
        let refused = |source| RefusedComponent {
            name: stem.clone(),
            source,
        };
        let (nested, mut triggers) =
            nested::read(name.clone(), bytes, &self.contract).map_err(refused)?;
        for trigger in &mut triggers {
            if let Trigger::Operation(id) = trigger {
                let named = api.and_then(|api| api.operation_of(&stem));
                let name = stem.clone();
                *id = named
                    .ok_or(ComponentError::NoOperation { name })
                    .map_err(refused)?
                    .to_owned();
            }
        }
        self.components.push(nested);
        self.entries.push(Entry {
            component: name,
            name: stem,
            activity: String::new(),
            triggers,
            statements: Vec::new(),
            code: Vec::new(),
            origin: Origin::Component,
            needs: Vec::new(),
            ignores_headers: false,
        });
        Ok(())
    }
}

fn owned(imports: &IndexMap<&'static str, Vec<&'static str>>) -> IndexMap<String, Vec<String>> {
    imports
        .iter()
        .map(|(interface, functions)| {
            (
                (*interface).to_owned(),
                functions
                    .iter()
                    .map(|function| (*function).to_owned())
                    .collect(),
            )
        })
        .collect()
}

/// Reads the contract and puts it behind the sources, so that diagnostics can cite it.
fn read_contract(
    source: SourceFile,
    (program, components): (&Program, &[(String, Vec<u8>)]),
    files: &mut Vec<SourceFile>,
    diagnostics: &mut Vec<Diagnostic>,
) -> contract::Contract {
    let file = files.len() as u32;
    let (contract, found) = contract::read(file, &source);
    diagnostics.extend(found);
    let sets = program.feature_sets.iter();
    let names = sets.map(|set| set.syntax.name.as_str());
    let components = components.iter().map(|(stem, _)| stem.as_str());
    diagnostics.extend(contract.check(file, &source, names, components));
    files.push(source);
    contract
}

/// Puts templates behind the sources, so that failures can cite them; answers where each is.
fn add_templates(files: &mut Vec<SourceFile>, templates: Vec<SourceFile>) -> IndexMap<String, u32> {
    let first = files.len();
    let places = templates.iter().enumerate().map(|(index, template)| {
        let path = template.path.strip_prefix(FOLDER);
        let path = path.unwrap_or(&template.path).to_owned();
        (path, (first + index) as u32)
    });
    let places = places.collect();
    files.extend(templates);
    places
}

fn facts<'a>(
    program: &'a Program,
    files: &'a [SourceFile],
    templates: IndexMap<String, u32>,
) -> Facts<'a> {
    Facts {
        files,
        lines: files.iter().map(Lines::of).collect(),
        api: None,
        has_state_handlers: program
            .feature_sets
            .iter()
            .any(|set| matches!(set.trigger, Kind::State { .. })),
        templates,
        published: program.published.keys().map(String::as_str).collect(),
        configured: program.configured.iter().map(String::as_str).collect(),
        stores: program.store_names.iter().map(String::as_str).collect(),
        listeners: program.resources.iter().map(String::as_str).collect(),
        links: program.links.iter().map(String::as_str).collect(),
        has_websockets: program.uses_websockets,
        is_traced: false,
        has_sockets: !program.resources.is_empty()
            || program
                .feature_sets
                .iter()
                .any(|set| matches!(set.trigger, Kind::Tcp(_) | Kind::Socket(_))),
        tested: IndexMap::new(),
        actions: program
            .user_actions
            .iter()
            .filter_map(|(name, index)| {
                let set = program.feature_sets.get(*index)?;
                Some((name.clone(), &set.syntax))
            })
            .collect(),
    }
}

/// How a feature set is run; none for those that are only called or only tested, and those that nothing runs.
fn job(set: &FeatureSet, api: Option<&contract::Contract>) -> Option<(Job, Trigger)> {
    let mut event = "event";
    let mut guards: Vec<GuardCondition> = set
        .guard
        .as_ref()
        .map_or_else(Vec::new, |guard| guard.conditions.clone());
    let (role, trigger) = match &set.trigger {
        Kind::Start => (Role::Start, Trigger::Start),
        Kind::EndSuccess => (Role::End, Trigger::EndSuccess),
        Kind::EndError => (Role::End, Trigger::EndError),
        Kind::Tcp(event) | Kind::Socket(Some(event)) => match event {
            SocketEvent::Connected => (Role::TcpConnected, Trigger::TcpConnected),
            SocketEvent::Data => (Role::TcpData, Trigger::TcpData),
            SocketEvent::Finished => (Role::TcpFinished, Trigger::TcpFinished),
            SocketEvent::Disconnected => (Role::TcpDisconnected, Trigger::TcpDisconnected),
        },
        Kind::WebSocket {
            event: Some(event),
            path,
        } => websocket_job(*event, path.clone()),
        Kind::Domain(event) => (Role::Event, Trigger::Event(event.clone())),
        Kind::File(Some(event)) => (Role::Event, Trigger::Event(file_subject(*event).to_owned())),
        Kind::KeyPress => (Role::Event, Trigger::Event(KEY_PRESSED.to_owned())),
        Kind::Notification => (Role::Event, Trigger::Event(NOTIFICATION_SENT.to_owned())),
        Kind::State {
            field,
            transition,
            observer,
        } => {
            if *observer {
                event = "transition";
            }
            // A key that no transition has guards nothing (runtime.md 3.7.1).
            guards.retain(|guard| STATE_FIELDS.iter().any(|field| guard.field == [*field]));
            guards.extend(state_guards(field.as_deref(), transition.as_deref()));
            (Role::Event, Trigger::Event(STATE_CHANGED.to_owned()))
        }
        Kind::None if api.is_some_and(|api| api.names(&set.syntax.name)) => {
            (Role::Operation, Trigger::Operation(set.syntax.name.clone()))
        }
        Kind::RepositoryObserver(repository) => {
            let subject = repository_changed(repository_name(repository));
            (Role::Event, Trigger::Event(subject))
        }
        Kind::Evicted(repository) => {
            let subject = repository_evicted(repository_name(repository));
            (Role::Event, Trigger::Event(subject))
        }
        Kind::Action
        | Kind::Test
        | Kind::Socket(None)
        | Kind::File(None)
        | Kind::WebSocket { event: None, .. }
        | Kind::None => return None,
    };
    let success = trigger != Trigger::EndError;
    Some((
        Job {
            role,
            success,
            event,
            guards,
            guards_row: matches!(set.trigger, Kind::RepositoryObserver(_)),
            notifies: set.trigger == Kind::Notification,
        },
        trigger,
    ))
}

fn file_subject(event: FileEvent) -> &'static str {
    match event {
        FileEvent::Created => FILE_CREATED,
        FileEvent::Modified => FILE_MODIFIED,
        FileEvent::Deleted => FILE_DELETED,
    }
}

fn websocket_job(event: WebSocketEvent, path: Option<String>) -> (Role, Trigger) {
    match event {
        WebSocketEvent::Connected => (Role::WebSocketConnected, Trigger::WebSocketConnected(path)),
        WebSocketEvent::Message => (Role::WebSocketMessage, Trigger::WebSocketMessage(path)),
        WebSocketEvent::Binary => (Role::WebSocketMessage, Trigger::WebSocketBinary(path)),
        WebSocketEvent::Disconnected => (
            Role::WebSocketDisconnected,
            Trigger::WebSocketDisconnected(path),
        ),
    }
}

/// The name of the repository at the end of what stands before `Observer`.
fn repository_name(text: &str) -> &str {
    text.rsplit(' ').next().unwrap_or(text)
}

/// Fields of the event of a transition that a guard may name.
const STATE_FIELDS: &[&str] = &["toState", "fromState", "fieldName", "objectName"];

/// `status StateObserver<draft_to_sent>` as conditions on the event of the transition.
fn state_guards(field: Option<&str>, transition: Option<&str>) -> Vec<GuardCondition> {
    let states = transition.and_then(|transition| transition.split_once("_to_"));
    let rows = [
        ("fieldName", field),
        ("fromState", states.map(|(from, _)| from)),
        ("toState", states.map(|(_, to)| to)),
    ];
    rows.into_iter()
        .filter_map(|(field, value)| {
            Some(GuardCondition {
                field: vec![field.to_owned()],
                values: vec![value?.to_owned()],
            })
        })
        .collect()
}

/// Says that nothing can run a feature set, which is left out. Actions are compiled into their callers, tests are no part of the program, and of names that select no event the checker has spoken.
fn never_run(set: &FeatureSet) -> Option<Diagnostic> {
    if set.trigger != Kind::None {
        return None;
    }
    let message = format!("nothing runs `{}`", set.syntax.name);
    let unused = Diagnostic::new(Code::NeverRun, set.syntax.header, message);
    let (before, last) = set.syntax.activity.rsplit_once(' ').unwrap_or_default();
    Some(match nearest(last, ["Handler", "Observer"].into_iter()) {
        Some(meant) => unused.help(format!("did you mean `{before} {meant}`?")),
        None => unused.help(
            "its activity is no handler, and no contract names it: it is left out of the program",
        ),
    })
}

/// Kebab-case names, each once.
#[derive(Debug, Default)]
struct Names {
    taken: IndexSet<String>,
}

impl Names {
    fn unique(&mut self, name: &str) -> String {
        let base = kebab(name);
        let mut unique = base.clone();
        let mut number = 2;
        while !self.taken.insert(unique.clone()) {
            unique = format!("{base}-n{number}");
            number += 1;
        }
        unique
    }
}

/// A component-model label: words of small letters and digits that begin with a letter, joined by hyphens.
fn kebab(name: &str) -> String {
    let words: Vec<String> = name
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| {
            let word = word.to_ascii_lowercase();
            if word.starts_with(|first: char| first.is_ascii_digit()) {
                format!("n{word}")
            } else {
                word
            }
        })
        .collect();
    if words.is_empty() {
        "feature-set".to_owned()
    } else {
        words.join("-")
    }
}

/// What statements ask for by name, and the first statement for each other interface.
fn needs(mut named: Vec<Need>, asked: &IndexMap<&'static str, Option<u32>>) -> Vec<Need> {
    for (interface, statement) in asked {
        if let Some(statement) = *statement
            && !named.iter().any(|need| need.interface == *interface)
        {
            named.push(Need {
                interface: (*interface).to_owned(),
                detail: String::new(),
                statement,
            });
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::{Names, kebab};

    #[test]
    fn names_become_component_labels() {
        assert_eq!(kebab("Echo Data"), "echo-data");
        assert_eq!(kebab("GET /items/{id}"), "get-items-id");
        assert_eq!(kebab("Phase 2"), "phase-n2");
        assert_eq!(kebab("日本"), "feature-set");
    }

    #[test]
    fn names_are_unique() {
        let mut names = Names::default();
        assert_eq!(names.unique("Log It"), "log-it");
        assert_eq!(names.unique("log it"), "log-it-n2");
    }
}
