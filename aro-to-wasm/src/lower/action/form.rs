//! Statements that lack what their verb needs, and verbs that a sandbox does not have (actions.md 21).

use super::{Body, lookup, operand_noun, result_noun};
use crate::actions::{self, ActionKind, Doubling};
use crate::diagnostic::{Code, Diagnostic};
use crate::ir::{Constant, Expr, Kind};
use crate::syntax::ast::{Action, Object, Operand, Preposition, Target, With, WithValue};

/// A form that the verbs of a kind have, with `{}` for the verb.
const FORMS: &[(ActionKind, &str)] = &[
    (ActionKind::Extract, "{} the <name> from the <user: name>."),
    (ActionKind::Receive, "{} the <copy> from the <value>."),
    (ActionKind::Process, "{} the <copy> from the <value>."),
    (ActionKind::Delete, "{} the <key> from the <value>."),
    (
        ActionKind::Compute,
        "{} the <size: length> from the <text>.",
    ),
    (
        ActionKind::Transform,
        "{} the <number: int> from the <text>.",
    ),
    (
        ActionKind::Validate,
        "{} the <result: email> for the <address>.",
    ),
    (ActionKind::Compare, "{} the <first> against the <second>."),
    (
        ActionKind::Accept,
        "{} the <transition: open_to_closed> on the <ticket: status>.",
    ),
    (
        ActionKind::Filter,
        "{} the <big> from the <orders> where <amount> > 200.",
    ),
    (ActionKind::Map, "{} the <names: name> from the <users>."),
    (
        ActionKind::Reduce,
        "{} the <total> from the <orders> with sum(<amount>).",
    ),
    (
        ActionKind::Group,
        "{} the <groups> from the <rows> by \"field\".",
    ),
    (ActionKind::Sort, "{} the <sorted> for the <list>."),
    (
        ActionKind::Split,
        "{} the <parts> from the <line> by \",\".",
    ),
    (
        ActionKind::Join,
        "{} the <text> from the <list> with \", \".",
    ),
    (ActionKind::Parse, "{} the <data> from the <text>."),
    (
        ActionKind::ParseHtml,
        "{} the <links: links> from the <page>.",
    ),
    (
        ActionKind::Store,
        "{} the <user> into the <user-repository>.",
    ),
    (
        ActionKind::Retrieve,
        "{} the <users> from the <user-repository>.",
    ),
    (ActionKind::Publish, "{} the <data> to the <channel>."),
    (
        ActionKind::Subscribe,
        "{} the <connection> to the <channel>.",
    ),
    (
        ActionKind::Unsubscribe,
        "{} the <connection> from the <channel>.",
    ),
    (ActionKind::Emit, "{} an <OrderPlaced: event> with <order>."),
    (ActionKind::Notify, "{} the <user> with \"text\"."),
    (ActionKind::Schedule, "{} the <tick> with 5 seconds."),
    (ActionKind::Cancel, "{} the <tick>."),
    (
        ActionKind::Start,
        "{} the <socket-server> with { port: 9000 }.",
    ),
    (
        ActionKind::Stop,
        "{} the <socket-server> with <application>.",
    ),
    (
        ActionKind::Restart,
        "{} the <socket-server> with { port: 9000 }.",
    ),
    (ActionKind::Listen, "{} on port 9000 as <server>."),
    (
        ActionKind::Connect,
        "{} to <host: \"localhost\"> on port 9000 as <server>.",
    ),
    (ActionKind::Read, "{} the <text> from \"./file.txt\"."),
    (ActionKind::Write, "{} the <text> to \"./file.txt\"."),
    (ActionKind::Append, "{} the <line> to \"./file.txt\"."),
    (
        ActionKind::List,
        "{} the <entries> from the <directory: \"./\">.",
    ),
    (
        ActionKind::Stat,
        "{} the <facts> for the <file: \"./file.txt\">.",
    ),
    (
        ActionKind::Exists,
        "{} the <found> for the <file: \"./file.txt\">.",
    ),
    (
        ActionKind::Make,
        "{} the <directory> to the <path: \"./data\">.",
    ),
    (
        ActionKind::Copy,
        "{} the <file: \"./a.txt\"> to the <destination: \"./b.txt\">.",
    ),
    (
        ActionKind::Move,
        "{} the <file: \"./a.txt\"> to the <destination: \"./b.txt\">.",
    ),
    (
        ActionKind::Request,
        "{} the <answer> from \"https://example.org\".",
    ),
    (
        ActionKind::Probe,
        "{} the <health> from \"https://example.org\".",
    ),
    (
        ActionKind::Call,
        "{} the <answer> from the <http: get> with { url: \"https://example.org\" }.",
    ),
    (
        ActionKind::Stream,
        "{} the <events> from \"https://example.org/events\".",
    ),
    (ActionKind::Given, "{} the <number> with 5."),
    (ActionKind::When, "{} the <result> from the <feature-set>."),
    (ActionKind::Then, "{} the <result> with 5."),
    (ActionKind::Assert, "{} the <result> for 5."),
];

