//! One event while it is recorded, and the file that becomes of it.
//!
//! A file is one CBOR array (RFC 8949): magic, version, digest of the artifact, tenant, component, what happened, calls, whether all calls are there, outcome. A call is an array of name, arguments and answer. Arguments are a byte string of CBOR, or where they are long their length and digest, which is enough to see whether a replay asks the same. An answer is null where none came, else `[0, value]`, `[1, refusal]` or `[2, trap]`.

use super::occasion::Occasion;
use super::pen::Pen;
use minicbor::Decoder;
use minicbor::data::Type;
use minicbor::decode::Error;
use sha2::{Digest, Sha256};

/// What a file begins with.
const MAGIC: &str = "aro-event";
/// Of the format.
const VERSION: u64 = 1;
/// Longer arguments are kept as their digest.
const ARGUMENTS_BYTES_MAX: usize = 1024;
/// Calls that a reader accepts in one file.
const CALLS_MAX: usize = 1_000_000;

/// What a host function answered.
pub(crate) enum Answer<'a> {
    /// Encoded.
    Value(&'a [u8]),
    /// The host does not allow it, and the execution ends.
    Refused(&'a str),
    /// Something else ends the execution.
    Trap(&'a str),
}

/// An event that is being handled.
#[derive(Debug)]
pub(crate) struct Recording {
    calls: Pen,
    count: usize,
    /// A call has been asked and not answered.
    is_open: bool,
    /// Whether every call is there.
    is_whole: bool,
    bytes_max: usize,
}

impl Recording {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            calls: Pen::default(),
            count: 0,
            is_open: false,
            is_whole: true,
            bytes_max,
        }
    }

    /// A host function is called.
    pub(crate) fn asked(&mut self, name: &str, arguments: &[u8]) {
        if !self.is_whole {
            return;
        }
        let before = self.calls.len();
        self.calls.array(3).text(name);
        self.calls.raw(&shortened(arguments));
        if self.calls.len() > self.bytes_max {
            self.calls.truncate(before);
            self.is_whole = false;
        } else {
            self.is_open = true;
            self.count += 1;
        }
    }

    /// It has answered.
    pub(crate) fn answered(&mut self, answer: Answer<'_>) {
        if !self.is_open {
            return;
        }
        self.is_open = false;
        let before = self.calls.len();
        match answer {
            Answer::Value(value) => self.calls.array(2).number(0).bytes(value),
            Answer::Refused(text) => self.calls.array(2).number(1).text(text),
            Answer::Trap(text) => self.calls.array(2).number(2).text(text),
        };
        if self.calls.len() > self.bytes_max {
            // What was asked stays, so that a replay comes this far.
            self.calls.truncate(before);
            self.calls.null();
            self.is_whole = false;
        }
    }

    /// The file, now that the event has been handled.
    pub(crate) fn finish(mut self, head: &Head<'_>, outcome: &str) -> Vec<u8> {
        if self.is_open {
            self.calls.null();
        }
        let mut file = Pen::default();
        file.array(9).text(MAGIC).number(VERSION);
        file.bytes(head.app).text(head.tenant).text(head.component);
        head.occasion.write(&mut file);
        file.array(self.count).raw(self.calls.as_slice());
        file.flag(self.is_whole).text(outcome);
        file.into_bytes()
    }
}

/// What stands before the calls.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    /// Digest of the artifact.
    pub(crate) app: &'a [u8],
    pub(crate) tenant: &'a str,
    /// The feature set, by the name of its component.
    pub(crate) component: &'a str,
    pub(crate) occasion: &'a Occasion,
}

/// Arguments as one item: whole, or as length and digest.
pub(super) fn shortened(arguments: &[u8]) -> Vec<u8> {
    let mut item = Pen::default();
    if arguments.len() <= ARGUMENTS_BYTES_MAX {
        item.bytes(arguments);
    } else {
        item.array(2).number(arguments.len() as u64);
        item.bytes(&Sha256::digest(arguments));
    }
    item.into_bytes()
}

