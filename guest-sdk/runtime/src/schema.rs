//! Values checked by the schemas of a contract (runtime.md 4.9): typed extraction.
//!
//! The compiler hands over a bundle: a map of schemas by name, each as in the contract, but references are the names of other schemas of the bundle.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::compare;
use crate::error::Error;
use crate::text;
use crate::value::{Entry, Value};

/// Deepest nesting of schemas, references and combinations counted.
const DEPTH_MAX: usize = 64;
/// Most schemas that one value is held against: combinations within combinations multiply.
const CHECKS_MAX: u32 = 1 << 22;

/// The value as the schema makes it: numbers become Floats where it says `number`.
///
/// # Errors
/// [`Error::Message`] with what does not fit, and [`Error::Json`] for a bundle that is none.
pub fn typed(value: Value, bundle: &'static str, name: &'static str) -> Result<Value, Error> {
    let bundle = crate::access::parse_json(Value::Text(bundle))?;
    let mut checker = Checker {
        bundle,
        checks: 0,
        quiet: 0,
    };
    let schema = bundle.entry(name).unwrap_or(Value::Null);
    match checker.check(value, schema, &Place::Root, 0) {
        Ok(changed) => Ok(changed.unwrap_or(value)),
        Err(fault) => {
            let message = format!("Schema '{name}' validation failed:\n  {}", fault.0);
            Err(Error::Message(message.leak()))
        }
    }
}

/// The record that `Validate … against <Schema>` binds: `{isValid, message, rule}`; message is Null for a value that fits.
pub fn judged(value: Value, bundle: &'static str, name: &'static str) -> Value {
    let message = match typed(value, bundle, name) {
        Ok(_) => Value::Null,
        Err(error) => Value::text(error.to_string()),
    };
    Value::map(alloc::vec![
        ("isValid", Value::Bool(message == Value::Null)),
        ("message", message),
        ("rule", Value::Text(name)),
    ])
}

/// Where in the value a check is.
enum Place<'a> {
    Root,
    Property(&'a Place<'a>, &'static str),
    Item(&'a Place<'a>, usize),
}

impl Place<'_> {
    /// `address.lines.0`; empty for the value itself.
    fn path(&self) -> String {
        let (outer, name) = match self {
            Place::Root => return String::new(),
            Place::Property(outer, name) => (outer, name.to_string()),
            Place::Item(outer, index) => (outer, index.to_string()),
        };
        let outer = outer.path();
        match outer.is_empty() {
            true => name,
            false => format!("{outer}.{name}"),
        }
    }
}

/// What does not fit; empty while nobody asks.
struct Fault(String);

/// A value that fits, where it has changed.
type Checked = Result<Option<Value>, Fault>;

struct Checker {
    bundle: Value,
    checks: u32,
    /// How many alternatives are being tried: their faults are not worded.
    quiet: u32,
}

impl Checker {
    fn fault<T>(&self, message: impl FnOnce() -> String) -> Result<T, Fault> {
        Err(Fault(match self.quiet {
            0 => message(),
            _ => String::new(),
        }))
    }

    fn unexpected<T>(&self, place: &Place<'_>, expected: &str, value: Value) -> Result<T, Fault> {
        self.fault(|| {
            let (path, found) = (place.path(), kind(value));
            match path.is_empty() {
                true => format!("Expected {expected}, got {found}"),
                false => format!("Property '{path}' expected {expected}, got {found}"),
            }
        })
    }

    fn check(&mut self, value: Value, schema: Value, place: &Place<'_>, depth: usize) -> Checked {
        self.checks += 1;
        if depth > DEPTH_MAX || self.checks > CHECKS_MAX {
            // Worded always: an alternative that was not tried to its end has not failed.
            return Err(Fault("The schema is too deep or too branched".to_string()));
        }
        if let Some(name) = schema.entry("$ref").and_then(Value::as_text) {
            let target = self.bundle.entry(name).unwrap_or(Value::Null);
            return self.check(value, target, place, depth + 1);
        }
        if schema == Value::Bool(false) {
            return self.fault(|| not_allowed(value));
        }
        if schema.as_map().is_none() {
            return Ok(None);
        }
        if value == Value::Null && takes_null(schema) {
            return Ok(None);
        }
        self.listed(value, schema)?;
        let mut now = value;
        let mut is_changed = false;
        let mut take = |changed: Option<Value>| {
            if let Some(changed) = changed {
                (now, is_changed) = (changed, true);
            }
            now
        };
        let mut value = value;
        for part in list(schema, "allOf") {
            value = take(self.check(value, *part, place, depth + 1)?);
        }
        value = take(self.any_of(value, schema, place, depth)?);
        value = take(self.one_of(value, schema, place, depth)?);
        if let Some(not) = schema.entry("not")
            && self.tried(value, not, place, depth).is_some()
        {
            return self.fault(|| not_allowed(value));
        }
        take(self.kinds(value, schema, place, depth)?);
        Ok(is_changed.then_some(now))
    }

