//! The helpers through which a component talks to the host: one small function for each, emitted only where it is used.
//!
//! Offsets into the scratch area are the canonical ABI's layouts of the results that `wit/` declares.

mod body;
mod client;
mod event_stream;
mod file;
mod repository;
mod socket;
mod websocket;

use wasm_encoder::{Function, ValType};

use super::code::Symbols;
use crate::ir::HostFunction;
use body::{Body, at};

/// Bytes of scratch memory for results that do not fit one core value. The largest, `description`, takes 28.
pub(crate) const SCRATCH_BYTES: u32 = 32;

/// What a helper is made of.
pub(crate) struct Helper {
    /// Core parameters.
    pub(crate) params: &'static [ValType],
    /// Core results.
    pub(crate) results: &'static [ValType],
    /// The imported functions it calls, as interface and name.
    pub(crate) imports: &'static [(&'static str, &'static str)],
    /// The functions of the value runtime it calls.
    pub(crate) runtime: &'static [&'static str],
    /// Other helpers it calls.
    pub(crate) helpers: &'static [HostFunction],
}

impl Helper {
    /// One that calls no other helper.
    const fn of(
        params: &'static [ValType],
        results: &'static [ValType],
        imports: &'static [(&'static str, &'static str)],
        runtime: &'static [&'static str],
    ) -> Helper {
        Helper {
            params,
            results,
            imports,
            runtime,
            helpers: &[],
        }
    }
}

use aro_wit::interface as name;

pub(super) const I32: ValType = ValType::I32;