/// A recorded event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// Digest of the artifact, in hexadecimal digits.
    pub(crate) app: String,
    pub(crate) tenant: String,
    pub(crate) component: String,
    pub(crate) occasion: Occasion,
    pub(crate) calls: Vec<Call>,
    pub(crate) is_whole: bool,
    pub(crate) outcome: String,
}

/// A recorded call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// As [`shortened`] writes them.
    pub(crate) arguments: Vec<u8>,
    /// None where none came.
    pub(crate) answer: Option<Given>,
}

/// A recorded answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Given {
    Value(Vec<u8>),
    Refused(String),
    Trap(String),
}

impl Recorded {
    /// Reads a file.
    pub(crate) fn read(file: &[u8]) -> Result<Self, Error> {
        let mut from = Decoder::new(file);
        if from.array()? != Some(9) || from.str()? != MAGIC {
            return Err(Error::message("this is no recorded event"));
        }
        if from.u64()? != VERSION {
            return Err(Error::message(
                "the event was recorded by another version of aro-host",
            ));
        }
        let app = crate::record::hexadecimal(from.bytes()?);
        let tenant = from.str()?.to_owned();
        let component = from.str()?.to_owned();
        let occasion = Occasion::read(&mut from)?;
        let count = from.array()?.unwrap_or_default();
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if count > CALLS_MAX {
            return Err(Error::message("the recorded event has too many calls"));
        }
        let mut calls = Vec::new();
        for _ in 0..count {
            calls.push(Call::read(&mut from, file)?);
        }
        Ok(Self {
            app,
            tenant,
            component,
            occasion,
            calls,
            is_whole: from.bool()?,
            outcome: from.str()?.to_owned(),
        })
    }
}

impl Call {
    fn read(from: &mut Decoder<'_>, file: &[u8]) -> Result<Self, Error> {
        from.array()?;
        let name = from.str()?.to_owned();
        let start = from.position();
        from.skip()?;
        let arguments = file.get(start..from.position()).unwrap_or_default();
        let answer = if from.datatype()? == Type::Null {
            from.null()?;
            None
        } else {
            from.array()?;
            Some(match from.u64()? {
                0 => Given::Value(from.bytes()?.to_vec()),
                1 => Given::Refused(from.str()?.to_owned()),
                _ => Given::Trap(from.str()?.to_owned()),
            })
        };
        Ok(Self {
            name,
            arguments: arguments.to_vec(),
            answer,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: [u8; 32] = [7; 32];

    fn finished(recording: Recording) -> Recorded {
        let occasion = Occasion::Start;
        let head = Head {
            app: &APP,
            tenant: "shop",
            component: "greet",
            occasion: &occasion,
        };
        Recorded::read(&recording.finish(&head, "done")).unwrap()
    }

    #[test]
    fn what_was_recorded_is_read() {
        let mut recording = Recording::new(1000);
        recording.asked("a.b", &[0x80]);
        recording.answered(Answer::Value(&[0x01]));
        recording.asked("a.c", &[0; 5000]);
        recording.answered(Answer::Refused("no"));
        recording.asked("a.d", &[0x80]);
        let recorded = finished(recording);
        assert_eq!((recorded.tenant.as_str(), recorded.app.len()), ("shop", 64));
        let answers: Vec<_> = recorded.calls.iter().map(|call| &call.answer).collect();
        let expected = [
            &Some(Given::Value(vec![1])),
            &Some(Given::Refused("no".to_owned())),
            &None,
        ];
        assert_eq!(answers, expected);
        assert_eq!(recorded.calls[1].arguments, shortened(&[0; 5000]));
        assert!(recorded.calls[1].arguments.len() < 50 && recorded.is_whole);
    }

    #[test]
    fn a_recording_keeps_its_bound() {
        let mut recording = Recording::new(100);
        for _ in 0..10 {
            recording.asked("a.b", &[0x80]);
            recording.answered(Answer::Value(&[0; 20]));
        }
        assert!(recording.calls.len() <= 101);
        let recorded = finished(recording);
        assert!(!recorded.is_whole && recorded.calls.len() < 5);
    }

    #[test]
    fn other_files_are_refused() {
        for file in [&b""[..], b"hello", &[0x89, 0x61, b'x'], &[0x9f; 50]] {
            assert!(Recorded::read(file).is_err());
        }
    }
}
