//! Passes the lines of one source on to everybody who has joined.
//!
//! The first reader has the connection to the source opened; its lines go to a channel, which knows who is in it. A reader that ends its input has joined, too, and goes on reading.
#![no_std]

extern crate alloc;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use aro_guest::{
    Channel, ConnectOptions, Connection, Failure, Framing, Kind, Listener, TcpHandler,
};

/// Name of the connection to the source.
const SOURCE: &str = "source";
/// Where the source is.
const SOURCE_HOST: &str = "localhost";
/// Its port.
const SOURCE_PORT: u16 = 9100;
/// Everybody who has joined.
const READERS: Channel<'static> = Channel("readers");

struct Feed;

impl TcpHandler for Feed {
    fn data(connection: Connection, mut data: Vec<u8>) -> Result<(), Failure> {
        if is_source(connection) {
            data.push(b'\n');
            READERS.publish(&data);
            return Ok(());
        }
        match data.as_slice() {
            b"join" => join(connection),
            b"leave" => {
                connection.unsubscribe(READERS);
                Ok(connection.send(b"you have left\n")?)
            }
            b"who" => Ok(connection.send(format!("{} here\n", READERS.count()).as_bytes())?),
            _ => Ok(connection.send(b"join, leave or who\n")?),
        }
    }

    fn finished(connection: Connection) -> Result<(), Failure> {
        join(connection)
    }

    fn disconnected(connection: Connection, _: String) -> Result<(), Failure> {
        if is_source(connection) {
            READERS.publish(b"the source has ended\n");
        }
        Ok(())
    }
}

fn join(connection: Connection) -> Result<(), Failure> {
    let is_open = Listener::find(SOURCE)
        .and_then(|source| Connection(source.0).describe())
        .is_some_and(|source| source.open);
    if !is_open {
        let options = ConnectOptions {
            framing: Framing::Line,
            ..ConnectOptions::default()
        };
        if let Err(error) = Connection::open(SOURCE_HOST, SOURCE_PORT, SOURCE, options) {
            connection.send(format!("no source: {}\n", error.message).as_bytes())?;
            connection.close();
            return Ok(());
        }
    }
    connection.subscribe(READERS)?;
    Ok(connection.send(b"you have joined\n")?)
}

fn is_source(connection: Connection) -> bool {
    connection
        .describe()
        .is_some_and(|facts| facts.kind == Kind::Outbound)
}

aro_guest::export_tcp_data!(Feed);
aro_guest::export_tcp_finished!(Feed);
aro_guest::export_tcp_disconnected!(Feed);
