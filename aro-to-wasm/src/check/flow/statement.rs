//! Actions, Publish and Require: what they read and what they bind.

use super::Flow;
use crate::actions::{self, ActionKind, Role};
use crate::diagnostic::{Code, Diagnostic};
use crate::program::binds;
use crate::syntax::ast::{Action, Noun, Operand, Preposition, Publish, Require, Target};
use crate::syntax::walk;

/// How an action treats its noun object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ObjectUse {
    /// It needs the value.
    Value,
    /// It names a repository or else a value.
    Repository,
    /// A word, a service or a destination: nothing needs to be bound.
    Word,
}

impl<'a> Flow<'a, '_> {
    pub(super) fn action(&mut self, action: &'a Action) {
        let known = actions::lookup(&action.verb.text);
        let kind = known.map(|known| known.kind);
        walk::expressions(action, &mut |expression| self.expression(expression));
        if let Some(crate::syntax::ast::By::Name(name)) = &action.clauses.by {
            self.used.insert(&name.text);
        }
        for object in action.object.iter().chain(&action.extra) {
            if let Operand::Noun(noun) = &object.operand {
                let filtered = action.clauses.filter.is_some();
                self.object(noun, object_use(kind, object.preposition), filtered);
            }
        }
        if let Target::Noun(noun) = &action.result {
            self.result(action, noun, known);
        }
        self.side_names(action, kind);
    }

    fn object(&mut self, noun: &'a Noun, role: ObjectUse, filtered: bool) {
        self.mention(noun);
        match role {
            ObjectUse::Word => {}
            // An unbound name in a `where` statement is a repository (runtime D-31).
            ObjectUse::Repository if filtered => {}
            ObjectUse::Repository | ObjectUse::Value => {
                self.need(&noun.base, noun.span, Code::UndefinedName)
            }
        }
    }

    fn result(
        &mut self,
        action: &'a Action,
        noun: &'a Noun,
        known: Option<&'static actions::Action>,
    ) {
        let specifiers = noun
            .qualifier
            .iter()
            .flat_map(|qualifier| &qualifier.specifiers);
        self.used.extend(specifiers.map(String::as_str));
        if binds(action).is_none() {
            self.used.insert(&noun.base);
            if known.is_some_and(|known| gives_result(action, known.kind)) {
                let source = noun
                    .qualifier
                    .as_ref()
                    .filter(|_| known.is_some_and(|known| known.kind == ActionKind::Store));
                // `Store the <saved: x> …` stores `x`.
                let stored = source
                    .and_then(|qualifier| qualifier.specifiers.first())
                    .map_or(noun.base.as_str(), String::as_str);
                if self.is_known(&noun.base) {
                    self.used.insert(&noun.base);
                } else {
                    self.need(stored, noun.span, Code::UndefinedName);
                }
            }
            return;
        }
        // A name that is already bound and consumed is no definition.
        let doubled = actions::doubling(action);
        if let Some((preposition, _)) = doubled {
            let role = object_use(known.map(|known| known.kind), preposition);
            self.object(noun, role, action.clauses.filter.is_some());
        }
        let consumes = doubled.is_some() || known.is_some_and(|known| known.consumes);
        let works_on = consumes && self.is_known(&noun.base);
        if works_on || has_side_effect(action, known.map(|known| known.kind)) {
            self.used.insert(&noun.base);
        }
        if !works_on {
            self.define_result(
                &noun.base,
                noun.span,
                consumes || may_rebind(&action.verb.text),
            );
        }
    }

    /// Names that an action binds besides its result.
    fn side_names(&mut self, action: &'a Action, kind: Option<ActionKind>) {
        if let Some(alias) = &action.clauses.alias {
            self.used.insert(&alias.base);
            self.define(&alias.base, alias.span);
        }
        let name = match kind {
            Some(ActionKind::Validate) => "validation",
            Some(ActionKind::Compare) => "comparison",
            Some(ActionKind::Store) => "new-entry",
            _ => return,
        };
        self.used.insert(name);
        self.define(name, action.span);
        if let (Some(ActionKind::Store), Target::Noun(noun)) = (kind, &action.result)
            && noun.qualifier.is_some()
        {
            self.define(&noun.base, noun.span);
        }
    }

    /// D3.
    pub(super) fn publish(&mut self, publish: &'a Publish) {
        let internal = publish.internal.text.as_str();
        self.used.insert(internal);
        self.used.insert(&publish.external.text);
        if !self.is_known(internal) {
            let mistake = Diagnostic::new(
                Code::PublishUndefined,
                publish.internal.span,
                format!("cannot publish undefined variable `{internal}`"),
            )
            .label(publish.internal.span, "nothing has bound this name before");
            let near = super::nearest(internal, self.first.keys().copied());
            self.found.push(match near {
                Some(near) => mistake.help(format!("did you mean `<{near}>`?")),
                None => mistake.help("`Publish as <external> <internal>.` gives the value of `<internal>` to other feature sets as `<external>`"),
            });
        }
        self.define(&publish.external.text, publish.external.span);
    }

    pub(super) fn require(&mut self, require: &'a Require) {
        let source = require.source.text.to_lowercase();
        let name = require.name.text.as_str();
        if source != "framework" && source != "environment" {
            self.need(name, require.span, Code::NotPublished);
        }
        self.used.insert(name);
        self.define(name, require.name.span);
    }
}

