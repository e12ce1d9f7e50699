//! The OpenAPI contract of a program (runtime.md 4.2): operations, the port, and which parts of responses are nested.
//!
//! Versions 3.0 and 3.1, as YAML or JSON. What a contract says of requests is not enforced; nothing of it is needed at run time but methods, paths and identities.

mod schema;

pub(crate) use schema::Schemas;

use aro_wit::manifest::{Http, Operation};
use indexmap::IndexMap;
use serde_json::{Map, Value};

mod checks;
mod parameters;

pub(crate) use parameters::Parameters;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{SourceFile, Span};

/// Names that a contract may have in the directory of a program; the first that is there counts.
pub const NAMES: [&str; 3] = ["openapi.yaml", "openapi.yml", "openapi.json"];
/// References that are followed one after the other.
const REFERENCES_MAX: usize = 32;
/// Members of a path item that are operations (OpenAPI 3.1, 4.8.9).
const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

/// What a contract says.
#[derive(Debug, Default)]
pub(crate) struct Contract {
    /// For the manifest.
    pub(crate) http: Http,
    /// Operations that need no feature set: they say that they switch protocols.
    upgrades: Vec<String>,
    /// By identity: members of the response that are objects or lists of their own, `[]` for a response that is a list.
    nested: IndexMap<String, Vec<String>>,
    /// By identity.
    parameters: IndexMap<String, Parameters>,
    /// Of its components.
    pub(crate) schemas: Schemas,
}

impl Contract {
    /// The parameters that an operation declares.
    pub(crate) fn parameters(&self, id: &str) -> Option<&Parameters> {
        self.parameters.get(id)
    }

    /// The operation that a hand-written component of this name answers: names of files have other customs than those of operations.
    pub(crate) fn operation_of(&self, component: &str) -> Option<&str> {
        let plain = |name: &str| name.replace(['-', '_'], "").to_lowercase();
        let wanted = plain(component);
        let mut operations = self.http.operations.iter();
        let found = operations.find(|operation| plain(&operation.id) == wanted);
        found.map(|operation| operation.id.as_str())
    }

    /// Whether the response of an operation stays open, for events.
    pub(crate) fn streams(&self, id: &str) -> bool {
        let mut operations = self.http.operations.iter();
        operations.any(|operation| operation.id == id && operation.streams)
    }

    /// Whether a feature set of this name answers requests.
    pub(crate) fn names(&self, feature_set: &str) -> bool {
        self.http
            .operations
            .iter()
            .any(|operation| operation.id == feature_set)
    }

    /// The members of the response of an operation that stay nested.
    pub(crate) fn nested(&self, id: &str) -> &[String] {
        self.nested.get(id).map_or(&[], Vec::as_slice)
    }

    /// Says which operations neither a feature set nor a hand-written component answers.
    pub(crate) fn check<'a>(
        &self,
        file: u32,
        source: &SourceFile,
        mut feature_sets: impl Iterator<Item = &'a str> + Clone,
        components: impl Iterator<Item = &'a str>,
    ) -> Vec<Diagnostic> {
        let reader = Reader { file, source };
        let nested: Vec<&str> = components
            .filter_map(|name| self.operation_of(name))
            .collect();
        let missing = self.http.operations.iter().filter(|operation| {
            !self.upgrades.contains(&operation.id)
                && !nested.contains(&operation.id.as_str())
                && !feature_sets.clone().any(|name| name == operation.id)
        });
        let mut found: Vec<Diagnostic> = missing
            .map(|operation| {
                let message = format!(
                    "{} {} requires a feature set named `{}`",
                    operation.method, operation.path, operation.id
                );
                Diagnostic::new(Code::MissingOperation, reader.find(&operation.id), message).help(
                    format!("add `({}: …) {{ … }}` to a source file", operation.id),
                )
            })
            .collect();
        if feature_sets.next().is_none() {
            found.clear();
        }
        found
    }
}

