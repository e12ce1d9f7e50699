//! Statements: control flow becomes control flow, an action becomes calls.

use super::Body;
use super::expression::{KIND_NULL, KIND_TEXT};
use crate::ir::{
    Argument, Constant, Expr, Fails, FailureKind, FlagOperator, HostFunction, Kind, LocalId,
    LoopId, Node, OnFailure,
};
use crate::source::Span;
use crate::syntax::ast::{
    Action, Block, Case, Expression, ExpressionKind, ForEach, If, Match, Pattern, Publish,
    RangeLoop, Require, Statement, While,
};

impl Body<'_, '_> {
    pub(super) fn block(&mut self, block: &Block) {
        for statement in &block.statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Action(action) => self.action_statement(action),
            Statement::Pipeline(actions) => actions
                .iter()
                .for_each(|action| self.action_statement(action)),
            Statement::Publish(publish) => self.publish(publish),
            Statement::Require(require) => self.require(require),
            Statement::Match(statement) => self.match_statement(statement),
            Statement::If(statement) => self.if_statement(statement),
            Statement::ForEach(statement) => self.for_each(statement),
            Statement::Range(statement) => self.range(statement),
            Statement::While(statement) => self.while_statement(statement),
            Statement::Break(_) => {
                // The checker has reported a `break` outside of a loop.
                if let Some(open) = self.loops.last() {
                    self.nodes.push(Node::Break(*open));
                }
            }
        }
    }

    fn action_statement(&mut self, action: &Action) {
        let index = self.add_action(action);
        let body = self.nested(|this| match &action.when {
            None => this.action(action),
            Some(guard) => {
                let condition = this.condition(guard);
                let bound = this.bound();
                let then = this.nested(|this| this.action(action));
                this.restore_bound(bound);
                this.nodes.push(Node::If {
                    condition,
                    then,
                    otherwise: Vec::new(),
                });
            }
        });
        let trace = self.traced(action);
        self.nodes.push(Node::Statement {
            index,
            trace,
            on_failure: OnFailure::Report,
            body,
        });
    }

    /// Lowers steps that belong to a statement which is no action: conditions, subjects, collections.
    fn citing<T>(&mut self, span: Span, text: &str, lower: impl FnOnce(&mut Self) -> T) -> T {
        let index = self.add_statement(span, format!("Cannot evaluate {text}."), text.to_owned());
        let outer = std::mem::take(&mut self.nodes);
        let result = lower(self);
        let body = std::mem::replace(&mut self.nodes, outer);
        self.nodes.push(Node::Statement {
            index,
            trace: Vec::new(),
            on_failure: OnFailure::Report,
            body,
        });
        result
    }

    /// `Publish as <external> <internal>.` (runtime.md 7.9; for store names 7.1)
    fn publish(&mut self, publish: &Publish) {
        let (external, internal) = (&publish.external.text, &publish.internal.text);
        let index = self.add_statement(
            publish.span,
            format!("Cannot publish as {external} {internal}."),
            format!("<Publish> as <{external}> <{internal}>."),
        );
        let body = self.nested(|this| {
            let value = this.variable(internal, FailureKind::Runtime);
            let value = this.keep(value, Kind::Value);
            let name = this.text(external);
            let function = match this.shared.facts.is_repository(external) {
                true => HostFunction::Store,
                false => HostFunction::Publish,
            };
            let arguments: Vec<Argument> = vec![name.into(), Expr::Local(value).into()];
            this.perform(Expr::fallible_host(function, arguments));
            if external != internal {
                this.bind(external, Expr::Local(value), false);
            }
        });
        self.nodes.push(Node::Statement {
            index,
            trace: Vec::new(),
            on_failure: OnFailure::Report,
            body,
        });
    }

    fn require(&mut self, require: &Require) {
        match require.source.text.to_lowercase().as_str() {
            "framework" => {}
            "environment" => self.require_environment(require),
            _ => {
                let value = self.variable_or_unbound(&require.name.text);
                self.bind(&require.name.text, value, false);
            }
        }
    }

    fn if_statement(&mut self, statement: &If) {
        let flag = self.local(Kind::Flag);
        self.citing(statement.condition.span, "if <condition>", |this| {
            let condition = this.condition(&statement.condition);
            this.nodes.push(Node::Set(flag, condition));
        });
        let then = self.branch(&statement.then);
        let otherwise = statement
            .otherwise
            .as_ref()
            .map_or_else(Vec::new, |block| self.branch(block));
        self.nodes.push(Node::If {
            condition: Expr::Local(flag),
            then,
            otherwise,
        });
    }

    /// A block that may not run.
    fn branch(&mut self, block: &Block) -> Vec<Node> {
        let bound = self.bound();
        let nodes = self.nested(|this| this.block(block));
        self.restore_bound(bound);
        nodes
    }

    fn match_statement(&mut self, statement: &Match) {
        let subject = self.local(Kind::Value);
        self.citing(statement.subject.span, "match <subject>", |this| {
            let value = match &statement.subject.kind {
                ExpressionKind::Reference(noun) => {
                    this.noun(noun, super::expression::Path::Get, FailureKind::Runtime)
                }
                _ => this.expression(&statement.subject),
            };
            this.nodes.push(Node::Set(subject, value));
        });
        let nodes = self.cases(subject, &statement.cases, statement.otherwise.as_ref());
        self.nodes.extend(nodes);
    }

    fn cases(&mut self, subject: LocalId, cases: &[Case], otherwise: Option<&Block>) -> Vec<Node> {
        let Some((case, rest)) = cases.split_first() else {
            return otherwise.map_or_else(Vec::new, |block| self.branch(block));
        };
        self.nested(|this| {
            let flag = this.local(Kind::Flag);
            this.citing(case.span, "case <pattern>", |this| {
                this.pattern(subject, case, flag)
            });
            let then = this.branch(&case.body);
            let otherwise = this.cases(subject, rest, otherwise);
            this.nodes.push(Node::If {
                condition: Expr::Local(flag),
                then,
                otherwise,
            });
        })
    }

    fn pattern(&mut self, subject: LocalId, case: &Case, flag: LocalId) {
        let matched = match &case.pattern {
            Pattern::Any => Expr::Flag(1),
            Pattern::Null => self.has_kind(subject, KIND_NULL),
            Pattern::Bool(truth) => self.identical(subject, Expr::Constant(Constant::Bool(*truth))),
            Pattern::Int(number) => self.identical(subject, Expr::Constant(Constant::Int(*number))),
            Pattern::Float(number) => {
                self.identical(subject, Expr::Constant(Constant::Float(*number)))
            }
            Pattern::Text(text) => {
                let text = self.constant_text(text);
                self.identical(subject, text)
            }
            Pattern::Regex { pattern, flags } => {
                let regex = self.regex(pattern, flags);
                let is_text = self.has_kind(subject, KIND_TEXT);
                let matches =
                    Expr::runtime("matches", vec![Expr::Local(subject).into(), regex.into()]);
                Expr::Flags(FlagOperator::And, vec![is_text, matches])
            }
            Pattern::Noun(noun) => {
                let value = match noun.qualifier {
                    None => self.variable_or_unbound(&noun.base),
                    Some(_) => {
                        self.noun(noun, super::expression::Path::Get, FailureKind::Expression)
                    }
                };
                let value = self.keep(value, Kind::Value);
                let same = self.same(subject, Expr::Local(value));
                Expr::Choose {
                    condition: Box::new(Expr::Local(value)),
                    then: Box::new(same),
                    otherwise: Box::new(Expr::Flag(0)),
                }
            }
        };
        self.nodes.push(Node::Set(flag, matched));
        if let Some(guard) = &case.guard {
            let then = self.nested(|this| {
                let guard = this.strict(guard);
                this.nodes.push(Node::Set(flag, guard));
            });
            self.nodes.push(Node::If {
                condition: Expr::Local(flag),
                then,
                otherwise: Vec::new(),
            });
        }
    }

    /// Equality with a literal: of one kind only.
    fn identical(&mut self, subject: LocalId, value: Expr) -> Expr {
        Expr::runtime("identical", vec![Expr::Local(subject).into(), value.into()])
    }

    /// Equality with a variable.
    fn same(&mut self, subject: LocalId, value: Expr) -> Expr {
        Expr::runtime("same", vec![Expr::Local(subject).into(), value.into()])
    }

    fn has_kind(&mut self, value: LocalId, kind: i32) -> Expr {
        Expr::Flags(
            FlagOperator::Equal,
            vec![
                Expr::runtime("kind", vec![Expr::Local(value).into()]),
                Expr::Flag(kind),
            ],
        )
    }

    /// Elements in order, each in a context of its own; a value that is no list is its own only element (13.2). `parallel` runs in source order, which conforms (13.3).
    fn for_each(&mut self, statement: &ForEach) {
        let (list, length, position) = (
            self.local(Kind::Value),
            self.local(Kind::Flag),
            self.local(Kind::Flag),
        );
        self.citing(
            statement.collection.span,
            "for each <item> in <collection>",
            |this| {
                let value = this.noun(
                    &statement.collection,
                    super::expression::Path::Get,
                    FailureKind::Runtime,
                );
                this.nodes.push(Node::Set(list, value));
                this.nodes.push(Node::Set(
                    length,
                    Expr::runtime("len", vec![Expr::Local(list).into()]),
                ));
                this.nodes.push(Node::Set(position, Expr::Flag(0)));
            },
        );
        let running = Expr::Flags(
            FlagOperator::Less,
            vec![Expr::Local(position), Expr::Local(length)],
        );
        let item = Expr::runtime(
            "at",
            vec![Expr::Local(list).into(), Expr::Local(position).into()],
        );
        let index = Expr::runtime(
            "int",
            vec![Expr::Extend(Box::new(Expr::Local(position))).into()],
        );
        let next = Node::Set(
            position,
            Expr::Flags(
                FlagOperator::Add,
                vec![Expr::Local(position), Expr::Flag(1)],
            ),
        );
        self.iterate(
            running,
            next,
            &statement.body,
            statement.guard.as_ref(),
            |this| {
                this.bind_fresh(&statement.item.text, item);
                if let Some(name) = &statement.index {
                    this.bind_fresh(&name.text, index);
                }
            },
        );
    }

    /// Steps for each element of a list, with the local of its position; a value that is none is its own only element.
    pub(super) fn each(&mut self, list: LocalId, step: impl FnOnce(&mut Self, Expr, LocalId)) {
        let length = Expr::runtime("len", vec![Expr::Local(list).into()]);
        let length = self.keep(length, Kind::Flag);
        let position = self.keep(Expr::Flag(0), Kind::Flag);
        let id = self.loop_id();
        let body = self.nested(|this| {
            let operands = vec![Expr::Local(position), Expr::Local(length)];
            this.nodes.push(Node::If {
                condition: Expr::Flags(FlagOperator::Less, operands).negated(),
                then: vec![Node::Break(id)],
                otherwise: Vec::new(),
            });
            let element = vec![Expr::Local(list).into(), Expr::Local(position).into()];
            step(this, Expr::runtime("at", element), position);
            let next = vec![Expr::Local(position), Expr::Flag(1)];
            let next = Expr::Flags(FlagOperator::Add, next);
            this.nodes.push(Node::Set(position, next));
        });
        self.nodes.push(Node::Loop(id, body));
    }

    /// From the first number up to the second, which is not reached (13.4).
    fn range(&mut self, statement: &RangeLoop) {
        let (number, end) = (self.local(Kind::Long), self.local(Kind::Long));
        self.citing(
            statement.span,
            "for <number> from <first> to <last>",
            |this| {
                for (local, bound) in [(number, &statement.from), (end, &statement.to)] {
                    this.range_bound(local, bound);
                }
            },
        );
        let running =
            Expr::AtLeast(Box::new(Expr::Local(number)), Box::new(Expr::Local(end))).negated();
        let item = Expr::runtime("int", vec![Expr::Local(number).into()]);
        let next = Node::Set(
            number,
            Expr::AddLong(Box::new(Expr::Local(number)), Box::new(Expr::Long(1))),
        );
        self.iterate(running, next, &statement.body, None, |this| {
            this.bind_fresh(&statement.item.text, item)
        });
    }

    fn range_bound(&mut self, local: LocalId, bound: &Expression) {
        let value = self.expression(bound);
        // No program counts from the smallest integer, so it stands for "no number".
        let number = Expr::runtime("as_int", vec![value.into(), Expr::Long(i64::MIN).into()]);
        self.nodes.push(Node::Set(local, number));
        let valid = Expr::AtLeast(
            Box::new(Expr::Local(local)),
            Box::new(Expr::Long(i64::MIN + 1)),
        );
        let message = self.text("Type mismatch: range bounds must be whole numbers");
        let otherwise = vec![
            Node::Do(Expr::runtime("raise", vec![message.into()])),
            Node::Fail(FailureKind::Runtime),
        ];
        self.nodes.push(Node::If {
            condition: valid.negated(),
            then: otherwise,
            otherwise: Vec::new(),
        });
    }

    fn iterate(
        &mut self,
        running: Expr,
        next: Node,
        body: &Block,
        guard: Option<&Expression>,
        bind: impl FnOnce(&mut Self),
    ) {
        let id = self.loop_id();
        let bound = self.bound();
        let locals = self.open_scope(body);
        let mut nodes = self.nested(|this| {
            this.nodes.push(Node::If {
                condition: running.negated(),
                then: vec![Node::Break(id)],
                otherwise: Vec::new(),
            });
            // Each iteration begins with nothing bound.
            this.nodes.extend(
                locals
                    .into_iter()
                    .map(|local| Node::Set(local, Expr::Unbound)),
            );
            bind(this);
            match guard {
                None => this.block(body),
                Some(guard) => {
                    let flag = this.local(Kind::Flag);
                    this.citing(guard.span, "where <condition>", |this| {
                        let condition = this.strict(guard);
                        this.nodes.push(Node::Set(flag, condition));
                    });
                    let then = this.nested(|this| this.block(body));
                    this.nodes.push(Node::If {
                        condition: Expr::Local(flag),
                        then,
                        otherwise: Vec::new(),
                    });
                }
            }
        });
        nodes.push(next);
        self.close_scope();
        self.restore_bound(bound);
        self.collecting_loop(id, nodes);
    }

    /// Binds a loop variable in the innermost context.
    fn bind_fresh(&mut self, name: &str, value: Expr) {
        let local = self.keep(value, Kind::Value);
        self.declare(name, local);
        self.tell_bound(name, local);
    }

    fn while_statement(&mut self, statement: &While) {
        let id = self.loop_id();
        let flag = self.local(Kind::Flag);
        let bound = self.bound();
        let nodes = self.nested(|this| {
            this.citing(statement.condition.span, "while <condition>", |this| {
                let condition = this.condition(&statement.condition);
                this.nodes.push(Node::Set(flag, condition));
            });
            this.nodes.push(Node::If {
                condition: Expr::Local(flag).negated(),
                then: vec![Node::Break(id)],
                otherwise: Vec::new(),
            });
            this.loops.push(id);
            this.block(&statement.body);
            this.loops.pop();
        });
        self.restore_bound(bound);
        self.collecting_loop(id, nodes);
    }

    /// A loop whose rounds are whole statements, so that nothing is half built at the end of one.
    fn collecting_loop(&mut self, id: LoopId, mut nodes: Vec<Node>) {
        let mark = self.mark();
        nodes.push(Node::Collect(mark));
        self.nodes.push(Node::Loop(id, nodes));
    }

    /// Runs a call whose zero means failure of the action, for its effect.
    pub(super) fn perform(&mut self, call: Expr) {
        self.nodes.push(Node::Do(call));
    }

    /// Fails the statement with a constant cause.
    pub(super) fn fail(&mut self, cause: &str) {
        let cause = self.text(cause);
        self.perform(Expr::runtime("raise", vec![cause.into()]));
        self.nodes.push(Node::Fail(FailureKind::Action));
    }

    /// Calls an export of the value runtime whose zero is the action's failure.
    pub(super) fn act(&mut self, function: &'static str, arguments: Vec<Argument>) -> Expr {
        Expr::Call {
            callee: crate::ir::Callee::Runtime(function),
            arguments,
            fails: Fails::OnZero(FailureKind::Action),
        }
    }
}
