//! Events that carry a value: raised by handlers, who wait for those that handle them, or by timers, who do not.

use crate::console::Stream;
use crate::engine::feature_set::{Call, Cause};
use crate::engine::state::Scope;
use crate::observe::limit::Limit;
use crate::route::Routes;
use crate::tenant::Tenant;
use futures_util::future::join_all;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// Links shown of a chain that is too long: enough for the circle to be seen.
const CHAIN_SHOWN_MAX: usize = 8;

/// The events that led to an execution, innermost first.
#[derive(Debug)]
pub(crate) struct Chain {
    subject: Arc<str>,
    /// How many executions wait for those of the last event.
    depth: usize,
    parent: Option<Arc<Chain>>,
}

/// Why an event was not raised.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RaiseError {
    #[error(
        "events are nested more than {max} deep: … → {chain}; a handler must not cause its own event without end"
    )]
    TooDeep { max: usize, chain: String },
}

impl Chain {
    /// A chain of one event that nobody waits for.
    pub(crate) fn detached(subject: &str) -> Arc<Chain> {
        Arc::new(Chain {
            subject: subject.into(),
            depth: 0,
            parent: None,
        })
    }

    /// The chain of an event that is raised by an execution, itself caused by the events of `parent`, if any.
    ///
    /// # Errors
    /// [`RaiseError::TooDeep`] if more than `max` executions would wait for it.
    pub(crate) fn extend(
        parent: Option<&Arc<Chain>>,
        subject: &str,
        max: usize,
    ) -> Result<Arc<Chain>, RaiseError> {
        let chain = Chain {
            subject: subject.into(),
            depth: parent.map_or(0, |parent| parent.depth) + 1,
            parent: parent.map(Arc::clone),
        };
        if chain.depth > max {
            return Err(RaiseError::TooDeep {
                max,
                chain: chain.text(),
            });
        }
        Ok(Arc::new(chain))
    }

    /// Type of its last event.
    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }

    /// How deep executions of its last event are nested.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    fn text(&self) -> String {
        let mut subjects = Vec::new();
        let mut link = Some(self);
        while let Some(chain) = link
            && subjects.len() < CHAIN_SHOWN_MAX
        {
            subjects.push(&*chain.subject);
            link = chain.parent.as_deref();
        }
        subjects.reverse();
        subjects.join(" → ")
    }
}

/// Whose handlers get an event.
pub(crate) trait Audience {
    fn tenant(&self) -> &Arc<Tenant>;
    /// The handlers; none while the program does not run.
    fn routes(&self) -> Option<Arc<Routes>>;
}

/// What happens outside of the program goes to the version that runs now.
impl Audience for Arc<Tenant> {
    fn tenant(&self) -> &Arc<Tenant> {
        self
    }

    fn routes(&self) -> Option<Arc<Routes>> {
        self.routes.load_full()
    }
}

/// What a handler raises goes to handlers of its own version, also when another has taken its place.
impl Audience for Arc<Scope> {
    fn tenant(&self) -> &Arc<Tenant> {
        &self.tenant
    }

    fn routes(&self) -> Option<Arc<Routes>> {
        Scope::routes(self)
    }
}

/// Whether anything handles events of this subject.
pub(crate) fn is_handled(audience: &impl Audience, subject: &str) -> bool {
    audience
        .routes()
        .is_some_and(|routes| !routes.of_event(subject).is_empty())
}

/// Runs every handler of the last event of `chain`, in declaration order, each up to its first wait before the next begins (runtime.md 3.1.3). A handler cannot fail whoever raised the event.
pub(crate) async fn deliver(audience: &impl Audience, chain: &Arc<Chain>, payload: Arc<[u8]>) {
    if let Some(routes) = audience.routes() {
        deliver_to(&routes, chain, payload).await;
    }
}

async fn deliver_to(routes: &Routes, chain: &Arc<Chain>, payload: Arc<[u8]>) {
    let call = || Call::Event {
        payload: Arc::clone(&payload),
    };
    let cause = || Cause::Event(Arc::clone(chain));
    match routes.of_event(&chain.subject) {
        [] => {}
        [handler] => handler.handle(cause(), call()).await,
        handlers => {
            let running = handlers
                .iter()
                .map(|handler| handler.handle(cause(), call()));
            join_all(running).await;
        }
    }
}

/// The right to raise an event that nobody waits for; none if nothing handles it, or if there are too many, which is said.
pub(crate) fn detached(audience: &impl Audience, subject: &str) -> Option<Detached> {
    detached_all(audience, subject, 1)
}

/// The right to raise `count` events one after the other.
fn detached_all(audience: &impl Audience, subject: &str, count: usize) -> Option<Detached> {
    if !is_handled(audience, subject) {
        return None;
    }
    let tenant = audience.tenant();
    let permit = Arc::clone(&tenant.detached).try_acquire_owned().ok();
    if permit.is_none() {
        tenant
            .counters
            .limits
            .of(Limit::DetachedEvents)
            .add(count as u64);
        let max = tenant.settings.limits.detached_events_max;
        let what = match count {
            1 => format!("event {subject} is dropped"),
            count => format!("{count} events {subject} are dropped"),
        };
        tenant.console.write(
            Stream::Error,
            &format!("{what}: {max} events are being handled"),
        );
    }
    permit.map(|permit| Detached {
        permit: Some(permit),
        tenant: Arc::clone(tenant),
    })
}

/// An event that nobody waits for, while it is handled.
pub(crate) struct Detached {
    permit: Option<OwnedSemaphorePermit>,
    tenant: Arc<Tenant>,
}

impl Drop for Detached {
    fn drop(&mut self) {
        drop(self.permit.take());
        self.tenant.settled.notify_waiters();
    }
}

/// Raises an event and goes on: for timers and others that do not wait.
pub(crate) fn raise(audience: &impl Audience, subject: &str, payload: &Arc<[u8]>) {
    raise_all(audience, subject, std::iter::once(Arc::clone(payload)));
}

/// Raises events of one subject and goes on; they are delivered one after the other, in order.
pub(crate) fn raise_all(
    audience: &impl Audience,
    subject: &str,
    payloads: impl ExactSizeIterator<Item = Arc<[u8]>> + Send + 'static,
) {
    let permit = detached_all(audience, subject, payloads.len());
    let Some((permit, routes)) = permit.zip(audience.routes()) else {
        return;
    };
    let chain = Chain::detached(subject);
    audience.tenant().tasks.spawn(async move {
        for payload in payloads {
            deliver_to(&routes, &chain, payload).await;
        }
        drop(permit);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_that_is_too_deep_shows_its_end() {
        let mut chain = Chain::extend(None, "A", 3).unwrap();
        for subject in ["B", "A"] {
            chain = Chain::extend(Some(&chain), subject, 3).unwrap();
        }
        assert_eq!(chain.depth(), 3);
        let error = Chain::extend(Some(&chain), "B", 3).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("more than 3 deep: … → A → B → A → B;"),
            "{error}"
        );
    }
}
