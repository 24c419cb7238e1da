//! Whether to look for events once more before sleeping.
//!
//! # Theory of operation
//!
//! A small request and its answer wake the stack twice, and each wake-up costs as much as everything that the stack then does: the
//! waker pays for it as well as the sleeper. So the loop looks for a short while before it sleeps, where that is likely to pay: the
//! gaps between events have lately been shorter than [`SPIN`] on average, and the turn before saw few events and moved few bytes. A
//! bulk transfer or a crowd of connections is not kept waiting by wake-ups, and its programs have better use for the core. (Measured, two idle cores: a round trip of one byte
//! takes 0.45 of the time, connections one after another come 1.6 times as fast; see `benchmarks/README.md`.)
//!
//! Between two looks the thread yields, so whoever can run on this core goes first. Where somebody does, the machine is busy, a
//! yield costs a whole time slice, and sleeping is better: a thread that wakes goes before others. Then it rests from looking for
//! [`SPIN_PAUSE`], longer each time in a row.
//!
//! A machine that is at rest stays so: the first long gap costs [`SPIN`] at most, the average then forbids the next.

use crate::limits::{SPIN, SPIN_BYTES, SPIN_EVENTS, SPIN_PAUSE, SPIN_PAUSE_MAX};
use std::time::Duration;
use unet_core::Instant;

/// Weight of a new gap in the average: one part of so many.
const WEIGHT: u32 = 4;
/// A gap counts as this many times [`SPIN`] at most, so that a burst after a pause is noticed soon.
const LONGEST: u32 = 4;

#[derive(Debug)]
pub(crate) struct Spin {
    mean: Duration,
    moved: u64,
    is_small: bool,
    pause: Duration,
    resume: Instant,
}

impl Default for Spin {
    fn default() -> Self {
        Self { mean: SPIN * LONGEST, moved: 0, is_small: true, pause: SPIN_PAUSE, resume: Instant::ZERO }
    }
}

impl Spin {
    pub(crate) fn is_worth_it(&self, now: Instant) -> bool {
        self.is_small && self.mean <= SPIN && now >= self.resume
    }

    /// Looking was rewarded.
    pub(crate) fn caught(&mut self) {
        self.pause = SPIN_PAUSE;
    }

    /// Somebody else had the core while we looked.
    pub(crate) fn crowded(&mut self, now: Instant) {
        self.resume = now + self.pause;
        self.pause = (self.pause * 2).min(SPIN_PAUSE_MAX);
    }

    /// An event came after this much waiting.
    pub(crate) fn waited(&mut self, gap: Duration) {
        self.mean = (self.mean * (WEIGHT - 1) + gap.min(SPIN * LONGEST)) / WEIGHT;
    }

    /// A turn is over; `moved` counts the bytes of all turns.
    pub(crate) fn turned(&mut self, events: usize, moved: u64) {
        self.is_small = events <= SPIN_EVENTS && moved.wrapping_sub(self.moved) <= SPIN_BYTES;
        self.moved = moved;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_micros(1_000_000);

    fn busy() -> Spin {
        let mut spin = Spin::default();
        for _ in 0..16 {
            spin.waited(SPIN / 4);
        }
        spin
    }

    #[test]
    fn a_machine_at_rest_sleeps() {
        assert!(!Spin::default().is_worth_it(NOW));
    }

    #[test]
    fn short_gaps_begin_it_and_long_ones_end_it() {
        let mut spin = busy();
        assert!(spin.is_worth_it(NOW));
        spin.waited(Duration::from_secs(3600));
        spin.waited(Duration::from_secs(3600));
        assert!(!spin.is_worth_it(NOW));
    }

    #[test]
    fn a_bulk_transfer_or_a_crowd_forbids_it() {
        let mut spin = busy();
        spin.turned(1, SPIN_BYTES + 1);
        assert!(!spin.is_worth_it(NOW));
        spin.turned(1, SPIN_BYTES + 2);
        assert!(spin.is_worth_it(NOW));
        spin.turned(SPIN_EVENTS + 1, SPIN_BYTES + 3);
        assert!(!spin.is_worth_it(NOW));
    }

    #[test]
    fn a_busy_machine_is_left_alone_for_longer_each_time() {
        let mut spin = busy();
        spin.crowded(NOW);
        assert!(!spin.is_worth_it(NOW + SPIN_PAUSE / 2));
        assert!(spin.is_worth_it(NOW + SPIN_PAUSE));
        spin.crowded(NOW);
        assert!(!spin.is_worth_it(NOW + SPIN_PAUSE));
        assert!(spin.is_worth_it(NOW + SPIN_PAUSE * 2));
        for _ in 0..40 {
            spin.crowded(NOW);
        }
        assert!(spin.is_worth_it(NOW + SPIN_PAUSE_MAX));
        spin.caught();
        spin.crowded(NOW);
        assert!(spin.is_worth_it(NOW + SPIN_PAUSE));
    }
}
