//! The tenants of a configuration while the host runs: each is started, ended and started again without the others, and the configuration may be read again.

use super::config::{Config, Planned, Tenant};
use super::routes::PlannedListener;
use crate::activation::Passed;
use crate::build::Warnings;
use crate::{Failure, read};
use anyhow::{Context, bail};
use aro_host::{Host, LogFormat, Outcome, Program, SharedListener, TenantId};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

/// The tenants and the listeners of a host.
pub(crate) struct Supervisor {
    host: Host,
    /// The configuration.
    path: PathBuf,
    /// Instances that the engine was made for.
    instances: usize,
    listeners: Mutex<BTreeMap<String, Opened>>,
    seats: Mutex<BTreeMap<TenantId, Arc<Seat>>>,
    /// Held while the configuration is read again; what it said last.
    config: tokio::sync::Mutex<Config>,
    /// How lines are written.
    format: LogFormat,
    /// A program has ended.
    changed: Notify,
    stopping: watch::Sender<bool>,
}

/// A listener, and what it was opened for.
struct Opened {
    planned: PlannedListener,
    listener: SharedListener,
}

/// What a tenant is to be, and its program while it runs.
struct Seat {
    tenant: Tenant,
    running: tokio::sync::Mutex<Option<Running>>,
}

impl Seat {
    /// Fails where a listener that the tenant is reached through is not open: the tenant would open a port of its own, without what the listener does for it.
    fn is_reached(&self) -> anyhow::Result<()> {
        let (through, settings) = (&self.tenant.through, &self.tenant.settings);
        for (name, address) in [
            (&through.http, settings.http_through),
            (&through.tcp, settings.tcp_through),
        ] {
            if let (Some(name), None) = (name, address) {
                bail!(
                    "listener {name}, which the tenant is reached through, is not open: free its address or change it, and reload"
                );
            }
        }
        Ok(())
    }
}

struct Running {
    stop: watch::Sender<bool>,
    ended: JoinHandle<Outcome>,
}

impl Supervisor {
    /// Opens the listeners. No tenant runs yet.
    pub(super) fn new(
        host: Host,
        path: PathBuf,
        config: Config,
        planned: Planned,
        mut passed: Vec<Passed>,
        format: LogFormat,
    ) -> anyhow::Result<Arc<Self>> {
        let mut listeners = BTreeMap::new();
        for planned in planned.listeners {
            let (name, opened) = open(&host, planned, &mut passed)?;
            listeners.insert(name, opened);
        }
        for Passed { name, socket } in passed {
            tracing::warn!(name, address = ?socket.local_addr(), "a passed socket is none of [listeners]");
        }
        let supervisor = Self {
            host,
            path,
            instances: planned.host.limits.instances_max,
            listeners: Mutex::new(listeners),
            seats: Mutex::default(),
            config: tokio::sync::Mutex::new(config),
            format,
            changed: Notify::new(),
            stopping: watch::Sender::new(false),
        };
        for tenant in planned.tenants {
            supervisor.seat(tenant);
        }
        Ok(Arc::new(supervisor))
    }

    /// Gives a tenant its seat, reached through the listeners that are open now.
    fn seat(&self, mut tenant: Tenant) {
        let through = &tenant.through;
        tenant.settings.http_through = self.address_of(through.http.as_ref());
        tenant.settings.tcp_through = self.address_of(through.tcp.as_ref());
        tenant.settings.log_format = self.format;
        let id = tenant.id.clone();
        let seat = Seat {
            tenant,
            running: tokio::sync::Mutex::default(),
        };
        lock(&self.seats).insert(id, Arc::new(seat));
    }

    fn goes_on(&self) -> anyhow::Result<()> {
        if *self.stopping.borrow() {
            bail!("the host is ending");
        }
        Ok(())
    }

    fn seats(&self) -> Vec<Arc<Seat>> {
        lock(&self.seats).values().map(Arc::clone).collect()
    }

