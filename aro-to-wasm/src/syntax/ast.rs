//! The syntax tree. Both statement styles and every accepted leniency end in the same tree; what a statement means is decided later.

use crate::source::Span;

/// One parsed file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Program {
    /// `import` lines, in order.
    pub imports: Vec<Import>,
    /// Feature sets, in order.
    pub feature_sets: Vec<FeatureSet>,
}

/// `import ../shared`
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    /// Path as written.
    pub path: String,
    /// The whole line.
    pub span: Span,
}

/// `(Name: Activity<guard>) when condition { body }`
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureSet {
    /// Words joined by single spaces.
    pub name: String,
    /// Words joined by single spaces, with the angle guard as written without spaces; empty if missing (EXT-8).
    pub activity: String,
    /// `takes` of a user-defined action.
    pub takes: Option<Takes>,
    /// Header condition.
    pub condition: Option<Expression>,
    /// Statements.
    pub body: Block,
    /// `(` to `)` of the header.
    pub header: Span,
    /// Header to closing brace.
    pub span: Span,
}

/// `Action takes <field: Type>`
#[derive(Debug, Clone, PartialEq)]
pub struct Takes {
    /// Field name.
    pub field: String,
    /// Declared type, never enforced.
    pub ty: Option<String>,
}

/// Statements between braces.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Block {
    /// In order.
    pub statements: Vec<Statement>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// Verb, result, preposition, object, clauses.
    Action(Box<Action>),
    /// `action |> action .`
    Pipeline(Vec<Action>),
    /// `Publish as <external> <internal>.`
    Publish(Publish),
    /// `Require the <x> from the <source>.`
    Require(Require),
    /// `match subject { … }`
    Match(Box<Match>),
    /// `if` and the block form of `when` (EXT-11, EXT-12).
    If(Box<If>),
    /// `for each` and `parallel for each`.
    ForEach(Box<ForEach>),
    /// `for <i> from a to b { … }`
    Range(Box<RangeLoop>),
    /// `while condition { … }`
    While(Box<While>),
    /// `break.`
    Break(Span),
}

/// An action statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// Verb as written, without angle brackets; dotted verbs with their dots.
    pub verb: Name,
    /// Where its value goes.
    pub result: Target,
    /// Preposition and object; none if omitted (EXT-14).
    pub object: Option<Object>,
    /// Further prepositional phrases (EXT-20 `on port N`, EXT-23), in order.
    pub extra: Vec<Object>,
    /// Trailing clauses.
    pub clauses: Clauses,
    /// Statement guard.
    pub when: Option<Expression>,
    /// Verb to terminator.
    pub span: Span,
}

impl Action {
    /// The value of the `with` clause that has no label.
    pub fn plain_with(&self) -> Option<&Expression> {
        let mut with = self.clauses.with.iter();
        with.find_map(|with| match (&with.label, &with.value) {
            (None, WithValue::Expression(value)) => Some(value),
            _ => None,
        })
    }
}

/// A word with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The word.
    pub text: String,
    /// Its place.
    pub span: Span,
}

/// The result position.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// `the <base: qualifier>`
    Noun(Noun),
    /// Sink expression (5.4, EXT-24).
    Sink(Expression),
    /// Nothing written: `Listen on port 9000.`, `Wait for 5 seconds.`
    None,
}

impl Target {
    /// The noun, if it is one.
    pub fn noun(&self) -> Option<&Noun> {
        match self {
            Target::Noun(noun) => Some(noun),
            Target::Sink(_) | Target::None => None,
        }
    }
}

/// A preposition and what follows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// `in` is read as `into` (EXT-22).
    pub preposition: Preposition,
    /// What follows.
    pub operand: Operand,
    /// Preposition to end of operand.
    pub span: Span,
}

impl Object {
    /// The noun, also where it was written without an article (EXT-7).
    pub fn noun(&self) -> Option<&Noun> {
        match &self.operand {
            Operand::Noun(noun) => Some(noun),
            Operand::Expression(Expression {
                kind: ExpressionKind::Reference(noun),
                ..
            }) => Some(noun),
            Operand::Expression(_) | Operand::Duration { .. } | Operand::Labelled { .. } => None,
        }
    }
}

/// The closed set of prepositions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the word it names")]
pub enum Preposition {
    From,
    For,
    Against,
    To,
    Into,
    Via,
    With,
    On,
    At,
    By,
}

