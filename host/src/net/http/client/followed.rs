//! The streams that a tenant follows, by the event that each becomes.

use super::Request;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Those of one tenant. There are no more than it may have outbound connections, because each holds such a slot for as long as it stands here.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    followed: Mutex<HashMap<Arc<str>, Arc<Followed>>>,
}

/// A stream that is followed.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    /// Whether the start of a program follows it.
    pub(super) at_start: bool,
    pub(super) stopped: CancellationToken,
}

impl Streams {
    /// Stops following those that starts follow, save for these.
    pub(crate) fn keep(&self, events: &[Arc<str>]) {
        self.followed.lock().retain(|event, followed| {
            let stays = !followed.at_start || events.contains(event);
            if !stays {
                followed.stopped.cancel();
            }
            stays
        });
    }

    /// Whether the start of an earlier version follows the same.
    pub(super) fn has(&self, event: &str, request: &Request) -> bool {
        let followed = self.followed.lock();
        followed.get(event).is_some_and(|known| {
            known.at_start && known.url == request.url && known.headers == request.headers
        })
    }

    /// Follows `new` for an event, in place of what is followed for it.
    pub(super) fn enter(&self, event: &Arc<str>, new: &Arc<Followed>) {
        let new = Arc::clone(new);
        if let Some(replaced) = self.followed.lock().insert(Arc::clone(event), new) {
            replaced.stopped.cancel();
        }
    }

    /// Forgets one that has ended; what has taken its place stays.
    pub(super) fn leave(&self, event: &str, ended: &Arc<Followed>) {
        let mut followed = self.followed.lock();
        if followed
            .get(event)
            .is_some_and(|known| Arc::ptr_eq(known, ended))
        {
            followed.remove(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn followed(url: &str) -> Arc<Followed> {
        Arc::new(Followed {
            url: url.to_owned(),
            headers: Vec::new(),
            at_start: true,
            stopped: CancellationToken::new(),
        })
    }

    #[test]
    fn what_has_ended_is_forgotten_and_what_has_taken_its_place_is_not() {
        let streams = Streams::default();
        let event: Arc<str> = "price".into();
        let request = |url: &str| Request {
            method: "GET".to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: Bytes::new(),
            time: None,
        };
        let (first, second) = (followed("http://a/"), followed("http://b/"));
        streams.enter(&event, &first);
        streams.enter(&event, &second);
        assert!(first.stopped.is_cancelled() && !second.stopped.is_cancelled());
        streams.leave(&event, &first);
        assert!(streams.has(&event, &request("http://b/")));
        streams.leave(&event, &second);
        assert!(!streams.has(&event, &request("http://b/")));
        assert!(streams.followed.lock().is_empty());
    }
}
