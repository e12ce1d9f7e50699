//! `cargo xtask guest <dir>`: a Rust guest to a component in its `components/` folder, where `aro-to-wasm build` takes it from.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use wit_component::{ComponentEncoder, DecodedWasm};

use crate::wasm;

/// What the names of a handler's interfaces begin with: a guest has no other permissions to ask for.
const PREFIX: &str = "aro:";
/// Shadow stack of the module.
const STACK_BYTES: u32 = 32 << 10;

/// Options of the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Folder of the guest's crate, from the root of the repository.
    dir: PathBuf,
}

/// Builds the guest.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    build(&options.dir)
}

/// Builds the guest in `dir`, which is relative to the root.
pub(crate) fn build(dir: &Path) -> anyhow::Result<()> {
    let dir = crate::root().join(dir);
    let folder = dir
        .canonicalize()
        .with_context(|| format!("no folder {}", dir.display()))?;
    let name = folder
        .file_name()
        .and_then(|name| name.to_str())
        .context("the folder has no name")?;
    let flags = [
        "--stack-first".into(),
        format!("-zstack-size={STACK_BYTES}"),
    ];
    let module = fs::read(wasm::build(&dir, &name.replace('-', "_"), &flags)?)?;
    let mut encoder = ComponentEncoder::default().validate(true).module(&module)?;
    let component = encoder.encode().context("the module is no component")?;
    let Interfaces { imports, exports } = interfaces(&component)?;
    if let Some(stranger) = imports
        .iter()
        .chain(&exports)
        .find(|name| !name.starts_with(PREFIX))
    {
        bail!("{name} refers to {stranger}: handlers have interfaces of {PREFIX} only");
    }
    let components = dir.join("components");
    fs::create_dir_all(&components)?;
    fs::write(components.join(name).with_extension("wasm"), component)?;
    Ok(())
}

/// Names of the interfaces of a component.
#[derive(Debug, PartialEq, Eq)]
struct Interfaces {
    imports: Vec<String>,
    exports: Vec<String>,
}

fn interfaces(component: &[u8]) -> anyhow::Result<Interfaces> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component)? else {
        bail!("the result is no component");
    };
    let world = resolve
        .worlds
        .get(world)
        .context("the component has no world")?;
    let name = |key| resolve.name_world_key(key);
    Ok(Interfaces {
        imports: world.imports.keys().map(name).collect(),
        exports: world.exports.keys().map(name).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aro_wit::interface::{CONNECTIONS, TCP_DATA};

    #[test]
    fn rust_echo_may_write_to_connections_and_nothing_else() {
        build("examples/rust-echo".as_ref()).unwrap();
        let component =
            fs::read(crate::root().join("examples/rust-echo/components/rust-echo.wasm")).unwrap();
        let expected = Interfaces {
            imports: vec![CONNECTIONS.into()],
            exports: vec![TCP_DATA.into()],
        };
        assert_eq!(interfaces(&component).unwrap(), expected);
    }
}
