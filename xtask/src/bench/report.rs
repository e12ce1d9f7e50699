//! From samples to a table and a page.

use std::fmt::Write;
use std::time::Duration;

use super::server::Kind;
use super::{CONNECTIONS, DEPTHS, MESSAGE_BYTES, ROUNDS, WINDOW};

/// What one measurement found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    /// Messages answered in a second.
    rate: f64,
    /// Half of the messages were answered within so many microseconds.
    p50: f64,
    /// 99 of 100 were.
    p99: f64,
    /// Microseconds of the server's CPU time for each message.
    cpu: f64,
}

impl Sample {
    /// Messages answered in a second.
    pub(crate) fn rate(&self) -> f64 {
        self.rate
    }

    /// Half of the messages, and 99 of 100, were answered within so many microseconds.
    pub(crate) fn latency(&self) -> (f64, f64) {
        (self.p50, self.p99)
    }

    /// Microseconds of the server's CPU time for each message.
    pub(crate) fn cpu(&self) -> f64 {
        self.cpu
    }

    /// `latencies` are those of all messages answered in `elapsed`, in nanoseconds; `cpu` is what the server used.
    pub(crate) fn new(mut latencies: Vec<u32>, elapsed: Duration, cpu: Duration) -> Self {
        let messages = latencies.len().max(1) as f64;
        latencies.sort_unstable();
        let quantile = |permille: usize| {
            let position = latencies.len() * permille / 1000;
            latencies
                .get(position)
                .map_or(f64::NAN, |nanos| f64::from(*nanos) / 1000.0)
        };
        Self {
            rate: latencies.len() as f64 / elapsed.as_secs_f64(),
            p50: quantile(500),
            p99: quantile(990),
            cpu: cpu.as_secs_f64() * 1e6 / messages,
        }
    }

    /// For a progress report.
    pub(crate) fn line(&self, kind: Kind, depth: usize) -> String {
        format!(
            "{:>19}, depth {depth:>2}: {:>7.0} messages/s, {:.2} µs of CPU each",
            kind.title(),
            self.rate,
            self.cpu
        )
    }
}

/// All samples of a run.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    samples: Vec<(Kind, usize, Sample)>,
}

impl Measured {
    pub(crate) fn add(&mut self, kind: Kind, depth: usize, sample: Sample) {
        self.samples.push((kind, depth, sample));
    }

    fn median(&self, kind: Kind, depth: usize, of: impl Fn(&Sample) -> f64) -> f64 {
        let chosen = self
            .samples
            .iter()
            .filter(|(k, d, _)| *k == kind && *d == depth);
        let mut values: Vec<f64> = chosen.map(|(_, _, sample)| of(sample)).collect();
        values.sort_unstable_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Markdown.
    pub(crate) fn table(&self) -> String {
        let mut table = String::from(
            "| depth | server | messages/s | p50 µs | p99 µs | CPU µs/message | CPU ÷ plain |\n|---:|---|---:|---:|---:|---:|---:|\n",
        );
        for depth in DEPTHS {
            let plain = self.median(Kind::Plain, depth, |sample| sample.cpu);
            for kind in Kind::ALL {
                let median = |of: fn(&Sample) -> f64| self.median(kind, depth, of);
                let cpu = median(|sample| sample.cpu);
                writeln!(
                    table,
                    "| {depth} | {} | {:.0} | {:.0} | {:.0} | {cpu:.2} | {:.2} |",
                    kind.title(),
                    median(|sample| sample.rate),
                    median(|sample| sample.p50),
                    median(|sample| sample.p99),
                    cpu / plain
                )
                .expect("a string takes everything");
            }
        }
        table
    }
}

/// The section about TCP.
pub(crate) fn section(table: &str) -> String {
    format!(
        "{CONNECTIONS} connections, messages of {MESSAGE_BYTES} bytes, `depth` messages under way on each connection. A plain tokio echo is compared with `examples/echo` in the sandbox, once with a fresh instance for every event and once with instances that are used again. The servers take turns; each figure is the median of {ROUNDS} rounds of {} s after a warm-up. CPU is user and system time of the server's process alone; the clients run beside it on the same machine, so messages/s and latency are those of a machine that does both. At depth 16 messages arrive together, and one event carries all that have arrived.\n\n{table}",
        WINDOW.as_secs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_quantiles_and_rates() {
        let latencies = (1..=1000).rev().map(|micros| micros * 1000).collect();
        let sample = Sample::new(latencies, Duration::from_secs(2), Duration::from_millis(5));
        assert_eq!(
            sample,
            Sample {
                rate: 500.0,
                p50: 501.0,
                p99: 991.0,
                cpu: 5.0
            }
        );
    }

    #[test]
    fn table_holds_medians_and_ratios() {
        let mut measured = Measured::default();
        for (kind, cpu) in [(Kind::Plain, 2.0), (Kind::Event, 6.0), (Kind::Reuse, 3.0)] {
            for (depth, factor) in DEPTHS
                .iter()
                .flat_map(|depth| [(*depth, 0.5), (*depth, 1.0), (*depth, 9.0)])
            {
                measured.add(
                    kind,
                    depth,
                    Sample {
                        rate: 1.0,
                        p50: 2.0,
                        p99: 3.0,
                        cpu: cpu * factor,
                    },
                );
            }
        }
        let table = measured.table();
        assert!(
            table.contains("| 1 | `--isolation event` | 1 | 2 | 3 | 6.00 | 3.00 |"),
            "{table}"
        );
        assert_eq!(table.lines().count(), 2 + 6);
    }
}
