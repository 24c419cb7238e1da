//! Numbers that look random enough to decide which frame to lose, and are the same for the same seed.

/// xorshift64*.
#[derive(Clone, Copy, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32
    }

    /// A number in 0.0..1.0.
    pub(super) fn share(&mut self) -> f64 {
        f64::from(u32::try_from(self.bits() >> 8).unwrap_or(0)) / f64::from(1u32 << 24)
    }
}
