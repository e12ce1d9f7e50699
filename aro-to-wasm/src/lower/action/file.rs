//! Files and directories (actions.md 17).

use super::{Body, labelled_with, object_noun, plain_with, result_noun, with_object};
use crate::actions::{ActionKind, lookup};
use crate::diagnostic::{Code, Diagnostic};
use crate::ir::{
    Argument, Constant, Expr, FailureKind, FlagOperator, HostFunction, Kind, LocalId, Node,
};
use crate::lower::expression::{KIND_TEXT, Path};
use crate::syntax::ast::{
    Action, Block, Expression, ExpressionKind, Noun, Operand, Statement, Target,
};
use crate::syntax::walk;
use aro_wit::interface::{FILES_READING, FILES_SERVING, FILES_WRITING};

/// Kind number of bytes in the value runtime.
const KIND_BYTES: i32 = 5;

/// Result qualifiers that ask for the contents as they are.
const RAW: &[&str] = &["raw", "string", "as string"];

/// `kind` of `aro:files/reading`.
const ANY: i32 = 0;
pub(super) const FILE: i32 = 1;
const DIRECTORY: i32 = 2;

/// Names that mark a position and are no path.
const MARKERS: &[&str] = &["file", "directory", "path", "destination"];

/// Whether a qualifier asks for the contents as they are.
pub(super) fn is_raw(qualifier: &str) -> bool {
    RAW.contains(&qualifier)
}

/// Whether an object is a file or directory by its marker: `<file: "./x">`.
pub(super) fn names_file(action: &Action) -> bool {
    object_noun(action).is_some_and(|noun| {
        noun.qualifier.is_some() && matches!(noun.base.as_str(), "file" | "directory")
    })
}

