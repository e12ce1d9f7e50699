//! Numbers that look random and are the same in every run.

/// xorshift64* (Vigna, 2016): its state is never 0.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A sequence of its own for each seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds must not begin alike.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number from 0 to `end`, itself excluded; `end` is at least 1.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).expect("usize has at most 64 bits");
        usize::try_from(self.bits() % end).expect("it is below a usize")
    }

    /// A number from 0 to 1, itself excluded.
    pub fn fraction(&mut self) -> f64 {
        // 53 bits are what a double holds.
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A length from 1 to `max`, each order of magnitude as likely as any other.
    pub fn length(&mut self, max: usize) -> usize {
        let length = (max as f64).powf(self.fraction());
        (length as usize).clamp(1, max)
    }

    /// Random bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let bits = self.bits().to_le_bytes();
            for (byte, random) in chunk.iter_mut().zip(bits) {
                *byte = random;
            }
        }
    }
}
