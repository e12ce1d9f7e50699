//! Identities of sockets: RFC 9562 version 4 UUIDs that find their slot without a hash map.
//!
//! Of the 122 free bits, 24 are the slot in the table and 36 a generation, both in the high half; the 62 of the low half are random, so that an identity cannot be guessed from another one.

use parking_lot::Mutex;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Identity of a connection or a listener.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SocketId {
    high: u64,
    low: u64,
}

/// Bits of a slot.
const SLOT_BITS: u32 = 24;
/// Slots that exist.
pub(crate) const SLOTS_MAX: usize = 1 << SLOT_BITS;
const GENERATION_MASK: u64 = (1 << 36) - 1;
const LOW_BITS: u32 = 12;
const VERSION: u64 = 4 << LOW_BITS;
const VARIANT: u64 = 0b10 << 62;

impl SocketId {
    /// The identity that a guest names by these halves, whether or not it exists.
    pub(crate) fn from_halves(halves: (u64, u64)) -> Self {
        Self {
            high: halves.0,
            low: halves.1,
        }
    }

    /// The two big-endian halves.
    pub(crate) fn halves(self) -> (u64, u64) {
        (self.high, self.low)
    }

    /// The bytes of the UUID.
    pub(crate) fn bytes(self) -> [u8; 16] {
        let (high, low) = self.halves();
        ((u128::from(high) << 64) | u128::from(low)).to_be_bytes()
    }

    /// The slot it claims to sit in; only a full comparison tells whether it does.
    pub(crate) fn slot(self) -> usize {
        // 48 bits above the version digit, 12 below: the slot is the low 24 of these 60.
        let free = ((self.high >> 16) << LOW_BITS) | (self.high & ((1 << LOW_BITS) - 1));
        usize::try_from(free & ((1 << SLOT_BITS) - 1)).unwrap_or(SLOTS_MAX)
    }

    fn new(slot: usize, generation: u64, random: u64) -> Self {
        let free =
            ((generation & GENERATION_MASK) << SLOT_BITS) | (slot as u64 & ((1 << SLOT_BITS) - 1));
        let high = ((free >> LOW_BITS) << 16) | VERSION | (free & ((1 << LOW_BITS) - 1));
        Self {
            high,
            low: VARIANT | (random >> 2),
        }
    }
}

/// Upper-case text of the UUID (runtime.md A.4).
impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:08X}-{:04X}-{:04X}-{:04X}-{:012X}",
            self.high >> 32,
            (self.high >> 16) & 0xFFFF,
            self.high & 0xFFFF,
            self.low >> 48,
            self.low & 0xFFFF_FFFF_FFFF
        )
    }
}

impl fmt::Debug for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Random words fetched in one system call.
const RANDOM_WORDS: usize = 64;

/// Makes identities: counts generations and buffers random words.
#[derive(Debug, Default)]
pub(crate) struct IdSource {
    generation: AtomicU64,
    random: Mutex<Vec<u64>>,
}

impl IdSource {
    /// A new identity for `slot`; fails when the system has no randomness to give.
    pub(crate) fn next(&self, slot: usize) -> Result<SocketId, getrandom::Error> {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed);
        Ok(SocketId::new(slot, generation, self.random_word()?))
    }

    fn random_word(&self) -> Result<u64, getrandom::Error> {
        let mut words = self.random.lock();
        if let Some(word) = words.pop() {
            return Ok(word);
        }
        let mut bytes = [0_u8; RANDOM_WORDS * 8];
        getrandom::fill(&mut bytes)?;
        words.extend(
            bytes
                .as_chunks::<8>()
                .0
                .iter()
                .map(|chunk| u64::from_le_bytes(*chunk)),
        );
        Ok(words.pop().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_version_4_uuids_that_hold_their_slot() {
        let source = IdSource::default();
        for slot in [0, 1, 4095, 4096, 0xABCDEF, SLOTS_MAX - 1] {
            let id = source.next(slot).unwrap();
            let text = id.to_string();
            assert_eq!(id.slot(), slot, "{text}");
            assert_eq!(text.len(), 36);
            assert_eq!(text.as_bytes()[14], b'4', "{text}");
            assert!(
                matches!(text.as_bytes()[19], b'8' | b'9' | b'A' | b'B'),
                "{text}"
            );
            assert_eq!(SocketId::from_halves(id.halves()), id);
        }
    }

    #[test]
    fn one_slot_gives_different_identities() {
        let source = IdSource::default();
        let ids: std::collections::BTreeSet<_> =
            (0..200).map(|_| source.next(7).unwrap()).collect();
        assert_eq!(ids.len(), 200);
    }
}