/// Whether an action is one of terminals, processes or version control, which a sandbox does not have (actions.md 21).
pub(super) fn is_outside(kind: ActionKind) -> bool {
    matches!(
        kind,
        ActionKind::Execute
            | ActionKind::Prompt
            | ActionKind::Select
            | ActionKind::Clear
            | ActionKind::Show
            | ActionKind::Render
            | ActionKind::Repaint
            | ActionKind::Git
    )
}

/// A statement without object with the one that its result stands for (EXT-14).
pub(super) fn doubled(action: &Action) -> Option<Action> {
    let (preposition, doubling) = actions::doubling(action)?;
    let mut result = result_noun(action)?.clone();
    let mut whole = action.clone();
    match &action.object {
        Some(by) if by.preposition == Preposition::By => whole.extra.insert(0, by.clone()),
        Some(Object {
            operand: Operand::Expression(options),
            ..
        }) => {
            let options = With {
                label: None,
                value: WithValue::Expression(options.clone()),
            };
            whole.clauses.with.insert(0, options);
        }
        _ => {}
    }
    let mut noun = result.clone();
    let is_key = super::kind(action) == Some(ActionKind::Delete)
        && !matches!(noun.base.as_str(), "file" | "directory");
    match doubling {
        Doubling::Whole if !is_key => result.qualifier = None,
        Doubling::Whole | Doubling::Base => noun.qualifier = None,
    }
    whole.object = Some(Object {
        preposition,
        span: noun.span,
        operand: Operand::Noun(noun),
    });
    whole.result = Target::Noun(result);
    Some(whole)
}

impl Body<'_, '_> {
    /// Reports a statement from which its verb cannot tell what to do.
    pub(super) fn misused(&mut self, action: &Action) {
        let verb = &action.verb.text;
        let what = match &action.object {
            Some(object) => format!("what stands after `{}`", object.preposition.as_str()),
            None => "nothing but its result".to_owned(),
        };
        let mut diagnostic = Diagnostic::new(
            Code::UnsupportedForm,
            action.span,
            format!("`{verb}` cannot work with {what}"),
        );
        let kind = lookup(verb).map(|known| known.kind);
        if let Some((_, form)) = FORMS.iter().find(|(of, _)| Some(*of) == kind) {
            diagnostic =
                diagnostic.help(format!("it is used as in `{}`", form.replace("{}", verb)));
        }
        self.shared.diagnostics.push(diagnostic);
    }

    /// A verb of terminals, processes or version control compiles and fails when it runs.
    pub(super) fn not_available(&mut self, action: &Action) {
        self.fail(&format!(
            "Action '{}' is not available in this host",
            action.verb.text.to_lowercase()
        ));
    }

    /// `Listen the <x> to the <events>.` opens nothing and says what it was to listen to (actions.md 13.6).
    pub(super) fn listen_to_nothing(&mut self, action: &Action) {
        let (Some(result), Some(object)) = (result_noun(action), &action.object) else {
            return self.misused(action);
        };
        let (name, target) = match (operand_noun(object), &object.operand) {
            (Some(noun), _) => (
                noun.base.as_str(),
                noun.qualifier.as_ref().map_or("", |of| of.text.as_str()),
            ),
            (None, Operand::Labelled { .. }) => return self.misused(action),
            (None, _) => ("_expression_", ""),
        };
        if matches!(name, "stdin" | "keyboard") {
            return self.not_available(action);
        }
        let fields = [("type", name), ("target", target)];
        let record = self.record(&fields);
        self.bind(&result.base, record, false);
    }

    /// Start and Stop of what is no service of the host succeed without effect (actions.md 15.1, 15.2).
    pub(super) fn unknown_service(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return self.misused(action);
        };
        let map = self.record_map(&[("serverType", &result.base)]);
        self.put(map, "success", Expr::Constant(Constant::Bool(true)));
        self.bind(&result.base, Expr::Local(map), false);
    }

    /// Stop and start of a service.
    pub(super) fn restart(&mut self, action: &Action) {
        self.stop(action);
        self.start(action);
    }

    fn record(&mut self, fields: &[(&str, &str)]) -> Expr {
        Expr::Local(self.record_map(fields))
    }

    fn record_map(&mut self, fields: &[(&str, &str)]) -> crate::ir::LocalId {
        let size = Expr::Flag(fields.len() as i32 + 1);
        let map = self.keep(Expr::runtime("map", vec![size.into()]), Kind::Value);
        for (field, text) in fields {
            let text = self.constant_text(text);
            self.put(map, field, text);
        }
        map
    }
}
