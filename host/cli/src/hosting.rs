//! Many tenants in one process, as a configuration lists them.

mod config;
mod explain;
mod limits;

use crate::admin::{self, Token};
use crate::arguments::LogFormatKind;
use crate::{Failure, event_loop, interrupted, read};
use anyhow::{Context, anyhow};
use aro_host::{Host, LogFormat, Outcome, Program};
use config::{Config, Planned};
use std::path::Path;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Checks a configuration and prints what it means.
pub(crate) fn check(path: &Path) -> Result<Outcome, Failure> {
    let planned = Config::read(path)
        .and_then(|config| config.plan(path))
        .map_err(Failure::Environment)?;
    anstream::print!("{}", explain::explain(&planned));
    Ok(Outcome::Success)
}

/// How a configuration wants lines to be written; none where it does not say or cannot be read.
pub(crate) fn log_format(path: &Path) -> Option<LogFormatKind> {
    Config::read(path).ok()?.log_format()
}

/// Serves all tenants until a signal. A tenant whose program cannot run is reported and does not keep the others from theirs.
pub(crate) fn serve(path: &Path, format: LogFormat) -> Result<Outcome, Failure> {
    let mut planned = Config::read(path)
        .and_then(|config| config.plan(path))
        .map_err(Failure::Environment)?;
    for tenant in &mut planned.tenants {
        tenant.settings.log_format = format;
    }
    let runtime = event_loop()?;
    let host = Host::new(planned.host.clone())
        .context("the host cannot start")
        .map_err(Failure::Environment)?;
    let outcome = runtime.block_on(run(host, planned));
    runtime.shutdown_background();
    outcome
}

async fn run(host: Host, planned: Planned) -> Result<Outcome, Failure> {
    let stop = interrupted().map_err(Failure::Environment)?;
    if let Some(admin) = &planned.admin {
        let token = Token::read(admin.token_file.as_deref()).map_err(Failure::Environment)?;
        let served = admin::serve(admin.listen, token, host.clone()).await;
        served.map_err(Failure::Environment)?;
    }
    let (asked, stopping) = watch::channel(false);
    let mut running = JoinSet::new();
    for tenant in planned.tenants {
        match load(&host, &tenant) {
            Ok(program) => {
                let mut stopping = stopping.clone();
                let name = tenant.id.to_string();
                running.spawn(async move {
                    let asked = async move { drop(stopping.wait_for(|asked| *asked).await) };
                    (name, program.run(asked).await)
                });
            }
            Err(error) => anstream::eprintln!("error: tenant {}: {error:#}", tenant.id),
        }
    }
    if running.is_empty() {
        return Err(Failure::Program(anyhow!("no tenant runs")));
    }
    let signals = tokio::spawn(async move {
        stop.await;
        asked.send_replace(true);
    });
    let mut result = Outcome::Failure;
    while let Some(ended) = running.join_next().await {
        let Ok((name, outcome)) = ended else {
            anstream::eprintln!("error: a tenant ended unexpectedly");
            continue;
        };
        if !*stopping.borrow() {
            anstream::eprintln!("tenant {name} has ended");
        }
        if outcome == Outcome::Success {
            result = Outcome::Success;
        }
    }
    signals.abort();
    Ok(result)
}

fn load(host: &Host, tenant: &config::Tenant) -> anyhow::Result<Program> {
    let file = read(&tenant.app).map_err(|failure| match failure {
        Failure::Program(error) | Failure::Environment(error) => error,
    })?;
    let program = host.load_as(tenant.id.clone(), tenant.settings.clone(), &file);
    program.with_context(|| format!("{}", tenant.app.display()))
}
