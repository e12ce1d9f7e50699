//! Expressions and conditions (language.md 7, 10).

use super::Body;
use super::fold::{self, Folded};
use crate::ir::{
    Argument, Callee, Constant, Expr, Fails, FailureKind, FlagOperator, HostFunction, Kind,
    LocalId, Node,
};
use crate::syntax::ast::{
    BinaryOperator, Expression, ExpressionKind, IsTest, Noun, Segment, UnaryOperator,
};

/// Kind numbers of the value runtime.
pub(super) const KIND_NULL: i32 = 0;
pub(super) const KIND_TEXT: i32 = 4;
const KIND_SOCKET: i32 = 9;

const EXPRESSION: FailureKind = FailureKind::Expression;

/// Properties of a socket that only the host knows.
const SOCKET_PROPERTIES: &[&str] = &[
    "remoteAddress",
    "remote",
    "address",
    "name",
    "port",
    "kind",
    "open",
    "server",
    "client",
];

/// Names of maps whose keys have no letter case.
const HEADERS: [&str; 2] = ["headers", "headerParameters"];

/// How a path is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Path {
    /// As an expression reference (7.4).
    Get,
    /// As the object of an action (actions.md 5.1).
    Step,
    /// As the source of a collection action: through lists too.
    Project,
}

/// Most segments of a text that are joined one after the other; each join copies what is before it.
const JOINED_MAX: usize = 3;

impl Body<'_, '_> {
    /// Lowers an expression to a value.
    pub(super) fn expression(&mut self, expression: &Expression) -> Expr {
        match fold::fold(expression) {
            Some(Folded::Constant(constant)) => return Expr::Constant(constant),
            Some(Folded::Text(text)) => return self.constant_text(text),
            None => {}
        }
        match &expression.kind {
            ExpressionKind::Null => Expr::Constant(Constant::Null),
            ExpressionKind::Bool(truth) => Expr::Constant(Constant::Bool(*truth)),
            ExpressionKind::Int(number) => Expr::Constant(Constant::Int(*number)),
            ExpressionKind::Float(number) => Expr::Constant(Constant::Float(*number)),
            ExpressionKind::Text(text) => self.constant_text(text),
            ExpressionKind::Regex { pattern, flags } => self.regex(pattern, flags),
            ExpressionKind::Interpolated(segments) => self.interpolated(segments),
            ExpressionKind::Reference(noun) => self.noun(noun, Path::Get, EXPRESSION),
            ExpressionKind::Name(name) => self.variable(name, EXPRESSION),
            ExpressionKind::List(items) => self.list(items),
            ExpressionKind::Map(entries) => {
                let map = self.keep(
                    Expr::runtime("map", vec![Expr::Flag(entries.len() as i32).into()]),
                    Kind::Value,
                );
                for (key, value) in entries {
                    let value = self.expression(value);
                    self.put(map, &key.text, value);
                }
                Expr::Local(map)
            }
            ExpressionKind::Unary(UnaryOperator::Negate, operand) => {
                let operand = self.expression(operand);
                Expr::fallible("negate", vec![operand.into()], EXPRESSION)
            }
            ExpressionKind::Binary(operator, left, right) => {
                self.binary(expression, *operator, left, right)
            }
            ExpressionKind::Member(base, name) => {
                let base = self.expression(base);
                let name = self.text(&name.text);
                Expr::fallible("member", vec![base.into(), name.into()], EXPRESSION)
            }
            ExpressionKind::Index(base, index) => {
                let (base, index) = self.pair(base, index);
                Expr::fallible("index", vec![base.into(), index.into()], EXPRESSION)
            }
            ExpressionKind::Unary(UnaryOperator::Not, _)
            | ExpressionKind::Exists(_)
            | ExpressionKind::Is { .. } => self.truth(expression),
        }
    }

    fn truth(&mut self, expression: &Expression) -> Expr {
        let flag = self.condition(expression);
        Expr::runtime("bool", vec![flag.into()])
    }

