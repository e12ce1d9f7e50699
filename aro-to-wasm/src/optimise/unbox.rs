//! Numbers and truth values out of their boxes.
//!
//! A local that is always an Int, a Float or a Bool becomes a number of WebAssembly. Where it may be unbound when it is asked for, a flag beside it says so: the flag exists only where somebody asks.

use std::collections::BTreeSet;

use rustc_hash::{FxHashMap, FxHashSet};

use super::kinds::{Kinds, Known};
use crate::ir::{
    Argument, Callee, Checked, Constant, Expr, Fails, FailureKind, FlagOperator, Function, Kind,
    LocalId, Native, Node, Number,
};

/// Rewrites a function.
pub(super) fn unbox(function: &mut Function) {
    let kinds = Kinds::infer(function);
    let known = (0..function.locals.len() as u32).map(|index| kinds.local(LocalId(index)));
    if !known.clone().any(|known| known.kind().is_some()) && !calculates(&function.body) {
        return;
    }
    let mut locals = function.locals.clone();
    for (kind, known) in locals.iter_mut().zip(known) {
        if let Some(unboxed) = known.kind() {
            *kind = unboxed;
        }
    }
    let mut rewriting = Rewriting {
        kinds,
        locals: locals.clone(),
        assigned: FxHashSet::default(),
        flags: FxHashMap::default(),
        asked: BTreeSet::new(),
    };
    // The first run finds out which flags somebody asks for.
    rewriting.nodes(&function.body);
    rewriting.locals = locals;
    rewriting.assigned.clear();
    for local in std::mem::take(&mut rewriting.asked) {
        let flag = rewriting.temporary(Kind::Flag);
        rewriting.flags.insert(local, flag);
    }
    function.body = rewriting.nodes(&function.body);
    function.locals = rewriting.locals;
}

/// Whether there may be something to compute without boxes even if no local is unboxed.
fn calculates(nodes: &[Node]) -> bool {
    fn expr_calculates(expr: &Expr) -> bool {
        let mut found = matches!(
            expr,
            Expr::Call { callee: Callee::Runtime(name), .. } if operation(name).is_some() || comparison(name, Number::Int).is_some() || *name == "truthy"
        );
        expr.parts(|part| found = found || expr_calculates(part));
        found
    }
    nodes.iter().any(|node| match node {
        Node::Set(_, expr) | Node::Do(expr) | Node::Finish(Some(expr)) => expr_calculates(expr),
        Node::Statement { body, .. } | Node::Loop(_, body) | Node::Attempt(body) => {
            calculates(body)
        }
        Node::If {
            condition,
            then,
            otherwise,
        } => expr_calculates(condition) || calculates(then) || calculates(otherwise),
        _ => false,
    })
}

/// The name of an operation on integers that can fail.
fn operation(name: &str) -> Option<&'static str> {
    ["add", "sub", "mul", "div", "rem"]
        .into_iter()
        .find(|known| *known == name)
}

fn comparison(name: &str, number: Number) -> Option<Native> {
    Some(match name {
        "less" => Native::Less(number),
        "less_equal" => Native::LessOrEqual(number),
        "greater" => Native::Greater(number),
        "greater_equal" => Native::GreaterOrEqual(number),
        "equal" => Native::Equal(number),
        _ => return None,
    })
}

struct Rewriting {
    kinds: Kinds,
    locals: Vec<Kind>,
    /// Unboxed locals that are bound for certain here.
    assigned: FxHashSet<LocalId>,
    /// Says whether a local is bound.
    flags: FxHashMap<LocalId, LocalId>,
    /// Locals that may be unbound where somebody asks for them.
    asked: BTreeSet<LocalId>,
}

impl Rewriting {
    fn temporary(&mut self, kind: Kind) -> LocalId {
        self.locals.push(kind);
        LocalId(self.locals.len() as u32 - 1)
    }

    fn is_unboxed(&self, local: LocalId) -> bool {
        self.kinds.local(local).kind().is_some()
    }

