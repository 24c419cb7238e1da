//! A guest's share of the flow table, and what happens when it is used up.
//!
//! Each flow costs a descriptor of the host and some memory, and a guest makes flows as fast as it sends datagrams to new ports
//! (a recursive resolver and a scanner do it without malice). So each endpoint has a share, a part of the table: beyond it the
//! endpoint's own oldest connection that only waits out its time (TIME-WAIT) makes room, as a kernel's do, else its own oldest datagram
//! flow, idle ones first; a guest whose share is all connections is refused new ones. Nobody's flows ever make room for another's.
//!
//! Connections that are not established yet have a bound of their own ([`MAX_HALF_OPEN`]): a guest that sends SYNs to where nobody
//! answers would otherwise fill its share for as long as the host's kernel tries. Beyond the bound the oldest of them makes room;
//! a guest's kernel that still wants it sends its SYN again.

use super::{Flow, Stack};
use crate::drop::DropReason;
use crate::flow::FlowId;
use crate::proto::Io;
use crate::proto::tcp::limits::MAX_HALF_OPEN;
use crate::switch::EndpointId;
use crate::time::Instant;
use crate::uplink::Close;

/// Flows that are passed over because they were used since they were queued, for one that makes room.
const SECOND_CHANCES: usize = 8;
/// Below this many entries nobody counts those of flows that have ended.
const MIN_TIDY: usize = 1024;

/// The datagram flows of one endpoint in the order in which they came (or were passed over), each with its deadline then.
#[derive(Debug, Default)]
pub(super) struct Queue(std::collections::VecDeque<(FlowId, Instant)>);

/// Connections of one endpoint that wait out their time, oldest first. They hold no descriptor, only a place.
#[derive(Debug, Default)]
pub(super) struct TimeWait(std::collections::VecDeque<FlowId>);

/// Connections of one endpoint that were half-open when they were last looked at, oldest first.
#[derive(Debug, Default)]
pub(super) struct HalfOpen {
    flows: std::collections::VecDeque<FlowId>,
    /// Added since those that are established, or gone, were last thrown out.
    added: usize,
}

impl Stack {
    /// Remembers a connection as half-open; ends the endpoint's oldest one where there are too many.
    pub(super) fn note_half_open<I: Io>(&mut self, io: &mut I, endpoint: EndpointId, flow: FlowId, now: Instant) {
        let Self { half_open, flows, .. } = self;
        let is_half_open = |id: FlowId| matches!(flows.get(id), Some((_, Flow::Tcp(tcp))) if tcp.is_half_open());
        let Some(entry) = half_open.entry(endpoint) else { return };
        let queue = entry.or_default();
        // Looked through so seldom that it costs little for each connection.
        if queue.flows.len() >= MAX_HALF_OPEN && queue.added >= MAX_HALF_OPEN / 4 {
            queue.flows.retain(|&id| is_half_open(id));
            queue.added = 0;
        }
        let oldest = if queue.flows.len() >= MAX_HALF_OPEN { queue.flows.pop_front() } else { None };
        queue.flows.push_back(flow);
        queue.added += 1;
        if let Some(id) = oldest.filter(|&id| is_half_open(id)) {
            self.with_tcp(io, id, now, |tcp, cx| tcp.abort(cx, Close::Reset));
            self.remove_flow(io, id);
            self.drops.count(DropReason::HalfOpenEvicted);
        }
    }

    /// Whether the endpoint may have one more flow, after making room where it must and can. A refusal is counted.
    pub(super) fn make_room<I: Io>(&mut self, io: &mut I, endpoint: EndpointId) -> bool {
        let own = self.switch.endpoint(endpoint).map_or(0, |endpoint| endpoint.stats.flows as usize);
        if own < self.share && !self.flows.is_full() {
            return true;
        }
        if let Some(done) = self.oldest_time_wait(endpoint) {
            self.remove_flow(io, done);
            return true;
        }
        if let Some(victim) = self.oldest_datagram_flow(endpoint) {
            self.remove_flow(io, victim);
            self.drops.count(DropReason::FlowEvicted);
            return true;
        }
        self.drops.count(if self.flows.is_full() { DropReason::FlowTableFull } else { DropReason::FlowShareUsed });
        false
    }

    /// Remembers a connection that waits out its time.
    pub(super) fn note_time_wait(&mut self, endpoint: EndpointId, flow: FlowId) {
        let Self { time_wait, flows, .. } = self;
        let Some(entry) = time_wait.entry(endpoint) else { return };
        let queue = &mut entry.or_default().0;
        // All wait equally long: those that are over are in front.
        while queue.front().is_some_and(|&id| flows.get(id).is_none()) {
            queue.pop_front();
        }
        queue.push_back(flow);
    }

    fn oldest_time_wait(&mut self, endpoint: EndpointId) -> Option<FlowId> {
        let Self { time_wait, flows, .. } = self;
        let queue = &mut time_wait.get_mut(endpoint)?.0;
        std::iter::from_fn(|| queue.pop_front())
            .find(|&id| matches!(flows.get(id), Some((_, Flow::Tcp(tcp))) if tcp.is_time_wait()))
    }

    /// Remembers a datagram flow as the endpoint's newest.
    pub(super) fn queue_datagram_flow(&mut self, endpoint: EndpointId, flow: FlowId, expires: Instant) {
        let Self { queues, flows, share, .. } = self;
        let Some(entry) = queues.entry(endpoint) else { return };
        let queue = &mut entry.or_default().0;
        queue.push_back((flow, expires));
        if queue.len() > MIN_TIDY.max(*share * 2) {
            queue.retain(|(flow, _)| flows.get(*flow).is_some());
        }
    }

    fn oldest_datagram_flow(&mut self, endpoint: EndpointId) -> Option<FlowId> {
        let Self { queues, flows, .. } = self;
        let queue = &mut queues.get_mut(endpoint)?.0;
        let mut chances = SECOND_CHANCES;
        while let Some((id, expires)) = queue.pop_front() {
            let Some((_, Flow::Datagram(flow))) = flows.get(id) else { continue };
            if flow.expires > expires && chances > 0 {
                chances -= 1;
                queue.push_back((id, flow.expires));
            } else {
                return Some(id);
            }
        }
        None
    }
}
