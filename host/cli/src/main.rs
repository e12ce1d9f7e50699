//! The `aro-host` command: flags, exit codes, signals. Everything else is in the library.

mod activation;
mod admin;
mod arguments;
mod build;
mod compiler;
mod dev;
mod hosting;
mod log;
#[cfg(feature = "otel")]
mod otel;
mod replay;
mod rlimit;
mod service;
mod stores;
mod top;

use anyhow::Context;
use arguments::{Arguments, Command};
use aro_host::{Host, Outcome, TenantId};
use build::Warnings;
use clap::Parser;
use std::path::Path;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// The program is wrong: it cannot be loaded, or its start failed.
const EXIT_PROGRAM: u8 = 1;
/// Flags or surroundings are wrong.
const EXIT_ENVIRONMENT: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Command::CompileParts {
        memory_bytes,
        cpu_seconds,
    } = arguments.command
    {
        return match compiler::compile(memory_bytes, cpu_seconds) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(EXIT_ENVIRONMENT),
        };
    }
    let export = match log::Export::start() {
        Ok(export) => export,
        Err(error) => {
            anstream::eprintln!("error: {error:#}");
            return ExitCode::from(EXIT_ENVIRONMENT);
        }
    };
    log::install(arguments.log_format(), export.as_ref());
    match rlimit::raise_files() {
        Ok(limit) => tracing::debug!(limit, "open files"),
        Err(error) => tracing::warn!(%error, "the limit of open files cannot be raised"),
    }
    let code = match run(&arguments) {
        Ok(Outcome::Success) => ExitCode::SUCCESS,
        Ok(Outcome::Failure) => ExitCode::from(EXIT_PROGRAM),
        Err(failure) => {
            let (code, error) = match failure {
                Failure::Program(error) => (EXIT_PROGRAM, error),
                Failure::Environment(error) => (EXIT_ENVIRONMENT, error),
            };
            anstream::eprintln!("error: {error:#}");
            ExitCode::from(code)
        }
    };
    aro_host::flush();
    // What is exported lives until here, and then sends what is left.
    code
}

/// Why nothing ran; decides the exit code.
enum Failure {
    Program(anyhow::Error),
    Environment(anyhow::Error),
}

fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let (path, options) = match &arguments.command {
        Command::Serve {
            config: Some(config),
            ..
        } => return hosting::serve(config, arguments.log_format()),
        Command::CheckConfig { path } => return hosting::check(path),
        Command::Replay { event, app } => return replay::replay(event, app.as_deref()),
        Command::Top { target } => return top::run(target),
        Command::Remote(remote) => return admin::client::run(remote),
        Command::Serve {
            path: Some(path),
            options,
            ..
        }
        | Command::Run { path, options }
        | Command::Dev { path, options } => (path, options),
        Command::Serve { path: None, .. } | Command::CompileParts { .. } => {
            return Ok(Outcome::Success);
        }
    };
    let mut settings = options
        .settings(&arguments.command, |name| std::env::var(name).ok())
        .map_err(Failure::Environment)?;
    let tenant =
        TenantId::new(&options.tenant).map_err(|error| Failure::Environment(error.into()))?;
    if let Command::Dev { .. } = &arguments.command {
        let runtime = event_loop()?;
        let outcome = runtime.block_on(dev::dev(path, tenant, settings));
        runtime.shutdown_background();
        return outcome;
    }
    let admin = options.admin().map_err(Failure::Environment)?;
    let is_run = matches!(arguments.command, Command::Run { .. });
    let warnings = match is_run && !options.verbose {
        true => Warnings::Hidden,
        false => Warnings::Shown,
    };
    let file = read(path, warnings)?;
    settings.store_files = stores::writable(path, &settings.grants.directories);
    let runtime = event_loop()?;
    let host = Host::new(settings)
        .context("the host cannot start")
        .map_err(Failure::Environment)?;
    let outcome = runtime.block_on(async {
        // Installed before the program starts: a signal during its start must end it as well.
        let stop = interrupted().map_err(Failure::Environment)?;
        if let Some((address, token)) = admin {
            let served = admin::serve(address, token, host.clone(), None).await;
            served.map_err(Failure::Environment)?;
        }
        let program = host
            .load(tenant, &file)
            .with_context(|| format!("{}", path.display()))
            .map_err(Failure::Program)?;
        Ok(program.run(stop).await)
    });
    // A handler that ignores its end must not keep the process.
    runtime.shutdown_background();
    outcome
}

fn event_loop() -> Result<tokio::runtime::Runtime, Failure> {
    event_loop_with(1)
}

/// The event loop with so many workers for each processor.
fn event_loop_with(workers: usize) -> Result<tokio::runtime::Runtime, Failure> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(processors * workers)
        .enable_all()
        .build();
    runtime
        .context("the event loop cannot start")
        .map_err(Failure::Environment)
}

/// Completes when the process is asked to end; signals count from the call on.
fn interrupted() -> anyhow::Result<impl Future<Output = ()>> {
    let signals = signal(SignalKind::interrupt())
        .and_then(|interrupt| Ok((interrupt, signal(SignalKind::terminate())?)));
    let (mut interrupt, mut terminate) = signals.context("signals cannot be received")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

fn read(path: &Path, warnings: Warnings) -> Result<Vec<u8>, Failure> {
    let is_source = path.is_dir()
        || path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("aro"));
    if is_source {
        return build::build(path, warnings).map_err(Failure::Program);
    }
    std::fs::read(path)
        .with_context(|| format!("cannot read {}", path.display()))
        .map_err(Failure::Environment)
}
