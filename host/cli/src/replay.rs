//! `aro-host replay`: one recorded event again, in the sandbox, with the answers that were recorded.

use crate::build::Warnings;
use crate::{Failure, event_loop, read};
use anyhow::{Context, anyhow};
use aro_host::{Outcome, RecordedEvent};
use std::path::Path;

/// Runs the event in `file` again and prints what it does.
pub(crate) fn replay(file: &Path, app: Option<&Path>) -> Result<Outcome, Failure> {
    let bytes = std::fs::read(file)
        .with_context(|| format!("cannot read {}", file.display()))
        .map_err(Failure::Environment)?;
    let event = RecordedEvent::read(&bytes)
        .with_context(|| file.display().to_string())
        .map_err(Failure::Environment)?;
    let beside = event.app_beside(file);
    let app = read(app.unwrap_or(&beside), Warnings::Shown)?;
    let traced = aro_to_wasm::sources::traced(&app);
    if traced.is_none() {
        anstream::eprintln!(
            "the program does not hold the sources that it was compiled from: statements are shown where they call the host, and no values"
        );
    }
    let runtime = event_loop()?;
    let replayed = runtime
        .block_on(aro_host::replay(&event, &app, traced.as_deref()))
        .map_err(|error| Failure::Program(anyhow!(error)))?;
    anstream::print!("{replayed}");
    Ok(match replayed.divergence {
        None => Outcome::Success,
        Some(_) => Outcome::Failure,
    })
}
