//! One recorded event, run again: the same code, in the sandbox, and every host function answers what it answered then. Nothing of the machine is reached.

use super::recording::{Call, Given, Recorded, shortened};
use super::show::Bytes;
use super::{app_beside, hexadecimal, show};
use crate::artifact::{self, ArtifactError};
use crate::config::{RuntimeCode, Settings};
use crate::engine::state::Refused;
use crate::engine::tape::Kept;
use crate::engine::{Engine, EngineStartError, LoadError};
use crate::failure;
use crate::grants::{Grants, Outbound};
use crate::life::Life;
use crate::record::occasion::Socket;
use crate::tenant::{Tenant, TenantId};
use aro_wit::manifest::{FeatureSet as Entry, Manifest, Origin};
use minicbor::Decoder;
use sha2::{Digest, Sha256};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::Result as Guest;

/// Lines that one replay shows; it ends there.
const LINES_MAX: usize = 20_000;
/// CPU time of a replay: what ran out of time then does so again, by a limit that depends on no clock where it has statements, and by this where it has none.
const CPU_TIME_MAX: Duration = Duration::from_secs(60);
/// Memory that a replay may use beyond what the event could: what is shown is encoded there.
const MEMORY_BYTES_MAX: usize = 256 << 20;

/// A recorded event, read from its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEvent(Recorded);

impl RecordedEvent {
    /// Reads the file of a recorded event.
    ///
    /// # Errors
    /// [`ReplayError::Recording`] if it is none.
    pub fn read(file: &[u8]) -> Result<Self, ReplayError> {
        let recorded = Recorded::read(file).map_err(|error| ReplayError::Recording {
            reason: error.to_string(),
        })?;
        Ok(Self(recorded))
    }

    /// Where the artifact is kept that handled the event whose file is `event`.
    #[must_use]
    pub fn app_beside(&self, event: &Path) -> PathBuf {
        app_beside(event, &self.0.app)
    }

    /// Whether `app` is the artifact that handled it.
    #[must_use]
    pub fn was_handled_by(&self, app: &[u8]) -> bool {
        hexadecimal(&Sha256::digest(app)) == self.0.app
    }
}

/// Why an event cannot be run again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The file is no recorded event.
    #[error("the recorded event cannot be read: {reason}")]
    Recording {
        /// What is wrong with it.
        reason: String,
    },
    /// The artifact is another one.
    #[error("the event was handled by another program, or another version of it: {app} is wanted")]
    OtherApp {
        /// First digits of the digest.
        app: String,
    },
    /// The artifact is malformed.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The program cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The engine cannot start.
    #[error(transparent)]
    Engine(#[from] EngineStartError),
    /// The program has no such feature set.
    #[error("the program has no feature set {name:?}")]
    NoFeatureSet {
        /// Its name.
        name: String,
    },
}

/// What a replay showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// Which feature set, and in the next line what it was run for.
    pub heading: String,
    /// What it did, in order.
    pub lines: Vec<Line>,
    /// How it ended.
    pub outcome: String,
    /// How it ended when it was recorded.
    pub recorded_outcome: String,
    /// Where it did something else than was recorded.
    pub divergence: Option<String>,
    /// Whether the recording has all that happened; long ones have not.
    pub is_whole: bool,
}

/// One step of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A statement began.
    Statement {
        /// `main.aro:12:5`
        place: String,
        /// The statement.
        text: String,
    },
    /// A name was bound.
    Bound {
        /// The name.
        name: String,
        /// Its value.
        value: String,
    },
    /// A host function was called.
    Call {
        /// Its name.
        name: String,
        /// What was asked.
        arguments: String,
        /// What was answered; none where no answer came.
        answer: Option<String>,
    },
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Statement { place, text } => write!(f, "{place}  {text}"),
            Self::Bound { name, value } => write!(f, "    {name} = {value}"),
            Self::Call {
                name,
                arguments,
                answer,
            } => {
                let answer = answer.as_deref().unwrap_or("no answer");
                write!(f, "    {name}({arguments}) → {answer}")
            }
        }
    }
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.heading)?;
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        if let Some(divergence) = &self.divergence {
            return writeln!(f, "diverged: {divergence}");
        }
        writeln!(f, "ended: {}", self.outcome)?;
        if !self.is_whole {
            writeln!(f, "the recording ends here: the event was too long for it")?;
        }
        if self.outcome != self.recorded_outcome {
            writeln!(f, "recorded: {}", self.recorded_outcome)?;
        }
        Ok(())
    }
}