    /// Lowers an expression to the flag of its truthiness (10.3). `and` and `or` evaluate both sides (7.5).
    pub(super) fn condition(&mut self, expression: &Expression) -> Expr {
        if let Some(truth) = fold::truth(expression) {
            return Expr::Flag(truth.into());
        }
        match &expression.kind {
            ExpressionKind::Bool(truth) => Expr::Flag(i32::from(*truth)),
            ExpressionKind::Binary(
                operator @ (BinaryOperator::And | BinaryOperator::Or),
                left,
                right,
            ) => {
                let left = self.condition(left);
                let mark = self.nodes.len();
                let right = self.condition(right);
                let left = self.spill(left, Kind::Flag, mark);
                let operator = if *operator == BinaryOperator::And {
                    FlagOperator::And
                } else {
                    FlagOperator::Or
                };
                Expr::Flags(operator, vec![left, right])
            }
            ExpressionKind::Binary(operator, left, right) => match comparison(*operator) {
                Some(comparison) => self.comparison(comparison, left, right),
                None => self.truthy(expression),
            },
            ExpressionKind::Unary(UnaryOperator::Not, operand) => self.condition(operand).negated(),
            ExpressionKind::Exists(operand) => self.exists(operand),
            ExpressionKind::Is {
                subject,
                negated,
                test,
            } => {
                let flag = self.is(subject, test);
                if *negated { flag.negated() } else { flag }
            }
            _ => self.truthy(expression),
        }
    }

    fn truthy(&mut self, expression: &Expression) -> Expr {
        let value = self.expression(expression);
        Expr::runtime("truthy", vec![value.into()])
    }

    /// Lowers an expression to the flag of being the Boolean true (10.3, strict contexts).
    pub(super) fn strict(&mut self, expression: &Expression) -> Expr {
        let value = self.expression(expression);
        Expr::runtime("is_true", vec![value.into()])
    }

    fn comparison(
        &mut self,
        comparison: Comparison,
        left: &Expression,
        right: &Expression,
    ) -> Expr {
        let (left, right) = self.pair(left, right);
        let operands: Vec<Argument> = match comparison.swapped {
            true => vec![right.into(), left.into()],
            false => vec![left.into(), right.into()],
        };
        let fails = if comparison.fails {
            Fails::OnMinusOne(EXPRESSION)
        } else {
            Fails::Never
        };
        let flag = Expr::Call {
            callee: Callee::Runtime(comparison.function),
            arguments: operands,
            fails,
        };
        if comparison.negated {
            flag.negated()
        } else {
            flag
        }
    }

    fn exists(&mut self, operand: &Expression) -> Expr {
        match &operand.kind {
            ExpressionKind::Reference(noun) if noun.qualifier.is_none() => {
                self.bound_flag(&noun.base)
            }
            ExpressionKind::Name(name) => self.bound_flag(name),
            // Anything else exists if it can be evaluated: the failure is caught, not reported.
            _ => {
                let outer = std::mem::take(&mut self.nodes);
                let value = self.expression(operand);
                let local = self.local(Kind::Value);
                self.nodes.push(Node::Set(local, value));
                let body = std::mem::replace(&mut self.nodes, outer);
                self.nodes.push(Node::Set(local, Expr::Unbound));
                self.nodes.push(Node::Attempt(body));
                is_bound(Expr::Local(local))
            }
        }
    }

    fn bound_flag(&mut self, name: &str) -> Expr {
        let value = self.variable_or_unbound(name);
        is_bound(value)
    }

    fn is(&mut self, subject: &Expression, test: &IsTest) -> Expr {
        match test {
            IsTest::Empty => {
                let value = match &subject.kind {
                    ExpressionKind::Reference(noun) if noun.qualifier.is_none() => {
                        self.variable_or_unbound(&noun.base)
                    }
                    ExpressionKind::Name(name) => self.variable_or_unbound(name),
                    _ => self.expression(subject),
                };
                Expr::runtime("is_empty", vec![value.into()])
            }
            IsTest::Word(word) => {
                let value = self.expression(subject);
                let word = self.text(&word.text);
                Expr::runtime("is_word", vec![value.into(), word.into()])
            }
        }
    }

