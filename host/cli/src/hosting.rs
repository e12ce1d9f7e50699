//! Many tenants in one process, as a configuration lists them.

mod config;
mod explain;
mod http;
mod limits;
mod routes;
mod supervisor;

use crate::admin::{self, Token};
use crate::arguments::LogFormatKind;
use crate::service::{self, Notice};
use crate::{Failure, activation, event_loop_with, interrupted};
use anyhow::{Context, anyhow};
use aro_host::{Host, LogFormat, Outcome};
use config::{AdminTable, Config, Planned};
pub(crate) use limits::LimitArgument;
use std::path::Path;
use std::sync::Arc;
pub(crate) use supervisor::Supervisor;
use tokio::signal::unix::{SignalKind, signal};

/// Workers of the event loop for each processor. Guests that compute for long hold no more workers than there are processors (their turns), so that with twice as many there is always one to read, to write and to run what is short.
const WORKERS: usize = 2;

/// Checks a configuration and prints what it means.
pub(crate) fn check(path: &Path) -> Result<Outcome, Failure> {
    let (_, planned) = planned(path)?;
    anstream::print!("{}", explain::explain(&planned));
    Ok(Outcome::Success)
}

fn planned(path: &Path) -> Result<(Config, Planned), Failure> {
    let read = || {
        let config = Config::read(path)?;
        let planned = config.plan(path)?;
        Ok((config, planned))
    };
    read().map_err(Failure::Environment)
}

/// How a configuration wants lines to be written; none where it does not say or cannot be read.
pub(crate) fn log_format(path: &Path) -> Option<LogFormatKind> {
    Config::read(path).ok()?.log_format()
}

/// Serves all tenants until a signal.
pub(crate) fn serve(path: &Path, format: LogFormat) -> Result<Outcome, Failure> {
    let passed = activation::take();
    let (config, planned) = planned(path)?;
    let runtime = event_loop_with(WORKERS)?;
    let host = Host::new(planned.host.clone())
        .context("the host cannot start")
        .map_err(Failure::Environment)?;
    let outcome = runtime.block_on(async {
        let admin = planned.admin.clone();
        let path = path.to_owned();
        let supervisor = Supervisor::new(host.clone(), path, config, planned, passed, format)
            .map_err(Failure::Environment)?;
        run(host, admin, supervisor).await
    });
    runtime.shutdown_background();
    outcome
}

async fn run(
    host: Host,
    admin: Option<AdminTable>,
    supervisor: Arc<Supervisor>,
) -> Result<Outcome, Failure> {
    let stop = interrupted().map_err(Failure::Environment)?;
    let hangup = signal(SignalKind::hangup()).context("signals cannot be received");
    let mut hangup = hangup.map_err(Failure::Environment)?;
    if let Some(admin) = &admin {
        let token = Token::read(admin.token_file.as_deref()).map_err(Failure::Environment)?;
        let control = Some(Arc::clone(&supervisor));
        let served = admin::serve(admin.listen, token, host, control).await;
        served.map_err(Failure::Environment)?;
    }
    if supervisor.start_all().await == 0 {
        return Err(Failure::Program(anyhow!("no tenant runs")));
    }
    service::notify(Notice::Ready);
    tokio::spawn(service::keep_alive());
    let reloading = Arc::clone(&supervisor);
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            service::notify(Notice::Reloading);
            match reloading.reload().await {
                Ok(done) => done.iter().for_each(|line| anstream::eprintln!("{line}")),
                Err(error) => anstream::eprintln!("error: nothing has changed: {error:#}"),
            }
            service::notify(Notice::Ready);
        }
    });
    // Somebody who administers the host may start a tenant again; without one nothing would ever run again.
    let all_ended = async {
        supervisor.all_ended().await;
        if admin.is_some() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = stop => {}
        () = all_ended => {}
    }
    service::notify(Notice::Stopping);
    Ok(supervisor.shut_down().await)
}