/// Reads a contract; what is wrong with it is in the diagnostics.
pub(crate) fn read(file: u32, source: &SourceFile) -> (Contract, Vec<Diagnostic>) {
    let mut reading = Reading {
        reader: Reader { file, source },
        contract: Contract::default(),
        diagnostics: Vec::new(),
    };
    // A name such as `y` or `no` is a name (YAML 1.2 10.3.2).
    let options = serde_saphyr::options! { strict_booleans: true };
    match serde_saphyr::from_str_with_options::<Value>(&source.text, options) {
        Ok(root) => reading.root(&root),
        Err(error) => {
            let place = error.location().map_or(0, |place| place.line());
            let span = reading.reader.line(usize::try_from(place).unwrap_or(0));
            let message = format!("Failed to parse OpenAPI specification: {error}");
            reading
                .diagnostics
                .push(Diagnostic::new(Code::Contract, span, message));
        }
    }
    (reading.contract, reading.diagnostics)
}

/// Finds places in the text of a contract.
struct Reader<'a> {
    file: u32,
    source: &'a SourceFile,
}

impl Reader<'_> {
    /// The first place of a word that is not part of a longer one; the start of the file if there is none.
    fn find(&self, word: &str) -> Span {
        let text = &self.source.text;
        let is_part =
            |char: Option<char>| char.is_some_and(|char| char.is_alphanumeric() || char == '_');
        let start = text.match_indices(word).map(|(at, _)| at).find(|at| {
            let (before, after) = (text.get(..*at), text.get(at + word.len()..));
            !is_part(before.and_then(|text| text.chars().next_back()))
                && !is_part(after.and_then(|text| text.chars().next()))
        });
        let (start, length) = start.map_or((0, 0), |start| (start, word.len()));
        self.span(start, start + length)
    }

    /// A line, counted from 1, without its end.
    fn line(&self, number: usize) -> Span {
        let mut start = 0;
        for (index, line) in self.source.text.split_inclusive('\n').enumerate() {
            if index + 1 == number {
                return self.span(start, start + line.trim_end().len());
            }
            start += line.len();
        }
        self.span(0, 0)
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span {
            file: self.file,
            start: start as u32,
            end: end as u32,
        }
    }
}

struct Reading<'a> {
    reader: Reader<'a>,
    contract: Contract,
    diagnostics: Vec<Diagnostic>,
}

