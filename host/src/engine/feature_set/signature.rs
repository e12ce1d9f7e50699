//! Whether what a component exports has the type that its interface gives it. Found out when it is loaded: otherwise the first event would.

use super::{Connected, Data, Disconnected, End, Event, Message, Operation, Start, Test};
use crate::engine::state::GuestState;
use aro_wit::interface;
use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{ComponentNamedList, InstancePre, Lift, Lower, TypedFunc};

trait Signature {
    /// Fails if the function has another one.
    fn check(function: &ComponentFunc, component: &InstancePre<GuestState>)
    -> wasmtime::Result<()>;
}

impl<P, R> Signature for TypedFunc<P, R>
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift,
{
    fn check(
        function: &ComponentFunc,
        component: &InstancePre<GuestState>,
    ) -> wasmtime::Result<()> {
        function.typecheck::<P, R>(&component.instance_type())
    }
}

/// Looks at the function that a component exports for an interface.
pub(in crate::engine) fn check(
    interface: &str,
    function: &ComponentFunc,
    component: &InstancePre<GuestState>,
) -> wasmtime::Result<()> {
    let check = match interface {
        interface::START => Start::check,
        interface::END => End::check,
        interface::TEST => Test::check,
        interface::TCP_CONNECTED | interface::TCP_FINISHED | interface::WEBSOCKET_CONNECTED => {
            Connected::check
        }
        interface::TCP_DATA => Data::check,
        interface::WEBSOCKET_MESSAGE => Message::check,
        interface::EVENT_HANDLER => Event::check,
        interface::HTTP_HANDLER => Operation::check,
        interface::TCP_DISCONNECTED | interface::WEBSOCKET_DISCONNECTED => Disconnected::check,
        other => wasmtime::bail!("{other} is no interface of handlers"),
    };
    check(function, component)
}
