//! Checked programs to IR, one feature set at a time.
//!
//! Names become locals here: every name that a feature set binds is known before it runs, because only statements bind. A name that no statement binds is looked up where its kind lives – trigger, published variables, named sockets – and is undefined otherwise.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an action, operand or expression that is not named has one treatment, and a new one shall have it too"
)]

mod action;
mod expression;
mod fold;
mod scope;
mod sentence;
mod statement;
mod trigger;

use aro_wit::manifest;
use indexmap::{IndexMap, IndexSet};

use crate::diagnostic::Diagnostic;
use crate::ir::{
    Argument, Expr, Function, HostFunction, Kind, LocalId, LoopId, Node, OnFailure, Role, TextId,
    Unit,
};
use crate::source::SourceFile;
use crate::syntax::ast::FeatureSet;
use scope::Scope;
use trigger::Implicit;

/// What lowering must know of the whole program.
#[derive(Debug, Default)]
pub(crate) struct Facts<'a> {
    /// The sources, for positions.
    pub(crate) files: &'a [SourceFile],
    /// Names that some feature set publishes.
    pub(crate) published: IndexSet<&'a str>,
    /// Repositories without the suffix (runtime.md 7.1).
    pub(crate) stores: IndexSet<&'a str>,
    /// Names of listeners.
    pub(crate) listeners: IndexSet<&'a str>,
    /// Whether the program has sockets at all.
    pub(crate) has_sockets: bool,
    /// User-defined actions by lower-case name.
    pub(crate) actions: IndexMap<String, &'a FeatureSet>,
}

impl Facts<'_> {
    /// Whether a name in repository position is one (runtime.md 7.1).
    fn is_repository(&self, name: &str) -> bool {
        name.ends_with("-repository") || self.stores.contains(name)
    }
}

/// A lowered feature set.
#[derive(Debug)]
pub(crate) struct Lowered {
    /// Its code.
    pub(crate) unit: Unit,
    /// Its statements, as failures cite them.
    pub(crate) statements: Vec<manifest::Statement>,
    /// What cannot be compiled.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Lowers a feature set and the actions it calls.
pub(crate) fn lower(set: &FeatureSet, role: Role, success: bool, facts: &Facts<'_>) -> Lowered {
    let mut shared = Shared {
        facts,
        unit: Unit::default(),
        statements: Vec::new(),
        diagnostics: Vec::new(),
        actions: IndexMap::new(),
    };
    let function = Body::new(&mut shared, set, role, success).lower();
    shared.unit.functions.push(function);
    let mut next = 0;
    // Lowering an action may reach further actions, so the list grows while it is walked.
    while let Some(action) = shared.actions.get_index(next).map(|(_, action)| *action) {
        let function = Body::new(&mut shared, action, Role::Action, success).lower();
        shared.unit.functions.push(function);
        next += 1;
    }
    shared
        .unit
        .functions
        .iter_mut()
        .for_each(crate::optimise::optimise);
    Lowered {
        unit: shared.unit,
        statements: shared.statements,
        diagnostics: shared.diagnostics,
    }
}

/// What the functions of one unit have in common.
struct Shared<'a> {
    facts: &'a Facts<'a>,
    unit: Unit,
    statements: Vec<manifest::Statement>,
    diagnostics: Vec<Diagnostic>,
    /// Actions in the order in which they were first called; function index is position plus one.
    actions: IndexMap<String, &'a FeatureSet>,
}

/// One function being lowered.
struct Body<'s, 'a> {
    shared: &'s mut Shared<'a>,
    set: &'a FeatureSet,
    role: Role,
    /// Whether an `Application-End` is the one for success.
    success: bool,
    locals: Vec<Kind>,
    scopes: Vec<Scope>,
    /// Steps of the block being lowered.
    nodes: Vec<Node>,
    implicit: IndexMap<Implicit, LocalId>,
    /// Published variables that are read, with the locals that hold them.
    published: IndexMap<String, LocalId>,
    /// Open `while` loops.
    loops: Vec<LoopId>,
    next_loop: u32,
}

impl<'s, 'a> Body<'s, 'a> {
    fn new(shared: &'s mut Shared<'a>, set: &'a FeatureSet, role: Role, success: bool) -> Self {
        Body {
            shared,
            set,
            role,
            success,
            locals: role.parameters().to_vec(),
            scopes: Vec::new(),
            nodes: Vec::new(),
            implicit: IndexMap::new(),
            published: IndexMap::new(),
            loops: Vec::new(),
            next_loop: 0,
        }
    }

