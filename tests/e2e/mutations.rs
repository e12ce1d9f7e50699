//! A damaged artifact is refused with an error that says why, or loads: it never takes the host down, and costs little.

use crate::artifact::parts;
use aro_host::{ArtifactError, Host, LoadError, Settings, TenantId};
use harness::{Random, compile, directory};
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::time::{Duration, Instant};

/// Mutations of everything but the value runtime.
const MUTATIONS: u64 = 10_000;

fn host() -> Host {
    let mut settings = Settings::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
    settings.limits.instances_max = 4;
    Host::new(settings).unwrap()
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

#[test]
fn measure() {
    let artifact = compile(directory("examples/echo"));
    let parts = parts(&artifact);
    let host = host();
    let (mut ok, mut err) = ((0, Duration::ZERO), (0, Duration::ZERO));
    let mut kinds = std::collections::BTreeMap::<String, usize>::new();
    for (places, count) in [(vec![0..parts.runtime.start, parts.runtime.end..artifact.len()], 2000), (vec![parts.runtime.clone()], 50)] {
        (ok, err) = ((0, Duration::ZERO), (0, Duration::ZERO));
        for seed in 0..count {
            let mut random = Random::new(seed);
            let mut bytes = artifact.clone();
            let place = places[random.below(places.len())].clone();
            mutate(&mut bytes, place, &mut random);
            let start = Instant::now();
            let loaded = host.load(TenantId::default(), &bytes);
            let slot = if loaded.is_ok() { &mut ok } else { &mut err };
            slot.0 += 1;
            slot.1 += start.elapsed();
            if let Err(error) = &loaded { *kinds.entry(text(error).chars().take(60).collect()).or_default() += 1; }
        }
        println!("{} ok {ok:?} err {err:?}", artifact.len());
    }
    println!("{kinds:#?}");
}
