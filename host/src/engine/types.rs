//! Rust twins of the records in the WIT packages.

#![expect(
    dead_code,
    reason = "the engine makes values of the lifted types and never sees some variants of the lowered ones"
)]

use crate::failure::{Failure, FailureKind};
use crate::net::websocket::Kind;
use wasmtime::component::{ComponentType, Lift, Lower, WasmStr};

/// `type socket = tuple<u64, u64>`.
pub(super) type WitSocket = (u64, u64);

#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
pub(super) enum WitFailureKind {
    #[component(name = "action")]
    Action,
    #[component(name = "expression")]
    Expression,
    #[component(name = "runtime")]
    Runtime,
}

#[derive(ComponentType, Lift, Debug)]
#[component(record)]
pub(super) struct WitFailure {
    statement: Option<u32>,
    kind: WitFailureKind,
    cause: String,
    trace: Vec<(String, String)>,
}

impl From<WitFailure> for Failure {
    fn from(failure: WitFailure) -> Self {
        let kind = match failure.kind {
            WitFailureKind::Action => FailureKind::Action,
            WitFailureKind::Expression => FailureKind::Expression,
            WitFailureKind::Runtime => FailureKind::Runtime,
        };
        Self::of_program(failure.statement, kind, failure.cause, failure.trace)
    }
}

/// The failure of a test, which may also be an unmet expectation.
#[derive(ComponentType, Lift, Debug)]
#[component(record)]
pub(super) struct WitTestFailure {
    statement: Option<u32>,
    kind: WitTestFailureKind,
    cause: String,
    trace: Vec<(String, String)>,
}

#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
pub(super) enum WitTestFailureKind {
    #[component(name = "action")]
    Action,
    #[component(name = "expression")]
    Expression,
    #[component(name = "runtime")]
    Runtime,
    #[component(name = "assertion")]
    Assertion,
}

impl From<WitTestFailure> for Failure {
    fn from(failure: WitTestFailure) -> Self {
        let kind = match failure.kind {
            WitTestFailureKind::Action => FailureKind::Action,
            WitTestFailureKind::Expression => FailureKind::Expression,
            WitTestFailureKind::Runtime => FailureKind::Runtime,
            WitTestFailureKind::Assertion => FailureKind::Assertion,
        };
        Self::of_program(failure.statement, kind, failure.cause, failure.trace)
    }
}

/// `message-kind` of `aro:net`.
#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
pub(super) enum WitMessageKind {
    #[component(name = "text")]
    Text,
    #[component(name = "binary")]
    Binary,
}

impl From<Kind> for WitMessageKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text,
            Kind::Binary => Self::Binary,
        }
    }
}

impl From<WitMessageKind> for Kind {
    fn from(kind: WitMessageKind) -> Self {
        match kind {
            WitMessageKind::Text => Self::Text,
            WitMessageKind::Binary => Self::Binary,
        }
    }
}

/// `aro:console/input.amount`.
#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
pub(super) enum WitAmount {
    #[component(name = "line")]
    Line,
    #[component(name = "rest")]
    Rest,
}

/// `aro:files/reading.kind`.
#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
pub(super) enum WitWanted {
    #[component(name = "any")]
    Any,
    #[component(name = "file")]
    File,
    #[component(name = "directory")]
    Directory,
}

#[derive(ComponentType, Lift, Debug)]
#[component(record)]
pub(super) struct WitResponse {
    pub(super) status: String,
    pub(super) reason: String,
    pub(super) fields: Vec<(String, String)>,
}

/// `aro:http/handler.request`.
#[derive(ComponentType, Lower, Debug)]
#[component(record)]
pub(super) struct WitRequest {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// `aro:http/handler.response`.
#[derive(ComponentType, Lift, Debug)]
#[component(record)]
pub(super) struct WitHttpResponse {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// `aro:http/client.ask`.
#[derive(ComponentType, Lift, Debug)]
#[component(record)]
pub(super) struct WitAsk {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) timeout: u32,
}

/// `aro:http/client.answer`.
#[derive(ComponentType, Lower, Debug)]
#[component(record)]
pub(super) struct WitAnswer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) latency: u32,
}

/// `aro:http/client.error-code`.
#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
pub(super) enum WitRequestCode {
    #[component(name = "invalid")]
    Invalid,
    #[component(name = "denied")]
    Denied,
    #[component(name = "unreachable")]
    Unreachable,
    #[component(name = "insecure")]
    Insecure,
    #[component(name = "timed-out")]
    TimedOut,
    #[component(name = "too-large")]
    TooLarge,
    #[component(name = "broken")]
    Broken,
    #[component(name = "exhausted")]
    Exhausted,
}

