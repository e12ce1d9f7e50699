//! Channels: groups of connections by name. A channel exists while a connection subscribes to it.
//!
//! Locks are taken in one order: memberships of a connection, table, members of a channel. A publish holds its channel's members while it queues, so that all subscribers see publishes in one order.

use super::Connection;
use super::id::SocketId;
use crate::observe::limit::Limit;
use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bounds on the channels of a tenant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChannelLimits {
    /// Channels.
    pub(crate) channels_max: usize,
    /// The name of one, in bytes.
    pub(crate) name_bytes_max: usize,
    /// Channels that one connection subscribes to.
    pub(crate) subscriptions_max: usize,
}

/// Why a connection was not added; shown to the program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubscribeError {
    #[error("a channel's name has at most {max} bytes, not {bytes}")]
    Name { bytes: usize, max: usize },
    #[error("a connection subscribes to at most {max} channels")]
    Subscriptions { max: usize },
    #[error("at most {max} channels exist at once")]
    Channels { max: usize },
}

impl SubscribeError {
    /// The limit that was met.
    pub(crate) fn limit(&self) -> Limit {
        match self {
            Self::Name { .. } => Limit::ChannelNameBytes,
            Self::Subscriptions { .. } => Limit::Subscriptions,
            Self::Channels { .. } => Limit::Channels,
        }
    }
}

#[derive(Debug)]
struct Channel {
    name: Arc<str>,
    members: Mutex<BTreeMap<SocketId, Arc<Connection>>>,
}

/// The channels of one connection.
#[derive(Debug, Default)]
pub(crate) struct Memberships {
    channels: Vec<Arc<Channel>>,
    /// The connection is gone and subscribes to nothing more.
    over: bool,
}

/// The channels of one tenant.
#[derive(Debug)]
pub(crate) struct Channels {
    table: RwLock<FxHashMap<Arc<str>, Arc<Channel>>>,
    limits: ChannelLimits,
}

impl Channels {
    pub(crate) fn new(limits: ChannelLimits) -> Self {
        Self {
            table: RwLock::default(),
            limits,
        }
    }

    /// Adds a connection to a channel; twice is once.
    ///
    /// # Errors
    /// [`SubscribeError`] if a limit is reached.
    pub(crate) fn subscribe(
        &self,
        connection: &Arc<Connection>,
        name: &str,
    ) -> Result<(), SubscribeError> {
        let limits = &self.limits;
        if name.len() > limits.name_bytes_max {
            let (bytes, max) = (name.len(), limits.name_bytes_max);
            return Err(SubscribeError::Name { bytes, max });
        }
        let mut memberships = connection.memberships.lock();
        let channels = &mut memberships.channels;
        if channels.iter().any(|channel| *channel.name == *name) {
            return Ok(());
        }
        if channels.len() >= limits.subscriptions_max {
            let max = limits.subscriptions_max;
            return Err(SubscribeError::Subscriptions { max });
        }
        if memberships.over {
            return Ok(());
        }
        let mut table = self.table.write();
        let channel = match table.get(name) {
            Some(channel) => Arc::clone(channel),
            None => {
                if table.len() >= limits.channels_max {
                    let max = limits.channels_max;
                    return Err(SubscribeError::Channels { max });
                }
                let name: Arc<str> = name.into();
                let channel = Arc::new(Channel {
                    name: Arc::clone(&name),
                    members: Mutex::default(),
                });
                table.insert(name, Arc::clone(&channel));
                channel
            }
        };
        let member = Arc::clone(connection);
        channel.members.lock().insert(connection.id, member);
        memberships.channels.push(channel);
        Ok(())
    }

    /// Removes a connection from a channel, if it is in it.
    pub(crate) fn unsubscribe(&self, connection: &Connection, name: &str) {
        let mut memberships = connection.memberships.lock();
        let channels = &mut memberships.channels;
        if let Some(place) = channels.iter().position(|channel| *channel.name == *name) {
            let channel = channels.swap_remove(place);
            self.remove(&channel, connection.id);
        }
    }

