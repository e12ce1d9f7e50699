//! Wiring: load a program, start it, serve until it is to end, drain, stop.

use crate::artifact;
use crate::config::{ContractChecks, Settings, SettingsError};
use crate::conn::outbound::Closing;
use crate::conn::table::Which;
use crate::console::Stream;
use crate::engine::feature_set::{Call, Cause, FeatureSet, Response};
use crate::engine::{Engine, EngineStartError, LoadError};
use crate::failure::{Failure, FailureKind};
use crate::net::websocket::CloseReason;
use crate::observe::Observed;
use crate::route::Routes;
use crate::store::write_back;
use crate::tenant::{Phase, Tenant, TenantId};
use aro_wit::manifest::Trigger;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What the end of the process waits for beyond the flush of queues: lingering ends of streams.
const END_GRACE: Duration = Duration::from_secs(1);

/// Why a host cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The settings are refused.
    #[error("the settings are refused")]
    Settings(#[from] SettingsError),
    /// The engine cannot start.
    #[error(transparent)]
    Engine(#[from] EngineStartError),
}

/// A host: one engine and its tenants. One for each process is enough.
#[derive(Clone)]
pub struct Host {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    settings: Arc<Settings>,
    tenants: Mutex<BTreeMap<TenantId, Arc<Tenant>>>,
}

impl Host {
    /// Sets the engine up: reserves address space for its instances and starts its clock.
    ///
    /// # Errors
    /// [`HostError`] if the settings contradict each other or the system gives too little.
    pub fn new(settings: Settings) -> Result<Self, HostError> {
        settings.validate()?;
        let engine = Engine::new(&settings)?;
        Ok(Self {
            shared: Arc::new(Shared {
                engine,
                settings: Arc::new(settings),
                tenants: Mutex::default(),
            }),
        })
    }

    /// Checks, compiles and links the program in `file`. Nothing runs yet.
    ///
    /// # Errors
    /// [`LoadError`] says what is wrong with the file, or that the tenant has a program already.
    pub fn load(&self, id: TenantId, file: &[u8]) -> Result<Program, LoadError> {
        let artifact = artifact::dissect(file, &self.shared.settings.artifact)?;
        let loaded = |tenants: &BTreeMap<TenantId, Arc<Tenant>>| match tenants.contains_key(&id) {
            true => Err(LoadError::Loaded {
                tenant: id.to_string(),
            }),
            false => Ok(()),
        };
        // Before its data file is opened, which another program of the tenant has open.
        loaded(&self.shared.tenants.lock())?;
        let settings = &self.shared.settings;
        let tenant = Arc::new(Tenant::new(id.clone(), settings, &artifact.manifest)?);
        let (manifest, feature_sets) = self.shared.engine.load(artifact, &tenant)?;
        let mut routes = Routes::new(manifest, &feature_sets);
        let checked = settings.contract > ContractChecks::None;
        if let Some(http) = routes.manifest.http.as_ref().filter(|_| checked) {
            routes.http.check(http)?;
        }
        let routes = Arc::new(routes);
        let mut tenants = self.shared.tenants.lock();
        loaded(&tenants)?;
        tenants.insert(id.clone(), Arc::clone(&tenant));
        drop(tenants);
        Ok(Program {
            host: self.clone(),
            tenant,
            routes,
            feature_sets,
            response: None,
        })
    }
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Success,
    /// Its start failed; the error has been printed.
    Failure,
}

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestOutcome {
    /// All it expects holds.
    Passed,
    /// Something it expects does not hold: what was expected and what was found.
    Failed(String),
    /// It could not be run to its end: why.
    Error(String),
}

/// How much the host holds for a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entries {
    /// Listeners and connections.
    pub sockets: usize,
    /// Channels.
    pub channels: usize,
    /// Tasks: one for each socket, timer and event that nobody waits for.
    pub tasks: usize,
}

