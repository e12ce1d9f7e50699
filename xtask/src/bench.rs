//! `cargo xtask bench`: what compiling costs (`compile.rs`), how fast programs compute (`compute.rs`), what repositories cost (`repository.rs`), and with `tcp` what a sandboxed echo costs, beside a plain tokio echo on the same machine in the same run.
//!
//! Each server is a process of its own, so that its CPU time can be told from that of the clients, which live here. The servers take turns over several rounds and the median counts, so that a busy moment of the machine hits none of them alone.

mod broadcast;
mod compile;
mod compute;
mod connections;
mod contest;
mod density;
mod http;
mod load;
mod machine;
mod neighbours;
mod page;
mod plain;
mod redeploy;
mod report;
mod repository;
mod server;
mod websocket;

use std::time::Duration;

use anyhow::Context;

use load::{Dialect, Load};
use report::Measured;
use server::Kind;

/// Connections that are open at once.
const CONNECTIONS: usize = 64;
/// Size of a message.
const MESSAGE_BYTES: usize = 64;
/// Messages under way on one connection.
const DEPTHS: [usize; 2] = [1, 16];
/// How often every server is measured.
const ROUNDS: usize = 9;
/// Traffic before the measurement, for pools and caches to fill.
const WARM_UP: Duration = Duration::from_millis(300);
/// Length of one measurement.
const WINDOW: Duration = Duration::from_secs(1);
/// Where the result is written, from the root.
const PAGE: &str = "docs/benchmarks.md";

/// Options of the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// What is measured.
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Echo over TCP: a plain tokio server, a fresh instance for every event, instances used again.
    Tcp {
        /// Prints the result and leaves docs/benchmarks.md as it is.
        #[arg(long)]
        no_page: bool,
    },
    /// HTTP: plain hyper, Node.js, and an operation in the sandbox with both isolations.
    Http {
        /// Prints the result and leaves docs/benchmarks.md as it is.
        #[arg(long)]
        no_page: bool,
    },
    /// WebSocket: plain tokio-tungstenite, Node.js with `ws`, and an echo in the sandbox with both isolations.
    Ws {
        /// Prints the result and leaves docs/benchmarks.md as it is.
        #[arg(long)]
        no_page: bool,
    },
    /// Compile time of programs of 10, 100 and 1,000 feature sets, and the size of the examples' components.
    Compile {
        /// Prints the result and leaves docs/benchmarks.md as it is.
        #[arg(long)]
        no_page: bool,
    },
    /// Loops, sorting and texts beside the same algorithms in CPython and Node.js.
    Compute {
        /// Prints the result and leaves docs/benchmarks.md as it is.
        #[arg(long)]
        no_page: bool,
    },
    /// One message to 5,000 connections, beside a plain tokio fan-out.
    Broadcast {
        /// Prints the result and leaves docs/benchmarks.md as it is.
        #[arg(long)]
        no_page: bool,
    },
    /// Repositories: lookups with and without an index among a million rows, rows stored a second in memory and on disk.
    Repository {
        /// Prints the result and leaves docs/benchmarks.md as it is.
        #[arg(long)]
        no_page: bool,
    },
    /// 10,000 connections for a minute, with a message a second each.
    Connections {
        /// Prints the result and leaves docs/benchmarks.md as it is.
        #[arg(long)]
        no_page: bool,
    },
    /// A thousand tenants in one process: time to load, memory, first event.
    Density {
        /// Prints the result and leaves docs/benchmarks.md as it is.
        #[arg(long)]
        no_page: bool,
    },
    /// A program that is replaced 100 times while 2,000 clients talk to it.
    Redeploy {
        /// Prints the result and leaves docs/benchmarks.md as it is.
        #[arg(long)]
        no_page: bool,
    },
    /// A well-behaved tenant alone, and beside others that do their worst.
    Neighbours {
        /// Prints the result and leaves docs/benchmarks.md as it is.
        #[arg(long)]
        no_page: bool,
    },
    /// The plain server, started by the benchmark.
    #[command(hide = true)]
    PlainEcho,
    /// The plain WebSocket server, started by the benchmark.
    #[command(hide = true)]
    PlainWebSocket,
    /// The plain HTTP server, started by the benchmark.
    #[command(hide = true)]
    PlainHttp,
    /// The plain fan-out, started by the benchmark.
    #[command(hide = true)]
    PlainFanOut,
}

/// Runs a benchmark.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    match options.what {
        What::PlainEcho => plain::serve(),
        What::PlainFanOut => plain::fan_out(),
        What::PlainHttp => http::serve(),
        What::PlainWebSocket => websocket::serve(),
        What::Ws { no_page } => websocket::CONTEST.run(no_page),
        What::Http { no_page } => http::CONTEST.run(no_page),
        What::Broadcast { no_page } => broadcast::run(no_page),
        What::Connections { no_page } => connections::run(no_page),
        What::Density { no_page } => density::run(no_page),
        What::Tcp { no_page } => tcp(no_page),
        What::Redeploy { no_page } => redeploy::run(no_page),
        What::Neighbours { no_page } => neighbours::run(no_page),
        What::Compile { no_page } => compile::run(no_page),
        What::Compute { no_page } => compute::run(no_page),
        What::Repository { no_page } => repository::run(no_page),
    }
}

fn tcp(no_page: bool) -> anyhow::Result<()> {
    let program = server::build()?;
    let mut measured = Measured::default();
    for round in 0..ROUNDS {
        for turn in 0..Kind::ALL.len() {
            let kind = *Kind::ALL
                .get((round + turn) % Kind::ALL.len())
                .context("there is a server for each turn")?;
            let server = server::start(kind, &program)?;
            for depth in DEPTHS {
                let load = Load {
                    address: server.address(),
                    process: server.process(),
                    depth,
                    dialect: Dialect::Echo,
                };
                let sample = load
                    .run()
                    .with_context(|| format!("{} at depth {depth}", kind.title()))?;
                println!(
                    "round {} of {ROUNDS}: {}",
                    round + 1,
                    sample.line(kind, depth)
                );
                measured.add(kind, depth, sample);
            }
        }
    }
    let table = measured.table();
    println!("\n{table}");
    if !no_page {
        page::put("Echo over TCP", &report::section(&table))?;
        println!("written to {PAGE}");
    }
    Ok(())
}
