//! A program that looks for what another tenant has, by every name that ARO has: published variables, repositories, channels, timers, events, files, listeners.

use aro_host::{
    Captured, ConsoleSink, Environment, Grants, Host, Outcome, Program, Settings, Stream, TenantId,
};
use harness::{Peer, compile, sources, within};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

/// Keeps one of everything, and tells nobody but its own peers.
const VICTIM: &str = r#"(Application-Start: Victim) {
    Listen on port 9000 as <vault> with { framing: "line" }.
    Create the <row> with { id: "1", words: "the secret" }.
    Store the <row> into the <secret-repository>.
    Write "the secret" to the <file: "./secret.txt">.
    Schedule the <Beat> with 5 milliseconds.
    Return an <OK: status> for the <startup>.
}
(Tell: DataReceived Handler) {
    Create the <words> with "the secret".
    Publish as <secret> <words>.
    Extract the <connection> from the <event: connection>.
    Create the <news> with "news".
    Subscribe the <connection> to the <news>.
    Retrieve the <rows> from the <secret-repository>.
    Compute the <count: length> from the <rows>.
    Send "${<secret>} ${<count>}\n" to the <connection>.
    Return an <OK: status> for the <telling>.
}
(Hear: Alarm Handler) {
    Log "heard an alarm" to the <console>.
    Return an <OK: status> for the <hearing>.
}
(Go On: Beat Handler) {
    Log "beat" to the <console>.
    Return an <OK: status> for the <beat>.
}"#;

/// One attempt for each line, by its first word; every attempt answers what it has found.
const INTRUDER: &str = r#"(Application-Start: Intruder) {
    Listen on port 9000 as <own> with { framing: "line" }.
    Return an <OK: status> for the <startup>.
}
(Try: DataReceived Handler) {
    Extract the <line> from the <event: data>.
    Split the <parts> from the <line> by /\s+/.
    Extract the <what: first> from the <parts>.
    Extract the <path: last> from the <parts>.
    match <what> {
        case "published" {
            Send "found ${<secret>}\n" to the <event: connection>.
        }
        case "repository" {
            Retrieve the <rows> from the <secret-repository>.
            Compute the <count: length> from the <rows>.
            Send "found ${<count>}\n" to the <event: connection>.
        }
        case "channel" {
            Create the <news> with "news".
            Publish the <line> to the <news>.
            Send "found ${<subscribers: news>}\n" to the <event: connection>.
        }
        case "broadcast" {
            (* A name that is none of its own means all of its own. *)
            Create the <news> with "found nothing\n".
            Broadcast the <news> to the <vault>.
        }
        case "broadcast-where" {
            Create the <news> with "found nothing\n".
            Broadcast the <news> to the <vault> where id != "nobody".
            Broadcast the <line> to the <socket> where server = "vault".
        }
        case "timer" {
            Schedule the <Alarm: once> with 1 millisecond.
            Send "found nothing\n" to the <event: connection>.
        }
        case "cancel" {
            Cancel the <Beat>.
            Send "found nothing\n" to the <event: connection>.
        }
        case "event" {
            Emit an <Alarm: event> with { words: <line> }.
            Send "found nothing\n" to the <event: connection>.
        }
        case "file" {
            Read the <text> from the <file: path>.
            Send "found ${<text>}\n" to the <event: connection>.
        }
        otherwise {
            Send "here\n" to the <event: connection>.
        }
    }
    Return an <OK: status> for the <attempt>.
}
(Hear: Alarm Handler) {
    Log "one's own alarm" to the <console>.
    Return an <OK: status> for the <hearing>.
}"#;

async fn start(host: &Host, name: &str, text: &str, directory: &Path) -> (Program, Captured) {
    let console = Captured::default();
    let mut settings = Settings::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
    settings.socket_port_override = Some(0);
    settings.limits.instances_max = 16;
    settings.console = ConsoleSink::Capture(console.clone());
    settings.data = Some(directory.join("data"));
    settings.grants = Grants {
        directories: vec![directory.join(name)],
        environment: Environment::Named(Default::default()),
        ..settings.grants
    };
    std::fs::create_dir_all(directory.join("data")).unwrap();
    let id = TenantId::new(name).unwrap();
    let artifact = compile(sources(&[("main.aro", text)]));
    let loaded = host.load_as(id, settings, &artifact);
    let mut program = loaded.unwrap_or_else(|error| panic!("{error:?}"));
    let started = within("the program starts", program.start()).await;
    assert_eq!(
        started,
        Outcome::Success,
        "{}",
        console.text(Stream::Output)
    );
    (program, console)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_name_leads_to_what_another_tenant_has() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().canonicalize().unwrap();
    for name in ["victim", "intruder"] {
        std::fs::create_dir(directory.join(name)).unwrap();
    }
    let secret = directory.join("victim/secret.txt");
    std::os::unix::fs::symlink(&secret, directory.join("intruder/link.txt")).unwrap();
    std::os::unix::fs::symlink(directory.join("victim"), directory.join("intruder/way")).unwrap();
    let mut settings = Settings::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
    settings.limits.instances_max = 64;
    let host = Host::new(settings).unwrap();
    let (victim, of_victim) = start(&host, "victim", VICTIM, &directory).await;
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "the secret");
    let (intruder, console) = start(&host, "intruder", INTRUDER, &directory).await;
    let mut told = Peer::connect(victim.listeners()[0]).await;
    told.send("who\n").await;
    assert_eq!(told.line().await, "the secret 1");
    let mut peer = Peer::connect(intruder.listeners()[0]).await;
    let data = directory.join("data/victim.redb");
    for attempt in [
        "published".to_owned(),
        "repository".to_owned(),
        "channel".to_owned(),
        "broadcast".to_owned(),
        "broadcast-where".to_owned(),
        "timer".to_owned(),
        "cancel".to_owned(),
        "event".to_owned(),
        format!("file {}", secret.display()),
        format!("file {}", data.display()),
        "file ../victim/secret.txt".to_owned(),
        "file ./link.txt".to_owned(),
        "file ./way/secret.txt".to_owned(),
        "file ../data/victim.redb".to_owned(),
        "file /proc/self/environ".to_owned(),
        "file /proc/self/cwd/Cargo.toml".to_owned(),
    ] {
        peer.send(format!("{attempt}\nhere\n")).await;
        let mut line = peer.line().await;
        if line != "here" {
            assert!(
                ["found nothing", "found 0", "found "].contains(&line.as_str()),
                "{attempt}: {line}"
            );
            line = peer.line().await;
        }
        assert_eq!(line, "here", "{attempt}");
    }
    // What it prints does not tell either.
    let printed = console.text(Stream::Output) + &console.text(Stream::Error);
    assert!(!printed.contains("the secret"), "{printed}");
    // Both alarms were its own: the one that was raised, and the one of its timer.
    let alarms = |text: &str| text.matches("one's own alarm").count() == 2;
    within("the alarms", console.wait(Stream::Output, alarms)).await;
    // The victim's timer goes on.
    let beats = |text: &str| text.matches("beat\n").count();
    let before = beats(&of_victim.text(Stream::Output));
    let more = of_victim.wait(Stream::Output, |text| beats(text) > before + 1);
    within("the victim's timer", more).await;
    // Nothing has reached the victim or its peer.
    told.send("who\n").await;
    assert_eq!(told.line().await, "the secret 1");
    for program in [victim, intruder] {
        assert_eq!(within("the end", program.stop()).await, Outcome::Success);
    }
    let heard = of_victim.text(Stream::Output) + &of_victim.text(Stream::Error);
    assert!(!heard.contains("heard"), "{heard}");
    told.closed().await;
}
