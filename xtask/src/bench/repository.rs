//! `cargo xtask bench repository`: what searching and storing costs a program, in memory and on disk.
//!
//! The rows are stored and looked for by ARO programs in the sandbox, so that the figures hold everything that a statement costs. The programs say when a part is done; the time between their lines is measured here.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};

use super::load::{Dialect, Load};
use super::{CONNECTIONS, MESSAGE_BYTES, page, server};

/// Rows of the repository that is searched.
const ROWS: u32 = 1_000_000;
/// Lookups with an index.
const LOOKUPS: u32 = 20_000;
/// Searches without one.
const SCANS: u32 = 10;
/// Rows that one statement stores as a list.
const LISTED: u32 = 50_000;
/// Rows stored one after the other on disk, each waiting for it.
const SINGLE: u32 = 500;
/// Enough for what is measured.
const LIMITS: [&str; 10] = [
    "--rows",
    "10000000",
    "--state-mib",
    "8192",
    "--cpu-ms",
    "600000",
    "--wall-ms",
    "600000",
    "--memory-mib",
    "256",
];

/// Parts of the program for memory, in the order of its lines: name, and operations of the part.
const IN_MEMORY: [(&str, u32); 4] = [
    ("a row stored", ROWS),
    ("a row looked up by `id`", LOOKUPS),
    ("a row looked up by a field with an index", LOOKUPS),
    ("a row looked for without an index", SCANS),
];
/// Parts of the program for disks.
const ON_DISK: [(&str, u32); 2] = [
    ("a row stored and on disk, one after the other", SINGLE),
    ("a row stored and on disk, as part of a list", LISTED),
];

