//! Frames that the host sends (RFC 6455 5.2). Those of a server are written once for all peers: only a client masks.

/// Longest head of a frame without a key: two bytes and a length of eight.
const HEAD_BYTES_MAX: usize = 10;
/// Longest reason in a close frame: what 125 bytes leave behind the code (RFC 6455 5.5).
const REASON_BYTES_MAX: usize = 123;

const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;

/// What a message is marked as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

/// The head of a frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    bytes: [u8; HEAD_BYTES_MAX],
    length: usize,
}

impl Head {
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// The head of a whole message of `length` bytes.
pub(crate) fn head(kind: Kind, length: usize) -> Head {
    let opcode = match kind {
        Kind::Text => TEXT,
        Kind::Binary => BINARY,
    };
    let mut bytes = [0; HEAD_BYTES_MAX];
    let [first, second, rest @ ..] = &mut bytes;
    *first = FINAL | opcode;
    let length = match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..=125), _) => {
            *second = short;
            2
        }
        (_, Ok(medium)) => {
            *second = 126;
            rest.iter_mut()
                .zip(medium.to_be_bytes())
                .for_each(|(to, from)| *to = from);
            4
        }
        _ => {
            *second = 127;
            *rest = (length as u64).to_be_bytes();
            HEAD_BYTES_MAX
        }
    };
    Head { bytes, length }
}

/// A ping without a payload.
pub(super) const PING_FRAME: &[u8] = &[FINAL | PING, 0];
/// The same from a client: with a key, which has nothing to mask.
pub(super) const MASKED_PING_FRAME: &[u8] = &[FINAL | PING, MASKED, 0, 0, 0, 0];

/// A whole message of a client (RFC 6455 5.3).
pub(crate) fn masked(kind: Kind, payload: &[u8]) -> Vec<u8> {
    mask(head(kind, payload.len()), payload)
}

/// A frame with a payload that nobody can foresee who chooses it, so that it cannot pass for something else on its way.
fn mask(head: Head, payload: &[u8]) -> Vec<u8> {
    // Whoever has no random bytes has no identities either, and opens no connection.
    let key = getrandom::u32().unwrap_or_default().to_ne_bytes();
    let mut frame = Vec::with_capacity(HEAD_BYTES_MAX + key.len() + payload.len());
    frame.extend(head.as_slice());
    if let Some(length) = frame.get_mut(1) {
        *length |= MASKED;
    }
    frame.extend(key);
    let masked = payload.iter().zip(key.iter().cycle());
    frame.extend(masked.map(|(byte, key)| byte ^ key));
    frame
}

/// Why a WebSocket is closed by this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CloseReason<'a> {
    /// RFC 6455 7.4.1
    pub(crate) code: u16,
    /// At most 123 bytes.
    pub(crate) text: &'a str,
}

impl CloseReason<'static> {
    /// The program closes it.
    pub(crate) const NORMAL: Self = Self::of(1000);
    /// The program ends.
    pub(crate) const GOING_AWAY: Self = Self::of(1001);
    /// The peer does not keep to the protocol.
    pub(super) const PROTOCOL: Self = Self::of(1002);
    /// A text is not UTF-8.
    pub(super) const NOT_TEXT: Self = Self::of(1007);
    /// A message is longer than it may be.
    pub(super) const TOO_BIG: Self = Self::of(1009);
    /// There is no room for it now, but may be later.
    pub(crate) const TRY_LATER: Self = Self::of(1013);

    const fn of(code: u16) -> Self {
        Self { code, text: "" }
    }
}

impl<'a> CloseReason<'a> {
    /// What a program says when it closes a WebSocket.
    ///
    /// # Errors
    /// A sentence for the program if a server may not send the code, or the text is too long.
    pub(crate) fn new(code: u16, text: &'a str) -> Result<Self, String> {
        if code != 1000 && !(3000..5000).contains(&code) {
            return Err(format!(
                "{code} is no code that closes a WebSocket: use 1000, or one from 3000 to 4999"
            ));
        }
        if text.len() > REASON_BYTES_MAX {
            let length = text.len();
            return Err(format!(
                "the reason of a close has at most {REASON_BYTES_MAX} bytes, and this one has {length}"
            ));
        }
        Ok(Self { code, text })
    }

    /// The frame that says so.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let text = self.text.as_bytes();
        let text = text.get(..REASON_BYTES_MAX).unwrap_or(text);
        let length = u8::try_from(2 + text.len()).unwrap_or(2);
        let mut frame = Vec::with_capacity(4 + text.len());
        frame.extend([FINAL | CLOSE, length]);
        frame.extend(self.code.to_be_bytes());
        frame.extend(text);
        frame
    }

    /// The frame in which a client says so.
    pub(crate) fn masked_frame(&self) -> Vec<u8> {
        let frame = self.frame();
        let (head, payload) = frame.split_at_checked(2).unwrap_or_default();
        let mut bytes = [0; HEAD_BYTES_MAX];
        bytes
            .iter_mut()
            .zip(head)
            .for_each(|(to, from)| *to = *from);
        mask(Head { bytes, length: 2 }, payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_as_few_bytes_as_they_need() {
        let head = |length| head(Kind::Text, length).as_slice().to_vec();
        assert_eq!(head(0), [0x81, 0]);
        assert_eq!(head(125), [0x81, 125]);
        assert_eq!(head(126), [0x81, 126, 0, 126]);
        assert_eq!(head(65_535), [0x81, 126, 0xFF, 0xFF]);
        assert_eq!(head(65_536), [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn a_close_frame_has_a_code_and_a_reason() {
        let reason = CloseReason::new(4001, "kicked").unwrap();
        assert_eq!(reason.frame(), b"\x88\x08\x0F\xA1kicked");
        assert_eq!(CloseReason::NORMAL.frame(), [0x88, 2, 0x03, 0xE8]);
    }

    #[test]
    fn a_client_masks_what_it_sends() {
        let unmasked = |frame: &[u8], head: usize| -> Vec<u8> {
            let (key, payload) = frame[head..].split_at(4);
            let masked = payload.iter().zip(key.iter().cycle());
            masked.map(|(byte, key)| byte ^ key).collect()
        };
        let text = masked(Kind::Text, b"hello");
        assert_eq!(text[..2], [0x81, 0x85]);
        assert_eq!(unmasked(&text, 2), b"hello");
        let long = masked(Kind::Binary, &[7; 300]);
        assert_eq!(long[..4], [0x82, 0xFE, 1, 44]);
        assert_eq!(unmasked(&long, 4), [7; 300]);
        let close = CloseReason::new(4001, "kicked").unwrap().masked_frame();
        assert_eq!(close[..2], [0x88, 0x88]);
        assert_eq!(unmasked(&close, 2), b"\x0F\xA1kicked");
    }

    #[test]
    fn codes_that_mean_something_else_are_refused() {
        for code in [0, 999, 1001, 1005, 1006, 1015, 2999, 5000] {
            assert!(CloseReason::new(code, "").is_err(), "{code}");
        }
        assert!(CloseReason::new(1000, &"x".repeat(124)).is_err());
    }
}