    fn binary(
        &mut self,
        whole: &Expression,
        operator: BinaryOperator,
        left: &Expression,
        right: &Expression,
    ) -> Expr {
        if let (BinaryOperator::Concat, ExpressionKind::Interpolated(segments)) =
            (operator, &right.kind)
        {
            let left = self.expression(left);
            return self.joined(left, segments);
        }
        match arithmetic(operator) {
            Some(function) => {
                let (left, right) = self.pair(left, right);
                Expr::fallible(function, vec![left.into(), right.into()], EXPRESSION)
            }
            None => self.truth(whole),
        }
    }

    /// Both operands, left first, even if the right one needs steps of its own.
    fn pair(&mut self, left: &Expression, right: &Expression) -> (Expr, Expr) {
        let left = self.expression(left);
        let mark = self.nodes.len();
        let right = self.expression(right);
        (self.spill(left, Kind::Value, mark), right)
    }

    /// Puts an expression before the steps that came after it.
    fn spill(&mut self, expr: Expr, kind: Kind, mark: usize) -> Expr {
        if self.nodes.len() == mark
            || matches!(expr, Expr::Local(_) | Expr::Constant(_) | Expr::Flag(_))
        {
            return expr;
        }
        let local = self.local(kind);
        self.nodes.insert(mark, Node::Set(local, expr));
        Expr::Local(local)
    }

    fn interpolated(&mut self, segments: &[Segment]) -> Expr {
        if let [first, rest @ ..] = segments
            && (1..JOINED_MAX).contains(&rest.len())
        {
            let first = self.segment(first);
            return self.joined(first, rest);
        }
        let list = self.new_list(segments.len());
        for segment in segments {
            let value = self.segment(segment);
            self.push(list, value);
        }
        Expr::runtime("interpolate", vec![Expr::Local(list).into()])
    }

    fn segment(&mut self, segment: &Segment) -> Expr {
        match segment {
            Segment::Text(text) => self.constant_text(text),
            Segment::Expression(expression) => self.expression(expression),
        }
    }

    /// A value and segments behind it, joined one after the other: a text that grows by them is not copied, and no list of them is made.
    fn joined(&mut self, first: Expr, segments: &[Segment]) -> Expr {
        let mut joined = first;
        for segment in segments {
            let mark = self.nodes.len();
            let value = self.segment(segment);
            let left = self.spill(joined, Kind::Value, mark);
            joined = Expr::runtime("concat", vec![left.into(), value.into()]);
        }
        joined
    }

    fn list(&mut self, items: &[Expression]) -> Expr {
        let list = self.new_list(items.len());
        for item in items {
            let value = self.expression(item);
            self.push(list, value);
        }
        Expr::Local(list)
    }

    pub(super) fn new_list(&mut self, capacity: usize) -> LocalId {
        self.keep(
            Expr::runtime("list", vec![Expr::Flag(capacity as i32).into()]),
            Kind::Value,
        )
    }

    pub(super) fn push(&mut self, list: LocalId, value: Expr) {
        self.nodes.push(Node::Do(Expr::runtime(
            "push",
            vec![Expr::Local(list).into(), value.into()],
        )));
    }

    pub(super) fn regex(&mut self, pattern: &str, flags: &str) -> Expr {
        let (pattern, flags) = (self.text(pattern), self.text(flags));
        Expr::runtime("regex", vec![pattern.into(), flags.into()])
    }

    /// The value of a noun: its base, then its qualifier as a path.
    pub(super) fn noun(&mut self, noun: &Noun, path: Path, missing: FailureKind) -> Expr {
        let specifiers: &[String] = noun
            .qualifier
            .as_ref()
            .map_or(&[], |qualifier| &qualifier.specifiers);
        if let [count] = specifiers
            && count == "count"
            && self.shared.facts.is_repository(&noun.base)
        {
            let name = self.text(&noun.base);
            return Expr::host(HostFunction::Count, vec![name.into()]);
        }
        if let Some(value) = self.system_object(noun, missing) {
            return value;
        }
        let mut socket = self.may_be_socket(&noun.base);
        let (mut value, rest) = match specifiers {
            [first, rest @ ..] => match self
                .event_field(&noun.base, first)
                .or_else(|| self.request_field(&noun.base, first))
            {
                Some(value) => {
                    socket = first == "connection" && noun.base == "event";
                    (value, rest)
                }
                None => (self.variable(&noun.base, missing), specifiers),
            },
            [] => (self.variable(&noun.base, missing), specifiers),
        };
        let mut above = match specifiers.first() {
            Some(first) if rest.len() < specifiers.len() => first,
            _ => &noun.base,
        };
        for specifier in rest {
            value = if HEADERS.contains(&above.as_str()) {
                self.header(value, specifier, path)
            } else {
                self.follow(value, specifier, path, socket)
            };
            socket = specifier == "connection";
            above = specifier;
        }
        value
    }

