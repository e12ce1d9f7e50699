//! Which values are numbers or truth values for certain: a fixpoint over everything that is assigned.

use crate::ir::{Argument, Callee, Constant, Expr, Function, Kind, LocalId, Node};

/// What is known of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing is ever assigned, or evaluation does not end here.
    Nothing,
    /// Always an Int.
    Int,
    /// Always a Float.
    Float,
    /// Always a Bool.
    Bool,
    /// Any value.
    Any,
}

impl Known {
    fn join(self, other: Known) -> Known {
        match (self, other) {
            (Known::Nothing, known) | (known, Known::Nothing) => known,
            (left, right) if left == right => left,
            _ => Known::Any,
        }
    }

    /// How it is held without its box.
    pub(super) fn kind(self) -> Option<Kind> {
        match self {
            Known::Int => Some(Kind::Long),
            Known::Float => Some(Kind::Float),
            Known::Bool => Some(Kind::Flag),
            Known::Nothing | Known::Any => None,
        }
    }
}

/// What is known of each local.
pub(super) struct Kinds(Vec<Known>);

impl Kinds {
    /// Looks at every assignment of a function until nothing changes.
    pub(super) fn infer(function: &Function) -> Self {
        let mut kinds = Kinds(vec![Known::Nothing; function.locals.len()]);
        for (known, kind) in kinds.0.iter_mut().zip(&function.locals) {
            if *kind != Kind::Value {
                *known = Known::Any;
            }
        }
        let parameters = function.role.parameters().len();
        kinds
            .0
            .iter_mut()
            .take(parameters)
            .for_each(|known| *known = Known::Any);
        // Each round moves a local up by one step of two at least, so it ends.
        while kinds.nodes(&function.body) {}
        kinds
    }

    /// What is known of a local.
    pub(super) fn local(&self, local: LocalId) -> Known {
        self.0.get(local.0 as usize).copied().unwrap_or(Known::Any)
    }

    fn nodes(&mut self, nodes: &[Node]) -> bool {
        let mut changed = false;
        for node in nodes {
            changed |= match node {
                Node::Set(local, expr) => self.assign(*local, expr),
                Node::Statement { body, .. } | Node::Loop(_, body) | Node::Attempt(body) => {
                    self.nodes(body)
                }
                Node::If {
                    then, otherwise, ..
                } => self.nodes(then) | self.nodes(otherwise),
                _ => false,
            };
        }
        changed
    }

    fn assign(&mut self, local: LocalId, expr: &Expr) -> bool {
        let old = self.local(local);
        let new = old.join(self.of(expr));
        if let Some(known) = self.0.get_mut(local.0 as usize) {
            *known = new;
        }
        new != old
    }

    /// What is known of an expression that stands where a value is wanted.
    pub(super) fn of(&self, expr: &Expr) -> Known {
        match expr {
            Expr::Local(local) => self.local(*local),
            Expr::Unbound | Expr::Undefined { .. } => Known::Nothing,
            Expr::Constant(Constant::Int(_)) => Known::Int,
            Expr::Constant(Constant::Float(_)) => Known::Float,
            Expr::Constant(Constant::Bool(_)) => Known::Bool,
            Expr::Choose {
                then, otherwise, ..
            } => self.of(then).join(self.of(otherwise)),
            Expr::Call {
                callee: Callee::Runtime(name),
                arguments,
                ..
            } => self.call(name, arguments),
            _ => Known::Any,
        }
    }

    fn call(&self, name: &str, arguments: &[Argument]) -> Known {
        let operand = |index: usize| match arguments.get(index) {
            Some(Argument::Expr(expr)) => self.of(expr),
            _ => Known::Any,
        };
        let numbers = || match (operand(0), operand(1)) {
            (Known::Nothing, _) | (_, Known::Nothing) => Known::Nothing,
            (Known::Int, Known::Int) => Known::Int,
            (Known::Int | Known::Float, Known::Int | Known::Float) => Known::Float,
            _ => Known::Any,
        };
        match name {
            "int" => Known::Int,
            "float" => Known::Float,
            "bool" => Known::Bool,
            "add" | "sub" | "mul" | "div" => numbers(),
            "rem" => match numbers() {
                Known::Float => Known::Any,
                known => known,
            },
            "negate" => match operand(0) {
                Known::Bool => Known::Any,
                known => known,
            },
            _ => Known::Any,
        }
    }
}
