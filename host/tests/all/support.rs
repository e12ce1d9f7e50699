//! Makes artefacts out of core modules in text, and runs them.

use aro_host::{
    Captured, ConsoleSink, Host, Isolation, Outcome, Program, Settings, Stream, TenantId,
};
use aro_wit::manifest::{self, CodeRange, FeatureSet, Manifest, Origin, Statement, Trigger};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wasm_encoder::{ComponentSectionId, CustomSection, RawSection};
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

/// What any wait in these tests may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Memory, a bump allocator that grows, and the places that results are written to. 16: `ok` of a handler; 64: results of host functions; 1024: texts of the test.
const PRELUDE: &str = r#"
  (memory (export "memory") 3)
  (global $heap (mut i32) (i32.const 65536))
  (func $realloc (export "cabi_realloc") (param i32 i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and
      (i32.add (global.get $heap) (i32.sub (local.get $align) (i32.const 1)))
      (i32.xor (i32.sub (local.get $align) (i32.const 1)) (i32.const -1))))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (block $fits
      (br_if $fits (i32.le_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536))))
      (br_if $fits (i32.ne (i32.const -1) (memory.grow (i32.const 2))))
      unreachable)
    (local.get $at))
  (func $reset (param i32) (global.set $heap (i32.const 65536)))
"#;

/// A feature set of a test program.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) triggers: Vec<Trigger>,
    /// Interfaces it imports.
    pub(crate) imports: &'static [&'static str],
    /// Core `(import …)` fields.
    pub(crate) core_imports: &'static str,
    /// Everything else of its core module but the prelude.
    pub(crate) body: String,
}

pub(crate) const SEND: &str =
    r#"(import "aro:net/connections@0.1.0" "send" (func $send (param i64 i64 i32 i32 i32 i32)))"#;
pub(crate) const BROADCAST: &str = r#"(import "aro:net/connections@0.1.0" "broadcast" (func $broadcast (param i32 i64 i64 i32 i32) (result i32)))"#;
pub(crate) const CONNECTIONS: &str = "aro:net/connections@0.1.0";
pub(crate) const CONSOLE: &str = "aro:log/console@0.1.0";

impl Part {
    /// A handler of received bytes; `code` sees `$hi $lo $ptr $len`.
    pub(crate) fn data(
        imports: &'static [&'static str],
        core_imports: &'static str,
        code: &str,
    ) -> Self {
        let body = format!(
            r#"(func (export "aro:net/tcp-data@0.1.0#handle") (param $hi i64) (param $lo i64) (param $ptr i32) (param $len i32) (result i32) {code} (i32.const 16))
               (export "cabi_post_aro:net/tcp-data@0.1.0#handle" (func $reset))"#
        );
        Self {
            name: "On Data",
            triggers: vec![Trigger::TcpData],
            imports,
            core_imports,
            body,
        }
    }

    /// A handler of new connections; `code` sees `$hi $lo`.
    pub(crate) fn connected(
        imports: &'static [&'static str],
        core_imports: &'static str,
        code: &str,
    ) -> Self {
        let body = format!(
            r#"(func (export "aro:net/tcp-connected@0.1.0#handle") (param $hi i64) (param $lo i64) (result i32) {code} (i32.const 16))"#
        );
        Self {
            name: "On Connected",
            triggers: vec![Trigger::TcpConnected],
            imports,
            core_imports,
            body,
        }
    }

    /// A handler of closed connections; `code` sees `$hi $lo $ptr $len` of the reason.
    pub(crate) fn disconnected(
        imports: &'static [&'static str],
        core_imports: &'static str,
        code: &str,
    ) -> Self {
        let body = format!(
            r#"(func (export "aro:net/tcp-disconnected@0.1.0#handle") (param $hi i64) (param $lo i64) (param $ptr i32) (param $len i32) (result i32) {code} (i32.const 16))
               (export "cabi_post_aro:net/tcp-disconnected@0.1.0#handle" (func $reset))"#
        );
        Self {
            name: "On Disconnected",
            triggers: vec![Trigger::TcpDisconnected],
            imports,
            core_imports,
            body,
        }
    }

    /// A start that listens on a port of the system's choice and answers `[OK] startup`.
    pub(crate) fn start() -> Self {
        let body = r#"
          (data (i32.const 1024) "serverOKstartup")
          (func (export "aro:program/start@0.1.0#run") (result i32)
            (call $listen (i32.const 0) (i32.const 1024) (i32.const 6) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))
            (i32.store (i32.const 132) (i32.const 1030)) (i32.store (i32.const 136) (i32.const 2))
            (i32.store (i32.const 140) (i32.const 1032)) (i32.store (i32.const 144) (i32.const 7))
            (i32.const 128))"#;
        Self {
            name: "Application-Start",
            triggers: vec![Trigger::Start],
            imports: &["aro:net/listeners@0.1.0"],
            core_imports: r#"(import "aro:net/listeners@0.1.0" "listen" (func $listen (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))"#,
            body: body.to_owned(),
        }
    }

    /// A handler that sends back what it gets.
    pub(crate) fn echo() -> Self {
        Self::data(
            &[CONNECTIONS],
            SEND,
            "(call $send (local.get $hi) (local.get $lo) (local.get $ptr) (local.get $len) (i32.const 1) (i32.const 64))",
        )
    }

    pub(crate) fn component(&self) -> Vec<u8> {
        let text = format!(
            "(module $feature-set {} {PRELUDE} {})",
            self.core_imports, self.body
        );
        let mut module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let mut resolve = Resolve::default();
        for (file, package) in aro_wit::PACKAGES {
            resolve.push_str(file, package).unwrap();
        }
        let imports: String = self
            .imports
            .iter()
            .map(|import| format!("import {import};\n"))
            .collect();
        let exports: std::collections::BTreeSet<_> = self
            .triggers
            .iter()
            .map(|trigger| trigger.interface())
            .collect();
        let exports: String = exports
            .iter()
            .map(|export| format!("export {export};\n"))
            .collect();
        let world = format!("package test:part;\nworld part {{ {imports} {exports} }}");
        let package = resolve.push_str("part.wit", &world).unwrap();
        let world = resolve.select_world(&[package], Some("part")).unwrap();
        wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
            .unwrap();
        ComponentEncoder::default()
            .validate(true)
            .module(&module)
            .unwrap()
            .encode()
            .unwrap()
    }
}

