//! Files that are not run, and what is said about them.

use crate::support::{CONNECTIONS, Part, SEND, artifact, manifest_of, settings, wrap};
use aro_host::{Host, TenantId};
use aro_wit::manifest::Trigger;
use std::error::Error;

/// What loading `file` says, with all causes.
fn refusal(file: &[u8]) -> String {
    let host = Host::new(settings().0).unwrap();
    match host.load(TenantId::default(), file) {
        Ok(_) => "loaded".to_owned(),
        Err(error) => {
            let mut text = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                text.push_str(&format!(": {error}"));
                cause = error.source();
            }
            text
        }
    }
}

#[test]
fn files_that_are_no_program_are_named_as_what_they_are() {
    assert_eq!(
        refusal(b"#!/bin/sh"),
        "the program cannot be loaded: the file is not WebAssembly"
    );
    assert_eq!(
        refusal(&wat::parse_str("(module)").unwrap()),
        "the program cannot be loaded: the file is a core module, not a component: build it with `aro-to-wasm build`"
    );
    assert_eq!(
        refusal(&wat::parse_str("(component)").unwrap()),
        "the program cannot be loaded: the component has no section \"aro:manifest\": it was not built by aro-to-wasm"
    );
}

#[test]
fn a_damaged_file_is_refused_wherever_it_is_cut() {
    let file = artifact(&[Part::start(), Part::echo()]);
    assert_eq!(refusal(&file), "loaded");
    let host = Host::new(settings().0).unwrap();
    for length in (0..file.len()).step_by(97) {
        assert!(
            host.load(TenantId::default(), &file[..length]).is_err(),
            "cut at {length}"
        );
    }
    assert!(
        refusal(&file[..file.len() - 1])
            .starts_with("the program cannot be loaded: the file is damaged or truncated at byte ")
    );
}

#[test]
fn flipped_bits_never_crash_the_host() {
    let file = artifact(&[Part::echo()]);
    let host = Host::new(settings().0).unwrap();
    for position in (0..file.len()).step_by(31) {
        let mut flipped = file.clone();
        flipped[position] ^= 0x55;
        // Some bits are names and constants: what counts is that it loads or is refused.
        drop(host.load(TenantId::default(), &flipped));
    }
}

#[test]
fn manifest_and_components_must_agree() {
    let parts = [Part::start(), Part::echo()];
    let components: Vec<_> = parts.iter().map(Part::component).collect();
    let mut manifest = manifest_of(&parts);
    assert_eq!(
        refusal(&wrap(&manifest, &components[..1])),
        "the program cannot be loaded: the manifest lists 2 feature sets, the file holds 1"
    );
    manifest.feature_sets[1].triggers = vec![Trigger::TcpConnected];
    assert_eq!(
        refusal(&wrap(&manifest, &components)),
        "feature set \"part-1\" exports \"aro:net/tcp-data@0.1.0\", which its triggers do not explain"
    );
    manifest.feature_sets[1].triggers = vec![Trigger::TcpData, Trigger::TcpConnected];
    assert_eq!(
        refusal(&wrap(&manifest, &components)),
        "feature set \"part-1\" must export \"aro:net/tcp-connected@0.1.0\" for its trigger, and does not"
    );
    manifest.feature_sets[1].component = "part-0".to_owned();
    assert_eq!(
        refusal(&wrap(&manifest, &components)),
        "the program cannot be loaded: the manifest lists feature set \"part-0\" twice"
    );
    manifest.format = 99;
    assert!(refusal(&wrap(&manifest, &components)).contains("manifest has format 99"));
}

#[test]
fn what_the_host_does_not_provide_is_named() {
    let manifest = manifest_of(&[Part::echo()]);
    let files = wat::parse_str(
        r#"(component (import "aro:files/files@0.1.0" (instance (export "read" (func)))))"#,
    )
    .unwrap();
    let mut empty = manifest.clone();
    empty.feature_sets[0].triggers.clear();
    assert_eq!(
        refusal(&wrap(&empty, &[files])),
        "feature set \"part-0\" imports \"aro:files/files@0.1.0\", which this host does not provide"
    );
    let runtime =
        wat::parse_str(r#"(component (import "rt" (core module (export "memory" (memory 1)))))"#)
            .unwrap();
    assert_eq!(
        refusal(&wrap(&empty, &[runtime])),
        "feature set \"part-0\" needs the value runtime, which the file does not hold"
    );
    let mistyped = wat::parse_str(r#"(component (import "aro:log/console@0.1.0" (instance (export "write" (func (param "x" u8))))))"#).unwrap();
    assert!(
        refusal(&wrap(&empty, &[mistyped]))
            .starts_with("feature set \"part-0\" does not fit this host: ")
    );
}

#[test]
fn limits_are_checked_before_anything_is_compiled() {
    let file = artifact(&[Part::start(), Part::data(&[CONNECTIONS], SEND, "")]);
    let load = |change: fn(&mut aro_host::ArtifactLimits)| {
        let mut settings = settings().0;
        change(&mut settings.artifact);
        let refused = Host::new(settings)
            .unwrap()
            .load(TenantId::default(), &file)
            .err()
            .unwrap();
        refused.source().unwrap().to_string()
    };
    assert_eq!(
        load(|limits| limits.file_bytes_max = 10),
        format!("the file has {} bytes; at most 10 are read", file.len())
    );
    assert_eq!(
        load(|limits| limits.feature_sets_max = 1),
        "the program has 2 feature sets; at most 1 are allowed"
    );
    assert!(load(|limits| limits.functions_max = 1).contains("functions; at most 1 are allowed"));
}
