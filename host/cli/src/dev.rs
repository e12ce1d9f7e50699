//! `aro-host dev`: serves a program from its sources and puts each new version in place when a file is saved.

use crate::build::{self, Warnings};
use crate::{Failure, interrupted, stores};
use anyhow::Context;
use aro_host::{Consent, DeployError, Host, Outcome, Program, Settings, TenantId};
use notify::{EventKind, RecursiveMode, Watcher};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Files are often saved in several steps, and several files at once: it is waited until nothing changes for this long,
const QUIET: Duration = Duration::from_millis(60);
/// but not longer than this.
const QUIET_WAIT_MAX: Duration = Duration::from_secs(2);

/// Serves until a signal.
pub(crate) async fn dev(
    path: &Path,
    tenant: TenantId,
    mut settings: Settings,
) -> Result<Outcome, Failure> {
    settings.store_files = stores::writable(path, &settings.grants.directories);
    let host = Host::new(settings)
        .context("the host cannot start")
        .map_err(Failure::Environment)?;
    let mut stop = Box::pin(interrupted().map_err(Failure::Environment)?);
    let (saved, mut changes) = mpsc::channel(1);
    let _watcher = watch(path, saved).map_err(Failure::Environment)?;
    let mut dev = Dev {
        host,
        tenant,
        path,
        artifact: Vec::new(),
    };
    loop {
        // Without a program that runs there is nothing to replace: the next one starts afresh.
        let (ended, ending) = tokio::sync::oneshot::channel::<()>();
        let running = dev.start().map(|program| {
            tokio::spawn(program.run(async move {
                drop(ending.await);
            }))
        });
        let Some(mut running) = running else {
            tokio::select! {
                () = &mut stop => return Ok(Outcome::Success),
                () = settle(&mut changes) => continue,
            }
        };
        loop {
            tokio::select! {
                () = &mut stop => {
                    drop(ended);
                    let outcome = running.await;
                    return outcome.context("the program ended unexpectedly").map_err(Failure::Program);
                }
                _ = &mut running => {
                    say("the program has ended; it runs again when a file is saved");
                    tokio::select! {
                        () = &mut stop => return Ok(Outcome::Success),
                        () = settle(&mut changes) => break,
                    }
                }
                () = settle(&mut changes) => dev.replace().await,
            }
        }
    }
}

struct Dev<'a> {
    host: Host,
    tenant: TenantId,
    path: &'a Path,
    /// What runs, or ran last.
    artifact: Vec<u8>,
}

impl Dev<'_> {
    /// Loads the program; mistakes are printed.
    fn start(&mut self) -> Option<Program> {
        let artifact = match build::build(self.path, Warnings::Shown) {
            Ok(artifact) => artifact,
            Err(error) => {
                say(&format!("{error:#}; waiting for a change"));
                return None;
            }
        };
        match self.host.load(self.tenant.clone(), &artifact) {
            Ok(program) => {
                self.artifact = artifact;
                Some(program)
            }
            Err(error) => {
                say(&format!(
                    "{:#}; waiting for a change",
                    anyhow::Error::from(error)
                ));
                None
            }
        }
    }

    /// Puts what the sources say now in place of what runs.
    async fn replace(&mut self) {
        let began = Instant::now();
        let path = self.path.to_path_buf();
        let built = tokio::task::spawn_blocking(move || build::build(&path, Warnings::Shown)).await;
        let artifact = match built {
            Ok(Ok(artifact)) => artifact,
            Ok(Err(error)) => return say(&format!("{error:#}; the old version goes on")),
            Err(_) => return say("the compiler ended unexpectedly; the old version goes on"),
        };
        // Saved without a change, or a file that the program does not consist of.
        if artifact == self.artifact {
            return;
        }
        match self
            .host
            .deploy(&self.tenant, artifact.clone(), Consent::Given)
            .await
        {
            Ok(number) => {
                self.artifact = artifact;
                let milliseconds = began.elapsed().as_millis();
                say(&format!("version {number} runs after {milliseconds} ms"));
            }
            // The program is ending by itself; it will be started anew.
            Err(DeployError::NotRunning | DeployError::NoTenant { .. }) => {}
            Err(error) => say(&format!(
                "{:#}; the old version goes on",
                anyhow::Error::from(error)
            )),
        }
    }
}

fn say(text: &str) {
    anstream::eprintln!("[dev] {text}");
}

/// Tells of every change below the directory of a program.
fn watch(path: &Path, saved: mpsc::Sender<()>) -> anyhow::Result<impl Watcher> {
    let told = move |event: notify::Result<notify::Event>| {
        let is_change = event.is_ok_and(|event| {
            matches!(
                event.kind,
                EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_)
            )
        });
        if is_change && saved.try_send(()).is_err() {
            tracing::trace!("a change is noted already");
        }
    };
    let root = match path.parent() {
        _ if path.is_dir() => path,
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    };
    let mut watcher = notify::recommended_watcher(told).context("files cannot be watched")?;
    watcher
        .watch(root, RecursiveMode::Recursive)
        .with_context(|| format!("{} cannot be watched", root.display()))?;
    Ok(watcher)
}

/// Waits for a change, and until changes rest.
async fn settle(changes: &mut mpsc::Receiver<()>) {
    if changes.recv().await.is_none() {
        return std::future::pending().await;
    }
    let rest =
        async { while let Ok(Some(())) = tokio::time::timeout(QUIET, changes.recv()).await {} };
    // Whoever writes without end is read all the same.
    drop(tokio::time::timeout(QUIET_WAIT_MAX, rest).await);
}
