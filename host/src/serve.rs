//! Wiring: load a program, start it, serve until it is to end, drain, stop.

use crate::artifact;
use crate::config::{Settings, SettingsError};
use crate::conn::outbound::Closing;
use crate::conn::table::Which;
use crate::console::Stream;
use crate::engine::feature_set::{Call, Cause, FeatureSet, Response};
use crate::engine::{Engine, EngineStartError, LoadError};
use crate::failure::{Failure, FailureKind};
use crate::life::{Life, Progress};
use crate::net::shared::{Places, ShareError, SharedListener, SharedSettings};
use crate::net::websocket::CloseReason;
use crate::observe::Observed;
use crate::release::{self, Consent, DeployError, Release};
use crate::report::{self, TenantDetail, TenantStatus};
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
    engine: Arc<Engine>,
    settings: Arc<Settings>,
    tenants: Mutex<BTreeMap<TenantId, Arc<Tenant>>>,
    /// Where routes of shared listeners lead.
    places: Arc<Places>,
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
                engine: Arc::new(engine),
                settings: Arc::new(settings),
                tenants: Mutex::default(),
                places: Arc::default(),
            }),
        })
    }

    /// Checks, compiles and links the program in `file`. Nothing runs yet.
    ///
    /// # Errors
    /// [`LoadError`] says what is wrong with the file, or that the tenant has a program already.
    pub fn load(&self, id: TenantId, file: &[u8]) -> Result<Program, LoadError> {
        self.load_with(id, Arc::clone(&self.shared.settings), file)
    }

    /// Loads the program of a tenant that has settings of its own; those that the engine was made with are the host's.
    ///
    /// # Errors
    /// [`LoadError`] says what is wrong with the file or the settings, or that the tenant has a program already.
    pub fn load_as(
        &self,
        id: TenantId,
        settings: Settings,
        file: &[u8],
    ) -> Result<Program, LoadError> {
        self.fits(&settings)?;
        self.load_with(id, Arc::new(settings), file)
    }

    fn load_with(
        &self,
        id: TenantId,
        settings: Arc<Settings>,
        file: &[u8],
    ) -> Result<Program, LoadError> {
        let artifact = artifact::dissect(file, &settings.artifact)?;
        let loaded = |tenants: &BTreeMap<TenantId, Arc<Tenant>>| match tenants.contains_key(&id) {
            true => Err(LoadError::Loaded {
                tenant: id.to_string(),
            }),
            false => Ok(()),
        };
        // Before its data file is opened, which another program of the tenant has open.
        loaded(&self.shared.tenants.lock())?;
        let turns = &self.shared.engine.turns;
        let tenant = Tenant::new(id.clone(), &settings, &artifact.manifest, turns)?;
        let tenant = Arc::new(tenant);
        let code = Arc::new(self.shared.engine.load(artifact, &settings)?);
        tenant.keep_recorded(&code, file)?;
        let number = tenant.releases.enter(&code, file);
        tenant.releases.ran(number);
        let mut tenants = self.shared.tenants.lock();
        loaded(&tenants)?;
        let place = self.shared.places.of(&id);
        place.tenant.store(Some(Arc::clone(&tenant)));
        tenants.insert(id, Arc::clone(&tenant));
        drop(tenants);
        Ok(Program {
            host: self.clone(),
            first: Some(code.routes(&tenant, Life::new(&tenant, false))),
            tenant,
        })
    }

    /// Opens a listener that several tenants are reached through. It takes connections at once, and leads nowhere until it has routes. `socket` is one that listens already, in the place of one for the address.
    ///
    /// # Errors
    /// [`ShareError`] if it cannot listen, or cannot be secured.
    pub fn share(
        &self,
        settings: SharedSettings,
        socket: Option<std::net::TcpListener>,
    ) -> Result<SharedListener, ShareError> {
        let limits = self.shared.settings.limits.clone();
        SharedListener::open(settings, limits, Arc::clone(&self.shared.places), socket)
    }

    /// Whether the engine was made large enough for what a further tenant may use. Its pool is divided, so that no tenant can take instances from another.
    fn fits(&self, settings: &Settings) -> Result<(), SettingsError> {
        settings.validate()?;
        let host = &self.shared.settings;
        let tenants = self.shared.tenants.lock();
        let taken = tenants.values();
        let taken: usize = taken
            .map(|tenant| tenant.settings.limits.instances_max)
            .sum();
        let components = |settings: &Settings| settings.artifact.memories_per_component_max;
        let tables = |settings: &Settings| settings.artifact.tables_per_component_max;
        let count = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        for (name, value, max) in [
            (
                "instances_max",
                taken.saturating_add(settings.limits.instances_max),
                host.limits.instances_max,
            ),
            (
                "memory_bytes_max",
                settings.limits.memory_bytes_max,
                host.limits.memory_bytes_max,
            ),
            (
                "memories_per_component_max",
                count(components(settings)),
                count(components(host)),
            ),
            (
                "tables_per_component_max",
                count(tables(settings)),
                count(tables(host)),
            ),
        ] {
            if value > max {
                return Err(SettingsError::AboveHost { name, value, max });
            }
        }
        Ok(())
    }

    /// Puts the program in `file` in the place of the one that the tenant runs, and answers the number of the new version. No connection and no listener that the new version asks for is closed; events in flight end on the old version, later ones go to the new one; the state stays. It goes on where nobody waits for it any more.
    ///
    /// # Errors
    /// [`DeployError`] says why nothing has changed: the old version goes on.
    pub async fn deploy(
        &self,
        id: &TenantId,
        file: Vec<u8>,
        consent: Consent,
    ) -> Result<u64, DeployError> {
        let engine = Arc::clone(&self.shared.engine);
        let tenant = self.tenant(id)?;
        uncut(async move { release::deploy(&tenant, engine, file, consent).await }).await
    }

    /// Goes back to an earlier version that is still loaded, by default to the one that ran before; as a deployment does, but without compiling.
    ///
    /// # Errors
    /// [`DeployError`] says why nothing has changed.
    pub async fn rollback(&self, id: &TenantId, number: Option<u64>) -> Result<u64, DeployError> {
        let tenant = self.tenant(id)?;
        uncut(async move { release::rollback(&tenant, number).await }).await
    }

    /// The versions of a tenant's program, oldest first.
    ///
    /// # Errors
    /// [`DeployError::NoTenant`] if it has none.
    pub fn releases(&self, id: &TenantId) -> Result<Vec<Release>, DeployError> {
        Ok(self.tenant(id)?.releases.list())
    }

    /// All tenants, by name.
    #[must_use]
    pub fn tenants(&self) -> Vec<TenantStatus> {
        let tenants = self.all();
        tenants.iter().map(|one| TenantStatus::of(one)).collect()
    }

    /// Whether a program runs. Cheap: whoever asks may ask often.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let tenants = self.shared.tenants.lock();
        tenants.values().any(|tenant| tenant.is_running())
    }

    /// What has been counted, for Prometheus.
    #[must_use]
    pub fn metrics(&self) -> String {
        let tenants = self.all();
        let details = tenants.iter().map(|one| TenantDetail::of(one)).collect();
        report::metrics(details, self.shared.places.refused.value())
    }

    /// What more there is to know of a tenant.
    ///
    /// # Errors
    /// [`DeployError::NoTenant`] if it has no program.
    pub fn detail(&self, id: &TenantId) -> Result<TenantDetail, DeployError> {
        Ok(TenantDetail::of(&*self.tenant(id)?))
    }

    fn all(&self) -> Vec<Arc<Tenant>> {
        let tenants = self.shared.tenants.lock();
        tenants.values().map(Arc::clone).collect()
    }

    fn tenant(&self, id: &TenantId) -> Result<Arc<Tenant>, DeployError> {
        let tenants = self.shared.tenants.lock();
        let found = tenants.get(id).map(Arc::clone);
        found.ok_or_else(|| DeployError::NoTenant {
            tenant: id.to_string(),
        })
    }
}

