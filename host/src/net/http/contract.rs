//! Requests and responses against their contract (runtime.md 4.5, 4.8). Schemas are compiled once, when a program is loaded.

use super::{Answer, json, refusal};
use crate::engine::LoadError;
use aro_wit::manifest::{Checks, Credential, DeclaredParameter, Http};
use hyper::StatusCode;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use jsonschema::{PatternOptions, Validator};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Longest sentence about a value that does not fit.
const SENTENCE_CHARS_MAX: usize = 300;
/// Size of a compiled pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// What an operation demands and promises, compiled.
pub(crate) struct Contract {
    body: Option<Body>,
    parameters: Vec<Parameter>,
    responses: BTreeMap<String, Validator>,
    security: Vec<Vec<Credential>>,
    /// Whether nobody should use the operation any more.
    pub(super) is_deprecated: bool,
}

struct Body {
    required: bool,
    /// By media type; none takes everything of that type.
    content: BTreeMap<String, Option<Validator>>,
}

struct Parameter {
    declared: DeclaredParameter,
    schema: Option<Validator>,
}

/// By the identity of their operation.
pub(crate) type Contracts = HashMap<String, Arc<Contract>>;

/// Compiles what a contract demands and promises.
///
/// # Errors
/// [`ContractError`] if a schema is none.
pub(crate) fn contracts(http: &Http) -> Result<Contracts, ContractError> {
    let checked = http.operations.iter();
    let checked = checked.filter_map(|operation| Some((operation, operation.checks.as_ref()?)));
    checked
        .map(|(operation, checks)| {
            let contract = Contract::new(http, &operation.id, checks)?;
            Ok((operation.id.clone(), Arc::new(contract)))
        })
        .collect()
}

/// A contract that is none.
#[derive(Debug, thiserror::Error)]
#[error("a schema of operation {operation:?} cannot be used: {reason}")]
pub(crate) struct ContractError {
    operation: String,
    reason: String,
}

impl From<ContractError> for LoadError {
    fn from(error: ContractError) -> Self {
        Self::Contract {
            operation: error.operation,
            reason: error.reason,
        }
    }
}

impl Contract {
    /// Compiles what `checks` says of an operation.
    ///
    /// # Errors
    /// [`ContractError`] if a schema is none.
    fn new(http: &Http, id: &str, checks: &Checks) -> Result<Self, ContractError> {
        let compile = |schema: &Value| {
            compile(http.components.as_ref(), schema).map_err(|reason| ContractError {
                operation: id.to_owned(),
                reason,
            })
        };
        let body = checks.body.as_ref().map(|body| {
            let content = body.content.iter().map(|(kind, schema)| {
                Ok((kind.clone(), schema.as_ref().map(compile).transpose()?))
            });
            Ok(Body {
                required: body.required,
                content: content.collect::<Result<_, _>>()?,
            })
        });
        let parameters = checks.parameters.iter().map(|declared| {
            Ok(Parameter {
                schema: declared.schema.as_ref().map(compile).transpose()?,
                declared: declared.clone(),
            })
        });
        let responses = checks
            .responses
            .iter()
            .map(|(status, schema)| Ok((status.clone(), compile(schema)?)));
        Ok(Self {
            body: body.transpose()?,
            parameters: parameters.collect::<Result<_, _>>()?,
            responses: responses.collect::<Result<_, _>>()?,
            security: checks.security.clone(),
            is_deprecated: checks.deprecated,
        })
    }

    /// A query as the contract completes it: declared parameters without a value are left out unless they may be so, and those that are not there have their defaults.
    pub(super) fn completed(&self, query: &str) -> String {
        let declared = || {
            let all = self.parameters.iter().map(|one| &one.declared);
            all.filter(|one| one.place == "query")
        };
        let name_of = |pair: &str| decoded(pair.split('=').next().unwrap_or(""));
        let may_be_empty = |name: String| {
            let mut of_name = declared().filter(|one| one.name == name);
            of_name.all(|one| one.allows_empty)
        };
        let stays = |pair: &&str| {
            let value = pair.split_once('=').map_or("", |(_, value)| value);
            !pair.is_empty() && (!value.is_empty() || may_be_empty(name_of(pair)))
        };
        let mut pairs: Vec<String> = query.split('&').filter(stays).map(str::to_owned).collect();
        for one in declared() {
            let Some(default) = &one.default else {
                continue;
            };
            if !pairs.iter().any(|pair| name_of(pair) == one.name) {
                pairs.push(format!("{}={}", encoded(&one.name), encoded(default)));
            }
        }
        pairs.join("&")
    }

