//! Any text is a template or none, and either is said without panic or hang.

#![no_main]

use aro_to_wasm::source::SourceFile;
use aro_to_wasm::{Input, compile};
use libfuzzer_sys::fuzz_target;

const PROGRAM: &str = "(Application-Start: Page) {
    Create the <items> with [{ name: \"a\" }, { name: \"b\" }].
    Transform the <page> from the <template: page.html>.
    Log <page> to the <console>.
    Return an <OK: status> for the <startup>.
}
";

fuzz_target!(|bytes: &[u8]| {
    let file = |path: &str, text: String| SourceFile {
        path: path.to_owned(),
        text,
    };
    let input = Input {
        name: "fuzzed".to_owned(),
        files: vec![file("main.aro", PROGRAM.to_owned())],
        templates: vec![file("templates/page.html", String::from_utf8_lossy(bytes).into_owned())],
        ..Input::default()
    };
    compile(input).expect("no component comes from outside");
});