    /// `enum` and `const`.
    fn listed(&self, value: Value, schema: Value) -> Result<(), Fault> {
        let constant = schema.entry("const");
        let allowed = match (&constant, schema.entry("enum")) {
            (Some(constant), _) => core::slice::from_ref(constant),
            (None, Some(Value::List(allowed))) => allowed,
            (None, _) => return Ok(()),
        };
        if allowed.iter().any(|one| compare::equal(value, *one)) {
            return Ok(());
        }
        self.fault(|| {
            let allowed: Vec<String> = allowed.iter().map(|one| shown(*one)).collect();
            format!(
                "{}. Must be one of: {}",
                not_allowed(value),
                allowed.join(", ")
            )
        })
    }

    /// What an alternative makes of the value, if it fits.
    fn tried(
        &mut self,
        value: Value,
        schema: Value,
        place: &Place<'_>,
        depth: usize,
    ) -> Option<Value> {
        self.quiet += 1;
        let checked = self.check(value, schema, place, depth + 1);
        self.quiet -= 1;
        checked.ok().map(|changed| changed.unwrap_or(value))
    }

    fn any_of(&mut self, value: Value, schema: Value, place: &Place<'_>, depth: usize) -> Checked {
        let parts = list(schema, "anyOf");
        if parts.is_empty() {
            return Ok(None);
        }
        if let Some(named) = self.discriminated(value, schema) {
            return self.check(value, named, place, depth + 1);
        }
        for part in parts {
            if let Some(fits) = self.tried(value, *part, place, depth) {
                return Ok(Some(fits));
            }
        }
        self.unexpected(place, &alternatives("any", parts), value)
    }

    fn one_of(&mut self, value: Value, schema: Value, place: &Place<'_>, depth: usize) -> Checked {
        let parts = list(schema, "oneOf");
        if parts.is_empty() {
            return Ok(None);
        }
        if let Some(named) = self.discriminated(value, schema) {
            return self.check(value, named, place, depth + 1);
        }
        let mut found = None;
        for part in parts {
            if let Some(fits) = self.tried(value, *part, place, depth) {
                if found.is_some() {
                    return self.unexpected(place, &alternatives("only one", parts), value);
                }
                found = Some(fits);
            }
        }
        match found {
            Some(fits) => Ok(Some(fits)),
            None => self.unexpected(place, &alternatives("one", parts), value),
        }
    }

    /// The schema that a property of the value names.
    fn discriminated(&self, value: Value, schema: Value) -> Option<Value> {
        let discriminator = schema.entry("discriminator")?;
        let property = discriminator.entry("propertyName")?.as_text()?;
        let said = value.entry(property)?.as_text()?;
        let mapped = discriminator.entry("mapping").and_then(|of| of.entry(said));
        let name = mapped.and_then(Value::as_text).unwrap_or(said);
        self.bundle.entry(name)
    }

    /// `type` and what belongs to lists and objects.
    fn kinds(&mut self, value: Value, schema: Value, place: &Place<'_>, depth: usize) -> Checked {
        let declared = schema.entry("type");
        let single = [declared.unwrap_or(Value::Null)];
        let names: &[Value] = match declared {
            Some(Value::List(names)) => names,
            Some(_) => &single,
            None => &[],
        };
        let fits = |name: &&Value| name.as_text().is_some_and(|name| is_kind(value, name));
        let name = names.iter().find(fits).and_then(|name| name.as_text());
        if name.is_none() && !names.is_empty() {
            let names: Vec<&str> = names.iter().filter_map(|name| name.as_text()).collect();
            return self.unexpected(place, &names.join(" or "), value);
        }
        match (value, name) {
            (Value::Int(number), Some("number")) => Ok(Some(Value::Float(number as f64))),
            (Value::List(items), _) => self.items(items, schema, place, depth),
            (Value::Map(entries), _) => self.object(value, entries, schema, place, depth),
            _ => Ok(None),
        }
    }

