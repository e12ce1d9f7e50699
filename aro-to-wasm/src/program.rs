//! The program as a whole: the feature sets of all files, what triggers each, and the names that all of them share.

mod raised;
mod trigger;

pub(crate) use raised::{Raise, emitted, raised};
pub(crate) use trigger::SYSTEM_EVENTS;
pub use trigger::{FileEvent, GuardCondition, SocketEvent, StateGuard, Trigger, WebSocketEvent};

use crate::actions::{ActionKind, Role, lookup, role};
use crate::source::Span;
use crate::syntax::ast::{
    self, Action, Block, Import, Noun, Object, Operand, Preposition, Statement, Target,
};
use crate::syntax::walk;
use indexmap::{IndexMap, IndexSet};
use rustc_hash::FxHashSet;

/// Name of the feature set that a program begins with.
pub const START: &str = "Application-Start";

/// A feature set and what follows from its header.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureSet {
    /// Index of its file.
    pub file: u32,
    /// As written.
    pub syntax: ast::FeatureSet,
    /// What starts it; HTTP dispatch goes by name and is independent of this (runtime 3.3).
    pub trigger: Trigger,
    /// Conditions in angle brackets behind the activity.
    pub guard: Option<StateGuard>,
}

/// One `Publish as`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publisher {
    /// Activity of the feature set that publishes: only feature sets of the same activity see the name.
    pub activity: String,
    /// Index of the feature set.
    pub feature_set: usize,
    /// The statement.
    pub span: Span,
}

/// A whole program.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Program {
    /// `import` lines of all files, in order.
    pub imports: Vec<Import>,
    /// In order of files, then of source.
    pub feature_sets: Vec<FeatureSet>,
    /// External name to the statements that publish it.
    pub published: IndexMap<String, Vec<Publisher>>,
    /// Names without `-repository` that Store makes repositories (runtime 7.1).
    pub store_names: IndexSet<String>,
    /// Names whose fields Configure sets for the whole application (runtime 1.7.3).
    pub configured: IndexSet<String>,
    /// Names of listeners, outbound connections and servers, visible in every feature set (runtime 6.2).
    pub resources: IndexSet<String>,
    /// Those of them that are outbound connections.
    pub links: IndexSet<String>,
    /// Whether it handles WebSockets or says something about them.
    pub uses_websockets: bool,
    /// Plain name of each user-defined action to the index of its feature set; the first of a name.
    pub user_actions: IndexMap<String, usize>,
}

impl Program {
    /// Puts the files together; the index of a file is the one its spans carry.
    pub fn new(files: Vec<ast::Program>) -> Program {
        let mut program = Program::default();
        for (file, parsed) in files.into_iter().enumerate() {
            program.imports.extend(parsed.imports);
            for syntax in parsed.feature_sets {
                program.add(file as u32, syntax);
            }
        }
        program
    }

    fn add(&mut self, file: u32, syntax: ast::FeatureSet) {
        let index = self.feature_sets.len();
        let trigger = Trigger::of(&syntax);
        let guard = StateGuard::of(&syntax.activity);
        if trigger == Trigger::Action {
            self.user_actions
                .entry(plain_name(&syntax.name))
                .or_insert(index);
        }
        self.collect_published(&syntax, index);
        let mut bound = FxHashSet::default();
        bindings(&syntax.body, &mut bound, &|_| true);
        let settings = settings(&syntax).into_iter().map(str::to_owned);
        self.configured.extend(settings);
        self.uses_websockets |= matches!(trigger, Trigger::WebSocket { .. });
        walk::actions(&syntax.body, &mut |action, _| {
            self.uses_websockets |= names_websockets(action, &bound);
            self.resources.extend(resource(action).map(str::to_owned));
            let link = resource(action).filter(|_| is_kind(action, ActionKind::Connect));
            self.links.extend(link.map(str::to_owned));
            let target = store_target(action).map(|noun| noun.base.as_str());
            let target =
                target.filter(|name| !name.ends_with("-repository") && !bound.contains(name));
            self.store_names.extend(target.map(str::to_owned));
        });
        self.feature_sets.push(FeatureSet {
            file,
            syntax,
            trigger,
            guard,
        });
    }

    fn collect_published(&mut self, syntax: &ast::FeatureSet, feature_set: usize) {
        walk::statements(&syntax.body, &mut |statement, _| {
            if let Statement::Publish(publish) = statement {
                let publisher = Publisher {
                    activity: syntax.activity.clone(),
                    feature_set,
                    span: publish.span,
                };
                self.published
                    .entry(publish.external.text.clone())
                    .or_default()
                    .push(publisher);
            }
        });
    }

    /// Whether `name` denotes a repository in every feature set.
    pub fn is_repository(&self, name: &str) -> bool {
        name.ends_with("-repository") || self.store_names.contains(name)
    }

    /// The user-defined action that a verb calls, dotted (`Application.Name`) or by its bare name.
    pub fn user_action(&self, verb: &str) -> Option<&FeatureSet> {
        let name = verb.strip_prefix("Application.").unwrap_or(verb);
        let index = self.user_actions.get(&plain_name(name))?;
        self.feature_sets.get(*index)
    }

