//! Any text is a program or no program, and either is said without panic or hang: lexer, parser, checks, formatter and code generation.

#![no_main]

use aro_to_wasm::format::{FormatError, Verbs, format};
use aro_to_wasm::source::SourceFile;
use aro_to_wasm::{Input, compile, diagnostic, lint};
use libfuzzer_sys::fuzz_target;
use wasmparser::{Validator, WasmFeatures};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let file = || SourceFile {
        path: "main.aro".to_owned(),
        text: text.clone(),
    };
    let checked = lint(vec![file()], true);
    diagnostic::render(&checked.diagnostics, &[file()], false);
    match format(&text, Verbs::Bare) {
        Ok(formatted) => assert_eq!(format(&formatted, Verbs::Bare).as_ref(), Ok(&formatted)),
        Err(FormatError::Broken(found)) => assert!(!found.is_empty()),
        Err(error) => panic!("{error}"),
    }
    let input = Input {
        name: "fuzzed".to_owned(),
        files: vec![file()],
        ..Input::default()
    };
    let compiled = compile(input).expect("no component comes from outside");
    if let Some(artifact) = compiled.artifact {
        let mut validator = Validator::new_with_features(WasmFeatures::all());
        validator.validate_all(&artifact.bytes).expect("what is built is valid");
    } else {
        assert!(compiled.diagnostics.iter().any(diagnostic::Diagnostic::is_error));
    }
});
