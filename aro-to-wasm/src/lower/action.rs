//! Actions: each verb's form to calls of the value runtime and the host.

mod channel;
mod check;
mod collection;
mod compute;
mod connect;
mod data;
mod environment;
mod event;
mod event_stream;
mod file;
mod form;
mod format;
mod monitor;
mod object;
mod output;
mod request;
mod schema;
mod server;
mod socket;
mod state;
mod stream;
mod template;
mod test;
mod text;
mod time;
mod time_wait;
mod websocket;

pub(super) use environment::METRICS_FORMAT;
pub(super) use template::Rendering;

use super::Body;
use super::expression::Path;
use crate::actions::{self, ActionKind, BareObject, lookup};
use crate::ir::{Callee, Expr, Fails, FailureKind, HostFunction, Kind, Node, Role};
use crate::lower::Called;
use crate::program::plain_name;
use crate::syntax::ast::{
    Action, Expression, ExpressionKind, Noun, Object, Operand, Target, WithValue,
};

impl Body<'_, '_> {
    pub(super) fn action(&mut self, action: &Action) {
        if let Some(name) = action.verb.text.strip_prefix("Application.") {
            return self.call_action(action, name);
        }
        let doubled = form::doubled(action);
        let action = doubled.as_ref().unwrap_or(action);
        let known = lookup(&action.verb.text);
        // A verb that is not built in is the program's, if it defines it (language.md 8.1; runtime.md 6.10).
        if known.is_none_or(|known| known.kind == ActionKind::Process)
            && self.defines(&action.verb.text)
        {
            return self.call_action(action, &action.verb.text);
        }
        let Some(known) = known else {
            return self.unknown(action);
        };
        // Actions that give values away, and those that check, run whatever their object is.
        let binds_itself = known.role == actions::Role::Response
            || matches!(known.kind, ActionKind::Validate | ActionKind::Compare)
            || (known.kind == ActionKind::Close && socket::closes(action))
            || form::is_outside(known.kind);
        if !binds_itself && self.binds_directly(action, known.bare_object) {
            return;
        }
        self.built_in(action, known.kind);
    }

    #[expect(clippy::too_many_lines, reason = "a table, one row for each action")]
    fn built_in(&mut self, action: &Action, kind: ActionKind) {
        match kind {
            ActionKind::Extract => self.extract(action),
            ActionKind::Receive | ActionKind::Process => self.copy(action),
            ActionKind::Create if time::creates(action) => self.create_time(action),
            ActionKind::Create => self.create(action),
            ActionKind::Update => self.update(action),
            ActionKind::Merge => self.merge(action),
            ActionKind::Compute if time::computes(action) => self.compute_time(action),
            ActionKind::Compute => self.compute(action),
            ActionKind::Transform if self.is_template(action) => self.transform_template(action),
            ActionKind::Transform => self.transform(action),
            ActionKind::Include => self.include(action),
            ActionKind::Parse => self.parse_format(action),
            ActionKind::ParseHtml => self.parse_html(action),
            ActionKind::Log => self.log(action),
            ActionKind::Return => self.return_(action),
            ActionKind::Throw => self.throw(action),
            ActionKind::Store => self.store(action),
            ActionKind::Retrieve => self.retrieve(action),
            ActionKind::Delete if file::names_file(action) => self.remove_file(action),
            ActionKind::Delete => self.delete(action),
            ActionKind::Clear => self.clear(action),
            ActionKind::Read => self.read(action),
            ActionKind::Write => self.write(action),
            ActionKind::Append => self.append(action),
            ActionKind::List => self.list_directory(action),
            ActionKind::Stat => self.stat(action),
            ActionKind::Exists => self.exists_file(action),
            ActionKind::Make => self.make_file(action),
            ActionKind::Copy => self.transfer(action, HostFunction::FileCopy),
            ActionKind::Move => self.transfer(action, HostFunction::FileMove),
            ActionKind::Sleep => self.sleep(action),
            ActionKind::Keepalive if self.is_sleep(action) => self.sleep(action),
            ActionKind::Given => self.given_value(action),
            ActionKind::When => self.run_tested(action),
            ActionKind::Then => self.expectation(action, test::THEN),
            ActionKind::Assert => self.expectation(action, test::ASSERT),
            ActionKind::Listen => self.listen(action),
            ActionKind::Connect => self.connect(action),
            ActionKind::Start => self.start(action),
            ActionKind::Stop => self.stop(action),
            ActionKind::Subscribe => self.subscribe(action),
            ActionKind::Unsubscribe => self.unsubscribe(action),
            ActionKind::Publish => self.publish_to(action),
            ActionKind::Send => self.send(action),
            ActionKind::Broadcast => self.broadcast(action),
            ActionKind::Close => self.close(action),
            ActionKind::Emit => self.emit(action),
            ActionKind::Notify => self.notify(action),
            ActionKind::Schedule => self.schedule(action),
            ActionKind::Cancel => self.cancel(action),
            ActionKind::Restart => self.restart(action),
            ActionKind::Keepalive => self.keepalive(action),
            ActionKind::Stream => self.stream(action),
            ActionKind::Filter => self.enforced(action, Self::filter_list),
            ActionKind::Map => self.enforced(action, Self::map),
            ActionKind::Reduce => self.enforced(action, Self::reduce),
            ActionKind::Group => self.enforced(action, Self::group),
            ActionKind::Sort => self.enforced(action, Self::sort),
            ActionKind::Split => self.enforced(action, Self::split),
            ActionKind::Join => self.enforced(action, Self::join),
            ActionKind::Validate => self.enforced(action, Self::validate),
            ActionKind::Compare => self.enforced(action, Self::compare),
            ActionKind::Accept => self.enforced(action, Self::accept),
            ActionKind::Request => self.enforced(action, Self::request),
            ActionKind::Probe => self.enforced(action, Self::probe),
            ActionKind::Call => self.enforced(action, Self::call_service),
            ActionKind::Execute
            | ActionKind::Prompt
            | ActionKind::Select
            | ActionKind::Show
            | ActionKind::Render
            | ActionKind::Repaint
            | ActionKind::Git => self.not_available(action),
        }
    }