/// Verbs that bind an existing name again (9.5).
fn may_rebind(verb: &str) -> bool {
    let verbs = [
        "accept",
        "update",
        "modify",
        "change",
        "set",
        "configure",
        "merge",
        "combine",
        "join",
        "concat",
        "then",
        "assert",
        "clear",
        "show",
    ];
    verbs.iter().any(|other| verb.eq_ignore_ascii_case(other))
}

fn object_use(kind: Option<ActionKind>, preposition: Preposition) -> ObjectUse {
    use ActionKind as Kind;
    // `for the <reason>` and `on the <service>` mostly say why and where.
    match kind {
        // `Sort the <rows> by the <field>.`
        Some(Kind::Sort) if preposition == Preposition::By => ObjectUse::Word,
        Some(Kind::Retrieve | Kind::Delete) => ObjectUse::Repository,
        Some(
            Kind::Compute
            | Kind::Sort
            | Kind::Transform
            | Kind::Map
            | Kind::Filter
            | Kind::Reduce
            | Kind::Group
            | Kind::Split
            | Kind::Join,
        ) => ObjectUse::Value,
        Some(
            Kind::Extract
            | Kind::Receive
            | Kind::Create
            | Kind::Update
            | Kind::Merge
            | Kind::Parse
            | Kind::ParseHtml,
        ) => ObjectUse::Value,
        Some(
            Kind::Accept | Kind::Read | Kind::Request | Kind::Probe | Kind::Process | Kind::Compare,
        ) => ObjectUse::Value,
        Some(_) => ObjectUse::Word,
        None if preposition == Preposition::From || preposition == Preposition::With => {
            ObjectUse::Value
        }
        None => ObjectUse::Word,
    }
}

/// Whether a response action gives away the value of its result noun, so that it must be bound.
fn gives_result(action: &Action, kind: ActionKind) -> bool {
    let always = matches!(kind, ActionKind::Store | ActionKind::Write);
    let unless_with = matches!(
        kind,
        ActionKind::Send | ActionKind::Broadcast | ActionKind::Publish
    );
    let gives = always || (unless_with && action.clauses.with.is_empty());
    // `Send the <x> with "y" …` and `Send the <x> to "y"` give the expression away or fail on their own.
    let noun = action
        .object
        .as_ref()
        .is_some_and(|object| matches!(object.operand, Operand::Noun(_)));
    gives && noun
}

/// D8 leaves the results of these alone: they are run for what they do.
fn has_side_effect(action: &Action, kind: Option<ActionKind>) -> bool {
    use ActionKind as Kind;
    let server = actions::role(&action.verb.text) == Role::Server;
    let dotted = action.verb.text.contains('.');
    let effect = matches!(
        kind,
        Some(
            Kind::Append
                | Kind::Copy
                | Kind::Move
                | Kind::Delete
                | Kind::Emit
                | Kind::Send
                | Kind::Notify
                | Kind::Schedule
                | Kind::Stream
        ) | Some(
            Kind::Sleep
                | Kind::Clear
                | Kind::Show
                | Kind::Validate
                | Kind::Compare
                | Kind::Execute
                | Kind::Git
                | Kind::Then
        ) | Some(
            Kind::Assert
                | Kind::Given
                | Kind::When
                | Kind::Request
                | Kind::Call
                | Kind::Update
                | Kind::Accept
        )
    );
    server || dotted || effect
}
