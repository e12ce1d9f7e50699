//! Building a crate for wasm32-unknown-unknown: with the rustup target where it is installed, else with the `core` and `alloc` sources that Debian packages.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::debian;

const TARGET: &str = "wasm32-unknown-unknown";
/// What Debian calls a compiler with a wasm32 back end, its cargo, and the sources of `core` and `alloc`.
const PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_SOURCES: &str = "/usr/lib/rustlib/src/rust/library/core/Cargo.toml";
/// Variables by which the cargo that runs this task would direct the one that it starts.
const LEAKS: [&str; 9] = [
    "CARGO",
    "RUSTC",
    "RUSTDOC",
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "RUSTUP_TOOLCHAIN",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
];

/// Builds the package in `dir` and answers the path of `<library>.wasm`. `linker_flags` are handed to the linker.
pub(crate) fn build(dir: &Path, library: &str, linker_flags: &[String]) -> anyhow::Result<PathBuf> {
    let target_dir = target_dir().join("guests");
    let mut rust_flags: Vec<String> = Vec::new();
    let mut command = if has_rustup_target()? {
        Command::new("cargo")
    } else {
        // Since `core` is built here, it can be built without the texts of panics that nobody reads.
        rust_flags.extend([
            "-Zunstable-options".to_owned(),
            "-Cpanic=immediate-abort".to_owned(),
        ]);
        debian_cargo()?
    };
    for name in LEAKS {
        // The Debian compiler is named by RUSTC, which `debian_cargo` has set.
        if name != "RUSTC" || command.get_program() != DEBIAN_CARGO {
            command.env_remove(name);
        }
    }
    rust_flags.extend(linker_flags.iter().map(|flag| format!("-Clink-arg={flag}")));
    // No path of this machine in panic messages: the same sources give the same bytes everywhere.
    rust_flags.push(format!(
        "--remap-path-prefix={}=/aro",
        crate::root().display()
    ));
    if let Some(home) = cargo_home() {
        rust_flags.push(format!("--remap-path-prefix={}=/cargo", home.display()));
    }
    command
        .current_dir(dir)
        .args([
            "build",
            "--release",
            "--locked",
            "--target",
            TARGET,
            "--lib",
        ])
        .env("CARGO_TARGET_DIR", &target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", rust_flags.join("\x1f"));
    let status = command
        .status()
        .with_context(|| format!("cannot run {:?}", command.get_program()))?;
    if !status.success() {
        bail!("cannot build {} for {TARGET}", dir.display());
    }
    Ok(target_dir
        .join(TARGET)
        .join("release")
        .join(library)
        .with_extension("wasm"))
}

fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(
        || crate::root().join("target"),
        |dir| crate::root().join(dir),
    )
}

fn cargo_home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")))
}

/// Root of the active toolchain.
fn sysroot() -> anyhow::Result<PathBuf> {
    let output = Command::new("rustc")
        .args(["--print", "sysroot"])
        .output()
        .context("cannot run rustc")?;
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

fn has_rustup_target() -> anyhow::Result<bool> {
    Ok(sysroot()?
        .join("lib/rustlib")
        .join(TARGET)
        .join("lib")
        .is_dir())
}

/// Debian's cargo, which builds `core` and `alloc` itself and links with the active toolchain's lld.
fn debian_cargo() -> anyhow::Result<Command> {
    if ![DEBIAN_RUSTC, DEBIAN_CARGO, DEBIAN_SOURCES]
        .iter()
        .all(|file| Path::new(file).exists())
    {
        debian::install(&PACKAGES)
            .with_context(|| format!("install {TARGET}: `rustup target add {TARGET}`"))?;
    }
    let mut linkers = std::fs::read_dir(sysroot()?.join("lib/rustlib"))?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin/rust-lld")));
    let linker = linkers
        .find(|linker| linker.exists())
        .context("the active toolchain has no rust-lld: install it with rustup")?;
    let mut command = Command::new(DEBIAN_CARGO);
    command
        .env("RUSTC", DEBIAN_RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_UNSTABLE_BUILD_STD", "core,alloc")
        .env("CARGO_UNSTABLE_BUILD_STD_FEATURES", "optimize_for_size")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    Ok(command)
}
