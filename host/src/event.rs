//! Events that carry a value: raised by handlers, who wait for those that handle them, or by timers, who do not.

use crate::config::Limits;
use crate::console::Stream;
use crate::engine::feature_set::{Call, Cause};
use crate::engine::state::Scope;
use crate::observe::limit::Limit;
use crate::route::Routes;
use crate::tenant::Tenant;
use futures_util::future::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::OwnedSemaphorePermit;

/// Links shown of a chain that is too long: enough for the circle to be seen.
const CHAIN_SHOWN_MAX: usize = 8;

/// The events that led to an execution, innermost first.
#[derive(Debug)]
pub(crate) struct Chain {
    subject: Arc<str>,
    /// How many executions wait for those of the last event.
    depth: usize,
    /// Those who wait. An event that nobody waits for has none, so that links do not grow with time.
    parent: Option<Arc<Chain>>,
    /// The first event of all; none for that one itself.
    root: Option<Arc<Chain>>,
    /// Events that the first one has led to, waited for or not.
    caused: AtomicUsize,
}

/// Why an event was not raised.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RaiseError {
    #[error(
        "events are nested more than {max} deep: … → {chain}; a handler must not cause its own event without end"
    )]
    TooDeep { max: usize, chain: String },
    #[error(
        "one event has caused more than {max}: {chain}; a handler must not cause its own event without end"
    )]
    TooMany { max: usize, chain: String },
}

impl RaiseError {
    /// The limit that was met.
    pub(crate) fn limit(&self) -> Limit {
        match self {
            Self::TooDeep { .. } => Limit::EventDepth,
            Self::TooMany { .. } => Limit::CausedEvents,
        }
    }
}

impl Chain {
    fn new(subject: &str, cause: Option<&Arc<Chain>>) -> Chain {
        let root = cause.map(|cause| cause.root.as_ref().unwrap_or(cause));
        Chain {
            subject: subject.into(),
            depth: 0,
            parent: None,
            root: root.map(Arc::clone),
            caused: AtomicUsize::new(0),
        }
    }

    /// A chain of one event that nobody waits for and no other has caused.
    pub(crate) fn detached(subject: &str) -> Arc<Chain> {
        Arc::new(Self::new(subject, None))
    }

    /// The chain of an event that is raised by an execution, itself caused by the events of `parent`, if any, and that it waits for.
    ///
    /// # Errors
    /// [`RaiseError`] if too many executions would wait for it, or if the first event has caused too many.
    pub(crate) fn extend(
        parent: Option<&Arc<Chain>>,
        subject: &str,
        limits: &Limits,
    ) -> Result<Arc<Chain>, RaiseError> {
        let chain = Chain {
            depth: parent.map_or(0, |parent| parent.depth) + 1,
            parent: parent.map(Arc::clone),
            ..Self::new(subject, parent)
        };
        let max = limits.event_depth_max;
        if chain.depth > max {
            let chain = chain.text();
            return Err(RaiseError::TooDeep { max, chain });
        }
        chain.count(1, limits)?;
        Ok(Arc::new(chain))
    }

    /// Counts further events of this chain among those that the first has caused.
    fn count(&self, events: usize, limits: &Limits) -> Result<(), RaiseError> {
        let max = limits.caused_events_max;
        let Some(root) = &self.root else {
            return Ok(());
        };
        if root.caused.fetch_add(events, Ordering::Relaxed) + events <= max {
            return Ok(());
        }
        let chain = match &self.parent {
            Some(_) => self.text(),
            None => format!("{} → … → {}", root.subject, self.subject),
        };
        Err(RaiseError::TooMany { max, chain })
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
    raise_all(
        audience,
        None,
        subject,
        std::iter::once(Arc::clone(payload)),
    );
}

/// Raises events of one subject and goes on; they are delivered one after the other, in order. Those that a handler causes go on its account, or two that cause each other would go on for ever.
pub(crate) fn raise_all(
    audience: &impl Audience,
    cause: Option<&Arc<Chain>>,
    subject: &str,
    payloads: impl ExactSizeIterator<Item = Arc<[u8]>> + Send + 'static,
) {
    // What nobody handles counts for nothing.
    if !is_handled(audience, subject) {
        return;
    }
    let tenant = audience.tenant();
    let chain = Chain::new(subject, cause);
    if let Err(error) = chain.count(payloads.len(), &tenant.settings.limits) {
        tenant.counters.hit(error.limit());
        let text = format!("event {subject} is dropped: {error}");
        tenant.console.write(Stream::Error, &text);
        return;
    }
    let permit = detached_all(audience, subject, payloads.len());
    let Some((permit, routes)) = permit.zip(audience.routes()) else {
        return;
    };
    let chain = Arc::new(chain);
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
        let limits = Limits {
            event_depth_max: 3,
            ..Limits::default()
        };
        let mut chain = Chain::extend(None, "A", &limits).unwrap();
        for subject in ["B", "A"] {
            chain = Chain::extend(Some(&chain), subject, &limits).unwrap();
        }
        assert_eq!(chain.depth(), 3);
        let error = Chain::extend(Some(&chain), "B", &limits).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("more than 3 deep: … → A → B → A → B;"),
            "{error}"
        );
    }

    #[test]
    fn events_are_counted_at_the_first_one_whoever_waits() {
        let limits = Limits {
            caused_events_max: 3,
            ..Limits::default()
        };
        let first = Chain::detached("A");
        let waited = Chain::extend(Some(&first), "B", &limits).unwrap();
        let left = Arc::new(Chain::new("C", Some(&waited)));
        left.count(2, &limits).unwrap();
        let error = Chain::extend(Some(&left), "D", &limits).unwrap_err();
        assert!(error.to_string().contains("more than 3: C → D;"), "{error}");
        let error = Chain::new("E", Some(&left)).count(1, &limits).unwrap_err();
        assert!(error.to_string().contains(": A → … → E;"), "{error}");
        assert!(Chain::extend(None, "A", &limits).is_ok());
    }
}
