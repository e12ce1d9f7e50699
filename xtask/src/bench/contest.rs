//! A protocol in the sandbox beside plain servers of Rust and Node.js, in turns and in the same run.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use super::load::{Dialect, Load};
use super::report::Sample;
use super::server::{self, Server};
use super::{DEPTHS, PAGE, WINDOW, page};

/// What is compared.
pub(super) struct Contest {
    /// Section of the page.
    pub(super) section: &'static str,
    /// What the sandboxed servers run, from the root.
    pub(super) program: &'static str,
    /// The plain server: its title and its task.
    pub(super) plain: (&'static str, &'static str),
    /// The server in Node.js: its title and how it is started.
    pub(super) node: (&'static str, fn() -> anyhow::Result<Command>),
    /// What is counted.
    pub(super) unit: &'static str,
    pub(super) dialect: Dialect,
    /// How often every server is measured.
    pub(super) rounds: usize,
    /// What is measured, for readers of the page.
    pub(super) about: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Event,
    Reuse,
    Node,
}

const ALL: [Kind; 4] = [Kind::Plain, Kind::Event, Kind::Reuse, Kind::Node];

impl Contest {
    fn title(&self, kind: Kind) -> &'static str {
        match kind {
            Kind::Plain => self.plain.0,
            Kind::Event => "`--isolation event`",
            Kind::Reuse => "`--isolation reuse`",
            Kind::Node => self.node.0,
        }
    }

    fn start(&self, kind: Kind, host: &Path) -> anyhow::Result<Server> {
        let sandboxed = |isolation: &str| {
            let mut command = Command::new(host);
            command
                .args(["serve", self.program, "--bind", "127.0.0.1"])
                .args(["--isolation", isolation])
                .env("ARO_HTTP_PORT", "0");
            server::started(command).context("aro-host")
        };
        match kind {
            Kind::Plain => server::plain(self.plain.1),
            Kind::Event => sandboxed("event"),
            Kind::Reuse => sandboxed("reuse"),
            Kind::Node => server::started((self.node.1)()?).context("node"),
        }
    }

    /// Measures all servers in turns.
    pub(super) fn run(&self, no_page: bool) -> anyhow::Result<()> {
        let host = server::build()?;
        let mut samples: Vec<(Kind, usize, Sample)> = Vec::new();
        for round in 0..self.rounds {
            for turn in 0..ALL.len() {
                let kind = *ALL
                    .get((round + turn) % ALL.len())
                    .context("there is a server for each turn")?;
                let server = self.start(kind, &host)?;
                let title = self.title(kind);
                for depth in DEPTHS {
                    let load = Load {
                        address: server.address(),
                        process: server.process(),
                        depth,
                        dialect: self.dialect,
                    };
                    let sample = load
                        .run()
                        .with_context(|| format!("{title} at depth {depth}"))?;
                    println!(
                        "round {} of {}: {title:>23}, depth {depth:>2}: {:>7.0} {}s/s, {:.2} µs of CPU each",
                        round + 1,
                        self.rounds,
                        sample.rate(),
                        self.unit,
                        sample.cpu()
                    );
                    samples.push((kind, depth, sample));
                }
            }
        }
        let table = self.table(&samples);
        println!("\n{table}");
        if !no_page {
            let text = format!(
                "{} The servers take turns; each figure is the median of {} rounds of {} s after a warm-up. CPU is user and system time of the server's process alone.\n\n{table}",
                self.about,
                self.rounds,
                WINDOW.as_secs()
            );
            page::put(self.section, &text)?;
            println!("written to {PAGE}");
        }
        Ok(())
    }

    fn table(&self, samples: &[(Kind, usize, Sample)]) -> String {
        let median = |kind: Kind, depth: usize, of: fn(&Sample) -> f64| {
            let chosen = samples
                .iter()
                .filter(|(known, at, _)| (*known, *at) == (kind, depth));
            let mut values: Vec<f64> = chosen.map(|(_, _, sample)| of(sample)).collect();
            values.sort_unstable_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
        };
        let unit = self.unit;
        let mut table = format!(
            "| depth | server | {unit}s/s | p50 µs | p99 µs | CPU µs/{unit} | CPU ÷ plain |\n|---:|---|---:|---:|---:|---:|---:|\n"
        );
        for depth in DEPTHS {
            let plain = median(Kind::Plain, depth, Sample::cpu);
            for kind in ALL {
                let cpu = median(kind, depth, Sample::cpu);
                writeln!(
                    table,
                    "| {depth} | {} | {:.0} | {:.0} | {:.0} | {cpu:.2} | {:.2} |",
                    self.title(kind),
                    median(kind, depth, Sample::rate),
                    median(kind, depth, |sample| sample.latency().0),
                    median(kind, depth, |sample| sample.latency().1),
                    cpu / plain
                )
                .expect("a string takes everything");
            }
        }
        table
    }
}
