//! From an event to the feature sets that handle it; replaced whole when a program is.

use crate::conn::Connection;
use crate::engine::feature_set::{Call, Cause, FeatureSet};
use crate::life::Life;
use crate::net::buffer::Chunk;
use crate::net::http::{Contracts, Operations};
use crate::net::websocket::Kind;
use crate::tenant::Tenant;
use aro_wit::manifest::{Manifest, Trigger, WebSocketPath};
use futures_util::future::join_all;
use std::collections::HashMap;
use std::sync::Arc;

/// What happened on a connection.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Connected,
    Data(Chunk),
    /// On a WebSocket.
    Message {
        kind: Kind,
        data: Arc<[u8]>,
    },
    /// The peer has sent its last byte.
    Finished,
    Disconnected(Arc<str>),
}

/// A handler of an event of WebSockets.
struct WebSocketHandler {
    event: WebSocketEvent,
    /// The path whose WebSockets it wants; none for all of them.
    path: WebSocketPath,
    feature_set: Arc<FeatureSet>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WebSocketEvent {
    Connected,
    /// Of either kind.
    Message,
    /// Binary ones only.
    Binary,
    Disconnected,
}

impl WebSocketHandler {
    /// None for other triggers.
    fn of(trigger: &Trigger, feature_set: &Arc<FeatureSet>) -> Option<Self> {
        let (event, path) = match trigger {
            Trigger::WebSocketConnected(path) => (WebSocketEvent::Connected, path),
            Trigger::WebSocketMessage(path) => (WebSocketEvent::Message, path),
            Trigger::WebSocketBinary(path) => (WebSocketEvent::Binary, path),
            Trigger::WebSocketDisconnected(path) => (WebSocketEvent::Disconnected, path),
            Trigger::Start
            | Trigger::EndSuccess
            | Trigger::EndError
            | Trigger::Test
            | Trigger::TcpConnected
            | Trigger::TcpData
            | Trigger::TcpFinished
            | Trigger::TcpDisconnected
            | Trigger::Event(_)
            | Trigger::Operation(_) => return None,
        };
        Some(Self {
            event,
            path: path.clone(),
            feature_set: Arc::clone(feature_set),
        })
    }

    fn handles(&self, event: &Event, path: &str) -> bool {
        let is_of_event = match event {
            Event::Connected => self.event == WebSocketEvent::Connected,
            Event::Disconnected(_) => self.event == WebSocketEvent::Disconnected,
            Event::Message { kind, .. } => match self.event {
                WebSocketEvent::Message => true,
                WebSocketEvent::Binary => *kind == Kind::Binary,
                WebSocketEvent::Connected | WebSocketEvent::Disconnected => false,
            },
            Event::Data(_) | Event::Finished => false,
        };
        is_of_event && self.path.as_ref().is_none_or(|wanted| wanted == path)
    }
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
    finished: Vec<Arc<FeatureSet>>,
    disconnected: Vec<Arc<FeatureSet>>,
    websockets: Vec<WebSocketHandler>,
    events: HashMap<String, Vec<Arc<FeatureSet>>>,
    /// Operations of the contract.
    pub(crate) http: Operations,
}

impl Routes {
    pub(crate) fn new(
        manifest: Arc<Manifest>,
        feature_sets: Vec<Arc<FeatureSet>>,
        contracts: &Contracts,
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
        let mut websockets = Vec::new();
        for (entry, feature_set) in manifest.feature_sets.iter().zip(&feature_sets) {
            for trigger in &entry.triggers {
                websockets.extend(WebSocketHandler::of(trigger, feature_set));
                if let Trigger::Event(subject) = trigger {
                    let handlers = events.entry(subject.clone()).or_default();
                    handlers.push(Arc::clone(feature_set));
                }
            }
        }
        Self {
            events,
            websockets,
            http: Operations::new(&manifest, &feature_sets, contracts),
            start: first(Trigger::Start),
            end_success: first(Trigger::EndSuccess),
            end_error: first(Trigger::EndError),
            connected: all(Trigger::TcpConnected),
            data: all(Trigger::TcpData),
            finished: all(Trigger::TcpFinished),
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

    /// The handlers of an event of TCP.
    fn handlers(&self, event: &Event) -> &[Arc<FeatureSet>] {
        match event {
            Event::Connected => &self.connected,
            Event::Data(_) => &self.data,
            Event::Finished => &self.finished,
            Event::Disconnected(_) => &self.disconnected,
            Event::Message { .. } => &[],
        }
    }

    /// Whether a program that keeps connections half open is told when to close them.
    pub(crate) fn handles_finished(&self) -> bool {
        !self.finished.is_empty()
    }

    /// Whether a handler names this path for WebSockets.
    pub(crate) fn names_websocket_path(&self, path: &str) -> bool {
        let named = |handler: &WebSocketHandler| handler.path.as_deref() == Some(path);
        self.websockets.iter().any(named)
    }
}

/// Runs every handler of an event and reports those that fail.
pub(crate) async fn deliver(tenant: &Arc<Tenant>, connection: &Arc<Connection>, event: Event) {
    let Some(routes) = tenant.routes.load_full() else {
        return;
    };
    match connection.websocket_path() {
        None => run(routes.handlers(&event).iter(), connection, &event).await,
        Some(path) => {
            let handlers = routes.websockets.iter();
            let handlers = handlers.filter(|handler| handler.handles(&event, path));
            run(
                handlers.map(|handler| &handler.feature_set),
                connection,
                &event,
            )
            .await;
        }
    }
}

/// Handlers start in declaration order, each runs up to its first wait before the next starts (runtime.md 3.1.3).
async fn run<'a>(
    mut handlers: impl Iterator<Item = &'a Arc<FeatureSet>> + Clone,
    connection: &Arc<Connection>,
    event: &Event,
) {
    let all = handlers.clone();
    match (handlers.next(), handlers.next()) {
        (None, _) => {}
        (Some(handler), None) => handler.handle(cause(connection), call(event.clone())).await,
        (Some(_), Some(_)) => {
            join_all(all.map(|handler| handler.handle(cause(connection), call(event.clone()))))
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
        Event::Message { kind, data } => Call::Message { kind, data },
        Event::Finished => Call::Finished,
        Event::Disconnected(reason) => Call::Disconnected { reason },
    }
}
