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
mod listeners;
mod outbound;
mod published;
mod repositories;
mod server;
mod standard;
mod surroundings;
mod wait;
mod websockets;

use super::state::GuestState;
use aro_wit::interface;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use wasmtime::Result;
use wasmtime::component::Linker;

/// Defines the interface `import`; false when there is none of that name.
pub(super) fn define(linker: &mut Linker<GuestState>, import: &str) -> Result<bool> {
    let define = match import {
        interface::CONSOLE => console::define,
        interface::CHANNELS => channels::define,
        interface::CONNECTIONS => connections::define,
        interface::DIRECTORY => directory::define,
        interface::EVENT_BUS => events::define_bus,
        interface::EVENT_TIMERS => events::define_timers,
        interface::LIFETIME => events::define_lifetime,
        interface::HTTP_CLIENT => client::define,
        interface::HTTP_SERVER => server::define,
        interface::LISTENERS => listeners::define,
        interface::OUTBOUND => outbound::define,
        interface::WEBSOCKETS => websockets::define,
        interface::PUBLISHED => published::define,
        interface::REPOSITORIES => repositories::define,
        interface::PARAMETERS => surroundings::define_parameters,
        interface::ENVIRONMENT => surroundings::define_environment,
        interface::INPUT => surroundings::define_input,
        interface::SLEEP => surroundings::define_sleep,
        interface::FILES_READING => files::define_reading,
        interface::FILES_SERVING => files::define_serving,
        interface::FILES_WRITING => files::define_writing,
        interface::EVENT_STREAMS => event_streams::define,
        interface::WALL_CLOCK => standard::define_wall_clock,
        interface::RANDOM => standard::define_random,
        _ => return Ok(false),
    };
    define(&mut linker.instance(import)?)?;
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
