//! Who moves bytes in a turn of the loop, and how many.
//!
//! # Theory of operation
//!
//! A flow that something happened to is dirty: the next [`Stack::flush`] lets it do all that it can, once, however much happened to it. Only
//! reading a socket for the guest has no end of its own, so that alone has a budget, in chunks. A flow whose budget ends before its
//! socket does waits for its next turn.
//!
//! Two kinds of flows read in a turn, and each kind has [`TURN_BUDGET`] chunks for all of its flows together: those that wait, in
//! the order in which they were served last, and those whose event has just come. So a turn has an end whatever the number of
//! flows, in which frames, timers and calls are looked after; a flow with little to say is not behind a hundred downloads; and
//! nobody waits for more turns than it takes to serve each of the others once.
//!
//! A flow that waits and is dirty too (its guest acknowledges while others read) does everything but read.

use super::{Flow, Stack};
use crate::flow::FlowId;
use crate::proto::Io;
use crate::proto::tcp::limits::{TURN_BUDGET, receive_budget};
use crate::time::Instant;
use std::collections::VecDeque;

/// Flows that are due in the next turn.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Something happened to them.
    dirty: Vec<FlowId>,
    /// Their sockets have more than their last budget; longest ago served first.
    waiting: VecDeque<FlowId>,
    /// Were served in this turn, and will wait behind those that were not.
    served: Vec<FlowId>,
}

impl Turns {
    pub(super) fn has_work(&self) -> bool {
        !self.dirty.is_empty() || !self.waiting.is_empty()
    }
}

impl Stack {
    pub(super) fn mark_dirty(&mut self, id: FlowId) {
        if let Some((_, Flow::Tcp(tcp))) = self.flows.get_mut(id)
            && !tcp.dirty
        {
            tcp.dirty = true;
            self.turns.dirty.push(id);
        }
    }

    /// Lets every flow that something happened to move what can move, and those that wait read on.
    pub fn flush<I: Io>(&mut self, io: &mut I, now: Instant) {
        self.serve_waiting(io, now);
        // The vector's memory is kept for the next batch.
        let mut dirty = std::mem::take(&mut self.turns.dirty);
        let each = receive_budget(dirty.len());
        let mut left = TURN_BUDGET;
        for id in dirty.drain(..) {
            let Some((_, Flow::Tcp(tcp))) = self.flows.get(id) else { continue };
            // Served a moment ago, with all that had happened to it.
            if !tcp.dirty {
                continue;
            }
            if tcp.waits {
                self.serve(io, id, 0, now);
            } else {
                left -= self.serve(io, id, each.min(left), now);
            }
        }
        dirty.append(&mut self.turns.dirty);
        self.turns.dirty = dirty;
        let Turns { waiting, served, .. } = &mut self.turns;
        waiting.extend(served.drain(..));
    }

    fn serve_waiting<I: Io>(&mut self, io: &mut I, now: Instant) {
        let count = self.turns.waiting.len();
        let each = receive_budget(count);
        let mut left = TURN_BUDGET;
        for _ in 0..count {
            if left == 0 {
                break;
            }
            let Some(id) = self.turns.waiting.pop_front() else { break };
            let Some((_, Flow::Tcp(tcp))) = self.flows.get_mut(id) else { continue };
            tcp.waits = false;
            left -= self.serve(io, id, each.min(left), now);
        }
    }

    /// One flow's turn, with a budget; says how much of that was used. Where its socket has more, it will wait.
    fn serve<I: Io>(&mut self, io: &mut I, id: FlowId, budget: usize, now: Instant) -> usize {
        let mut left = budget;
        let more = self.with_tcp(io, id, now, |tcp, cx| {
            tcp.dirty = false;
            tcp.flush(cx, &mut left)
        });
        let used = budget - left;
        let Some((key, Flow::Tcp(tcp))) = self.flows.get_mut(id) else { return used };
        if tcp.is_closed() {
            self.remove_flow(io, id);
            return used;
        }
        if more == Some(true) && !tcp.waits {
            tcp.waits = true;
            if budget > 0 {
                self.turns.served.push(id);
            } else {
                self.turns.waiting.push_back(id);
            }
        }
        if tcp.is_time_wait() && !tcp.in_time_wait {
            tcp.in_time_wait = true;
            let endpoint = key.endpoint;
            self.note_time_wait(endpoint, id);
        }
        self.file_timer(id);
        used
    }
}