    /// An action on collections, texts and checks, or a request: its prepositions are enforced.
    fn enforced(&mut self, action: &Action, lower: impl FnOnce(&mut Self, &Action)) {
        match collection::wrong_preposition(action) {
            Some(cause) => self.fail(&cause),
            None => lower(self, action),
        }
    }

    /// A verb that is neither built in nor defined: an expression object is bound as it is, anything else fails when it runs (actions.md 24).
    fn unknown(&mut self, action: &Action) {
        if self.binds_directly(action, BareObject::Binds) {
            return;
        }
        self.fail(&format!("Unknown action verb: '{}'", action.verb.text));
    }

    /// The direct-binding rule for expression objects (language.md 8.2) with EXT-30: a lone reference is a noun.
    fn binds_directly(&mut self, action: &Action, bare: BareObject) -> bool {
        let (Some(object), Target::Noun(result)) = (&action.object, &action.result) else {
            return false;
        };
        let Operand::Expression(expression) = &object.operand else {
            return false;
        };
        let runs = match bare {
            BareObject::Runs => true,
            BareObject::Qualified => {
                result.qualifier.is_some() || compute::is_operation(action, result)
            }
            BareObject::Binds => {
                lone_reference(expression)
                    && !matches!(
                        kind(action),
                        Some(ActionKind::Validate | ActionKind::Compare | ActionKind::Given)
                    )
            }
        };
        if runs {
            return false;
        }
        let value = self.expression(expression);
        self.bind(&result.base, value, false);
        true
    }

    /// Whether the program defines an action of this name.
    fn defines(&self, name: &str) -> bool {
        self.shared.facts.actions.contains_key(&plain_name(name))
    }

    /// A user-defined action, compiled into this component and called in line.
    fn call_action(&mut self, action: &Action, name: &str) {
        let key = plain_name(name);
        let Some(set) = self.shared.facts.actions.get(&key).copied() else {
            // The checker has reported the unknown action.
            return self.fail(&format!("Unknown action verb: '{}'", action.verb.text));
        };
        let mark = self.mark();
        let input = self.action_input(action, set.takes.as_ref().map(|takes| takes.field.as_str()));
        let called = Called {
            set,
            role: Role::Action,
            wanted: String::new(),
        };
        let index = self.shared.actions.insert_full(key, called).0 as u32 + 1;
        let call = Expr::Call {
            callee: Callee::Action(index),
            arguments: vec![input.into()],
            fails: Fails::OnZero(FailureKind::Action),
        };
        let entered = self.act("enter", Vec::new());
        self.perform(entered);
        match result_noun(action) {
            Some(result) => self.bind(&result.base, call, false),
            None => self.perform(call),
        }
        self.perform(Expr::runtime("leave", Vec::new()));
        self.nodes.push(Node::Collect(mark));
    }

