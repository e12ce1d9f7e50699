//! `aro-host` as users run it: the examples as their READMEs say, exit codes, what goes to which stream.

use harness::{Peer, Serving, aro_host, http, within};
use std::path::Path;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chat_says_goodbye_when_it_is_terminated() {
    for signal in ["TERM", "INT"] {
        let mut serving = Serving::start("examples/chat").await;
        assert_eq!(
            serving.line().await,
            "[Application-Start] The room is open. Try: nc localhost 9000"
        );
        let mut ann = Peer::connect(serving.address).await;
        assert_eq!(ann.line().await, "* somebody came in");
        let entered = serving.line().await;
        let id = entered
            .strip_prefix("[Enter] ")
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .to_owned();
        assert_eq!(entered, format!("[Enter] {id} came from {}", ann.address()));
        let mut bob = Peer::connect(serving.address).await;
        for peer in [&mut ann, &mut bob] {
            assert_eq!(peer.line().await, "* somebody came in");
        }
        serving.line().await;
        ann.send("hello\n").await;
        for peer in [&mut ann, &mut bob] {
            let post = peer.json().await;
            assert_eq!(
                (post["from"].as_str(), post["message"].as_str()),
                (Some(id.as_str()), Some("hello\n"))
            );
        }
        bob.send("/bye\n").await;
        bob.expect("* bye\n").await;
        bob.closed().await;
        assert_eq!(ann.line().await, "* somebody left");
        assert!(serving.line().await.ends_with(" left: connection closed"));
        serving.signal(signal);
        let farewell = tokio::spawn(async move { ann.rest().await });
        let (status, lines, error) = serving.end().await;
        assert_eq!(
            within("the farewell", farewell).await.unwrap(),
            b"* the room closes\n"
        );
        assert_eq!((status.code(), error.as_str()), (Some(0), ""));
        // The response of the start is the last thing a program says.
        assert_eq!(lines, ["Socket Server stopped", "[OK] startup"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn echo_answers_as_its_readme_says() {
    let mut serving = Serving::start("examples/echo").await;
    assert_eq!(
        serving.line().await,
        "[Application-Start] Echo is listening. Try: nc localhost 9000"
    );
    let mut peer = Peer::connect(serving.address).await;
    peer.send("hello\n").await;
    peer.expect("hello\n").await;
    serving.signal("TERM");
    peer.closed().await;
    let (status, lines, error) = serving.end().await;
    assert_eq!((status.code(), error.as_str()), (Some(0), ""));
    assert_eq!(lines, ["[OK] startup"]);
}

/// Exit code, standard output and standard error of `aro-host run` of a program.
async fn run(text: &str) -> (Option<i32>, String, String) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("main.aro"), text).unwrap();
    run_path(directory.path()).await
}

async fn run_path(path: &Path) -> (Option<i32>, String, String) {
    let output = aro_host(&["run", path.to_str().unwrap()]).output();
    let output = within("the program ends", output).await.unwrap();
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.code(), stdout, stderr)
}

#[tokio::test]
async fn hello_prints_its_line_only() {
    let text = "(Application-Start: Hello) {
    Log \"Hello from ARO\" to the <console>.
    Return an <OK: status> for the <application>.
}
";
    assert_eq!(
        run(text).await,
        (
            Some(0),
            "[Application-Start] Hello from ARO\n".to_owned(),
            String::new()
        )
    );
}

#[tokio::test]
async fn the_response_of_the_start_is_printed_last() {
    let text = "(Application-Start: Answers) {
    Create the <answer> with { count: 42, share: 0.5, names: [\"a\", \"b\"], nested: { deep: true } }.
    Log \"first\" to the <console>.
    Return an <OK: status> with <answer> for the <startup>.
}
";
    let (code, output, error) = run(text).await;
    assert_eq!((code, error.as_str()), (Some(0), ""), "{error}");
    assert_eq!(
        output,
        "[Application-Start] first\n[OK] startup\n  count: 42\n  names: [\"a\",\"b\"]\n  nested.deep: true\n  share: 0.50\n"
    );
}

#[tokio::test]
async fn a_start_without_return_is_a_success() {
    let text = "(Application-Start: Quiet) {
    Create the <unused> with 1.
    Log <unused> to the <console>.
}
";
    let (code, output, error) = run(text).await;
    assert_eq!(
        (code, output.as_str()),
        (Some(0), "[Application-Start] 1\n[OK] success\n"),
        "{error}"
    );
}

#[tokio::test]
async fn an_uncaught_throw_ends_the_program_with_its_sentence() {
    let text = "(Application-Start: Checking) {
    Create the <amount> with 5.
    Log \"checking\" to the <console>.
    Throw the <InputError> for the <amount> when <amount> > 3.
    Log \"never\" to the <console>.
    Return an <OK: status> for the <application>.
}

