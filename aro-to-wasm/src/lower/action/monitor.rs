//! Start and Stop of file monitors (actions.md 15.1, runtime.md 3.11).

use super::file::text_of;
use super::{Body, object_noun, plain_with, result_noun, with_object};
use crate::ir::{Constant, Expr, FlagOperator, HostFunction, Kind, Node};
use crate::lower::expression::KIND_TEXT;
use crate::syntax::ast::Action;
use aro_wit::interface::FILES_MONITORING;

/// Names of the monitor, in small letters and without hyphens.
const NAMES: [&str; 2] = ["filemonitor", "watcher"];
/// Fields of a configuration that name the directory.
const FIELDS: [&str; 2] = ["directory", "path"];
/// What is watched where nothing says it.
const HERE: &str = ".";

/// Whether the service is a file monitor.
pub(super) fn names_monitor(action: &Action) -> bool {
    result_noun(action).is_some_and(|noun| {
        let name = noun.base.to_lowercase().replace('-', "");
        NAMES.contains(&name.as_str())
    })
}

impl Body<'_, '_> {
    /// `Start the <file-monitor> with "inbox".`
    pub(super) fn start_monitor(&mut self, action: &Action) {
        let path = self.watched(action);
        let path = self.keep(path, Kind::Value);
        self.needs(FILES_MONITORING, "");
        let watch = Expr::fallible_host(HostFunction::FileWatch, vec![text_of(Expr::Local(path))]);
        self.perform(watch);
        self.bind_monitor(action, Some(Expr::Local(path)));
    }

    /// `Stop the <file-monitor> with <application>.`
    pub(super) fn stop_monitor(&mut self, action: &Action) {
        self.perform(Expr::host(HostFunction::FileUnwatch, Vec::new()));
        self.bind_monitor(action, None);
    }

    /// The directory: a text, a field of a map, a qualifier of the object, or the working directory.
    fn watched(&mut self, action: &Action) -> Expr {
        let qualifier = object_noun(action).and_then(|noun| noun.qualifier.as_ref());
        let value = match plain_with(action).or(with_object(action)) {
            Some(with) => self.expression(with),
            None => match (qualifier, object_noun(action)) {
                (Some(qualifier), _) => return self.constant_text(&qualifier.text),
                (None, Some(noun)) => self.variable_or_unbound(&noun.base),
                (None, None) => Expr::Unbound,
            },
        };
        let here = self.constant_text(HERE);
        if value == Expr::Unbound {
            return here;
        }
        let value = self.bound_or(value, here.clone());
        let value = self.keep(value, Kind::Value);
        let path = self.keep(here, Kind::Value);
        let is_text = Expr::Flags(
            FlagOperator::Equal,
            vec![
                Expr::runtime("kind", vec![Expr::Local(value).into()]),
                Expr::Flag(KIND_TEXT),
            ],
        );
        let mut otherwise = Vec::new();
        for field in FIELDS.iter().rev() {
            let name = self.text(field);
            let found = Expr::runtime("get", vec![Expr::Local(value).into(), name.into()]);
            let found_local = self.local(Kind::Value);
            otherwise.push(Node::Set(found_local, found));
            otherwise.push(Node::If {
                condition: Expr::Local(found_local),
                then: vec![Node::Set(path, Expr::Local(found_local))],
                otherwise: Vec::new(),
            });
        }
        self.nodes.push(Node::If {
            condition: is_text,
            then: vec![Node::Set(path, Expr::Local(value))],
            otherwise,
        });
        Expr::Local(path)
    }

    fn bind_monitor(&mut self, action: &Action, path: Option<Expr>) {
        let Some(result) = result_noun(action) else {
            return;
        };
        let map = self.keep(
            Expr::runtime("map", vec![Expr::Flag(3).into()]),
            Kind::Value,
        );
        let kind = self.constant_text("file-monitor");
        self.put(map, "serverType", kind);
        self.put(map, "success", Expr::Constant(Constant::Bool(true)));
        if let Some(path) = path {
            self.put(map, "path", path);
        }
        self.bind(&result.base, Expr::Local(map), false);
    }
}
