//! What a program may reach of the machine: files, environment, standard input, time.

use aro_host::{Captured, ConsoleSink, Host, Outcome, Settings, Stream, TenantId};
use harness::{compile, sources, within};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// Loads and runs a start with this body; answers what it printed, errors last, or why it was refused.
async fn run(body: &str, change: impl FnOnce(&mut Settings)) -> Result<(Outcome, String), String> {
    let text = format!(
        "(Application-Start: Grants) {{\n    {body}\n    Return an <OK: status> for the <application>.\n}}"
    );
    let console = Captured::default();
    let mut settings = Settings::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
    settings.console = ConsoleSink::Capture(console.clone());
    settings.limits.instances_max = 16;
    change(&mut settings);
    let host = Host::new(settings).unwrap();
    let bytes = compile(sources(&[("main.aro", &text)]));
    let program = host
        .load(TenantId::default(), &bytes)
        .map_err(|error| error.to_string())?;
    let outcome = within("the program ends", program.run(std::future::pending())).await;
    let printed = console.text(Stream::Output) + &console.text(Stream::Error);
    Ok((outcome, printed))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_wants_files_is_refused_with_its_statement() {
    let refused = run("Read the <x> from the <file: \"./a.txt\">.", |_| {}).await;
    assert_eq!(
        refused.unwrap_err(),
        "feature set \"Application-Start\" reads files (`<Read> the <x> from the <file: ./a.txt>.` at main.aro:2:5), which is not granted: --dir PATH"
    );
    let refused = run("Write \"x\" to the <file: \"./a.txt\">.", |_| {}).await;
    assert!(refused.unwrap_err().contains("changes files (`<Write>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn environment_and_input_must_be_granted() {
    let body = "Extract the <home> from the <env: HOME>.\n    Log <home> to the <console>.";
    let refused = run(body, |_| {}).await.unwrap_err();
    assert!(
        refused.contains("reads the environment variable HOME (`<Extract> the <home>"),
        "{refused}"
    );
    assert!(refused.ends_with("--env HOME"), "{refused}");
    let granted = run(body, |settings| {
        settings.grants.environment = aro_host::Environment::Named(["HOME".to_owned()].into());
    });
    assert_eq!(granted.await.unwrap().0, Outcome::Success);
    let refused = run("Read the <line> from the <stdin>.", |_| {}).await;
    assert!(refused.unwrap_err().contains("reads the standard input"));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_stay_within_what_is_granted() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("data")).unwrap();
    std::fs::write(root.path().join("secret"), "secret").unwrap();
    let grant = |settings: &mut Settings| {
        settings.grants.directories = vec![root.path().join("data")];
    };
    let body = "Write \"kept\" to the <file: \"./notes/a.txt\">.\n    Read the <back: raw> from the <file: \"./notes/a.txt\">.\n    Log <back> to the <console>.";
    let (outcome, output) = run(body, grant).await.unwrap();
    assert_eq!(
        (outcome, output.as_str()),
        (Outcome::Success, "[Application-Start] kept\n")
    );
    assert_eq!(
        std::fs::read_to_string(root.path().join("data/notes/a.txt")).unwrap(),
        "kept"
    );
    let body = "Read the <secret> from the <file: \"../secret\">.";
    let (outcome, output) = run(body, grant).await.unwrap();
    assert_eq!(outcome, Outcome::Failure);
    assert!(
        output.contains("Cause: Permission denied: ../secret: it is outside of the directories that the program may use"),
        "{output}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sleep_beyond_the_wall_limit_names_its_statement() {
    // A start may wait as long as it likes; a handler may not, and fails alone.
    let handler = "Emit a <Nap: event> with {}.
    Return an <OK: status> for the <application>.
}

(Long Nap: Nap Handler) {
    Sleep the <nap> for 1 hour.";
    let (outcome, output) = run(handler, |settings| {
        settings.limits.wall_time_max = Duration::from_millis(50);
    })
    .await
    .unwrap();
    assert_eq!(outcome, Outcome::Success);
    assert!(output.contains("Cause: took longer than 50 ms"), "{output}");
    assert!(output.contains("Statement: <Sleep> the <nap>"), "{output}");
}