(Application-End: Error) {
    Extract the <reason> from the <shutdown: reason>.
    Log \"ended\" to the <console>.
    Return an <OK: status> for the <reason>.
}
";
    let (code, output, error) = run(text).await;
    assert_eq!((code, error.as_str()), (Some(1), ""));
    assert_eq!(
        output,
        "[Application-Start] checking
[Application-End] ended
Runtime error: Runtime Error: Cannot throw the InputError for the amount when <condition>.
  Feature: Application-Start
  Business Activity: Checking
  Statement: <Throw> the <InputError> for the <amount> when <condition>.
  Cause: InputError in Application-Start: amount
  Source: main.aro:4:5
          Trace:
            amount = 5
"
    );
}

#[tokio::test]
async fn undefined_variables_in_expressions_are_errors_of_their_own() {
    let text = "(Application-Start: Undefined) {
    Compute the <total> from <price> * 2.
    Return an <OK: status> with <total>.
}
";
    let (code, output, error) = run(text).await;
    assert_eq!(code, Some(1));
    assert!(
        output.starts_with("Error: Undefined variable: price\n  Feature: Application-Start\n"),
        "{output}"
    );
    assert!(output.contains("  Source: main.aro:2:5\n"), "{output}");
    // What the compiler doubted is told to those who ask.
    assert_eq!(error, "");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("main.aro");
    std::fs::write(&path, text).unwrap();
    let verbose = aro_host(&["run", "--verbose", path.to_str().unwrap()]).output();
    let verbose = within("the program ends", verbose).await.unwrap();
    let error = String::from_utf8(verbose.stderr).unwrap();
    assert!(error.contains("warning[W0003]"), "{error}");
}

#[tokio::test]
async fn what_cannot_run_has_its_own_exit_codes() {
    let (code, output, error) =
        run("(Application-Start: Broken) { Create the <a> with 1. Create the <a> with 2. }").await;
    assert_eq!((code, output.as_str()), (Some(1), ""));
    assert!(error.contains("error[E0021]"), "{error}");
    let (code, output, error) = run_path(Path::new("no-such-program.wasm")).await;
    assert_eq!((code, output.as_str()), (Some(2), ""));
    assert!(
        error.starts_with("error: cannot read no-such-program.wasm: "),
        "{error}"
    );
}

#[tokio::test]
async fn foreign_files_are_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.wasm");
    std::fs::write(&path, "\u{7f}ELF\u{2}\u{1}\u{1}").unwrap();
    let (code, output, error) = run_path(&path).await;
    assert_eq!((code, output.as_str()), (Some(1), ""));
    assert!(
        error.contains("app.wasm") && error.contains("not WebAssembly"),
        "{error}"
    );
}

#[tokio::test]
async fn a_program_lives_as_long_as_its_http_server() {
    const CONTRACT: &str = "openapi: 3.1.0\ninfo: { title: T, version: '1' }\npaths:\n  /end:\n    post:\n      operationId: end\n      responses: { '200': { description: ended } }\n";
    for keepalive in ["", "Keepalive the <application> for the <events>."] {
        let program = format!(
            "(Application-Start: Serve) {{\n    Start the <http-server> with <contract>.\n    {keepalive}\n    Log \"over\" to the <console>.\n    Return an <OK: status> for the <startup>.\n}}\n(end: API) {{\n    Stop the <http-server> with <application>.\n    Return an <OK: status> with {{ ended: true }}.\n}}\n(Application-End: Success) {{\n    Log \"ended\" to the <console>.\n    Return an <OK: status> for the <end>.\n}}\n"
        );
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("main.aro"), program).unwrap();
        std::fs::write(directory.path().join("openapi.yaml"), CONTRACT).unwrap();
        let mut server = Serving::start(directory.path().to_str().unwrap()).await;
        // A program without sources would be over by then.
        tokio::time::sleep(std::time::Duration::from_secs(4)).await;
        assert!(server.is_running(), "it is kept alive");
        let answer = http::ask(server.address, "POST /end", "", "").await;
        assert!(answer.ends_with("{\"ended\":true}"), "{answer}");
        let (status, rest, _) = server.end().await;
        assert_eq!(status.code(), Some(0), "{rest:?}");
        let mut expected = vec![
            "HTTP Server stopped",
            "[Application-Start] over",
            "[Application-End] ended",
            "[OK] startup",
        ];
        if keepalive.is_empty() {
            expected.swap(0, 1);
        }
        assert_eq!(rest, expected);
    }
}
