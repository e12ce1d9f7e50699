//! The versions of a tenant's program: which one runs, which ones can run again at once, and how one takes the place of another.
//!
//! A replacement runs the new version's start beside the old version. When the start has succeeded, the router is exchanged: from then on events go to the new version, and those in flight end where they began. When the start fails, the old version goes on as if nothing had happened.

use crate::artifact;
use crate::console::Stream;
use crate::engine::load::Code;
use crate::engine::{Engine, LoadError};
use crate::life::{Life, Progress};
use crate::net::listener::succession;
use crate::route::Routes;
use crate::store::StateError;
use crate::tenant::Tenant;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Versions that are remembered.
const RELEASES_MAX: usize = 100;
/// Versions whose machine code is kept beside that of the one that runs.
const KEPT_MAX: usize = 3;

/// One version of a tenant's program.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Release {
    /// Counts from 1; never used again.
    pub number: u64,
    /// Name of the program.
    pub program: String,
    /// SHA-256 of the artifact, in hexadecimal digits.
    pub digest: String,
    /// When it was loaded.
    pub loaded: SystemTime,
    /// Whether events go to it.
    pub is_current: bool,
    /// Whether it can run again without being loaded again.
    pub is_kept: bool,
}

/// Whether a new version may have abilities that the one that runs does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// It may have all that the operator has granted.
    Given,
    /// Somebody has to be asked first.
    Required,
}

/// Why one version has not taken the place of another. The version that ran goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeployError {
    /// There is no such tenant.
    #[error("no tenant {tenant} runs here")]
    NoTenant {
        /// Its name.
        tenant: String,
    },
    /// The artifact cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// What the program brings along does not fit the state of the tenant.
    #[error("the state does not fit the new version")]
    State(#[from] StateError),
    /// It has no start.
    #[error("the new version has no Application-Start")]
    NoStart,
    /// It can do what the running version cannot, and nobody has consented.
    #[error("the new version has abilities that the running one has not: {}", abilities.join(", "))]
    Consent {
        /// Interfaces, with what is asked for within them.
        abilities: Vec<String>,
    },
    /// Its start failed.
    #[error("the start of the new version failed: {text}")]
    Start {
        /// What its console says.
        text: String,
    },
    /// Its start took too long.
    #[error("the start of the new version has neither ended nor reached its Keepalive within {} s", limit.as_secs())]
    TooSlow {
        /// What it may take.
        limit: Duration,
    },
    /// The program has not started, or ends.
    #[error("the program of the tenant does not run")]
    NotRunning,
    /// No version ran before.
    #[error("there is no version to go back to")]
    NothingBefore,
    /// The version is unknown, or no longer kept.
    #[error("version {number} is not kept; deploy it again")]
    NotKept {
        /// Its number.
        number: u64,
    },
    /// Compiling, or what exchanges versions, has ended early.
    #[error("the deployment has ended early: the host has a fault, or ends itself")]
    Aborted,
}

/// A version and, while it may run again, its machine code.
struct Entry {
    number: u64,
    program: String,
    digest: String,
    loaded: SystemTime,
    code: Option<Arc<Code>>,
}

/// The versions of one tenant.
#[derive(Default)]
pub(crate) struct Releases {
    /// Held while one version takes the place of another, and while the program ends.
    pub(crate) turn: tokio::sync::Mutex<()>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    entries: VecDeque<Entry>,
    numbers_used: u64,
    /// Numbers of the versions that have run, the current one first.
    ran: VecDeque<u64>,
}

impl Releases {
    /// Enters a loaded version.
    pub(crate) fn enter(&self, code: &Arc<Code>, file: &[u8]) -> u64 {
        let mut table = self.table.lock();
        table.numbers_used += 1;
        let number = table.numbers_used;
        let digest: [u8; 32] = Sha256::digest(file).into();
        if table.entries.len() >= RELEASES_MAX {
            table.entries.pop_front();
        }
        table.entries.push_back(Entry {
            number,
            program: code.manifest.program.clone(),
            digest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            loaded: SystemTime::now(),
            code: Some(Arc::clone(code)),
        });
        number
    }

    /// A version runs from now on; what was not running lately is let go of.
    pub(crate) fn ran(&self, number: u64) {
        let mut table = self.table.lock();
        table.ran.retain(|before| *before != number);
        table.ran.push_front(number);
        table.ran.truncate(KEPT_MAX + 1);
        let Table { entries, ran, .. } = &mut *table;
        for entry in entries.iter_mut() {
            if !ran.contains(&entry.number) {
                entry.code = None;
            }
        }
    }

    /// Forgets a version that has never run.
    fn refuse(&self, number: u64) {
        let mut table = self.table.lock();
        if !table.ran.contains(&number) {
            table.entries.retain(|entry| entry.number != number);
        }
    }

    /// All versions that are remembered, oldest first.
    pub(crate) fn list(&self) -> Vec<Release> {
        let table = self.table.lock();
        let entries = table.entries.iter();
        entries
            .map(|entry| Release {
                number: entry.number,
                program: entry.program.clone(),
                digest: entry.digest.clone(),
                loaded: entry.loaded,
                is_current: table.ran.front() == Some(&entry.number),
                is_kept: entry.code.is_some(),
            })
            .collect()
    }

