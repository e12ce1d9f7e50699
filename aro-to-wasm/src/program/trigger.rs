//! What starts a feature set: the exclusive table of runtime 3.3, and the guards in angle brackets.

use crate::syntax::ast;

/// What starts a feature set.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// `Application-Start`
    Start,
    /// `Application-End: Success`
    EndSuccess,
    /// `Application-End: Error`
    EndError,
    /// A user-defined action.
    Action,
    /// Runs under the test command only.
    Test,
    /// `WebSocket Event Handler`; the name of the feature set selects the event, the activity may end in a path.
    WebSocket {
        /// None if the name selects nothing: it never runs.
        event: Option<WebSocketEvent>,
        /// `/chat` of `WebSocket Event Handler /chat`.
        path: Option<String>,
    },
    /// `Socket Event Handler`; the name selects the event, or nothing.
    Socket(Option<SocketEvent>),
    /// `File Event Handler`; the name selects the event, or nothing.
    File(Option<FileEvent>),
    /// `KeyPress Handler`
    KeyPress,
    /// `field StateObserver<from_to_to>` or `StateTransition Handler<key:value>`
    State {
        /// Lower-case field name before `StateObserver`; none watches every field.
        field: Option<String>,
        /// Lower-case text in angle brackets without a colon.
        transition: Option<String>,
        /// Whether it is a `StateObserver`, which binds `transition`; the other form binds `event`.
        observer: bool,
    },
    /// `NotificationSent Handler`
    Notification,
    /// Changes of the repository of this name.
    RepositoryObserver(String),
    /// Evictions from the repository of this name.
    Evicted(String),
    /// `ClientConnected Handler` and its kind.
    Tcp(SocketEvent),
    /// Domain event of this type.
    Domain(String),
    /// Nothing but HTTP, which goes by name.
    None,
}

/// Events of TCP connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the event it names")]
pub enum SocketEvent {
    Connected,
    Data,
    Finished,
    Disconnected,
}

/// Events of WebSocket connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WebSocketEvent {
    /// A client has connected.
    Connected,
    /// A message of either kind.
    Message,
    /// A binary message.
    Binary,
    /// A connection has ended.
    Disconnected,
}

/// Events of watched directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the event it names")]
pub enum FileEvent {
    Created,
    Modified,
    Deleted,
}

impl Trigger {
    /// The first row of the table that fits.
    pub fn of(set: &ast::FeatureSet) -> Trigger {
        let (plain, guard) = split_guard(&set.activity);
        let (name, activity) = (set.name.to_lowercase(), plain.as_str());
        match (set.name.as_str(), activity) {
            ("Application-Start", _) => return Trigger::Start,
            ("Application-End", "Success") => return Trigger::EndSuccess,
            ("Application-End", "Error") => return Trigger::EndError,
            (_, "Action") => return Trigger::Action,
            _ => {}
        }
        let contains = |text: &str| activity.contains(text);
        if activity.ends_with("Test") || activity.ends_with("Tests") {
            Trigger::Test
        } else if contains("WebSocket Event Handler") {
            let path = activity
                .split_whitespace()
                .find(|word| word.starts_with('/'))
                .map(str::to_owned);
            Trigger::WebSocket {
                event: websocket_event(&name),
                path,
            }
        } else if contains("Socket Event Handler") {
            Trigger::Socket(socket_event(&name))
        } else if contains("File Event Handler") {
            Trigger::File(file_event(&name))
        } else if contains("KeyPress Handler") {
            Trigger::KeyPress
        } else if contains("StateObserver") || contains("StateTransition Handler") {
            let field = activity
                .split_once("StateObserver")
                .map(|(field, _)| field.trim().to_lowercase());
            let transition = guard
                .filter(|guard| !guard.contains(':'))
                .map(str::to_lowercase);
            Trigger::State {
                observer: field.is_some(),
                field: field.filter(|field| !field.is_empty()),
                transition,
            }
        } else if contains("NotificationSent Handler") {
            Trigger::Notification
        } else if contains(" Observer") && contains("-repository") {
            Trigger::RepositoryObserver(before(activity, " Observer"))
        } else if activity.ends_with(" Evicted Handler") && contains("-repository") {
            Trigger::Evicted(before(activity, " Evicted Handler"))
        } else if contains(" Handler") {
            let event = before(activity, " Handler");
            system_event(&event).unwrap_or(Trigger::Domain(event))
        } else {
            Trigger::None
        }
    }
}