/// Runs a recorded event again. `traced` is the same program, compiled so that it tells its statements and what they bind; without it only calls are seen, with the statements that make them.
///
/// # Errors
/// [`ReplayError`] if the artifact is not that of the recording, or cannot be loaded.
pub async fn replay(
    event: &RecordedEvent,
    app: &[u8],
    traced: Option<&[u8]>,
) -> Result<Replayed, ReplayError> {
    if !event.was_handled_by(app) {
        return Err(ReplayError::OtherApp {
            app: super::short(&event.0.app).to_owned(),
        });
    }
    let settings = Arc::new(settings());
    let engine = Engine::new(&settings)?;
    let artifact = artifact::dissect(traced.unwrap_or(app), &settings.artifact)?;
    let tenant = Tenant::new(
        TenantId::default(),
        &settings,
        &artifact.manifest,
        &engine.turns,
    )
    .map_err(LoadError::from)?;
    let tenant = Arc::new(tenant);
    let code = engine.load_to_replay(artifact, &settings)?;
    let routes = code.routes(&tenant, Life::new(&tenant, false));
    let recorded = &event.0;
    let feature_set = routes
        .feature_sets
        .iter()
        .find(|set| set.entry().component == recorded.component)
        .ok_or_else(|| ReplayError::NoFeatureSet {
            name: recorded.component.clone(),
        })?;
    let is_traced = traced.is_some() && feature_set.entry().origin == Origin::Aro;
    let state = Replay::new(recorded, &code.manifest, feature_set.entry(), is_traced);
    let (state, outcome) = feature_set.replay(&recorded.occasion, state).await;
    let entry = feature_set.entry();
    Ok(Replayed {
        heading: format!(
            "{}: {} (tenant {}, program {})\n{}",
            entry.name,
            entry.activity,
            recorded.tenant,
            super::short(&recorded.app),
            recorded.occasion.told()
        ),
        lines: state.lines,
        outcome,
        recorded_outcome: recorded.outcome.clone(),
        divergence: state.divergence,
        is_whole: recorded.is_whole,
    })
}

/// Nothing is granted but what the recording answers.
fn settings() -> Settings {
    let mut settings = Settings::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
    settings.grants = Grants {
        outbound: Outbound::All,
        ..settings.grants
    };
    // Little of the value runtime is compiled for one feature set.
    settings.runtime_code = RuntimeCode::Needed;
    settings.limits.instances_max = 1;
    settings.limits.cpu_time_max = CPU_TIME_MAX;
    settings.limits.life_cycle_cpu_time_max = CPU_TIME_MAX;
    settings.limits.memory_bytes_max = MEMORY_BYTES_MAX;
    settings
}

/// What stands beside a guest that is replayed.
#[derive(Debug)]
pub(crate) struct Replay {
    pub(crate) socket: Option<Socket>,
    calls: Vec<Call>,
    next: usize,
    is_whole: bool,
    /// Places and texts of the statements, by index.
    statements: Vec<(String, String)>,
    lines: Vec<Line>,
    /// Whether the guest tells its statements.
    is_traced: bool,
    divergence: Option<String>,
}

impl Replay {
    fn new(recorded: &Recorded, manifest: &Manifest, entry: &Entry, is_traced: bool) -> Self {
        let told = |statement| {
            let place = failure::place(manifest, statement).unwrap_or_default();
            (place, statement.text.clone())
        };
        Self {
            socket: recorded.occasion.socket(),
            calls: recorded.calls.clone(),
            next: 0,
            is_whole: recorded.is_whole,
            statements: entry.statements.iter().map(told).collect(),
            lines: Vec::new(),
            is_traced,
            divergence: None,
        }
    }

    /// A statement begins.
    pub(crate) fn statement(&mut self, index: u32) -> Guest<()> {
        self.show_statement(Some(index))
    }

    fn show_statement(&mut self, index: Option<u32>) -> Guest<()> {
        let index = index.and_then(|index| usize::try_from(index).ok());
        let Some((place, text)) = index.and_then(|index| self.statements.get(index)) else {
            return Ok(());
        };
        let line = Line::Statement {
            place: place.clone(),
            text: text.clone(),
        };
        self.show(line)
    }

