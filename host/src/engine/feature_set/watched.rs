//! Executions that are recorded, and recorded ones that are run again.

use super::{Allowance, Call, Cause, FeatureSet, Guest, HttpResponse, Response};
use crate::engine::clock::SLICE_TICKS;
use crate::engine::state::Watch;
use crate::engine::trap;
use crate::failure::Failure;
use crate::record::occasion::Occasion;
use crate::record::recording::{Head, Recording};
use crate::record::replay::Replay;
use std::pin::pin;

/// What an execution answers, as one line of a recording.
pub(super) trait Told {
    fn told(&self) -> String;
}

impl Told for () {
    fn told(&self) -> String {
        "done".to_owned()
    }
}

impl Told for Response {
    fn told(&self) -> String {
        let mut text = format!("{} for {}", self.status, self.reason);
        for (name, value) in &self.fields {
            text.push_str(&format!(", {name}: {value}"));
        }
        text
    }
}

impl Told for HttpResponse {
    fn told(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        format!("{} {body}", self.status)
    }
}

fn outcome_of<T: Told>(outcome: &Result<T, Failure>) -> String {
    match outcome {
        Ok(answer) => answer.told(),
        Err(failure) => format!("failed: {}", failure.cause),
    }
}

impl FeatureSet {
    /// What it is run for, if that is recorded.
    pub(super) fn occasion(&self, make: impl FnOnce() -> Occasion) -> Option<Box<Occasion>> {
        let recorder = self.scope.tenant.recorder.as_ref();
        recorder.map(|_| Box::new(make()))
    }

    /// Records what passes from now on.
    pub(super) fn record(&self, guest: &mut Guest) {
        if let Some(recorder) = &self.scope.tenant.recorder {
            guest.store.data_mut().watch = Watch::Recording(Box::new(recorder.begin()));
        }
    }

    /// Gives the recording to whoever writes it.
    pub(super) fn recorded<T: Told>(
        &self,
        occasion: &Occasion,
        recording: Recording,
        outcome: &Result<T, Failure>,
    ) {
        let (Some(recorder), Some(app)) = (&self.scope.tenant.recorder, &self.scope.digest) else {
            return;
        };
        let head = Head {
            app,
            tenant: &self.scope.tenant.id.to_string(),
            component: &self.entry().component,
            occasion,
        };
        recorder.finish(recording, &head, &outcome_of(outcome));
    }

    /// Runs a recorded execution again; answers what it showed and how it ended.
    pub(crate) async fn replay(&self, occasion: &Occasion, replay: Replay) -> (Replay, String) {
        let allowance = Allowance::of_end(&self.scope.tenant.settings.limits);
        let mut guest = match self.take(allowance).await {
            Ok(guest) => guest,
            Err(failure) => return (replay, format!("failed: {}", failure.cause)),
        };
        let state = guest.store.data_mut();
        state.begin(Cause::LifeCycle, 0, allowance.cpu_time_max);
        state.watch = Watch::Replay(Box::new(replay));
        guest.store.set_epoch_deadline(SLICE_TICKS);
        let running = guest.run_again(self, occasion);
        let ended = self.within(allowance, pin!(running)).await;
        let outcome = match ended {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => {
                let failure = trap::failure_of(&error, guest.store.data());
                format!("failed: {}", failure.cause)
            }
            Err(elapsed) => format!("failed: {elapsed}"),
        };
        match std::mem::replace(&mut guest.store.data_mut().watch, Watch::None) {
            Watch::Replay(replay) => (*replay, outcome),
            Watch::None | Watch::Recording(_) => unreachable!("a replay has just been set"),
        }
    }
}

impl Guest {
    /// What was recorded of it.
    pub(super) fn recording(&mut self) -> Option<Recording> {
        match std::mem::replace(&mut self.store.data_mut().watch, Watch::None) {
            Watch::Recording(recording) => Some(*recording),
            Watch::None | Watch::Replay(_) => None,
        }
    }

    async fn run_again(
        &mut self,
        feature_set: &FeatureSet,
        occasion: &Occasion,
    ) -> wasmtime::Result<String> {
        let exports = &feature_set.exports;
        Ok(match occasion {
            Occasion::Start => {
                let ended = self.start(exports).await?;
                outcome_of(&ended.map_err(Failure::from))
            }
            Occasion::Test => {
                let ended = self.test(exports).await?;
                outcome_of(&ended.map_err(Failure::from))
            }
            Occasion::Request(request) => {
                let ended = self.request(exports, request.clone()).await?;
                outcome_of(&ended.map_err(Failure::from))
            }
            Occasion::Delivery { what, .. } => {
                let call: Call = what.call();
                let ended = self.call(exports, call).await?;
                outcome_of(&ended.map_err(Failure::from))
            }
        })
    }
}
