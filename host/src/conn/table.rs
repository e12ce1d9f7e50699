//! The sockets of one tenant, by identity and by name. A guest can only ever reach into its own tenant's table.

use super::id::{IdSource, SLOTS_MAX, SocketId};
use super::outbound::Outbound;
use super::{Connection, Origin};
use crate::net::listener::Listener;
use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashMap;
use slab::Slab;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Names in the directory. Those of programs are few: they stand in their text.
const NAMES_MAX: usize = 4096;
/// Locks that the table is spread over.
const SHARDS: usize = 16;

/// What an identity stands for.
#[derive(Debug, Clone)]
pub(crate) enum Socket {
    Listener(Arc<Listener>),
    Connection(Arc<Connection>),
}

impl Socket {
    fn id(&self) -> SocketId {
        match self {
            Self::Listener(listener) => listener.id,
            Self::Connection(connection) => connection.id,
        }
    }
}

/// Why a socket was not entered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnterError {
    /// No slot is left.
    #[error("the table of sockets is full")]
    Full,
    /// No name is left.
    #[error("at most {NAMES_MAX} names of sockets can be kept")]
    Names,
    /// No identity can be made.
    #[error("the system gives no random bytes")]
    Random(#[source] getrandom::Error),
}

/// Connections that something is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// All of them.
    All,
    /// Those that listeners have accepted.
    Inbound,
    /// WebSockets that others have opened.
    WebSockets,
    /// Responses that stay open.
    EventStreams,
    /// Those that this listener has accepted.
    Of(SocketId),
}

impl Which {
    fn has(self, connection: &Connection) -> bool {
        match self {
            Self::All => true,
            Self::Inbound => connection.listener().is_some(),
            Self::WebSockets => matches!(connection.origin, Origin::WebSocket(_)),
            Self::EventStreams => connection.is_event_stream(),
            Self::Of(id) => connection
                .listener()
                .is_some_and(|listener| listener.id == id),
        }
    }
}

/// What a name in the directory stands for.
#[derive(Debug, Default)]
struct Named {
    /// The socket that was opened last, also when it is closed; none after a failure.
    socket: Option<SocketId>,
    /// How often in a row it could not be opened.
    failures: u32,
}

/// The table.
#[derive(Debug)]
pub(crate) struct SocketTable {
    shards: [RwLock<Slab<Socket>>; SHARDS],
    next_shard: AtomicUsize,
    ids: IdSource,
    names: Mutex<FxHashMap<String, Named>>,
}

