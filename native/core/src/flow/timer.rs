//! The one timer structure. A flow knows its next deadline; here a heap holds at least one entry not later than it.
//!
//! Moving a deadline later costs nothing: the old entry fires, the flow is not due, and the entry is filed again. Moving
//! it earlier files a second entry. Most deadlines move later all the time, so most packets touch no heap at all. Entries
//! are bounded by [`MAX_STALE_FACTOR`] a flow on average; beyond it the heap is rebuilt from the live ones.

use super::FlowId;
use crate::time::Instant;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Entries a live flow may have on average before the stale ones are thrown out.
const MAX_STALE_FACTOR: usize = 8;
/// Below this many entries nobody counts.
const MIN_REBUILD: usize = 1024;

#[derive(Debug, Default)]
pub(crate) struct TimerQueue {
    heap: BinaryHeap<Reverse<(Instant, FlowId)>>,
}

impl TimerQueue {
    pub(crate) fn file(&mut self, at: Instant, flow: FlowId) {
        self.heap.push(Reverse((at, flow)));
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(Instant, FlowId)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// Throws out entries that `filed` does not stand behind, when there are too many of them.
    pub(crate) fn tidy(&mut self, live: usize, filed: impl Fn(FlowId) -> Option<Instant>) {
        if self.heap.len() > MIN_REBUILD && self.heap.len() > live.saturating_mul(MAX_STALE_FACTOR) {
            self.heap.retain(|Reverse((at, flow))| filed(*flow) == Some(*at));
        }
    }
}
