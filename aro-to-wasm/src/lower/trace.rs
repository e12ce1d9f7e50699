//! Has a program tell which statements it runs, for a replay.

use crate::ir::{Expr, HostFunction, Node};

/// Puts the telling at the beginning of each statement.
pub(super) fn tell_statements(nodes: &mut [Node]) {
    for node in nodes {
        match node {
            Node::Statement { index, body, .. } => {
                tell_statements(body);
                let index = Expr::Flag(i32::try_from(*index).unwrap_or(i32::MAX));
                let told = Expr::host(HostFunction::TraceStatement, vec![index.into()]);
                body.insert(0, Node::Do(told));
            }
            Node::If {
                then, otherwise, ..
            } => {
                tell_statements(then);
                tell_statements(otherwise);
            }
            Node::Loop(_, body) | Node::Attempt(body) => tell_statements(body),
            Node::Set(..)
            | Node::Do(_)
            | Node::Break(_)
            | Node::Finish(_)
            | Node::Fail(_)
            | Node::Collect(_) => {}
        }
    }
}
