//! From an event to the feature sets that handle it; replaced whole when a program is.

use crate::conn::Connection;
use crate::engine::feature_set::{Call, Cause, FeatureSet};
use crate::life::Life;
use crate::net::buffer::Chunk;
use crate::net::http::Operations;
use crate::tenant::Tenant;
use aro_wit::manifest::{Manifest, Trigger};
use futures_util::future::join_all;
use std::collections::HashMap;
use std::sync::Arc;

/// What happened on a connection.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Connected,
    Data(Chunk),
    Disconnected(&'static str),
}

/// The feature sets of a program by what runs them, each list in declaration order.
pub(crate) struct Routes {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) life: Arc<Life>,
    /// All of them, in manifest order.
    pub(crate) feature_sets: Vec<Arc<FeatureSet>>,
    pub(crate) start: Option<Arc<FeatureSet>>,
    pub(crate) end_success: Option<Arc<FeatureSet>>,
    pub(crate) end_error: Option<Arc<FeatureSet>>,
    connected: Vec<Arc<FeatureSet>>,
    data: Vec<Arc<FeatureSet>>,
    disconnected: Vec<Arc<FeatureSet>>,
    events: HashMap<String, Vec<Arc<FeatureSet>>>,
    /// Operations of the contract.
    pub(crate) http: Operations,
}

impl Routes {
    pub(crate) fn new(
        manifest: Arc<Manifest>,
        feature_sets: Vec<Arc<FeatureSet>>,
        life: Arc<Life>,
    ) -> Self {
        let all = |trigger: Trigger| -> Vec<Arc<FeatureSet>> {
            let of_trigger = manifest
                .feature_sets
                .iter()
                .zip(&feature_sets)
                .filter(|(entry, _)| entry.triggers.contains(&trigger));
            of_trigger
                .map(|(_, feature_set)| Arc::clone(feature_set))
                .collect()
        };
        let first = |trigger: Trigger| all(trigger).into_iter().next();
        let mut events: HashMap<String, Vec<Arc<FeatureSet>>> = HashMap::new();
        for (entry, feature_set) in manifest.feature_sets.iter().zip(&feature_sets) {
            for trigger in &entry.triggers {
                if let Trigger::Event(subject) = trigger {
                    let handlers = events.entry(subject.clone()).or_default();
                    handlers.push(Arc::clone(feature_set));
                }
            }
        }
        Self {
            events,
            http: Operations::new(&manifest, &feature_sets),
            start: first(Trigger::Start),
            end_success: first(Trigger::EndSuccess),
            end_error: first(Trigger::EndError),
            connected: all(Trigger::TcpConnected),
            data: all(Trigger::TcpData),
            disconnected: all(Trigger::TcpDisconnected),
            feature_sets,
            life,
            manifest,
        }
    }

    /// Drops the idle instances, which hold on to the tenant. Those at work follow when they are done, and with the last of them this.
    pub(crate) fn let_go(&self) {
        for feature_set in &self.feature_sets {
            feature_set.clear_idle();
        }
    }

    /// The handlers of an event that carries a value.
    pub(crate) fn of_event(&self, subject: &str) -> &[Arc<FeatureSet>] {
        self.events.get(subject).map_or(&[], Vec::as_slice)
    }

    fn handlers(&self, event: &Event) -> &[Arc<FeatureSet>] {
        match event {
            Event::Connected => &self.connected,
            Event::Data(_) => &self.data,
            Event::Disconnected(_) => &self.disconnected,
        }
    }
}

/// Runs every handler of an event and reports those that fail. Handlers start in declaration order, each runs up to its first wait before the next starts (runtime.md 3.1.3).
pub(crate) async fn deliver(tenant: &Arc<Tenant>, connection: &Arc<Connection>, event: Event) {
    let Some(routes) = tenant.routes.load_full() else {
        return;
    };
    match routes.handlers(&event) {
        [] => {}
        [handler] => handler.handle(cause(connection), call(event)).await,
        handlers => {
            join_all(
                handlers
                    .iter()
                    .map(|handler| handler.handle(cause(connection), call(event.clone()))),
            )
            .await;
        }
    }
}

fn cause(connection: &Arc<Connection>) -> Cause {
    Cause::Connection(Arc::clone(connection))
}

fn call(event: Event) -> Call {
    match event {
        Event::Connected => Call::Connected,
        Event::Data(data) => Call::Data { data },
        Event::Disconnected(reason) => Call::Disconnected { reason },
    }
}