    fn items(
        &mut self,
        items: &'static [Value],
        schema: Value,
        place: &Place<'_>,
        depth: usize,
    ) -> Checked {
        let Some(schema) = schema.entry("items") else {
            return Ok(None);
        };
        let mut changed: Option<Vec<Value>> = None;
        for (index, item) in items.iter().enumerate() {
            let place = Place::Item(place, index);
            if let Some(new) = self.check(*item, schema, &place, depth + 1)? {
                let all = changed.get_or_insert_with(|| items.to_vec());
                if let Some(slot) = all.get_mut(index) {
                    *slot = new;
                }
            }
        }
        Ok(changed.map(Value::list))
    }

    fn object(
        &mut self,
        value: Value,
        entries: &'static [Entry],
        schema: Value,
        place: &Place<'_>,
        depth: usize,
    ) -> Checked {
        let required = list(schema, "required");
        for name in required.iter().filter_map(|name| name.as_text()) {
            if value.entry(name).is_none() {
                return self.fault(|| missing(&Place::Property(place, name), required));
            }
        }
        let properties = schema.entry("properties").unwrap_or(Value::Null);
        let others = schema.entry("additionalProperties");
        if others == Some(Value::Bool(false)) {
            let extra = entries
                .iter()
                .filter(|(name, _)| properties.entry(name).is_none());
            let extra: Vec<String> = extra.map(|(name, _)| format!("'{name}'")).collect();
            if !extra.is_empty() {
                return self
                    .fault(|| format!("Additional properties not allowed: {}", extra.join(", ")));
            }
        }
        let mut changed: Option<Vec<Entry>> = None;
        for (index, (name, entry)) in entries.iter().enumerate() {
            let Some(schema) = properties.entry(name).or(others) else {
                continue;
            };
            let place = Place::Property(place, name);
            if let Some(new) = self.check(*entry, schema, &place, depth + 1)? {
                let all = changed.get_or_insert_with(|| entries.to_vec());
                if let Some(slot) = all.get_mut(index) {
                    slot.1 = new;
                }
            }
        }
        Ok(changed.map(Value::map))
    }
}

fn list(schema: Value, keyword: &str) -> &'static [Value] {
    schema
        .entry(keyword)
        .and_then(Value::as_list)
        .unwrap_or_default()
}

fn takes_null(schema: Value) -> bool {
    schema.entry("nullable") == Some(Value::Bool(true))
        || match schema.entry("type") {
            Some(Value::List(names)) => names.contains(&Value::Text("null")),
            Some(name) => name == Value::Text("null"),
            None => false,
        }
}

fn is_kind(value: Value, name: &str) -> bool {
    match name {
        "string" => matches!(value, Value::Text(_)),
        "integer" | "number" => matches!(value, Value::Int(_) | Value::Float(_)),
        "boolean" => matches!(value, Value::Bool(_)),
        "array" => matches!(value, Value::List(_)),
        "object" => matches!(value, Value::Map(_)),
        "null" => value == Value::Null,
        _ => true,
    }
}

/// The kind in the words of schemas.
fn kind(value: Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Int(_) => "integer",
        Value::Float(_) => "number",
        Value::Text(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
        Value::Bytes(_) | Value::Date { .. } | Value::Socket(_) => value.type_name(),
    }
}

fn shown(value: Value) -> String {
    text::of(value).to_string()
}

fn not_allowed(value: Value) -> String {
    format!("Value '{}' is not allowed", shown(value))
}

fn missing(place: &Place<'_>, required: &[Value]) -> String {
    let names: Vec<&str> = required.iter().filter_map(|name| name.as_text()).collect();
    format!(
        "Missing required property '{}'\n  Required properties: {}",
        place.path(),
        names.join(", ")
    )
}

