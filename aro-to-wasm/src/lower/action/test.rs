//! Given, When, Then, Assert (actions.md 19, runtime.md 9.5).

use super::output::ANSWERS;
use super::{Body, object_noun, plain_with, result_noun};
use crate::ir::{Argument, Callee, Expr, Fails, FailureKind, Kind, LocalId, Node, Role};
use crate::lower::Called;
use crate::program::plain_name;
use crate::syntax::ast::{Action, Noun, Operand};

/// How a check words what it found.
#[derive(Debug, Clone, Copy)]
pub(super) enum Words {
    /// `Expected x to be E, but was A`
    Then,
    /// `Assertion failed: x is A, expected E`
    Assert,
}

pub(super) const THEN: Words = Words::Then;
pub(super) const ASSERT: Words = Words::Assert;

impl Body<'_, '_> {
    /// Binds the value; a noun that is not bound gives its own name.
    pub(super) fn given_value(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return self.misused(action);
        };
        let value = self.expected(action);
        self.bind(&result.base, value, false);
    }

    /// An expression, a variable, or the name of what is no variable.
    fn expected(&mut self, action: &Action) -> Expr {
        if let Some(with) = plain_with(action) {
            return self.expression(with);
        }
        match action.object.as_ref().map(|object| &object.operand) {
            Some(Operand::Expression(expression)) => self.expression(expression),
            Some(Operand::Noun(noun)) if noun.qualifier.is_none() => {
                let name = self.constant_text(&noun.base);
                match self.variable_or_unbound(&noun.base) {
                    Expr::Unbound => name,
                    value => self.bound_or(value, name),
                }
            }
            _ => self
                .object_value(action)
                .unwrap_or(Expr::Constant(crate::ir::Constant::Null)),
        }
    }

    /// Compares a variable with what it should be.
    pub(super) fn expectation(&mut self, action: &Action, words: Words) {
        let Some(result) = result_noun(action) else {
            return self.misused(action);
        };
        let actual = match result.qualifier {
            None => self.variable_or_unbound(&result.base),
            Some(_) => self.noun(result, super::Path::Step, FailureKind::Action),
        };
        let actual = self.keep(actual, Kind::Value);
        let undefined = self.nested(|this| {
            let message = this.text(&format!("Variable '{}' is undefined", result.base));
            this.perform(Expr::runtime("raise", vec![message.into()]));
            this.unmet();
        });
        self.nodes.push(Node::If {
            condition: Expr::Local(actual).negated(),
            then: undefined,
            otherwise: Vec::new(),
        });
        let expected = self.expected(action);
        let expected = self.keep(expected, Kind::Value);
        let met = Expr::runtime(
            "meets",
            vec![Expr::Local(actual).into(), Expr::Local(expected).into()],
        );
        let then = self.nested(|this| {
            this.mismatch(&result.base, words, actual, expected);
            this.unmet();
        });
        self.nodes.push(Node::If {
            condition: met.negated(),
            then,
            otherwise: Vec::new(),
        });
    }

    fn mismatch(&mut self, name: &str, words: Words, actual: LocalId, expected: LocalId) {
        let parts = match words {
            Words::Then => [
                (format!("Expected {name} to be "), expected),
                (", but was ".to_owned(), actual),
            ],
            Words::Assert => [
                (format!("Assertion failed: {name} is "), actual),
                (", expected ".to_owned(), expected),
            ],
        };
        let list = self.new_list(4);
        for (text, value) in parts {
            let text = self.constant_text(&text);
            self.push(list, text);
            self.push(list, Expr::Local(value));
        }
        let message = Expr::runtime("interpolate", vec![Expr::Local(list).into()]);
        let message = Expr::runtime("string", vec![message.into()]);
        self.perform(Expr::runtime("raise", vec![Argument::Slice(message)]));
    }

    /// Fails with the message that is set: as a test's own failure in a test, as an error of the runtime elsewhere.
    fn unmet(&mut self) {
        let kind = match self.role {
            Role::Test => FailureKind::Assertion,
            _ => FailureKind::Runtime,
        };
        self.nodes.push(Node::Fail(kind));
    }

    /// Runs a feature set with all variables of the test.
    pub(super) fn run_tested(&mut self, action: &Action) {
        let (Some(result), Some(object)) = (result_noun(action), object_noun(action)) else {
            return self.misused(action);
        };
        if !matches!(self.role, Role::Test | Role::Tested) {
            return self
                .fail("Service not registered: 'TestExecutionContext (use 'aro-to-wasm test')'");
        }
        let plain = plain_name(&object.base);
        let Some(set) = self.shared.facts.tested.get(&plain).copied() else {
            return self.fail(&format!("Feature set not found: '{}'", object.base));
        };
        let wanted = result.base.clone();
        let key = format!("when {plain} wants {wanted}");
        let called = Called {
            set,
            role: Role::Tested,
            wanted,
        };
        let index = self.shared.actions.insert_full(key, called).0 as u32 + 1;
        let variables = self.variables();
        let call = Expr::Call {
            callee: Callee::Action(index),
            arguments: vec![Expr::Local(variables).into()],
            fails: Fails::OnZero(FailureKind::Action),
        };
        self.bind(&result.base, call, false);
    }

    /// All bound variables as a map.
    fn variables(&mut self) -> LocalId {
        let map = self.keep(
            Expr::runtime("map", vec![Expr::Flag(8).into()]),
            Kind::Value,
        );
        if self.role == Role::Tested {
            // What the caller knew is known further down as well.
            self.nodes.push(Node::Do(Expr::runtime(
                "merge",
                vec![Expr::Local(map).into(), Expr::Local(LocalId(0)).into()],
            )));
        }
        for (name, local) in self.visible() {
            let then = self.nested(|this| this.put(map, &name, Expr::Local(local)));
            self.nodes.push(Node::If {
                condition: Expr::Local(local),
                then,
                otherwise: Vec::new(),
            });
        }
        map
    }

    /// Ends a feature set under test with the value that the test asked for: an entry of the response, else its first one, else a variable, else the status.
    pub(in crate::lower) fn tested_outcome(
        &mut self,
        status: &str,
        value: Option<LocalId>,
        noun: Option<&Noun>,
    ) {
        let data = self.keep(
            Expr::runtime("map", vec![Expr::Flag(4).into()]),
            Kind::Value,
        );
        if let Some(value) = value {
            self.perform(Expr::runtime(
                "merge",
                vec![Expr::Local(data).into(), Expr::Local(value).into()],
            ));
        }
        if let Some(noun) = noun
            && !matches!(noun.base.as_str(), "status" | "response" | "application")
        {
            self.put_bound(data, &noun.base, &noun.base);
        }
        for name in ANSWERS {
            let then = self.nested(|this| this.put_bound(data, "value", name));
            self.nodes.push(Node::If {
                condition: Expr::runtime("is_empty", vec![Expr::Local(data).into()]),
                then,
                otherwise: Vec::new(),
            });
        }
        let wanted = self.wanted.clone();
        let key = self.text(&wanted);
        let outcome = Expr::runtime("outcome", vec![Expr::Local(data).into(), key.into()]);
        let variable = self.variable_or_unbound(&wanted);
        let status = self.constant_text(status);
        let otherwise = match variable {
            Expr::Unbound => status,
            variable => self.bound_or(variable, status),
        };
        let outcome = self.bound_or(outcome, otherwise);
        self.nodes.push(Node::Finish(Some(outcome)));
    }

    fn put_bound(&mut self, map: LocalId, key: &str, name: &str) {
        let value = self.variable_or_unbound(name);
        if value == Expr::Unbound {
            return;
        }
        let local = self.keep(value, Kind::Value);
        let then = self.nested(|this| this.put(map, key, Expr::Local(local)));
        self.nodes.push(Node::If {
            condition: Expr::Local(local),
            then,
            otherwise: Vec::new(),
        });
    }

    /// A line of a log in a test (runtime.md 2.2): target, feature set, and the value with its kind.
    pub(super) fn test_line(&mut self, action: &Action, message: Expr) -> Expr {
        let target = object_noun(action).map_or("console", |noun| noun.base.as_str());
        let prefix = format!("LOG[{target}] {}: ", self.set.name);
        let message = self.keep(message, Kind::Value);
        let prefix = self.constant_text(&prefix);
        let rendered = Expr::runtime("developer", vec![Expr::Local(message).into()]);
        let rendered = Expr::runtime("text", vec![Argument::Slice(rendered)]);
        let line = Expr::runtime("concat", vec![prefix.into(), rendered.into()]);
        Expr::runtime("string", vec![line.into()])
    }
}
