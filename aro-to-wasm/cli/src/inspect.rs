//! `aro-to-wasm inspect`: what an artifact holds and what it may do, read from its types.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a few sections of many matter"
)]

use aro_wit::manifest::{FeatureSet, Manifest, SECTION};
use serde_json::json;
use wasmparser::{Parser, Payload};

struct Found {
    manifest: Manifest,
    runtime_bytes: usize,
    /// Size and imported interfaces of each nested component.
    components: Vec<(usize, Vec<String>)>,
    imports: Vec<String>,
}

/// Prints a report on stdout.
pub(crate) fn inspect(bytes: &[u8], as_json: bool) -> anyhow::Result<()> {
    let found = read(bytes)?;
    if as_json {
        print_json(&found, bytes.len())?
    } else {
        print_text(&found, bytes.len())
    }
    Ok(())
}

fn read(bytes: &[u8]) -> anyhow::Result<Found> {
    wasmparser::Validator::new().validate_all(bytes)?;
    let (mut manifest, mut runtime_bytes, mut components, mut imports) =
        (None, 0, Vec::new(), Vec::new());
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::ModuleSection {
                unchecked_range, ..
            } => {
                if depth == 0 {
                    runtime_bytes = unchecked_range.len();
                }
                depth += 1;
            }
            Payload::ComponentSection {
                unchecked_range, ..
            } => {
                if depth == 0 {
                    components.push((unchecked_range.len(), Vec::new()));
                }
                depth += 1;
            }
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) => {
                for import in section {
                    let name = import?.name.name.to_owned();
                    match (depth, components.last_mut()) {
                        (0, _) => imports.push(name),
                        (1, Some((_, imports))) if name != aro_wit::RUNTIME_IMPORT => {
                            imports.push(name)
                        }
                        _ => {}
                    }
                }
            }
            Payload::CustomSection(section) if depth == 0 && section.name() == SECTION => {
                manifest = Some(Manifest::from_bytes(section.data())?);
            }
            _ => {}
        }
    }
    let manifest =
        manifest.ok_or_else(|| anyhow::anyhow!("no section {SECTION}: not made by aro-to-wasm"))?;
    Ok(Found {
        manifest,
        runtime_bytes,
        components,
        imports,
    })
}

fn print_json(found: &Found, bytes: usize) -> anyhow::Result<()> {
    let components: Vec<_> = found
        .manifest
        .feature_sets
        .iter()
        .zip(&found.components)
        .map(|(set, (bytes, imports))| {
            json!({
                "component": set.component, "name": set.name, "activity": set.activity, "triggers": set.triggers,
                "statements": set.statements.len(), "origin": set.origin, "bytes": bytes, "imports": imports, "needs": set.needs,
            })
        })
        .collect();
    let report = json!({
        "program": found.manifest.program, "compiler": found.manifest.compiler, "files": found.manifest.files,
        "bytes": bytes, "runtime_bytes": found.runtime_bytes, "imports": found.imports, "feature_sets": components,
    });
    anstream::println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}

fn print_text(found: &Found, bytes: usize) {
    let manifest = &found.manifest;
    anstream::println!(
        "{} ({bytes} bytes, built by {})",
        manifest.program,
        manifest.compiler
    );
    anstream::println!("value runtime: {} bytes", found.runtime_bytes);
    anstream::println!("may use:");
    for import in &found.imports {
        anstream::println!("  {import}");
    }
    anstream::println!("feature sets:");
    for (set, (bytes, imports)) in manifest.feature_sets.iter().zip(&found.components) {
        let triggers: Vec<&str> = set
            .triggers
            .iter()
            .map(|trigger| trigger.interface())
            .collect();
        anstream::println!(
            "  {} ({}: {}), {bytes} bytes",
            set.component,
            set.name,
            set.activity
        );
        anstream::println!("    run by {}", triggers.join(", "));
        for import in imports {
            anstream::println!("    uses {import}{}", asked(manifest, set, import));
        }
    }
}

/// The statements that ask for an interface: one for each name in it, else the first.
fn asked(manifest: &Manifest, set: &FeatureSet, import: &str) -> String {
    let mut text = String::new();
    for need in set.needs.iter().filter(|need| need.interface == import) {
        let Some(statement) = set.statements.get(need.statement as usize) else {
            continue;
        };
        let detail = match need.detail.as_str() {
            "" => String::new(),
            detail => format!("{detail}, "),
        };
        let file = manifest.files.get(statement.file as usize);
        let place = file.map_or_else(String::new, |file| {
            format!("{file}:{}:{}", statement.line, statement.column)
        });
        text.push_str(&format!("\n      {detail}{place}: {}", statement.text));
    }
    text
}