impl Preposition {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Preposition::From => "from",
            Preposition::For => "for",
            Preposition::Against => "against",
            Preposition::To => "to",
            Preposition::Into => "into",
            Preposition::Via => "via",
            Preposition::With => "with",
            Preposition::On => "on",
            Preposition::At => "at",
            Preposition::By => "by",
        }
    }
}

/// The object position (3.4).
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A noun: not evaluated, the action decides.
    Noun(Noun),
    /// An expression: evaluated first.
    Expression(Expression),
    /// `5 seconds`
    Duration {
        /// How many.
        amount: Expression,
        /// `seconds`, as written.
        unit: Name,
    },
    /// A word before its value: `port 9000`, `subject "s"` (EXT-20, EXT-21).
    Labelled {
        /// The word.
        label: Name,
        /// Its value.
        value: Expression,
    },
}

/// `<base: qualifier>`
#[derive(Debug, Clone, PartialEq)]
pub struct Noun {
    /// Name before the colon.
    pub base: String,
    /// Text after it.
    pub qualifier: Option<Qualifier>,
    /// Angle bracket to angle bracket, or the bare word.
    pub span: Span,
}

/// The text after the colon of a noun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qualifier {
    /// Normalised without spaces except `", "` inside generics (3.1).
    pub text: String,
    /// The list it splits into (3.3, EXT-4, EXT-5): one whole piece if it was quoted.
    pub specifiers: Vec<String>,
    /// Whether it was a string literal.
    pub quoted: bool,
}

/// The trailing clauses (5.3).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Clauses {
    /// `with`, in order; labelled ones repeat.
    pub with: Vec<With>,
    /// `to expression`
    pub to: Option<Expression>,
    /// `where condition`
    pub filter: Option<Condition>,
    /// `by /re/`, `by "text"`, `by <name>`
    pub by: Option<By>,
    /// `default expression`
    pub default: Option<Expression>,
    /// `as <name>` after the object (EXT-20).
    pub alias: Option<Noun>,
}

/// One `with` clause.
#[derive(Debug, Clone, PartialEq)]
pub struct With {
    /// `id` of `with id <x>`, `regex` of `with regex "p"`.
    pub label: Option<Name>,
    /// Its value.
    pub value: WithValue,
}

/// The value of a `with` clause.
#[derive(Debug, Clone, PartialEq)]
pub enum WithValue {
    /// Any expression.
    Expression(Expression),
    /// `5 seconds`, as in `with timeout 5 seconds`.
    Duration {
        /// How many.
        amount: Expression,
        /// `seconds`, as written.
        unit: Name,
    },
    /// `sum(<field>)`
    Aggregate {
        /// Lower-case function name.
        function: String,
        /// Its field.
        field: Option<String>,
    },
}

/// The condition of a `where` clause.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// `<field> op value`
    Compare {
        /// Dotted field path.
        field: Name,
        /// How.
        operator: Comparison,
        /// With what.
        value: Expression,
    },
    /// Both.
    And(Box<Condition>, Box<Condition>),
    /// Either.
    Or(Box<Condition>, Box<Condition>),
}

/// Operators of `where`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the operator it names")]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
    StartsWith,
    EndsWith,
    Matches,
    In,
    NotIn,
}

/// A `by` clause.
#[derive(Debug, Clone, PartialEq)]
pub enum By {
    /// `/pattern/flags`
    Regex {
        /// Between the slashes.
        pattern: String,
        /// After them.
        flags: String,
    },
    /// `"text"`
    Text(String),
    /// `<name>`
    Name(Name),
}

/// `Publish as <external> <internal>.`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Name others see.
    pub external: Name,
    /// Name here.
    pub internal: Name,
    /// Whole statement.
    pub span: Span,
}

/// `Require the <name> from the <source>.`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Require {
    /// Name to bind.
    pub name: Name,
    /// Where it comes from.
    pub source: Name,
    /// Whole statement.
    pub span: Span,
}

/// A `match` statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// What is matched; a reference in strict grammar, any expression by EXT-18.
    pub subject: Expression,
    /// In order.
    pub cases: Vec<Case>,
    /// `otherwise`
    pub otherwise: Option<Block>,
    /// Keyword to closing brace.
    pub span: Span,
}

