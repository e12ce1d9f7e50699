//! What the figures depend on, without a name of the machine.

use std::fs;
use std::process::Command;
use std::thread;

/// One line each: processor, memory, kernel, compiler.
pub(crate) fn describe() -> Vec<String> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let model =
        field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let memory = field("/proc/meminfo", "MemTotal")
        .and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // The part behind the number may name a provider or a machine.
    let kernel = kernel
        .split(|letter: char| letter != '.' && !letter.is_ascii_digit())
        .next()
        .unwrap_or_default()
        .to_owned();
    let compiler = Command::new("rustc")
        .arg("--version")
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let mut lines = vec![format!("{cores} cores of {model}")];
    lines.extend(memory.map(|kib| format!("{:.0} GiB of memory", kib as f64 / f64::from(1 << 20))));
    lines.push(format!("Linux {kernel}, loopback"));
    lines.extend(compiler);
    lines
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