    /// One step into headers, whose names have no letter case (runtime.md D-18).
    fn header(&mut self, value: Expr, name: &str, path: Path) -> Expr {
        let kind = match path {
            Path::Get => EXPRESSION,
            Path::Step => FailureKind::Action,
            Path::Project => return self.follow(value, name, path, false),
        };
        let name = self.text(name);
        let is_path = Expr::Flag(i32::from(kind == FailureKind::Action));
        Expr::fallible(
            "header",
            vec![value.into(), name.into(), is_path.into()],
            kind,
        )
    }

    /// One step of a path. Only a step from what may be a socket asks the host, so that ordinary maps with a `name` do not make a component import the directory; and only the value tells whether it is one.
    fn follow(&mut self, value: Expr, name: &str, path: Path, socket: bool) -> Expr {
        let asks = SOCKET_PROPERTIES.contains(&name)
            && (socket || matches!(name, "remoteAddress" | "open"))
            && self.shared.facts.has_sockets;
        if !asks {
            return self.follow_value(value, name, path);
        }
        let value = self.keep(value, Kind::Value);
        let text = self.text(name);
        let arguments = vec![Expr::Local(value).into(), text.into()];
        let kind = Expr::runtime("kind", vec![Expr::Local(value).into()]);
        Expr::Choose {
            condition: Box::new(Expr::Flags(
                FlagOperator::Equal,
                vec![kind, Expr::Flag(KIND_SOCKET)],
            )),
            then: Box::new(Expr::fallible_host(HostFunction::StepSocket, arguments)),
            otherwise: Box::new(self.follow_value(Expr::Local(value), name, path)),
        }
    }

    /// One step of a path from what is no socket.
    fn follow_value(&mut self, value: Expr, name: &str, path: Path) -> Expr {
        let text = self.text(name);
        let arguments = vec![value.into(), text.into()];
        match path {
            Path::Get => Expr::fallible("get", arguments, EXPRESSION),
            Path::Step => Expr::fallible("step", arguments, FailureKind::Action),
            Path::Project => Expr::fallible("project", arguments, FailureKind::Action),
        }
    }
}

fn is_bound(value: Expr) -> Expr {
    value.negated().negated()
}

fn arithmetic(operator: BinaryOperator) -> Option<&'static str> {
    Some(match operator {
        BinaryOperator::Add => "add",
        BinaryOperator::Subtract => "sub",
        BinaryOperator::Multiply => "mul",
        BinaryOperator::Divide => "div",
        BinaryOperator::Remainder => "rem",
        BinaryOperator::Concat => "concat",
        _ => return None,
    })
}

struct Comparison {
    function: &'static str,
    negated: bool,
    swapped: bool,
    fails: bool,
}

fn comparison(operator: BinaryOperator) -> Option<Comparison> {
    let plain = |function| Comparison {
        function,
        negated: false,
        swapped: false,
        fails: false,
    };
    Some(match operator {
        BinaryOperator::Equal => plain("equal"),
        BinaryOperator::NotEqual => Comparison {
            negated: true,
            ..plain("equal")
        },
        BinaryOperator::Contains => plain("contains"),
        BinaryOperator::In => Comparison {
            swapped: true,
            ..plain("contains")
        },
        BinaryOperator::Matches => plain("matches"),
        BinaryOperator::Less => Comparison {
            fails: true,
            ..plain("less")
        },
        BinaryOperator::LessOrEqual => Comparison {
            fails: true,
            ..plain("less_equal")
        },
        BinaryOperator::Greater => Comparison {
            fails: true,
            ..plain("greater")
        },
        BinaryOperator::GreaterOrEqual => Comparison {
            fails: true,
            ..plain("greater_equal")
        },
        _ => return None,
    })
}