    /// Looks at a request before its feature set runs.
    pub(super) fn refuse(
        &self,
        head: &Parts,
        path: &[(String, String)],
        body: &[u8],
    ) -> Option<Answer> {
        let sent = Sent::of(head, path);
        self.unauthorized(&sent)
            .or_else(|| self.parameters.iter().find_map(|one| one.refuse(&sent)))
            .or_else(|| self.body.as_ref()?.refuse(&head.headers, body))
    }

    fn unauthorized(&self, sent: &Sent<'_>) -> Option<Answer> {
        let fits = |all: &Vec<Credential>| all.iter().all(|one| sent.proves(one));
        if self.security.is_empty() || self.security.iter().any(fits) {
            return None;
        }
        let mut answer = json(
            StatusCode::UNAUTHORIZED,
            &serde_json::json!({ "error": "Unauthorized", "message": "Authentication required" }),
        );
        answer
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        Some(answer)
    }

    /// Why a response is not what is promised; none if it is, or nothing is promised.
    pub(super) fn violation(&self, status: u16, body: &[u8]) -> Option<String> {
        let schema = self
            .responses
            .get(&status.to_string())
            .or_else(|| self.responses.get("default"))?;
        // Only containers are looked at.
        let value: Value = serde_json::from_slice(body).ok()?;
        if !value.is_object() && !value.is_array() {
            return None;
        }
        failing(schema, &value).map(|(_, sentence)| sentence)
    }
}

/// `None` of components for a contract without schemas that others refer to.
fn compile(components: Option<&Value>, schema: &Value) -> Result<Validator, String> {
    let mut root = serde_json::json!({ "allOf": [schema] });
    if let (Some(components), Some(members)) = (components, root.as_object_mut()) {
        members.insert("components".to_owned(), components.clone());
    }
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        // Linear in the text: both the pattern and the text are strangers'.
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES_MAX))
        .offline()
        .build(&root)
        .map_err(|error| shortened(&error.to_string()))
}

/// Where a value does not fit, as a JSON pointer (RFC 6901), and a sentence that says so.
fn failing(schema: &Validator, value: &Value) -> Option<(String, String)> {
    let error = schema.validate(value).err()?;
    let place = error.instance_path().to_string();
    let sentence = match place.as_str() {
        "" => shortened(&error.to_string()),
        place => format!("{} at {place}", shortened(&error.to_string())),
    };
    Some((place, sentence))
}

fn shortened(text: &str) -> String {
    text.chars().take(SENTENCE_CHARS_MAX).collect()
}

/// Where parameters and credentials stand in a request.
struct Sent<'a> {
    head: &'a Parts,
    path: &'a [(String, String)],
}

impl<'a> Sent<'a> {
    fn of(head: &'a Parts, path: &'a [(String, String)]) -> Self {
        Self { head, path }
    }

    /// The first text of a name, as it was sent.
    fn text(&self, place: &str, name: &str) -> Option<String> {
        match place {
            "query" => {
                let mut pairs = self.head.uri.query().unwrap_or("").split('&');
                pairs.find_map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decoded(key) == name).then(|| decoded(value))
                })
            }
            "header" => {
                let value = self.head.headers.get(name)?;
                Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
            }
            "cookie" => {
                let all = self.head.headers.get_all(header::COOKIE).iter();
                let texts = all.filter_map(|value| value.to_str().ok());
                let mut pairs = texts.flat_map(|text| text.split(';'));
                pairs.find_map(|pair| {
                    let (key, value) = pair.trim().split_once('=')?;
                    (key == name).then(|| value.to_owned())
                })
            }
            _ => {
                let mut found = self.path.iter().filter(|(known, _)| known == name);
                found.next().map(|(_, text)| decoded(text))
            }
        }
    }

    fn proves(&self, credential: &Credential) -> bool {
        let Some(text) = self.text(&credential.place, &credential.name) else {
            return false;
        };
        credential.scheme.is_empty()
            || text.split_once(' ').is_some_and(|(scheme, rest)| {
                scheme.eq_ignore_ascii_case(&credential.scheme) && !rest.trim().is_empty()
            })
    }
}

