//! A program, compiled in memory and hosted in this process.

use crate::peer::Peer;
use crate::within;
use aro_host::{
    Captured, Consent, ConsoleSink, DeployError, Entries, Host, Observed, Outcome, Program,
    Release, Settings, Stream, TenantId,
};
use aro_to_wasm::source::SourceFile;
use aro_to_wasm::{Input, diagnostic};
use aro_to_wasm_cli::project;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

/// A program of these files, as path and text in program order.
#[must_use]
pub fn sources(files: &[(&str, &str)]) -> Input {
    let file = |(path, text): &(&str, &str)| SourceFile {
        path: (*path).to_owned(),
        text: (*text).to_owned(),
    };
    Input {
        name: "test".to_owned(),
        files: files.iter().map(file).collect(),
        ..Input::default()
    }
}

/// A program of one file, with the contract of its HTTP server.
#[must_use]
pub fn service(text: &str, contract: &str) -> Input {
    Input {
        contract: Some(SourceFile {
            path: "openapi.yaml".to_owned(),
            text: contract.to_owned(),
        }),
        ..sources(&[("main.aro", text)])
    }
}

/// Serves a program of one file with other settings.
pub async fn serve(text: &str, change: impl FnOnce(&mut Settings)) -> Server {
    Server::start_with(sources(&[("main.aro", text)]), change).await
}