    /// A name is bound.
    pub(crate) fn bound(&mut self, name: &str, value: &[u8]) -> Guest<()> {
        self.show(Line::Bound {
            name: name.to_owned(),
            value: show::item(value, Bytes::Data),
        })
    }

    fn show(&mut self, line: Line) -> Guest<()> {
        if self.lines.len() >= LINES_MAX {
            return Err(
                Refused::Recorded(format!("the replay ends after {LINES_MAX} steps")).into(),
            );
        }
        self.lines.push(line);
        Ok(())
    }

    /// What a host function answered when it was asked the same.
    pub(crate) fn answer<R: Kept>(
        &mut self,
        name: &str,
        arguments: Vec<u8>,
        statement: Option<u32>,
    ) -> Guest<R> {
        if !self.is_traced {
            self.show_statement_once(statement)?;
        }
        let asked = shortened(&arguments);
        let Some(call) = self.calls.get(self.next).cloned() else {
            return match self.is_whole {
                true => Err(self.diverged(name, &arguments, statement, None)),
                false => Err(ended("the recording ends here")),
            };
        };
        if call.name != name || call.arguments != asked {
            return Err(self.diverged(name, &arguments, statement, Some(&call)));
        }
        self.next += 1;
        let answer = call.answer.as_ref();
        self.show(Line::Call {
            name: plain(name),
            arguments: show::arguments(&arguments, Bytes::of(name)),
            answer: answer.map(|answer| match answer {
                Given::Value(value) => show::answer(value, Bytes::of(name)),
                Given::Refused(text) | Given::Trap(text) => text.clone(),
            }),
        })?;
        match call.answer {
            Some(Given::Value(value)) => {
                R::read(&mut Decoder::new(&value)).map_err(|error| ended(&error.to_string()))
            }
            Some(Given::Refused(text)) => Err(ended(&text)),
            Some(Given::Trap(text)) => Err(wasmtime::Error::msg(text)),
            // It was waiting here when its time was over.
            None => Err(ended("no answer came")),
        }
    }

    /// Without its telling, a statement is seen when it calls the host.
    fn show_statement_once(&mut self, statement: Option<u32>) -> Guest<()> {
        let last = self.lines.iter().rev().find_map(|line| match line {
            Line::Statement { place, .. } => Some(place.as_str()),
            Line::Bound { .. } | Line::Call { .. } => None,
        });
        let index = statement.and_then(|index| usize::try_from(index).ok());
        let place = index.and_then(|index| self.statements.get(index));
        if place.map(|(place, _)| place.as_str()) == last {
            return Ok(());
        }
        self.show_statement(statement)
    }

    fn diverged(
        &mut self,
        name: &str,
        arguments: &[u8],
        statement: Option<u32>,
        recorded: Option<&Call>,
    ) -> wasmtime::Error {
        let statement = statement.and_then(|index| usize::try_from(index).ok());
        let place = match statement.and_then(|index| self.statements.get(index)) {
            Some((place, text)) => format!("{place}: {text} "),
            None => String::new(),
        };
        let recorded = match recorded {
            None => "the recording has no further call".to_owned(),
            Some(call) => {
                let name = plain(&call.name);
                format!("the recording has {name}{}", shown_recorded(call))
            }
        };
        self.divergence = Some(format!(
            "{place}calls {}({}) where {recorded} (call {})",
            plain(name),
            show::arguments(arguments, Bytes::of(name)),
            self.next + 1
        ));
        ended("the replay diverged")
    }
}

fn ended(reason: &str) -> wasmtime::Error {
    Refused::Recorded(reason.to_owned()).into()
}

/// `aro:net/connections.send`, without the version of the interface.
fn plain(name: &str) -> String {
    match (name.split_once('@'), name.rsplit_once('.')) {
        (Some((interface, _)), Some((_, function))) => format!("{interface}.{function}"),
        _ => name.to_owned(),
    }
}

/// Recorded arguments: whole, or how many bytes they had.
fn shown_recorded(call: &Call) -> String {
    let mut from = Decoder::new(&call.arguments);
    if let Ok(arguments) = from.bytes() {
        return format!("({})", show::arguments(arguments, Bytes::of(&call.name)));
    }
    let mut from = Decoder::new(&call.arguments);
    let bytes = from.array().and_then(|_| from.u64()).unwrap_or_default();
    format!(" with {bytes} bytes of arguments")
}
