//! The schemas of a contract, bundled for the value runtime, which checks values by them (runtime.md 4.9).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Where component schemas stand.
const COMPONENTS: &str = "/components/schemas";
/// Deepest nesting of a schema that is bundled; what is deeper checks nothing.
const DEPTH_MAX: usize = 64;

/// Keywords whose value stays as it is.
const PLAIN: &[&str] = &["type", "nullable", "required", "enum", "const"];
/// Keywords whose value is a schema.
const ONE: &[&str] = &["items", "not", "additionalProperties"];
/// Keywords whose value is a list of schemas.
const SEVERAL: &[&str] = &["allOf", "anyOf", "oneOf"];

/// The contract as it was read, for its schemas.
#[derive(Debug, Default)]
pub(crate) struct Schemas {
    root: Value,
}

impl Schemas {
    pub(super) fn of(root: &Value) -> Schemas {
        Schemas { root: root.clone() }
    }

    /// Names in order.
    pub(crate) fn names(&self) -> Vec<&str> {
        let all = self.root.pointer(COMPONENTS).and_then(Value::as_object);
        let mut names: Vec<&str> = all
            .into_iter()
            .flat_map(|all| all.keys().map(String::as_str))
            .collect();
        names.sort_unstable();
        names
    }

    /// A schema and all that it refers to as JSON: schemas by name, references replaced by names. Nothing if there is no such schema.
    pub(crate) fn bundle(&self, name: &str) -> Option<String> {
        self.root
            .pointer(COMPONENTS)
            .and_then(|all| all.get(name))?;
        let mut bundle = BTreeMap::new();
        let mut open = vec![name.to_owned()];
        while let Some(name) = open.pop() {
            if bundle.contains_key(&name) {
                continue;
            }
            let schema = match name.strip_prefix('/') {
                Some(_) => self.root.pointer(&name),
                None => self.root.pointer(COMPONENTS).and_then(|all| all.get(&name)),
            };
            let schema = match schema {
                Some(schema) => reduced(schema, &mut open, 0),
                None => Value::Bool(true),
            };
            bundle.insert(name, schema);
        }
        serde_json::to_string(&bundle).ok()
    }
}

/// A component schema by its name, any other place of the file by its pointer.
fn name_of(reference: &str) -> String {
    let pointer = reference.strip_prefix('#').unwrap_or(reference);
    let component = pointer
        .strip_prefix(COMPONENTS)
        .and_then(|rest| rest.strip_prefix('/'));
    match component {
        Some(name) if !name.contains(['/', '~', '%']) => name.to_owned(),
        _ => pointer.to_owned(),
    }
}

/// A schema with nothing but what is checked; names that it refers to are added to `open`.
fn reduced(schema: &Value, open: &mut Vec<String>, depth: usize) -> Value {
    let Value::Object(members) = schema else {
        return schema.clone();
    };
    if depth > DEPTH_MAX {
        return Value::Bool(true);
    }
    let mut kept = Map::new();
    if let Some(Value::String(reference)) = members.get("$ref") {
        let name = name_of(reference);
        open.push(name.clone());
        kept.insert("$ref".to_owned(), Value::String(name));
        return Value::Object(kept);
    }
    for (keyword, value) in members {
        let value = match (keyword.as_str(), value) {
            (plain, value) if PLAIN.contains(&plain) => value.clone(),
            (one, value) if ONE.contains(&one) => reduced(value, open, depth + 1),
            (several, Value::Array(parts)) if SEVERAL.contains(&several) => parts
                .iter()
                .map(|part| reduced(part, open, depth + 1))
                .collect(),
            ("properties", Value::Object(properties)) => properties
                .iter()
                .map(|(name, schema)| (name.clone(), reduced(schema, open, depth + 1)))
                .collect::<Map<_, _>>()
                .into(),
            ("discriminator", discriminator) => discriminated(discriminator, open),
            _ => continue,
        };
        kept.insert(keyword.clone(), value);
    }
    Value::Object(kept)
}

/// A discriminator whose mapping leads to names.
fn discriminated(discriminator: &Value, open: &mut Vec<String>) -> Value {
    let mut kept = Map::new();
    if let Some(property) = discriminator.get("propertyName") {
        kept.insert("propertyName".to_owned(), property.clone());
    }
    if let Some(Value::Object(mapping)) = discriminator.get("mapping") {
        let mapped = mapping.iter().filter_map(|(said, target)| {
            // A target is a reference, or the bare name of a component.
            let name = name_of(target.as_str()?);
            open.push(name.clone());
            Some((said.clone(), Value::String(name)))
        });
        kept.insert("mapping".to_owned(), mapped.collect::<Map<_, _>>().into());
    }
    Value::Object(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_bundle_holds_what_its_schema_refers_to_and_nothing_else() {
        let schemas = Schemas::of(&json!({
            "components": { "schemas": {
                "User": { "type": "object", "description": "who", "required": ["name"], "properties": {
                    "name": { "type": "string", "maxLength": 5 },
                    "pet": { "$ref": "#/components/schemas/Pet" },
                    "zip": { "$ref": "#/components/schemas/Address/properties/zip" }
                } },
                "Address": { "properties": { "zip": { "type": "string" } } },
                "Pet": { "oneOf": [{ "$ref": "#/components/schemas/User" }], "discriminator": {
                    "propertyName": "kind", "mapping": { "u": "#/components/schemas/User" } } },
                "Other": {}
            } }
        }));
        assert_eq!(schemas.names(), ["Address", "Other", "Pet", "User"]);
        assert_eq!(schemas.bundle("Nobody"), None);
        let bundle: Value = serde_json::from_str(&schemas.bundle("User").unwrap()).unwrap();
        assert_eq!(
            bundle,
            json!({
                "/components/schemas/Address/properties/zip": { "type": "string" },
                "Pet": { "oneOf": [{ "$ref": "User" }], "discriminator": { "propertyName": "kind", "mapping": { "u": "User" } } },
                "User": { "type": "object", "required": ["name"], "properties": {
                    "name": { "type": "string" }, "pet": { "$ref": "Pet" },
                    "zip": { "$ref": "/components/schemas/Address/properties/zip" } } }
            })
        );
    }
}
