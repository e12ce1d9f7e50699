//! `aro-to-wasm test`: runs test feature sets in the host's sandbox and reports them (runtime.md 9.5).

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use aro_host::{
    ConsoleSink, Environment, Grants, Host, Outbound, Overflow, Ports, Prefix, Program, Settings,
    TenantId, TestOutcome,
};
use aro_to_wasm::diagnostic::Diagnostic;
use aro_to_wasm_cli::project;

use crate::{WRONG, report};

/// How long one test may wait.
const WALL_TIME_MAX: Duration = Duration::from_secs(60);

const HEADING: &str = "\n=== ARO Test Results ===\n";
const RULE: &str = "------------------------";

/// Runs the tests of a program whose names contain `filter`.
pub(crate) fn test(program: &Path, filter: Option<&str>, no_color: bool) -> anyhow::Result<u8> {
    let mut compiled = aro_to_wasm::compile_tests(project::read(program)?)?;
    // Doubts are for `check`: here they would hide the report.
    compiled.diagnostics.retain(Diagnostic::is_error);
    report(&compiled.diagnostics, &compiled.files);
    let Some(artifact) = compiled.artifact else {
        return Ok(WRONG);
    };
    if artifact.manifest.feature_sets.is_empty() {
        anstream::println!(
            "No tests found.\nA test is a feature set whose activity ends with `Test` or `Tests`:\n(adds-numbers: Calculator Test) {{ … }}"
        );
        return Ok(WRONG);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the event loop cannot start")?;
    let host = Host::new(settings()?).context("the host cannot start")?;
    let tally = runtime.block_on(async {
        let program = host
            .load(TenantId::default(), &artifact.bytes)
            .with_context(|| format!("{}", program.display()))?;
        anyhow::Ok(run_all(&program, filter, Paint { plain: no_color }).await)
    })?;
    aro_host::flush();
    print_plain(&tally.text(Paint { plain: no_color }));
    Ok(if tally.is_good() { 0 } else { WRONG })
}

fn settings() -> anyhow::Result<Settings> {
    let mut settings = Settings::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
    settings.console = ConsoleSink::Process(Overflow::Wait);
    // The lines of a test say themselves where they come from.
    settings.prefix = Prefix::None;
    settings.limits.instances_max = 16;
    settings.limits.life_cycle_wall_time_max = WALL_TIME_MAX;
    settings.grants = Grants {
        environment: Environment::All,
        input: true,
        outbound: Outbound::All,
        ports: Ports::All,
        directories: vec![
            std::env::current_dir().context("there is no working directory to grant")?,
        ],
    };
    Ok(settings)
}

/// What came of all tests.
#[derive(Debug, Default)]
struct Tally {
    lines: String,
    passed: usize,
    failed: usize,
    errors: usize,
}

/// Whether words are coloured.
#[derive(Debug, Clone, Copy)]
struct Paint {
    plain: bool,
}

impl Paint {
    fn paint(self, word: &str, color: u8) -> String {
        match self.plain {
            true => word.to_owned(),
            false => format!("\u{1b}[{color}m{word}\u{1b}[0m"),
        }
    }
}

const GREEN: u8 = 32;
const RED: u8 = 31;
const YELLOW: u8 = 33;

async fn run_all(program: &Program, filter: Option<&str>, paint: Paint) -> Tally {
    let mut tally = Tally::default();
    let filter = filter.unwrap_or_default().to_lowercase();
    for (index, name) in program.tests().iter().enumerate() {
        if !name.to_lowercase().contains(&filter) {
            continue;
        }
        let start = Instant::now();
        let outcome = program.test(index).await;
        tally.add(name, &outcome, start.elapsed(), paint);
    }
    tally
}

impl Tally {
    fn add(&mut self, name: &str, outcome: &TestOutcome, time: Duration, paint: Paint) {
        let (count, word, color) = match outcome {
            TestOutcome::Passed => (&mut self.passed, "PASS", GREEN),
            TestOutcome::Failed(_) => (&mut self.failed, "FAIL", RED),
            TestOutcome::Error(_) => (&mut self.errors, "ERROR", YELLOW),
        };
        *count += 1;
        let word = paint.paint(word, color);
        let gap = " ".repeat(6 - outcome_width(outcome));
        let written = match outcome {
            TestOutcome::Passed => {
                writeln!(self.lines, "  {word}{gap}{name} ({})", duration(time))
            }
            TestOutcome::Failed(text) | TestOutcome::Error(text) => {
                writeln!(self.lines, "  {word}{gap}{name}\n{}", indented(text))
            }
        };
        written.expect("writing to a string cannot fail");
    }

    fn is_good(&self) -> bool {
        self.total() > 0 && self.failed + self.errors == 0
    }

    fn total(&self) -> usize {
        self.passed + self.failed + self.errors
    }

    fn text(&self, paint: Paint) -> String {
        let mut text = format!(
            "{HEADING}\n{}\n{RULE}\nTotal:  {}\nPassed: {}\nFailed: {}\n",
            self.lines,
            self.total(),
            self.passed,
            self.failed
        );
        if self.errors > 0 {
            text.push_str(&format!("Errors: {}\n", self.errors));
        }
        let last = match (self.total(), self.is_good()) {
            (0, _) => paint.paint("No tests found.", YELLOW),
            (_, true) => paint.paint("All tests passed!", GREEN),
            (_, false) => paint.paint("Some tests failed.", RED),
        };
        text.push_str(&format!("\n{last}\n\n"));
        text
    }
}

fn outcome_width(outcome: &TestOutcome) -> usize {
    match outcome {
        TestOutcome::Passed | TestOutcome::Failed(_) => 4,
        TestOutcome::Error(_) => 5,
    }
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| format!("        {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// `<1ms`, `12ms`, `1.50s`
fn duration(time: Duration) -> String {
    match time.as_millis() {
        0 => "<1ms".to_owned(),
        millis @ 1..1000 => format!("{millis}ms"),
        _ => format!("{:.2}s", time.as_secs_f64()),
    }
}

/// Colours are the caller's decision: they are not taken out for pipes (runtime.md 9.5).
fn print_plain(text: &str) {
    use std::io::Write as _;
    let mut output = std::io::stdout().lock();
    // A closed pipe has no reader to tell.
    drop(
        output
            .write_all(text.as_bytes())
            .and_then(|()| output.flush()),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_name_every_outcome() {
        let mut tally = Tally::default();
        let plain = Paint { plain: true };
        let time = Duration::from_millis(3);
        tally.add("adds", &TestOutcome::Passed, time, plain);
        let failed = TestOutcome::Failed("Expected sum to be 8, but was 7".to_owned());
        tally.add("sums", &failed, time, plain);
        let error = TestOutcome::Error("a\nb".to_owned());
        tally.add("breaks", &error, time, plain);
        let expected = "\n=== ARO Test Results ===\n\n  PASS  adds (3ms)\n  FAIL  sums\n        Expected sum to be 8, but was 7\n  ERROR breaks\n        a\n        b\n\n------------------------\nTotal:  3\nPassed: 1\nFailed: 1\nErrors: 1\n\nSome tests failed.\n\n";
        assert_eq!(tally.text(plain), expected);
    }

    #[test]
    fn times_are_short() {
        assert_eq!(duration(Duration::from_micros(400)), "<1ms");
        assert_eq!(duration(Duration::from_millis(999)), "999ms");
        assert_eq!(duration(Duration::from_millis(1500)), "1.50s");
    }
}
