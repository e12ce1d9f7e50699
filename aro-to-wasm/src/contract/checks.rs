//! What a contract demands of requests and promises of responses, for a host that looks at it: schemas as JSON Schema, and who may ask (runtime.md 4.5, 4.8).

use super::resolved;
use aro_wit::manifest::{Checks, Credential, DeclaredParameter, RequestBody};
use serde_json::{Map, Value, json};

/// Keywords that say nothing about values.
const ORNAMENTS: [&str; 8] = [
    "description",
    "title",
    "example",
    "examples",
    "xml",
    "externalDocs",
    "deprecated",
    "discriminator",
];
/// Nesting of schemas that is followed.
const DEPTH_MAX: usize = 64;

/// What an operation demands and promises; none if nothing that can be looked at.
pub(super) fn of(
    root: &Value,
    item: &Value,
    operation: &Value,
    responses: &Map<String, Value>,
) -> Option<Box<Checks>> {
    let checks = Checks {
        body: operation
            .get("requestBody")
            .map(|body| request_body(resolved(root, body))),
        parameters: parameters(root, item, operation),
        responses: responses
            .iter()
            .filter_map(|(status, response)| {
                let schema = json_schema(resolved(root, response))?;
                Some((status.to_ascii_lowercase(), schema))
            })
            .collect(),
        security: security(root, operation),
        deprecated: operation.get("deprecated") == Some(&Value::Bool(true)),
    };
    (checks != Checks::default()).then(|| Box::new(checks))
}

/// The schemas that others refer to.
pub(super) fn components(root: &Value) -> Option<Value> {
    let schemas = root.get("components")?.get("schemas")?.as_object()?;
    let plain = schemas
        .iter()
        .map(|(name, value)| (name.clone(), schema(value, 0)));
    Some(json!({ "schemas": plain.collect::<Map<_, _>>() }))
}

fn request_body(body: &Value) -> RequestBody {
    let content = body.get("content").and_then(Value::as_object);
    RequestBody {
        required: body.get("required") == Some(&Value::Bool(true)),
        content: content
            .into_iter()
            .flatten()
            .map(|(kind, media)| {
                let is_json = kind.contains("json");
                let declared = media.get("schema").filter(|_| is_json);
                (
                    kind.to_ascii_lowercase(),
                    declared.map(|declared| schema(declared, 0)),
                )
            })
            .collect(),
    }
}

fn json_schema(response: &Value) -> Option<Value> {
    let content = response.get("content")?.as_object()?;
    let (_, media) = content.iter().find(|(kind, _)| kind.contains("json"))?;
    Some(schema(media.get("schema")?, 0))
}

fn parameters(root: &Value, item: &Value, operation: &Value) -> Vec<DeclaredParameter> {
    let mut found: Vec<DeclaredParameter> = Vec::new();
    let lists = [operation, item].map(|owner| owner.get("parameters").and_then(Value::as_array));
    for parameter in lists.into_iter().flatten().flatten() {
        let parameter = resolved(root, parameter);
        let member = |name: &str| parameter.get(name).and_then(Value::as_str);
        let (Some(name), Some(place)) = (member("name"), member("in")) else {
            continue;
        };
        if found
            .iter()
            .any(|known| known.name == name && known.place == place)
        {
            continue;
        }
        found.push(DeclaredParameter {
            name: name.to_owned(),
            place: place.to_owned(),
            required: parameter.get("required") == Some(&Value::Bool(true)),
            default: default(root, parameter),
            allows_empty: parameter.get("allowEmptyValue") == Some(&Value::Bool(true)),
            schema: parameter.get("schema").map(|declared| schema(declared, 0)),
        });
    }
    found
}

/// What a parameter is where it is not sent, as it would be sent; lists and objects have styles of their own.
fn default(root: &Value, parameter: &Value) -> Option<String> {
    match resolved(root, parameter.get("schema")?).get("default")? {
        Value::String(text) => Some(text.clone()),
        plain @ (Value::Bool(_) | Value::Number(_)) => Some(plain.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// One of the lists of credentials must be there in full; none where everybody may ask.
fn security(root: &Value, operation: &Value) -> Vec<Vec<Credential>> {
    let demanded = operation.get("security").or_else(|| root.get("security"));
    let demanded = demanded.and_then(Value::as_array);
    let schemes = root
        .get("components")
        .and_then(|components| components.get("securitySchemes"));
    let credential = |name: &String| {
        let scheme = resolved(root, schemes?.get(name)?);
        let member = |name| scheme.get(name).and_then(Value::as_str);
        Some(match member("type")? {
            "apiKey" => Credential {
                place: member("in")?.to_owned(),
                name: member("name")?.to_owned(),
                scheme: String::new(),
            },
            "http" => Credential {
                place: "header".to_owned(),
                name: "authorization".to_owned(),
                scheme: member("scheme")?.to_ascii_lowercase(),
            },
            _ => Credential {
                place: "header".to_owned(),
                name: "authorization".to_owned(),
                scheme: "bearer".to_owned(),
            },
        })
    };
    demanded
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .map(|all| all.keys().filter_map(credential).collect())
        .collect()
}

/// A schema as JSON Schema 2020-12 has it: what 3.0 says otherwise is said so, what says nothing is left out.
fn schema(declared: &Value, depth: usize) -> Value {
    let Some(members) = declared.as_object() else {
        return declared.clone();
    };
    if depth > DEPTH_MAX {
        return Value::Bool(true);
    }
    let mut plain = Map::new();
    for (name, value) in members {
        let value = match (name.as_str(), value) {
            ("nullable" | "readOnly" | "writeOnly" | "default" | "$schema" | "$id", _) => continue,
            (name, _) if ORNAMENTS.contains(&name) || name.starts_with("x-") => continue,
            ("exclusiveMinimum" | "exclusiveMaximum", Value::Bool(_)) => continue,
            (
                "properties" | "patternProperties" | "$defs" | "dependentSchemas",
                Value::Object(all),
            ) => {
                let all = all.iter();
                Value::Object(
                    all.map(|(name, value)| (name.clone(), schema(value, depth + 1)))
                        .collect(),
                )
            }
            ("enum" | "const" | "required", value) => value.clone(),
            (_, Value::Array(items)) => {
                Value::Array(items.iter().map(|item| schema(item, depth + 1)).collect())
            }
            (_, value) => schema(value, depth + 1),
        };
        plain.insert(name.clone(), value);
    }
    for (bound, strict) in [
        ("minimum", "exclusiveMinimum"),
        ("maximum", "exclusiveMaximum"),
    ] {
        if members.get(strict) == Some(&Value::Bool(true))
            && let Some(number) = plain.remove(bound)
        {
            plain.insert(strict.to_owned(), number);
        }
    }
    let plain = Value::Object(plain);
    match members.get("nullable") {
        Some(Value::Bool(true)) => json!({ "anyOf": [plain, { "type": "null" }] }),
        _ => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_of_both_versions_become_one() {
        let old = json!({
            "type": "object",
            "description": "x",
            "properties": {
                "description": { "type": "string", "nullable": true },
                "n": { "type": "integer", "minimum": 0, "exclusiveMinimum": true, "example": 5 },
            },
            "required": ["n"],
        });
        assert_eq!(
            schema(&old, 0),
            json!({
                "type": "object",
                "properties": {
                    "description": { "anyOf": [{ "type": "string" }, { "type": "null" }] },
                    "n": { "type": "integer", "exclusiveMinimum": 0 },
                },
                "required": ["n"],
            })
        );
    }
}
