//! Time that moves when it is told to.

use crate::time::Instant;
use std::time::Duration;

/// A clock under a test's control.
#[derive(Clone, Copy, Debug)]
pub struct VirtualClock(Instant);

impl Default for VirtualClock {
    /// Starts at one second: zero is what "never" looks like in places.
    fn default() -> Self {
        Self(Instant::from_micros(1_000_000))
    }
}

impl VirtualClock {
    #[must_use]
    pub fn starting_at(start: Instant) -> Self {
        Self(start)
    }

    #[must_use]
    pub fn now(&self) -> Instant {
        self.0
    }

    pub fn advance(&mut self, by: Duration) {
        self.0 = self.0 + by;
    }

    /// Moves to `to`; never back.
    pub fn advance_to(&mut self, to: Instant) {
        self.0 = self.0.max(to);
    }
}
