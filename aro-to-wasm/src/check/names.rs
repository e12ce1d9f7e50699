//! The names that a feature set finds bound before its first statement.

use crate::program::{FeatureSet, Program, Trigger};

/// Names and objects of the system, in small letters: they are there in every feature set.
const SYSTEM: &[&str] = &[
    "application",
    "console",
    "contract",
    "current-time",
    "directory",
    "env",
    "environment",
    "event-stream",
    "events",
    "file",
    "framework",
    "generated-id",
    "git",
    "host",
    "http-server",
    "httpserver",
    "metrics",
    "now",
    "parameter",
    "path",
    "port",
    "stderr",
    "stdin",
    "system",
    "template",
    "terminal",
    "url",
    "websocket",
    "websocket-connection",
    "websocket-server",
    "socket-server",
    "file-monitor",
    "channel",
    "subscribers",
    "subject",
    "command",
    "keyboard",
    "shutdown-signal",
];

/// Names bound for HTTP requests, in small letters. Which feature sets answer requests is up to the contract.
const REQUEST: &[&str] = &[
    "request",
    "incoming-request",
    "session",
    "context",
    "pathparameters",
    "queryparameters",
    "headerparameters",
    "cookieparameters",
    "headers",
    "body",
];

/// Whether something other than a statement of the feature set provides `name`.
pub(super) fn provided(program: &Program, set: &FeatureSet, name: &str) -> bool {
    let small = name.to_lowercase();
    name.starts_with('_')
        || program.is_repository(name)
        || program.resources.contains(name)
        || program.configured.contains(name)
        || program
            .publishers(name, &set.syntax.activity)
            .next()
            .is_some()
        || SYSTEM.contains(&small.as_str())
        || from_trigger(set).contains(&small.as_str())
}

/// Names that the trigger binds, in small letters.
fn from_trigger(set: &FeatureSet) -> &'static [&'static str] {
    match &set.trigger {
        Trigger::EndSuccess | Trigger::EndError => &["shutdown"],
        // Those of other triggers are reported as such (U4), not as unknown.
        Trigger::Action => &[
            "input",
            "request",
            "response",
            "event",
            "pathparameters",
            "queryparameters",
        ],
        Trigger::Start => &[],
        Trigger::WebSocket { .. } => &["event", "websocket-connection", "websocket-message"],
        Trigger::Socket(_) | Trigger::Tcp(_) => &["event", "packet", "connection"],
        Trigger::State { .. } => &["event", "transition"],
        Trigger::File(_)
        | Trigger::KeyPress
        | Trigger::Notification
        | Trigger::RepositoryObserver(_)
        | Trigger::Evicted(_)
        | Trigger::Domain(_) => &["event"],
        Trigger::None | Trigger::Test => REQUEST,
    }
}

/// Names worth suggesting for a misspelt one.
pub(super) fn suggestions<'a>(
    program: &'a Program,
    set: &'a FeatureSet,
) -> impl Iterator<Item = &'a str> {
    let published = program.published.keys().map(String::as_str);
    let stores = program.store_names.iter().map(String::as_str);
    let resources = program.resources.iter().map(String::as_str);
    published
        .chain(stores)
        .chain(resources)
        .chain(from_trigger(set).iter().copied())
        .chain(["now", "current-time", "generated-id"])
}
