//! UUIDs (RFC 9562): their text, and version 4 from random bits.

use alloc::string::String;

/// The 36 characters of `id`, upper case.
pub fn write(out: &mut String, id: &[u8; 16]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for (index, byte) in id.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            out.push(char::from(*HEX.get(usize::from(digit)).unwrap_or(&b'0')));
        }
    }
}

/// Reads the 36 characters in either letter case.
pub fn parse(text: &str) -> Option<[u8; 16]> {
    if text.len() != 36 {
        return None;
    }
    let mut id = 0u128;
    for (index, byte) in text.bytes().enumerate() {
        if matches!(index, 8 | 13 | 18 | 23) {
            if byte != b'-' {
                return None;
            }
        } else {
            id = id << 4 | u128::from(char::from(byte).to_digit(16)?);
        }
    }
    Some(id.to_be_bytes())
}

/// The two big-endian halves as one identity.
pub fn from_halves(high: u64, low: u64) -> [u8; 16] {
    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
}

/// The two big-endian halves of an identity.
pub fn halves(id: &[u8; 16]) -> (u64, u64) {
    let id = u128::from_be_bytes(*id);
    let low = id as u64;
    let high = (id >> 64) as u64;
    (high, low)
}

/// `high` and `low` with version 4 and the RFC 9562 variant set.
pub fn version_4(high: u64, low: u64) -> [u8; 16] {
    from_halves(high & !0xF000 | 0x4000, low & !(0b11 << 62) | 0b10 << 62)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_round_trip() {
        let id = version_4(u64::MAX, 0x1234);
        let mut out = String::new();
        write(&mut out, &id);
        assert_eq!(out, "FFFFFFFF-FFFF-4FFF-8000-000000001234");
        assert_eq!(parse(&out), Some(id));
        assert_eq!(parse(&out.to_ascii_lowercase()), Some(id));
        assert_eq!(halves(&id), (0xFFFF_FFFF_FFFF_4FFF, 0x8000_0000_0000_1234));
        for wrong in [
            "",
            "FFFFFFFF-FFFF-4FFF-8000-00000000123",
            "FFFFFFFFxFFFF-4FFF-8000-000000001234",
            "GFFFFFFF-FFFF-4FFF-8000-000000001234",
        ] {
            assert_eq!(parse(wrong), None);
        }
    }
}
