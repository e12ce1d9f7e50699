//! What a program is told of itself: `<metrics: …>` (runtime.md 8.3, A.2).
//!
//! A program that has the process for itself is told of the process. One that shares it is told of itself alone, because what others use is not its business.

use super::ProcessStatus;
use crate::observe::durations::Durations;
use crate::store::change::date_text;
use crate::tenant::Tenant;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::Ordering;
use std::time::{Duration, UNIX_EPOCH};

/// Width of the first column of the table of feature sets, at least.
const NAME_WIDTH_MIN: usize = 13;
/// The other columns of that table.
const COLUMNS: [(&str, usize); 5] = [
    ("Count", 7),
    ("Success", 9),
    ("Failed", 8),
    ("Avg(ms)", 9),
    ("Max(ms)", 9),
];
/// Columns of the table of the system.
const SYSTEM_COLUMNS: [usize; 2] = [24, 20];

/// The executions of a feature set, by name and activity.
#[derive(Default)]
struct Row {
    durations: Durations,
    failed: u64,
}

impl Row {
    fn success(&self) -> u64 {
        self.durations.count().saturating_sub(self.failed)
    }

    fn average(&self) -> f64 {
        let count = self.durations.count().max(1);
        milliseconds(self.durations.sum) / count as f64
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Everything that is told.
struct Snapshot {
    rows: BTreeMap<(String, String), Row>,
    uptime: Duration,
    /// Milliseconds since 1970.
    begun: u64,
    system: ProcessStatus,
}

/// The text of a format; unknown ones are `plain`.
pub(crate) fn text(tenant: &Tenant, format: &str) -> String {
    let snapshot = Snapshot::of(tenant);
    match format {
        "short" => snapshot.short(),
        "table" => snapshot.table(),
        "prometheus" => snapshot.prometheus(),
        _ => snapshot.plain(),
    }
}

impl Snapshot {
    fn of(tenant: &Tenant) -> Self {
        let mut rows: BTreeMap<(String, String), Row> = BTreeMap::new();
        for status in tenant.counters.records.read() {
            let failed = status.not_done();
            let row = rows.entry((status.name, status.activity)).or_default();
            row.durations.add(&status.durations);
            row.failed += failed;
        }
        let system = match tenant.share.has_others() {
            false => ProcessStatus::now(),
            true => of_tenant(tenant),
        };
        let begun = tenant.begun.duration_since(UNIX_EPOCH);
        Self {
            rows,
            uptime: tenant.begun.elapsed().unwrap_or_default(),
            begun: begun.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0)),
            system,
        }
    }

    fn total(&self) -> Row {
        let mut total = Row::default();
        for row in self.rows.values() {
            total.durations.add(&row.durations);
            total.failed += row.failed;
        }
        total
    }

    fn cpu(&self) -> f64 {
        (self.system.cpu_user + self.system.cpu_system).as_secs_f64()
    }

    fn short(&self) -> String {
        let total = self.total();
        format!(
            "metrics: {} executions, {} featuresets, avg={:.1}ms, uptime={:.1}s, cpu={:.2}s, mem={:.1}MB, fds={}/{}",
            total.durations.count(),
            self.rows.len(),
            total.average(),
            self.uptime.as_secs_f64(),
            self.cpu(),
            mebibytes(self.system.resident_bytes),
            self.system.descriptors,
            self.system.descriptors_max
        )
    }

