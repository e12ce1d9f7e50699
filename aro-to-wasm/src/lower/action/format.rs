//! Parse of every format but JSON, and ParseHtml (actions.md 11.3, 11.4).

use super::{Body, is_json, plain_with, result_noun, with_object};
use crate::ir::Expr;
use crate::syntax::ast::{Action, Noun, Target};

/// Qualifiers of Parse besides JSON.
const FORMATS: &[&str] = &[
    "link-header",
    "jsonl",
    "ndjson",
    "json-lines",
    "yaml",
    "yml",
    "xml",
    "toml",
    "csv",
    "tsv",
    "env",
    "text",
    "txt",
    "html",
    "htm",
    "markdown",
    "md",
];
/// As the message says it.
const VALID: &str =
    "link-header, json, jsonl, yaml, xml, toml, csv, tsv, env, text, html, markdown";

impl Body<'_, '_> {
    /// by qualifier, JSON without one.
    pub(super) fn parse_format(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return;
        };
        let Some(qualifier) = result.qualifier.as_ref().filter(|_| !is_json(result)) else {
            return self.parse(action);
        };
        let name = qualifier.text.to_ascii_lowercase();
        if FORMATS.contains(&name.as_str()) {
            let Some(value) = self.object_value(action) else {
                return self.misused(action);
            };
            let value = self.keep(value, crate::ir::Kind::Value);
            let settings = match plain_with(action) {
                Some(settings) => self.expression(settings),
                None => Expr::Unbound,
            };
            let format = self.text(&name);
            let arguments = vec![Expr::Local(value).into(), format.into(), settings.into()];
            let parsed = self.act("deserialize_as", arguments);
            return self.bind(&result.base, parsed, false);
        }
        // The name of a schema checks what JSON gives, that of any other type annotates it.
        if self.has_schema(&qualifier.text) {
            let Some(value) = self.object_value(action) else {
                return self.misused(action);
            };
            let parsed = self.act("parse_json", vec![value.into()]);
            return self.extract_typed(result, &qualifier.text, parsed);
        }
        if qualifier
            .text
            .starts_with(|first: char| first.is_uppercase())
        {
            let plain = Noun {
                qualifier: None,
                ..result.clone()
            };
            let action = Action {
                result: Target::Noun(plain),
                ..action.clone()
            };
            return self.parse(&action);
        }
        self.fail(&format!(
            "Invalid value '{}' for parse type. Valid values: {VALID}",
            qualifier.text
        ));
    }

    /// The mode is the qualifier; `with` selects elements.
    pub(super) fn parse_html(&mut self, action: &Action) {
        let Some(result) = result_noun(action) else {
            return;
        };
        let Some(page) = self.object_value(action) else {
            return self.misused(action);
        };
        let page = self.keep(page, crate::ir::Kind::Value);
        let mode = result
            .qualifier
            .as_ref()
            .map_or("text", |qualifier| qualifier.text.as_str());
        let mode = self.text(mode);
        let selector = match plain_with(action).or(with_object(action)) {
            Some(selector) => self.expression(selector),
            None => Expr::Unbound,
        };
        let arguments = vec![Expr::Local(page).into(), mode.into(), selector.into()];
        let parsed = self.act("parse_html", arguments);
        self.bind(&result.base, parsed, false);
    }
}