    fn nodes(&mut self, nodes: &[Node]) -> Vec<Node> {
        let mut out = Vec::with_capacity(nodes.len());
        for node in nodes {
            self.node(node, &mut out);
        }
        out
    }

    fn node(&mut self, node: &Node, out: &mut Vec<Node>) {
        let new = match node {
            Node::Statement {
                index,
                trace,
                on_failure,
                body,
            } => {
                let trace = trace
                    .iter()
                    .map(|(name, value)| (*name, self.value(value)))
                    .collect();
                Node::Statement {
                    index: *index,
                    trace,
                    on_failure: *on_failure,
                    body: self.nodes(body),
                }
            }
            Node::Set(local, expr) => return self.set(*local, expr, out),
            Node::Do(expr) => Node::Do(self.value(expr)),
            Node::If {
                condition,
                then,
                otherwise,
            } => {
                let condition = self.flag(condition);
                let before = self.assigned.clone();
                let then = self.nodes(then);
                let after = std::mem::replace(&mut self.assigned, before);
                let otherwise = self.nodes(otherwise);
                self.assigned.retain(|local| after.contains(local));
                Node::If {
                    condition,
                    then,
                    otherwise,
                }
            }
            Node::Loop(id, body) => {
                self.unassign(body);
                let before = self.assigned.clone();
                let body = self.nodes(body);
                self.assigned = before;
                Node::Loop(*id, body)
            }
            Node::Attempt(body) => {
                self.unassign(body);
                let before = self.assigned.clone();
                let body = self.nodes(body);
                self.assigned = before;
                Node::Attempt(body)
            }
            Node::Finish(Some(expr)) => Node::Finish(Some(self.value(expr))),
            Node::Break(_) | Node::Finish(None) | Node::Fail(_) | Node::Collect(_) => node.clone(),
        };
        out.push(new);
    }

    /// Forgets what a block unbinds, because it may run more than once or not to its end.
    fn unassign(&mut self, nodes: &[Node]) {
        for node in nodes {
            match node {
                Node::Set(local, Expr::Unbound) => {
                    self.assigned.remove(local);
                }
                Node::Statement { body, .. } | Node::Loop(_, body) | Node::Attempt(body) => {
                    self.unassign(body);
                }
                Node::If {
                    then, otherwise, ..
                } => {
                    self.unassign(then);
                    self.unassign(otherwise);
                }
                _ => {}
            }
        }
    }

    fn set(&mut self, local: LocalId, expr: &Expr, out: &mut Vec<Node>) {
        let Some(kind) = self.kinds.local(local).kind() else {
            let expr = self.expr(expr, self.locals.get(local.0 as usize).copied());
            return out.push(Node::Set(local, expr));
        };
        let flag = self.flags.get(&local).copied();
        if *expr == Expr::Unbound {
            self.assigned.remove(&local);
            out.extend(flag.map(|flag| Node::Set(flag, Expr::Flag(0))));
            return;
        }
        let bound = self.is_bound(expr);
        if bound == Expr::Flag(1) {
            self.assigned.insert(local);
        } else {
            self.assigned.remove(&local);
        }
        let expr = self.native(expr, kind);
        out.push(Node::Set(local, expr));
        out.extend(flag.map(|flag| Node::Set(flag, bound)));
    }

    /// Whether an expression has a value, as a flag: copies of what may be unbound may be unbound too.
    fn is_bound(&mut self, expr: &Expr) -> Expr {
        match expr {
            Expr::Unbound => Expr::Flag(0),
            Expr::Local(local) => self.bound(*local),
            Expr::Choose {
                condition,
                then,
                otherwise,
            } if !self.sure(expr) => Expr::Choose {
                condition: Box::new(self.flag(condition)),
                then: Box::new(self.is_bound(then)),
                otherwise: Box::new(self.is_bound(otherwise)),
            },
            _ => Expr::Flag(1),
        }
    }

