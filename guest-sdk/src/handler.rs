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

    /// The peer has sent its last byte and still receives: only on connections that were opened with `half_close`. Export with [`export_tcp_finished!`](crate::export_tcp_finished).
    ///
    /// # Errors
    /// What the host is to log.
    fn finished(connection: Connection) -> Result<(), Failure> {
        let _ = connection;
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

/// A message of a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebSocketMessage {
    /// Marked as text, and UTF-8.
    Text(String),
    /// Any bytes.
    Binary(Vec<u8>),
}

/// Events of WebSockets. The events of one WebSocket arrive one at a time, in order; export those you take.
pub trait WebSocketHandler {
    /// The handshake is done. Export with [`export_websocket_connected!`](crate::export_websocket_connected).
    ///
    /// # Errors
    /// What the host is to log.
    fn connected(connection: Connection) -> Result<(), Failure> {
        let _ = connection;
        Ok(())
    }

    /// A whole message arrived. Export with [`export_websocket_message!`](crate::export_websocket_message).
    ///
    /// # Errors
    /// What the host is to log.
    fn message(connection: Connection, message: WebSocketMessage) -> Result<(), Failure> {
        let _ = (connection, message);
        Ok(())
    }

    /// The WebSocket is gone. Export with [`export_websocket_disconnected!`](crate::export_websocket_disconnected).
    ///
    /// # Errors
    /// What the host is to log.
    fn disconnected(connection: Connection, reason: String) -> Result<(), Failure> {
        let _ = (connection, reason);
        Ok(())
    }
}

/// One export: the generated trait of the event, implemented by calling a method of a handler.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_event {
    ($handler:ty as $trait:ident, $bindings:ident, $interface:ident, $export:ident, $method:ident ($($name:ident: $ty:ty),*)) => {
        const _: () = {
            use $crate::bindings::$bindings as bindings;
            use bindings::exports::aro::net::$interface as event;

            struct Exported;

            impl event::Guest for Exported {
                fn handle(connection: event::Socket $(, $name: $ty)*) -> Result<(), event::Failure> {
                    <$handler as $crate::$trait>::$method($crate::Connection(connection) $(, $name)*).map_err(|failure| event::Failure {
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
        $crate::__export_event!($handler as TcpHandler, connected, tcp_connected, export_connected, connected());
    };
}

/// Exports [`TcpHandler::data`] of a type.
#[macro_export]
macro_rules! export_tcp_data {
    ($handler:ty) => {
        extern crate alloc as __aro_alloc;
        $crate::__export_event!($handler as TcpHandler, data, tcp_data, export_data, data(data: __aro_alloc::vec::Vec<u8>));
    };
}

/// Exports [`TcpHandler::finished`] of a type.
#[macro_export]
macro_rules! export_tcp_finished {
    ($handler:ty) => {
        $crate::__export_event!($handler as TcpHandler, finished, tcp_finished, export_finished, finished());
    };
}

/// Exports [`TcpHandler::disconnected`] of a type.
#[macro_export]
macro_rules! export_tcp_disconnected {
    ($handler:ty) => {
        extern crate alloc as __aro_alloc_text;
        $crate::__export_event!($handler as TcpHandler, disconnected, tcp_disconnected, export_disconnected, disconnected(reason: __aro_alloc_text::string::String));
    };
}

/// Exports [`WebSocketHandler::connected`] of a type.
#[macro_export]
macro_rules! export_websocket_connected {
    ($handler:ty) => {
        $crate::__export_event!($handler as WebSocketHandler, websocket_connected, websocket_connected, export_websocket_connected, connected());
    };
}

/// Exports [`WebSocketHandler::disconnected`] of a type.
#[macro_export]
macro_rules! export_websocket_disconnected {
    ($handler:ty) => {
        extern crate alloc as __aro_alloc_reason;
        $crate::__export_event!($handler as WebSocketHandler, websocket_disconnected, websocket_disconnected, export_websocket_disconnected, disconnected(reason: __aro_alloc_reason::string::String));
    };
}

/// Exports [`WebSocketHandler::message`] of a type.
#[macro_export]
macro_rules! export_websocket_message {
    ($handler:ty) => {
        const _: () = {
            extern crate alloc as __aro_alloc;
            use $crate::bindings::websocket_message as bindings;
            use bindings::exports::aro::net::websocket_message as event;

            struct Exported;

            impl event::Guest for Exported {
                fn handle(
                    connection: event::Socket,
                    data: __aro_alloc::vec::Vec<u8>,
                    kind: event::MessageKind,
                ) -> Result<(), event::Failure> {
                    let message = match kind {
                        event::MessageKind::Binary => $crate::WebSocketMessage::Binary(data),
                        // The host has checked it.
                        event::MessageKind::Text => $crate::WebSocketMessage::Text(
                            __aro_alloc::string::String::from_utf8_lossy(&data).into_owned(),
                        ),
                    };
                    <$handler as $crate::WebSocketHandler>::message(
                        $crate::Connection(connection),
                        message,
                    )
                    .map_err(|failure| event::Failure {
                        statement: None,
                        kind: event::FailureKind::Action,
                        cause: failure.cause,
                        trace: ::core::default::Default::default(),
                    })
                }
            }

            bindings::export_websocket_message!(Exported with_types_in $crate::bindings::websocket_message);
        };
    };
}