fn before(activity: &str, suffix: &str) -> String {
    activity
        .split_once(suffix)
        .map_or("", |(text, _)| text)
        .trim()
        .to_owned()
}

/// Names of the seed's style, and those of the events of the system (runtime.md 3.3, 3.4).
fn system_event(event: &str) -> Option<Trigger> {
    let websocket = |event| Trigger::WebSocket {
        event: Some(event),
        path: None,
    };
    Some(match event {
        "ClientConnected" | "socket.connected" => Trigger::Tcp(SocketEvent::Connected),
        "DataReceived" | "socket.data" => Trigger::Tcp(SocketEvent::Data),
        "ClientFinished" | "socket.finished" => Trigger::Tcp(SocketEvent::Finished),
        "ClientDisconnected" | "socket.disconnected" => Trigger::Tcp(SocketEvent::Disconnected),
        "file.created" => Trigger::File(Some(FileEvent::Created)),
        "file.modified" => Trigger::File(Some(FileEvent::Modified)),
        "file.deleted" => Trigger::File(Some(FileEvent::Deleted)),
        "websocket.connected" => websocket(WebSocketEvent::Connected),
        "websocket.message" => websocket(WebSocketEvent::Message),
        "websocket.disconnected" => websocket(WebSocketEvent::Disconnected),
        _ => return None,
    })
}

/// Names of events in the styles of `system_event` whose misspelling is worth a word.
pub(crate) const SYSTEM_EVENTS: &[&str] = &[
    "ClientConnected",
    "DataReceived",
    "ClientFinished",
    "ClientDisconnected",
    "socket.connected",
    "socket.data",
    "socket.finished",
    "socket.disconnected",
    "file.created",
    "file.modified",
    "file.deleted",
    "websocket.connected",
    "websocket.message",
    "websocket.disconnected",
    "NotificationSent",
    "StateTransition",
    "KeyPress",
];

/// First match in a lower-case name.
fn websocket_event(name: &str) -> Option<WebSocketEvent> {
    let rows = [
        ("binary", WebSocketEvent::Binary),
        ("message", WebSocketEvent::Message),
        ("disconnect", WebSocketEvent::Disconnected),
        ("connect", WebSocketEvent::Connected),
    ];
    first(name, &rows)
}

fn socket_event(name: &str) -> Option<SocketEvent> {
    let rows = [
        ("disconnect", SocketEvent::Disconnected),
        ("connect", SocketEvent::Connected),
        ("data", SocketEvent::Data),
        ("message", SocketEvent::Data),
        ("received", SocketEvent::Data),
        // Behind the reference's, so that no name changes what it means.
        ("finish", SocketEvent::Finished),
    ];
    first(name, &rows)
}

fn file_event(name: &str) -> Option<FileEvent> {
    first(
        name,
        &[
            ("created", FileEvent::Created),
            ("modified", FileEvent::Modified),
            ("deleted", FileEvent::Deleted),
        ],
    )
}

fn first<T: Copy>(name: &str, rows: &[(&str, T)]) -> Option<T> {
    rows.iter()
        .find(|(word, _)| name.contains(word))
        .map(|(_, event)| *event)
}

/// The activity without its first angle guard, and the text of the guard.
fn split_guard(activity: &str) -> (String, Option<&str>) {
    let Some((plain, rest)) = activity.split_once('<') else {
        return (activity.to_owned(), None);
    };
    let (guard, after) = rest.split_once('>').unwrap_or((rest, ""));
    (format!("{plain}{after}"), Some(guard))
}

/// `<field:v1,v2;other.path:v>`: all conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateGuard {
    /// In order.
    pub conditions: Vec<GuardCondition>,
}

/// One field and the values it may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardCondition {
    /// Path into the payload.
    pub field: Vec<String>,
    /// In small letters, as the payload's text will be.
    pub values: Vec<String>,
}

