//! From received bytes to frames: lines, or messages that their length precedes.
//!
//! Plain state, no socket. Memory grows with what has been received, never with what a length promises.

/// Bytes of the length before a frame.
pub(crate) const HEAD_BYTES: usize = 4;
/// Room that is kept between frames; more is given back to the allocator.
const KEEP_BYTES_MAX: usize = 4 << 10;

/// How the bytes of a connection are cut into events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Not at all: an event for each chunk that is read.
    Raw,
    /// By line ends.
    Line {
        /// Longest line.
        bytes_max: usize,
    },
    /// By lengths of [`HEAD_BYTES`] bytes, big-endian.
    Length {
        /// Longest frame.
        bytes_max: usize,
    },
}

/// A frame is longer than it may be; shown to the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a line is longer than {bytes_max} bytes")]
    Line { bytes_max: usize },
    #[error("a frame of {bytes} bytes is longer than {bytes_max}")]
    Length { bytes: u32, bytes_max: usize },
}

/// What has been received of the next frame.
#[derive(Debug)]
pub(crate) struct Frames {
    framing: Framing,
    head: [u8; HEAD_BYTES],
    head_bytes: usize,
    partial: Vec<u8>,
}

impl Frames {
    /// None where there is nothing to cut.
    pub(crate) fn new(framing: Framing) -> Option<Box<Self>> {
        (framing != Framing::Raw).then(|| {
            Box::new(Self {
                framing,
                head: [0; HEAD_BYTES],
                head_bytes: 0,
                partial: Vec::new(),
            })
        })
    }

    /// Bytes of a frame that is not whole.
    pub(crate) fn partial(&self) -> usize {
        self.partial.len()
    }

    /// Takes the next whole frame off the front of `input`; none when all of it has been taken and more must come.
    ///
    /// # Errors
    /// [`FrameError`] if the frame is too long; nothing can be received after that.
    pub(crate) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, FrameError> {
        match self.framing {
            Framing::Raw => Ok(None),
            Framing::Line { bytes_max } => self.line(input, bytes_max),
            Framing::Length { bytes_max } => self.length(input, bytes_max),
        }
    }

    fn line(&mut self, input: &mut &[u8], bytes_max: usize) -> Result<Option<Vec<u8>>, FrameError> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let (part, rest) = input.split_at(end.unwrap_or(input.len()));
        // A carriage return may still turn out to belong to the line end.
        if self.partial.len() + part.len() > bytes_max + 1 {
            return Err(FrameError::Line { bytes_max });
        }
        self.partial.extend_from_slice(part);
        *input = rest.get(1..).unwrap_or_default();
        if end.is_none() {
            return Ok(None);
        }
        self.partial.pop_if(|last| *last == b'\r');
        if self.partial.len() > bytes_max {
            return Err(FrameError::Line { bytes_max });
        }
        Ok(Some(self.take()))
    }

    fn length(
        &mut self,
        input: &mut &[u8],
        bytes_max: usize,
    ) -> Result<Option<Vec<u8>>, FrameError> {
        while let Some(free) = self.head.get_mut(self.head_bytes) {
            let Some((byte, rest)) = input.split_first() else {
                return Ok(None);
            };
            *free = *byte;
            self.head_bytes += 1;
            *input = rest;
        }
        let bytes = u32::from_be_bytes(self.head);
        let length = usize::try_from(bytes).unwrap_or(usize::MAX);
        if length > bytes_max {
            return Err(FrameError::Length { bytes, bytes_max });
        }
        let missing = length - self.partial.len();
        let (part, rest) = input.split_at(missing.min(input.len()));
        self.partial.extend_from_slice(part);
        *input = rest;
        if self.partial.len() < length {
            return Ok(None);
        }
        self.head_bytes = 0;
        Ok(Some(self.take()))
    }

    fn take(&mut self) -> Vec<u8> {
        if self.partial.capacity() > KEEP_BYTES_MAX {
            return std::mem::take(&mut self.partial);
        }
        let frame = self.partial.clone();
        self.partial.clear();
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(framing: Framing, chunks: &[&[u8]]) -> Result<Vec<Vec<u8>>, FrameError> {
        let mut frames = Frames::new(framing).unwrap();
        let mut found = Vec::new();
        for chunk in chunks {
            let mut input = *chunk;
            while let Some(frame) = frames.next(&mut input)? {
                found.push(frame);
            }
            assert!(input.is_empty());
        }
        Ok(found)
    }

    #[test]
    fn lines_are_cut_wherever_chunks_end() {
        let framing = Framing::Line { bytes_max: 8 };
        let found = cut(framing, &[b"one\ntw", b"o\r", b"\n\n", b"fo", b"ur\nrest"]);
        let expected: [&[u8]; 4] = [b"one", b"two", b"", b"four"];
        assert_eq!(found.unwrap(), expected);
    }

    #[test]
    fn a_line_may_be_as_long_as_allowed_and_no_longer() {
        let framing = Framing::Line { bytes_max: 4 };
        assert_eq!(cut(framing, &[b"abcd\r\n"]).unwrap(), [b"abcd"]);
        let long = Err(FrameError::Line { bytes_max: 4 });
        assert_eq!(cut(framing, &[b"abcde\n"]), long);
        assert_eq!(cut(framing, &[b"abc", b"def"]), long);
    }

    #[test]
    fn frames_are_cut_at_every_byte() {
        let framing = Framing::Length { bytes_max: 300 };
        let mut bytes = Vec::new();
        let frames: [&[u8]; 4] = [b"", b"a", &[7; 300], b"\0\0\0\x01"];
        for frame in frames {
            bytes.extend_from_slice(&(frame.len() as u32).to_be_bytes());
            bytes.extend_from_slice(frame);
        }
        for size in [1, 2, 3, 5, 7, 64, bytes.len()] {
            let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
            assert_eq!(cut(framing, &chunks).unwrap(), frames, "{size}");
        }
    }

    #[test]
    fn a_length_is_refused_before_its_bytes_come() {
        let refused = cut(Framing::Length { bytes_max: 9 }, &[&[0xFF; 4]]);
        let expected = FrameError::Length {
            bytes: u32::MAX,
            bytes_max: 9,
        };
        assert_eq!(refused, Err(expected));
    }
}