    /// An expression for a local of a kind.
    fn expr(&mut self, expr: &Expr, kind: Option<Kind>) -> Expr {
        match kind {
            Some(Kind::Flag) => self.flag(expr),
            Some(Kind::Long) => self.long(expr),
            _ => self.value(expr),
        }
    }

    /// The flag that says whether a local is bound that is unboxed or never assigned.
    fn bound(&mut self, local: LocalId) -> Expr {
        if self.kinds.local(local) == Known::Nothing {
            return Expr::Flag(0);
        }
        if self.assigned.contains(&local) {
            return Expr::Flag(1);
        }
        self.asked.insert(local);
        self.flags
            .get(&local)
            .map_or(Expr::Flag(0), |flag| Expr::Local(*flag))
    }

    /// An expression where a boxed value is wanted.
    fn value(&mut self, expr: &Expr) -> Expr {
        match (self.kinds.of(expr), expr) {
            (_, Expr::Constant(_)) => expr.clone(),
            (Known::Int | Known::Float | Known::Bool, Expr::Local(local)) => {
                let boxed = self.boxed(expr);
                match self.bound(*local) {
                    Expr::Flag(1) => boxed,
                    bound => Expr::Choose {
                        condition: Box::new(bound),
                        then: Box::new(boxed),
                        otherwise: Box::new(Expr::Unbound),
                    },
                }
            }
            (Known::Int | Known::Float | Known::Bool, Expr::Choose { .. }) if self.sure(expr) => {
                self.boxed(expr)
            }
            (Known::Int | Known::Float | Known::Bool, Expr::Call { .. }) => self.boxed(expr),
            _ => self.children(expr),
        }
    }

