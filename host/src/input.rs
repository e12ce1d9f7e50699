//! The standard input of the process, for the programs that may read it.

use std::io::{BufRead, Read};

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Amount {
    /// Up to the next end of line, which is left out.
    Line,
    /// All that is left.
    Rest,
}

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("{what} of the standard input is longer than {max} bytes")]
    TooLong { what: &'static str, max: usize },
    #[error("the standard input cannot be read: {0}")]
    Io(#[from] std::io::Error),
}

/// Reads from the standard input, at most `bytes_max`; none at its end. Blocks.
pub(crate) fn read(amount: Amount, bytes_max: usize) -> Result<Option<String>, InputError> {
    read_from(&mut std::io::stdin().lock(), amount, bytes_max)
}

fn read_from(
    input: &mut impl BufRead,
    amount: Amount,
    bytes_max: usize,
) -> Result<Option<String>, InputError> {
    let mut bytes = Vec::new();
    // One more than allowed, to tell "as long as allowed" from "longer"; two for the end of a line.
    let mut limited = input.take(
        u64::try_from(bytes_max)
            .unwrap_or(u64::MAX)
            .saturating_add(2),
    );
    let what = match amount {
        Amount::Line => {
            limited.read_until(b'\n', &mut bytes)?;
            "a line"
        }
        Amount::Rest => {
            limited.read_to_end(&mut bytes)?;
            "the rest"
        }
    };
    if bytes.is_empty() {
        return Ok(None);
    }
    if amount == Amount::Line && bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    if bytes.len() > bytes_max {
        return Err(InputError::TooLong {
            what,
            max: bytes_max,
        });
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_lose_their_ends_and_the_input_ends_with_none() {
        let mut input = &b"one\r\n\ntwo"[..];
        let mut lines = Vec::new();
        while let Some(line) = read_from(&mut input, Amount::Line, 3).unwrap() {
            lines.push(line);
        }
        assert_eq!(lines, ["one", "", "two"]);
        let mut input = &b"a\nb\xff\n"[..];
        assert_eq!(
            read_from(&mut input, Amount::Rest, 9).unwrap().as_deref(),
            Some("a\nb\u{fffd}\n")
        );
        assert_eq!(read_from(&mut input, Amount::Rest, 9).unwrap(), None);
    }

    #[test]
    fn more_than_allowed_is_refused() {
        let error = read_from(&mut &b"four\n"[..], Amount::Line, 3).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a line of the standard input is longer than 3 bytes"
        );
    }
}
