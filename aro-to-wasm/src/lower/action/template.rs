//! Templates: Transform renders one, Include another inside of it. A template is lowered where it is rendered, so that its names are those of the feature set and nothing of it is left at run time but code and texts.

use super::{Body, labelled_with, object_noun, plain_with, result_noun, with_object};
use crate::diagnostic::{Code, Diagnostic};
use crate::ir::{Constant, Expr, Fails, FailureKind, Kind, LocalId, Node, OnFailure};
use crate::source::Span;
use crate::syntax::ast::{Action, Block, Expression, ExpressionKind, Noun, Target};
use crate::template::{self, ForEach, Operand, Piece, Value};

/// Deepest nesting of templates by Include.
const INCLUDES_MAX: usize = 16;
/// Most templates that one function renders, those that others include counted each time.
const EXPANSIONS_MAX: usize = 256;

/// Filters that the value runtime has; the others change nothing, or only on terminals.
const FILTERS: &[&str] = &["date", "uppercase", "lowercase", "trim", "markdown", "rows"];

/// The template that is being lowered.
#[derive(Debug, Default)]
pub(in crate::lower) struct Rendering {
    /// The list of its parts; none outside of templates.
    buffer: Option<LocalId>,
    /// Names of the templates that are open, outermost first.
    open: Vec<String>,
    /// Templates lowered so far.
    expansions: usize,
}

/// Most names that a template takes from the map that a variable gives it.
const GIVEN_NAMES_MAX: usize = 256;

/// What Include gives to its template.
#[derive(Debug, Default)]
struct Given {
    /// The entries of a map that is written out.
    entries: Vec<(String, LocalId)>,
    /// A map whose entries are known when it runs.
    map: Option<LocalId>,
}

impl Body<'_, '_> {
    /// Whether a noun is the system's `template` and no variable of that name.
    pub(super) fn means_template(&self, noun: &Noun) -> bool {
        // `Include the <template: row.tpl>.` looks like a binding, and is none.
        noun.base == "template" && !matches!(self.lookup("template"), Some((_, true)))
    }

    /// Whether the object of Transform is a template.
    pub(super) fn is_template(&self, action: &Action) -> bool {
        object_noun(action).is_some_and(|noun| self.means_template(noun))
    }

    /// actions.md 8.2
    pub(super) fn transform_template(&mut self, action: &Action) {
        let (Some(result), Some(noun)) = (result_noun(action), object_noun(action)) else {
            return;
        };
        let buffer = self.keep(
            Expr::runtime("list", vec![Expr::Flag(0).into()]),
            Kind::Value,
        );
        let outer = self.rendering.buffer.replace(buffer);
        self.render(noun, &Given::default());
        self.rendering.buffer = outer;
        let text = Expr::runtime("render", vec![Expr::Local(buffer).into()]);
        self.bind(&result.base, text, false);
    }

    /// actions.md 8.4
    pub(super) fn include(&mut self, action: &Action) {
        let named = object_noun(action).filter(|noun| noun.base == "template");
        let noun = match (named, &action.result) {
            (Some(noun), _) => noun,
            (None, Target::Noun(noun)) if noun.base == "template" => noun,
            _ => return self.fail("'Include' requires a template"),
        };
        if self.rendering.buffer.is_none() {
            return self.fail("'Include' works only inside of a template");
        }
        let with = plain_with(action)
            .or(with_object(action))
            .or(labelled_with(action, "data"));
        let given = match with {
            None => Given::default(),
            Some(Expression {
                kind: ExpressionKind::Map(entries),
                ..
            }) => {
                let mut given = Given::default();
                for (key, value) in entries {
                    let value = self.expression(value);
                    let value = self.keep(value, Kind::Value);
                    given.entries.push((key.text.clone(), value));
                }
                given
            }
            Some(other) => {
                let map = self.expression(other);
                Given {
                    map: Some(self.keep(map, Kind::Value)),
                    ..Given::default()
                }
            }
        };
        self.render(noun, &given);
    }

