//! The helpers of `aro:files`. All their functions but two answer a result whose error is a sentence.

use wasm_encoder::ValType;

use super::{Body, Helper, I32};
use crate::ir::HostFunction;
use aro_wit::interface::{
    FILES_MONITORING as MONITORING, FILES_READING as READING, FILES_SERVING as SERVING,
    FILES_WRITING as WRITING,
};

/// What a function of `aro:files` answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Nothing.
    None,
    /// A flag, and it cannot fail.
    Flag,
    /// Nothing, or a sentence.
    Done,
    /// Contents of a file, or a sentence.
    Contents,
    /// An encoded value, or a sentence.
    Encoded,
}

/// Core parameters, the imported function, what it answers.
type Row = (
    &'static [ValType],
    &'static [(&'static str, &'static str)],
    Answer,
);

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the caller passes functions of files only"
)]
fn row(function: HostFunction) -> Row {
    use HostFunction as H;
    match function {
        H::FileRead => (&[I32; 2], &[(READING, "read")], Answer::Contents),
        H::FileList => (&[I32; 5], &[(READING, "list")], Answer::Encoded),
        H::FileStat => (&[I32; 2], &[(READING, "stat")], Answer::Encoded),
        H::FileExists => (&[I32; 3], &[(READING, "exists")], Answer::Flag),
        H::FileWrite => (&[I32; 4], &[(WRITING, "write")], Answer::Done),
        H::FileAppend => (&[I32; 4], &[(WRITING, "append")], Answer::Done),
        H::FileMakeDirectory => (&[I32; 2], &[(WRITING, "make-directory")], Answer::Done),
        H::FileTouch => (&[I32; 2], &[(WRITING, "touch")], Answer::Done),
        H::FileCopy => (&[I32; 4], &[(WRITING, "copy")], Answer::Done),
        H::FileMove => (&[I32; 4], &[(WRITING, "move")], Answer::Done),
        H::FileRemove => (&[I32; 2], &[(WRITING, "remove")], Answer::Done),
        H::ServeFile => (&[I32; 2], &[(SERVING, "respond-with")], Answer::Done),
        H::FileUnwatch => (&[], &[(MONITORING, "stop")], Answer::None),
        H::FileWatch => (&[I32; 2], &[(MONITORING, "watch")], Answer::Done),
        other => unreachable!("{other:?} is no function of files"),
    }
}

/// The parts of a helper for files.
pub(super) fn helper(function: HostFunction) -> Helper {
    let (params, imports, answer) = row(function);
    Helper {
        params,
        results: match answer {
            Answer::None => &[],
            Answer::Flag | Answer::Done | Answer::Contents | Answer::Encoded => &[I32],
        },
        imports,
        runtime: match answer {
            Answer::None | Answer::Flag => &[],
            Answer::Done => &["raise"],
            Answer::Contents => &["data", "raise"],
            Answer::Encoded => &["decode", "raise"],
        },
        helpers: &[],
    }
}

impl Body<'_> {
    /// Calls the function with the parameters as they are; an error becomes zero and a message.
    pub(super) fn file(&mut self, function: HostFunction) -> &mut Self {
        let (params, imports, answer) = row(function);
        self.locals(params.len() as u32);
        let is_plain = matches!(answer, Answer::None | Answer::Flag);
        if !is_plain {
            self.scratch();
        }
        for (interface, name) in imports {
            self.import(interface, name);
        }
        if is_plain {
            return self;
        }
        self.load8(0).when(Some(I32)).load32(4).load32(8);
        self.runtime("raise").number(0).otherwise();
        match answer {
            Answer::Contents => self.load32(4).load32(8).runtime("data"),
            Answer::Encoded => self.load32(4).load32(8).runtime("decode"),
            Answer::None | Answer::Flag | Answer::Done => self.number(1),
        };
        self.end()
    }
}
