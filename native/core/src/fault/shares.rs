//! The faults that need no clock: loss, duplication and reordering, each as a share of frames.

use super::random::Random;
use std::collections::VecDeque;

/// Shares of frames, 0.0 to 1.0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    pub loss: f64,
    pub duplicate: f64,
    pub reorder: f64,
}

impl Faults {
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Frames by which a reordered one falls behind, at most; it also leaves at the next [`FaultInjector::release`].
const MAX_REORDER_DISTANCE: u64 = 8;
/// Frames held back at once.
const MAX_HELD: usize = 64;

#[derive(Debug)]
struct Held {
    leaves_at: u64,
    frame: Vec<u8>,
}

/// One direction of one endpoint.
#[derive(Debug)]
pub struct FaultInjector {
    faults: Faults,
    random: Random,
    count: u64,
    held: VecDeque<Held>,
    /// Buffers of frames that have gone on.
    spare: Vec<Vec<u8>>,
    dropped: u64,
}

impl FaultInjector {
    /// `seed` makes a run repeatable.
    #[must_use]
    pub fn new(faults: Faults, seed: u64) -> Self {
        Self { faults, random: Random::new(seed), count: 0, held: VecDeque::new(), spare: Vec::new(), dropped: 0 }
    }

    /// Decides about one frame: `deliver` is called for all that go on now, this one or held ones, some twice.
    pub fn offer(&mut self, frame: &[u8], mut deliver: impl FnMut(&[u8])) {
        self.count += 1;
        if self.random.share() < self.faults.loss {
            self.dropped += 1;
        } else if self.random.share() < self.faults.reorder && self.held.len() < MAX_HELD {
            let distance = 1 + self.random.bits() % MAX_REORDER_DISTANCE;
            let mut copy = self.spare.pop().unwrap_or_default();
            copy.extend_from_slice(frame);
            self.held.push_back(Held { leaves_at: self.count + distance, frame: copy });
        } else {
            deliver(frame);
            if self.random.share() < self.faults.duplicate {
                deliver(frame);
            }
        }
        let count = self.count;
        let spare = &mut self.spare;
        self.held.retain_mut(|held| {
            let leaves = held.leaves_at <= count;
            if leaves {
                deliver(&held.frame);
                spare.push(reuse(&mut held.frame));
            }
            !leaves
        });
    }

    /// Lets everything go that is held back: called when the link falls silent, so that a reordered last frame is late, not lost.
    pub fn release(&mut self, mut deliver: impl FnMut(&[u8])) {
        for mut held in self.held.drain(..) {
            deliver(&held.frame);
            self.spare.push(reuse(&mut held.frame));
        }
    }

    #[must_use]
    pub fn holds_frames(&self) -> bool {
        !self.held.is_empty()
    }

    /// Frames lost on purpose since the last call.
    pub fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }
}

/// A frame's buffer for the next; at most [`MAX_HELD`] exist.
fn reuse(frame: &mut Vec<u8>) -> Vec<u8> {
    frame.clear();
    std::mem::take(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_what_was_asked_and_nothing_else_is_lost() {
        const FRAMES: u32 = 100_000;
        let faults = Faults { loss: 0.02, duplicate: 0.01, reorder: 0.10 };
        let mut injector = FaultInjector::new(faults, 42);
        let mut seen = vec![0u32; FRAMES as usize];
        let (mut late, mut highest) = (0u32, 0u32);
        for n in 0..FRAMES {
            injector.offer(&n.to_be_bytes(), |frame| {
                let n = u32::from_be_bytes(frame.try_into().unwrap());
                seen[n as usize] += 1;
                late += u32::from(n < highest);
                highest = highest.max(n);
            });
        }
        injector.release(|frame| seen[u32::from_be_bytes(frame.try_into().unwrap()) as usize] += 1);
        let share = |n: usize| n as f64 / f64::from(FRAMES);
        let lost = share(seen.iter().filter(|&&n| n == 0).count());
        let twice = share(seen.iter().filter(|&&n| n == 2).count());
        assert!((0.018..0.022).contains(&lost), "lost {lost}");
        assert!((0.007..0.011).contains(&twice), "twice {twice}");
        assert!((0.08..0.12).contains(&(f64::from(late) / f64::from(FRAMES))), "late {late}");
        assert_eq!(injector.take_dropped(), seen.iter().filter(|&&n| n == 0).count() as u64);
    }

    #[test]
    fn without_faults_everything_passes_in_order() {
        let mut injector = FaultInjector::new(Faults::default(), 1);
        let mut out = Vec::new();
        for n in 0..1000u32 {
            injector.offer(&n.to_be_bytes(), |frame| out.push(u32::from_be_bytes(frame.try_into().unwrap())));
        }
        assert!(out.iter().copied().eq(0..1000));
    }
}
