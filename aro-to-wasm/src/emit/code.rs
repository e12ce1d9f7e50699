//! Function bodies: structured IR to instructions.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "expressions without a part in what is asked have one treatment"
)]

mod number;

use indexmap::{IndexMap, IndexSet};
use wasm_encoder::{BlockType, Function as Body, ValType};

use crate::ir::{
    Argument, Callee, Checked, Constant, Expr, Fails, FailureKind, FlagOperator, Function,
    HostFunction, Kind, LoopId, Node, OnFailure, Role, TextId,
};
use aro_wit::manifest::CodeRange;

/// Where everything that code refers to has been put.
#[derive(Debug, Default)]
pub(crate) struct Symbols {
    /// Imported host functions, by interface and name.
    pub(crate) imports: IndexMap<(&'static str, &'static str), u32>,
    /// Imported functions of the value runtime.
    pub(crate) runtime: IndexMap<&'static str, u32>,
    /// Host helpers of this module.
    pub(crate) helpers: IndexMap<HostFunction, u32>,
    /// Index of the first function of the unit.
    pub(crate) first_function: u32,
    /// Constant texts with address and length.
    pub(crate) texts: IndexMap<Vec<u8>, (u32, u32)>,
}

impl Symbols {
    pub(crate) fn import(&self, interface: &'static str, function: &'static str) -> u32 {
        *self
            .imports
            .get(&(interface, function))
            .expect("a helper names the imports it calls")
    }

    pub(crate) fn runtime(&self, function: &str) -> u32 {
        *self
            .runtime
            .get(function)
            .expect("every called runtime function was collected")
    }

    pub(crate) fn helper(&self, function: HostFunction) -> u32 {
        *self
            .helpers
            .get(&function)
            .expect("every called helper was collected")
    }

    pub(crate) fn text_bytes(&self, text: &[u8]) -> (i32, i32) {
        let (address, length) = *self.texts.get(text).expect("every text was laid out");
        (address as i32, length as i32)
    }

    fn text(&self, id: TextId) -> (i32, i32) {
        let (_, (address, length)) = self
            .texts
            .get_index(id.0 as usize)
            .expect("texts are laid out in id order");
        (*address as i32, *length as i32)
    }
}

/// Everything the functions of a unit call.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    pub(crate) runtime: IndexSet<&'static str>,
    /// Each with the first statement that calls it; none where it is called before them.
    pub(crate) helpers: IndexMap<HostFunction, Option<u32>>,
    /// The statement that is looked at.
    statement: Option<u32>,
}

impl Calls {
    /// Adds what one function calls.
    pub(crate) fn collect(&mut self, function: &Function) {
        self.nodes(&function.body);
    }

    fn nodes(&mut self, nodes: &[Node]) {
        for node in nodes {
            match node {
                Node::Statement {
                    index, body, trace, ..
                } => {
                    let outer = self.statement.replace(*index);
                    if fails(body) {
                        self.runtime.insert("fail");
                        for (_, value) in trace {
                            self.runtime.insert("trace");
                            self.expr(value);
                        }
                    }
                    self.nodes(body);
                    self.statement = outer;
                }
                Node::Loop(_, body) | Node::Attempt(body) => self.nodes(body),
                Node::Set(_, expr) | Node::Do(expr) | Node::Finish(Some(expr)) => self.expr(expr),
                Node::If {
                    condition,
                    then,
                    otherwise,
                } => {
                    self.expr(condition);
                    self.nodes(then);
                    self.nodes(otherwise);
                }
                Node::Break(_) | Node::Finish(None) | Node::Fail(_) | Node::Collect(_) => {}
            }
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Call {
                callee: Callee::Runtime(name),
                ..
            } => {
                self.runtime.insert(name);
            }
            Expr::Call {
                callee: Callee::Host(function),
                ..
            } => {
                self.helpers.entry(*function).or_insert(self.statement);
            }
            Expr::Constant(constant) => {
                self.runtime.insert(constructor(*constant));
            }
            Expr::Undefined { kind, .. } => {
                self.runtime.insert(undefined_setter(*kind));
            }
            Expr::Checked(checked) => {
                self.runtime.extend(["int", checked.function]);
            }
            _ => {}
        }
        expr.parts(|part| self.expr(part));
    }
}

fn constructor(constant: Constant) -> &'static str {
    match constant {
        Constant::Null => "null",
        Constant::Bool(_) => "bool",
        Constant::Int(_) => "int",
        Constant::Float(_) => "float",
        Constant::Text(_) => "text",
    }
}

/// The function that words an unbound name.
fn undefined_setter(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Expression => "undefined",
        FailureKind::Action | FailureKind::Runtime | FailureKind::Assertion => "undefined_quoted",
    }
}

