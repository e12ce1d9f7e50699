//! The small typed intermediate form between what a program means and how WebAssembly says it.
//!
//! Control flow is structured, names are resolved to locals, every action is a sequence of calls. There are no WebAssembly types and no addresses here.

/// Index of a text in [`Unit::texts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TextId(pub u32);

/// A local of the enclosing function; parameters come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LocalId(pub u32);

/// A loop that `Break` leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LoopId(pub u32);

/// What one component is generated from: a feature set and the user-defined actions it calls.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Unit {
    /// Constant texts, without duplicates.
    pub texts: indexmap::IndexSet<Vec<u8>>,
    /// The feature set, then the actions it reaches.
    pub functions: Vec<Function>,
}

impl Unit {
    /// Enters a text.
    pub(crate) fn text(&mut self, text: &str) -> TextId {
        TextId(self.texts.insert_full(text.as_bytes().to_vec()).0 as u32)
    }
}

/// One function.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Function {
    /// For readers of the name section.
    pub name: String,
    /// What it is called with and answers.
    pub role: Role,
    /// Kinds of its locals, parameters first.
    pub locals: Vec<Kind>,
    /// What it does.
    pub body: Vec<Node>,
}

/// What a function is called with and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// `aro:program/start`: no parameter; answers a response.
    Start,
    /// `aro:program/end`: parameters `error: option<string>` as tag, address, length.
    End,
    /// `aro:net/tcp-connected`: two halves of the socket.
    TcpConnected,
    /// `aro:net/tcp-data`: two halves of the socket, address and length of the data.
    TcpData,
    /// `aro:net/tcp-finished`: two halves of the socket.
    TcpFinished,
    /// `aro:net/tcp-disconnected`: two halves of the socket, address and length of the reason.
    TcpDisconnected,
    /// `aro:net/websocket-connected`: two halves of the socket.
    WebSocketConnected,
    /// `aro:net/websocket-message`: two halves of the socket, address and length of the data, whether it is binary.
    WebSocketMessage,
    /// `aro:net/websocket-disconnected`: two halves of the socket, address and length of the reason.
    WebSocketDisconnected,
    /// `aro:program/test`: no parameter.
    Test,
    /// A feature set that a test runs: the test's variables as a map; answers a value, or nothing after a failure.
    Tested,
    /// `aro:events/handler`: address and length of the encoded payload.
    Event,
    /// `aro:http/handler`: address and length of method, path, query, headers, parameters and body, two flags for each.
    Operation,
    /// A user-defined action: its input as value; answers a value, or nothing after a failure.
    Action,
}

impl Role {
    /// Kinds of the parameters.
    pub(crate) fn parameters(self) -> &'static [Kind] {
        use Kind::{Flag, Long, Value};
        match self {
            Role::Start | Role::Test => &[],
            Role::End => &[Flag, Flag, Flag],
            Role::TcpConnected | Role::TcpFinished | Role::WebSocketConnected => &[Long, Long],
            Role::TcpData | Role::TcpDisconnected | Role::WebSocketDisconnected => {
                &[Long, Long, Flag, Flag]
            }
            Role::WebSocketMessage => &[Long, Long, Flag, Flag, Flag],
            Role::Event => &[Flag, Flag],
            Role::Operation => &[Flag; 12],
            Role::Action | Role::Tested => &[Value],
        }
    }
}

/// What a local or an expression holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A value of the language; zero stands for unbound.
    Value,
    /// A truth value, a small number or an address.
    Flag,
    /// A 64-bit integer.
    Long,
    /// A 64-bit float.
    Float,
    /// Address and length of bytes, in one.
    Slice,
}