    /// Removes a connection that is gone from all of its channels.
    pub(crate) fn leave(&self, connection: &Connection) {
        let mut memberships = connection.memberships.lock();
        memberships.over = true;
        for channel in std::mem::take(&mut memberships.channels) {
            self.remove(&channel, connection.id);
        }
    }

    fn remove(&self, channel: &Channel, id: SocketId) {
        let mut table = self.table.write();
        let mut members = channel.members.lock();
        members.remove(&id);
        if members.is_empty() {
            table.remove(&channel.name);
        }
    }

    /// Calls `act` with each connection of a channel, one publish at a time.
    pub(crate) fn each_member(&self, name: &str, mut act: impl FnMut(&Connection)) {
        let channel = self.table.read().get(name).map(Arc::clone);
        if let Some(channel) = channel {
            let members = channel.members.lock();
            members.values().for_each(|connection| act(connection));
        }
    }

    /// How many connections subscribe to a channel.
    pub(crate) fn count(&self, name: &str) -> usize {
        let channel = self.table.read().get(name).map(Arc::clone);
        channel.map_or(0, |channel| channel.members.lock().len())
    }

    /// Channels that exist.
    pub(crate) fn len(&self) -> usize {
        self.table.read().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conn::Origin;
    use crate::conn::outbound::{Outbound, QueueLimits, Wake};
    use crate::conn::table::SocketTable;
    use crate::net::connect::Request;
    use crate::net::frame::Framing;
    use crate::net::websocket::Kind;

    const LIMITS: ChannelLimits = ChannelLimits {
        channels_max: 3,
        name_bytes_max: 5,
        subscriptions_max: 2,
    };

    fn connection(table: &SocketTable) -> Arc<Connection> {
        let queue = Outbound::new(QueueLimits {
            bytes_max: 100,
            messages_max: 10,
        });
        let origin = Origin::outbound(&Request {
            host: "host".to_owned(),
            port: 1,
            name: String::new(),
            framing: Framing::Raw,
            half_close: false,
            time: None,
        });
        table.enter_connection(origin, queue).unwrap()
    }

    #[test]
    fn channels_live_as_long_as_their_members() {
        let (table, channels) = (SocketTable::new(), Channels::new(LIMITS));
        let (one, two) = (connection(&table), connection(&table));
        for member in [&one, &one, &two] {
            channels.subscribe(member, "news").unwrap();
        }
        assert_eq!((channels.count("news"), channels.count("other")), (2, 0));
        let mut reached = 0;
        channels.each_member("news", |member| {
            member.send(b"x", Kind::Binary, Wake::Own).unwrap();
            reached += 1;
        });
        assert_eq!((reached, one.outbound.bytes()), (2, 1));
        channels.unsubscribe(&one, "news");
        channels.unsubscribe(&one, "news");
        assert_eq!((channels.count("news"), channels.len()), (1, 1));
        channels.leave(&two);
        assert_eq!(channels.len(), 0);
        channels.subscribe(&two, "news").unwrap();
        assert_eq!(channels.len(), 0);
        assert_eq!(Arc::strong_count(&one), 2);
    }

    #[test]
    fn limits_have_names() {
        let (table, channels) = (SocketTable::new(), Channels::new(LIMITS));
        let (one, two) = (connection(&table), connection(&table));
        let said = |connection, name| {
            let refused = channels.subscribe(connection, name);
            refused.unwrap_err().to_string()
        };
        assert_eq!(
            said(&one, "longer"),
            "a channel's name has at most 5 bytes, not 6"
        );
        channels.subscribe(&one, "a").unwrap();
        channels.subscribe(&one, "b").unwrap();
        assert_eq!(
            said(&one, "c"),
            "a connection subscribes to at most 2 channels"
        );
        channels.subscribe(&two, "c").unwrap();
        assert_eq!(said(&two, "d"), "at most 3 channels exist at once");
        channels.subscribe(&two, "a").unwrap();
    }
}
