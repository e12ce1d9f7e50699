//! Typed extraction and validation: values checked by the schemas of the contract (actions.md 5.1, 9.1).

use super::Body;
use crate::contract::Schemas;
use crate::diagnostic::{Code, Diagnostic};
use crate::ir::{Expr, LocalId};
use crate::source::Span;
use crate::syntax::ast::Noun;

impl Body<'_, '_> {
    fn schemas(&self) -> Option<&Schemas> {
        self.shared.facts.api.map(|api| &api.schemas)
    }

    /// Whether the contract defines a schema of this name.
    pub(super) fn has_schema(&self, name: &str) -> bool {
        self.schemas()
            .is_some_and(|schemas| schemas.names().contains(&name))
    }

    /// `Extract the <user: User> from …`: binds the value if the schema fits it.
    pub(super) fn extract_typed(&mut self, result: &Noun, name: &str, value: Expr) {
        let Some(bundle) = self.schemas().and_then(|schemas| schemas.bundle(name)) else {
            return self.no_schema(result.span, name);
        };
        let (bundle, name) = (self.text(&bundle), self.text(name));
        let typed = self.act("typed", vec![value.into(), bundle.into(), name.into()]);
        self.bind(&result.base, typed, false);
    }

    /// The record that says whether a schema fits a value; none if the contract has no such schema.
    pub(super) fn judged(&mut self, value: LocalId, name: &str) -> Option<Expr> {
        let bundle = self.schemas()?.bundle(name)?;
        let (bundle, name) = (self.text(&bundle), self.text(name));
        let arguments = vec![Expr::Local(value).into(), bundle.into(), name.into()];
        Some(Expr::runtime("judged", arguments))
    }

    /// The statement fails when it runs, as it does on the reference; whoever builds the program is told now.
    fn no_schema(&mut self, span: Span, name: &str) {
        self.warn_of_schema(span, name, "a qualifier that begins with a capital letter names a schema: the statement fails when it runs");
        let names = self.schemas().map(Schemas::names).unwrap_or_default();
        let available = match names.is_empty() {
            true => "none".to_owned(),
            false => names.join(", "),
        };
        self.fail(&format!(
            "Schema '{name}' is not defined in openapi.yaml components.schemas.\nAvailable schemas: {available}"
        ));
    }

    /// Says that the contract has no such schema, and what comes of it.
    pub(super) fn warn_of_schema(&mut self, span: Span, name: &str, outcome: &str) {
        let names = self.schemas().map(Schemas::names).unwrap_or_default();
        let message = format!("the contract defines no schema `{name}`");
        let mut diagnostic = Diagnostic::new(Code::UnknownSchema, span, message).help(outcome);
        if let Some(near) = crate::check::nearest(name, names.into_iter()) {
            diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
        }
        self.shared.diagnostics.push(diagnostic);
    }
}