    /// The version that runs.
    fn current(&self) -> Result<(u64, Arc<Code>), DeployError> {
        let current = self.table.lock().ran.front().copied();
        self.earlier(Some(current.ok_or(DeployError::NotRunning)?))
    }

    /// The version of this number, or the one that ran before the current one.
    fn earlier(&self, number: Option<u64>) -> Result<(u64, Arc<Code>), DeployError> {
        let table = self.table.lock();
        let number = match number.or_else(|| table.ran.get(1).copied()) {
            Some(number) => number,
            None => return Err(DeployError::NothingBefore),
        };
        let entry = table.entries.iter().find(|entry| entry.number == number);
        entry
            .and_then(|entry| entry.code.as_ref())
            .map(|code| (number, Arc::clone(code)))
            .ok_or(DeployError::NotKept { number })
    }
}

/// Loads an artifact beside the event loop and puts it in the place of the version that runs. Answers its number.
pub(crate) async fn deploy(
    tenant: &Arc<Tenant>,
    engine: Arc<Engine>,
    file: Vec<u8>,
    consent: Consent,
) -> Result<u64, DeployError> {
    let _turn = tenant.releases.turn.lock().await;
    running(tenant)?;
    let settings = Arc::clone(&tenant.settings);
    let loading = tokio::task::spawn_blocking(move || {
        let loaded = artifact::dissect(&file, &settings.artifact)
            .map_err(LoadError::from)
            .and_then(|artifact| engine.load(artifact, &settings));
        loaded.map(|code| (Arc::new(code), file))
    });
    let (code, file) = loading.await.map_err(|_| DeployError::Aborted)??;
    if consent == Consent::Required {
        let (_, running) = tenant.releases.current()?;
        let abilities: Vec<String> = code
            .abilities
            .difference(&running.abilities)
            .cloned()
            .collect();
        if !abilities.is_empty() {
            return Err(DeployError::Consent { abilities });
        }
    }
    tenant
        .keep_recorded(&code, &file)
        .map_err(LoadError::from)?;
    let number = tenant.releases.enter(&code, &file);
    drop(file);
    let replaced = replace(tenant, &code).await;
    match &replaced {
        Ok(()) => tenant.releases.ran(number),
        Err(_) => tenant.releases.refuse(number),
    }
    replaced.map(|()| number)
}

/// Puts an earlier version, by default the one that ran before, in the place of the one that runs. Answers its number.
pub(crate) async fn rollback(
    tenant: &Arc<Tenant>,
    number: Option<u64>,
) -> Result<u64, DeployError> {
    let _turn = tenant.releases.turn.lock().await;
    running(tenant)?;
    let (number, code) = tenant.releases.earlier(number)?;
    replace(tenant, &code).await?;
    tenant.releases.ran(number);
    Ok(number)
}

fn running(tenant: &Tenant) -> Result<Arc<Routes>, DeployError> {
    let routes = tenant.routes.load_full();
    match routes {
        Some(routes) if !tenant.stopping.is_cancelled() => Ok(routes),
        Some(_) | None => Err(DeployError::NotRunning),
    }
}

async fn replace(tenant: &Arc<Tenant>, code: &Code) -> Result<(), DeployError> {
    let old = running(tenant)?;
    tenant.state.follow(&code.manifest).await?;
    let new = code.routes(tenant, Life::new(tenant, true));
    if new.start.is_none() {
        return Err(DeployError::NoStart);
    }
    Life::launch(&new);
    if let Err(error) = started(tenant, &new).await {
        new.life.end();
        new.life.restore_names(tenant);
        succession::close_own(tenant, &new.life);
        new.let_go();
        return Err(error);
    }
    // Timers that the new start has set are not to tick beside those of the same events.
    tenant.timers.give_way(&new.life.timers);
    tenant.routes.store(Some(Arc::clone(&new)));
    new.life.admit();
    old.life.end();
    old.let_go();
    succession::close_others(tenant, &new.life);
    tenant.sources_changed.notify_waiters();
    Ok(())
}

/// Waits until the start of a successor has succeeded, as far as it can be known.
async fn started(tenant: &Tenant, new: &Routes) -> Result<(), DeployError> {
    let limit = tenant.settings.limits.start_time_max;
    let progress = tokio::select! {
        progress = tokio::time::timeout(limit, new.life.started()) => {
            progress.map_err(|_| DeployError::TooSlow { limit })?
        }
        () = tenant.stopping.cancelled() => return Err(DeployError::NotRunning),
    };
    let Progress::Ended(ended) = progress else {
        return Ok(());
    };
    match (&*ended, &new.start) {
        (Err(failure), Some(start)) => {
            let text = failure.uncaught(&new.manifest, start.entry());
            tenant.console.write(Stream::Error, &text);
            Err(DeployError::Start { text })
        }
        (Ok(_) | Err(_), _) => Ok(()),
    }
}