/// Exchanges versions in a task of its own: one that was left half way would hold what its start has opened, and undo nothing.
async fn uncut(
    exchange: impl Future<Output = Result<u64, DeployError>> + Send + 'static,
) -> Result<u64, DeployError> {
    let exchanged = tokio::spawn(exchange).await;
    exchanged.unwrap_or(Err(DeployError::Aborted))
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
    /// The version that it was loaded with, until it begins.
    first: Option<Arc<Routes>>,
}

/// Handlers run that do not get on.
struct Stalled;

/// Why the program does not simply go on.
enum Turn {
    /// It is asked to end.
    Stop,
    /// Its start has ended.
    Ended(Arc<Result<Response, Failure>>),
    /// Another version has taken its place.
    Replaced,
}

impl Program {
    /// Runs the program from start to end (runtime.md 1.3 to 1.5): until `stop` completes, or until it has nothing left to wait for.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Outcome {
        let mut stop = pin!(stop);
        if !self.begin() {
            return self.without_start().await;
        }
        loop {
            let routes = self.routes();
            let life = &routes.life;
            let turn = tokio::select! {
                ended = life.ended() => Turn::Ended(ended),
                () = stop.as_mut() => Turn::Stop,
                () = life.replaced.cancelled() => Turn::Replaced,
            };
            match turn {
                Turn::Replaced => {}
                Turn::Stop => return self.stop().await,
                Turn::Ended(ended) => {
                    if let Err(failure) = &*ended {
                        return self.fail(failure, &routes).await;
                    }
                    if !self.tenant.stopping.is_cancelled() {
                        tokio::select! {
                            () = stop.as_mut() => {}
                            () = self.finished() => {}
                            () = life.replaced.cancelled() => continue,
                        }
                    }
                    return self.stop().await;
                }
            }
        }
    }

    /// Runs the feature set that starts the program, until it ends or waits for the end of the program. After a failure the program is over.
    pub async fn start(&mut self) -> Outcome {
        if !self.begin() {
            return self.without_start().await;
        }
        let routes = self.routes();
        if let Progress::Ended(ended) = routes.life.started().await
            && let Err(failure) = &*ended
        {
            return self.fail(failure, &routes).await;
        }
        Outcome::Success
    }

    /// Launches the start; false if there is none.
    fn begin(&mut self) -> bool {
        let routes = self.routes();
        self.first = None;
        self.tenant.routes.store(Some(Arc::clone(&routes)));
        write_back::start(&self.tenant);
        Life::launch(&routes);
        routes.start.is_some()
    }

    async fn without_start(&self) -> Outcome {
        self.tenant.console.write(
            Stream::Output,
            "Runtime error: Entry point not found: 'Application-Start'",
        );
        self.close().await;
        Outcome::Failure
    }

    /// The version that runs.
    fn routes(&self) -> Arc<Routes> {
        let current = self.tenant.routes.load_full();
        current
            .or_else(|| self.first.as_ref().map(Arc::clone))
            .expect("it has the one until it begins, and the tenant the other until it is dropped")
    }

    /// Completes when no listener and no outbound connection is open and no handler runs, or none gets on: nothing can happen any more.
    pub async fn finished(&self) {
        loop {
            let changed = self.tenant.sources_changed.notified();
            if self.tenant.sources() > 0 {
                changed.await;
                continue;
            }
            let is_stalled = self.settle().await.is_err();
            // A handler may have opened something before it ended.
            if self.tenant.sources() == 0 || is_stalled {
                return;
            }
        }
    }

    /// Waits until no handler runs, as long as some of them begin or end (runtime.md 1.3.7).
    async fn settle(&self) -> Result<(), Stalled> {
        let window = self.tenant.settings.limits.stall_time_max;
        let mut running = self.tenant.permits.in_use();
        while tokio::time::timeout(window, self.tenant.idle())
            .await
            .is_err()
        {
            let now = self.tenant.permits.in_use();
            if now == running {
                self.warn_stalled(window);
                self.tenant.stalled.store(true, Ordering::Release);
                return Err(Stalled);
            }
            running = now;
        }
        Ok(())
    }

    fn warn_stalled(&self, window: Duration) {
        let (stalled, seconds) = (self.tenant.permits.in_use(), window.as_secs_f64());
        let text = format!(
            "[WARNING] {stalled} event handler(s) stalled — no progress within {seconds:.1}s"
        );
        self.tenant.console.write(Stream::Output, &text);
    }

    /// Ends the program: nothing more is accepted or read, events in flight finish, `Application-End` runs, queues are flushed, the response of the start is printed.
    pub async fn stop(self) -> Outcome {
        self.tenant.stopping.cancel();
        // A version that is taking the place of this one gives up, or has done so.
        let _turn = self.tenant.releases.turn.lock().await;
        let routes = self.routes();
        let ended = match routes.life.progress() {
            // Nothing has begun that would have to be ended in order.
            Progress::Starting => {
                routes.life.end();
                self.close().await;
                return Outcome::Success;
            }
            // A start that waits for this goes on.
            Progress::Keeping => routes.life.ended().await,
            Progress::Ended(ended) => ended,
        };
        let response = match &*ended {
            Ok(response) => response,
            Err(failure) => return self.fail(failure, &routes).await,
        };
        self.drain().await;
        if let Some(end) = &routes.end_success {
            let ended = end.run(Cause::LifeCycle, Call::End { error: None }).await;
            self.report_end(end, ended);
        }
        self.close().await;
        if response.reason != "application" {
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
        let sets = self.test_sets();
        sets.iter().map(|set| set.entry().name.clone()).collect()
    }

    fn test_sets(&self) -> Vec<Arc<FeatureSet>> {
        let is_test = |set: &&Arc<FeatureSet>| set.entry().triggers.contains(&Trigger::Test);
        let routes = self.routes();
        let sets = routes.feature_sets.iter().filter(is_test);
        sets.map(Arc::clone).collect()
    }

    /// Runs one of its tests, by position in [`tests`](Self::tests); a position behind the last one passes.
    pub async fn test(&self, index: usize) -> TestOutcome {
        let sets = self.test_sets();
        let Some(set) = sets.get(index) else {
            return TestOutcome::Passed;
        };
        match set.test().await {
            Ok(()) => TestOutcome::Passed,
            Err(failure) if failure.kind == FailureKind::Assertion => {
                TestOutcome::Failed(failure.cause)
            }
            Err(failure) => TestOutcome::Error(failure.describe(set.manifest(), set.entry())),
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

    /// CPU time that its handlers have used, in steps of five milliseconds.
    #[must_use]
    pub fn cpu_time(&self) -> Duration {
        self.tenant.cpu_time()
    }

    /// What has been counted so far.
    #[must_use]
    pub fn observe(&self) -> Observed {
        self.tenant.counters.observe()
    }

    /// Ends the program after its start has failed.
    async fn fail(&self, failure: &Failure, routes: &Routes) -> Outcome {
        self.drain().await;
        let text = match &routes.start {
            Some(start) => failure.uncaught(&routes.manifest, start.entry()),
            None => failure.cause.clone(),
        };
        if let Some(end) = &routes.end_error {
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
        Outcome::Failure
    }

    fn report_end(&self, end: &FeatureSet, ended: Result<(), Failure>) {
        if let Err(failure) = ended {
            let text = failure.describe(end.manifest(), end.entry());
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
        if self.tenant.stalled.load(Ordering::Acquire) {
            return;
        }
        let limit = self.tenant.settings.limits.drain_time_max;
        let idle = tokio::time::timeout(limit, self.tenant.idle()).await;
        if idle.is_err() {
            self.warn_stalled(limit);
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
        // Connections of shared listeners may know the tenant for longer, but its data file is for whoever comes next.
        let closing = self.tenant.state.close();
        if tokio::time::timeout(limit, closing).await.is_err() {
            tracing::warn!(tenant = %self.tenant.id, "its data file is still open at the end");
        }
        self.tenant.end_recording().await;
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
        let routes = self.routes();
        routes.life.end();
        routes.let_go();
        self.tenant.routes.store(None);
        self.tenant.state.begin_close();
        self.host.shared.places.leave(&self.tenant.id);
        self.host.shared.tenants.lock().remove(&self.tenant.id);
    }
}