/// The parts of a helper.
#[expect(clippy::too_many_lines, reason = "a table, one row for each helper")]
pub(crate) fn helper(function: HostFunction) -> Helper {
    use HostFunction as H;
    match function {
        H::ConsoleWrite => Helper::of(&[I32; 3], &[], &[(name::CONSOLE, "write")], &[]),
        H::Listen
        | H::Connect
        | H::BroadcastWhere
        | H::Subscribe
        | H::Unsubscribe
        | H::PublishChannel
        | H::CountChannel => socket::helper(function),
        H::BroadcastWebSockets | H::CloseWebSocket | H::ConfigureWebSockets => {
            websocket::helper(function)
        }
        H::CurrentStream | H::BroadcastEventStreams | H::LabelEvent => {
            event_stream::helper(function)
        }
        H::Send => Helper::of(
            &[I32; 4],
            &[I32],
            &[(name::CONNECTIONS, "send")],
            &["socket_high", "socket_low", "raise"],
        ),
        H::Broadcast => Helper::of(
            &[I32; 3],
            &[],
            &[(name::CONNECTIONS, "broadcast")],
            &["socket_high", "socket_low"],
        ),
        H::CloseListener => Helper::of(
            &[I32],
            &[],
            &[(name::LISTENERS, "close")],
            &["socket_high", "socket_low"],
        ),
        H::CloseConnection => Helper::of(
            &[I32],
            &[],
            &[(name::CONNECTIONS, "close")],
            &["socket_high", "socket_low"],
        ),
        H::TraceStatement => Helper::of(&[I32], &[], &[(name::TRACE, "statement")], &[]),
        H::TraceBound => Helper::of(&[I32; 3], &[], &[(name::TRACE, "bound")], &["encode"]),
        H::FinishConnection => Helper::of(
            &[I32],
            &[],
            &[(name::CONNECTIONS, "finish")],
            &["socket_high", "socket_low"],
        ),
        H::Describe => Helper::of(
            &[I32],
            &[I32],
            &[(name::DIRECTORY, "describe")],
            &["socket_high", "socket_low", "description"],
        ),
        H::Find => Helper::of(&[I32; 2], &[I32], &[(name::DIRECTORY, "find")], &["socket"]),
        H::StepSocket => Helper {
            helpers: &[H::Describe],
            ..Helper::of(&[I32; 3], &[I32], &[], &["step"])
        },
        H::Publish => Helper::of(
            &[I32; 3],
            &[I32],
            &[(name::PUBLISHED, "publish")],
            &["encode"],
        ),
        H::ReadPublished => Helper::of(
            &[I32; 2],
            &[I32],
            &[(name::PUBLISHED, "read")],
            &["decode", "raise"],
        ),
        H::Store => Helper::of(
            &[I32; 3],
            &[I32],
            &[(name::REPOSITORIES, "store")],
            &["encode", "decode", "raise"],
        ),
        H::StoreCreated => Helper::of(&[], &[I32], &[], &[]),
        H::Retrieve => Helper::of(
            &[I32; 4],
            &[I32],
            &[(name::REPOSITORIES, "retrieve")],
            &["filter_list", "decode", "raise"],
        ),
        H::Delete => Helper::of(
            &[I32; 3],
            &[I32],
            &[(name::REPOSITORIES, "delete")],
            &["filter_list", "decode", "raise"],
        ),
        H::ClearRepository => Helper::of(
            &[I32; 2],
            &[I32],
            &[(name::REPOSITORIES, "clear")],
            &["raise"],
        ),
        H::Configure => Helper::of(
            &[I32; 5],
            &[I32],
            &[(name::REPOSITORIES, "configure")],
            &["encode", "raise"],
        ),
        H::Count => Helper::of(
            &[I32; 2],
            &[I32],
            &[(name::REPOSITORIES, "count")],
            &["int"],
        ),
        H::Environment => Helper::of(&[I32; 2], &[I32], &[(name::ENVIRONMENT, "get")], &["text"]),
        H::Metrics => Helper::of(&[I32; 2], &[I32], &[(name::METRICS, "read")], &["text"]),
        H::EnvironmentAll => Helper::of(&[], &[I32], &[(name::ENVIRONMENT, "all")], &["decode"]),
        H::Parameters => Helper::of(&[], &[I32], &[(name::PARAMETERS, "all")], &["decode"]),
        H::ReadInput => Helper::of(&[I32], &[I32], &[(name::INPUT, "read")], &["text", "raise"]),
        H::Sleep => Helper::of(&[ValType::I64], &[], &[(name::SLEEP, "sleep")], &[]),
        H::FileRead
        | H::FileWrite
        | H::FileAppend
        | H::FileList
        | H::FileStat
        | H::FileExists
        | H::FileMakeDirectory
        | H::FileTouch
        | H::FileCopy
        | H::FileMove
        | H::FileRemove
        | H::FileWatch
        | H::FileUnwatch
        | H::ServeFile => file::helper(function),
        H::Emit => Helper::of(
            &[I32; 3],
            &[I32],
            &[(name::EVENT_BUS, "emit")],
            &["encode", "raise"],
        ),
        H::Schedule => Helper::of(
            &[I32, I32, I32, ValType::I64, I32, I32, I32],
            &[I32],
            &[(name::EVENT_TIMERS, "schedule")],
            &["interval", "int", "raise"],
        ),
        H::CancelTimer => Helper::of(&[I32; 2], &[], &[(name::EVENT_TIMERS, "cancel")], &[]),
        H::Keep => Helper::of(&[], &[], &[(name::LIFETIME, "keep")], &[]),
        H::StartServer => Helper::of(
            &[ValType::I64],
            &[I32],
            &[(name::HTTP_SERVER, "start")],
            &["int", "raise"],
        ),
        H::Request | H::Probe | H::Follow | H::OpenWebSocket => client::helper(function),
        H::StopServer => Helper::of(&[], &[], &[(name::HTTP_SERVER, "stop")], &[]),
        H::Now => Helper::of(&[], &[I32], &[(name::WALL_CLOCK, "now")], &["date"]),
        H::CurrentTime => Helper::of(&[], &[I32], &[(name::WALL_CLOCK, "now")], &["iso"]),
        H::GeneratedId => Helper::of(&[], &[I32], &[(name::RANDOM, "get-random-u64")], &["uuid"]),
    }
}

/// Encodes the body of a helper. Parameters are locals 0…, `scratch` is the address of the scratch area.
pub(crate) fn body(function: HostFunction, symbols: &Symbols, scratch: i32) -> Function {
    let mut body = Body {
        function: Function::new([(1, ValType::I64)]),
        symbols,
        scratch,
    };
    body.write(function);
    body.function.instructions().end();
    body.function
}

