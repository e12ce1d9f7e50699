//! `cargo xtask ci` and `cargo xtask test`: the checks of this repository, in order, up to the first that fails.
//!
//! Nothing but cargo is needed to run the tests. All steps share the dev profile, so that no dependency is built twice.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context, bail};

use crate::debian;
use crate::guest;
use crate::runtime;
use crate::tidy;

/// Rust guests among the examples, whose components the tests run.
const GUESTS: [&str; 3] = [
    "examples/rust-echo",
    "examples/checksum",
    "examples/rust-feed",
];

/// Everything that must hold before a change is merged.
pub(crate) fn ci() -> anyhow::Result<()> {
    cargo(&["fmt", "--all", "--check"], &[])?;
    step("tidy");
    tidy::run()?;
    let lints = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ];
    cargo(&lints, &[])?;
    cargo(
        &["doc", "--workspace", "--lib", "--no-deps", "--locked"],
        &[("RUSTDOCFLAGS", "-D warnings")],
    )?;
    test()
}

/// All tests: those of guests with the value runtime and the components that the sources at hand build.
pub(crate) fn test() -> anyhow::Result<()> {
    step("value runtime");
    let replaced = runtime::rebuild()?;
    println!(
        "{}",
        match replaced {
            None => "the committed module is what its sources build",
            Some(_) =>
                "another compiler built the committed module: the tests run with this build of it",
        }
    );
    for guest in GUESTS {
        step(&format!("guest {guest}"));
        guest::build(guest.as_ref())?;
    }
    step("browser");
    debian::provide("chromium")?;
    let tested = cargo(&["test", "--workspace", "--locked"], &[]);
    // Whoever runs the tests has changed nothing.
    drop(replaced);
    tested
}

/// Runs the cargo that runs this task.
fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<()> {
    let line = format!("cargo {}", arguments.join(" "));
    step(&line);
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command
        .current_dir(crate::root())
        .args(arguments)
        .env("CARGO_INCREMENTAL", "0");
    let status = command
        .envs(environment.iter().copied())
        .status()
        .context("cargo cannot be run")?;
    if !status.success() {
        bail!("`{line}` failed");
    }
    Ok(())
}

fn step(what: &str) {
    println!("\n==> {what}");
}
