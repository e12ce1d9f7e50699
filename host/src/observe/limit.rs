//! The limits that somebody can meet while a program runs, by name.

use super::Counter;

macro_rules! limits {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),* $(,)?) => {
        /// A limit of a tenant, named as in the settings.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Limit {
            $($(#[$doc])* $variant,)*
        }

        impl Limit {
            pub(crate) const ALL: &[Limit] = &[$(Self::$variant,)*];

            /// As people and metrics call it.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

limits! {
    /// An event, or the start or the end of a program, computed for too long.
    CpuTime = "cpu_time_max",
    /// An execution took too long, waiting included.
    WallTime = "wall_time_max",
    /// An instance wanted too much memory.
    Memory = "memory_bytes_max",
    /// An event waited for others to end.
    Instances = "instances_max",
    /// Events from outside waited or were refused.
    EventsPerSecond = "events_per_second_max",
    /// An event was nested too deep.
    EventDepth = "event_depth_max",
    /// An event led to too many others.
    CausedEvents = "caused_events_max",
    /// An event that nobody waits for was dropped.
    DetachedEvents = "detached_events_max",
    /// A timer was refused.
    Timers = "timers_max",
    /// A connection was closed at once.
    Connections = "connections_max",
    /// A program was not given a connection.
    Outbound = "outbound_max",
    /// A handshake was refused.
    WebSockets = "websockets_max",
    /// A stream that was followed was silent for too long.
    StreamIdleTime = "stream_idle_time_max",
    /// A directory was not watched.
    WatchedDirectories = "watched_directories_max",
    /// A change in a watched directory was lost.
    WatchedChanges = "watched_changes_max",
    /// A listener was refused.
    Listeners = "listeners_max",
    /// Too much had been received in part for more of it.
    ReceivedBytes = "received_bytes_max",
    /// A broadcast met a full queue.
    QueueBytes = "queue_bytes_max",
    /// A send waited too long for room.
    SendWait = "send_wait_max",
    /// A program sent too much at once.
    MessageBytes = "message_bytes_max",
    /// A peer sent too long a line or frame.
    FrameBytes = "frame_bytes_max",
    /// A peer sent too long a message on a WebSocket.
    WebSocketMessageBytes = "websocket_message_bytes_max",
    /// A request was refused because others are being answered.
    HttpRequests = "http_requests_max",
    /// The body of a request was too long.
    HttpBodyBytes = "http_body_bytes_max",
    /// The body of a request came too slowly.
    HttpBodyTime = "http_body_time_max",
    /// The peer took nothing of a response for too long.
    HttpWriteTime = "http_write_time_max",
    /// A repository was full.
    RepositoryRows = "repository_rows_max",
    /// A program wanted too many repositories.
    Repositories = "repositories_max",
    /// The state of a program was full.
    StateBytes = "state_bytes_max",
    /// A statement selected too much.
    AnswerBytes = "answer_bytes_max",
    /// A program published too many variables.
    Published = "published_max",
    /// A channel was not made.
    Channels = "channels_max",
    /// The name of a channel was too long.
    ChannelNameBytes = "channel_name_bytes_max",
    /// A connection was not subscribed.
    Subscriptions = "subscriptions_max",
    /// A file was too large to be read or replaced.
    FileBytes = "file_bytes_max",
    /// A file was too large to be added to.
    AppendedFileBytes = "appended_file_bytes_max",
    /// A directory had too many entries to be listed or copied.
    DirectoryEntries = "directory_entries_max",
    /// A line of the console was cut.
    ConsoleLineBytes = "console_line_bytes_max",
    /// A line of the console was dropped, because whoever reads them is too slow. The size of that queue is no setting.
    ConsoleQueueBytes = "console_queue_bytes_max",
    /// A request to another server was refused because others were under way.
    RequestConnections = "request_connections_max",
    /// Another server answered too much.
    RequestAnswerBytes = "request_answer_bytes_max",
}

/// How often each limit was met.
#[derive(Debug)]
pub(crate) struct LimitHits([Counter; Limit::ALL.len()]);

impl Default for LimitHits {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Counter::default()))
    }
}

impl LimitHits {
    pub(crate) fn of(&self, limit: Limit) -> &Counter {
        self.0
            .get(limit as usize)
            .expect("there is a counter for each limit")
    }

    /// Those that were met, with how often.
    pub(crate) fn read(&self) -> Vec<(&'static str, u64)> {
        let all = Limit::ALL.iter();
        all.map(|limit| (limit.name(), self.of(*limit).value()))
            .filter(|(_, times)| *times > 0)
            .collect()
    }
}
