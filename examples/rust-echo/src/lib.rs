//! Sends every byte back to where it came from.
#![no_std]

extern crate alloc;

use alloc::vec::Vec;

use aro_guest::{Connection, Failure, TcpHandler};

struct Echo;

impl TcpHandler for Echo {
    fn data(connection: Connection, data: Vec<u8>) -> Result<(), Failure> {
        connection.send(&data)?;
        Ok(())
    }
}

aro_guest::export_tcp_data!(Echo);
