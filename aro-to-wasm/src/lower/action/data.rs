//! Parse.

use super::{Body, result_noun};
use crate::ir::{Constant, Expr};
use crate::syntax::ast::Action;

impl Body<'_, '_> {
    /// JSON. With the qualifier `JSON`, text that is none gives the empty value, so that `is empty` can be asked (runtime.md 6.10); without a qualifier it is an error (actions.md 11.3).
    pub(super) fn parse(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return;
        };
        let Some(value) = self.object_value(action) else {
            return self.misused(action);
        };
        if result.qualifier.is_none() {
            let parsed = self.act("parse_json", vec![value.into()]);
            return self.bind(&result.base, parsed, false);
        }
        let parsed = self.keep(
            Expr::runtime("parse_json", vec![value.into()]),
            crate::ir::Kind::Value,
        );
        let value = Expr::Choose {
            condition: Box::new(Expr::Local(parsed)),
            then: Box::new(Expr::Local(parsed)),
            otherwise: Box::new(Expr::Constant(Constant::Null)),
        };
        self.bind(&result.base, value, false);
    }
}
