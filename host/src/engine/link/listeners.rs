//! `aro:net/listeners`.

use super::Interface;
use crate::config::Limits;
use crate::conn::id::SocketId;
use crate::engine::state::GuestState;
use crate::engine::types::{WitFraming, WitListenOptions, WitSocket};
use crate::net::frame::Framing;
use crate::net::listener::{self, ListenError, Request};
use crate::observe::limit::Limit;
use wasmtime::component::WasmStr;
use wasmtime::{Result, StoreContextMut};

pub(super) fn define(interface: &mut Interface<'_>) -> Result<()> {
    interface.func_wrap("listen", listen)?;
    interface.func_wrap(
        "close",
        |store: StoreContextMut<'_, GuestState>, (socket,): (WitSocket,)| {
            listener::close(&store.data().scope.tenant, SocketId::from_halves(socket));
            Ok(())
        },
    )
}

type Answer = (std::result::Result<WitSocket, String>,);

fn listen(
    store: StoreContextMut<'_, GuestState>,
    (port, name, options): (u16, WasmStr, WitListenOptions),
) -> Result<Answer> {
    let name = name.to_str(&store)?;
    let host = options.host.to_str(&store)?;
    let scope = &store.data().scope;
    let tenant = &scope.tenant;
    let limits = &tenant.settings.limits;
    let framing = match framing(options.framing, options.frame_bytes_max, limits) {
        Ok(framing) => framing,
        Err(message) => return Ok((Err(message),)),
    };
    let request = Request {
        port,
        name: &name,
        host: &host,
        framing,
        reuse_port: options.reuse_port,
        half_close: options.half_close,
    };
    let opened = listener::listen(tenant, &scope.life, request);
    if let Err(ListenError::TooMany { .. }) = opened {
        tenant.counters.hit(Limit::Listeners);
    }
    Ok((opened
        .map(SocketId::halves)
        .map_err(|error| error.to_string()),))
}

/// The framing that a program asks for, or why it cannot have it.
pub(super) fn framing(
    framing: WitFraming,
    bytes_max: u32,
    limits: &Limits,
) -> std::result::Result<Framing, String> {
    let bytes_max = match usize::try_from(bytes_max) {
        Ok(0) => limits.frame_bytes_default.min(limits.frame_bytes_max),
        Ok(bytes) if bytes <= limits.frame_bytes_max => bytes,
        _ => {
            return Err(format!(
                "frames of {bytes_max} bytes are too long; at most {} are received",
                limits.frame_bytes_max
            ));
        }
    };
    Ok(match framing {
        WitFraming::Raw => Framing::Raw,
        WitFraming::Line => Framing::Line { bytes_max },
        WitFraming::Length32 => Framing::Length { bytes_max },
    })
}
