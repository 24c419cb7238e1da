//! What time brings: probes, timeouts, keep-alives.

use super::limits::{
    KEEPALIVE_IDLE, KEEPALIVE_IDLE_HALF_CLOSED, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES, MAX_RETRIES, MAX_RTO, SILLY_WAIT,
};
use super::{State, TcpFlow};
use crate::proto::{Context, Io};
use crate::time::Instant;
use crate::uplink::UplinkError;

impl TcpFlow {
    /// Runs every deadline that has passed.
    pub(crate) fn on_timer<I: Io>(&mut self, cx: &mut Context<'_, I>) {
        let now = cx.now;
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.deadlines.linger) {
            self.state = State::Closed;
            return;
        }
        if due(self.deadlines.reorder) {
            self.deadlines.reorder = None;
            self.detect_losses(now);
        }
        if due(self.deadlines.retransmit) {
            self.deadlines.retransmit = None;
            match self.state {
                State::SynReceived | State::SynSent => self.opening_timed_out(cx),
                State::Established => self.retransmit_timed_out(cx),
                State::Connecting => self.host_refused(cx, UplinkError::TimedOut),
                _ => {}
            }
        }
        if due(self.deadlines.persist) {
            self.deadlines.persist = None;
            self.persist_retries += 1;
            if self.snd_wnd == 0 {
                self.send_probe(cx);
            }
        }
        if due(self.deadlines.keepalive) {
            self.keepalive_due(cx);
        }
    }

    /// For the data (or FIN) that is out; none when nothing is.
    pub(super) fn rearm_retransmit(&mut self, now: Instant) {
        self.deadlines.retransmit = if self.in_flight() == 0 {
            None
        } else if self.backoff == 0 && !self.probing {
            Some(now + self.round_trip.probe(self.queue.chunks.len() <= 1))
        } else {
            Some(now + self.round_trip.timeout(self.backoff))
        };
    }

    fn retransmit_timed_out<I: Io>(&mut self, cx: &mut Context<'_, I>) {
        if !self.probing && self.backoff == 0 {
            // Tail loss probe: the last thing sent, once more. Its acknowledgement shows what is missing.
            self.probing = true;
            match (self.queue.chunks.iter().rposition(|chunk| !chunk.sacked), self.fin_sent) {
                // Bytes before FIN: the SACK that they bring shows gaps, one for FIN alone would not.
                (Some(last), _) => self.send_chunk_again(cx, last),
                (None, Some(seq)) => self.send_fin(cx, seq),
                (None, None) => {}
            }
            self.deadlines.retransmit = Some(cx.now + self.round_trip.timeout(0));
            return;
        }
        self.retries += 1;
        self.backoff += 1;
        if self.retries > MAX_RETRIES {
            // A guest that took its window back and still answers is slow, not dead: RFC 9293 §3.8.6.1 keeps it.
            if self.snd_wnd > 0 || cx.now.since(self.last_heard) > MAX_RTO * 2 {
                self.give_up(cx);
                return;
            }
            self.retries = MAX_RETRIES;
        }
        // RFC 6298 §5.4: the first of what is missing now, the rest as its acknowledgements come.
        if self.queue.is_empty() {
            if let Some(seq) = self.fin_sent {
                self.send_fin(cx, seq);
            }
        } else {
            self.send_hole_again(cx, 0);
        }
        self.queue.forget_reports();
        self.rearm_retransmit(cx.now);
    }

    /// The guest's window is shut and nothing is out whose acknowledgement could open it: ask now and then (RFC 9293 §3.8.6.1).
    pub(super) fn arm_persist(&mut self, now: Instant) {
        let waiting = self.socket.readable && !self.socket.ended && self.in_flight() == 0;
        if !waiting {
            self.deadlines.persist = None;
            self.persist_retries = 0;
        } else if self.snd_wnd > 0 {
            // Crumbs are used soon, and a slow line is asked soon whether it has room again, whatever was waited for before.
            let soon = now + SILLY_WAIT;
            self.deadlines.persist = Some(self.deadlines.persist.map_or(soon, |at| at.min(soon)));
        } else if self.deadlines.persist.is_none() {
            self.deadlines.persist = Some(now + self.round_trip.timeout(self.persist_retries + 1));
        }
    }

    fn half_closed(&self) -> bool {
        self.socket.shut != self.fin_sent.is_some()
    }

    pub(super) fn arm_keepalive(&mut self, now: Instant) {
        let idle = if self.half_closed() { KEEPALIVE_IDLE_HALF_CLOSED } else { KEEPALIVE_IDLE };
        self.deadlines.keepalive = Some(now + idle);
    }

    fn keepalive_due<I: Io>(&mut self, cx: &mut Context<'_, I>) {
        if self.state != State::Established {
            self.deadlines.keepalive = None;
            return;
        }
        let idle = if self.half_closed() { KEEPALIVE_IDLE_HALF_CLOSED } else { KEEPALIVE_IDLE };
        let silent_until = self.last_heard + idle;
        if silent_until > cx.now {
            self.deadlines.keepalive = Some(silent_until);
            return;
        }
        if self.keepalive_probes >= KEEPALIVE_PROBES {
            self.give_up(cx);
            return;
        }
        self.keepalive_probes += 1;
        self.send_probe(cx);
        self.deadlines.keepalive = Some(cx.now + KEEPALIVE_INTERVAL);
    }
}
