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
mod trace;
mod trigger;
mod websocket;

use aro_wit::manifest;
use indexmap::{IndexMap, IndexSet};

use crate::contract::Contract;
use crate::diagnostic::Diagnostic;
use crate::ir::{
    Argument, Expr, Function, HostFunction, Kind, LocalId, LoopId, Node, OnFailure, Role, TextId,
    Unit,
};
use crate::program::GuardCondition;
use crate::source::{Lines, SourceFile};
use crate::syntax::ast::FeatureSet;
use scope::Scope;
use trigger::Implicit;

/// What lowering must know of the whole program.
#[derive(Debug, Default)]
pub(crate) struct Facts<'a> {
    /// The sources, for positions.
    pub(crate) files: &'a [SourceFile],
    /// Where the lines of each begin.
    pub(crate) lines: Vec<Lines>,
    /// Names that some feature set publishes.
    pub(crate) published: IndexSet<&'a str>,
    /// Names whose fields Configure sets for the whole application.
    pub(crate) configured: IndexSet<&'a str>,
    /// Repositories without the suffix (runtime.md 7.1).
    pub(crate) stores: IndexSet<&'a str>,
    /// Names of listeners and outbound connections.
    pub(crate) listeners: IndexSet<&'a str>,
    /// Those of them that are names of outbound connections.
    pub(crate) links: IndexSet<&'a str>,
    /// The OpenAPI contract.
    pub(crate) api: Option<&'a Contract>,
    /// Whether a feature set waits for state transitions.
    pub(crate) has_state_handlers: bool,
    /// Whether it has WebSockets.
    pub(crate) has_websockets: bool,
    /// Whether it tells its steps, for a replay.
    pub(crate) is_traced: bool,
    /// Whether the program has sockets at all.
    pub(crate) has_sockets: bool,
    /// Templates by their path in the folder of templates, with their place among the files.
    pub(crate) templates: IndexMap<String, u32>,
    /// Feature sets that tests may run, by plain name; empty in a normal build.
    pub(crate) tested: IndexMap<String, &'a FeatureSet>,
    /// User-defined actions by plain name.
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
    /// What it asks of the operator.
    pub(crate) needs: Vec<manifest::Need>,
    /// What cannot be compiled.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Whether it looks at the headers of its request.
    pub(crate) reads_headers: bool,
}

/// How a feature set is run.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) role: Role,
    /// Whether an `Application-End` is the one for success.
    pub(crate) success: bool,
    /// The name under which the payload of an event is bound.
    pub(crate) event: &'static str,
    /// What the event must be like for the feature set to run.
    pub(crate) guards: Vec<GuardCondition>,
    /// Whether guards look into the row that a repository's event is about, and not into the event.
    pub(crate) guards_row: bool,
    /// Whether the event tells of a notification: its header sees the fields of whom it is for (runtime.md 3.4).
    pub(crate) notifies: bool,
}

impl Job {
    /// Without guards.
    pub(crate) fn of(role: Role) -> Job {
        Job {
            role,
            success: true,
            event: "event",
            guards: Vec::new(),
            guards_row: false,
            notifies: false,
        }
    }
}

/// Lowers a feature set and the actions it calls.
pub(crate) fn lower(set: &FeatureSet, job: Job, facts: &Facts<'_>) -> Lowered {
    let mut shared = Shared {
        facts,
        unit: Unit::default(),
        statements: Vec::new(),
        needs: Vec::new(),
        diagnostics: Vec::new(),
        actions: IndexMap::new(),
        reads_headers: false,
    };
    let function = Body::new(&mut shared, set, &job).lower();
    shared.unit.functions.push(function);
    let mut next = 0;
    // Lowering an action may reach further actions, so the list grows while it is walked.
    while let Some(called) = shared
        .actions
        .get_index(next)
        .map(|(_, called)| called.clone())
    {
        let callee = Job {
            success: job.success,
            ..Job::of(called.role)
        };
        let mut body = Body::new(&mut shared, called.set, &callee);
        body.wanted = called.wanted;
        let function = body.lower();
        shared.unit.functions.push(function);
        next += 1;
    }
    for function in &mut shared.unit.functions {
        if facts.is_traced {
            trace::tell_statements(&mut function.body);
        }
        crate::optimise::optimise(function);
    }
    Lowered {
        unit: shared.unit,
        statements: shared.statements,
        needs: shared.needs,
        diagnostics: shared.diagnostics,
        reads_headers: shared.reads_headers,
    }
}

