//! From method and path to an operation (runtime.md 4.3).

use super::Contracts;
use super::contract::Contract;
use crate::engine::feature_set::FeatureSet;
use aro_wit::manifest::{Manifest, Trigger};
use hyper::Method;
use std::sync::Arc;

/// The operations of a program.
#[derive(Default)]
pub(crate) struct Operations {
    has_contract: bool,
    port: Option<u16>,
    /// Those with most literal segments first, then by their text.
    operations: Vec<Operation>,
}

struct Operation {
    id: String,
    method: String,
    segments: Vec<Segment>,
    /// None if no feature set answers it.
    feature_set: Option<Arc<FeatureSet>>,
    /// What is looked at of its contract.
    contract: Option<Arc<Contract>>,
    /// Whether its response stays open.
    streams: bool,
}

enum Segment {
    Literal(String),
    Parameter(String),
}

/// The operation of a request.
pub(super) struct Found {
    pub(super) feature_set: Arc<FeatureSet>,
    pub(super) contract: Option<Arc<Contract>>,
    /// Whether the response of a success stays open, for events.
    pub(super) streams: bool,
    /// Parameters of the path, as sent.
    pub(super) parameters: Vec<(String, String)>,
}

/// Where a request leads.
pub(super) enum Route {
    Found(Found),
    /// The path takes these methods only.
    OtherMethod(String),
    /// The contract has the operation of this identity, the program has not.
    NotImplemented(String),
    NotFound,
}

impl Operations {
    pub(crate) fn new(
        manifest: &Manifest,
        feature_sets: &[Arc<FeatureSet>],
        contracts: &Contracts,
    ) -> Self {
        let Some(http) = &manifest.http else {
            return Self::default();
        };
        let handler = |id: &str| {
            let wanted = Trigger::Operation(id.to_owned());
            let entries = manifest.feature_sets.iter().zip(feature_sets);
            let mut found = entries.filter(|(entry, _)| entry.triggers.contains(&wanted));
            found.next().map(|(_, feature_set)| Arc::clone(feature_set))
        };
        let mut rows: Vec<_> = http
            .operations
            .iter()
            .map(|operation| {
                let segments: Vec<Segment> = segments(&operation.path).map(Segment::of).collect();
                let literals = segments
                    .iter()
                    .filter(|segment| matches!(segment, Segment::Literal(_)))
                    .count();
                (
                    std::cmp::Reverse(literals),
                    &operation.path,
                    operation,
                    segments,
                )
            })
            .collect();
        rows.sort_by(|left, right| (left.0, left.1).cmp(&(right.0, right.1)));
        Self {
            has_contract: true,
            port: http.port,
            operations: rows
                .into_iter()
                .map(|(_, _, operation, segments)| Operation {
                    id: operation.id.clone(),
                    method: operation.method.clone(),
                    feature_set: handler(&operation.id),
                    contract: contracts.get(&operation.id).cloned(),
                    streams: operation.streams,
                    segments,
                })
                .collect(),
        }
    }

    /// Whether the program has a contract at all.
    pub(super) fn has_contract(&self) -> bool {
        self.has_contract
    }

    /// The port that the contract names.
    pub(crate) fn port(&self) -> Option<u16> {
        self.port
    }

    /// The operation for a request; one of GET answers HEAD too, where no other does.
    pub(super) fn find(&self, method: &Method, path: &str) -> Route {
        let matching = || {
            self.operations
                .iter()
                .filter(|operation| operation.matches(path))
        };
        let of_method = |wanted: &str| matching().find(|operation| operation.method == wanted);
        let found = of_method(method.as_str()).or_else(|| {
            (*method == Method::HEAD)
                .then(|| of_method(Method::GET.as_str()))
                .flatten()
        });
        if let Some(operation) = found {
            return match &operation.feature_set {
                Some(feature_set) => Route::Found(Found {
                    feature_set: Arc::clone(feature_set),
                    contract: operation.contract.clone(),
                    streams: operation.streams,
                    parameters: operation.parameters(path),
                }),
                None => Route::NotImplemented(operation.id.clone()),
            };
        }
        match self.methods(path) {
            none if none.is_empty() => Route::NotFound,
            allowed => Route::OtherMethod(allowed.join(", ")),
        }
    }

    /// What a path takes; nothing if there is none.
    pub(super) fn methods(&self, path: &str) -> Vec<&str> {
        let matching = self.operations.iter().filter(|one| one.matches(path));
        let mut allowed: Vec<&str> = matching.map(|one| one.method.as_str()).collect();
        if allowed.contains(&"GET") {
            allowed.push("HEAD");
        }
        if !allowed.is_empty() {
            allowed.push("OPTIONS");
        }
        allowed.sort_unstable();
        allowed.dedup();
        allowed
    }
}

/// Segments of a path without the slashes at its end.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.trim_end_matches('/').split('/')
}

impl Segment {
    fn of(text: &str) -> Self {
        let name = text
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        name.map_or_else(
            || Segment::Literal(text.to_owned()),
            |name| Segment::Parameter(name.to_owned()),
        )
    }
}

impl Operation {
    fn matches(&self, path: &str) -> bool {
        let mut texts = segments(path);
        let mut all = self.segments.iter();
        all.all(|segment| {
            let text = texts.next();
            text.is_some_and(|text| match segment {
                Segment::Literal(literal) => literal == text,
                Segment::Parameter(_) => true,
            })
        }) && texts.next().is_none()
    }

    fn parameters(&self, path: &str) -> Vec<(String, String)> {
        let pairs = self.segments.iter().zip(segments(path));
        pairs
            .filter_map(|(segment, text)| match segment {
                Segment::Parameter(name) => Some((name.clone(), text.to_owned())),
                Segment::Literal(_) => None,
            })
            .collect()
    }
}