/// How a failure is worded (runtime.md 2.7.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum FailureKind {
    /// The sentence of the statement, with a cause.
    Action = 0,
    /// The message, as an error of an expression.
    Expression = 1,
    /// The message, as an error of the runtime.
    Runtime = 2,
    /// The message, as a test's unmet expectation; only in [`Role::Test`].
    Assertion = 3,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// Steps whose failure is that of one statement.
    Statement {
        /// Index into the manifest's statements.
        index: u32,
        /// Names and values that a failure shows, as far as they are bound.
        trace: Vec<(TextId, Expr)>,
        /// What a failure does.
        on_failure: OnFailure,
        /// The steps.
        body: Vec<Node>,
    },
    /// Binds a local.
    Set(LocalId, Expr),
    /// Evaluates and forgets.
    Do(Expr),
    /// Chooses.
    If {
        /// A flag.
        condition: Expr,
        /// When not zero.
        then: Vec<Node>,
        /// When zero.
        otherwise: Vec<Node>,
    },
    /// Repeats until left.
    Loop(LoopId, Vec<Node>),
    /// Steps whose failure ends them and nothing else.
    Attempt(Vec<Node>),
    /// Leaves the loop.
    Break(LoopId),
    /// Ends the function; a value for actions and responses, none for handlers.
    Finish(Option<Expr>),
    /// Fails the statement with the message that is set.
    Fail(FailureKind),
    /// Frees what was allocated since a mark (a flag), save for what later steps read.
    Collect(LocalId),
}

/// What a failing statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// Ends the function with the failure.
    Report,
    /// Ends the function as if nothing had happened: header guards.
    Skip,
}

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    /// A local.
    Local(LocalId),
    /// The value zero: unbound.
    Unbound,
    /// A small number or truth value.
    Flag(i32),
    /// A 64-bit integer.
    Long(i64),
    /// A constant value.
    Constant(Constant),
    /// Calls a function.
    Call {
        /// Which.
        callee: Callee,
        /// With what.
        arguments: Vec<Argument>,
        /// Whether and how it fails.
        fails: Fails,
    },
    /// Chooses between two expressions of one kind; only one is evaluated.
    Choose {
        /// A flag.
        condition: Box<Expr>,
        /// When not zero.
        then: Box<Expr>,
        /// When zero.
        otherwise: Box<Expr>,
    },
    /// Fails the statement after naming an unbound variable.
    Undefined {
        /// The variable.
        name: TextId,
        /// How it is worded; all but expressions quote the name.
        kind: FailureKind,
    },
    /// Arithmetic on flags.
    Flags(FlagOperator, Vec<Expr>),
    /// The kind `Long` of a sum.
    AddLong(Box<Expr>, Box<Expr>),
    /// A flag, read as an unsigned number.
    Extend(Box<Expr>),
    /// Whether the first is at least the second, as a flag.
    AtLeast(Box<Expr>, Box<Expr>),
    /// A 64-bit float.
    Float(f64),
    /// An operation on numbers that cannot fail.
    Native(Native, Vec<Expr>),
    /// An operation on integers that can fail.
    Checked(Box<Checked>),
}

/// Operations on numbers. The operands are of one kind; comparisons answer a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Native {
    /// The float of an integer.
    ToFloat,
    /// Floats: sum.
    Add,
    /// Floats: difference.
    Subtract,
    /// Floats: product.
    Multiply,
    /// Floats: quotient.
    Divide,
    /// Float: the number with the other sign.
    Negate,
    /// Integers or floats.
    Equal(Number),
    /// Integers or floats.
    Less(Number),
    /// Integers or floats.
    LessOrEqual(Number),
    /// Integers or floats.
    Greater(Number),
    /// Integers or floats.
    GreaterOrEqual(Number),
}

/// Kinds of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    /// 64-bit integers.
    Int,
    /// 64-bit floats.
    Float,
}

/// An operation on integers: where it overflows or divides by zero, the function of the value runtime is called with the boxed operands, and fails.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Checked {
    /// Which: `add`, `sub`, `mul`, `div` or `rem`.
    pub function: &'static str,
    /// An integer.
    pub left: Expr,
    /// An integer.
    pub right: Expr,
    /// Locals of kind `Long` for the operands and the result.
    pub temporaries: [LocalId; 3],
    /// How it fails.
    pub kind: FailureKind,
}

/// Arithmetic on flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FlagOperator {
    /// One operand: whether it is zero.
    Not,
    /// Two operands, both evaluated.
    And,
    /// Two operands, both evaluated.
    Or,
    /// Whether two are equal.
    Equal,
    /// Sum of two.
    Add,
    /// Whether the first is less than the second.
    Less,
}

/// A constant value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Constant {
    /// Null.
    Null,
    /// Truth value.
    Bool(bool),
    /// Integer.
    Int(i64),
    /// Float.
    Float(f64),
    /// Text.
    Text(TextId),
}