/// The first entries, and those behind them.
fn split<T>(mut entries: Vec<T>, first: usize) -> (Vec<T>, Vec<T>) {
    let behind = entries.split_off(first);
    (entries, behind)
}

/// What the functions of one unit have in common.
struct Shared<'a> {
    facts: &'a Facts<'a>,
    unit: Unit,
    statements: Vec<manifest::Statement>,
    needs: Vec<manifest::Need>,
    diagnostics: Vec<Diagnostic>,
    reads_headers: bool,
    /// Actions and tested feature sets in the order in which they were first called; function index is position plus one.
    actions: IndexMap<String, Called<'a>>,
}

/// A feature set that is called in line.
#[derive(Clone)]
struct Called<'a> {
    set: &'a FeatureSet,
    role: Role,
    /// Of a tested feature set: the name of the result that its caller wants.
    wanted: String,
}

/// One function being lowered.
struct Body<'s, 'a> {
    shared: &'s mut Shared<'a>,
    set: &'a FeatureSet,
    role: Role,
    /// Of a tested feature set: the name of the result that its caller wants.
    wanted: String,
    /// Whether an `Application-End` is the one for success.
    success: bool,
    /// The name under which the payload of an event is bound.
    event: &'static str,
    guards: Vec<GuardCondition>,
    guards_row: bool,
    notifies: bool,
    /// Names of which it configures fields for the whole application.
    settings: IndexSet<&'a str>,
    locals: Vec<Kind>,
    scopes: Vec<Scope>,
    /// Steps of the block being lowered.
    nodes: Vec<Node>,
    implicit: IndexMap<Implicit, LocalId>,
    /// Published variables that are read, with the locals that hold them.
    published: IndexMap<String, LocalId>,
    /// Whether the condition of the header is being lowered, which sees the fields of the event by their bare names (EXT-9).
    in_header: bool,
    /// Open `while` loops.
    loops: Vec<LoopId>,
    next_loop: u32,
    /// The template that is being rendered.
    rendering: action::Rendering,
}

impl<'s, 'a> Body<'s, 'a> {
    fn new(shared: &'s mut Shared<'a>, set: &'a FeatureSet, job: &Job) -> Self {
        Body {
            shared,
            set,
            role: job.role,
            wanted: String::new(),
            success: job.success,
            event: job.event,
            guards: job.guards.clone(),
            guards_row: job.guards_row,
            notifies: job.notifies,
            settings: crate::program::settings(set),
            locals: job.role.parameters().to_vec(),
            scopes: Vec::new(),
            nodes: Vec::new(),
            implicit: IndexMap::new(),
            published: IndexMap::new(),
            in_header: false,
            loops: Vec::new(),
            next_loop: 0,
            rendering: action::Rendering::default(),
        }
    }

    fn lower(mut self) -> Function {
        self.open_scope(&self.set.body);
        if self.role == Role::Action {
            self.declare("input", LocalId(0));
        }
        self.activity_guard();
        self.header_guard();
        let guards = std::mem::take(&mut self.nodes);
        let (implicit, published) = (self.implicit.len(), self.published.len());
        self.block(&self.set.body);
        self.default_finish();
        let body = std::mem::take(&mut self.nodes);
        self.shared.reads_headers |= self.implicit.keys().any(|part| part.is_of_headers());
        // What the guards do not read is made once they hold: an event that is skipped may carry much.
        let made = self.implicit.iter().map(|(part, local)| (*part, *local));
        let (early, late) = split(made.collect(), implicit);
        let read = std::mem::take(&mut self.published).into_iter();
        let (early_read, late_read) = split(read.collect(), published);
        let mut nodes = self.nested(|this| this.prologue(early, early_read));
        nodes.extend(guards);
        nodes.extend(self.nested(|this| this.prologue(late, late_read)));
        nodes.extend(body);
        Function {
            name: self.set.name.clone(),
            role: self.role,
            locals: self.locals,
            body: nodes,
        }
    }