impl Body<'_> {
    #[expect(clippy::too_many_lines, reason = "a table: one row for each function")]
    fn write(&mut self, function: HostFunction) {
        use HostFunction as H;
        match function {
            H::ConsoleWrite => self.locals(3).import(name::CONSOLE, "write"),
            H::Listen
            | H::Connect
            | H::BroadcastWhere
            | H::Subscribe
            | H::Unsubscribe
            | H::PublishChannel
            | H::CountChannel => self.socket(function),
            H::BroadcastWebSockets
            | H::CloseWebSocket
            | H::ConfigureWebSockets
            | H::CurrentStream
            | H::BroadcastEventStreams
            | H::LabelEvent
            | H::Follow
            | H::OpenWebSocket => self.of_http(function),
            H::Send => self.send(),
            H::Broadcast => self.broadcast(),
            H::CloseListener => self.halves().import(name::LISTENERS, "close"),
            H::CloseConnection => self.halves().import(name::CONNECTIONS, "close"),
            H::TraceStatement | H::TraceBound => self.trace(function),
            H::FinishConnection => self.halves().import(name::CONNECTIONS, "finish"),
            H::Describe => self.describe(),
            H::Find => self.find(),
            H::StepSocket => self.step_socket(),
            H::Publish => self.publish(),
            H::ReadPublished => self.read_published(),
            H::Store => self.store(),
            H::StoreCreated => self.load8(12),
            H::Retrieve => self.retrieve(),
            H::Delete => self.delete(),
            H::ClearRepository => self.clear_repository(),
            H::Configure => self.configure(),
            H::Count => self
                .locals(2)
                .import(name::REPOSITORIES, "count")
                .runtime("int"),
            H::Environment | H::Metrics => self.told(function),
            H::EnvironmentAll => self.decoded(name::ENVIRONMENT),
            H::Parameters => self.decoded(name::PARAMETERS),
            H::ReadInput => self.read_input(),
            H::Sleep => self.local(0).import(name::SLEEP, "sleep"),
            H::FileRead
            | H::FileWrite
            | H::FileAppend
            | H::FileList
            | H::FileStat
            | H::FileExists
            | H::FileMakeDirectory
            | H::FileTouch
            | H::FileCopy
            | H::FileMove
            | H::FileRemove
            | H::FileWatch
            | H::FileUnwatch
            | H::ServeFile => self.file(function),
            H::Emit => self.emit(),
            H::Schedule => self.schedule(),
            H::CancelTimer => self.locals(2).import(name::EVENT_TIMERS, "cancel"),
            H::Keep => self.import(name::LIFETIME, "keep"),
            H::StartServer => self.start_server(),
            H::Request | H::Probe | H::StopServer => self.http(function),
            H::Now => self
                .scratch()
                .import(name::WALL_CLOCK, "now")
                .load64(0)
                .load32(8)
                .runtime("date"),
            H::CurrentTime => self
                .scratch()
                .import(name::WALL_CLOCK, "now")
                .load64(0)
                .runtime("iso"),
            H::GeneratedId => self.generated_id(),
        };
    }

    /// WebSockets and streams of events, at both ends.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the caller passes functions of WebSockets and streams only"
    )]
    fn of_http(&mut self, function: HostFunction) -> &mut Self {
        use HostFunction as H;
        match function {
            H::CurrentStream | H::BroadcastEventStreams | H::LabelEvent => {
                self.event_stream(function)
            }
            H::Follow | H::OpenWebSocket => self.opening(function),
            _ => self.websocket(function),
        }
    }

    fn generated_id(&mut self) -> &mut Self {
        self.import(name::RANDOM, "get-random-u64")
            .import(name::RANDOM, "get-random-u64")
            .runtime("uuid")
    }

    fn http(&mut self, function: HostFunction) -> &mut Self {
        match function == HostFunction::StopServer {
            true => self.import(name::HTTP_SERVER, "stop"),
            false => self.request(function),
        }
    }

    /// A text by its name.
    fn told(&mut self, function: HostFunction) -> &mut Self {
        match function == HostFunction::Metrics {
            true => self.metrics(),
            false => self.environment(),
        }
    }

    fn environment(&mut self) -> &mut Self {
        self.locals(2).scratch().import(name::ENVIRONMENT, "get");
        self.load8(0).when(Some(I32)).load32(4).load32(8);
        self.runtime("text").otherwise().number(0).end()
    }

    fn metrics(&mut self) -> &mut Self {
        self.locals(2).scratch().import(name::METRICS, "read");
        self.load32(0).load32(4).runtime("text")
    }

    /// A `list<u8>` without parameters, decoded.
    fn decoded(&mut self, interface: &'static str) -> &mut Self {
        self.scratch().import(interface, "all");
        self.load32(0).load32(4).runtime("decode")
    }

    fn read_input(&mut self) -> &mut Self {
        self.local(0).scratch().import(name::INPUT, "read");
        self.load8(0).when(Some(I32)).load32(4).load32(8);
        self.runtime("raise").number(-1);
        self.otherwise().load8(4).when(Some(I32));
        self.load32(8).load32(12).runtime("text");
        self.otherwise().number(0).end().end()
    }

    /// What cannot be encoded is not told.
    fn trace(&mut self, function: HostFunction) -> &mut Self {
        if function == HostFunction::TraceStatement {
            return self.local(0).import(name::TRACE, "statement");
        }
        self.local(2).when(None);
        self.encoded(2).when(None).otherwise();
        self.locals(2).slice(3).import(name::TRACE, "bound");
        self.end().end()
    }

    fn emit(&mut self) -> &mut Self {
        self.encoded(2).when(Some(I32)).number(0).otherwise();
        self.locals(2)
            .slice(3)
            .scratch()
            .import(name::EVENT_BUS, "emit");
        self.failed()
            .when(Some(I32))
            .number(0)
            .otherwise()
            .number(1)
            .end()
            .end()
    }

    fn start_server(&mut self) -> &mut Self {
        let mut sink = self.function.instructions();
        sink.local_get(0).i64_const(PORT_MAX).i64_gt_s();
        self.when(Some(I32))
            .text(NO_PORT)
            .runtime("raise")
            .number(0);
        self.otherwise();
        // `option<u16>`: whether there is one, and which.
        let mut sink = self.function.instructions();
        sink.local_get(0).i64_const(0).i64_ge_s();
        sink.local_get(0).i32_wrap_i64();
        self.scratch().import(name::HTTP_SERVER, "start");
        self.failed().when(Some(I32)).number(0).otherwise();
        self.scratch();
        let mut sink = self.function.instructions();
        sink.i32_load16_u(at(4)).i64_extend_i32_u();
        self.runtime("int").end().end()
    }

    fn schedule(&mut self) -> &mut Self {
        self.local(2).local(3).runtime("interval");
        let mut sink = self.function.instructions();
        sink.local_tee(7).i64_const(0).i64_lt_s();
        self.when(Some(I32))
            .local(5)
            .local(6)
            .runtime("raise")
            .number(0);
        self.otherwise()
            .locals(2)
            .local(7)
            .local(4)
            .scratch()
            .import(name::EVENT_TIMERS, "schedule");
        self.failed().when(Some(I32)).number(0).otherwise();
        let mut sink = self.function.instructions();
        sink.local_get(7).i64_const(1000).i64_div_s();
        self.runtime("int").end().end()
    }
}

/// Largest port (RFC 9293 3.1).
const PORT_MAX: i64 = 65_535;
const NO_PORT: &str = "a port is a whole number from 0 to 65535";
const QUEUE_FULL: &str = "the peer does not read: its queue is full";

/// Constant texts that a helper needs.
pub(crate) fn texts(function: HostFunction) -> &'static [&'static str] {
    if function == HostFunction::Send {
        &[QUEUE_FULL]
    } else if function == HostFunction::StartServer {
        &[NO_PORT]
    } else {
        &[]
    }
}
