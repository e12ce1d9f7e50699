//! `cargo xtask guest <dir>`: a Rust guest to a component in its `components/` folder, where `aro-to-wasm build` takes it from.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail};
use wit_component::{ComponentEncoder, DecodedWasm};

use crate::wasm;

/// The only package that handlers export interfaces of, and whose interfaces, or the console, they import.
const PREFIX: &str = "aro:";

/// Options of the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Folder of the guest's crate, from the root of the repository.
    dir: PathBuf,
}

/// Builds the guest.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let dir = crate::root().join(&options.dir);
    let folder = dir
        .canonicalize()
        .with_context(|| format!("no folder {}", dir.display()))?;
    let name = folder
        .file_name()
        .and_then(|name| name.to_str())
        .context("the folder has no name")?;
    let module = fs::read(wasm::build(
        &dir,
        &name.replace('-', "_"),
        &["--stack-first".into(), "-zstack-size=32768".into()],
    )?)?;
    let component = ComponentEncoder::default()
        .validate(true)
        .module(&module)?
        .encode()
        .context("the module is no component")?;
    let interfaces = interfaces(&component)?;
    if let Some(stranger) = interfaces.iter().find(|name| !name.starts_with(PREFIX)) {
        bail!("{name} refers to {stranger}: handlers have interfaces of {PREFIX} only");
    }
    let components = dir.join("components");
    fs::create_dir_all(&components)?;
    fs::write(components.join(name).with_extension("wasm"), component)?;
    Ok(())
}

/// Names of everything that the component imports and exports.
fn interfaces(component: &[u8]) -> anyhow::Result<Vec<String>> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component)? else {
        bail!("the result is no component")
    };
    let world = resolve
        .worlds
        .get(world)
        .context("the component has no world")?;
    Ok(world
        .imports
        .keys()
        .chain(world.exports.keys())
        .map(|key| resolve.name_world_key(key))
        .collect())
}
