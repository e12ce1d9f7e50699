//! Where loops and calls free what they leave behind: which locals still matter then.
//!
//! A value made since the mark survives if it is in a local that is read again: in the next round before it is assigned, or outside of the loop. Every other local is assigned before it is read, so it may keep an address that is no longer valid.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::ir::{Argument, Callee, Constant, Expr, Function, Kind, LocalId, Node};

type Locals = FxHashSet<LocalId>;
type Counts = FxHashMap<LocalId, usize>;

/// Replaces every [`Node::Collect`] by its calls, where the steps since its mark take memory.
pub(super) fn place(function: &mut Function) {
    let mut body = std::mem::take(&mut function.body);
    let mut placing = Placing {
        locals: &function.locals,
        total: counts(&body),
        unused: Locals::default(),
    };
    placing.nodes(&mut body);
    let unused = placing.unused;
    remove(&mut body, &unused);
    function.body = body;
}

struct Placing<'a> {
    locals: &'a [Kind],
    /// How often the function reads each local.
    total: Counts,
    /// Marks that nobody needs.
    unused: Locals,
}

impl Placing<'_> {
    fn nodes(&mut self, nodes: &mut [Node]) {
        for index in 0..nodes.len() {
            if let Some(Node::Collect(mark)) = nodes.get(index) {
                // After a call; loops have taken theirs.
                let mark = *mark;
                let start = nodes
                    .iter()
                    .take(index)
                    .rposition(|node| matches!(node, Node::Set(local, _) if *local == mark));
                let steps = nodes.get(start.unwrap_or(index)..index).unwrap_or(&[]);
                let new = self.collection(mark, steps, &Locals::default());
                if let (Some(node), Some(new)) = (nodes.get_mut(index), new) {
                    *node = new;
                }
                continue;
            }
            match nodes.get_mut(index) {
                Some(Node::Loop(_, body)) => {
                    if let Some(Node::Collect(mark)) = body.last() {
                        let mut live = Locals::default();
                        exposed(body, &mut Locals::default(), &mut live);
                        let new = self.collection(*mark, body, &live);
                        body.pop();
                        body.extend(new);
                    }
                    self.nodes(body);
                }
                Some(Node::Statement { body, .. } | Node::Attempt(body)) => self.nodes(body),
                Some(Node::If {
                    then, otherwise, ..
                }) => {
                    self.nodes(then);
                    self.nodes(otherwise);
                }
                _ => {}
            }
        }
    }

    /// The steps that free what `steps` leave behind: locals read outside of them survive, and those in `live`.
    fn collection(&mut self, mark: LocalId, steps: &[Node], live: &Locals) -> Option<Node> {
        if !allocates(steps) {
            self.unused.insert(mark);
            return None;
        }
        let mut assigned = Locals::default();
        assignments(steps, &mut assigned);
        let inside = counts(steps);
        let mut roots: Vec<LocalId> = assigned
            .into_iter()
            .filter(|local| {
                self.locals.get(local.0 as usize) == Some(&Kind::Value)
                    && (live.contains(local) || self.total.get(local) != inside.get(local))
            })
            .collect();
        roots.sort_unstable();
        let name =
            |local: &LocalId| Node::Do(Expr::runtime("root", vec![Expr::Local(*local).into()]));
        let mut then: Vec<Node> = roots.iter().map(name).collect();
        then.push(Node::Do(Expr::runtime(
            "collect",
            vec![Expr::Local(mark).into()],
        )));
        then.extend(
            roots
                .iter()
                .rev()
                .map(|local| Node::Set(*local, Expr::runtime("rooted", Vec::new()))),
        );
        Some(Node::If {
            condition: Expr::runtime("crowded", vec![Expr::Local(mark).into()]),
            then,
            otherwise: Vec::new(),
        })
    }
}

/// Removes marks that nobody needs.
fn remove(nodes: &mut Vec<Node>, unused: &Locals) {
    nodes.retain(|node| !matches!(node, Node::Set(local, _) if unused.contains(local)));
    for node in nodes {
        match node {
            Node::Statement { body, .. } | Node::Loop(_, body) | Node::Attempt(body) => {
                remove(body, unused);
            }
            Node::If {
                then, otherwise, ..
            } => {
                remove(then, unused);
                remove(otherwise, unused);
            }
            _ => {}
        }
    }
}

/// How often each local is read.
fn counts(nodes: &[Node]) -> Counts {
    let mut found = Counts::default();
    each_expr(nodes, &mut |expr| count(expr, &mut found));
    found
}