/// Whether any step can fail the statement it stands in.
fn fails(nodes: &[Node]) -> bool {
    nodes.iter().any(|node| match node {
        Node::Set(_, expr) | Node::Do(expr) | Node::Finish(Some(expr)) => expr_fails(expr),
        Node::If {
            condition,
            then,
            otherwise,
        } => expr_fails(condition) || fails(then) || fails(otherwise),
        Node::Loop(_, body) => fails(body),
        Node::Fail(_) => true,
        Node::Statement { .. }
        | Node::Attempt(_)
        | Node::Break(_)
        | Node::Finish(None)
        | Node::Collect(_) => false,
    })
}

fn expr_fails(expr: &Expr) -> bool {
    let itself = match expr {
        Expr::Call { fails, .. } => *fails != Fails::Never,
        Expr::Undefined { .. } | Expr::Checked(_) => true,
        _ => false,
    };
    let mut any = itself;
    expr.parts(|part| any = any || expr_fails(part));
    any
}

/// The core type of a kind.
pub(crate) fn core_type(kind: Kind) -> ValType {
    match kind {
        Kind::Value | Kind::Flag => ValType::I32,
        Kind::Long | Kind::Slice => ValType::I64,
        Kind::Float => ValType::F64,
    }
}

/// Splits the packed slice on the stack into address and length, by way of a 64-bit local.
pub(crate) fn split(body: &mut Body, local: u32) {
    body.instructions()
        .local_tee(local)
        .i32_wrap_i64()
        .local_get(local)
        .i64_const(32)
        .i64_shr_u()
        .i32_wrap_i64();
}

/// Encodes one function. Answers its body and which code belongs to which statement.
pub(crate) fn encode(function: &Function, index: u32, symbols: &Symbols) -> (Body, Vec<CodeRange>) {
    let parameters = function.role.parameters().len();
    let locals = function.locals.len() as u32;
    let declared = function
        .locals
        .iter()
        .skip(parameters)
        .map(|kind| core_type(*kind));
    // Three more: the result under test, the failure's kind, a packed slice.
    let declared = declared.chain([ValType::I32, ValType::I32, ValType::I64]);
    let mut writer = Writer {
        body: Body::new_with_locals_types(declared),
        role: function.role,
        kinds: &function.locals,
        index,
        symbols,
        depth: 0,
        loops: Vec::new(),
        failure: None,
        tested: locals,
        failure_kind: locals + 1,
        packed: locals + 2,
        ranges: Vec::new(),
    };
    writer.nodes(&function.body);
    // Lowering ends every path with `Finish`; the validator cannot know.
    writer.body.instructions().unreachable().end();
    (writer.body, writer.ranges)
}

struct Writer<'a> {
    body: Body,
    role: Role,
    kinds: &'a [Kind],
    index: u32,
    symbols: &'a Symbols,
    /// Open blocks.
    depth: u32,
    /// Open loops with the depth of the block around each.
    loops: Vec<(LoopId, u32)>,
    /// Depth of the block that a failure leaves.
    failure: Option<u32>,
    tested: u32,
    failure_kind: u32,
    packed: u32,
    ranges: Vec<CodeRange>,
}

