//! The sources of a program inside its artifact, from which it can be compiled again: to tell what it does, when one of its events is replayed.

use crate::compile::{Artifact, Input};
use crate::source::SourceFile;
use aro_wit::manifest::Origin;
use serde_json::{Value, json};
use wasmparser::{Parser, Payload};

/// Name of the section.
pub(crate) const SECTION: &str = "aro:sources";

/// The contents of the section. Hand-written components are not in it: they are nested in the artifact anyway.
pub(crate) fn section(input: &Input) -> Vec<u8> {
    let files = |files: &[SourceFile]| -> Value {
        let file = |file: &SourceFile| json!([file.path, file.text]);
        files.iter().map(file).collect()
    };
    let sources = json!({
        "name": input.name,
        "files": files(&input.files),
        "templates": files(&input.templates),
        "contract": files(input.contract.as_slice()),
        "stores": files(&input.stores),
    });
    sources.to_string().into_bytes()
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "all other parts of a file are passed over"
)]
/// What an artifact was compiled from; none where it does not hold its sources.
#[must_use]
pub fn of(artifact: &[u8]) -> Option<Input> {
    let mut sources = None;
    let mut components = Vec::new();
    let mut manifest = None;
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(artifact) {
        match payload.ok()? {
            Payload::ComponentSection {
                unchecked_range, ..
            } => {
                if depth == 0 {
                    components.push(artifact.get(unchecked_range)?.to_vec());
                }
                depth += 1;
            }
            Payload::ModuleSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if depth == 0 => match section.name() {
                SECTION => sources = serde_json::from_slice::<Value>(section.data()).ok(),
                aro_wit::manifest::SECTION => {
                    manifest = aro_wit::manifest::Manifest::from_bytes(section.data()).ok();
                }
                _ => {}
            },
            _ => {}
        }
    }
    let (sources, manifest) = (sources?, manifest?);
    let own = manifest.feature_sets.iter().zip(components);
    let own = own.filter(|(entry, _)| entry.origin == Origin::Component);
    Some(Input {
        name: sources.get("name")?.as_str()?.to_owned(),
        files: files(&sources, "files")?,
        templates: files(&sources, "templates")?,
        contract: files(&sources, "contract")?.pop(),
        stores: files(&sources, "stores")?,
        components: own
            .map(|(entry, bytes)| (entry.name.clone(), bytes))
            .collect(),
        traced: false,
    })
}

fn files(sources: &Value, part: &str) -> Option<Vec<SourceFile>> {
    let file = |file: &Value| {
        Some(SourceFile {
            path: file.get(0)?.as_str()?.to_owned(),
            text: file.get(1)?.as_str()?.to_owned(),
        })
    };
    sources.get(part)?.as_array()?.iter().map(file).collect()
}

/// The same program, compiled so that it tells its steps. None where the artifact does not hold its sources, or where this compiler makes another program of them.
#[must_use]
pub fn traced(artifact: &[u8]) -> Option<Vec<u8>> {
    let input = of(artifact)?;
    let compile = |input: Input| crate::compile(input).ok()?.artifact;
    let same = |again: &Artifact| again.bytes == artifact;
    compile(input.clone()).filter(same)?;
    let traced = Input {
        traced: true,
        ..input
    };
    compile(traced).map(|traced| traced.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_compiled_again_from_its_artifact() {
        let text = r#"(Application-Start: Count) {
            Create the <total> with 0.
            for <number> from 1 to 3 {
                Compute the <total> from <total> + <number>.
            }
            Log <total> to the <console>.
            Return an <OK: status> for the <startup>.
        }"#;
        let input = Input {
            name: "count".to_owned(),
            files: vec![SourceFile {
                path: "main.aro".to_owned(),
                text: text.to_owned(),
            }],
            ..Input::default()
        };
        let artifact = crate::compile(input).unwrap().artifact.unwrap();
        let traced = traced(&artifact.bytes).unwrap();
        assert_ne!(traced, artifact.bytes);
        assert!(of(&traced).is_some() && of(b"\0asm").is_none());
    }
}