    /// `Print … to the <template>`
    pub(super) fn print_to_template(&mut self, message: Expr) {
        let Some(buffer) = self.rendering.buffer else {
            return self.fail("`to the <template>` works only inside of a template");
        };
        let text = Expr::runtime("human", vec![message.into()]);
        let text = Expr::runtime("text", vec![crate::ir::Argument::Slice(text)]);
        self.add_part(buffer, text);
    }

    fn add_part(&mut self, buffer: LocalId, part: Expr) {
        self.perform(Expr::runtime(
            "push",
            vec![Expr::Local(buffer).into(), part.into()],
        ));
    }

    /// Renders the template that a noun names, or the one that a variable names.
    fn render(&mut self, noun: &Noun, given: &Given) {
        let Some(qualifier) = &noun.qualifier else {
            return self.template_error("'Render' requires a template path");
        };
        let path = qualifier.text.as_str();
        let variable = (!qualifier.quoted && !self.shared.facts.templates.contains_key(path))
            .then(|| self.lookup(path))
            .flatten();
        match variable {
            None => self.render_path(path, given, noun.span),
            Some((local, _)) => self.render_any(local, given, noun.span),
        }
    }

    /// The template whose name a variable holds: every one of the program may be it.
    fn render_any(&mut self, name: LocalId, given: &Given, span: Span) {
        let done = self.keep(Expr::Flag(0), Kind::Flag);
        let paths: Vec<String> = self.shared.facts.templates.keys().cloned().collect();
        for path in paths {
            // One that is open cannot be meant: it would never end.
            if self.rendering.open.contains(&path) {
                continue;
            }
            let text = self.constant_text(&path);
            let condition = Expr::runtime("same", vec![Expr::Local(name).into(), text.into()]);
            let bound = self.bound();
            let then = self.nested(|this| {
                this.nodes.push(Node::Set(done, Expr::Flag(1)));
                this.render_path(&path, given, span);
            });
            self.restore_bound(bound);
            self.nodes.push(Node::If {
                condition,
                then,
                otherwise: Vec::new(),
            });
        }
        let missing = self.nested(|this| {
            let prefix = this.constant_text("Template not found: ./templates/");
            let message = Expr::runtime("concat", vec![prefix.into(), Expr::Local(name).into()]);
            let text = Expr::runtime("string", vec![message.into()]);
            this.perform(Expr::runtime(
                "raise",
                vec![crate::ir::Argument::Slice(text)],
            ));
            this.nodes.push(Node::Fail(FailureKind::Runtime));
        });
        self.nodes.push(Node::If {
            condition: Expr::Local(done).negated(),
            then: missing,
            otherwise: Vec::new(),
        });
    }

    fn render_path(&mut self, path: &str, given: &Given, span: Span) {
        if path.contains("..") {
            return self.template_error(&format!("Invalid template path: {path}"));
        }
        let Some(file) = self.shared.facts.templates.get(path).copied() else {
            return self.template_error(&format!("Template not found: ./templates/{path}"));
        };
        let too_many = self.rendering.open.iter().any(|open| open == path)
            || self.rendering.open.len() >= INCLUDES_MAX
            || self.rendering.expansions >= EXPANSIONS_MAX;
        if too_many {
            let message = format!(
                "template `{path}` includes itself, or more than {INCLUDES_MAX} deep, or more than {EXPANSIONS_MAX} are rendered here"
            );
            let diagnostic = Diagnostic::new(Code::Template, span, message);
            return self.shared.diagnostics.push(diagnostic);
        }
        let Some(source) = self.shared.facts.files.get(file as usize) else {
            return;
        };
        match template::parse(file, source) {
            Err(found) => self.shared.diagnostics.extend(found),
            Ok(pieces) => {
                self.rendering.open.push(path.to_owned());
                self.rendering.expansions += 1;
                let taken = match given.map {
                    Some(map) => self.taken(map, &source.text),
                    None => Vec::new(),
                };
                self.scope_of(&pieces, |this| {
                    for (name, local) in &given.entries {
                        this.declare(name, *local);
                    }
                    for (name, local) in &taken {
                        this.declare_doubtful(name, *local);
                    }
                });
                self.rendering.open.pop();
            }
        }
    }

