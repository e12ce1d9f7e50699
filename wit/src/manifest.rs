//! The manifest: what the host must know of a program that its types do not say.
//!
//! One JSON document in the custom section [`SECTION`] of the outer component. The order of `feature_sets` is the order of the nested components in the file.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Name of the custom section that holds the manifest.
pub const SECTION: &str = "aro:manifest";
/// Name of the custom section of the value runtime that holds the digest of its sources.
pub const DIGEST_SECTION: &str = "aro:source-digest";
/// The format this crate reads and writes.
pub const FORMAT: u32 = 1;
/// Largest manifest that is read, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 16 << 20;

/// The whole manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// Name of the program: its directory or file.
    pub program: String,
    /// Name and version of the compiler.
    pub compiler: String,
    /// Source files by index, relative to the program's directory.
    pub files: Vec<String>,
    /// One for each nested component, in file order.
    pub feature_sets: Vec<FeatureSet>,
    /// What the program answers over HTTP; none without a contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,
    /// Whether it handles WebSockets or says something about them: only then does its HTTP server accept them without being told to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub websockets: bool,
    /// What the program says of its repositories before it runs; those of which it says nothing are not listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<Repository>,
}

/// The operations of an OpenAPI contract.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Port of the first server of the contract.
    pub port: Option<u16>,
    /// In the order of their paths and methods, webhooks last.
    pub operations: Vec<Operation>,
    /// `{ schemas }`: what schemas of the operations refer to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub components: Option<serde_json::Value>,
}

/// One operation of a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// `operationId`, which [`Trigger::Operation`] names.
    pub id: String,
    /// Upper case.
    pub method: String,
    /// Path template: `/users/{id}`.
    pub path: String,
    /// Whether its successful response is a stream of events, which stays open.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub streams: bool,
    /// What it demands of requests and promises of responses; none if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<Box<Checks>>,
}

/// What an operation demands and promises. Schemas are JSON Schema 2020-12.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checks {
    /// Its request body; none if the contract says nothing of one.
    pub body: Option<RequestBody>,
    /// Its parameters, those of its path included.
    pub parameters: Vec<DeclaredParameter>,
    /// Schemas of JSON responses by status, or `default`.
    pub responses: BTreeMap<String, serde_json::Value>,
    /// One of these lists of credentials must be there in full; everybody may ask if there is none.
    pub security: Vec<Vec<Credential>>,
    /// Whether nobody should use it any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deprecated: bool,
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestBody {
    /// Whether there must be one.
    pub required: bool,
    /// By media type, in lower case; a range such as `text/*` counts. Without a schema everything of that type fits.
    pub content: BTreeMap<String, Option<serde_json::Value>>,
}

/// A parameter of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredParameter {
    /// Its name.
    pub name: String,
    /// `query`, `header`, `cookie` or `path`.
    pub place: String,
    /// Whether it must be there.
    pub required: bool,
    /// What it is where it is not sent, as it would be sent, decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Whether it may be sent without a value.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allows_empty: bool,
    /// What it must be.
    pub schema: Option<serde_json::Value>,
}

/// Something that proves who asks. It is looked for, not checked: that is the program's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// `query`, `header` or `cookie`.
    pub place: String,
    /// Name of the parameter.
    pub name: String,
    /// What its text begins with, in lower case; empty for anything.
    pub scheme: String,
}

/// One repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repository {
    /// Its name.
    pub name: String,
    /// Fields, as dotted paths, that statements select rows by and that are worth an index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<String>,
    /// Rows that it begins with, from the program's store file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<serde_json::Value>,
}

/// One nested component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureSet {
    /// Kebab-case name, unique in the program; the outer component exports under it.
    pub component: String,
    /// Name as written in the header; for hand-written components the file's stem.
    pub name: String,
    /// Activity as written in the header; empty for hand-written components.
    pub activity: String,
    /// What runs it. More than one only for hand-written components.
    pub triggers: Vec<Trigger>,
    /// Statements in source order; failures name them by index.
    pub statements: Vec<Statement>,
    /// Which machine code belongs to which statement, sorted by function and offset; lets a trap name its statement.
    pub code: Vec<CodeRange>,
    /// Where the feature set's code comes from.
    pub origin: Origin,
    /// What it asks of the operator, so that a refusal can name the statement. The host never trusts it: what counts is what the component imports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
    /// Whether it answers requests without looking at their headers, so that nobody need hand them over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignores_headers: bool,
}

/// Something that a statement asks of the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// The interface through which it is reached.
    pub interface: String,
    /// What of it: the name of an environment variable; else empty.
    pub detail: String,
    /// Index into the feature set's statements.
    pub statement: u32,
}

