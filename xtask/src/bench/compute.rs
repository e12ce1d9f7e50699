//! `cargo xtask bench compute`: programs that compute and wait for nobody, beside the same algorithms in CPython and Node.js.
//!
//! Every program is a process that prints one line, the same in all languages: a run whose line differs is an error. An empty program of each language shows what starting and ending cost, and the difference is the work. Programs take turns over several rounds and the median counts.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::{page, server};

/// Where the programs are, from the root.
const PROGRAMS: &str = "xtask/src/bench/compute";
/// The program that does nothing, then those that work, with what they do.
const TASKS: [(&str, &str); 4] = [
    ("empty", "start and end"),
    ("loop", "a loop of 1,000,000 rounds of integers"),
    ("sort", "10,000 records sorted and grouped"),
    ("text", "a text of 1 MB grown by appending"),
];
/// How often every program is run.
const ROUNDS: usize = 15;

/// What runs programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Aro,
    Python,
    Node,
}

impl Language {
    const ALL: [Language; 3] = [Language::Aro, Language::Python, Language::Node];

    fn title(self) -> &'static str {
        match self {
            Language::Aro => "ARO",
            Language::Python => "CPython",
            Language::Node => "Node.js",
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Language::Aro => "aro",
            Language::Python => "py",
            Language::Node => "js",
        }
    }

    /// What it prints about itself.
    fn version(self) -> anyhow::Result<String> {
        let (program, package) = match self {
            Language::Aro => return Ok("`aro-host run`, from source text".to_owned()),
            Language::Python => ("python3", "python3"),
            Language::Node => ("node", "nodejs"),
        };
        let output = Command::new(program).arg("--version").output();
        let output = output.with_context(|| {
            format!("{program} is not there to compare with: `apt-get install {package}`")
        })?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.split_whitespace().last().unwrap_or_default();
        Ok(format!(
            "{} {}",
            self.title(),
            version.trim_start_matches('v')
        ))
    }

    fn command(self, host: &Path, task: &str) -> Command {
        let mut command = match self {
            Language::Aro => {
                let mut command = Command::new(host);
                command.args(["run", "--no-prefix"]);
                command
            }
            Language::Python => Command::new("python3"),
            Language::Node => Command::new("node"),
        };
        let path: PathBuf = [PROGRAMS, &format!("{task}.{}", self.suffix())].iter().collect();
        command
            .current_dir(crate::root())
            .arg(path)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit());
        command
    }

    /// Runs a program: what it printed first, and how long the process lived.
    fn run(self, host: &Path, task: &str) -> anyhow::Result<(String, Duration)> {
        let mut command = self.command(host, task);
        let start = Instant::now();
        let output = command.output()?;
        let time = start.elapsed();
        ensure!(
            output.status.success(),
            "{task}.{} failed: {}",
            self.suffix(),
            output.status
        );
        let text = String::from_utf8(output.stdout)?;
        Ok((text.lines().next().unwrap_or_default().to_owned(), time))
    }
}

/// Measures, prints, and writes the section unless `no_page`.
pub(crate) fn run(no_page: bool) -> anyhow::Result<()> {
    let versions = Language::ALL
        .iter()
        .map(|language| language.version())
        .collect::<Result<Vec<_>, _>>()?;
    let host = server::build()?;
    let mut times = vec![[const { Vec::new() }; Language::ALL.len()]; TASKS.len()];
    for round in 0..ROUNDS {
        println!("round {} of {ROUNDS}", round + 1);
        for ((task, _), times) in TASKS.iter().zip(&mut times) {
            let mut expected: Option<String> = None;
            for (language, times) in Language::ALL.iter().zip(times) {
                let (line, time) = language.run(&host, task)?;
                if expected.get_or_insert_with(|| line.clone()) != &line {
                    bail!(
                        "{task}.{} prints {line:?}, {task}.aro {expected:?}",
                        language.suffix()
                    );
                }
                times.push(time.as_secs_f64() * 1e3);
            }
        }
    }
    let medians: Vec<Medians> = times
        .into_iter()
        .map(|times| times.map(median))
        .collect();
    let text = section(&versions, &medians);
    println!("\n{text}");
    if !no_page {
        page::put("Computing", &text)?;
    }
    Ok(())
}

/// Milliseconds of a task in each language.
type Medians = [f64; Language::ALL.len()];

fn section(versions: &[String], medians: &[Medians]) -> String {
    let [own, other, third] = Language::ALL.map(Language::title);
    let mut text = format!(
        "Each program is a process of its own, from its start to its end; the median of {ROUNDS} rounds in which all take turns. *Work* is that time without the time of the empty program of the same language. All print the same line, which is compared. The programs and their twins are in `{PROGRAMS}`. {}.\n\n| task | ms | {own} | {other} | {third} | {own} ÷ {other} | {own} ÷ {third} |\n|---|---|---:|---:|---:|---:|---:|\n",
        versions.join("; ")
    );
    let empty = medians.first().copied().unwrap_or_default();
    for ((task, title), total) in TASKS.iter().zip(medians) {
        row(&mut text, title, "process", total);
        if *task != "empty" {
            let mut work = *total;
            for (time, empty) in work.iter_mut().zip(empty) {
                *time -= empty;
            }
            row(&mut text, "", "work", &work);
        }
    }
    text
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn row(text: &mut String, title: &str, what: &str, [own, other, third]: &Medians) {
    // Work that is lost in the noise of starting has no ratio.
    let ratio = |base: &f64| {
        if *own > 0.0 && *base > 0.0 {
            format!("{:.2}", own / base)
        } else {
            "–".to_owned()
        }
    };
    writeln!(
        text,
        "| {title} | {what} | {own:.1} | {other:.1} | {third:.1} | {} | {} |",
        ratio(other),
        ratio(third)
    )
    .expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_what_the_empty_program_does_not_take() {
        let medians = [
            [10.0, 20.0, 40.0],
            [15.0, 120.0, 41.0],
            [12.0, 22.0, 42.0],
            [9.0, 30.0, 43.0],
        ];
        let text = section(&["A".to_owned()], &medians);
        assert!(text.contains("| start and end | process | 10.0 | 20.0 | 40.0 | 0.50 | 0.25 |"));
        assert!(text.contains("|  | work | 5.0 | 100.0 | 1.0 | 0.05 | 5.00 |"));
        assert!(text.contains("|  | work | -1.0 | 10.0 | 3.0 | – | – |"));
    }
}