/// What is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Callee {
    /// An export of the value runtime.
    Runtime(&'static str),
    /// A helper that talks to the host.
    Host(HostFunction),
    /// A user-defined action, by index into [`Unit::functions`].
    Action(u32),
}

/// What a call is given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Argument {
    /// An expression.
    Expr(Expr),
    /// Address and length of a constant text.
    Text(TextId),
    /// Address and length from an expression of kind `Slice`.
    Slice(Expr),
}

/// Whether and how a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fails {
    /// It does not, or zero is an answer.
    Never,
    /// Zero means failure; the message is set.
    OnZero(FailureKind),
    /// Minus one means failure; the message is set.
    OnMinusOne(FailureKind),
}

/// The helpers through which a component talks to the host. Each is one small function, present only where it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum HostFunction {
    /// (stream flag, message slice)
    ConsoleWrite,
    /// (port value or zero, name text, options or zero, strict flag) → socket, or zero and a message
    Listen,
    /// (host slice, port value or zero, name text, options or zero, soft flag) → socket; after a failure null if soft, else zero and a message
    Connect,
    /// (socket value, payload slice, binary flag) → 1, or 0 and a message
    Send,
    /// (filter, payload slice, binary flag) → 1, or 0 and a message
    BroadcastWebSockets,
    /// (socket value, code, reason slice) → 1, or 0 and a message
    CloseWebSocket,
    /// (path value or zero, protocols value or zero) → 1, or 0 and a message
    ConfigureWebSockets,
    /// () → socket, or null
    CurrentStream,
    /// (filter, payload slice) → 1, or 0 and a message
    BroadcastEventStreams,
    /// (name slice, identity slice) → 1, or 0 and a message: what the next message is called on streams of events
    LabelEvent,
    /// (path slice) → 1, or 0 and a message
    ServeFile,
    /// (socket value or unbound, payload slice)
    Broadcast,
    /// (socket value or unbound, filter, payload slice) → 1, or 0 and a message
    BroadcastWhere,
    /// (socket value, channel slice) → 1, or 0 and a message
    Subscribe,
    /// (socket value, channel slice)
    Unsubscribe,
    /// (channel slice, payload slice)
    PublishChannel,
    /// (channel slice) → number of subscribers
    CountChannel,
    /// (socket value): closes a listener
    CloseListener,
    /// (socket value): closes a connection
    CloseConnection,
    /// (index): tells that a statement begins
    TraceStatement,
    /// (name text, value): tells that a name is bound
    TraceBound,
    /// (socket value): ends our direction of a connection
    FinishConnection,
    /// (socket value) → map of facts, or null
    Describe,
    /// (name text) → socket, or unbound
    Find,
    /// (value, name text, length) → property of a value; asks the host when it is a socket; zero and a message
    StepSocket,
    /// (name text, value) → 1, or 0 and a message
    Publish,
    /// (name text) → value, zero if unbound, minus one and a message after a failure
    ReadPublished,
    /// (repository text, value) → stored row, or zero and a message
    Store,
    /// () → flag: whether the last `Store` created a row
    StoreCreated,
    /// (repository text, filter, selection flag) → list of rows, or zero and a message
    Retrieve,
    /// (repository text, filter) → list of removed rows, or zero and a message
    Delete,
    /// (repository text) → 1, or 0 and a message
    ClearRepository,
    /// (repository text) → number of rows
    Count,
    /// (repository text, setting text, value) → 1, or 0 and a message
    Configure,
    /// (name text) → text, or unbound
    Environment,
    /// () → map
    EnvironmentAll,
    /// (format text) → text
    Metrics,
    /// () → map
    Parameters,
    /// (amount flag) → text, zero at the end of the input, minus one and a message after a failure
    ReadInput,
    /// (milliseconds)
    Sleep,
    /// (path slice) → text or bytes, or zero and a message
    FileRead,
    /// (path slice, data slice) → 1, or 0 and a message
    FileWrite,
    /// (path slice, data slice) → 1, or 0 and a message
    FileAppend,
    /// (path slice, recursively flag, pattern slice) → list of maps, or zero and a message
    FileList,
    /// (path slice) → map, or zero and a message
    FileStat,
    /// (path slice, kind flag) → flag
    FileExists,
    /// (path slice) → 1, or 0 and a message
    FileMakeDirectory,
    /// (path slice) → 1, or 0 and a message
    FileTouch,
    /// (source slice, target slice) → 1, or 0 and a message
    FileCopy,
    /// (source slice, target slice) → 1, or 0 and a message
    FileMove,
    /// (path slice) → 1, or 0 and a message
    FileRemove,
    /// (path slice) → 1, or 0 and a message
    FileWatch,
    /// ()
    FileUnwatch,
    /// (subject text, payload) → 1, or 0 and a message
    Emit,
    /// (event text, interval value, milliseconds of its unit, once flag, message text for an interval that is no number) → seconds, or zero and a message
    Schedule,
    /// (event text)
    CancelTimer,
    /// (): waits until the program is to end
    Keep,
    /// (port as number, negative for none) → port, or zero and a message
    StartServer,
    /// ()
    StopServer,
    /// (URL value, with value or zero, data or zero, method text, form flag, raw flag) → answer, or zero and a message
    Request,
    /// (URL value, with value or zero, data or zero, method text, form flag) → map, or zero and a message
    Probe,
    /// (URL value, with value or zero, zero, method text, form flag, event text) → 1, or 0 and a message
    Follow,
    /// (URL value, with value or zero, zero, method text, form flag, name text, soft flag) → socket; after a failure null if soft, else zero and a message
    OpenWebSocket,
    /// () → date
    Now,
    /// () → text of the time
    CurrentTime,
    /// () → text of a fresh UUID
    GeneratedId,
}

