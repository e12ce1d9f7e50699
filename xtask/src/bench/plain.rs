//! The server to compare with: tokio, as plain as an echo can be.

use std::io::Write;
use std::net::Ipv4Addr;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// As large as the largest chunk that a handler gets.
const BUFFER_BYTES: usize = 64 << 10;

/// Serves until the process is ended; says on standard output which port it has.
pub(crate) fn serve() -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            println!("echo started on port {}", listener.local_addr()?.port());
            std::io::stdout().flush()?;
            loop {
                let (stream, _) = listener
                    .accept()
                    .await
                    .context("no more connections can be accepted")?;
                stream.set_nodelay(true)?;
                tokio::spawn(echo(stream));
            }
        })
}

async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let bytes = stream.read(&mut buffer).await?;
        match buffer.get(..bytes) {
            Some([]) | None => return Ok(()),
            Some(data) => stream.write_all(data).await?,
        }
    }
}