/// Measures, prints, and writes the section unless `no_page`.
pub(crate) fn run(no_page: bool) -> anyhow::Result<()> {
    let host = server::build()?;
    let folder = std::env::temp_dir().join(format!("aro-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let measured = measure(&host, &folder);
    fs::remove_dir_all(&folder)?;
    let text = measured?;
    println!("{text}");
    if !no_page {
        page::put("Repositories", &text)?;
    }
    Ok(())
}

fn measure(host: &Path, folder: &Path) -> anyhow::Result<String> {
    let data = folder.join("data");
    let mut table = String::from("| what | µs each | a second |\n|---|---:|---:|\n");
    let memory = folder.join("memory.aro");
    fs::write(&memory, in_memory())?;
    rows(&mut table, &timed(host, &memory, None, &IN_MEMORY)?)?;
    let disk = folder.join("disk.aro");
    fs::write(&disk, on_disk())?;
    rows(&mut table, &timed(host, &disk, Some(&data), &ON_DISK)?)?;
    let writers = folder.join("writers.aro");
    fs::write(&writers, WRITERS)?;
    let mut many =
        String::from("| rows are kept | rows/s | p50 µs | p99 µs |\n|---|---:|---:|---:|\n");
    for (title, data) in [
        ("in memory", None),
        ("on disk", Some(folder.join("writers"))),
    ] {
        let mut command = Command::new(host);
        command
            .arg("serve")
            .arg(&writers)
            .args(["--bind", "127.0.0.1"])
            .args(LIMITS)
            .env("ARO_SOCKET_PORT", "0");
        if let Some(data) = data {
            command.arg("--data").arg(data);
        }
        let server = server::started(command).context("the server of the writers")?;
        let load = Load {
            address: server.address(),
            process: server.process(),
            depth: 1,
            dialect: Dialect::Echo,
        };
        let sample = load.run()?;
        let (p50, p99) = sample.latency();
        writeln!(
            many,
            "| {title} | {:.0} | {p50:.0} | {p99:.0} |",
            sample.rate()
        )?;
    }
    Ok(format!(
        "Statements of ARO programs in the sandbox, with everything that a statement costs: building the row and the texts to look for, encoding, the call of the host, the search, decoding. {ROWS} rows of five fields are searched. Rows on disk are in the file, and the file is synchronised, before the statement ends; a statement that stores a list waits for that at its end, here after {LISTED} rows.\n\n{table}\n{CONNECTIONS} connections that each send {MESSAGE_BYTES} bytes, of which a handler makes a row that it stores, and wait for the answer; on disk, the rows that wait together share one synchronisation.\n\n{many}"
    ))
}

fn rows(table: &mut String, parts: &[(&str, f64)]) -> anyhow::Result<()> {
    for (what, each) in parts {
        writeln!(table, "| {what} | {:.1} | {:.0} |", each * 1e6, 1.0 / each)?;
    }
    Ok(())
}

/// Runs a program that writes a line before its first part and after each; answers the seconds of one operation of each.
fn timed<'a>(
    host: &Path,
    program: &Path,
    data: Option<&Path>,
    parts: &[(&'a str, u32)],
) -> anyhow::Result<Vec<(&'a str, f64)>> {
    let mut command = Command::new(host);
    command.arg("run").arg(program).args(LIMITS);
    if let Some(data) = data {
        command.arg("--data").arg(data);
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines =
        BufReader::new(child.stdout.take().context("the program has no output")?).lines();
    let mut next = || -> anyhow::Result<Instant> {
        lines.next().context("the program ended too early")??;
        Ok(Instant::now())
    };
    let mut before = next()?;
    let mut measured = Vec::new();
    for (what, operations) in parts {
        let now = next()?;
        let seconds = now.duration_since(before).as_secs_f64();
        println!("{what}: {seconds:.2} s for {operations}");
        measured.push((*what, seconds / f64::from(*operations)));
        before = now;
    }
    if !child.wait()?.success() {
        bail!("the program failed");
    }
    Ok(measured)
}

fn in_memory() -> String {
    format!(
        r#"
(Application-Start: Bench) {{
    Emit a <Measure: event> with {{ now: 1 }}.
    Return an <OK: status> for the <application>.
}}

(Measure: Measure Handler) {{
    Log "begin" to the <console>.
    for <n> from 1 to {ROWS} {{
        Create the <row> with {{ id: "user-${{<n>}}", email: "u${{<n>}}@example.org", serial: <n>, city: "Oslo", active: true }}.
        Store the <row> into the <user-repository>.
    }}
    Log "stored" to the <console>.
    for <n> from 1 to {LOOKUPS} {{
        Compute the <number> from <n> * 49.
        Retrieve the <_user> from the <user-repository> where id is "user-${{<number>}}".
    }}
    Log "by id" to the <console>.
    for <n> from 1 to {LOOKUPS} {{
        Compute the <number> from <n> * 49.
        Retrieve the <_user> from the <user-repository> where email is "u${{<number>}}@example.org".
    }}
    Log "by email" to the <console>.
    for <n> from 1 to {SCANS} {{
        Compute the <number> from <n> * 49.
        Retrieve the <_user> from the <user-repository> where serial >= <number> and serial <= <number>.
    }}
    Log "by search" to the <console>.
    Return an <OK: status> for the <event>.
}}
"#
    )
}

fn on_disk() -> String {
    format!(
        r#"
(Application-Start: Bench) {{
    Emit a <Measure: event> with {{ now: 1 }}.
    Return an <OK: status> for the <application>.
}}

(Measure: Measure Handler) {{
    Log "begin" to the <console>.
    for <n> from 1 to {SINGLE} {{
        Create the <row> with {{ id: "user-${{<n>}}", serial: <n>, city: "Oslo" }}.
        Store the <row> into the <user-repository>.
    }}
    Log "one by one" to the <console>.
    Split the <numbers> from "{}" by /,/.
    Store the <numbers> into the <number-repository>.
    Log "as a list" to the <console>.
    Return an <OK: status> for the <event>.
}}
"#,
        (1..=LISTED)
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
            .join(",")
    )
}

const WRITERS: &str = r#"
(Application-Start: Bench) {
    Listen on port 9000 as <writers>.
    Return an <OK: status> for the <startup>.
}

(Take: DataReceived Handler) {
    Extract the <data> from the <event: data>.
    Extract the <peer> from the <event: connection>.
    Create the <row> with { id: <generated-id>, text: <data> }.
    Store the <row> into the <message-repository>.
    Send the <data> to the <peer>.
    Return an <OK: status> for the <data>.
}
"#;