/// One `case`.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What it matches.
    pub pattern: Pattern,
    /// `where` guard; strict Boolean.
    pub guard: Option<Expression>,
    /// What runs.
    pub body: Block,
    /// `case` to closing brace.
    pub span: Span,
}

/// Pattern of a case.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each is the literal it names")]
pub enum Pattern {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Regex {
        pattern: String,
        flags: String,
    },
    /// `_`
    Any,
    Noun(Noun),
}

/// `if` / `else`, `when` / `otherwise`.
#[derive(Debug, Clone, PartialEq)]
pub struct If {
    /// Truthiness decides (10.3).
    pub condition: Expression,
    /// When true.
    pub then: Block,
    /// When false; `else if` is an `otherwise` of one `If`.
    pub otherwise: Option<Block>,
    /// Keyword to closing brace.
    pub span: Span,
}

/// `for each <item> at <index> in <collection> where guard { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct ForEach {
    /// Name bound to each element.
    pub item: Name,
    /// Name bound to its 0-based index.
    pub index: Option<Name>,
    /// What is iterated.
    pub collection: Noun,
    /// Strict Boolean filter.
    pub guard: Option<Expression>,
    /// What runs.
    pub body: Block,
    /// `parallel for each`.
    pub parallel: bool,
    /// `with <concurrency: n>`
    pub concurrency: Option<i64>,
    /// First keyword to closing brace.
    pub span: Span,
}

/// `for <i> from a to b { … }`, b excluded.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeLoop {
    /// Name bound to each number.
    pub item: Name,
    /// First number.
    pub from: Expression,
    /// First number that is not reached.
    pub to: Expression,
    /// What runs.
    pub body: Block,
    /// `for` to closing brace.
    pub span: Span,
}

/// `while condition { … }`
#[derive(Debug, Clone, PartialEq)]
pub struct While {
    /// Truthiness decides.
    pub condition: Expression,
    /// What runs; names may be bound again in it.
    pub body: Block,
    /// `while` to closing brace.
    pub span: Span,
}

/// An expression with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    /// What it is.
    pub kind: ExpressionKind,
    /// First to last character.
    pub span: Span,
}

/// The kinds of expression (7).
#[derive(Debug, Clone, PartialEq)]
pub enum ExpressionKind {
    /// `null nil none`
    Null,
    /// `true false`
    Bool(bool),
    /// 64-bit integer.
    Int(i64),
    /// 64-bit float.
    Float(f64),
    /// String without interpolation, escapes resolved.
    Text(String),
    /// `/pattern/flags`
    Regex {
        /// Between the slashes.
        pattern: String,
        /// After them.
        flags: String,
    },
    /// `"… ${e} …"`
    Interpolated(Vec<Segment>),
    /// `<base: qualifier>`
    Reference(Noun),
    /// A bare identifier, read as a variable.
    Name(String),
    /// `[a, b]`
    List(Vec<Expression>),
    /// `{ key: value }`, in source order.
    Map(Vec<(Name, Expression)>),
    /// `- e`, `not e`
    Unary(UnaryOperator, Box<Expression>),
    /// `a op b`
    Binary(BinaryOperator, Box<Expression>, Box<Expression>),
    /// `e.name`
    Member(Box<Expression>, Name),
    /// `e[i]`
    Index(Box<Expression>, Box<Expression>),
    /// `e exists`, `e is defined`
    Exists(Box<Expression>),
    /// `e is …`
    Is {
        /// Left of `is`.
        subject: Box<Expression>,
        /// `is not`
        negated: bool,
        /// Right of it.
        test: IsTest,
    },
}

/// A piece of an interpolated string.
#[derive(Debug, Clone, PartialEq)]
pub enum Segment {
    /// Literal text, escapes resolved.
    Text(String),
    /// `${…}`
    Expression(Expression),
}

/// Right of `is` where it is no plain equality (equality to a literal or reference is a `Binary`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IsTest {
    /// `is empty`
    Empty,
    /// `is Number`, `is success`: a type name or, by EXT-19, a word.
    Word(Name),
}

/// Prefix operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the operator it names")]
pub enum UnaryOperator {
    Negate,
    Not,
}

/// Infix operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the operator it names")]
pub enum BinaryOperator {
    Or,
    And,
    Equal,
    NotEqual,
    Contains,
    Matches,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Concat,
    Multiply,
    Divide,
    Remainder,
    /// `a in b`: `b contains a` (EXT-19).
    In,
}
