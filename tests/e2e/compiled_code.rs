//! Where machine code comes from: the cache, and the process that compiles others' programs.

use aro_host::{CompileIn, Host, LoadError, Settings, TenantId};
use harness::{Peer, Serving, aro_host, binary, compile, directory, sources};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Serves the echo with a cache, says hello to it and ends it; answers what the host logged.
async fn serve(cache: &Path) -> String {
    let cache = cache.to_str().unwrap();
    let arguments = [
        "serve",
        "--bind",
        "127.0.0.1",
        "--code-cache",
        cache,
        "examples/echo",
    ];
    let mut command = aro_host(&arguments);
    command.env("RUST_LOG", "aro_host=debug");
    let serving = Serving::start_with(command).await;
    let mut peer = Peer::connect(serving.address).await;
    peer.send("hello\n").await;
    peer.expect("hello\n").await;
    serving.signal("TERM");
    serving.end().await.2
}

/// Times of the last change of all files.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_compiled_before_is_not_compiled_again() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("code");
    let log = serve(&cache).await;
    assert_eq!(log.matches("machine code is made").count(), 3, "{log}");
    let kept = files(&cache);
    // Two feature sets and the value runtime.
    assert_eq!(kept.len(), 3, "{:?}", kept.keys());
    let log = serve(&cache).await;
    assert_eq!(log.matches("machine code is made").count(), 0, "{log}");
    assert_eq!(files(&cache), kept);

    // A damaged file costs time and nothing else.
    let (name, bytes) = kept.first_key_value().unwrap();
    let mut damaged = bytes.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(cache.join(name), damaged).unwrap();
    let log = serve(&cache).await;
    assert_eq!(log.matches("compiled code is damaged").count(), 1, "{log}");
    assert_eq!(log.matches("machine code is made").count(), 1, "{log}");
    assert_eq!(files(&cache), kept);

    // What others can write to is not trusted.
    fs::set_permissions(&cache, PermissionsExt::from_mode(0o777)).unwrap();
    let log = serve(&cache).await;
    assert!(log.contains("others may write to it"), "{log}");
    assert_eq!(log.matches("machine code is made").count(), 3, "{log}");
}

/// A program that takes long to compile.
fn large() -> Vec<u8> {
    let mut text = String::from("(Application-Start: Large) {\n    Create the <v0> with 1.\n");
    for number in 1..6000 {
        let before = number - 1;
        text += &format!("    Compute the <v{number}> from <v{before}> * {number} + <v0>.\n");
    }
    text += "    Return an <OK: status> for the <startup>.\n}\n";
    compile(sources(&[("main.aro", &text)]))
}

fn host(change: impl FnOnce(&mut Settings)) -> Host {
    let mut settings = Settings::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
    settings.compile_in = CompileIn::Child(binary("aro-host"));
    change(&mut settings);
    Host::new(settings).unwrap()
}

fn refusal(host: &Host, file: &[u8]) -> String {
    match host.load(TenantId::new("large").unwrap(), file).err() {
        Some(LoadError::Compile {
            feature_set,
            source,
        }) => {
            let cause = source.source().map(ToString::to_string);
            format!("{feature_set}: {source} {}", cause.unwrap_or_default())
        }
        Some(other) => panic!("{other:?}"),
        None => panic!("it is loaded"),
    }
}

#[test]
fn compiling_ends_at_its_limits_and_the_next_program_is_served() {
    let file = large();
    let small = compile(directory("examples/echo"));
    let late = host(|settings| settings.artifact.compile_wall_time_max = Duration::from_millis(1));
    let refused = refusal(&late, &file);
    assert!(
        refused.starts_with("application-start: compiling took longer than compile_wall_time_max"),
        "{refused}"
    );
    let hungry = host(|settings| settings.artifact.compile_memory_bytes_max = 96 << 20);
    let refused = refusal(&hungry, &file);
    assert!(
        refused.starts_with(
            "application-start: compiling needs more than compile_memory_bytes_max (96 MiB)"
        ),
        "{refused}"
    );
    hungry
        .load(TenantId::new("small").unwrap(), &small)
        .unwrap();
    let slow = host(|settings| settings.artifact.compile_cpu_time_max = Duration::ZERO);
    let refused = refusal(&slow, &file);
    assert!(
        refused.starts_with("application-start: compiling needs more than compile_cpu_time_max"),
        "{refused}"
    );
}

#[test]
fn a_host_that_cannot_confine_its_compiler_does_not_compile() {
    let host = host(|settings| settings.compile_in = CompileIn::Child("/bin/false".into()));
    let file = compile(directory("examples/echo"));
    let refused = refusal(&host, &file);
    assert!(
        refused.contains("the process that compiles ended with exit status: 1"),
        "{refused}"
    );
}

#[test]
fn the_process_that_compiles_has_no_files_no_network_and_no_secrets() {
    let mut child = Command::new(binary("aro-host"))
        .args([
            "compile-parts",
            "--memory-bytes",
            "1073741824",
            "--cpu-seconds",
            "10",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It answers Wasm that is none, so it has confined itself by then.
    let mut input = child.stdin.take().unwrap();
    input.write_all(&[0, 1, 0, 0, 0, 0, 0, 0, 0, b'?']).unwrap();
    let mut answer = [0; 9];
    let output = child.stdout.as_mut().unwrap();
    std::io::Read::read_exact(output, &mut answer).unwrap();
    assert_eq!(answer[0], 0, "refused");
    let about = |what: &str| fs::read_to_string(format!("/proc/{}/{what}", child.id())).unwrap();
    let status = about("status");
    for line in ["Seccomp:\t2", "NoNewPrivs:\t1"] {
        assert!(status.contains(line), "{line}: {status}");
    }
    let limits = about("limits");
    let limit = |name: &str| -> Vec<String> {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        let words = line[name.len()..].split_whitespace();
        words.take(2).map(str::to_owned).collect()
    };
    assert_eq!(limit("Max open files"), ["0", "0"]);
    assert_eq!(limit("Max address space"), ["1073741824", "1073741824"]);
    assert_eq!(limit("Max cpu time"), ["10", "11"]);
    drop(input);
    assert!(child.wait().unwrap().success());
}