    /// What each name that a template mentions stands for: an entry of `map`, else what it stands for outside.
    fn taken(&mut self, map: LocalId, template: &str) -> Vec<(String, LocalId)> {
        let mut names: Vec<&str> = template
            .split('<')
            .skip(1)
            .filter_map(|rest| {
                let is_part =
                    |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_');
                rest.trim_start().split(|letter| !is_part(letter)).next()
            })
            .filter(|name| !name.is_empty())
            .collect();
        names.sort_unstable();
        names.dedup();
        names.truncate(GIVEN_NAMES_MAX);
        let take = |name: &str| {
            let key = self.text(name);
            let entry = Expr::runtime("get", vec![Expr::Local(map).into(), key.into()]);
            let outside = self.variable_or_unbound(name);
            let value = self.bound_or(entry, outside);
            (name.to_owned(), self.keep(value, Kind::Value))
        };
        names.into_iter().map(take).collect()
    }

    /// Lowers pieces in a scope of their own, after `begin` has declared names in it.
    fn scope_of(&mut self, pieces: &[Piece], begin: impl FnOnce(&mut Self)) {
        let statements = pieces.iter().filter_map(|piece| match piece {
            Piece::Run(block) => Some(&block.statements),
            _ => None,
        });
        let all = Block {
            statements: statements.flatten().cloned().collect(),
        };
        let locals = self.open_scope(&all);
        // In a loop, each turn begins with nothing bound.
        let unbound = locals
            .into_iter()
            .map(|local| Node::Set(local, Expr::Unbound));
        self.nodes.extend(unbound);
        begin(self);
        for piece in pieces {
            self.piece(piece);
        }
        self.close_scope();
    }

    fn piece(&mut self, piece: &Piece) {
        let Some(buffer) = self.rendering.buffer else {
            return;
        };
        match piece {
            Piece::Text(text) => {
                let text = self.constant_text(text);
                self.add_part(buffer, text);
            }
            Piece::Run(block) => self.block(block),
            Piece::Show {
                value,
                filters,
                span,
            } => self.citing_template(*span, |this| this.show(buffer, value, filters)),
            Piece::ForEach(each) => self.for_each_piece(each),
        }
    }

    /// Lowers what belongs to one block of a template, which its failure names.
    fn citing_template(&mut self, span: Span, lower: impl FnOnce(&mut Self)) {
        let file = self.shared.facts.files.get(span.file as usize);
        let text = file
            .and_then(|file| file.text.get(span.start as usize..span.end as usize))
            .unwrap_or_default()
            .to_owned();
        let index = self.add_statement(span, format!("Cannot render {text}."), text);
        let body = self.nested(lower);
        self.nodes.push(Node::Statement {
            index,
            trace: Vec::new(),
            on_failure: OnFailure::Report,
            body,
        });
    }

    fn show(&mut self, buffer: LocalId, value: &Value, filters: &[(String, String)]) {
        let filters: Vec<_> = filters
            .iter()
            .filter(|(name, _)| FILTERS.contains(&name.as_str()))
            .collect();
        let mut shown = match value {
            Value::Binary(operator, left, right) => {
                let left = self.operand(left);
                let left = self.keep(left, Kind::Value);
                let right = self.operand(right);
                Expr::Call {
                    callee: crate::ir::Callee::Runtime("calculate"),
                    arguments: vec![
                        Expr::Local(left).into(),
                        right.into(),
                        Expr::Flag((*operator).into()).into(),
                    ],
                    fails: Fails::OnZero(FailureKind::Runtime),
                }
            }
            Value::Joined(operands) => match operands.as_slice() {
                [one] => self.operand(one),
                _ if filters.is_empty() => {
                    for operand in operands {
                        let part = self.operand(operand);
                        self.add_part(buffer, part);
                    }
                    return;
                }
                _ => {
                    let list = Expr::runtime("list", vec![Expr::Flag(0).into()]);
                    let list = self.keep(list, Kind::Value);
                    for operand in operands {
                        let part = self.operand(operand);
                        self.add_part(list, part);
                    }
                    Expr::runtime("render", vec![Expr::Local(list).into()])
                }
            },
        };
        for (name, argument) in filters {
            let (name, argument) = (self.text(name), self.text(argument));
            let arguments = vec![shown.into(), name.into(), argument.into()];
            shown = Expr::runtime("filter_text", arguments);
        }
        self.add_part(buffer, shown);
    }

