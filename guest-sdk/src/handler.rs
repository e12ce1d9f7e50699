//! The handler trait, and the macros that export its events.

use alloc::string::String;
use alloc::vec::Vec;

use crate::{Connection, Failure};

/// Events of TCP connections. The events of one connection arrive one at a time, in order; export those you take.
pub trait TcpHandler {
    /// A peer has connected. Export with [`export_tcp_connected!`](crate::export_tcp_connected).
    ///
    /// # Errors
    /// What the host is to log.
    fn connected(connection: Connection) -> Result<(), Failure> {
        let _ = connection;
        Ok(())
    }

    /// Bytes arrived, 1 B to 64 KiB, as read. Export with [`export_tcp_data!`](crate::export_tcp_data).
    ///
    /// # Errors
    /// What the host is to log.
    fn data(connection: Connection, data: Vec<u8>) -> Result<(), Failure> {
        let _ = (connection, data);
        Ok(())
    }

    /// The connection is gone. Export with [`export_tcp_disconnected!`](crate::export_tcp_disconnected).
    ///
    /// # Errors
    /// What the host is to log.
    fn disconnected(connection: Connection, reason: String) -> Result<(), Failure> {
        let _ = (connection, reason);
        Ok(())
    }
}

/// One export: the generated trait of the event, implemented by calling a [`TcpHandler`] method.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_event {
    ($handler:ty, $bindings:ident, $interface:ident, $export:ident, $method:ident ($($name:ident: $ty:ty),*)) => {
        const _: () = {
            use $crate::bindings::$bindings as bindings;
            use bindings::exports::aro::net::$interface as event;

            struct Exported;

            impl event::Guest for Exported {
                fn handle(connection: event::Socket $(, $name: $ty)*) -> Result<(), event::Failure> {
                    <$handler as $crate::TcpHandler>::$method($crate::Connection(connection) $(, $name)*).map_err(|failure| event::Failure {
                        statement: None,
                        kind: event::FailureKind::Action,
                        cause: failure.cause,
                        trace: ::core::default::Default::default(),
                    })
                }
            }

            bindings::$export!(Exported with_types_in $crate::bindings::$bindings);
        };
    };
}

/// Exports [`TcpHandler::connected`] of a type.
#[macro_export]
macro_rules! export_tcp_connected {
    ($handler:ty) => {
        $crate::__export_event!(
            $handler,
            connected,
            tcp_connected,
            export_connected,
            connected()
        );
    };
}

/// Exports [`TcpHandler::data`] of a type.
#[macro_export]
macro_rules! export_tcp_data {
    ($handler:ty) => {
        extern crate alloc as __aro_alloc;
        $crate::__export_event!($handler, data, tcp_data, export_data, data(data: __aro_alloc::vec::Vec<u8>));
    };
}

/// Exports [`TcpHandler::disconnected`] of a type.
#[macro_export]
macro_rules! export_tcp_disconnected {
    ($handler:ty) => {
        extern crate alloc as __aro_alloc_text;
        $crate::__export_event!($handler, disconnected, tcp_disconnected, export_disconnected, disconnected(reason: __aro_alloc_text::string::String));
    };
}