impl StateGuard {
    /// The guard of an activity; none without a colon in the first angle brackets.
    pub fn of(activity: &str) -> Option<StateGuard> {
        let guard = split_guard(activity)
            .1
            .filter(|guard| guard.contains(':'))?;
        let condition = |text: &str| {
            let (field, values) = text.split_once(':')?;
            let field = field
                .split('.')
                .map(|part| part.trim().to_owned())
                .collect();
            let values = values
                .split(',')
                .map(|value| value.trim().to_lowercase())
                .collect();
            Some(GuardCondition { field, values })
        };
        Some(StateGuard {
            conditions: guard.split(';').filter_map(condition).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::parse;

    fn trigger(header: &str) -> Trigger {
        let parsed = parse(0, &format!("({header}) {{ }}"));
        Trigger::of(parsed.program.feature_sets.first().unwrap())
    }

    #[test]
    fn rows_of_the_table_are_exclusive() {
        let domain = |event: &str| Trigger::Domain(event.to_owned());
        let websocket = |event, path: Option<&str>| Trigger::WebSocket {
            event,
            path: path.map(str::to_owned),
        };
        let rows = [
            ("Application-Start: Shop", Trigger::Start),
            ("Application-End: Success", Trigger::EndSuccess),
            ("Application-End: Error", Trigger::EndError),
            ("Application-End: Other", Trigger::None),
            ("Scale: Action takes <n>", Trigger::Action),
            ("adds: Math Tests", Trigger::Test),
            (
                "On Message: WebSocket Event Handler",
                websocket(Some(WebSocketEvent::Message), None),
            ),
            (
                "On Disconnect: WebSocket Event Handler /chat",
                websocket(Some(WebSocketEvent::Disconnected), Some("/chat")),
            ),
            ("Whatever: WebSocket Event Handler", websocket(None, None)),
            (
                "Data Received: Socket Event Handler",
                Trigger::Socket(Some(SocketEvent::Data)),
            ),
            (
                "File Deleted: File Event Handler",
                Trigger::File(Some(FileEvent::Deleted)),
            ),
            ("K: KeyPress Handler<key:q>", Trigger::KeyPress),
            ("N: NotificationSent Handler", Trigger::Notification),
            (
                "A: item-repository Observer",
                Trigger::RepositoryObserver("item-repository".to_owned()),
            ),
            (
                "E: cache-repository Evicted Handler",
                Trigger::Evicted("cache-repository".to_owned()),
            ),
            (
                "D: DataReceived Handler<server:chat>",
                Trigger::Tcp(SocketEvent::Data),
            ),
            (
                "F: ClientFinished Handler<client:uplink>",
                Trigger::Tcp(SocketEvent::Finished),
            ),
            (
                "Peer Finished: Socket Event Handler",
                Trigger::Socket(Some(SocketEvent::Finished)),
            ),
            (
                "D: socket.disconnected Handler",
                Trigger::Tcp(SocketEvent::Disconnected),
            ),
            (
                "Ship: OrderPaid Handler<region:eu,uk;tier:gold>",
                domain("OrderPaid"),
            ),
            ("listItems: Item API", Trigger::None),
        ];
        for (header, expected) in rows {
            assert_eq!(trigger(header), expected, "{header}");
        }
    }

    #[test]
    fn events_of_the_system_have_names() {
        let websocket = |event| Trigger::WebSocket {
            event: Some(event),
            path: None,
        };
        let rows = [
            ("file.created", Trigger::File(Some(FileEvent::Created))),
            ("file.modified", Trigger::File(Some(FileEvent::Modified))),
            ("file.deleted", Trigger::File(Some(FileEvent::Deleted))),
            ("websocket.connected", websocket(WebSocketEvent::Connected)),
            ("websocket.message", websocket(WebSocketEvent::Message)),
            (
                "websocket.disconnected",
                websocket(WebSocketEvent::Disconnected),
            ),
            ("socket.data", Trigger::Tcp(SocketEvent::Data)),
            ("file.moved", Trigger::Domain("file.moved".to_owned())),
        ];
        for (event, expected) in rows {
            let header = format!("F: {event} Handler");
            assert_eq!(trigger(&header), expected, "{header}");
        }
    }

    #[test]
    fn state_observer_has_field_and_transition() {
        let state = Trigger::State {
            field: Some("status".to_owned()),
            transition: Some("draft_to_sent".to_owned()),
            observer: true,
        };
        assert_eq!(trigger("S: status StateObserver<draft_to_Sent>"), state);
    }

    #[test]
    fn guard_is_a_conjunction_of_alternatives() {
        let guard = StateGuard::of("OrderPaid Handler<order.region:EU,uk;tier:gold>").unwrap();
        let texts = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        let expected = [
            GuardCondition {
                field: texts(&["order", "region"]),
                values: texts(&["eu", "uk"]),
            },
            GuardCondition {
                field: texts(&["tier"]),
                values: texts(&["gold"]),
            },
        ];
        assert_eq!(guard.conditions, expected);
        assert_eq!(StateGuard::of("status StateObserver<a_to_b>"), None);
    }
}