/// A loaded program of one tenant. Dropping it ends it without ceremony.
pub struct Program {
    host: Host,
    tenant: Arc<Tenant>,
    routes: Arc<Routes>,
    feature_sets: Vec<Arc<FeatureSet>>,
    response: Option<Response>,
}

impl Program {
    /// Runs the program from start to end (runtime.md 1.3 to 1.5): until `stop` completes, or until it has nothing left to wait for.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Outcome {
        let mut stop = pin!(stop);
        let tenant = Arc::clone(&self.tenant);
        let started = {
            let mut start = pin!(self.start());
            tokio::select! {
                started = start.as_mut() => Some(started),
                () = stop.as_mut() => {
                    tenant.stopping.cancel();
                    // A start that waits for this goes on; one that has something else to do is cut off.
                    if tenant.keeping.load(Ordering::Acquire) { Some(start.await) } else { None }
                }
            }
        };
        match started {
            // Nothing has begun that would have to be ended in order.
            None => {
                self.close().await;
                Outcome::Success
            }
            Some(Outcome::Failure) => Outcome::Failure,
            Some(Outcome::Success) => {
                if !tenant.stopping.is_cancelled() {
                    tokio::select! {
                        () = stop => {}
                        () = self.finished() => {}
                    }
                }
                self.stop().await
            }
        }
    }

    /// Runs the feature set that starts the program. After a failure the program is over.
    pub async fn start(&mut self) -> Outcome {
        self.tenant.routes.store(Some(Arc::clone(&self.routes)));
        write_back::start(&self.tenant);
        let Some(start) = self.routes.start.clone() else {
            self.tenant.console.write(
                Stream::Output,
                "Runtime error: Entry point not found: 'Application-Start'",
            );
            self.close().await;
            return Outcome::Failure;
        };
        match start.start().await {
            Ok(response) => {
                self.response = Some(response);
                Outcome::Success
            }
            Err(failure) => {
                self.end_after(&failure, &start).await;
                Outcome::Failure
            }
        }
    }

    /// Completes when no listener and no outbound connection is open and no handler runs: nothing can happen any more.
    pub async fn finished(&self) {
        loop {
            let changed = self.tenant.sources_changed.notified();
            if self.tenant.sources() > 0 {
                changed.await;
                continue;
            }
            self.tenant.idle().await;
            // A handler may have opened something before it ended.
            if self.tenant.sources() == 0 {
                return;
            }
        }
    }

    /// Ends the program: nothing more is accepted or read, events in flight finish, `Application-End` runs, queues are flushed, the response of the start is printed.
    pub async fn stop(mut self) -> Outcome {
        self.drain().await;
        if let Some(end) = &self.routes.end_success {
            let ended = end.run(Cause::LifeCycle, Call::End { error: None }).await;
            self.report_end(end, ended);
        }
        self.close().await;
        if let Some(response) = self
            .response
            .take()
            .filter(|response| response.reason != "application")
        {
            let mut text = format!("[{}] {}", response.status, response.reason);
            for (name, value) in &response.fields {
                text.push_str(&format!("\n  {name}: {value}"));
            }
            self.tenant.console.write(Stream::Output, &text);
        }
        Outcome::Success
    }

    /// Its tests by name, in the order in which they are written.
    #[must_use]
    pub fn tests(&self) -> Vec<String> {
        self.test_sets()
            .map(|set| set.entry().name.clone())
            .collect()
    }

    fn test_sets(&self) -> impl Iterator<Item = &Arc<FeatureSet>> {
        let is_test = |set: &&Arc<FeatureSet>| set.entry().triggers.contains(&Trigger::Test);
        self.feature_sets.iter().filter(is_test)
    }

    /// Runs one of its tests, by position in [`tests`](Self::tests); a position behind the last one passes.
    pub async fn test(&self, index: usize) -> TestOutcome {
        let Some(set) = self.test_sets().nth(index) else {
            return TestOutcome::Passed;
        };
        match set.test().await {
            Ok(()) => TestOutcome::Passed,
            Err(failure) if failure.kind == FailureKind::Assertion => {
                TestOutcome::Failed(failure.cause)
            }
            Err(failure) => {
                TestOutcome::Error(failure.describe(&self.routes.manifest, set.entry()))
            }
        }
    }

    /// Local addresses of the open listeners, in the order in which they were opened.
    #[must_use]
    pub fn listeners(&self) -> Vec<SocketAddr> {
        self.tenant
            .sockets
            .listeners()
            .iter()
            .map(|listener| listener.address)
            .collect()
    }

    /// Local addresses of the open HTTP servers, in the order in which they were opened.
    #[must_use]
    pub fn http_servers(&self) -> Vec<SocketAddr> {
        let servers = self.tenant.http.lock();
        servers.iter().map(|server| server.address()).collect()
    }

    /// Connections that are open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.tenant.connections.load(Ordering::Acquire)
    }

    /// Sockets and channels in the tables, what is about to leave them included.
    #[must_use]
    pub fn entries(&self) -> Entries {
        Entries {
            sockets: self.tenant.sockets.len(),
            channels: self.tenant.channels.len(),
            tasks: self.tenant.tasks.len(),
        }
    }

    /// What has been counted so far.
    #[must_use]
    pub fn observe(&self) -> Observed {
        self.tenant.counters.observe()
    }

    async fn end_after(&self, failure: &Failure, start: &FeatureSet) {
        self.drain().await;
        let text = failure.uncaught(&self.routes.manifest, start.entry());
        if let Some(end) = &self.routes.end_error {
            let ended = end
                .run(
                    Cause::LifeCycle,
                    Call::End {
                        error: Some(text.as_str().into()),
                    },
                )
                .await;
            self.report_end(end, ended);
        }
        self.close().await;
        self.tenant.console.write(Stream::Output, &text);
    }

    fn report_end(&self, end: &FeatureSet, ended: Result<(), Failure>) {
        if let Err(failure) = ended {
            let text = failure.describe(&self.routes.manifest, end.entry());
            self.tenant.console.write(
                Stream::Output,
                &format!("[Runtime] Application-End handler failed: {text}"),
            );
        }
    }

    async fn drain(&self) {
        self.tenant.enter_phase(Phase::Draining);
        for listener in self.tenant.sockets.listeners() {
            listener.stop_accepting();
        }
        for server in self.tenant.http.lock().iter() {
            server.stop_accepting();
        }
        let limit = self.tenant.settings.limits.drain_time_max;
        if tokio::time::timeout(limit, self.tenant.idle())
            .await
            .is_err()
        {
            let (stalled, seconds) = (self.tenant.permits.in_use(), limit.as_secs_f64());
            let text = format!(
                "[WARNING] {stalled} event handler(s) stalled — no progress within {seconds:.1}s"
            );
            self.tenant.console.write(Stream::Output, &text);
        }
    }

    /// Ends all connections after their queues are flushed.
    async fn close(&self) {
        self.tenant.enter_phase(Phase::Closing);
        for listener in self.tenant.sockets.listeners() {
            listener.stop_accepting();
        }
        self.tenant
            .sockets
            .each_connection(Which::All, |connection| {
                connection.close(CloseReason::GOING_AWAY)
            });
        self.tenant.tasks.close();
        let limit = self.tenant.settings.limits.flush_time_max + END_GRACE;
        if tokio::time::timeout(limit, self.tenant.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(tenant = %self.tenant.id, "connections still open at the end");
        }
        write_back::flush(&self.tenant).await;
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.tenant.enter_phase(Phase::Closing);
        for listener in self.tenant.sockets.listeners() {
            listener.stop_accepting();
        }
        self.tenant
            .sockets
            .each_connection(Which::All, |connection| {
                connection.outbound.close(Closing::Abort)
            });
        self.tenant.routes.store(None);
        for feature_set in &self.feature_sets {
            feature_set.clear_idle();
        }
        self.host.shared.tenants.lock().remove(&self.tenant.id);
    }
}