/// The manifest of a program of these parts; each has one statement, which its second function onwards belongs to.
pub(crate) fn manifest_of(parts: &[Part]) -> Manifest {
    let feature_sets = parts.iter().enumerate().map(|(index, part)| FeatureSet {
        component: format!("part-{index}"),
        name: part.name.to_owned(),
        activity: "Test".to_owned(),
        triggers: part.triggers.clone(),
        statements: vec![Statement {
            file: 0,
            line: 3,
            column: 5,
            sentence: "Cannot send the reply to the peer.".to_owned(),
            text: "<Send> the <reply> to the <peer>.".to_owned(),
        }],
        code: (0..8)
            .map(|function| CodeRange {
                function,
                start: 0,
                statement: 0,
            })
            .collect(),
        needs: Vec::new(),
        ignores_headers: false,
        origin: Origin::Aro,
    });
    Manifest {
        format: manifest::FORMAT,
        program: "test".to_owned(),
        compiler: "test".to_owned(),
        files: vec!["main.aro".to_owned()],
        feature_sets: feature_sets.collect(),
        http: None,
        websockets: false,
        repositories: Vec::new(),
    }
}

/// The artefact of these parts.
pub(crate) fn artifact(parts: &[Part]) -> Vec<u8> {
    wrap(
        &manifest_of(parts),
        &parts.iter().map(Part::component).collect::<Vec<_>>(),
    )
}

/// An outer component of these nested ones.
pub(crate) fn wrap(manifest: &Manifest, components: &[Vec<u8>]) -> Vec<u8> {
    let mut outer = wasm_encoder::Component::new();
    for component in components {
        outer.section(&RawSection {
            id: ComponentSectionId::Component.into(),
            data: component,
        });
    }
    outer.section(&CustomSection {
        name: manifest::SECTION.into(),
        data: manifest.to_bytes().into(),
    });
    outer.finish()
}

/// Settings of a small host whose output can be read back.
pub(crate) fn settings() -> (Settings, Captured) {
    let captured = Captured::default();
    let mut settings = Settings::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
    settings.console = ConsoleSink::Capture(captured.clone());
    settings.limits.instances_max = 16;
    (settings, captured)
}

/// A running program.
pub(crate) struct Running {
    pub(crate) program: Program,
    pub(crate) console: Captured,
}

impl Running {
    pub(crate) async fn start(parts: &[Part]) -> Self {
        Self::start_with(parts, |_| {}).await
    }

    pub(crate) async fn start_with(parts: &[Part], change: impl FnOnce(&mut Settings)) -> Self {
        let (mut settings, console) = settings();
        change(&mut settings);
        Self::load(&artifact(parts), settings, console).await
    }

    pub(crate) async fn load(file: &[u8], settings: Settings, console: Captured) -> Self {
        let host = Host::new(settings).unwrap();
        let mut program = host.load(TenantId::default(), file).unwrap();
        assert_eq!(
            program.start().await,
            Outcome::Success,
            "{}",
            console.text(Stream::Output)
        );
        Self { program, console }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.program.listeners()[0]
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        within(TcpStream::connect(self.address())).await.unwrap()
    }

    pub(crate) async fn until(&self, stream: Stream, part: &str) -> String {
        within(self.console.wait(stream, |text| text.contains(part))).await
    }
}

/// Both isolations.
pub(crate) const ISOLATIONS: [Isolation; 2] =
    [Isolation::Event, Isolation::Reuse { events_max: 10 }];

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, work)
        .await
        .expect("this happens before the deadline")
}

/// Sends `bytes` and reads as many back.
pub(crate) async fn exchange(peer: &mut TcpStream, bytes: &[u8]) -> Vec<u8> {
    let mut answer = vec![0; bytes.len()];
    within(async {
        peer.write_all(bytes).await.unwrap();
        peer.read_exact(&mut answer).await.unwrap();
    })
    .await;
    answer
}

/// A stand-in for the value runtime: memory and a bump allocator under the names that components import.
pub(crate) fn runtime() -> Vec<u8> {
    let named = PRELUDE
        .replace("(export \"cabi_realloc\")", "(export \"realloc\")")
        .replace("(func $reset", "(func $reset (export \"reset\")");
    wat::parse_str(format!("(module $aro-runtime {named})")).unwrap()
}

/// An echo program in the shape that the compiler gives its artefacts.
pub(crate) fn compiled_echo() -> Vec<u8> {
    let echo = wat::parse_str(include_str!("fixtures/echo.wat")).unwrap();
    let parts = [Part::start(), Part::echo()];
    let manifest = manifest_of(&parts);
    let mut outer = wasm_encoder::Component::new();
    outer.section(&RawSection {
        id: ComponentSectionId::CoreModule.into(),
        data: &runtime(),
    });
    for component in [parts[0].component(), echo] {
        outer.section(&RawSection {
            id: ComponentSectionId::Component.into(),
            data: &component,
        });
    }
    outer.section(&CustomSection {
        name: manifest::SECTION.into(),
        data: manifest.to_bytes().into(),
    });
    outer.finish()
}
