//! Source files, byte spans, line and column.

/// A run of bytes of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Index of the file in the program.
    pub file: u32,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The smallest span that holds both; both must lie in one file.
    #[must_use]
    pub fn to(self, other: Span) -> Span {
        Span {
            file: self.file,
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }
}

/// One source file.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Path relative to the program's directory, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl SourceFile {
    /// 1-based line and column in characters of the byte at `offset`; an offset past the end names the end.
    pub fn position(&self, offset: u32) -> (u32, u32) {
        let before = self
            .text
            .as_bytes()
            .get(..offset as usize)
            .unwrap_or(self.text.as_bytes());
        let line = before.iter().filter(|byte| **byte == b'\n').count();
        let start = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |newline| newline + 1);
        let column = before
            .iter()
            .skip(start)
            .filter(|byte| (**byte & 0xC0) != 0x80)
            .count();
        (line as u32 + 1, column as u32 + 1)
    }
}