/// The program in a directory of the repository.
#[must_use]
pub fn directory(path: impl AsRef<Path>) -> Input {
    let path = crate::repository().join(path);
    project::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the compiler says to a program, drawn without colour; empty if nothing.
#[must_use]
pub fn diagnose(program: Input) -> String {
    match aro_to_wasm::compile(program) {
        Ok(compiled) => diagnostic::render(&compiled.diagnostics, &compiled.files, false),
        Err(refused) => refused.to_string(),
    }
}

/// The bytes of a program that must compile.
#[must_use]
pub fn compile(program: Input) -> Vec<u8> {
    let compiled = aro_to_wasm::compile(program).unwrap_or_else(|refused| panic!("{refused}"));
    match compiled.artifact {
        Some(artifact) => artifact.bytes,
        None => panic!(
            "{}",
            diagnostic::render(&compiled.diagnostics, &compiled.files, false)
        ),
    }
}

/// A program that serves on loopback. Its first listener gets a port of the system's choice, whatever its text says.
pub struct Server {
    host: Host,
    program: Program,
    console: Captured,
}

/// What is left of a server.
#[derive(Debug)]
pub struct Stopped {
    /// How the program ended.
    pub outcome: Outcome,
    /// All that it wrote to standard output.
    pub output: String,
    /// All that it wrote to standard error.
    pub error: String,
}

impl Server {
    /// Serves `program` with the defaults of `serve`.
    pub async fn start(program: Input) -> Self {
        Self::start_with(program, |_| {}).await
    }

    /// Serves `program` with other settings.
    pub async fn start_with(program: Input, change: impl FnOnce(&mut Settings)) -> Self {
        let console = Captured::default();
        let mut settings = Settings::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
        settings.socket_port_override = Some(0);
        settings.console = ConsoleSink::Capture(console.clone());
        // Address space is reserved for each instance, and many servers share this process.
        settings.limits.instances_max = 64;
        change(&mut settings);
        let host = Host::new(settings).expect("the settings of a test are sound");
        let bytes = compile(program);
        let mut program = match host.load(TenantId::default(), &bytes) {
            Ok(program) => program,
            Err(error) => panic!("{error:?}"),
        };
        let outcome = within("the program starts", program.start()).await;
        assert_eq!(
            outcome,
            Outcome::Success,
            "{}",
            console.text(Stream::Output)
        );
        Self {
            host,
            program,
            console,
        }
    }

    /// Puts another program in its place; answers the number of the version.
    ///
    /// # Errors
    /// [`DeployError`] if the host refuses it.
    pub async fn deploy(&self, program: Input) -> Result<u64, DeployError> {
        self.deploy_bytes(compile(program)).await
    }

    /// Puts another artifact in its place.
    ///
    /// # Errors
    /// [`DeployError`] if the host refuses it.
    pub async fn deploy_bytes(&self, artifact: Vec<u8>) -> Result<u64, DeployError> {
        let tenant = TenantId::default();
        within(
            "a deployment",
            self.host.deploy(&tenant, artifact, Consent::Given),
        )
        .await
    }

    /// Goes back to an earlier version.
    ///
    /// # Errors
    /// [`DeployError`] if the host refuses that.
    pub async fn rollback(&self, number: Option<u64>) -> Result<u64, DeployError> {
        let tenant = TenantId::default();
        within("a rollback", self.host.rollback(&tenant, number)).await
    }

    /// The versions that were deployed.
    #[must_use]
    pub fn releases(&self) -> Vec<Release> {
        let releases = self.host.releases(&TenantId::default());
        releases.expect("the tenant exists as long as this")
    }

    /// Where its first listener listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        let listeners = self.program.listeners();
        *listeners.first().expect("the program listens")
    }

    /// Where its HTTP server listens.
    #[must_use]
    pub fn http_address(&self) -> SocketAddr {
        let servers = self.program.http_servers();
        *servers.first().expect("the program serves HTTP")
    }

    /// Where its listeners listen, in the order in which they were opened.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.program.listeners()
    }

    /// How much the host holds for it.
    #[must_use]
    pub fn entries(&self) -> Entries {
        self.program.entries()
    }

    /// A new peer.
    pub async fn connect(&self) -> Peer {
        Peer::connect(self.address()).await
    }

    /// Waits until standard output has `part`; answers all of it.
    pub async fn output(&self, part: &str) -> String {
        self.until(Stream::Output, part).await
    }

    /// Waits until standard error has `part`; answers all of it.
    pub async fn error(&self, part: &str) -> String {
        self.until(Stream::Error, part).await
    }

    /// Waits until standard output has `part` as often as that; answers all of it.
    pub async fn output_times(&self, part: &str, times: usize) -> String {
        self.until_times(Stream::Output, part, times).await
    }

    async fn until(&self, stream: Stream, part: &str) -> String {
        self.until_times(stream, part, 1).await
    }

    async fn until_times(&self, stream: Stream, part: &str, times: usize) -> String {
        let found = self
            .console
            .wait(stream, |text| text.matches(part).count() >= times);
        match tokio::time::timeout(crate::DEADLINE, found).await {
            Ok(text) => text,
            Err(_) => panic!(
                "not {times} times {part:?} in {stream:?}:\n{}",
                self.console.text(stream)
            ),
        }
    }

    /// Waits until standard error has `part` as often as that; answers all of it.
    pub async fn error_times(&self, part: &str, times: usize) -> String {
        self.until_times(Stream::Error, part, times).await
    }

    /// Standard error so far.
    #[must_use]
    pub fn errors(&self) -> String {
        self.console.text(Stream::Error)
    }

    /// Waits until `count` connections are open.
    pub async fn connections(&self, count: usize) {
        let reached = async {
            while self.program.connections() != count {
                tokio::task::yield_now().await;
            }
        };
        within(&format!("{count} connections are open"), reached).await;
    }

    /// What the host has counted.
    #[must_use]
    pub fn observe(&self) -> Observed {
        self.program.observe()
    }

    /// How often somebody met the limit of that name.
    #[must_use]
    pub fn limit_hits(&self, name: &str) -> u64 {
        let tenants = self.host.tenants();
        let mut limits = tenants.iter().flat_map(|tenant| &tenant.limits);
        let met = limits.find(|(limit, _)| *limit == name);
        met.map_or(0, |(_, times)| *times)
    }

    /// Ends the program as a signal would.
    pub async fn stop(self) -> Stopped {
        let outcome = within("the program stops", self.program.stop()).await;
        Stopped {
            outcome,
            output: self.console.text(Stream::Output),
            error: self.console.text(Stream::Error),
        }
    }
}