impl Reading<'_> {
    fn refuse(&mut self, at: &str, message: impl Into<String>) {
        let span = self.reader.find(at);
        self.diagnostics
            .push(Diagnostic::new(Code::Contract, span, message));
    }

    fn root(&mut self, root: &Value) {
        let version = match root.get("openapi") {
            Some(Value::String(version)) => version.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        if !version.starts_with("3.") {
            return self.refuse("openapi", format!("Unsupported OpenAPI version: {version}"));
        }
        for (parent, member) in [("info", "title"), ("info", "version")] {
            if root.get(parent).and_then(|info| info.get(member)).is_none() {
                self.refuse(parent, format!("`{parent}.{member}` is missing"));
            }
        }
        self.contract.http.port = server_port(root);
        self.contract.schemas = Schemas::of(root);
        let empty = Map::new();
        let Some(paths) = root
            .get("paths")
            .map(|paths| paths.as_object().unwrap_or(&empty))
        else {
            return self.refuse("openapi", "`paths` is missing");
        };
        for (path, item) in paths {
            self.item(root, path, item, None);
        }
        if let Some(hooks) = root.get("webhooks").and_then(Value::as_object) {
            for (name, item) in hooks {
                self.item(root, &format!("/{name}"), item, Some(name));
            }
        }
        self.contract.http.components = checks::components(root);
        self.references(root, root, 0);
    }

    /// The operations of a path; one of a webhook may go by the name of the webhook.
    fn item(&mut self, root: &Value, path: &str, item: &Value, webhook: Option<&str>) {
        let item = resolved(root, item);
        for method in METHODS {
            let Some(operation) = item.get(method) else {
                continue;
            };
            let shown = method.to_ascii_uppercase();
            let id = operation
                .get("operationId")
                .and_then(Value::as_str)
                .or(webhook)
                .unwrap_or("");
            if id.is_empty() {
                self.refuse(path, format!("Missing operationId for {shown} {path}"));
                continue;
            }
            let known = self
                .contract
                .http
                .operations
                .iter()
                .find(|known| known.id == id);
            if let Some(known) = known {
                let message = format!(
                    "Duplicate operationId '{id}' found:\n  - {} {}\n  - {shown} {path}",
                    known.method, known.path
                );
                self.refuse(id, message);
                continue;
            }
            let Some(responses) = operation.get("responses").and_then(Value::as_object) else {
                self.refuse(id, format!("`responses` of {shown} {path} is missing"));
                continue;
            };
            if responses.contains_key("101") {
                self.contract.upgrades.push(id.to_owned());
            }
            let nested = nested(root, responses);
            self.contract.nested.insert(id.to_owned(), nested);
            let declared = Parameters::of(root, item, operation);
            self.contract.parameters.insert(id.to_owned(), declared);
            self.contract.http.operations.push(Operation {
                id: id.to_owned(),
                method: shown,
                path: path.to_owned(),
                streams: streams(root, responses),
                checks: checks::of(root, item, operation, responses),
            });
        }
    }

    /// Every reference must lead somewhere in this file.
    fn references(&mut self, root: &Value, value: &Value, depth: usize) {
        if depth > REFERENCES_MAX * 4 {
            return;
        }
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref")
                    && pointed(root, reference).is_none()
                {
                    let what = if reference.contains("/parameters/") {
                        "parameter"
                    } else {
                        "schema"
                    };
                    self.refuse(reference, format!("Invalid {what} reference: {reference}"));
                }
                for member in members.values() {
                    self.references(root, member, depth + 1);
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.references(root, item, depth + 1);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

fn pointed<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    root.pointer(reference.strip_prefix('#')?)
}

/// A value, or what its reference leads to.
fn resolved<'a>(root: &'a Value, mut value: &'a Value) -> &'a Value {
    for _ in 0..REFERENCES_MAX {
        let Some(reference) = value.get("$ref").and_then(Value::as_str) else {
            return value;
        };
        let Some(next) = pointed(root, reference) else {
            return value;
        };
        value = next;
    }
    value
}

/// The port of the first server, its variables replaced by their defaults.
fn server_port(root: &Value) -> Option<u16> {
    let server = root.get("servers")?.get(0)?;
    let mut url = server.get("url")?.as_str()?.to_owned();
    let variables = server.get("variables").and_then(Value::as_object);
    for (name, variable) in variables.into_iter().flatten() {
        let default = match variable.get("default") {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => continue,
        };
        url = url.replace(&format!("{{{name}}}"), &default);
    }
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (_, port) = authority.rsplit_once(':')?;
    port.parse().ok()
}

/// Whether a successful response is a stream of events.
fn streams(root: &Value, responses: &Map<String, Value>) -> bool {
    let successes = responses
        .iter()
        .filter(|(status, _)| status.starts_with('2') || *status == "default");
    let mut contents = successes.filter_map(|(_, response)| {
        let content = resolved(root, response).get("content")?;
        content.as_object()
    });
    contents.any(|content| {
        content
            .keys()
            .any(|kind| kind.to_ascii_lowercase().starts_with(EVENT_STREAM))
    })
}

/// Media type of streams of events.
const EVENT_STREAM: &str = "text/event-stream";

/// Members of the successful responses' JSON that are objects; `[]` where the response itself is a list.
fn nested(root: &Value, responses: &Map<String, Value>) -> Vec<String> {
    let mut names = Vec::new();
    for response in responses.values() {
        let content = resolved(root, response)
            .get("content")
            .and_then(Value::as_object);
        for (_, media) in content
            .into_iter()
            .flatten()
            .filter(|(kind, _)| kind.contains("json"))
        {
            if let Some(schema) = media.get("schema") {
                collect(root, schema, &mut names, 0);
            }
        }
    }
    names.sort();
    names.dedup();
    names
}

fn collect(root: &Value, schema: &Value, names: &mut Vec<String>, depth: usize) {
    if depth > REFERENCES_MAX {
        return;
    }
    let schema = resolved(root, schema);
    if is_type(schema, "array") {
        names.push("[]".to_owned());
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        let property = resolved(root, property);
        if is_type(property, "object") || property.get("properties").is_some() {
            names.push(name.clone());
        }
    }
    for combined in ["allOf", "anyOf", "oneOf"] {
        let parts = schema.get(combined).and_then(Value::as_array);
        for part in parts.into_iter().flatten() {
            collect(root, part, names, depth + 1);
        }
    }
}

/// `type` is a name, or a list of names (3.1).
fn is_type(schema: &Value, wanted: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(name)) => name == wanted,
        Some(Value::Array(names)) => names.iter().any(|name| name == wanted),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> (Contract, Vec<String>) {
        let source = SourceFile {
            path: "openapi.yaml".to_owned(),
            text: text.to_owned(),
        };
        let (contract, found) = read(0, &source);
        let said = found
            .iter()
            .map(|one| {
                let line = one.primary.map_or(0, |span| source.position(span.start).0);
                format!("{line}: {}", one.message)
            })
            .collect();
        (contract, said)
    }

    const HEAD: &str = "openapi: 3.1.0\ninfo: { title: T, version: '1' }\n";

    #[test]
    fn operations_ports_and_nested_parts_are_read() {
        let text = format!(
            "{HEAD}servers:\n  - url: http://localhost:{{port}}/v1\n    variables: {{ port: {{ default: '9090' }} }}\npaths:\n  /users/{{id}}:\n    get:\n      operationId: getUser\n      responses:\n        '200':\n          content:\n            application/json:\n              schema: {{ $ref: '#/components/schemas/User' }}\n  /ws:\n    get:\n      operationId: live\n      responses: {{ '101': {{ description: up }} }}\nwebhooks:\n  paid:\n    post:\n      responses: {{ '200': {{ description: ok }} }}\ncomponents:\n  schemas:\n    User:\n      type: object\n      properties:\n        name: {{ type: string }}\n        address: {{ type: object }}\n"
        );
        let (contract, said) = read_text(&text);
        assert_eq!(said, Vec::<String>::new());
        assert_eq!(contract.http.port, Some(9090));
        let rows: Vec<_> = contract
            .http
            .operations
            .iter()
            .map(|one| (one.id.as_str(), one.method.as_str(), one.path.as_str()))
            .collect();
        assert_eq!(
            rows,
            [
                ("getUser", "GET", "/users/{id}"),
                ("live", "GET", "/ws"),
                ("paid", "POST", "/paid")
            ]
        );
        assert_eq!(contract.nested("getUser"), ["address"]);
        let source = SourceFile {
            path: "openapi.yaml".to_owned(),
            text,
        };
        let missing = contract.check(0, &source, ["getUser"].into_iter(), [].into_iter());
        assert_eq!(missing.len(), 1);
        assert_eq!(
            missing[0].message,
            "POST /paid requires a feature set named `paid`"
        );
        assert_eq!(contract.operation_of("get-user"), Some("getUser"));
        let nested = contract.check(0, &source, ["getUser"].into_iter(), ["paid"].into_iter());
        assert!(nested.is_empty());
    }

    #[test]
    fn mistakes_have_their_lines() {
        let text = format!(
            "{HEAD}paths:\n  /a:\n    get:\n      responses: {{}}\n  /b:\n    get:\n      operationId: b\n      responses: {{ '200': {{ $ref: '#/components/none' }} }}\n"
        );
        let (_, said) = read_text(&text);
        assert_eq!(
            said,
            [
                "4: Missing operationId for GET /a",
                "10: Invalid schema reference: #/components/none"
            ]
        );
        assert_eq!(
            read_text("swagger: '2.0'\n").1,
            ["1: Unsupported OpenAPI version: "]
        );
        let (_, said) = read_text("openapi: [\n");
        assert!(
            said[0].contains("Failed to parse OpenAPI specification"),
            "{said:?}"
        );
    }
}
