//! Debian packages that tests need.

use std::process::Command;

use anyhow::bail;

/// Installs packages.
///
/// # Errors
/// A sentence with the command, if it cannot be run or fails.
pub(crate) fn install(packages: &[&str]) -> anyhow::Result<()> {
    let remedy = format!(
        "on Debian `apt-get install --no-install-recommends {}`",
        packages.join(" ")
    );
    let updated = Command::new("apt-get").arg("update").status();
    if !updated.is_ok_and(|status| status.success()) {
        bail!("{remedy}");
    }
    let installed = Command::new("apt-get")
        .args(["install", "--yes", "--no-install-recommends"])
        .args(packages)
        .status()?;
    if !installed.success() {
        bail!("{remedy}");
    }
    Ok(())
}

/// Installs a package unless a command of its name runs.
///
/// # Errors
/// As [`install`].
pub(crate) fn provide(command: &str) -> anyhow::Result<()> {
    let known = Command::new(command).arg("--version").output();
    if known.is_ok_and(|known| known.status.success()) {
        return Ok(());
    }
    install(&[command])
}
