//! The commands as users run them.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

/// The root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .map_or_else(|| here.to_path_buf(), Path::to_path_buf)
}

/// Where commands that tests start keep compiled code, instead of the user's caches: `XDG_CACHE_HOME` of such a command.
#[must_use]
pub fn caches() -> PathBuf {
    static CACHES: OnceLock<PathBuf> = OnceLock::new();
    let caches = CACHES.get_or_init(|| {
        let host = binary("aro-host");
        let target = host.ancestors().nth(2).unwrap_or(&host);
        target.join("tmp").join("caches")
    });
    caches.clone()
}

/// The binary `name` of the workspace, up to date. Cargo gives a test only the binaries of its own package, so it is asked.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().expect("no other test fails while it builds");
    let output = Command::new(env!("CARGO"))
        // With the tests, so that the features are those of `cargo test --workspace` and no dependency is built twice.
        .args([
            "build",
            "--quiet",
            "--message-format=json",
            "--workspace",
            "--tests",
            "--bin",
            name,
        ])
        .current_dir(repository())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = |message: Value| {
        let of_tests = message.pointer("/profile/test") == Some(&Value::Bool(true));
        let built =
            !of_tests && message.pointer("/target/name").and_then(Value::as_str) == Some(name);
        let path = message.get("executable")?.as_str()?;
        built.then(|| PathBuf::from(path))
    };
    let mut lines = messages.lines();
    let found = lines.find_map(|line| executable(serde_json::from_str(line).ok()?));
    found.unwrap_or_else(|| panic!("cargo names no executable {name}"))
}
