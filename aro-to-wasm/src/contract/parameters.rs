//! Parameters that operations declare: which headers and cookies, and which keys of a query are lists (runtime.md 4.4).

use super::{is_type, resolved};
use serde_json::Value;

/// What an operation declares, as the value runtime reads it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Parameters {
    /// Names of headers.
    pub(crate) headers: Vec<String>,
    /// Names of cookies.
    pub(crate) cookies: Vec<String>,
    /// Keys of the query that are lists or objects, behind a letter for their style.
    pub(crate) lists: Vec<String>,
}

impl Parameters {
    /// Those of an operation and of its path; the operation's count where both name one.
    pub(super) fn of(root: &Value, item: &Value, operation: &Value) -> Self {
        let mut found = Self::default();
        let mut known = Vec::new();
        let of = |owner: &Value| {
            let all = owner.get("parameters").and_then(Value::as_array);
            all.cloned().unwrap_or_default()
        };
        for parameter in of(operation).iter().chain(&of(item)) {
            let parameter = resolved(root, parameter);
            let member = |name| parameter.get(name).and_then(Value::as_str);
            let (Some(name), Some(place)) = (member("name"), member("in")) else {
                continue;
            };
            let key = (name.to_owned(), place.to_owned());
            if known.contains(&key) {
                continue;
            }
            known.push(key);
            match place {
                "header" => found.headers.push(name.to_owned()),
                "cookie" => found.cookies.push(name.to_owned()),
                "query" => {
                    if let Some(style) = style(root, parameter) {
                        found.lists.push(format!("{style}{name}"));
                    }
                }
                _ => {}
            }
        }
        found
    }
}

/// How a parameter of a query is written; none for one that is a text.
fn style(root: &Value, parameter: &Value) -> Option<char> {
    let schema = resolved(root, parameter.get("schema")?);
    if is_type(schema, "object") {
        return Some('o');
    }
    if !is_type(schema, "array") {
        return None;
    }
    let style = parameter.get("style").and_then(Value::as_str);
    let explode = parameter.get("explode").and_then(Value::as_bool);
    Some(match style.unwrap_or("form") {
        "spaceDelimited" => 's',
        "pipeDelimited" => 'p',
        // Of `form` alone the values are repeated where nothing else is said (OpenAPI 3.1, 4.8.12.2).
        _ if explode.unwrap_or(true) => 'e',
        _ => 'f',
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parameters_are_told_by_place_and_style() {
        let root = json!({"components": {"parameters": {"T": {"name": "X-T", "in": "header"}}}});
        let item = json!({"parameters": [
            {"name": "a", "in": "query", "schema": {"type": "array"}},
            {"name": "c", "in": "cookie"},
        ]});
        let operation = json!({"parameters": [
            {"$ref": "#/components/parameters/T"},
            {"name": "a", "in": "query", "schema": {"type": "array"}, "explode": false},
            {"name": "b", "in": "query", "schema": {"type": "array"}, "style": "pipeDelimited"},
            {"name": "o", "in": "query", "schema": {"type": "object"}},
            {"name": "t", "in": "query", "schema": {"type": "string"}},
        ]});
        let found = Parameters::of(&root, &item, &operation);
        assert_eq!(found.headers, ["X-T"]);
        assert_eq!(found.cookies, ["c"]);
        assert_eq!(found.lists, ["fa", "pb", "oo"]);
    }
}
