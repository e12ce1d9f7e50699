//! Artifacts and programs that mean harm. Each is refused, or ends, with a sentence that names the thing; within a time; and a neighbour is answered all the while.

use crate::support::{
    CONNECTIONS, CONSOLE, Part, SEND, artifact, exchange, manifest_of, settings, within, wrap,
};
use aro_host::{Captured, ConsoleSink, Host, Outcome, Program, Settings, Stream, TenantId};
use aro_wit::manifest::CodeRange;
use std::error::Error;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use wasm_encoder::{
    CodeSection, Component, ComponentSectionId, CustomSection, Function, FunctionSection, Module,
    ModuleSection, RawSection, TypeSection,
};

/// How long a load may take: far longer than any of these does on a machine that has nothing else to do.
const LOAD_TIME_MAX: Duration = Duration::from_secs(30);
/// Memory that one of these may cost beyond what the process has.
const MEMORY_BYTES_MAX: u64 = 1 << 30;

/// A host of two tenants, one of which is well-behaved and is asked without pause.
struct Neighbourhood {
    host: Host,
    _neighbour: Program,
    over: Arc<AtomicBool>,
    talk: JoinHandle<u32>,
}

impl Neighbourhood {
    async fn new() -> Self {
        let mut shared = settings().0;
        shared.limits.instances_max = 32;
        let host = Host::new(shared).unwrap();
        let file = artifact(&[Part::start(), Part::echo()]);
        let id = TenantId::new("neighbour").unwrap();
        let mut neighbour = host.load_as(id, settings().0, &file).unwrap();
        assert_eq!(neighbour.start().await, Outcome::Success);
        let mut peer = TcpStream::connect(neighbour.listeners()[0]).await.unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let talk = tokio::spawn(async move {
            let mut answers = 0;
            while !seen.load(Ordering::Acquire) {
                assert_eq!(exchange(&mut peer, b"still here?").await, b"still here?");
                answers += 1;
            }
            answers
        });
        Self {
            host,
            _neighbour: neighbour,
            over,
            talk,
        }
    }

    /// Loads a file beside the event loop, within time and memory; answers the program, or what is said.
    async fn load(&self, name: &str, file: Vec<u8>, settings: Settings) -> Result<Program, String> {
        let host = self.host.clone();
        let id = TenantId::new("hostile").unwrap();
        let (begin, before) = (Instant::now(), resident_bytes());
        let loading = tokio::task::spawn_blocking(move || host.load_as(id, settings, &file));
        let loaded = loading
            .await
            .unwrap_or_else(|_| panic!("{name}: the loader panicked"));
        let (time, memory) = (begin.elapsed(), resident_bytes().saturating_sub(before));
        assert!(time < LOAD_TIME_MAX, "{name}: {time:?}");
        assert!(memory < MEMORY_BYTES_MAX, "{name}: {memory} bytes");
        loaded.map_err(|error| told(&error))
    }

    /// The neighbour has been answered to the end.
    async fn end(self) {
        self.over.store(true, Ordering::Release);
        let answers = within(self.talk).await.expect("the neighbour is answered");
        assert!(answers > 0);
    }
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}

/// An error with all its causes.
fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(text, ": {error}").unwrap();
        cause = error.source();
    }
    text
}

/// A program whose one feature set is this component, with a manifest that fits.
fn only(component: Vec<u8>) -> Vec<u8> {
    let mut manifest = manifest_of(&[Part::echo()]);
    manifest.feature_sets[0].triggers.clear();
    wrap(&manifest, &[component])
}

fn nested(text: &str) -> Vec<u8> {
    only(wat::parse_str(text).unwrap())
}

/// A component around a module with one function of this body.
fn function(body: impl FnOnce(&mut Function)) -> Vec<u8> {
    let mut module = Module::new();
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut code = CodeSection::new();
    let mut function = Function::new([]);
    body(&mut function);
    function.instructions().end();
    code.function(&function);
    module.section(&types).section(&functions).section(&code);
    let mut component = Component::new();
    component.section(&ModuleSection(&module));
    only(component.finish())
}

