//! Faults on purpose: a bad link around frames on their way, for tests and for people who want to see their program on one.
//!
//! # Theory of operation
//!
//! [`BadLink`] is one direction of a link. A frame goes through it in this order, as through a queueing discipline of Linux:
//!
//! 1. A super-frame is cut into the frames that a wire would see, where it matters: a share of packets must be a share of packets
//!    (loss, duplicate, reorder), and a slow line must not send 64 KiB in one burst (rate below 1 Gbit/s). With delay alone
//!    super-frames stay whole, so a long fat link costs no more than a copy.
//! 2. `rate`: what finds the line's queue full is refused ([`BadLink::offer`] answers false), like a send to a full device. A
//!    sender on this machine may try again later; what is not sent again is lost at the tail.
//! 3. `loss`, `duplicate`, `reorder` ([`shares`]): a reordered frame goes on behind up to eight later ones, or after a
//!    few milliseconds of silence.
//! 4. `rate` again: frames leave one after the other, each after the time that its bits take. Counted are the bytes of the
//!    Ethernet frame (header and packet, without preamble and check sequence), as `tc` counts them; of a whole super-frame
//!    the bytes of all frames that it stands for.
//! 5. `delay` ± `jitter`, one way. Jitter is uniform and keeps the order: only `reorder` reorders. So that keeping it does not turn
//!    jitter into delay, frames closer to one another than twice the jitter share one number.
//!
//! Nothing here reads a clock: `now` comes with every call, and [`BadLink::next_due`] says when to call again. The queue is in the
//! order of the due times, because all of the steps keep the order; it is bounded (`limits.rs`), and a link in steady use allocates
//! nothing. (Cutting does, and so does the first use of every buffer.)
//!
//! When a link is changed, what it holds goes on at once, in order, and a cut link (`loss` 1) loses it.
//!
//! # Limits
//!
//! Time is in whole microseconds, on the line in nanoseconds. A frame cannot leave before whoever drives this wakes up, so delays are
//! late by the precision of its timer. A link of zero delay and no rate lets frames go at the next call, in order.

mod limits;
mod link;
mod queue;
mod random;
mod shares;

pub use link::{BadLink, Counts};
pub use shares::{FaultInjector, Faults};

use std::num::NonZeroU64;
use std::time::Duration;

/// What one direction of a link does to frames.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FaultSpec {
    pub shares: Faults,
    /// One way.
    pub delay: Duration,
    /// Uniform, plus or minus; not more than `delay`.
    pub jitter: Duration,
    /// Bits a second; none: as fast as it goes.
    pub rate: Option<NonZeroU64>,
}

impl FaultSpec {
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// A link that loses everything.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.shares.loss >= 1.0
    }

    /// Whether frames that come out are no larger than a wire's.
    fn cuts_super_frames(&self) -> bool {
        !self.shares.is_none() || self.rate.is_some_and(|rate| rate.get() < limits::WHOLE_FRAMES_FROM)
    }
}