    fn of(&self, id: &TenantId) -> anyhow::Result<Arc<Seat>> {
        let seats = lock(&self.seats);
        let found = seats.get(id).map(Arc::clone);
        found.with_context(|| format!("the configuration has no tenant {id}"))
    }

    /// Starts all tenants. One whose program cannot run is reported and does not keep the others from theirs. Answers how many run.
    pub(super) async fn start_all(self: &Arc<Self>) -> usize {
        let mut running = 0;
        for seat in self.seats() {
            match self.start(&seat.tenant.id).await {
                Ok(()) => running += 1,
                Err(error) => {
                    anstream::eprintln!("error: tenant {}: {error:#}", seat.tenant.id);
                }
            }
        }
        running
    }

    /// Starts a tenant that has not run or has ended, with its program as the file is now.
    pub(crate) async fn start(self: &Arc<Self>, id: &TenantId) -> anyhow::Result<()> {
        let seat = self.of(id)?;
        let mut running = seat.running.lock().await;
        if running.as_ref().is_some_and(|one| !one.ended.is_finished()) {
            bail!("tenant {id} runs already");
        }
        // The configuration may have been read again meanwhile.
        if !Arc::ptr_eq(&self.of(id)?, &seat) {
            bail!("tenant {id} has just been configured anew");
        }
        self.goes_on()?;
        seat.is_reached()?;
        let (host, loading) = (self.host.clone(), Arc::clone(&seat));
        let loaded = tokio::task::spawn_blocking(move || load(&host, &loading.tenant));
        let program = loaded
            .await
            .context("the program could not be compiled")??;
        let (stop, mut asked) = watch::channel(false);
        let (supervisor, id) = (Arc::clone(self), id.clone());
        let ended = tokio::spawn(async move {
            let outcome = program
                .run(async {
                    drop(asked.wait_for(|asked| *asked).await);
                })
                .await;
            if !*asked.borrow() {
                anstream::eprintln!("tenant {id} has ended");
            }
            supervisor.changed.notify_waiters();
            outcome
        });
        *running = Some(Running { stop, ended });
        Ok(())
    }

    /// Ends a tenant in order, and waits for it. Answers how its program ended; nothing if none ran.
    pub(crate) async fn stop(&self, id: &TenantId) -> anyhow::Result<Option<Outcome>> {
        let seat = self.of(id)?;
        Ok(stop(&seat).await)
    }

    /// Ends a tenant and starts it again.
    pub(crate) async fn restart(self: &Arc<Self>, id: &TenantId) -> anyhow::Result<()> {
        self.stop(id).await?;
        self.start(id).await
    }

    /// Completes when no program runs any more.
    pub(super) async fn all_ended(&self) {
        loop {
            let changed = self.changed.notified();
            if !self.any_runs().await {
                return;
            }
            // The end of a task is seen a moment after it has been told.
            drop(tokio::time::timeout(RECHECK, changed).await);
        }
    }

    async fn any_runs(&self) -> bool {
        // Whoever reads the configuration again ends programs to start them anew.
        let _config = self.config.lock().await;
        for seat in self.seats() {
            let running = seat.running.lock().await;
            if running.as_ref().is_some_and(|one| !one.ended.is_finished()) {
                return true;
            }
        }
        false
    }

    /// Ends everything; success if a program ended so.
    pub(super) async fn shut_down(&self) -> Outcome {
        self.stopping.send_replace(true);
        // Whoever reads the configuration again comes to an end first, and starts nothing.
        let _config = self.config.lock().await;
        let listeners = std::mem::take(&mut *lock(&self.listeners));
        listeners
            .values()
            .for_each(|opened| opened.listener.stop_accepting());
        let result = match stop_all(self.seats()).await {
            ended if ended.contains(&Outcome::Success) => Outcome::Success,
            _ => Outcome::Failure,
        };
        let mut closing = JoinSet::new();
        for opened in listeners.into_values() {
            closing.spawn(opened.listener.closed());
        }
        while closing.join_next().await.is_some() {}
        result
    }

