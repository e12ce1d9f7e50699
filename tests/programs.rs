//! One test per console program: `aro-host run` prints exactly what stands beside it.
//!
//! - `examples/<name>/` with a file `expected.txt` is a program of many files;
//! - `programs/console/<family>/<name>.aro` with a file `<name>.txt` is a program of one.
//!
//! The expectation is standard output; where there is more to expect, lines `--- stderr ---` and `--- exit 1 ---` begin the other parts. Beside it, `arguments.txt` or `<name>.args` holds what follows `--` on the command line, one argument a line; `environment.txt` or `<name>.env` lines `NAME=value`; `input.txt` or `<name>.in` the standard input. Expectations are written by hand from the specification: nothing here writes them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use harness::{binary, caches, repository};
use libtest_mimic::{Arguments, Failed, Trial};
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// How long a program may take on a busy machine.
const RUN_TIME_MAX: Duration = Duration::from_secs(60);

/// A program and what stands beside it.
struct Case {
    program: PathBuf,
    expected: PathBuf,
    arguments: PathBuf,
    environment: PathBuf,
    input: PathBuf,
}

fn main() {
    let host: Arc<OnceLock<PathBuf>> = Arc::default();
    let mut trials: Vec<Trial> = cases()
        .into_iter()
        .map(|(name, case)| {
            let host = Arc::clone(&host);
            Trial::test(name, move || {
                run(host.get_or_init(|| binary("aro-host")), &case)
            })
        })
        .collect();
    trials.sort_by(|left, right| left.name().cmp(right.name()));
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn cases() -> Vec<(String, Case)> {
    let mut cases = Vec::new();
    for folder in folders(&repository().join("examples")) {
        let case = Case {
            expected: folder.join("expected.txt"),
            arguments: folder.join("arguments.txt"),
            environment: folder.join("environment.txt"),
            input: folder.join("input.txt"),
            program: folder,
        };
        if case.expected.exists() {
            cases.push((format!("examples/{}", stem(&case.program)), case));
        }
    }
    let console = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/console");
    for family in folders(&console) {
        for program in entries(&family) {
            if program
                .extension()
                .is_some_and(|extension| extension == "aro")
            {
                let name = format!("{}/{}", stem(&family), stem(&program));
                let case = Case {
                    expected: program.with_extension("txt"),
                    arguments: program.with_extension("args"),
                    environment: program.with_extension("env"),
                    input: program.with_extension("in"),
                    program,
                };
                cases.push((name, case));
            }
        }
    }
    cases
}

fn folders(parent: &Path) -> Vec<PathBuf> {
    let mut folders = entries(parent);
    folders.retain(|path| path.is_dir());
    folders
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

fn run(host: &Path, case: &Case) -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let mut command = Command::new(host);
    command
        .args(["run", "--verbose"])
        .arg(&case.program)
        .current_dir(scratch.path())
        .env("XDG_CACHE_HOME", caches())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Ok(arguments) = std::fs::read_to_string(&case.arguments) {
        command.arg("--").args(arguments.lines());
    }
    if let Ok(environment) = std::fs::read_to_string(&case.environment) {
        command.envs(environment.lines().filter_map(|line| line.split_once('=')));
    }
    let mut child = command.spawn()?;
    let input = std::fs::read(&case.input).unwrap_or_default();
    let mut stdin = child.stdin.take().unwrap();
    // A program that does not read its input may end first.
    let fed = std::thread::spawn(move || stdin.write_all(&input).is_ok());
    let (stdout, stderr) = (
        collect(child.stdout.take().unwrap()),
        collect(child.stderr.take().unwrap()),
    );
    let deadline = Instant::now() + RUN_TIME_MAX;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            child.kill()?;
            return Err(format!("still running after {RUN_TIME_MAX:?}").into());
        }
        std::thread::park_timeout(Duration::from_millis(5));
    };
    drop(fed.join());
    let mut actual = stdout.join().unwrap();
    let stderr = stderr.join().unwrap();
    if !stderr.is_empty() {
        write!(actual, "--- stderr ---\n{stderr}")?;
    }
    match status.code() {
        Some(0) => {}
        Some(code) => writeln!(actual, "--- exit {code} ---")?,
        None => writeln!(actual, "--- {status} ---")?,
    }
    let expected = std::fs::read_to_string(&case.expected)
        .map_err(|error| format!("{}: {error}", case.expected.display()))?;
    if actual == expected {
        return Ok(());
    }
    Err(difference(&expected, &actual).into())
}

fn collect(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before a failure is shown.
        drop(pipe.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Both texts with the first line that differs.
fn difference(expected: &str, actual: &str) -> String {
    let same = expected
        .split('\n')
        .zip(actual.split('\n'))
        .take_while(|(left, right)| left == right)
        .count();
    format!(
        "line {} differs\n--- expected ---\n{expected}\n--- printed ---\n{actual}",
        same + 1
    )
}