impl SocketTable {
    pub(crate) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::new(Slab::new())),
            next_shard: AtomicUsize::new(0),
            ids: IdSource::default(),
            names: Mutex::new(FxHashMap::default()),
        }
    }

    /// Enters a connection of this origin.
    pub(crate) fn enter_connection(
        &self,
        origin: Origin,
        queue: Outbound,
    ) -> Result<Arc<Connection>, EnterError> {
        self.enter(
            |id| Arc::new(Connection::new(id, origin, queue)),
            Socket::Connection,
        )
    }

    /// Enters the listener that `build` makes of its identity.
    pub(crate) fn enter_listener(
        &self,
        build: impl FnOnce(SocketId) -> Arc<Listener>,
    ) -> Result<Arc<Listener>, EnterError> {
        self.enter(build, Socket::Listener)
    }

    fn enter<T>(
        &self,
        build: impl FnOnce(SocketId) -> Arc<T>,
        socket: impl FnOnce(Arc<T>) -> Socket,
    ) -> Result<Arc<T>, EnterError> {
        let number = self.next_shard.fetch_add(1, Ordering::Relaxed) % SHARDS;
        let mut shard = self.shard(number).write();
        let entry = shard.vacant_entry();
        let slot = entry.key() * SHARDS + number;
        if slot >= SLOTS_MAX {
            return Err(EnterError::Full);
        }
        let built = build(self.ids.next(slot).map_err(EnterError::Random)?);
        entry.insert(socket(Arc::clone(&built)));
        Ok(built)
    }

    /// The socket of this identity.
    pub(crate) fn find(&self, id: SocketId) -> Option<Socket> {
        let slot = id.slot();
        let shard = self.shard(slot % SHARDS).read();
        shard
            .get(slot / SHARDS)
            .filter(|socket| socket.id() == id)
            .cloned()
    }

    /// The connection of this identity.
    pub(crate) fn connection(&self, id: SocketId) -> Option<Arc<Connection>> {
        match self.find(id)? {
            Socket::Connection(connection) => Some(connection),
            Socket::Listener(_) => None,
        }
    }

    /// Forgets a socket; its identity is never used again. Answers whether it was known.
    pub(crate) fn leave(&self, id: SocketId) -> bool {
        let slot = id.slot();
        let mut shard = self.shard(slot % SHARDS).write();
        let known = shard
            .get(slot / SHARDS)
            .is_some_and(|socket| socket.id() == id);
        if known {
            shard.remove(slot / SHARDS);
        }
        known
    }

    /// Calls `act` with each of these connections; no lock is held meanwhile.
    pub(crate) fn each_connection(&self, which: Which, mut act: impl FnMut(&Arc<Connection>)) {
        let mut found = Vec::new();
        for shard in &self.shards {
            found.extend(shard.read().iter().filter_map(|(_, socket)| match socket {
                Socket::Connection(connection) if which.has(connection) => {
                    Some(Arc::clone(connection))
                }
                Socket::Connection(_) | Socket::Listener(_) => None,
            }));
            found.drain(..).for_each(|connection| act(&connection));
        }
    }

    /// All listeners, in the order of their ports.
    pub(crate) fn listeners(&self) -> Vec<Arc<Listener>> {
        let mut found = Vec::new();
        for shard in &self.shards {
            found.extend(shard.read().iter().filter_map(|(_, socket)| match socket {
                Socket::Listener(listener) => Some(Arc::clone(listener)),
                Socket::Connection(_) => None,
            }));
        }
        found.sort_by_key(|listener| listener.id);
        found
    }

    /// Enters `name` into the directory, replacing what was there.
    ///
    /// # Errors
    /// [`EnterError::Names`] if there are too many.
    pub(crate) fn name(&self, name: &str, id: SocketId) -> Result<(), EnterError> {
        let mut names = self.names.lock();
        let named = self.entry(&mut names, name).ok_or(EnterError::Names)?;
        named.socket = Some(id);
        named.failures = 0;
        Ok(())
    }

    /// The socket of `name` could not be opened: nothing stands there now. Answers how often in a row that happened.
    pub(crate) fn failed(&self, name: &str) -> u32 {
        let mut names = self.names.lock();
        self.entry(&mut names, name).map_or(1, |named| {
            named.socket = None;
            named.failures = named.failures.saturating_add(1);
            named.failures
        })
    }

    /// The entry of a name, made if there is room: names of what is closed give way.
    fn entry<'a>(
        &self,
        names: &'a mut FxHashMap<String, Named>,
        name: &str,
    ) -> Option<&'a mut Named> {
        if names.len() >= NAMES_MAX && !names.contains_key(name) {
            names.retain(|_, named| named.socket.is_some_and(|id| self.find(id).is_some()));
            if names.len() >= NAMES_MAX {
                return None;
            }
        }
        Some(names.entry(name.to_owned()).or_default())
    }

    /// The socket that was opened last as `name`, also when it is closed.
    pub(crate) fn named(&self, name: &str) -> Option<SocketId> {
        self.names.lock().get(name)?.socket
    }

    /// Sockets that are open, or whose end is still to be handled.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().len()).sum()
    }

    fn shard(&self, number: usize) -> &RwLock<Slab<Socket>> {
        self.shards
            .get(number % SHARDS)
            .expect("a remainder by SHARDS is below SHARDS")
    }
}