    fn lower(mut self) -> Function {
        self.open_scope(&self.set.body);
        if self.role == Role::Action {
            self.declare("input", LocalId(0));
        }
        self.header_guard();
        self.block(&self.set.body);
        self.default_finish();
        let body = std::mem::take(&mut self.nodes);
        self.prologue();
        let mut nodes = std::mem::take(&mut self.nodes);
        nodes.extend(body);
        Function {
            name: self.set.name.clone(),
            role: self.role,
            locals: self.locals,
            body: nodes,
        }
    }

    /// `(name: activity) when condition`: false or an error skips the handler (runtime.md 3.7.2).
    fn header_guard(&mut self) {
        let Some(condition) = &self.set.condition else {
            return;
        };
        if matches!(self.role, Role::Start | Role::End | Role::Action) {
            return;
        }
        let index =
            self.add_statement(condition.span, String::new(), "when <condition>".to_owned());
        let outer = std::mem::take(&mut self.nodes);
        let flag = self.condition(condition);
        let local = self.local(Kind::Flag);
        self.nodes.push(Node::Set(local, flag));
        let body = std::mem::replace(&mut self.nodes, outer);
        self.nodes.push(Node::Statement {
            index,
            trace: Vec::new(),
            on_failure: OnFailure::Skip,
            body,
        });
        self.nodes.push(Node::If {
            condition: Expr::Local(local).negated(),
            then: vec![Node::Finish(None)],
            otherwise: Vec::new(),
        });
    }

    /// What a feature set without `Return` answers (language.md 11.5).
    fn default_finish(&mut self) {
        match self.role {
            Role::Start => {
                let (status, reason) = (self.text("OK"), self.text("success"));
                self.nodes.push(Node::Do(Expr::runtime(
                    "response",
                    vec![status.into(), reason.into()],
                )));
                self.nodes
                    .push(Node::Finish(Some(Expr::runtime("responded", Vec::new()))));
            }
            Role::Action => {
                let map = self.result_map("OK", "success");
                self.nodes.push(Node::Finish(Some(Expr::Local(map))));
            }
            Role::End | Role::TcpConnected | Role::TcpData | Role::TcpDisconnected => {
                self.nodes.push(Node::Finish(None))
            }
        }
    }

    /// A map with status and reason, as an action answers it.
    fn result_map(&mut self, status: &str, reason: &str) -> LocalId {
        let map = self.local(Kind::Value);
        self.nodes.push(Node::Set(
            map,
            Expr::runtime("map", vec![Expr::Flag(4).into()]),
        ));
        for (key, value) in [("status", status), ("reason", reason)] {
            let value = self.constant_text(value);
            self.put(map, key, value);
        }
        map
    }

    fn put(&mut self, map: LocalId, key: &str, value: Expr) {
        let key = self.text(key);
        self.nodes.push(Node::Do(Expr::runtime(
            "put",
            vec![Expr::Local(map).into(), key.into(), value.into()],
        )));
    }

    fn text(&mut self, text: &str) -> TextId {
        self.shared.unit.text(text)
    }

    fn constant_text(&mut self, text: &str) -> Expr {
        Expr::Constant(crate::ir::Constant::Text(self.text(text)))
    }

    fn local(&mut self, kind: Kind) -> LocalId {
        self.locals.push(kind);
        LocalId(self.locals.len() as u32 - 1)
    }

    /// Keeps an expression in a local, so that it is evaluated once and here.
    fn keep(&mut self, expr: Expr, kind: Kind) -> LocalId {
        let local = self.local(kind);
        self.nodes.push(Node::Set(local, expr));
        local
    }

    fn loop_id(&mut self) -> LoopId {
        self.next_loop += 1;
        LoopId(self.next_loop - 1)
    }

    /// Notes how much memory is taken; `Node::Collect` frees what comes after it.
    fn mark(&mut self) -> LocalId {
        self.keep(Expr::runtime("mark", Vec::new()), Kind::Flag)
    }

    /// Lowers into a block of its own.
    fn nested(&mut self, lower: impl FnOnce(&mut Self)) -> Vec<Node> {
        let outer = std::mem::take(&mut self.nodes);
        lower(self);
        std::mem::replace(&mut self.nodes, outer)
    }

    fn find(&mut self, name: &str) -> Expr {
        let name = self.text(name);
        Expr::host(HostFunction::Find, vec![Argument::Text(name)])
    }
}