    /// Whether a choice is never unbound.
    fn sure(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Choose {
                condition,
                then,
                otherwise,
            } => (condition == then || self.sure(then)) && self.sure(otherwise),
            Expr::Local(local) => self.assigned.contains(local),
            Expr::Unbound => false,
            _ => true,
        }
    }

    fn boxed(&mut self, expr: &Expr) -> Expr {
        let known = self.kinds.of(expr);
        let (function, kind) = match known {
            Known::Int => ("int", Kind::Long),
            Known::Float => ("float", Kind::Float),
            _ => ("bool", Kind::Flag),
        };
        let native = self.native(expr, kind);
        match (known, native) {
            (Known::Int, Expr::Long(number)) => Expr::Constant(Constant::Int(number)),
            (Known::Float, Expr::Float(number)) => Expr::Constant(Constant::Float(number)),
            (_, native) => Expr::runtime(function, vec![native.into()]),
        }
    }

    /// The same expression with rewritten parts.
    fn children(&mut self, expr: &Expr) -> Expr {
        match expr {
            Expr::Call {
                callee,
                arguments,
                fails,
            } => Expr::Call {
                callee: *callee,
                arguments: arguments
                    .iter()
                    .map(|argument| match argument {
                        Argument::Expr(expr) => Argument::Expr(self.argument(expr)),
                        Argument::Text(text) => Argument::Text(*text),
                        Argument::Slice(expr) => Argument::Slice(self.value(expr)),
                    })
                    .collect(),
                fails: *fails,
            },
            Expr::Choose {
                condition,
                then,
                otherwise,
            } => Expr::Choose {
                condition: Box::new(self.flag(condition)),
                then: Box::new(self.value(then)),
                otherwise: Box::new(self.value(otherwise)),
            },
            Expr::Flags(..) => self.flag(expr),
            Expr::Extend(_) | Expr::AddLong(..) => self.long(expr),
            Expr::AtLeast(left, right) => {
                Expr::AtLeast(Box::new(self.long(left)), Box::new(self.long(right)))
            }
            _ => expr.clone(),
        }
    }

    /// What a call is given: a value, a flag or a number, which shows in the expression.
    fn argument(&mut self, expr: &Expr) -> Expr {
        match expr {
            Expr::Flags(..) | Expr::AtLeast(..) => self.flag(expr),
            Expr::Call {
                callee: Callee::Runtime(name),
                ..
            } if answers_flag(name) => self.flag(expr),
            _ => self.value(expr),
        }
    }

    /// An expression where a flag is wanted.
    fn flag(&mut self, expr: &Expr) -> Expr {
        match expr {
            Expr::Local(local) if self.is_unboxed(*local) => self.bound(*local),
            Expr::Flags(operator, operands) => {
                let operands = operands.iter().map(|operand| self.flag(operand)).collect();
                Expr::Flags(*operator, operands)
            }
            Expr::Choose {
                condition,
                then,
                otherwise,
            } => Expr::Choose {
                condition: Box::new(self.flag(condition)),
                then: Box::new(self.flag(then)),
                otherwise: Box::new(self.flag(otherwise)),
            },
            Expr::Call {
                callee: Callee::Runtime(name),
                arguments,
                ..
            } => self
                .test(name, arguments)
                .unwrap_or_else(|| self.children(expr)),
            _ => self.children(expr),
        }
    }

    /// A test of operands whose kinds are known.
    fn test(&mut self, name: &str, arguments: &[Argument]) -> Option<Expr> {
        let operand = |index: usize| match arguments.get(index) {
            Some(Argument::Expr(expr)) => Some((expr, self.kinds.of(expr))),
            _ => None,
        };
        let (left, left_known) = operand(0)?;
        if let ("truthy" | "is_true", Known::Bool) = (name, left_known) {
            return Some(self.native(left, Kind::Flag));
        }
        if let ("truthy", Known::Int) = (name, left_known) {
            let number = self.native(left, Kind::Long);
            let zero = Expr::Native(Native::Equal(Number::Int), vec![number, Expr::Long(0)]);
            return Some(zero.negated());
        }
        let (right, right_known) = operand(1)?;
        match (name, left_known, right_known) {
            ("equal" | "same" | "identical", Known::Bool, Known::Bool) => {
                let left = self.native(left, Kind::Flag);
                let right = self.native(right, Kind::Flag);
                Some(Expr::Flags(FlagOperator::Equal, vec![left, right]))
            }
            ("same" | "identical", Known::Int, Known::Int)
            | ("same" | "identical", Known::Float, Known::Float) => {
                self.compared("equal", left, right)
            }
            (_, Known::Int | Known::Float, Known::Int | Known::Float) => {
                self.compared(name, left, right)
            }
            _ => None,
        }
    }

    fn compared(&mut self, name: &str, left: &Expr, right: &Expr) -> Option<Expr> {
        let ints = self.kinds.of(left) == Known::Int && self.kinds.of(right) == Known::Int;
        let (number, kind) = if ints {
            (Number::Int, Kind::Long)
        } else {
            (Number::Float, Kind::Float)
        };
        let operator = comparison(name, number)?;
        let operands = vec![self.native(left, kind), self.native(right, kind)];
        Some(Expr::Native(operator, operands))
    }

    /// An expression where a 64-bit integer is wanted that is no value.
    fn long(&mut self, expr: &Expr) -> Expr {
        match expr {
            Expr::Call {
                callee: Callee::Runtime("as_int"),
                arguments,
                ..
            } => match arguments.first() {
                Some(Argument::Expr(value)) if self.kinds.of(value) == Known::Int => {
                    self.native(value, Kind::Long)
                }
                _ => self.children(expr),
            },
            Expr::Extend(operand) => Expr::Extend(Box::new(self.flag(operand))),
            Expr::AddLong(left, right) => {
                Expr::AddLong(Box::new(self.long(left)), Box::new(self.long(right)))
            }
            Expr::Local(_) => expr.clone(),
            _ => self.children(expr),
        }
    }

    /// A value of known kind without its box. An Int where a Float is wanted is converted.
    fn native(&mut self, expr: &Expr, kind: Kind) -> Expr {
        if kind == Kind::Float && self.kinds.of(expr) == Known::Int {
            return match self.native(expr, Kind::Long) {
                Expr::Long(number) => Expr::Float(number as f64),
                number => Expr::Native(Native::ToFloat, vec![number]),
            };
        }
        if self.kinds.of(expr) == Known::Nothing {
            // What follows only has the right kind.
            let zero = match kind {
                Kind::Long => Expr::Long(0),
                Kind::Float => Expr::Float(0.0),
                _ => Expr::Flag(0),
            };
            match expr {
                // Some operand fails for certain. It is evaluated.
                Expr::Call { .. } => {
                    return Expr::Choose {
                        condition: Box::new(self.children(expr)),
                        then: Box::new(zero.clone()),
                        otherwise: Box::new(zero),
                    };
                }
                // The flag beside it says that nothing is bound.
                Expr::Local(_) | Expr::Unbound => return zero,
                _ => {}
            }
        }
        match expr {
            Expr::Constant(Constant::Int(number)) => Expr::Long(*number),
            Expr::Constant(Constant::Float(number)) => Expr::Float(*number),
            Expr::Constant(Constant::Bool(truth)) => Expr::Flag((*truth).into()),
            Expr::Choose {
                condition,
                then,
                otherwise,
            } => self.choice(condition, then, otherwise, kind),
            Expr::Call {
                callee: Callee::Runtime(name),
                arguments,
                fails,
            } => self.operation(name, arguments, *fails, kind),
            _ => expr.clone(),
        }
    }

    fn choice(&mut self, condition: &Expr, then: &Expr, otherwise: &Expr, kind: Kind) -> Expr {
        if condition == then
            && let Expr::Local(local) = then
            && self.assigned.contains(local)
        {
            return then.clone();
        }
        Expr::Choose {
            condition: Box::new(self.flag(condition)),
            then: Box::new(self.native(then, kind)),
            otherwise: Box::new(self.native(otherwise, kind)),
        }
    }

    fn operation(&mut self, name: &str, arguments: &[Argument], fails: Fails, kind: Kind) -> Expr {
        let mut operands = arguments.iter().filter_map(|argument| match argument {
            Argument::Expr(expr) => Some(expr),
            _ => None,
        });
        let (Some(left), right) = (operands.next(), operands.next()) else {
            return Expr::Unbound;
        };
        match (name, right) {
            ("int", _) => self.long(left),
            ("bool", _) => self.flag(left),
            ("negate", _) if kind == Kind::Float => {
                Expr::Native(Native::Negate, vec![self.native(left, kind)])
            }
            ("negate", _) => match self.native(left, kind) {
                Expr::Long(number) if number != i64::MIN => Expr::Long(-number),
                number => self.checked("sub", Expr::Long(0), number, fails),
            },
            (_, Some(right)) if kind == Kind::Float => {
                let operator = match name {
                    "add" => Native::Add,
                    "sub" => Native::Subtract,
                    "mul" => Native::Multiply,
                    _ => Native::Divide,
                };
                Expr::Native(
                    operator,
                    vec![self.native(left, kind), self.native(right, kind)],
                )
            }
            (_, Some(right)) => {
                let (left, right) = (self.native(left, kind), self.native(right, kind));
                self.checked(operation(name).unwrap_or("rem"), left, right, fails)
            }
            // `float` of a number that is none of a value.
            _ => left.clone(),
        }
    }

    fn checked(&mut self, function: &'static str, left: Expr, right: Expr, fails: Fails) -> Expr {
        let kind = match fails {
            Fails::OnZero(kind) | Fails::OnMinusOne(kind) => kind,
            Fails::Never => FailureKind::Expression,
        };
        let temporaries = [(); 3].map(|()| self.temporary(Kind::Long));
        Expr::Checked(Box::new(Checked {
            function,
            left,
            right,
            temporaries,
            kind,
        }))
    }
}

/// Whether an export of the value runtime answers a truth value.
fn answers_flag(name: &str) -> bool {
    matches!(
        name,
        "truthy"
            | "is_true"
            | "is_empty"
            | "is_word"
            | "is_type"
            | "equal"
            | "less"
            | "less_equal"
            | "greater"
            | "greater_equal"
            | "contains"
            | "matches"
            | "same"
            | "identical"
    )
}
