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

/// Where the lines of a file begin: finds many positions without reading the file for each.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    starts: Vec<u32>,
}

impl Lines {
    /// Reads the file once.
    pub(crate) fn of(file: &SourceFile) -> Lines {
        let newlines = file.text.bytes().enumerate();
        let behind = newlines.filter(|(_, byte)| *byte == b'\n');
        Lines {
            starts: std::iter::once(0)
                .chain(behind.map(|(at, _)| at as u32 + 1))
                .collect(),
        }
    }

    /// [`SourceFile::position`] in the file that was read.
    pub(crate) fn position(&self, file: &SourceFile, offset: u32) -> (u32, u32) {
        let offset = offset.min(file.text.len() as u32);
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|line| self.starts.get(line));
        let start = start.copied().unwrap_or(0);
        let before = file.text.as_bytes().get(start as usize..offset as usize);
        let before = before.unwrap_or_default();
        let column = before.iter().filter(|byte| (**byte & 0xC0) != 0x80).count();
        (line as u32, column as u32 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::{Lines, SourceFile};

    #[test]
    fn lines_and_files_agree() {
        for text in ["", "a", "\n", "ab\né c\n\nd"] {
            let file = SourceFile {
                path: String::new(),
                text: text.to_owned(),
            };
            let lines = Lines::of(&file);
            for offset in 0..text.len() as u32 + 2 {
                assert_eq!(lines.position(&file, offset), file.position(offset));
            }
        }
    }
}