impl Body<'_, '_> {
    /// actions.md 17.1
    pub(super) fn read(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return self.misused(action);
        };
        if let Some(noun) = object_noun(action)
            && noun.base == "stdin"
            && self.lookup("stdin").is_none()
        {
            let value = self.noun(noun, Path::Step, FailureKind::Action);
            return self.bind(&result.base, value, false);
        }
        if object_noun(action).is_some_and(|noun| noun.base == "url") {
            return self.read_url(action);
        }
        let Some(path) = self.object_path(action) else {
            return self.misused(action);
        };
        let path = self.keep(path, Kind::Value);
        self.needs(FILES_READING, "");
        let bytes = Expr::fallible_host(HostFunction::FileRead, vec![text_of(Expr::Local(path))]);
        let format = result.qualifier.as_ref().map(|format| format.text.as_str());
        let value = match format {
            Some("bytes") => {
                let contents = Expr::runtime("content", vec![bytes.into()]);
                Expr::runtime("bytes", vec![Argument::Slice(contents)])
            }
            Some(raw) if RAW.contains(&raw) => Expr::runtime("dump", vec![bytes.into()]),
            format => {
                let text = Expr::runtime("dump", vec![bytes.into()]);
                let extension = self.format(format, Expr::Local(path));
                let options = self.options(action);
                self.act("deserialize_as", vec![text.into(), extension, options])
            }
        };
        self.bind(&result.base, value, false);
    }

    /// The name of a format, or the extension of a path.
    fn format(&mut self, name: Option<&str>, path: Expr) -> Argument {
        match name {
            Some(name) => self.text(name).into(),
            None => Argument::Slice(Expr::runtime("extension", vec![path.into()])),
        }
    }

    /// actions.md 17.2
    pub(super) fn write(&mut self, action: &Action) {
        if object_noun(action).is_some_and(|noun| noun.base == "url") {
            return self.write_url(action);
        }
        let (value, format) = match &action.result {
            Target::Sink(sink) => (self.expression(sink), None),
            Target::Noun(noun) => {
                let value = self.variable_or_unbound(&noun.base);
                let empty = self.constant_text("");
                let value = self.bound_or(value, empty);
                (value, noun.qualifier.as_ref().map(|name| name.text.clone()))
            }
            Target::None => return self.misused(action),
        };
        let value = self.keep(value, Kind::Value);
        let Some(path) = self.object_path(action) else {
            return self.misused(action);
        };
        let path = self.keep(path, Kind::Value);
        self.needs(FILES_WRITING, "");
        let contents = match format.as_deref() {
            Some(raw) if RAW.contains(&raw) || raw == "bytes" => {
                Expr::runtime("content", vec![Expr::Local(value).into()])
            }
            format => self.serialized(action, format, path, value),
        };
        self.perform(Expr::fallible_host(
            HostFunction::FileWrite,
            vec![text_of(Expr::Local(path)), Argument::Slice(contents)],
        ));
    }

    /// Bytes as they are, other values in their format.
    fn serialized(
        &mut self,
        action: &Action,
        format: Option<&str>,
        path: LocalId,
        value: LocalId,
    ) -> Expr {
        let plain = Expr::runtime("content", vec![Expr::Local(value).into()]);
        let contents = self.local(Kind::Slice);
        let otherwise = self.nested(|this| {
            let extension = this.format(format, Expr::Local(path));
            let name = match result_noun(action) {
                Some(noun) => this.text(&noun.base),
                None => this.text("data"),
            };
            let options = this.options(action);
            let arguments = vec![Expr::Local(value).into(), extension, name.into(), options];
            this.nodes.push(Node::Set(
                contents,
                Expr::runtime("serialize_as", arguments),
            ));
            // Zero stands for a failure whose message is set.
            let done = Expr::AtLeast(Box::new(Expr::Local(contents)), Box::new(Expr::Long(1)));
            this.nodes.push(Node::If {
                condition: done.negated(),
                then: vec![Node::Fail(FailureKind::Action)],
                otherwise: Vec::new(),
            });
        });
        let is_bytes = Expr::Flags(
            FlagOperator::Equal,
            vec![
                Expr::runtime("kind", vec![Expr::Local(value).into()]),
                Expr::Flag(KIND_BYTES),
            ],
        );
        self.nodes.push(Node::If {
            condition: is_bytes,
            then: vec![Node::Set(contents, plain)],
            otherwise,
        });
        Expr::Local(contents)
    }

    /// The map of a `with` clause, or zero.
    fn options(&mut self, action: &Action) -> Argument {
        match plain_with(action) {
            Some(with) => self.expression(with).into(),
            None => Expr::Unbound.into(),
        }
    }

    /// actions.md 17.3: to a file, or to the list that a variable holds.
    pub(super) fn append(&mut self, action: &Action) {
        let added = match (plain_with(action).or(with_object(action)), &action.result) {
            (Some(with), _) => self.expression(with),
            (None, Target::Sink(sink)) => self.expression(sink),
            (None, Target::Noun(noun)) if noun.qualifier.is_some() => self.result_variable(noun),
            (None, Target::Noun(noun)) => {
                let value = self.variable_or_unbound(&noun.base);
                let empty = self.constant_text("");
                self.bound_or(value, empty)
            }
            (None, Target::None) => self.constant_text(""),
        };
        let added = self.keep(added, Kind::Value);
        if let Some(noun) = object_noun(action)
            && noun.qualifier.is_none()
            && self.lookup(&noun.base).is_some()
            && !is_path(&self.set.body, &noun.base)
        {
            let list = self.variable(&noun.base, FailureKind::Action);
            let longer = Expr::runtime("append", vec![list.into(), Expr::Local(added).into()]);
            return self.bind(&noun.base, longer, false);
        }
        let Some(path) = self.object_path(action) else {
            return self.misused(action);
        };
        self.needs(FILES_WRITING, "");
        let contents = Expr::runtime("content", vec![Expr::Local(added).into()]);
        self.perform(Expr::fallible_host(
            HostFunction::FileAppend,
            vec![text_of(path), Argument::Slice(contents)],
        ));
    }

    /// actions.md 17.4
    pub(super) fn list_directory(&mut self, action: &Action) {
        let (Some(result), Some(path)) = (result_noun(action), self.object_path(action)) else {
            return self.misused(action);
        };
        let qualifier = result
            .qualifier
            .as_ref()
            .map_or("", |name| name.text.as_str());
        let recursively = qualifier.eq_ignore_ascii_case("recursively");
        let path = self.keep(path, Kind::Value);
        // The result's qualifier is a pattern as well, unless it says how to list (EXT-21).
        let pattern = match labelled_with(action, "matching").or(labelled_with(action, "glob")) {
            Some(pattern) => {
                let pattern = self.expression(pattern);
                text_of(pattern)
            }
            None if recursively => self.text("").into(),
            None => self.text(qualifier).into(),
        };
        self.needs(FILES_READING, "");
        let entries = Expr::fallible_host(
            HostFunction::FileList,
            vec![
                text_of(Expr::Local(path)),
                Expr::Flag(recursively.into()).into(),
                pattern,
            ],
        );
        self.bind_lazy(&result.base, entries);
    }

    /// The facts of one file or directory.
    pub(super) fn stat(&mut self, action: &Action) {
        let (Some(result), Some(path)) = (result_noun(action), self.object_path(action)) else {
            return self.misused(action);
        };
        self.needs(FILES_READING, "");
        let entry = Expr::fallible_host(HostFunction::FileStat, vec![text_of(path)]);
        self.bind(&result.base, entry, false);
    }

    /// Whether there is such a file, directory, or either.
    pub(super) fn exists_file(&mut self, action: &Action) {
        let (Some(result), Some(path)) = (result_noun(action), self.object_path(action)) else {
            return self.misused(action);
        };
        let kind = match object_noun(action).map(|noun| noun.base.as_str()) {
            Some("file") => FILE,
            Some("directory") => DIRECTORY,
            _ => ANY,
        };
        self.needs(FILES_READING, "");
        let flag = Expr::host(
            HostFunction::FileExists,
            vec![text_of(path), Expr::Flag(kind).into()],
        );
        self.bind(
            &result.base,
            Expr::runtime("bool", vec![flag.into()]),
            false,
        );
    }

    /// A result named `file` makes or touches a file, any other one a directory with its parents.
    pub(super) fn make_file(&mut self, action: &Action) {
        let (Some(result), Some(path)) = (result_noun(action), self.object_path(action)) else {
            return self.misused(action);
        };
        let is_file = result.base == "file" || is_touch(action);
        let function = match is_file {
            true => HostFunction::FileTouch,
            false => HostFunction::FileMakeDirectory,
        };
        let path = self.keep(path, Kind::Value);
        self.needs(FILES_WRITING, "");
        self.perform(Expr::fallible_host(
            function,
            vec![text_of(Expr::Local(path))],
        ));
        self.bind_if_free(&result.base, &[("path", Expr::Local(path))]);
    }

    /// Copy and Move: from the result's path to the object's.
    pub(super) fn transfer(&mut self, action: &Action, function: HostFunction) {
        let Some(result) = result_noun(action) else {
            return self.misused(action);
        };
        let source = self.path(result);
        let source = self.keep(source, Kind::Value);
        let Some(target) = self.object_path(action) else {
            return self.misused(action);
        };
        let target = self.keep(target, Kind::Value);
        self.needs(FILES_WRITING, "");
        let arguments = vec![text_of(Expr::Local(source)), text_of(Expr::Local(target))];
        self.perform(Expr::fallible_host(function, arguments));
        self.bind_if_free(
            &result.base,
            &[
                ("source", Expr::Local(source)),
                ("destination", Expr::Local(target)),
            ],
        );
    }

    /// `Delete the <old> from the <file: "./x">.`
    pub(super) fn remove_file(&mut self, action: &Action) {
        let (Some(result), Some(path)) = (result_noun(action), self.object_path(action)) else {
            return self.misused(action);
        };
        let path = self.keep(path, Kind::Value);
        self.needs(FILES_WRITING, "");
        self.perform(Expr::fallible_host(
            HostFunction::FileRemove,
            vec![text_of(Expr::Local(path))],
        ));
        self.bind_if_free(&result.base, &[("path", Expr::Local(path))]);
    }

    /// What an action on files answers: facts and `success`. A name that has a value keeps it.
    fn bind_if_free(&mut self, name: &str, facts: &[(&str, Expr)]) {
        if self.lookup(name).is_some_and(|(_, bound)| bound) {
            return;
        }
        let map = self.keep(
            Expr::runtime("map", vec![Expr::Flag(3).into()]),
            Kind::Value,
        );
        for (key, value) in facts {
            self.put(map, key, value.clone());
        }
        self.put(map, "success", Expr::Constant(Constant::Bool(true)));
        self.bind(name, Expr::Local(map), false);
    }

    /// Makes a file the body of the response.
    pub(super) fn serve_file(&mut self, noun: &Noun) {
        let path = self.path(noun);
        self.needs(FILES_SERVING, "");
        self.perform(Expr::fallible_host(
            HostFunction::ServeFile,
            vec![text_of(path)],
        ));
    }

    /// The path in object position (actions.md 17.0).
    pub(super) fn object_path(&mut self, action: &Action) -> Option<Expr> {
        if let Some(noun) = object_noun(action) {
            return Some(self.path(noun));
        }
        match &action.object.as_ref()?.operand {
            Operand::Expression(expression) => Some(self.expression(expression)),
            Operand::Labelled { value, .. } => Some(self.expression(value)),
            Operand::Noun(_) | Operand::Duration { .. } => None,
        }
    }

    /// A variable that the qualifier names and that holds a text, the qualifier itself, a variable of the noun's name, or that name.
    fn path(&mut self, noun: &Noun) -> Expr {
        match &noun.qualifier {
            Some(qualifier) if qualifier.quoted => self.constant_text(&qualifier.text),
            Some(qualifier) => self.text_variable(&qualifier.text),
            None if MARKERS.contains(&noun.base.as_str()) && self.lookup(&noun.base).is_none() => {
                let message = format!("`{}` without a path names no file", noun.base);
                let diagnostic = Diagnostic::new(Code::UnsupportedForm, noun.span, message)
                    .help(format!("write `<{}: \"./path\">`", noun.base));
                self.shared.diagnostics.push(diagnostic);
                Expr::Constant(Constant::Null)
            }
            None => self.text_variable(&noun.base),
        }
    }

    /// The text that a variable holds, else its name.
    fn text_variable(&mut self, name: &str) -> Expr {
        let literal = self.constant_text(name);
        let value = self.variable_or_unbound(name);
        if value == Expr::Unbound {
            return literal;
        }
        let local = self.keep(value, Kind::Value);
        let is_text = Expr::Flags(
            FlagOperator::Equal,
            vec![
                Expr::runtime("kind", vec![Expr::Local(local).into()]),
                Expr::Flag(KIND_TEXT),
            ],
        );
        let path = self.keep(literal, Kind::Value);
        let then = vec![Node::If {
            condition: is_text,
            then: vec![Node::Set(path, Expr::Local(local))],
            otherwise: Vec::new(),
        }];
        self.nodes.push(Node::If {
            condition: Expr::Local(local),
            then,
            otherwise: Vec::new(),
        });
        Expr::Local(path)
    }
}