/// `any of User, Company`; alternatives without a name are counted only.
fn alternatives(how: &str, parts: &[Value]) -> String {
    let names: Vec<&str> = parts
        .iter()
        .filter_map(|part| part.entry("$ref")?.as_text())
        .collect();
    match names.len() == parts.len() {
        true => format!("{how} of {}", names.join(", ")),
        false => format!("{how} of {} alternatives", parts.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUNDLE: &str = r##"{
        "User": {"type":"object","required":["name","age"],"properties":{
            "name":{"type":"string"},"age":{"type":"integer"},"score":{"type":"number"},
            "role":{"enum":["admin","user"]},"address":{"$ref":"Address"},
            "tags":{"type":"array","items":{"type":"string"}},"nick":{"type":"string","nullable":true}}},
        "Address": {"type":"object","required":["city"],"additionalProperties":false,"properties":{"city":{"type":"string"},"zip":{"type":["string","null"]}}},
        "Pet": {"oneOf":[{"$ref":"Cat"},{"$ref":"Dog"}],"discriminator":{"propertyName":"kind","mapping":{"c":"Cat"}}},
        "Cat": {"type":"object","required":["lives"],"properties":{"lives":{"type":"integer"}}},
        "Dog": {"type":"object","required":["tricks"],"properties":{"tricks":{"type":"array"}}},
        "Either": {"anyOf":[{"type":"string"},{"type":"number"}]},
        "One": {"oneOf":[{"type":"integer"},{"type":"number"}]},
        "All": {"allOf":[{"required":["a"]},{"properties":{"b":{"type":"number"}}}]},
        "NotText": {"not":{"type":"string"}},
        "Ratio": {"type":"object","additionalProperties":{"type":"number"}},
        "Loop": {"$ref":"Loop"},
        "Tree": {"type":"object","properties":{"next":{"$ref":"Tree"}}},
        "Never": false
    }"##;

    fn checked(json: &'static str, name: &'static str) -> Result<Value, String> {
        let value =
            crate::access::parse_json(Value::Text(json)).map_err(|error| error.to_string())?;
        typed(value, BUNDLE, name).map_err(|error| error.to_string())
    }

    #[test]
    fn values_that_fit_are_kept_and_numbers_become_floats() {
        let user = r#"{"name":"Ida","age":41,"score":3,"role":"user","tags":["a"],"nick":null,"more":[1]}"#;
        let value = checked(user, "User").unwrap_or(Value::Null);
        assert_eq!(value.entry("score"), Some(Value::Float(3.0)));
        assert_eq!(value.entry("age"), Some(Value::Int(41)));
        assert!(value.entry("more").is_some() && value.entry("nick") == Some(Value::Null));
        assert_eq!(checked("3", "Either"), Ok(Value::Float(3.0)));
        assert!(checked(r#"{"kind":"c","lives":9}"#, "Pet").is_ok());
        assert!(checked(r#"{"tricks":[]}"#, "Pet").is_ok());
        assert_eq!(
            checked(r#"{"a":1,"b":2}"#, "All").map(|value| value.entry("b")),
            Ok(Some(Value::Float(2.0)))
        );
        assert!(checked("5", "NotText").is_ok());
        assert!(checked(r#"{"next":{"next":{}}}"#, "Tree").is_ok());
    }

    #[test]
    fn faults_are_worded_as_the_language_has_them() {
        for (json, name, fault) in [
            ("5", "User", "Expected object, got integer"),
            (
                r#"{"name":"Ida"}"#,
                "User",
                "Missing required property 'age'\n  Required properties: name, age",
            ),
            (
                r#"{"name":5,"age":1}"#,
                "User",
                "Property 'name' expected string, got integer",
            ),
            (
                r#"{"name":"I","age":"1"}"#,
                "User",
                "Property 'age' expected integer, got string",
            ),
            (
                r#"{"name":"I","age":1,"role":"root"}"#,
                "User",
                "Value 'root' is not allowed. Must be one of: admin, user",
            ),
            (
                r#"{"name":"I","age":1,"tags":["a",2]}"#,
                "User",
                "Property 'tags.1' expected string, got integer",
            ),
            (
                r#"{"name":"I","age":1,"address":{}}"#,
                "User",
                "Missing required property 'address.city'\n  Required properties: city",
            ),
            (
                r#"{"city":"Oslo","x":1,"y":2}"#,
                "Address",
                "Additional properties not allowed: 'x', 'y'",
            ),
            (
                r#"{"city":"Oslo","zip":5}"#,
                "Address",
                "Property 'zip' expected string or null, got integer",
            ),
            (
                r#"{"kind":"c"}"#,
                "Pet",
                "Missing required property 'lives'\n  Required properties: lives",
            ),
            ("{}", "Pet", "Expected one of Cat, Dog, got object"),
            (
                "true",
                "Either",
                "Expected any of 2 alternatives, got boolean",
            ),
            (
                "1",
                "One",
                "Expected only one of 2 alternatives, got integer",
            ),
            (r#""x""#, "NotText", "Value 'x' is not allowed"),
            (
                r#"{"a":"x"}"#,
                "Ratio",
                "Property 'a' expected number, got string",
            ),
            ("1", "Loop", "The schema is too deep or too branched"),
            ("1", "Never", "Value '1' is not allowed"),
        ] {
            let expected = format!("Schema '{name}' validation failed:\n  {fault}");
            assert_eq!(checked(json, name), Err(expected), "{json} {name}");
        }
    }
}