/// Components within each other.
fn matryoshka(depth: usize) -> Vec<u8> {
    let mut inner = Component::new().finish();
    for _ in 0..depth {
        let mut outer = Component::new();
        outer.section(&RawSection {
            id: ComponentSectionId::Component.into(),
            data: &inner,
        });
        inner = outer.finish();
    }
    only(inner)
}

/// The echo program with another manifest.
fn with_manifest(bytes: &[u8]) -> Vec<u8> {
    let mut outer = Component::new();
    outer.section(&RawSection {
        id: ComponentSectionId::Component.into(),
        data: &Part::echo().component(),
    });
    outer.section(&CustomSection {
        name: aro_wit::manifest::SECTION.into(),
        data: bytes.into(),
    });
    outer.finish()
}

/// A handler of bytes whose function has this type, and that of its core function.
fn mistyped(ty: &str, core: &str) -> Vec<u8> {
    let component = wat::parse_str(format!(
        r#"(component
          (core module $m (func (export "f") {core} (i32.const 0)))
          (core instance $i (instantiate $m))
          (func $f {ty} (canon lift (core func $i "f")))
          (instance $e (export "handle" (func $f)))
          (export "aro:net/tcp-data@0.1.0" (instance $e)))"#
    ));
    wrap(&manifest_of(&[Part::echo()]), &[component.unwrap()])
}

/// What is refused before anything of it runs: the thing, the file, a part of what is said.
type Refused = (&'static str, Vec<u8>, &'static str);

/// Too much, too large, too deep.
fn sizes() -> Vec<Refused> {
    let memories = "(core module (memory 1))".repeat(3);
    let tables = "(core module (table 1 funcref))".repeat(5);
    vec![
        (
            "many memories",
            nested(&format!("(component {memories})")),
            "3 memories in one feature set; at most 2 are allowed",
        ),
        (
            "memories in one module",
            nested("(component (core module (memory 1) (memory 1)))"),
            "damaged or truncated at byte",
        ),
        (
            "a memory of 4 GiB",
            nested("(component (core module $m (memory 65536)) (core instance (instantiate $m)))"),
            "feature set \"part-0\"",
        ),
        (
            "many tables",
            nested(&format!("(component {tables})")),
            "5 tables in one feature set; at most 4 are allowed",
        ),
        (
            "a huge table",
            nested(
                "(component (core module $m (table 10000000 funcref)) (core instance (instantiate $m)))",
            ),
            "feature set \"part-0\"",
        ),
        (
            "many components",
            nested(&format!("(component {})", "(component)".repeat(300))),
            "257 modules and components in one feature set; at most 256 are allowed",
        ),
        (
            "many modules",
            nested(&format!("(component {})", "(core module)".repeat(300))),
            "257 modules and components in one feature set; at most 256 are allowed",
        ),
        (
            "components nested deeply",
            matryoshka(2000),
            "17 levels of modules and components within each other; at most 16 are allowed",
        ),
        (
            "a giant function",
            function(|function| {
                for _ in 0..4_000_000 {
                    function.instructions().nop().nop();
                }
            }),
            "damaged or truncated at byte",
        ),
    ]
}

