//! What arrives: a segment whose header has been checked, and the decisions of RFC 9293 §3.10.7.4 in order.

use super::gather::Gather;
use super::limits::CHALLENGE_INTERVAL;
use super::queue::len32;
use super::{State, TcpFlow};
use crate::drop::DropReason;
use crate::proto::{Context, Io};
use crate::uplink::Close;
use crate::wire::tcp::{Flags, Options, Seq, Tcp};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) tcp: Tcp,
    pub(crate) options: Options,
    pub(crate) payload: &'a [u8],
}

impl Segment<'_> {
    pub(super) fn has(&self, flag: Flags) -> bool {
        self.tcp.flags.has(flag)
    }

    /// Length in sequence space.
    pub(super) fn len(&self) -> u32 {
        len32(self.payload.len()) + u32::from(self.has(Flags::SYN)) + u32::from(self.has(Flags::FIN))
    }
}

impl TcpFlow {
    /// One segment from the guest. Answers that can wait go out with the next [`TcpFlow::flush`], bytes for the host's socket with the
    /// next [`TcpFlow::hand_over`].
    pub(crate) fn on_segment<'a, I: Io>(
        &mut self,
        cx: &mut Context<'_, I>,
        segment: &Segment<'a>,
        gather: &mut Gather<'a>,
    ) {
        self.last_heard = cx.now;
        self.keepalive_probes = 0;
        if !gather.has_place() {
            self.hand_over(cx, gather);
        }
        if self.is_next(segment) {
            if !segment.tcp.ack.before(self.snd_una) {
                self.on_ack(cx, segment);
                self.update_window(segment);
            }
            self.ack_due = true;
            self.inbox.next = self.inbox.next.add(segment.len());
            gather.push(self.id, segment.payload);
            return;
        }
        self.hand_over(cx, gather);
        match self.state {
            State::Connecting => self.while_connecting(cx, segment),
            State::SynReceived => self.while_syn_received(cx, segment),
            State::SynSent => self.while_syn_sent(cx, segment),
            State::Established | State::TimeWait => self.while_established(cx, segment),
            State::Closed => cx.drops.count(DropReason::TcpNoFlow),
        }
    }

    pub(super) fn while_established<I: Io>(&mut self, cx: &mut Context<'_, I>, segment: &Segment<'_>) {
        if segment.has(Flags::RST) {
            // RFC 5961 §3.2: only an exact match closes, anything else must prove itself.
            if segment.tcp.seq == self.inbox.next {
                self.abort(cx, Close::Reset);
            } else if self.in_window(segment.tcp.seq) {
                self.challenge(cx);
            } else {
                cx.drops.count(DropReason::TcpUnacceptable);
            }
            return;
        }
        if segment.has(Flags::SYN) {
            // RFC 5961 §4.2.
            self.challenge(cx);
            return;
        }
        if !segment.has(Flags::ACK) {
            cx.drops.count(DropReason::TcpUnacceptable);
            return;
        }
        let ack = segment.tcp.ack;
        if ack.after(self.snd_nxt) || self.snd_una.minus(ack) > self.max_wnd.cast_signed() {
            // Something not sent yet, or so old that it is a guess (RFC 5961 §5.2).
            cx.drops.count(DropReason::TcpUnacceptable);
            self.correct(cx, segment);
            return;
        }
        if !self.acceptable(segment) {
            // A repetition, a keep-alive probe, or a lie: our view of the sequence space is the answer.
            cx.drops.count(DropReason::TcpUnacceptable);
            self.correct(cx, segment);
            // A repetition still carries a valid acknowledgement.
            if segment.tcp.seq.before(self.inbox.next) && !ack.before(self.snd_una) {
                self.on_ack(cx, segment);
            }
            return;
        }
        if !ack.before(self.snd_una) {
            self.on_ack(cx, segment);
            self.update_window(segment);
        }
        if !segment.payload.is_empty() || segment.has(Flags::FIN) {
            self.on_payload(cx, segment);
        }
    }

    /// What a transfer consists of: nothing but more bytes, in order, for a socket that may take them.
    fn is_next(&self, segment: &Segment<'_>) -> bool {
        let (Tcp { seq, ack, flags, .. }, len) = (segment.tcp, segment.payload.len());
        self.state == State::Established
            && len > 0
            && (flags == Flags::ACK || flags == Flags::ACK.with(Flags::PSH))
            && seq == self.inbox.next
            && len32(len) <= self.inbox.edge().distance_from(seq)
            && !ack.after(self.snd_nxt)
            && self.snd_una.minus(ack) <= self.max_wnd.cast_signed()
            && self.socket.writable
            && self.inbox.fin.is_none()
            && self.inbox.is_drained()
            && !self.inbox.has_gap()
    }

    fn in_window(&self, seq: Seq) -> bool {
        !seq.before(self.inbox.next) && seq.before(self.inbox.edge().add(1))
    }

    /// RFC 9293 §3.4, table 6: does any part of it lie in the window.
    fn acceptable(&self, segment: &Segment<'_>) -> bool {
        let len = segment.len();
        let seq = segment.tcp.seq;
        if len == 0 {
            return self.in_window(seq);
        }
        let last = seq.add(len - 1);
        !last.before(self.inbox.next) && !seq.after(self.inbox.edge())
    }

    /// Answers a segment that does not fit with our view of the sequence space.
    fn correct<I: Io>(&mut self, cx: &mut Context<'_, I>, segment: &Segment<'_>) {
        if segment.len() > 0 {
            self.ack_due = true;
        } else {
            // Two sides that disagree would answer each other's empty segments for ever.
            self.acknowledge_rarely(cx);
        }
    }

    fn challenge<I: Io>(&mut self, cx: &mut Context<'_, I>) {
        cx.drops.count(DropReason::TcpChallenged);
        self.acknowledge_rarely(cx);
    }

    fn acknowledge_rarely<I: Io>(&mut self, cx: &mut Context<'_, I>) {
        if cx.now.since(self.last_challenge) >= CHALLENGE_INTERVAL {
            self.last_challenge = cx.now;
            self.send_ack(cx);
        }
    }
}