#[derive(ComponentType, Lower, Debug)]
#[component(record)]
pub(super) struct WitRequestError {
    pub(super) code: WitRequestCode,
    pub(super) message: String,
}

#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
pub(super) enum WitStream {
    #[component(name = "output")]
    Output,
    #[component(name = "error")]
    Error,
}

#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
pub(super) enum WitSendError {
    #[component(name = "closed")]
    Closed,
    #[component(name = "full")]
    Full,
}

#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
pub(super) enum WitFraming {
    #[component(name = "raw")]
    Raw,
    #[component(name = "line")]
    Line,
    #[component(name = "length32")]
    Length32,
}

/// `aro:net/listeners.listen-options`.
#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct WitListenOptions {
    pub(super) host: WasmStr,
    pub(super) framing: WitFraming,
    #[component(name = "frame-bytes-max")]
    pub(super) frame_bytes_max: u32,
    #[component(name = "reuse-port")]
    pub(super) reuse_port: bool,
    #[component(name = "half-close")]
    pub(super) half_close: bool,
}

/// `aro:net/outbound.connect-options`.
#[derive(ComponentType, Lift, Clone, Copy, Debug)]
#[component(record)]
pub(super) struct WitConnectOptions {
    pub(super) framing: WitFraming,
    #[component(name = "frame-bytes-max")]
    pub(super) frame_bytes_max: u32,
    pub(super) timeout: u32,
    #[component(name = "half-close")]
    pub(super) half_close: bool,
}

/// `aro:net/outbound.connect-error-code`.
#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
pub(super) enum WitConnectCode {
    #[component(name = "refused")]
    Refused,
    #[component(name = "not-found")]
    NotFound,
    #[component(name = "timed-out")]
    TimedOut,
    #[component(name = "denied")]
    Denied,
    #[component(name = "exhausted")]
    Exhausted,
    #[component(name = "failed")]
    Failed,
}

#[derive(ComponentType, Lower, Clone, Debug)]
#[component(record)]
pub(super) struct WitConnectError {
    pub(super) code: WitConnectCode,
    pub(super) message: String,
}

#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
pub(super) enum WitSocketKind {
    #[component(name = "listener")]
    Listener,
    #[component(name = "inbound")]
    Inbound,
    #[component(name = "outbound")]
    Outbound,
    #[component(name = "websocket")]
    WebSocket,
    #[component(name = "event-stream")]
    EventStream,
}

#[derive(ComponentType, Lower, Clone, Debug)]
#[component(record)]
pub(super) struct WitDescription {
    pub(super) kind: WitSocketKind,
    #[component(name = "remote-address")]
    pub(super) remote_address: String,
    pub(super) name: String,
    pub(super) port: u16,
    pub(super) open: bool,
}

#[derive(ComponentType, Lower, Clone, Copy, Debug)]
#[component(record)]
pub(super) struct WitDatetime {
    pub(super) seconds: u64,
    pub(super) nanoseconds: u32,
}

/// `aro:state/repositories.selection`.
#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
pub(super) enum WitSelection {
    #[component(name = "all")]
    All,
    #[component(name = "first")]
    First,
    #[component(name = "last")]
    Last,
    #[component(name = "random")]
    Random,
}

#[derive(ComponentType, Lift, Lower, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
pub(super) enum WitOperator {
    #[component(name = "equal")]
    Equal,
    #[component(name = "not-equal")]
    NotEqual,
    #[component(name = "less")]
    Less,
    #[component(name = "less-or-equal")]
    LessOrEqual,
    #[component(name = "greater")]
    Greater,
    #[component(name = "greater-or-equal")]
    GreaterOrEqual,
    #[component(name = "contains")]
    Contains,
    #[component(name = "starts-with")]
    StartsWith,
    #[component(name = "ends-with")]
    EndsWith,
    #[component(name = "matches")]
    Matches,
    #[component(name = "one-of")]
    OneOf,
    #[component(name = "not-one-of")]
    NotOneOf,
}

#[derive(ComponentType, Lift, Debug)]
#[component(record)]
pub(super) struct WitComparison {
    pub(super) field: String,
    pub(super) operator: WitOperator,
    pub(super) value: Vec<u8>,
}

/// `type filter = list<list<comparison>>`.
pub(super) type WitFilter = Vec<Vec<WitComparison>>;

#[derive(ComponentType, Lower, Clone, Debug)]
#[component(record)]
pub(super) struct WitStored {
    pub(super) row: Vec<u8>,
    pub(super) created: bool,
}
