//! Everything that runs programs: owns every connection and all state, and runs one sandboxed feature set for each event.
//!
//! A [`Host`] loads an `app.wasm` into a [`Program`] of one tenant; the program is started, serves, and is stopped. Guests reach the host only through the WIT interfaces of `aro_wit`; what a component does not import it cannot call.

mod artifact;
mod config;
mod conn;
mod console;
mod engine;
mod event;
mod failure;
mod files;
mod grants;
mod input;
mod kept;
mod life;
mod net;
mod observe;
mod permit;
mod rate;
mod record;
mod release;
mod report;
mod route;
mod serve;
mod store;
mod tenant;
mod timer;

pub use artifact::{ArtifactError, InvalidWasm};
pub use config::{
    ArtifactLimits, CompileIn, ContractChecks, Isolation, LimitError, LimitKey, Limits, Prefix,
    RuntimeCode, Settings, SettingsError, SlowPeer, StoreFile, TlsIdentity,
};
pub use console::{Captured, ConsoleSink, Overflow, Stream, flush};
pub use engine::{CompileError, EngineError, EngineStartError, LoadError, compile_parts};
pub use grants::{Environment, Grants, Outbound, Parameters, Ports, TargetError, Targets};
pub use net::shared::{
    HostPattern, PathPrefix, PatternError, ShareError, SharedListener, SharedProtocol, SharedRoute,
    SharedSettings,
};
pub use observe::Observed;
pub use observe::durations::{Durations, quantile};
pub use observe::executions::FeatureSetStatus;
pub use observe::faults::Fault;
pub use observe::log::{LogFormat, timestamp};
pub use observe::traffic::ProtocolStatus;
pub use record::replay::{Line, RecordedEvent, ReplayError, Replayed, replay};
pub use release::{Consent, DeployError, Release};
pub use report::{ProcessStatus, QueueStatus, TenantDetail, TenantStatus};
pub use serve::{Entries, Host, HostError, Outcome, Program, TestOutcome};
pub use store::{SeedError, StateError, StoreOpenError};
pub use tenant::{TenantId, TenantIdError};