    /// `(name: Handler<field:value>)`: an event that is not like that is skipped (runtime.md 3.7.1).
    fn activity_guard(&mut self) {
        let guards = std::mem::take(&mut self.guards);
        if guards.is_empty() {
            return;
        }
        let Some(mut event) = self
            .websocket_guarded(&guards)
            .or_else(|| self.guarded_event())
        else {
            return;
        };
        if self.guards_row {
            let row = Expr::runtime("event_row", vec![Expr::Local(event).into()]);
            event = self.keep(row, Kind::Value);
        }
        for condition in guards {
            let path = self.text(&condition.field.join("."));
            let values = self.text(&condition.values.join(","));
            let passes = Expr::runtime(
                "event_guard",
                vec![Expr::Local(event).into(), path.into(), values.into()],
            );
            self.nodes.push(Node::If {
                condition: passes.negated(),
                then: vec![Node::Finish(None)],
                otherwise: Vec::new(),
            });
        }
    }

    /// `(name: activity) when condition`: false or an error skips the handler (runtime.md 3.7.2).
    fn header_guard(&mut self) {
        let Some(condition) = &self.set.condition else {
            return;
        };
        if matches!(
            self.role,
            Role::Start | Role::End | Role::Test | Role::Tested | Role::Action
        ) {
            return;
        }
        let index =
            self.add_statement(condition.span, String::new(), "when <condition>".to_owned());
        let outer = std::mem::take(&mut self.nodes);
        self.in_header = true;
        let flag = self.condition(condition);
        self.in_header = false;
        let local = self.local(Kind::Flag);
        self.nodes.push(Node::Set(local, flag));
        let body = std::mem::replace(&mut self.nodes, outer);
        self.nodes.push(Node::Statement {
            index,
            trace: Vec::new(),
            on_failure: OnFailure::Skip,
            body,
        });
        let then = self.nested(Self::default_finish);
        self.nodes.push(Node::If {
            condition: Expr::Local(local).negated(),
            then,
            otherwise: Vec::new(),
        });
    }

    /// What a feature set without `Return` answers (language.md 11.5).
    fn default_finish(&mut self) {
        match self.role {
            Role::Start | Role::Operation => {
                let (status, reason) = (self.text("OK"), self.text("success"));
                self.nodes.push(Node::Do(Expr::runtime(
                    "response",
                    vec![status.into(), reason.into()],
                )));
                self.finish_response();
            }
            Role::Action => {
                let map = self.result_map("OK", "success");
                self.nodes.push(Node::Finish(Some(Expr::Local(map))));
            }
            Role::Tested => self.tested_outcome("OK", None, None),
            Role::End
            | Role::Test
            | Role::Event
            | Role::TcpConnected
            | Role::TcpData
            | Role::TcpFinished
            | Role::TcpDisconnected
            | Role::WebSocketConnected
            | Role::WebSocketMessage
            | Role::WebSocketDisconnected => self.nodes.push(Node::Finish(None)),
        }
    }

    /// Ends a feature set that answers with a response.
    fn finish_response(&mut self) {
        let answer = if self.role == Role::Operation {
            Expr::runtime("http_responded", trigger::request_path())
        } else {
            Expr::runtime("responded", Vec::new())
        };
        self.nodes.push(Node::Finish(Some(answer)));
    }

    /// Notes that the statement being lowered asks something of the operator.
    fn needs(&mut self, interface: &str, detail: &str) {
        let known = |need: &manifest::Need| need.interface == interface && need.detail == detail;
        if !self.shared.needs.iter().any(known) {
            self.shared.needs.push(manifest::Need {
                interface: interface.to_owned(),
                detail: detail.to_owned(),
                statement: (self.shared.statements.len() as u32).saturating_sub(1),
            });
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