/// Percent-encoded, save for what never means anything else (RFC 3986 2.3).
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Percent-decoded, `+` as a blank.
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let pair = match byte {
            b'%' => bytes.clone().next().zip(bytes.clone().nth(1)),
            _ => None,
        };
        let digit = |byte: u8| char::from(byte).to_digit(16);
        match pair.and_then(|(high, low)| digit(high).zip(digit(low))) {
            Some((high, low)) => {
                out.extend(u8::try_from(high * 16 + low));
                bytes.nth(1);
            }
            None => out.push(if byte == b'+' { b' ' } else { byte }),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl Parameter {
    fn refuse(&self, sent: &Sent<'_>) -> Option<Answer> {
        let DeclaredParameter {
            name,
            place,
            required,
            ..
        } = &self.declared;
        let Some(text) = sent.text(place, name) else {
            return required.then(|| {
                bad_request(
                    &format!("Required {place} parameter '{name}' is missing"),
                    "",
                )
            });
        };
        let schema = self.schema.as_ref()?;
        // A text may be meant as what it reads like; lists and objects have styles of their own.
        let is_wanted = |kind: &str| {
            let declared = self.declared.schema.as_ref();
            declared.is_some_and(|schema| schema.get("type").is_some_and(|ty| ty == kind))
        };
        if is_wanted("array") || is_wanted("object") {
            return None;
        }
        let plain = Value::String(text.clone());
        if schema.is_valid(&plain) {
            return None;
        }
        let read = serde_json::from_str::<Value>(&text).ok();
        let read = read.filter(|value| value.is_number() || value.is_boolean() || value.is_null());
        let (_, sentence) = failing(schema, &read.unwrap_or(plain))?;
        Some(bad_request(
            &format!("{place} parameter '{name}': {sentence}"),
            "",
        ))
    }
}

impl Body {
    fn refuse(&self, headers: &HeaderMap, body: &[u8]) -> Option<Answer> {
        if body.is_empty() {
            return self
                .required
                .then(|| bad_request("Request body is required", ""));
        }
        let kind = headers.get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
        let kind = kind.split(';').next().unwrap_or("").trim();
        let kind = kind.to_ascii_lowercase();
        let range = kind
            .split_once('/')
            .map_or_else(String::new, |(family, _)| format!("{family}/*"));
        let wanted = [kind.as_str(), range.as_str(), "*/*"];
        let Some(schema) = wanted.iter().find_map(|kind| self.content.get(*kind)) else {
            let known: Vec<&str> = self.content.keys().map(String::as_str).collect();
            return Some(json(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                &serde_json::json!({
                    "error": "Unsupported Media Type",
                    "message": format!("Content-Type '{kind}' is not supported. Supported types: {}", known.join(", ")),
                }),
            ));
        };
        let schema = schema.as_ref()?;
        let value = match serde_json::from_slice::<Value>(body) {
            Ok(value) => value,
            Err(error) => return Some(bad_request(&format!("the body is no JSON: {error}"), "")),
        };
        let (place, sentence) = failing(schema, &value)?;
        Some(bad_request(&sentence, &place))
    }
}

/// With the pointer to what is wrong in the body, if it is something in there.
fn bad_request(message: &str, pointer: &str) -> Answer {
    if message.is_empty() {
        return refusal(StatusCode::BAD_REQUEST, "Bad Request");
    }
    json(
        StatusCode::BAD_REQUEST,
        &serde_json::json!({ "error": "Bad Request", "message": message, "path": pointer }),
    )
}
