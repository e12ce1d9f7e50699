//! Host functions: one file for each WIT interface, each a thin translation to the module that does the work.
//!
//! A component gets exactly the interfaces that it imports. What it does not import it cannot call.

mod channels;
mod client;
mod connections;
mod console;
mod directory;
mod event_streams;
mod events;
mod files;
pub(super) mod interface;
mod listeners;
mod outbound;
mod published;
mod repositories;
mod server;
mod standard;
mod surroundings;
mod trace;
mod wait;
mod websockets;

use super::state::GuestState;
use aro_wit::interface as name;
use interface::{Interface, Linking};
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use wasmtime::Result;
use wasmtime::component::Linker;

/// Defines the interface `import`; false when there is none of that name.
pub(super) fn define(
    linker: &mut Linker<GuestState>,
    import: &str,
    linking: Linking,
) -> Result<bool> {
    let define = match import {
        name::CONSOLE => console::define,
        name::CHANNELS => channels::define,
        name::CONNECTIONS => connections::define,
        name::DIRECTORY => directory::define,
        name::EVENT_BUS => events::define_bus,
        name::EVENT_TIMERS => events::define_timers,
        name::LIFETIME => events::define_lifetime,
        name::HTTP_CLIENT => client::define,
        name::HTTP_SERVER => server::define,
        name::LISTENERS => listeners::define,
        name::OUTBOUND => outbound::define,
        name::WEBSOCKETS => websockets::define,
        name::PUBLISHED => published::define,
        name::REPOSITORIES => repositories::define,
        name::PARAMETERS => surroundings::define_parameters,
        name::METRICS => surroundings::define_metrics,
        name::ENVIRONMENT => surroundings::define_environment,
        name::INPUT => surroundings::define_input,
        name::SLEEP => surroundings::define_sleep,
        name::FILES_READING => files::define_reading,
        name::FILES_WRITING => files::define_writing,
        name::FILES_SERVING => files::define_serving,
        name::EVENT_STREAMS => event_streams::define,
        name::FILES_MONITORING => files::define_monitoring,
        name::WALL_CLOCK => standard::define_wall_clock,
        name::RANDOM => standard::define_random,
        name::TRACE if linking == Linking::Replayed => trace::define,
        _ => return Ok(false),
    };
    let instance = linker.instance(import)?;
    define(&mut Interface::new(instance, import, linking))?;
    Ok(true)
}

/// What an async host function returns to the engine.
type Pending<'a, T> = Box<dyn Future<Output = Result<T>> + Send + 'a>;

/// A future that is done and has no size, so that boxing it allocates nothing: the common outcome of a host function that could have waited.
struct Done<A>(PhantomData<fn() -> A>);

/// The answer that a [`Done`] gives.
trait Constant {
    type Answer;
    const ANSWER: Self::Answer;
}

impl<A: Constant> Done<A> {
    fn boxed<'a>() -> Pending<'a, A::Answer>
    where
        A: 'a,
    {
        Box::new(Self(PhantomData))
    }
}

impl<A: Constant> Future for Done<A> {
    type Output = Result<A::Answer>;

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(A::ANSWER))
    }
}