    /// What is told of the system, as name and value.
    fn system_rows(&self) -> [(&'static str, String); 4] {
        let system = &self.system;
        let seconds = |duration: Duration| format!("{:.2}s", duration.as_secs_f64());
        let cpu = [seconds(system.cpu_user), seconds(system.cpu_system)];
        [
            ("CPU", cpu.join(" + ")),
            (
                "Memory",
                format!("{:.1}MB", mebibytes(system.resident_bytes)),
            ),
            (
                "File Descriptors",
                format!("{}/{}", system.descriptors, system.descriptors_max),
            ),
            ("Process Start", date_text(self.begun / 1000 * 1000)),
        ]
    }

    fn plain(&self) -> String {
        if self.rows.is_empty() {
            return "No feature sets executed yet.".to_owned();
        }
        let mut text = format!(
            "Feature Set Metrics ({} total executions, uptime: {:.1}s)\n",
            self.total().durations.count(),
            self.uptime.as_secs_f64()
        );
        for ((name, activity), row) in &self.rows {
            let count = row.durations.count();
            let (success, failed) = (row.success(), row.failed);
            push(&mut text, format_args!("\n{name} ({activity})\n"));
            push(
                &mut text,
                format_args!("  Executions: {count} (success: {success}, failed: {failed})\n"),
            );
            push(
                &mut text,
                format_args!(
                    "  Duration: avg={:.2}ms, min={:.2}ms, max={:.2}ms\n",
                    row.average(),
                    milliseconds(row.durations.shortest),
                    milliseconds(row.durations.longest)
                ),
            );
        }
        text.push_str("\nSystem Metrics:");
        for (name, value) in self.system_rows() {
            push(&mut text, format_args!("\n  {name}: {value}"));
        }
        text
    }

    fn table(&self) -> String {
        if self.rows.is_empty() {
            return "No metrics collected yet.".to_owned();
        }
        let names = self.rows.keys().map(|(name, _)| name.chars().count());
        let width = names.max().unwrap_or(0).max(NAME_WIDTH_MIN);
        let widths: Vec<usize> = std::iter::once(width)
            .chain(COLUMNS.iter().map(|(_, width)| *width))
            .collect();
        let rule = rule(&widths);
        let titles = COLUMNS.iter().map(|(title, _)| (*title).to_owned());
        let mut lines = vec![
            rule.clone(),
            line(&widths, "Feature Set", titles),
            rule.clone(),
        ];
        for ((name, _), row) in &self.rows {
            lines.push(line(&widths, name, cells(row)));
        }
        lines.push(rule.clone());
        lines.push(line(&widths, "TOTAL", cells(&self.total())));
        lines.push(rule);
        lines.push(String::new());
        let rule = self::rule(&SYSTEM_COLUMNS);
        let value = std::iter::once("Value".to_owned());
        lines.push(rule.clone());
        lines.push(line(&SYSTEM_COLUMNS, "System Metrics", value));
        lines.push(rule.clone());
        for (name, value) in self.system_rows() {
            lines.push(line(&SYSTEM_COLUMNS, name, std::iter::once(value)));
        }
        lines.push(rule);
        lines.join("\n")
    }

    fn prometheus(&self) -> String {
        let mut blocks = Vec::new();
        for (name, ty, help, value) in FEATURE_SET_METRICS {
            let mut block = format!("# HELP {name} {help}\n# TYPE {name} {ty}");
            for ((set, activity), row) in &self.rows {
                let (set, activity) = (escaped(set), escaped(activity));
                let labels = format_args!("featureset=\"{set}\",activity=\"{activity}\"");
                push(
                    &mut block,
                    format_args!("\n{name}{{{labels}}} {}", value(row)),
                );
            }
            blocks.push(block);
        }
        let system = &self.system;
        let seconds = |duration: Duration| format!("{:.4}", duration.as_secs_f64());
        for (name, ty, help, value) in [
            (
                "aro_application_uptime_seconds",
                "gauge",
                "Application uptime in seconds",
                format!("{:.2}", self.uptime.as_secs_f64()),
            ),
            (
                "aro_process_cpu_user_seconds",
                "counter",
                "CPU time spent in user mode",
                seconds(system.cpu_user),
            ),
            (
                "aro_process_cpu_system_seconds",
                "counter",
                "CPU time spent in system mode",
                seconds(system.cpu_system),
            ),
            (
                "aro_process_virtual_memory_bytes",
                "gauge",
                "Virtual memory size in bytes",
                system.virtual_bytes.to_string(),
            ),
            (
                "aro_process_resident_memory_bytes",
                "gauge",
                "Resident memory size in bytes",
                system.resident_bytes.to_string(),
            ),
            (
                "aro_process_open_fds",
                "gauge",
                "Number of open file descriptors",
                system.descriptors.to_string(),
            ),
            (
                "aro_process_max_fds",
                "gauge",
                "Maximum number of file descriptors",
                system.descriptors_max.to_string(),
            ),
            (
                "aro_process_start_time_seconds",
                "gauge",
                "Process start time in Unix epoch seconds",
                format!("{:.2}", Duration::from_millis(self.begun).as_secs_f64()),
            ),
        ] {
            blocks.push(format!(
                "# HELP {name} {help}\n# TYPE {name} {ty}\n{name} {value}"
            ));
        }
        blocks.join("\n\n")
    }
}

/// What is told of each feature set.
type FeatureSetMetric = (&'static str, &'static str, &'static str, fn(&Row) -> String);

const FEATURE_SET_METRICS: [FeatureSetMetric; 6] = [
    (
        "aro_featureset_executions_total",
        "counter",
        "Total number of feature set executions",
        |row| row.durations.count().to_string(),
    ),
    (
        "aro_featureset_success_total",
        "counter",
        "Total successful executions",
        |row| row.success().to_string(),
    ),
    (
        "aro_featureset_failures_total",
        "counter",
        "Total failed executions",
        |row| row.failed.to_string(),
    ),
    (
        "aro_featureset_duration_ms_avg",
        "gauge",
        "Average execution duration in milliseconds",
        |row| format!("{:.2}", row.average()),
    ),
    (
        "aro_featureset_duration_ms_max",
        "gauge",
        "Maximum execution duration in milliseconds",
        |row| format!("{:.2}", milliseconds(row.durations.longest)),
    ),
    (
        "aro_featureset_duration_ms_min",
        "gauge",
        "Minimum execution duration in milliseconds",
        |row| format!("{:.2}", milliseconds(row.durations.shortest)),
    ),
];

/// What a tenant uses itself.
fn of_tenant(tenant: &Tenant) -> ProcessStatus {
    let limits = &tenant.settings.limits;
    let instances = tenant.counters.memory.load(Ordering::Relaxed);
    let bytes = (instances + tenant.state.bytes()) as u64;
    let listeners = tenant.listeners.load(Ordering::Acquire);
    let connections = tenant.connections.load(Ordering::Acquire);
    ProcessStatus {
        cpu_user: tenant.cpu_time(),
        virtual_bytes: bytes,
        resident_bytes: bytes,
        descriptors: (listeners + connections) as u64,
        descriptors_max: (limits.listeners_max + limits.connections_max) as u64,
        ..ProcessStatus::default()
    }
}

fn cells(row: &Row) -> impl Iterator<Item = String> {
    [
        row.durations.count().to_string(),
        row.success().to_string(),
        row.failed.to_string(),
        format!("{:.2}", row.average()),
        format!("{:.2}", milliseconds(row.durations.longest)),
    ]
    .into_iter()
}

fn rule(widths: &[usize]) -> String {
    let mut text = "+".to_owned();
    for width in widths {
        text.push_str(&"-".repeat(width + 2));
        text.push('+');
    }
    text
}

/// A line of a table: the first cell to the left, the others to the right.
fn line(widths: &[usize], name: &str, cells: impl Iterator<Item = String>) -> String {
    let first = widths.first().copied().unwrap_or_default();
    let mut text = format!("| {name:<first$} |");
    for (width, cell) in widths.iter().skip(1).zip(cells) {
        push(&mut text, format_args!(" {cell:>width$} |"));
    }
    text
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn escaped(label: &str) -> String {
    let label = label.replace('\\', "\\\\").replace('"', "\\\"");
    label.replace('\n', "\\n")
}

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what)
        .expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::durations::Histogram;

    fn snapshot(sets: &[(&str, &str, &[u64], u64)]) -> Snapshot {
        let rows = sets.iter().map(|(name, activity, took, failed)| {
            let histogram = Histogram::default();
            took.iter()
                .for_each(|took| histogram.count(Duration::from_micros(*took)));
            let durations = histogram.read();
            let failed = *failed;
            (
                ((*name).to_owned(), (*activity).to_owned()),
                Row { durations, failed },
            )
        });
        Snapshot {
            rows: rows.collect(),
            uptime: Duration::from_millis(1260),
            begun: 1_772_357_400_250,
            system: ProcessStatus {
                cpu_user: Duration::from_millis(120),
                cpu_system: Duration::from_millis(30),
                virtual_bytes: 300 << 20,
                resident_bytes: 5 << 19,
                descriptors: 12,
                descriptors_max: 1024,
            },
        }
    }

    #[test]
    fn nothing_executed_is_said() {
        let empty = snapshot(&[]);
        assert_eq!(empty.plain(), "No feature sets executed yet.");
        assert_eq!(empty.table(), "No metrics collected yet.");
        assert_eq!(
            empty.short(),
            "metrics: 0 executions, 0 featuresets, avg=0.0ms, uptime=1.3s, cpu=0.15s, mem=2.5MB, fds=12/1024"
        );
    }

    #[test]
    fn texts_are_as_the_language_says() {
        let sets: &[(&str, &str, &[u64], u64)] = &[
            ("Second", "Its \"Activity\"\\", &[1000, 3000], 1),
            ("Application-Start", "Test", &[500], 0),
        ];
        let snapshot = snapshot(sets);
        insta::assert_snapshot!(snapshot.plain(), @r#"
        Feature Set Metrics (3 total executions, uptime: 1.3s)

        Application-Start (Test)
          Executions: 1 (success: 1, failed: 0)
          Duration: avg=0.50ms, min=0.50ms, max=0.50ms

        Second (Its "Activity"\)
          Executions: 2 (success: 1, failed: 1)
          Duration: avg=2.00ms, min=1.00ms, max=3.00ms

        System Metrics:
          CPU: 0.12s + 0.03s
          Memory: 2.5MB
          File Descriptors: 12/1024
          Process Start: 2026-03-01T09:30:00Z
        "#);
        insta::assert_snapshot!(snapshot.table(), @"
        +-------------------+---------+-----------+----------+-----------+-----------+
        | Feature Set       |   Count |   Success |   Failed |   Avg(ms) |   Max(ms) |
        +-------------------+---------+-----------+----------+-----------+-----------+
        | Application-Start |       1 |         1 |        0 |      0.50 |      0.50 |
        | Second            |       2 |         1 |        1 |      2.00 |      3.00 |
        +-------------------+---------+-----------+----------+-----------+-----------+
        | TOTAL             |       3 |         2 |        1 |      1.50 |      3.00 |
        +-------------------+---------+-----------+----------+-----------+-----------+

        +--------------------------+----------------------+
        | System Metrics           |                Value |
        +--------------------------+----------------------+
        | CPU                      |        0.12s + 0.03s |
        | Memory                   |                2.5MB |
        | File Descriptors         |              12/1024 |
        | Process Start            | 2026-03-01T09:30:00Z |
        +--------------------------+----------------------+
        ");
        let text = snapshot.prometheus();
        let first: Vec<&str> = text.lines().take(6).collect();
        assert_eq!(
            first,
            [
                "# HELP aro_featureset_executions_total Total number of feature set executions",
                "# TYPE aro_featureset_executions_total counter",
                "aro_featureset_executions_total{featureset=\"Application-Start\",activity=\"Test\"} 1",
                r#"aro_featureset_executions_total{featureset="Second",activity="Its \"Activity\"\\"} 2"#,
                "",
                "# HELP aro_featureset_success_total Total successful executions",
            ]
        );
        assert!(text.ends_with("\naro_process_start_time_seconds 1772357400.25"));
        assert_eq!(text.matches("# TYPE ").count(), 14);
    }
}