/// What runs a feature set.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// Program start.
    Start,
    /// Program end after success.
    EndSuccess,
    /// Program end after an error.
    EndError,
    /// The test command.
    Test,
    /// A connection was opened.
    TcpConnected,
    /// Bytes arrived.
    TcpData,
    /// The peer of a connection has finished sending.
    TcpFinished,
    /// A connection was closed.
    TcpDisconnected,
    /// A WebSocket was opened.
    WebSocketConnected(WebSocketPath),
    /// A message arrived on a WebSocket.
    WebSocketMessage(WebSocketPath),
    /// A binary message arrived on a WebSocket.
    WebSocketBinary(WebSocketPath),
    /// A WebSocket was closed.
    WebSocketDisconnected(WebSocketPath),
    /// An event of this subject: the type of a domain event, [`NOTIFICATION_SENT`], [`STATE_CHANGED`], [`FILE_CREATED`], [`FILE_MODIFIED`], [`FILE_DELETED`], [`KEY_PRESSED`], or one of [`repository_changed`] and [`repository_evicted`].
    Event(String),
    /// A request for the operation of this identity.
    Operation(String),
}

/// The path whose WebSockets a handler wants; none for all of them.
pub type WebSocketPath = Option<String>;

/// How names of published variables begin that are settings of the whole application; no name of ARO has a colon.
pub const SETTING: &str = "setting:";

/// The published variable of a setting.
pub fn setting(name: &str) -> String {
    format!("{SETTING}{name}")
}

/// Subject of the events of `Notify`. It contains a space, as no type of a domain event does.
pub const NOTIFICATION_SENT: &str = "notification sent";
/// Subject of the events of `Accept`.
pub const STATE_CHANGED: &str = "state changed";
/// Subject: a file has come into a watched directory.
pub const FILE_CREATED: &str = "file created";
/// Subject: a file in a watched directory has other contents.
pub const FILE_MODIFIED: &str = "file modified";
/// Subject: a file has left a watched directory, or a program has removed it.
pub const FILE_DELETED: &str = "file deleted";
/// Subject: a key of a keyboard. Hosts of programs that serve have none, so nothing raises it (runtime.md 3.16).
pub const KEY_PRESSED: &str = "key pressed";

/// Subject of the events of changes of a repository. It contains a space, as no type of a domain event does.
#[must_use]
pub fn repository_changed(repository: &str) -> String {
    format!("{repository} changed")
}

/// Subject of the events of rows that a repository had no room for.
#[must_use]
pub fn repository_evicted(repository: &str) -> String {
    format!("{repository} evicted")
}

impl Trigger {
    /// The interface that a component exports to be run by this trigger.
    pub fn interface(&self) -> &'static str {
        use crate::interface as name;
        match self {
            Trigger::Start => name::START,
            Trigger::EndSuccess | Trigger::EndError => name::END,
            Trigger::Test => name::TEST,
            Trigger::TcpConnected => name::TCP_CONNECTED,
            Trigger::TcpData => name::TCP_DATA,
            Trigger::TcpFinished => name::TCP_FINISHED,
            Trigger::TcpDisconnected => name::TCP_DISCONNECTED,
            Trigger::WebSocketConnected(_) => name::WEBSOCKET_CONNECTED,
            Trigger::WebSocketMessage(_) | Trigger::WebSocketBinary(_) => name::WEBSOCKET_MESSAGE,
            Trigger::WebSocketDisconnected(_) => name::WEBSOCKET_DISCONNECTED,
            Trigger::Event(_) => name::EVENT_HANDLER,
            Trigger::Operation(_) => name::HTTP_HANDLER,
        }
    }
}

/// Where a feature set's code comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Compiled from ARO source.
    Aro,
    /// A component of the application's `components/` folder, nested as it is.
    Component,
}

/// One statement, as run-time errors cite it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Index into `files`.
    pub file: u32,
    /// 1-based line of its first character.
    pub line: u32,
    /// 1-based column, in characters.
    pub column: u32,
    /// `Cannot log the message for the console.` (runtime.md 2.7.1)
    pub sentence: String,
    /// `<Log> the <message> for the <console>.` (runtime.md 2.7.2)
    pub text: String,
}

/// A run of instructions that belong to one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeRange {
    /// Function index in the feature set's core module, imports counted.
    pub function: u32,
    /// First byte, counted from the start of the function's body.
    pub start: u32,
    /// Index into `statements`.
    pub statement: u32,
}

/// Why a manifest was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Larger than [`MANIFEST_BYTES_MAX`].
    #[error("manifest has {bytes} bytes; at most {MANIFEST_BYTES_MAX} are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not JSON of this shape.
    #[error("manifest is malformed")]
    Malformed(#[source] serde_json::Error),
    /// Written by another version of the compiler.
    #[error(
        "manifest has format {found}; this host reads format {FORMAT}: rebuild the program with the matching aro-to-wasm"
    )]
    Format {
        /// The format it states.
        found: u32,
    },
}

impl Manifest {
    /// Reads a manifest from the contents of its section.
    ///
    /// # Errors
    /// [`ManifestError`] if it is too large, malformed or of another format.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(ManifestError::TooLarge { bytes: bytes.len() });
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(ManifestError::Malformed)?;
        if manifest.format != FORMAT {
            return Err(ManifestError::Format {
                found: manifest.format,
            });
        }
        Ok(manifest)
    }

    /// The contents of its section. The same manifest gives the same bytes.
    ///
    /// # Panics
    /// Never: a manifest has string keys only, and no serializer of its own that could fail.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a manifest has string keys only and no failing serializer")
    }
}