fn count(expr: &Expr, found: &mut Counts) {
    if let Expr::Local(local) = expr {
        *found.entry(*local).or_default() += 1;
    }
    expr.parts(|part| count(part, found));
}

fn each_expr<'a>(nodes: &'a [Node], visit: &mut impl FnMut(&'a Expr)) {
    for node in nodes {
        match node {
            Node::Statement { trace, body, .. } => {
                trace.iter().for_each(|(_, value)| visit(value));
                each_expr(body, visit);
            }
            Node::Loop(_, body) | Node::Attempt(body) => each_expr(body, visit),
            Node::If {
                condition,
                then,
                otherwise,
            } => {
                visit(condition);
                each_expr(then, visit);
                each_expr(otherwise, visit);
            }
            Node::Set(_, expr) | Node::Do(expr) | Node::Finish(Some(expr)) => visit(expr),
            Node::Break(_) | Node::Finish(None) | Node::Fail(_) | Node::Collect(_) => {}
        }
    }
}

/// Locals that some step assigns.
fn assignments(nodes: &[Node], found: &mut Locals) {
    for node in nodes {
        match node {
            Node::Set(local, _) => {
                found.insert(*local);
            }
            Node::Statement { body, .. } | Node::Loop(_, body) | Node::Attempt(body) => {
                assignments(body, found);
            }
            Node::If {
                then, otherwise, ..
            } => {
                assignments(then, found);
                assignments(otherwise, found);
            }
            _ => {}
        }
    }
}

/// Locals that are read before they are assigned for certain.
fn exposed(nodes: &[Node], assigned: &mut Locals, found: &mut Locals) {
    for node in nodes {
        match node {
            Node::Statement { trace, body, .. } => {
                // A failure may come before anything is assigned.
                for (_, value) in trace {
                    expose(value, assigned, found);
                }
                exposed(body, assigned, found);
            }
            Node::Set(local, expr) => {
                expose(expr, assigned, found);
                assigned.insert(*local);
            }
            Node::Do(expr) | Node::Finish(Some(expr)) => expose(expr, assigned, found),
            Node::If {
                condition,
                then,
                otherwise,
            } => {
                expose(condition, assigned, found);
                let mut other = assigned.clone();
                exposed(then, assigned, found);
                exposed(otherwise, &mut other, found);
                assigned.retain(|local| other.contains(local));
            }
            Node::Loop(_, body) | Node::Attempt(body) => {
                exposed(body, &mut assigned.clone(), found);
            }
            Node::Break(_) | Node::Finish(None) | Node::Fail(_) | Node::Collect(_) => {}
        }
    }
}

fn expose(expr: &Expr, assigned: &Locals, found: &mut Locals) {
    if let Expr::Local(local) = expr
        && !assigned.contains(local)
    {
        found.insert(*local);
    }
    expr.parts(|part| expose(part, assigned, found));
}

/// Whether any step takes memory.
fn allocates(nodes: &[Node]) -> bool {
    nodes.iter().any(|node| match node {
        Node::Statement { body, .. } | Node::Loop(_, body) | Node::Attempt(body) => allocates(body),
        Node::Set(_, expr) | Node::Do(expr) | Node::Finish(Some(expr)) => expr_allocates(expr),
        Node::If {
            condition,
            then,
            otherwise,
        } => expr_allocates(condition) || allocates(then) || allocates(otherwise),
        _ => false,
    })
}

/// Exports of the value runtime that take no memory unless they fail.
const FRUGAL: &[&str] = &[
    "mark",
    "crowded",
    "root",
    "rooted",
    "collect",
    "enter",
    "leave",
    "null",
    "bool",
    "kind",
    "as_int",
    "as_float",
    "len",
    "at",
    "truthy",
    "is_true",
    "is_empty",
    "raise",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
];

fn expr_allocates(expr: &Expr) -> bool {
    let mut found = match expr {
        Expr::Call {
            callee: Callee::Runtime(name),
            arguments,
            ..
        } => {
            !FRUGAL.contains(name)
                || arguments
                    .iter()
                    .any(|argument| matches!(argument, Argument::Slice(_)))
        }
        Expr::Call { .. } => true,
        Expr::Constant(constant) => !matches!(constant, Constant::Null | Constant::Bool(_)),
        _ => false,
    };
    expr.parts(|part| found = found || expr_allocates(part));
    found
}