    /// Reads the configuration again. A tenant that is as it was is not touched; a new one is started, one that is gone is ended, one that has changed is started again. Routes and certificates are exchanged without closing anything. Answers what has been done.
    ///
    /// # Errors
    /// If the file or what it names is not right; then nothing has changed.
    pub(crate) async fn reload(self: &Arc<Self>) -> anyhow::Result<Vec<String>> {
        let mut before = self.config.lock().await;
        self.goes_on()?;
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || {
            let config = Config::read(&path)?;
            let planned = config.plan(&path)?;
            Ok::<_, anyhow::Error>((config, planned))
        });
        let (config, planned) = read
            .await
            .context("the configuration could not be read")??;
        let mut done = Vec::new();
        self.exchange_listeners(planned.listeners, &mut done).await;
        let mut wanted: BTreeMap<_, _> = planned
            .tenants
            .into_iter()
            .map(|tenant| (tenant.id.clone(), tenant))
            .collect();
        let mut left = Vec::new();
        for seat in self.seats() {
            let id = &seat.tenant.id;
            let is_same = wanted.get(id).is_some_and(|tenant| {
                let (through, settings) = (&tenant.through, &seat.tenant.settings);
                config.has_same(&before, id)
                    && self.address_of(through.http.as_ref()) == settings.http_through
                    && self.address_of(through.tcp.as_ref()) == settings.tcp_through
            });
            if is_same {
                wanted.remove(id);
                continue;
            }
            // Nobody starts it any more as it was.
            lock(&self.seats).remove(id);
            if !wanted.contains_key(id) {
                done.push(format!("tenant {id} is gone"));
            }
            left.push(seat);
        }
        stop_all(left).await;
        for (id, tenant) in self.provided(&config, wanted.into_values().collect()) {
            self.seat(tenant);
            match self.start(&id).await {
                Ok(()) => done.push(format!("tenant {id} has been started")),
                Err(error) => done.push(format!("tenant {id} cannot run: {error:#}")),
            }
        }
        *before = config;
        Ok(done)
    }

    /// Divides the instances that nobody has among tenants that do not say how many they want.
    fn provided(&self, config: &Config, mut tenants: Vec<Tenant>) -> Vec<(TenantId, Tenant)> {
        let instances = |tenant: &Tenant| tenant.settings.limits.instances_max;
        let mut free = self.instances;
        for seat in self.seats() {
            free = free.saturating_sub(instances(&seat.tenant));
        }
        let asks = |tenant: &Tenant| config.instances_of(&tenant.id).is_some();
        for tenant in tenants.iter().filter(|tenant| asks(tenant)) {
            free = free.saturating_sub(instances(tenant));
        }
        let others = || tenants.iter().filter(|tenant| !asks(tenant));
        let weights: u64 = others().map(|one| u64::from(one.settings.weight)).sum();
        for tenant in tenants.iter_mut().filter(|tenant| !asks(tenant)) {
            let part = free as u64 * u64::from(tenant.settings.weight) / weights.max(1);
            tenant.settings.limits.instances_max = usize::try_from(part).unwrap_or(1).max(1);
        }
        let named = tenants.into_iter().map(|one| (one.id.clone(), one));
        named.collect()
    }

    /// Where the listener of this name listens, if it is open.
    fn address_of(&self, name: Option<&String>) -> Option<SocketAddr> {
        let listeners = lock(&self.listeners);
        Some(listeners.get(name?)?.listener.address())
    }

    /// Exchanges routes and certificates of listeners that are to listen as they do, whatever their names are; closes the others, and opens those that are new when their addresses are free.
    async fn exchange_listeners(&self, wanted: Vec<PlannedListener>, done: &mut Vec<String>) {
        let mut left = std::mem::take(&mut *lock(&self.listeners));
        let (mut kept, mut new) = (BTreeMap::new(), Vec::new());
        for planned in wanted {
            let name = planned.settings.name.clone();
            match open_as(&mut left, &planned) {
                Some(opened) => drop(kept.insert(name, renewed(opened, planned, done))),
                None => new.push(planned),
            }
        }
        for (name, opened) in left {
            done.push(format!("listener {name} is gone"));
            opened.listener.released().await;
            tokio::spawn(opened.listener.closed());
        }
        for planned in new {
            let name = planned.settings.name.clone();
            match open(&self.host, planned, &mut Vec::new()) {
                Ok((_, opened)) => drop(kept.insert(name, opened)),
                Err(error) => done.push(format!("listener {name} cannot be opened: {error:#}")),
            }
        }
        *lock(&self.listeners) = kept;
    }
}