impl Writer<'_> {
    fn nodes(&mut self, nodes: &[Node]) {
        for node in nodes {
            self.node(node);
        }
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Statement {
                index,
                trace,
                on_failure,
                body,
            } => self.statement(*index, trace, *on_failure, body),
            Node::Set(local, expr) => {
                self.expr(expr);
                self.body.instructions().local_set(local.0);
            }
            Node::Do(expr) => {
                self.expr(expr);
                if self.leaves_value(expr) {
                    self.body.instructions().drop();
                }
            }
            Node::If {
                condition,
                then,
                otherwise,
            } => {
                self.expr(condition);
                self.open(|body| {
                    body.instructions().if_(BlockType::Empty);
                });
                self.nodes(then);
                if !otherwise.is_empty() {
                    self.body.instructions().else_();
                    self.nodes(otherwise);
                }
                self.close();
            }
            Node::Loop(id, body) => self.loop_(*id, body),
            Node::Attempt(body) => {
                self.open(|body| {
                    body.instructions().block(BlockType::Empty);
                });
                let outer = self.failure.replace(self.depth);
                self.nodes(body);
                self.failure = outer;
                self.close();
            }
            Node::Break(id) => {
                let (_, depth) = self
                    .loops
                    .iter()
                    .rev()
                    .find(|(open, _)| open == id)
                    .expect("lowering breaks open loops only");
                let target = self.depth - depth;
                self.body.instructions().br(target);
            }
            Node::Finish(value) => self.finish(value.as_ref()),
            Node::Fail(kind) => self.fail(*kind),
            // The optimiser has replaced it, or it is not worth while.
            Node::Collect(_) => {}
        }
    }

    fn loop_(&mut self, id: LoopId, body: &[Node]) {
        // An endless loop is interrupted at its head, which belongs to its condition.
        if let Some(Node::Statement { index, .. }) = body.first() {
            self.range(*index);
        }
        self.open(|body| {
            body.instructions().block(BlockType::Empty);
        });
        self.loops.push((id, self.depth));
        self.open(|body| {
            body.instructions().loop_(BlockType::Empty);
        });
        self.nodes(body);
        self.body.instructions().br(0);
        self.close();
        self.loops.pop();
        self.close();
    }

    fn statement(
        &mut self,
        index: u32,
        trace: &[(TextId, Expr)],
        on_failure: OnFailure,
        body: &[Node],
    ) {
        self.range(index);
        if !fails(body) {
            self.nodes(body);
            return;
        }
        self.open(|body| {
            body.instructions().block(BlockType::Empty);
        });
        self.open(|body| {
            body.instructions().block(BlockType::Empty);
        });
        let outer = self.failure.replace(self.depth);
        self.nodes(body);
        self.failure = outer;
        self.body.instructions().br(1);
        self.close();
        match on_failure {
            OnFailure::Skip => self.finish(None),
            OnFailure::Report => self.report(index, trace),
        }
        self.close();
    }

    fn report(&mut self, index: u32, trace: &[(TextId, Expr)]) {
        if matches!(self.role, Role::Action | Role::Tested) {
            // The message stays; the calling statement takes it as its cause.
            self.body.instructions().i32_const(0).return_();
            return;
        }
        for (name, value) in trace {
            let (address, length) = self.symbols.text(*name);
            self.expr(value);
            self.body
                .instructions()
                .local_tee(self.tested)
                .if_(BlockType::Empty)
                .i32_const(address)
                .i32_const(length)
                .local_get(self.tested)
                .call(self.symbols.runtime("trace"))
                .end();
        }
        self.body
            .instructions()
            .i32_const(index as i32)
            .local_get(self.failure_kind)
            .call(self.symbols.runtime("fail"))
            .return_();
    }

    /// Notes that the code from here on belongs to a statement.
    fn range(&mut self, statement: u32) {
        let start = self.body.byte_len() as u32;
        self.ranges.push(CodeRange {
            function: self.index,
            start,
            statement,
        });
    }

    fn finish(&mut self, value: Option<&Expr>) {
        match value {
            Some(expr) => self.expr(expr),
            None => {
                self.body.instructions().call(self.symbols.runtime("done"));
            }
        }
        self.body.instructions().return_();
    }

    fn fail(&mut self, kind: FailureKind) {
        let failure = self.failure.expect("failures stand in statements");
        let target = self.depth - failure;
        self.body
            .instructions()
            .i32_const(kind as i32)
            .local_set(self.failure_kind)
            .br(target);
    }

    fn open(&mut self, start: impl FnOnce(&mut Body)) {
        start(&mut self.body);
        self.depth += 1;
    }

    fn close(&mut self) {
        self.body.instructions().end();
        self.depth -= 1;
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Local(local) => {
                self.body.instructions().local_get(local.0);
            }
            Expr::Unbound => {
                self.body.instructions().i32_const(0);
            }
            Expr::Flag(number) => {
                self.body.instructions().i32_const(*number);
            }
            Expr::Long(number) => {
                self.body.instructions().i64_const(*number);
            }
            Expr::Constant(constant) => self.constant(*constant),
            Expr::Call {
                callee,
                arguments,
                fails,
            } => self.call(*callee, arguments, *fails),
            Expr::Choose {
                condition,
                then,
                otherwise,
            } => {
                self.expr(condition);
                let ty = self.type_of(then, otherwise);
                self.open(|body| {
                    body.instructions().if_(BlockType::Result(ty));
                });
                self.expr(then);
                self.body.instructions().else_();
                self.expr(otherwise);
                self.close();
            }
            Expr::Undefined { name, kind } => {
                let (address, length) = self.symbols.text(*name);
                let setter = self.symbols.runtime(undefined_setter(*kind));
                self.body
                    .instructions()
                    .i32_const(address)
                    .i32_const(length)
                    .call(setter);
                self.fail(*kind);
            }
            Expr::Flags(operator, operands) => self.flags(*operator, operands),
            Expr::Extend(operand) => {
                self.expr(operand);
                self.body.instructions().i64_extend_i32_u();
            }
            Expr::AddLong(left, right) => {
                self.expr(left);
                self.expr(right);
                self.body.instructions().i64_add();
            }
            Expr::AtLeast(left, right) => {
                self.expr(left);
                self.expr(right);
                self.body.instructions().i64_ge_s();
            }
            Expr::Float(number) => {
                self.body.instructions().f64_const((*number).into());
            }
            Expr::Native(operator, operands) => {
                for operand in operands {
                    self.expr(operand);
                }
                number::native(&mut self.body, *operator);
            }
            Expr::Checked(checked) => self.checked(checked),
        }
    }

    fn checked(&mut self, checked: &Checked) {
        let [left, right, _] = checked.temporaries;
        self.expr(&checked.left);
        self.body.instructions().local_set(left.0);
        self.expr(&checked.right);
        self.body.instructions().local_set(right.0);
        number::compute(&mut self.body, checked);
        self.open(|body| {
            body.instructions().if_(BlockType::Empty);
        });
        let int = self.symbols.runtime("int");
        self.body
            .instructions()
            .local_get(left.0)
            .call(int)
            .local_get(right.0)
            .call(int)
            .call(self.symbols.runtime(checked.function))
            .drop();
        self.fail(checked.kind);
        self.close();
        number::result(&mut self.body, checked);
    }

    /// The core type of a choice.
    fn type_of(&self, then: &Expr, otherwise: &Expr) -> ValType {
        match then {
            Expr::Local(local) => self
                .kinds
                .get(local.0 as usize)
                .map_or(ValType::I32, |kind| core_type(*kind)),
            Expr::Long(_) | Expr::Extend(_) | Expr::AddLong(..) | Expr::Checked(_) => ValType::I64,
            Expr::Float(_) => ValType::F64,
            Expr::Native(operator, _) => number::type_of(*operator),
            Expr::Choose {
                then, otherwise, ..
            } => self.type_of(then, otherwise),
            Expr::Undefined { .. } if !matches!(otherwise, Expr::Undefined { .. }) => {
                self.type_of(otherwise, then)
            }
            Expr::Call {
                callee: Callee::Runtime(name),
                ..
            } => super::module::runtime_signature(name)
                .1
                .first()
                .copied()
                .unwrap_or(ValType::I32),
            _ => ValType::I32,
        }
    }

    fn constant(&mut self, constant: Constant) {
        let constructor = self.symbols.runtime(constructor(constant));
        let mut sink = self.body.instructions();
        match constant {
            Constant::Null => &mut sink,
            Constant::Bool(truth) => sink.i32_const(i32::from(truth)),
            Constant::Int(number) => sink.i64_const(number),
            Constant::Float(number) => sink.f64_const(number.into()),
            Constant::Text(id) => {
                let (address, length) = self.symbols.text(id);
                sink.i32_const(address).i32_const(length)
            }
        }
        .call(constructor);
    }

    fn call(&mut self, callee: Callee, arguments: &[Argument], fails: Fails) {
        for argument in arguments {
            match argument {
                Argument::Expr(expr) => self.expr(expr),
                Argument::Text(id) => {
                    let (address, length) = self.symbols.text(*id);
                    self.body
                        .instructions()
                        .i32_const(address)
                        .i32_const(length);
                }
                Argument::Slice(expr) => {
                    self.expr(expr);
                    split(&mut self.body, self.packed);
                }
            }
        }
        let function = match callee {
            Callee::Runtime(name) => self.symbols.runtime(name),
            Callee::Host(function) => self.symbols.helper(function),
            Callee::Action(index) => self.symbols.first_function + index,
        };
        self.body.instructions().call(function);
        let tested = self.tested;
        let kind = match fails {
            Fails::Never => return,
            Fails::OnZero(kind) => {
                self.body.instructions().local_tee(tested).i32_eqz();
                kind
            }
            Fails::OnMinusOne(kind) => {
                self.body
                    .instructions()
                    .local_tee(tested)
                    .i32_const(-1)
                    .i32_eq();
                kind
            }
        };
        self.open(|body| {
            body.instructions().if_(BlockType::Empty);
        });
        self.fail(kind);
        self.close();
        self.body.instructions().local_get(tested);
    }

    fn flags(&mut self, operator: FlagOperator, operands: &[Expr]) {
        for operand in operands {
            self.expr(operand);
        }
        let mut sink = self.body.instructions();
        match operator {
            FlagOperator::Not => sink.i32_eqz(),
            FlagOperator::And => sink.i32_and(),
            FlagOperator::Or => sink.i32_or(),
            FlagOperator::Equal => sink.i32_eq(),
            FlagOperator::Add => sink.i32_add(),
            FlagOperator::Less => sink.i32_lt_s(),
        };
    }

    /// Whether an evaluated expression leaves something on the stack.
    fn leaves_value(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Call {
                callee: Callee::Runtime(name),
                ..
            } => {
                super::module::runtime_export(name).is_some_and(|export| !export.results.is_empty())
            }
            Expr::Call {
                callee: Callee::Host(function),
                ..
            } => !super::host::helper(*function).results.is_empty(),
            Expr::Undefined { .. } => false,
            _ => true,
        }
    }
}