    /// The publishers of `name` that a feature set of `activity` can see.
    pub fn publishers<'a>(
        &'a self,
        name: &str,
        activity: &str,
    ) -> impl Iterator<Item = &'a Publisher> {
        let of_name = self.published.get(name).map_or(&[][..], Vec::as_slice);
        let activity = activity.to_owned();
        of_name.iter().filter(move |publisher| {
            publisher.activity == activity || publisher.activity.is_empty() || activity.is_empty()
        })
    }
}

/// A name without what `When` and calls of actions do not distinguish: hyphens, blanks, letter case (language.md 8.1, step 6).
pub(crate) fn plain_name(name: &str) -> String {
    name.chars()
        .filter(|char| !matches!(char, '-' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Whether a name that nothing binds stands for WebSockets (runtime.md 5.4.1).
pub(crate) fn is_websocket_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "ws" || name.contains("websocket")
}

fn names_websockets(action: &Action, bound: &FxHashSet<&str>) -> bool {
    let objects = action.object.iter().chain(&action.extra);
    let objects = objects.filter_map(|object| match &object.operand {
        Operand::Noun(noun) => Some(noun),
        Operand::Expression(_) | Operand::Duration { .. } | Operand::Labelled { .. } => None,
    });
    let result = action.result.noun();
    let means = |noun: &&Noun| is_websocket_name(&noun.base);
    let configured = ["websocket", "websocket-connection"];
    objects
        .filter(means)
        .any(|noun| !bound.contains(noun.base.as_str()))
        || result.is_some_and(|noun| configured.contains(&noun.base.as_str()))
}

/// The noun that `Store` stores into.
pub fn store_target(action: &Action) -> Option<&Noun> {
    if lookup(&action.verb.text)?.kind != ActionKind::Store {
        return None;
    }
    let into = |object: &&Object| matches!(object.preposition, Preposition::Into | Preposition::To);
    action
        .object
        .iter()
        .chain(&action.extra)
        .find(into)
        .and_then(|object| match &object.operand {
            Operand::Noun(noun) => Some(noun),
            Operand::Expression(_) | Operand::Duration { .. } | Operand::Labelled { .. } => None,
        })
}

fn is_kind(action: &Action, kind: ActionKind) -> bool {
    lookup(&action.verb.text).is_some_and(|known| known.kind == kind)
}

/// The application-scoped name that a statement creates.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "three of all actions open something"
)]
fn resource(action: &Action) -> Option<&str> {
    match lookup(&action.verb.text)?.kind {
        ActionKind::Listen | ActionKind::Connect => action
            .clauses
            .alias
            .as_ref()
            .map(|alias| alias.base.as_str()),
        ActionKind::Start => match (&action.clauses.alias, &action.result) {
            (Some(alias), _) => Some(&alias.base),
            (None, Target::Noun(noun)) => Some(&noun.base),
            (None, Target::Sink(_) | Target::None) => None,
        },
        _ => None,
    }
}

/// The name of which Configure sets a field; repositories and WebSockets have settings of their own.
fn setting(action: &Action) -> Option<&str> {
    let Target::Noun(noun) = &action.result else {
        return None;
    };
    let configures = action.verb.text.eq_ignore_ascii_case("configure");
    let is_own = noun.base.ends_with("-repository") || is_websocket_name(&noun.base);
    (configures && noun.qualifier.is_some() && !is_own).then_some(noun.base.as_str())
}

/// Names of which a feature set configures fields for the whole application: those that it does not bind itself (runtime.md 1.7.3).
pub(crate) fn settings(set: &ast::FeatureSet) -> IndexSet<&str> {
    let mut settings = IndexSet::new();
    walk::actions(&set.body, &mut |action, _| settings.extend(setting(action)));
    if !settings.is_empty() {
        let mut own = FxHashSet::default();
        bindings(&set.body, &mut own, &|action| setting(action).is_none());
        settings.retain(|name| !own.contains(name));
    }
    settings
}

/// Names that the statements of a block bind, loops included, by the actions that count.
fn bindings<'a>(
    block: &'a Block,
    names: &mut FxHashSet<&'a str>,
    counts: &dyn Fn(&Action) -> bool,
) {
    let binds = |action: &'a Action| binds(action).filter(|_| counts(action));
    walk::statements(block, &mut |statement, _| match statement {
        Statement::Action(action) => names.extend(binds(action)),
        Statement::Pipeline(stages) => names.extend(stages.iter().filter_map(binds)),
        Statement::Require(require) => names.extend([require.name.text.as_str()]),
        Statement::ForEach(each) => {
            names.insert(&each.item.text);
            names.extend(each.index.iter().map(|index| index.text.as_str()));
        }
        Statement::Range(range) => names.extend([range.item.text.as_str()]),
        Statement::Publish(_)
        | Statement::Match(_)
        | Statement::If(_)
        | Statement::While(_)
        | Statement::Break(_) => {}
    });
}

/// The name that the result noun of an action binds. A name that the action only works on (`Delete the <x> …`) is not one, save for user-defined and unknown verbs.
pub(crate) fn binds(action: &Action) -> Option<&str> {
    let Target::Noun(noun) = &action.result else {
        return None;
    };
    match role(&action.verb.text) {
        Role::Request | Role::Own | Role::Server => Some(&noun.base),
        Role::Response | Role::Export => None,
    }
}