    /// Input of a user-defined action (language.md 13.7).
    fn action_input(&mut self, action: &Action, takes: Option<&str>) -> Expr {
        if let Some(with) = plain_with(action) {
            return self.expression(with);
        }
        let value = match action.object.as_ref().map(|object| &object.operand) {
            Some(Operand::Expression(expression)) => self.expression(expression),
            Some(Operand::Noun(noun)) => self.noun(noun, Path::Step, FailureKind::Action),
            _ => return Expr::runtime("map", vec![Expr::Flag(0).into()]),
        };
        let preposition = action.object.as_ref().map(|object| object.preposition);
        match takes {
            Some(field) if preposition != Some(crate::syntax::ast::Preposition::With) => {
                let map = self.keep(
                    Expr::runtime("map", vec![Expr::Flag(1).into()]),
                    Kind::Value,
                );
                self.put(map, field, value);
                Expr::Local(map)
            }
            _ => value,
        }
    }

    /// The value of the object: a noun with its path, or an expression.
    fn object_value(&mut self, action: &Action) -> Option<Expr> {
        match &action.object.as_ref()?.operand {
            Operand::Noun(noun) => Some(self.noun(noun, Path::Step, FailureKind::Action)),
            Operand::Expression(expression) => Some(match &expression.kind {
                ExpressionKind::Reference(noun) => self.noun(noun, Path::Step, FailureKind::Action),
                _ => self.expression(expression),
            }),
            // The unit of an amount says nothing to an action that does not wait.
            Operand::Duration { amount, .. } => Some(self.expression(amount)),
            Operand::Labelled { .. } => None,
        }
    }

    /// The data that an action gives away: `with` value, sink, or the variable that the result names (runtime.md 6.6.1).
    fn given(&mut self, action: &Action) -> Expr {
        if let Some(with) = plain_with(action) {
            return self.expression(with);
        }
        match (&action.result, with_object(action)) {
            (Target::Sink(sink), _) => self.expression(sink),
            (_, Some(with)) => self.expression(with),
            (Target::Noun(noun), None) => self.result_variable(noun),
            (Target::None, None) => Expr::Constant(crate::ir::Constant::Null),
        }
    }

    /// The variable that a result noun names; a qualifier other than a format is a path into it.
    fn result_variable(&mut self, noun: &Noun) -> Expr {
        let format = is_json(noun);
        let plain = Noun {
            qualifier: if format { None } else { noun.qualifier.clone() },
            ..noun.clone()
        };
        self.noun(&plain, Path::Step, FailureKind::Action)
    }
}

/// The kind of a statement's verb.
fn kind(action: &Action) -> Option<ActionKind> {
    lookup(&action.verb.text).map(|known| known.kind)
}

/// `<message: JSON>`
fn is_json(noun: &Noun) -> bool {
    noun.qualifier
        .as_ref()
        .is_some_and(|qualifier| qualifier.text.eq_ignore_ascii_case("json"))
}

fn lone_reference(expression: &Expression) -> bool {
    matches!(
        expression.kind,
        ExpressionKind::Reference(_) | ExpressionKind::Name(_)
    )
}

fn result_noun(action: &Action) -> Option<&Noun> {
    action.result.noun()
}

/// The noun in object position, also where it was written without an article (EXT-7).
fn object_noun(action: &Action) -> Option<&Noun> {
    action.object.as_ref()?.noun()
}

fn operand_noun(object: &Object) -> Option<&Noun> {
    object.noun()
}

/// The `with` clause that has no label.
fn plain_with(action: &Action) -> Option<&Expression> {
    action.plain_with()
}

/// The `with` clause of a label.
fn labelled_with<'a>(action: &'a Action, label: &str) -> Option<&'a Expression> {
    action
        .clauses
        .with
        .iter()
        .find_map(|with| match (&with.label, &with.value) {
            (Some(name), WithValue::Expression(value)) if name.text == label => Some(value),
            _ => None,
        })
}

/// The object, where its preposition is `with` and it is an expression.
fn with_object(action: &Action) -> Option<&Expression> {
    let object = action.object.as_ref()?;
    match (&object.operand, object.preposition) {
        (
            Operand::Expression(value) | Operand::Duration { amount: value, .. },
            crate::syntax::ast::Preposition::With,
        ) => Some(value),
        _ => None,
    }
}