/// The open listener that can do what another one is to do: that of the same name, or else of the same address.
fn open_as(left: &mut BTreeMap<String, Opened>, planned: &PlannedListener) -> Option<Opened> {
    let named = left.get_key_value(&planned.settings.name);
    let named = named.filter(|(_, opened)| opened.planned.listens_as(planned));
    let is_there = |(_, opened): &(&String, &Opened)| {
        opened.planned.listens_as(planned) && planned.settings.address.port() != 0
    };
    let (name, _) = named.or_else(|| left.iter().find(is_there))?;
    let name = name.clone();
    left.remove(&name)
}

/// Has an open listener do what another one is to do.
fn renewed(mut opened: Opened, planned: PlannedListener, done: &mut Vec<String>) -> Opened {
    let (before, name) = (&opened.planned.settings.name, &planned.settings.name);
    if before != name {
        done.push(format!("listener {before} is called {name} now"));
    }
    match opened.listener.renew(&planned.settings, &planned.routes) {
        Ok(()) => opened.planned = planned,
        Err(error) => {
            done.push(format!("listener {name} stays as it was: {error:#}"));
        }
    }
    opened
}

/// How often it is looked whether all programs have ended.
const RECHECK: std::time::Duration = std::time::Duration::from_secs(1);

/// Opens a listener, or takes over the socket of its name, or of its address.
fn open(
    host: &Host,
    planned: PlannedListener,
    passed: &mut Vec<Passed>,
) -> anyhow::Result<(String, Opened)> {
    let settings = planned.settings.clone();
    let is_named = |one: &Passed| one.name == settings.name;
    let is_there = |one: &Passed| {
        let address = one.socket.local_addr();
        address.is_ok_and(|address| address == settings.address)
    };
    let named = passed.iter().position(is_named);
    let position = named.or_else(|| passed.iter().position(is_there));
    let socket = position.map(|position| passed.remove(position).socket);
    let listener = host.share(settings, socket)?;
    listener.route(&planned.routes)?;
    let name = planned.settings.name.clone();
    anstream::eprintln!("listener {name} on {}", listener.address());
    Ok((name, Opened { planned, listener }))
}

async fn stop(seat: &Seat) -> Option<Outcome> {
    // Whoever orders something else meanwhile waits for this.
    let mut seated = seat.running.lock().await;
    let running = seated.as_mut()?;
    running.stop.send_replace(true);
    let ended = (&mut running.ended).await;
    *seated = None;
    ended.ok()
}

/// Ends tenants beside each other. Answers how the programs ended that ran.
async fn stop_all(seats: Vec<Arc<Seat>>) -> Vec<Outcome> {
    let mut ending = JoinSet::new();
    for seat in seats {
        ending.spawn(async move { stop(&seat).await });
    }
    let ended = ending.join_all().await;
    ended.into_iter().flatten().collect()
}

fn load(host: &Host, tenant: &Tenant) -> anyhow::Result<Program> {
    let file = read(&tenant.app, Warnings::Shown).map_err(|failure| match failure {
        Failure::Program(error) | Failure::Environment(error) => error,
    })?;
    let program = host.load_as(tenant.id.clone(), tenant.settings.clone(), &file);
    program.with_context(|| format!("{}", tenant.app.display()))
}

/// None of these locks is held where anything could panic, and what they hold is whole at any time.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
