//! Actions on texts: Split, Join (actions.md 11).

use super::{Body, labelled_with, plain_with, result_noun};
use crate::ir::{Constant, Expr, FailureKind, Kind};
use crate::syntax::ast::{Action, By};

impl Body<'_, '_> {
    /// actions.md 11.1
    pub(super) fn split(&mut self, action: &Action) {
        let (Some(result), Some(source)) = (result_noun(action), self.source(action)) else {
            return self.misused(action);
        };
        let source = self.keep(source, Kind::Value);
        let Some(separator) = self.split_separator(action) else {
            return self.fail("Runtime error: Missing required field: by /pattern/");
        };
        let value = self.act("split", vec![Expr::Local(source).into(), separator.into()]);
        self.bind(&result.base, value, false);
    }

    /// The pattern: `by /re/`, `by "text"`, `by <variable>`, `with regex "text"`, `with "text"`.
    fn split_separator(&mut self, action: &Action) -> Option<Expr> {
        match &action.clauses.by {
            Some(By::Regex { pattern, flags }) => Some(self.regex(pattern, flags)),
            Some(By::Text(text)) => Some(self.constant_text(text)),
            Some(By::Name(name)) => Some(self.variable(&name.text, FailureKind::Expression)),
            None => {
                let with = ["regex", "pattern", "separator"]
                    .iter()
                    .find_map(|label| labelled_with(action, label))
                    .or_else(|| plain_with(action))?;
                Some(self.expression(with))
            }
        }
    }

    /// actions.md 11.2
    pub(super) fn join(&mut self, action: &Action) {
        let (Some(result), Some(source)) = (result_noun(action), self.source(action)) else {
            return self.misused(action);
        };
        let source = self.keep(source, Kind::Value);
        let separator = labelled_with(action, "separator").or_else(|| plain_with(action));
        let separator = match separator {
            Some(separator) => self.expression(separator),
            None => Expr::Constant(Constant::Text(self.text(""))),
        };
        let arguments = vec![Expr::Local(source).into(), separator.into()];
        self.bind(&result.base, Expr::runtime("join", arguments), false);
    }
}
