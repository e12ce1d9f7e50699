//! The servers to compare with: tokio, as plain as an echo and a fan-out can be.

use std::io::Write;
use std::net::Ipv4Addr;

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// As large as the largest chunk that a handler gets.
const BUFFER_BYTES: usize = 64 << 10;

/// Messages that wait for one connection of the fan-out.
const QUEUE_MESSAGES: usize = 1024;

/// Echoes until the process is ended; says on standard output which port it has.
pub(crate) fn serve() -> anyhow::Result<()> {
    accept(|stream| {
        tokio::spawn(echo(stream));
    })
}

/// Sends what comes from one connection to all, until the process is ended.
pub(crate) fn fan_out() -> anyhow::Result<()> {
    let queues = Arc::new(Mutex::new(Vec::new()));
    accept(move |stream| {
        let (sender, mut receiver) = mpsc::channel::<Arc<[u8]>>(QUEUE_MESSAGES);
        queues
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(sender);
        let (mut reader, mut writer) = stream.into_split();
        tokio::spawn(async move {
            while let Some(message) = receiver.recv().await {
                if writer.write_all(&message).await.is_err() {
                    break;
                }
            }
        });
        let queues = Arc::clone(&queues);
        tokio::spawn(async move {
            let mut buffer = [0; 8 << 10];
            while let Ok(bytes) = reader.read(&mut buffer).await
                && bytes > 0
            {
                let message: Arc<[u8]> = buffer.get(..bytes).unwrap_or_default().into();
                let queues = queues.lock().unwrap_or_else(PoisonError::into_inner);
                for queue in queues.iter() {
                    // A peer whose queue is full misses the message.
                    drop(queue.try_send(Arc::clone(&message)));
                }
            }
        });
    })
}

pub(super) fn accept(take: impl Fn(TcpStream)) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            println!("server started on port {}", listener.local_addr()?.port());
            std::io::stdout().flush()?;
            loop {
                let (stream, _) = listener
                    .accept()
                    .await
                    .context("no more connections can be accepted")?;
                stream.set_nodelay(true)?;
                take(stream);
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
