//! Guest to host: payload into the socket, what it does not take into the inbox.

use super::gather::Gather;
use super::queue::len32;
use super::{Segment, State, TcpFlow};
use crate::drop::DropReason;
use crate::proto::{Context, Io};
use crate::wire::tcp::Flags;
use std::io::IoSlice;

impl TcpFlow {
    /// Payload and FIN of an acceptable segment.
    pub(super) fn on_payload<I: Io>(&mut self, cx: &mut Context<'_, I>, segment: &Segment<'_>) {
        self.ack_due = true;
        if self.state != State::Established || self.inbox.fin.is_some_and(|fin| self.inbox.next.after(fin)) {
            // Everything up to FIN is here; repetitions are answered, nothing more is taken.
            return;
        }
        let seq = segment.tcp.seq;
        if segment.has(Flags::FIN) {
            self.inbox.fin = Some(seq.add(len32(segment.payload.len())));
        }
        if seq.after(self.inbox.next) {
            self.keep_out_of_order(cx, segment);
            // A gap is reported at once, and once for each segment: the sender counts them (RFC 5681 §3.2).
            self.send_ack(cx);
            return;
        }
        let skip = self.inbox.next.distance_from(seq) as usize;
        let fresh = segment.payload.get(skip..).unwrap_or(&[]);
        let room = self.inbox.edge().distance_from(self.inbox.next) as usize;
        let fresh = &fresh[..fresh.len().min(room)];
        if !fresh.is_empty() && self.take_in(cx, &[IoSlice::new(fresh)], fresh.len()) && self.inbox.has_gap() {
            self.inbox.join_pieces(cx.pool);
        }
    }

    /// Gives the socket what was gathered, in one call, and keeps what it does not take.
    pub(crate) fn hand_over<I: Io>(&mut self, cx: &mut Context<'_, I>, gather: &mut Gather<'_>) {
        if gather.flow() != Some(self.id) {
            return;
        }
        let (slices, bytes) = gather.take();
        // Counted when they were gathered; from here on each is counted by whoever takes it.
        self.inbox.next = self.inbox.next.add(len32(bytes).wrapping_neg());
        self.take_in(cx, slices, bytes);
    }

    /// The next bytes in order, `bytes` of them: to the socket, in one call, and what it does not take into the inbox. False when there
    /// was no memory for all of them: the rest is not acknowledged, so the guest sends it again.
    fn take_in<I: Io>(&mut self, cx: &mut Context<'_, I>, slices: &[IoSlice<'_>], bytes: usize) -> bool {
        let mut taken = 0;
        if self.inbox.is_drained() && self.socket.writable {
            match cx.io.tcp_send_many(self.id, slices) {
                Ok(sent) => {
                    self.socket.writable = sent == bytes;
                    taken = sent;
                }
                Err(_) => self.host_broke(),
            }
            self.inbox.passed(taken);
        }
        for slice in slices {
            let skip = taken.min(slice.len());
            taken -= skip;
            if skip == slice.len() {
                continue;
            }
            if cx.pool.is_full() {
                cx.drops.count(DropReason::TcpMemory);
                return false;
            }
            self.inbox.keep_ready(&slice[skip..], cx.pool);
        }
        true
    }

    fn keep_out_of_order<I: Io>(&mut self, cx: &mut Context<'_, I>, segment: &Segment<'_>) {
        self.inbox.latest = Some(segment.tcp.seq);
        if cx.pool.is_full() {
            cx.drops.count(DropReason::TcpMemory);
        } else if !self.inbox.keep_piece(segment.tcp.seq, segment.payload, cx.pool) {
            cx.drops.count(DropReason::TcpReorderLimit);
        }
    }

    /// Moves what waits in the inbox to the socket, and FIN behind it.
    pub(super) fn drain_inbox<I: Io>(&mut self, cx: &mut Context<'_, I>) {
        while self.socket.writable {
            let Some(front) = self.inbox.front() else { break };
            // `front` borrows the inbox: the socket gets it before anything else moves.
            let len = front.len();
            let result = cx.io.tcp_send(self.id, front);
            match result {
                Ok(taken) => {
                    self.socket.writable = taken == len;
                    self.inbox.take(taken, cx.pool);
                }
                Err(_) => self.host_broke(),
            }
        }
        // Pieces that claim to lie behind FIN do not hold it up.
        if self.inbox.fin == Some(self.inbox.next) {
            self.inbox.next = self.inbox.next.add(1);
            self.guest_closed_first = self.fin_sent.is_none();
            self.ack_due = true;
        }
        if self.inbox.fin.is_some_and(|fin| self.inbox.next.after(fin)) && self.inbox.is_drained() && !self.socket.shut
        {
            self.socket.shut = true;
            // Not before: a guest that has forgotten the connection answers with a reset, and bytes that still wait here would be lost.
            self.arm_keepalive(cx.now);
            cx.io.tcp_shutdown(self.id);
        }
        if !self.ack_due
            && self.inbox.worth_an_update(usize::from(self.own_mss()), cx.pool.is_full())
            && self.state == State::Established
        {
            self.ack_due = true;
        }
    }
}