pub(super) fn text_of(value: Expr) -> Argument {
    Argument::Slice(Expr::runtime("string", vec![value.into()]))
}

fn is_touch(action: &Action) -> bool {
    action.verb.text.eq_ignore_ascii_case("touch")
}

/// Whether a feature set binds a name to a text, so that `Append … to the <name>` means the file of that path and not a list.
fn is_path(body: &Block, name: &str) -> bool {
    let mut found = false;
    walk::statements(body, &mut |statement, _| {
        if let Statement::Action(action) = statement
            && result_noun(action).is_some_and(|noun| noun.base == name)
            && lookup(&action.verb.text)
                .is_some_and(|verb| matches!(verb.kind, ActionKind::Create | ActionKind::Compute))
        {
            let value = plain_with(action)
                .or(with_object(action))
                .or(object(action));
            found |= value.is_some_and(is_text);
        }
    });
    found
}

fn object(action: &Action) -> Option<&Expression> {
    match &action.object.as_ref()?.operand {
        Operand::Expression(expression) => Some(expression),
        _ => None,
    }
}

fn is_text(expression: &Expression) -> bool {
    use crate::syntax::ast::BinaryOperator;
    matches!(
        expression.kind,
        ExpressionKind::Text(_)
            | ExpressionKind::Interpolated(_)
            | ExpressionKind::Binary(BinaryOperator::Concat, ..)
    )
}
