//! What the compiler writes: valid, least capable, small, the same each time.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "other sections say nothing here"
)]

use aro_wit::manifest::{Manifest, SECTION};
use harness::{compile, directory, sources};
use std::collections::BTreeSet;
use std::ops::Range;
use wasmparser::{Parser, Payload, Validator};
use wit_component::DecodedWasm;

/// Largest component of a small feature set.
const COMPONENT_BYTES_MAX: usize = 10 << 10;

/// Byte ranges of what an artifact holds.
pub(crate) struct Parts {
    pub(crate) runtime: Range<usize>,
    pub(crate) components: Vec<Range<usize>>,
    pub(crate) manifest: Range<usize>,
}

pub(crate) fn parts(bytes: &[u8]) -> Parts {
    let (mut depth, mut runtime, mut components, mut manifest) = (0, None, Vec::new(), None);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.unwrap() {
            Payload::ModuleSection {
                unchecked_range, ..
            } => {
                if depth == 0 {
                    assert_eq!(runtime.replace(unchecked_range), None, "one value runtime");
                }
                depth += 1;
            }
            Payload::ComponentSection {
                unchecked_range, ..
            } => {
                if depth == 0 {
                    components.push(unchecked_range);
                }
                depth += 1;
            }
            Payload::End(_) => depth -= 1,
            Payload::CustomSection(section) if depth == 0 && section.name() == SECTION => {
                assert_eq!(
                    manifest.replace(
                        section.data_offset()..section.data_offset() + section.data().len()
                    ),
                    None
                );
            }
            _ => {}
        }
    }
    Parts {
        runtime: runtime.unwrap(),
        components,
        manifest: manifest.unwrap(),
    }
}

/// Names of what a component imports and exports.
fn world(bytes: &[u8]) -> [BTreeSet<String>; 2] {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(bytes).unwrap() else {
        panic!("a WIT package")
    };
    let world = &resolve.worlds[world];
    [&world.imports, &world.exports].map(|items| {
        items
            .keys()
            .map(|key| resolve.name_world_key(key))
            .collect()
    })
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Imports that a nested component states in its own type, the value runtime aside.
fn imports(component: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                found.extend(
                    section
                        .into_iter()
                        .map(|import| import.unwrap().name.name.to_owned()),
                );
            }
            _ => {}
        }
    }
    found.remove(aro_wit::RUNTIME_IMPORT);
    found
}

/// Each feature set's component name, what it imports and its size.
pub(crate) fn nested(bytes: &[u8]) -> Vec<(String, BTreeSet<String>, usize)> {
    let parts = parts(bytes);
    let manifest = Manifest::from_bytes(&bytes[parts.manifest]).unwrap();
    assert_eq!(manifest.feature_sets.len(), parts.components.len());
    let named = manifest.feature_sets.into_iter().zip(parts.components);
    named
        .map(|(entry, range)| {
            let component = &bytes[range];
            Validator::new().validate_all(component).unwrap();
            (entry.component, imports(component), component.len())
        })
        .collect()
}

#[test]
fn echo_may_do_what_it_says_and_no_more() {
    let bytes = compile(directory("examples/echo"));
    Validator::new().validate_all(&bytes).unwrap();
    let [imports, exports] = world(&bytes);
    assert_eq!(
        imports,
        set(&[
            "aro:log/console@0.1.0",
            "aro:net/connections@0.1.0",
            "aro:net/listeners@0.1.0"
        ])
    );
    assert_eq!(exports, set(&["application-start", "echo-bytes"]));
    let nested = nested(&bytes);
    let [
        (start, start_imports, start_bytes),
        (echo, echo_imports, echo_bytes),
    ] = nested.as_slice()
    else {
        panic!("{nested:?}")
    };
    assert_eq!(
        [start.as_str(), echo.as_str()],
        ["application-start", "echo-bytes"]
    );
    assert_eq!(
        *start_imports,
        set(&["aro:log/console@0.1.0", "aro:net/listeners@0.1.0"])
    );
    assert_eq!(*echo_imports, set(&["aro:net/connections@0.1.0"]));
    for bytes in [start_bytes, echo_bytes] {
        assert!(*bytes <= COMPONENT_BYTES_MAX, "{nested:?}");
    }
}

#[test]
fn chat_may_do_what_it_says_and_no_more() {
    let bytes = compile(directory("examples/chat"));
    Validator::new().validate_all(&bytes).unwrap();
    let [imports, exports] = world(&bytes);
    let expected = [
        "aro:log/console@0.1.0",
        "aro:net/connections@0.1.0",
        "aro:net/directory@0.1.0",
        "aro:net/listeners@0.1.0",
        "aro:state/repositories@0.1.0",
        "wasi:clocks/wall-clock@0.2.6",
    ];
    assert_eq!(imports, set(&expected));
    assert_eq!(
        exports,
        set(&[
            "application-end",
            "application-start",
            "enter",
            "leave",
            "say"
        ])
    );
    for (name, imports, _) in nested(&bytes) {
        let expected: &[&str] = match name.as_str() {
            "application-start" => &["aro:log/console@0.1.0", "aro:net/listeners@0.1.0"],
            "enter" | "leave" => &[
                "aro:log/console@0.1.0",
                "aro:net/connections@0.1.0",
                "aro:net/directory@0.1.0",
                "aro:state/repositories@0.1.0",
            ],
            "say" => &[
                "aro:net/connections@0.1.0",
                "aro:net/directory@0.1.0",
                "wasi:clocks/wall-clock@0.2.6",
            ],
            "application-end" => &[
                "aro:net/connections@0.1.0",
                "aro:net/directory@0.1.0",
                "aro:net/listeners@0.1.0",
            ],
            _ => panic!("{name}"),
        };
        assert_eq!(imports, set(expected), "{name}");
    }
}

#[test]
fn every_program_shares_one_value_runtime() {
    let [echo, chat] =
        ["examples/echo", "examples/chat"].map(|program| compile(directory(program)));
    assert!(echo[parts(&echo).runtime] == chat[parts(&chat).runtime]);
}

#[test]
fn the_same_sources_give_the_same_bytes() {
    for program in ["examples/echo", "examples/chat", "tests/programs/faults"] {
        assert!(
            compile(directory(program)) == compile(directory(program)),
            "{program}"
        );
    }
}

#[test]
fn a_program_may_be_split_into_files() {
    let echo = directory("examples/echo");
    let text = &echo.files[0].text;
    let second = text.find("(Echo Bytes").unwrap();
    let split = sources(&[
        ("main.aro", &text[..second]),
        ("handlers/echo.aro", &text[second..]),
    ]);
    let [whole, split] = [echo, split].map(compile);
    let [whole_parts, split_parts] = [parts(&whole), parts(&split)];
    for (one, other) in whole_parts
        .components
        .into_iter()
        .zip(split_parts.components)
    {
        assert!(
            whole[one] == split[other],
            "the code of a feature set does not depend on its file"
        );
    }
}