/// Manifests that do not fit, and what nobody has granted.
fn lies() -> Vec<Refused> {
    let manifest = manifest_of(&[Part::echo()]).to_bytes();
    let lying = |from: &str, to: &str| {
        let text = String::from_utf8(manifest.clone()).unwrap();
        assert!(text.contains(from), "{from} in {text}");
        with_manifest(text.replace(from, to).as_bytes())
    };
    vec![
        (
            "no manifest",
            wat::parse_str("(component)").unwrap(),
            "no section \"aro:manifest\": it was not built by aro-to-wasm",
        ),
        (
            "a manifest of noise",
            with_manifest(&[0xFF; 100]),
            "the manifest cannot be read",
        ),
        (
            "a manifest nested deeply",
            with_manifest("[".repeat(1 << 20).as_bytes()),
            "the manifest cannot be read",
        ),
        (
            "a manifest of another component",
            lying("tcp-data", "tcp-connected"),
            "part-0",
        ),
        (
            "an export of another type",
            mistyped("(param \"x\" u32) (result u32)", "(param i32) (result i32)"),
            "feature set \"part-0\" exports \"aro:net/tcp-data@0.1.0\" with another type than that interface has: ",
        ),
        (
            "an export without parameters",
            mistyped("(result u32)", "(result i32)"),
            "feature set \"part-0\" exports \"aro:net/tcp-data@0.1.0\" with another type than that interface has: ",
        ),
        (
            "an export that is no function",
            wrap(
                &manifest_of(&[Part::echo()]),
                &[wat::parse_str(
                    r#"(component
                      (instance $i)
                      (instance $e (export "handle" (instance $i)))
                      (export "aro:net/tcp-data@0.1.0" (instance $e)))"#,
                )
                .unwrap()],
            ),
            "feature set \"part-0\" must export \"aro:net/tcp-data@0.1.0\" for its trigger, and does not",
        ),
        (
            "a memory that nobody has",
            nested("(component (import \"wasi:filesystem/types@0.2.0\" (instance)))"),
            "feature set \"part-0\" imports \"wasi:filesystem/types@0.2.0\", which this host does not provide",
        ),
        (
            "what is not granted",
            nested("(component (import \"aro:net/outbound@0.1.0\" (instance)))"),
            "which is not granted: ",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_artifacts_are_refused_by_name_within_time_and_memory() {
    let neighbourhood = Neighbourhood::new().await;
    for (name, file, part) in sizes().into_iter().chain(lies()) {
        match neighbourhood.load(name, file, settings().0).await {
            Ok(_) => panic!("{name}: loaded"),
            Err(text) => assert!(text.contains(part), "{name}: {part:?} is not in {text:?}"),
        }
    }
    neighbourhood.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_looks_hostile_loads_within_time_and_memory() {
    let neighbourhood = Neighbourhood::new().await;
    let nested_blocks = function(|function| {
        let mut sink = function.instructions();
        for _ in 0..20_000 {
            sink.block(wasm_encoder::BlockType::Empty);
        }
        for _ in 0..20_000 {
            sink.end();
        }
    });
    let long = function(|function| {
        let mut sink = function.instructions();
        for _ in 0..50_000 {
            sink.i32_const(7).drop();
        }
    });
    for (name, file) in [
        ("blocks nested deeply", nested_blocks),
        ("a long function", long),
        ("components nested as far as they may be", matryoshka(15)),
    ] {
        let loaded = neighbourhood.load(name, file, settings().0).await;
        assert!(loaded.is_ok(), "{name}: {:?}", loaded.err());
    }
    neighbourhood.end().await;
}

/// Starts a program that is to fail; answers what it prints.
async fn start_fails(neighbourhood: &Neighbourhood, name: &str, file: Vec<u8>) -> String {
    let console = Captured::default();
    let mut settings = settings().0;
    settings.console = ConsoleSink::Capture(console.clone());
    let loaded = neighbourhood.load(name, file, settings).await;
    let mut program = loaded.unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(within(program.start()).await, Outcome::Failure, "{name}");
    console.text(Stream::Output) + &console.text(Stream::Error)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_that_trap_end_their_program_alone() {
    let neighbourhood = Neighbourhood::new().await;
    let start = |body: &str| {
        let mut part = Part::start();
        part.imports = &[];
        part.core_imports = "";
        part.body = format!(
            r#"(func (export "aro:program/start@0.1.0#run") (result i32) (i32.const 128)) {body}"#
        );
        artifact(&[part])
    };
    for (name, body, part) in [
        (
            "a trap while instantiating",
            "(func $init unreachable) (start $init)",
            "no instance could be made: stopped at an instruction that must not be reached",
        ),
        (
            "a loop while instantiating",
            "(func $init (loop (br 0))) (start $init)",
            "ms of CPU time",
        ),
        (
            "data outside of the memory",
            "(data (i32.const 0x7ffffff0) \"outside\")",
            "out of bounds",
        ),
        (
            "a deep start",
            "(func $init (call $init)) (start $init)",
            "recursed too deeply",
        ),
        (
            "a result outside of the memory",
            "(func (export \"x\")) (data (i32.const 132) \"\\ff\\ff\\ff\\7f\\ff\\ff\\ff\\7f\")",
            "error: ",
        ),
    ] {
        let told = start_fails(&neighbourhood, name, start(body)).await;
        assert!(told.contains(part), "{name}: {part:?} is not in {told:?}");
    }
    neighbourhood.end().await;
}

/// What the console says when a peer has sent `!` to a program whose handler does this.
async fn handled(neighbourhood: &Neighbourhood, name: &str, part: Part, wanted: &str) {
    let console = Captured::default();
    let mut settings = settings().0;
    settings.console = ConsoleSink::Capture(console.clone());
    settings.limits.cpu_time_max = Duration::from_millis(300);
    settings.limits.memory_bytes_max = 8 << 20;
    settings.limits.send_wait_max = Duration::from_millis(100);
    settings.limits.wall_time_max = Duration::from_secs(5);
    let file = artifact(&[Part::start(), part]);
    let loaded = neighbourhood.load(name, file, settings).await;
    let mut program = loaded.unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(within(program.start()).await, Outcome::Success, "{name}");
    let before = resident_bytes();
    let mut peer = TcpStream::connect(program.listeners()[0]).await.unwrap();
    within(peer.write_all(b"!")).await.unwrap();
    let told = console.wait(Stream::Error, |text| text.contains("Feature: "));
    let told = tokio::time::timeout(crate::support::DEADLINE, told).await;
    let told = told.unwrap_or_else(|_| panic!("{name}: nothing failed"));
    assert!(
        told.contains(wanted),
        "{name}: {wanted:?} is not in {told:?}"
    );
    let memory = resident_bytes().saturating_sub(before);
    assert!(memory < MEMORY_BYTES_MAX, "{name}: {memory} bytes");
}

const LISTEN: &str = r#"(import "aro:net/listeners@0.1.0" "listen" (func $listen (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))"#;
const WRITE: &str = r#"(import "aro:log/console@0.1.0" "write" (func $write (param i32 i32 i32)))"#;
const LISTENERS: &str = "aro:net/listeners@0.1.0";

/// Fails by an `unreachable` if `$listen` has answered an error.
const UNLESS_LISTENING: &str = "(if (i32.load8_u (i32.const 64)) (then unreachable))";

fn send(pointer: &str, length: &str) -> String {
    format!(
        "(call $send (local.get $hi) (local.get $lo) (i32.const {pointer}) (i32.const {length}) (i32.const 1) (i32.const 64))"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_calls_end_the_event() {
    let neighbourhood = Neighbourhood::new().await;
    let listen = "(call $listen (i32.const 0) (i32.const 1024) (i32.const 6) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))";
    for (name, part, wanted) in [
        (
            "a flood of lines",
            Part::data(
                &[CONSOLE],
                WRITE,
                "(loop $again (call $write (i32.const 0) (i32.const 1024) (i32.const 4)) (br $again))",
            ),
            "ran longer than 300 ms of CPU time",
        ),
        (
            "a flood of listeners",
            Part::data(
                &[LISTENERS],
                LISTEN,
                &format!("(loop $again {listen} {UNLESS_LISTENING} (br $again))"),
            ),
            "must not be reached",
        ),
        (
            "a flood of messages",
            Part::data(
                &[CONNECTIONS],
                SEND,
                &format!(
                    "(loop $again {} {UNLESS_LISTENING} (br $again))",
                    send("65536", "65536")
                ),
            ),
            "must not be reached",
        ),
    ] {
        handled(&neighbourhood, name, part, wanted).await;
    }
    neighbourhood.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_that_lie_about_their_length_end_the_event() {
    let neighbourhood = Neighbourhood::new().await;
    // A list of 100,000 pairs of texts, all of them the same megabyte: a hundred gigabytes, if somebody copies them.
    let amplified = "(local $i i32)
        (drop (call $realloc (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 4000000)))
        (loop $next
          (i32.store (i32.add (i32.const 131072) (i32.shl (local.get $i) (i32.const 4))) (i32.const 65536))
          (i32.store (i32.add (i32.const 131076) (i32.shl (local.get $i) (i32.const 4))) (i32.const 1048576))
          (i32.store (i32.add (i32.const 131080) (i32.shl (local.get $i) (i32.const 4))) (i32.const 65536))
          (i32.store (i32.add (i32.const 131084) (i32.shl (local.get $i) (i32.const 4))) (i32.const 1048576))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $next (i32.lt_u (local.get $i) (i32.const 100000))))
        (i32.store8 (i32.const 16) (i32.const 1))
        (i32.store (i32.const 40) (i32.const 131072)) (i32.store (i32.const 44) (i32.const 100000))";
    let claimed = "(i32.store8 (i32.const 16) (i32.const 1)) (i32.store (i32.const 40) (i32.const 0)) (i32.store (i32.const 44) (i32.const 0x7fffffff))";
    for (name, part, wanted) in [
        (
            "a list outside of the memory",
            Part::data(&[CONNECTIONS], SEND, &send("65536", "0x7fffffff")),
            "error: ",
        ),
        (
            "a list behind the end of the memory",
            Part::data(&[CONNECTIONS], SEND, &send("-1", "-1")),
            "error: ",
        ),
        (
            "a list of nothing that ends nowhere",
            Part::data(&[CONNECTIONS], SEND, claimed),
            "error: ",
        ),
        (
            "a list that is more than it seems",
            Part::data(&[CONNECTIONS], SEND, amplified),
            "error: ",
        ),
    ] {
        handled(&neighbourhood, name, part, wanted).await;
    }
    neighbourhood.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_that_lies_about_places_misleads_nobody() {
    let neighbourhood = Neighbourhood::new().await;
    let parts = [Part::start(), Part::data(&[], "", "unreachable")];
    let components: Vec<_> = parts.iter().map(Part::component).collect();
    let ranges = [
        (
            CodeRange {
                function: 0,
                start: 0,
                statement: u32::MAX,
            },
            0,
        ),
        (
            CodeRange {
                function: u32::MAX,
                start: u32::MAX,
                statement: 0,
            },
            0,
        ),
        (
            CodeRange {
                function: 0,
                start: 0,
                statement: 0,
            },
            u32::MAX,
        ),
    ];
    for (range, file) in ranges {
        let mut manifest = manifest_of(&parts);
        for entry in &mut manifest.feature_sets {
            entry.code = vec![range; 3];
            entry.statements[0].file = file;
        }
        let console = Captured::default();
        let mut settings = settings().0;
        settings.console = ConsoleSink::Capture(console.clone());
        let file = wrap(&manifest, &components);
        let mut program = match neighbourhood.load("a lying manifest", file, settings).await {
            Ok(program) => program,
            // Refusing it is as good.
            Err(_) => continue,
        };
        assert_eq!(within(program.start()).await, Outcome::Success);
        let mut peer = TcpStream::connect(program.listeners()[0]).await.unwrap();
        within(peer.write_all(b"!")).await.unwrap();
        let told = within(console.wait(Stream::Error, |text| text.contains("Feature: "))).await;
        assert!(told.contains("must not be reached"), "{told}");
    }
    neighbourhood.end().await;
}
