//! `cargo xtask bench compute`: programs that compute and wait for nobody, beside the same algorithms in CPython and Node.js.
//!
//! Every program is a process that prints one line, the same in all languages: a run whose line differs is an error. Each is also run with a hundredth of its rounds, where it does everything once that it does only once: reads its source, compiles it, starts, ends. The difference is the work. Programs take turns over several rounds and the median counts.

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail, ensure};

use super::{page, server};

/// Where the programs are, from the root.
const PROGRAMS: &str = "xtask/src/bench/compute";
/// The program that does nothing.
const EMPTY: &str = "empty";
/// The programs that work.
const TASKS: [Task; 3] = [
    Task {
        name: "loop",
        title: "1,000,000 rounds of integer arithmetic and comparison",
        rounds: 1_000_000,
    },
    Task {
        name: "sort",
        title: "10,000 records made, sorted and grouped",
        rounds: 10_000,
    },
    Task {
        name: "text",
        title: "a text grown to 1 MB in 75,000 steps",
        rounds: 75_000,
    },
];
/// What a program is run with to see what it does but once: its rounds divided by this.
const FRACTION: u32 = 100;
/// How often every program is run.
const ROUNDS: usize = 11;

/// A program, and how often it goes round, which is a number in its text.
struct Task {
    name: &'static str,
    title: &'static str,
    rounds: u32,
}

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

    /// Where it is, and its name with its version. The program in the search path may be a script that looks for the right one, which would be measured as well, so it is asked for itself.
    fn find(self) -> anyhow::Result<(PathBuf, String)> {
        let (program, package, question) = match self {
            Language::Aro => {
                let about = "`aro-host run` from source text".to_owned();
                return Ok((server::build()?, about));
            }
            Language::Python => (
                "python3",
                "python3",
                "import sys; print(sys.executable); print(sys.version.split()[0])",
            ),
            Language::Node => (
                "node",
                "nodejs",
                "console.log(process.execPath); console.log(process.versions.node)",
            ),
        };
        let flag = if self == Language::Python { "-c" } else { "-e" };
        let output = Command::new(program).args([flag, question]).output();
        let output = output.with_context(|| {
            format!("{program} is not there to compare with: `apt-get install {package}`")
        })?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut lines = text.lines();
        match (lines.next(), lines.next()) {
            (Some(path), Some(version)) => Ok((path.into(), format!("{} {version}", self.title()))),
            _ => bail!("{program} does not say which version it is"),
        }
    }

    /// Runs a program of a folder: what it printed first, and how long the process lived.
    fn run(self, program: &Path, folder: &Path, name: &str) -> anyhow::Result<(String, f64)> {
        let file = format!("{name}.{}", self.suffix());
        let mut command = Command::new(program);
        if self == Language::Aro {
            command.args(["run", "--no-prefix"]);
        }
        command.arg(folder.join(&file)).stdin(Stdio::null());
        let start = Instant::now();
        let output = command.output()?;
        let time = start.elapsed();
        ensure!(
            output.status.success(),
            "{file} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout)?;
        let line = text.lines().next().unwrap_or_default().to_owned();
        Ok((line, time.as_secs_f64() * 1e3))
    }
}

/// Milliseconds of one program in each language, by round.
type Times = [Vec<f64>; Language::ALL.len()];
/// Their medians.
type Medians = [f64; Language::ALL.len()];

/// Measures, prints, and writes the section unless `no_page`.
pub(crate) fn run(no_page: bool) -> anyhow::Result<()> {
    let mut versions = Vec::new();
    let mut programs = Vec::new();
    for language in Language::ALL {
        let (program, version) = language.find()?;
        programs.push(program);
        versions.push(version);
    }
    let short = env::current_exe()?.with_file_name("bench-compute");
    let whole = crate::root().join(PROGRAMS);
    shorten(&whole, &short)?;
    let mut empty = Times::default();
    let mut times: [(Times, Times); TASKS.len()] = Default::default();
    for round in 0..ROUNDS {
        println!("round {} of {ROUNDS}", round + 1);
        turn(&programs, &whole, EMPTY, &mut empty)?;
        for (task, (process, start)) in TASKS.iter().zip(&mut times) {
            turn(&programs, &whole, task.name, process)?;
            turn(&programs, &short, task.name, start)?;
        }
    }
    let measured: Vec<(Medians, Medians)> = times
        .into_iter()
        .map(|(process, start)| (process.map(median), start.map(median)))
        .collect();
    let text = section(&versions, &empty.map(median), &measured);
    println!("\n{text}");
    if !no_page {
        page::put("Computing", &text)?;
    }
    Ok(())
}

/// Writes every program with fewer rounds into a folder of its own.
fn shorten(whole: &Path, short: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(short)?;
    for task in TASKS {
        for language in Language::ALL {
            let file = format!("{}.{}", task.name, language.suffix());
            let text = fs::read_to_string(whole.join(&file))?;
            let rounds = task.rounds.to_string();
            ensure!(
                text.matches(&rounds).count() == 1,
                "{file} names its {rounds} rounds more than once or not at all"
            );
            let fewer = (task.rounds / FRACTION).to_string();
            fs::write(short.join(file), text.replace(&rounds, &fewer))?;
        }
    }
    Ok(())
}

/// Runs a program once in each language.
fn turn(programs: &[PathBuf], folder: &Path, name: &str, times: &mut Times) -> anyhow::Result<()> {
    let mut expected: Option<String> = None;
    for ((language, program), times) in Language::ALL.into_iter().zip(programs).zip(times) {
        let (line, time) = language.run(program, folder, name)?;
        let expected = expected.get_or_insert_with(|| line.clone());
        ensure!(
            *expected == line,
            "{name}.{} prints {line:?}, {name}.aro {expected:?}",
            language.suffix()
        );
        times.push(time);
    }
    Ok(())
}

fn section(versions: &[String], empty: &Medians, measured: &[(Medians, Medians)]) -> String {
    let [own, other, third] = Language::ALL.map(Language::title);
    let mut text = format!(
        "Each program is a process of its own and prints one line, which must be the same in all languages. *Process* is its time from start to end, compiling included, for which ARO and CPython have the compiled parts of an earlier run in their caches (of ours the machine code, of CPython its own library); *work* is that less the time of the same program with a hundredth of its rounds, which starts, compiles and ends just so. Median of {ROUNDS} rounds in which all take turns. The programs are in `{PROGRAMS}`. {}.\n\n| task | ms | {own} | {other} | {third} | {own} ÷ {other} | {own} ÷ {third} |\n|---|---|---:|---:|---:|---:|---:|\n",
        versions.join("; ")
    );
    row(&mut text, "an empty program", "process", empty);
    for (task, (process, start)) in TASKS.iter().zip(measured) {
        row(&mut text, task.title, "process", process);
        let mut work = *process;
        for (time, start) in work.iter_mut().zip(start) {
            *time -= start;
        }
        row(&mut text, task.title, "work", &work);
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
    fn work_is_what_the_short_program_does_not_take() {
        let measured = [
            ([15.0, 120.0, 41.0], [10.0, 20.0, 40.0]),
            ([9.0, 30.0, 43.0], [10.0, 20.0, 40.0]),
        ];
        let text = section(&["A".to_owned()], &[10.0, 20.0, 40.0], &measured);
        for line in [
            "| an empty program | process | 10.0 | 20.0 | 40.0 | 0.50 | 0.25 |",
            "| work | 5.0 | 100.0 | 1.0 | 0.05 | 5.00 |",
            "| work | -1.0 | 10.0 | 3.0 | – | – |",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
