//! A damaged artifact is refused with an error that says why, or loads: it never takes the host down, and costs little.

use crate::artifact::{Parts, parts};
use aro_host::{ArtifactError, Host, LoadError, Settings, TenantId};
use harness::{Random, compile, directory};
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::time::{Duration, Instant};

const MUTATIONS: u64 = 10_000;
/// Compiling the whole of a small program takes a fraction of this, even on a busy machine.
const LOAD_TIME_MAX: Duration = Duration::from_secs(20);

fn settings() -> Settings {
    let mut settings = Settings::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
    settings.limits.instances_max = 4;
    settings
}

fn host() -> Host {
    Host::new(settings()).unwrap()
}

/// Damages some bytes within `place`.
fn mutate(bytes: &mut Vec<u8>, place: Range<usize>, random: &mut Random) {
    let within = |random: &mut Random| place.start + random.below(place.len());
    let at = within(random);
    let length = random.length(64).min(place.end - at);
    match random.below(10) {
        0..=4 => (0..=random.below(3)).for_each(|_| bytes[within(random)] ^= 1 << random.below(8)),
        5 => bytes.truncate(at),
        6 => bytes[at..at + length].fill(0),
        7 => random.fill(&mut bytes[at..at + length]),
        8 => drop(bytes.drain(at..at + length)),
        _ => {
            let from = within(random);
            let piece = bytes[from..from + random.length(64).min(place.end - from)].to_vec();
            drop(bytes.splice(at..at + length, piece));
        }
    }
}

fn text(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// Where a mutation falls: mostly in what a program brings along, now and then in the value runtime, which takes long to compile.
fn place(artifact: &[u8], parts: &Parts, random: &mut Random) -> Range<usize> {
    match random.below(32) {
        0 => parts.runtime.clone(),
        1..=6 => parts.manifest.clone(),
        7..=20 => parts.components[random.below(parts.components.len())].clone(),
        21 => 0..parts.runtime.start,
        _ => parts.runtime.end..artifact.len(),
    }
}

#[test]
fn damaged_artifacts_load_or_are_refused() {
    let artifact = compile(directory("examples/echo"));
    let parts = parts(&artifact);
    let host = host();
    let (mut loaded, mut slowest) = (0, Duration::ZERO);
    for seed in 0..MUTATIONS {
        let mut random = Random::new(seed);
        let mut bytes = artifact.clone();
        let place = place(&artifact, &parts, &mut random);
        mutate(&mut bytes, place, &mut random);
        let start = Instant::now();
        match host.load(TenantId::default(), &bytes) {
            Ok(_) => loaded += 1,
            Err(error) => assert!(
                text(&error).len() > "the program cannot be loaded: ".len(),
                "{seed}: {error:?}"
            ),
        }
        slowest = slowest.max(start.elapsed());
    }
    assert!(slowest < LOAD_TIME_MAX, "{slowest:?}");
    // Neither all caught by a check of the whole nor all harmless: both ways are tried.
    assert!(
        (MUTATIONS / 100..MUTATIONS / 2).contains(&loaded),
        "{loaded} of {MUTATIONS} load"
    );
    assert!(host.load(TenantId::default(), &artifact).is_ok());
}

/// Bytes that other programs write, and what the host says to each.
#[test]
fn foreign_files_are_refused_by_what_they_are() {
    let not_wasm = "the program cannot be loaded: the file is not WebAssembly";
    let foreign: [(&[u8], &str); 6] = [
        (b"", not_wasm),
        (b"(Application-Start: Hello) { }", not_wasm),
        (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0", not_wasm),
        (
            b"\0asm",
            "the program cannot be loaded: the file is damaged or truncated at byte 4: unexpected end-of-file (at offset 0x4)",
        ),
        (
            b"\0asm\x01\0\0\0",
            "the program cannot be loaded: the file is a core module, not a component: build it with `aro-to-wasm build`",
        ),
        (
            b"\0asm\x0d\0\x01\0",
            "the program cannot be loaded: the component has no section \"aro:manifest\": it was not built by aro-to-wasm",
        ),
    ];
    let host = host();
    for (bytes, expected) in foreign {
        let Err(error) = host.load(TenantId::default(), bytes) else {
            panic!("{bytes:?} loads")
        };
        assert!(matches!(error, LoadError::Artifact(_)), "{error:?}");
        assert_eq!(text(&error), expected);
    }
}

#[test]
fn a_file_beyond_the_limit_is_not_looked_at() {
    let artifact = compile(directory("examples/echo"));
    let mut settings = settings();
    settings.artifact.file_bytes_max = artifact.len() - 1;
    let host = Host::new(settings).unwrap();
    let error = host.load(TenantId::default(), &artifact).err().unwrap();
    assert!(
        matches!(
            error,
            LoadError::Artifact(ArtifactError::FileTooLarge { .. })
        ),
        "{error:?}"
    );
}
