//! Any text is read and checked without panic or hang: lexer, parser and checks alone, a thousand times as often as whole programs are compiled.

#![no_main]

use aro_to_wasm::diagnostic;
use aro_to_wasm::source::SourceFile;
use aro_to_wasm::lint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let file = SourceFile {
        path: "main.aro".to_owned(),
        text: String::from_utf8_lossy(bytes).into_owned(),
    };
    let length = file.text.len() as u32;
    let checked = lint(vec![file], true);
    for found in &checked.diagnostics {
        let labels = found.labels.iter().map(|(span, _)| *span);
        for span in found.primary.into_iter().chain(labels) {
            assert!(span.start <= span.end && span.end <= length, "{found:?}");
            assert!(checked.files.first().is_some_and(|file| file.text.get(span.start as usize..span.end as usize).is_some()), "{found:?}");
        }
    }
    diagnostic::render(&checked.diagnostics, &checked.files, false);
});