    fn operand(&mut self, operand: &Operand) -> Expr {
        match operand {
            Operand::Text(text) => self.constant_text(text),
            Operand::Int(number) => Expr::Constant(Constant::Int(*number)),
            Operand::Float(number) => Expr::Constant(Constant::Float(*number)),
            Operand::Path(path) => {
                let Some((name, steps)) = path.split_first() else {
                    return Expr::Constant(Constant::Null);
                };
                let value = self.template_variable(name);
                if steps.is_empty() {
                    return value;
                }
                let found = self.walk(value, steps);
                let empty = self.constant_text("");
                Expr::Choose {
                    condition: Box::new(Expr::Local(found)),
                    then: Box::new(Expr::Local(found)),
                    otherwise: Box::new(empty),
                }
            }
        }
    }

    /// Follows a path; the local holds nothing where a property is missing.
    fn walk(&mut self, value: Expr, steps: &[String]) -> LocalId {
        let mut local = self.keep(value, Kind::Value);
        for step in steps {
            let name = self.text(step);
            let next = Expr::runtime("get", vec![Expr::Local(local).into(), name.into()]);
            let next = Expr::Choose {
                condition: Box::new(Expr::Local(local)),
                then: Box::new(next),
                otherwise: Box::new(Expr::Unbound),
            };
            local = self.keep(next, Kind::Value);
        }
        local
    }

    /// A variable that must be bound.
    fn template_variable(&mut self, name: &str) -> Expr {
        if let Some((local, true)) = self.lookup(name) {
            return Expr::Local(local);
        }
        if let Some(magic) = self.magic(name) {
            return magic;
        }
        let value = self.variable_or_unbound(name);
        let local = self.keep(value, Kind::Value);
        let path = self.rendering.open.last().cloned().unwrap_or_default();
        let missing = self.nested(|this| {
            this.template_error(&format!(
                "Template render error in {path}: Variable '{name}' is not defined"
            ));
        });
        self.nodes.push(Node::If {
            condition: Expr::Local(local).negated(),
            then: missing,
            otherwise: Vec::new(),
        });
        Expr::Local(local)
    }

    /// Fails with a message that is passed on as it is (actions.md 3.5).
    fn template_error(&mut self, message: &str) {
        let message = self.text(message);
        self.perform(Expr::runtime("raise", vec![message.into()]));
        self.nodes.push(Node::Fail(FailureKind::Runtime));
    }

    /// A loop; a collection that is missing or none has no turns.
    fn for_each_piece(&mut self, each: &ForEach) {
        let list = self.local(Kind::Value);
        self.citing_template(each.span, |this| {
            let (name, steps) = each
                .collection
                .split_first()
                .map_or(("", &[][..]), |(name, steps)| (name.as_str(), steps));
            let value = this.variable_or_unbound(name);
            let found = this.walk(value, steps);
            let values = Expr::runtime("values", vec![Expr::Local(found).into()]);
            this.nodes.push(Node::Set(list, values));
        });
        let bound = self.bound();
        self.each(list, |this, element, position| {
            this.scope_of(&each.body, |this| {
                let item = this.keep(element, Kind::Value);
                this.declare(&each.item, item);
                if let Some(name) = &each.index {
                    let index = Expr::Extend(Box::new(Expr::Local(position)));
                    let index = this.keep(Expr::runtime("int", vec![index.into()]), Kind::Value);
                    this.declare(name, index);
                }
            });
        });
        self.restore_bound(bound);
    }
}