impl Expr {
    /// A call of the value runtime that cannot fail.
    pub(crate) fn runtime(name: &'static str, arguments: Vec<Argument>) -> Expr {
        Expr::Call {
            callee: Callee::Runtime(name),
            arguments,
            fails: Fails::Never,
        }
    }

    /// A call of the value runtime that fails with zero.
    pub(crate) fn fallible(
        name: &'static str,
        arguments: Vec<Argument>,
        kind: FailureKind,
    ) -> Expr {
        Expr::Call {
            callee: Callee::Runtime(name),
            arguments,
            fails: Fails::OnZero(kind),
        }
    }

    /// A call of a host helper that cannot fail.
    pub(crate) fn host(function: HostFunction, arguments: Vec<Argument>) -> Expr {
        Expr::Call {
            callee: Callee::Host(function),
            arguments,
            fails: Fails::Never,
        }
    }

    /// A call of a host helper that fails with zero.
    pub(crate) fn fallible_host(function: HostFunction, arguments: Vec<Argument>) -> Expr {
        Expr::Call {
            callee: Callee::Host(function),
            arguments,
            fails: Fails::OnZero(FailureKind::Action),
        }
    }

    /// Calls `visit` with each part of this expression.
    pub(crate) fn parts<'a>(&'a self, mut visit: impl FnMut(&'a Expr)) {
        match self {
            Expr::Call { arguments, .. } => {
                for argument in arguments {
                    if let Argument::Expr(expr) | Argument::Slice(expr) = argument {
                        visit(expr);
                    }
                }
            }
            Expr::Choose {
                condition,
                then,
                otherwise,
            } => [condition, then, otherwise]
                .into_iter()
                .for_each(|part| visit(part)),
            Expr::Flags(_, operands) | Expr::Native(_, operands) => {
                operands.iter().for_each(visit);
            }
            Expr::Extend(operand) => visit(operand),
            Expr::AddLong(left, right) | Expr::AtLeast(left, right) => {
                visit(left);
                visit(right);
            }
            Expr::Checked(checked) => {
                visit(&checked.left);
                visit(&checked.right);
            }
            Expr::Local(_)
            | Expr::Unbound
            | Expr::Flag(_)
            | Expr::Long(_)
            | Expr::Float(_)
            | Expr::Constant(_)
            | Expr::Undefined { .. } => {}
        }
    }

    /// Negation of a flag.
    #[must_use]
    pub(crate) fn negated(self) -> Expr {
        Expr::Flags(FlagOperator::Not, vec![self])
    }
}

impl From<Expr> for Argument {
    fn from(expr: Expr) -> Self {
        Argument::Expr(expr)
    }
}

impl From<TextId> for Argument {
    fn from(text: TextId) -> Self {
        Argument::Text(text)
    }
}
