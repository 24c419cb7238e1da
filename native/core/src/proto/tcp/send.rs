//! Host to guest: reading the socket at the guest's pace, acknowledgements, repair.

use super::buffer::CHUNK;
use super::limits::{MAX_IN_FLIGHT, MAX_LONG_WINDOW, MAX_PLAIN_WINDOW, MAX_RECEIVE_WINDOW, READ_AT_ONCE, SILLY_WINDOW};
use super::queue::len32;
use super::{Segment, State, TcpFlow};
use crate::proto::{Context, Io};
use crate::time::Instant;
use crate::uplink::Received;
use crate::wire::tcp::Seq;
use std::io::IoSliceMut;
use std::time::Duration;

impl TcpFlow {
    /// An acknowledgement that is not older than what is known.
    pub(super) fn on_ack<I: Io>(&mut self, cx: &mut Context<'_, I>, segment: &Segment<'_>) {
        let ack = segment.tcp.ack;
        let mut newest = None;
        let progress = ack.after(self.snd_una);
        if progress {
            let acknowledged = self.queue.acknowledge(ack, cx.pool);
            if let Some(sent) = acknowledged.sample {
                self.measured(cx.now.since(sent));
                self.backoff = 0;
            } else if acknowledged.sent_again {
                // Which of the transmissions was acknowledged nobody knows. If it was the first, the next would be repeated in vain too.
                self.backoff = self.backoff.max(1);
            }
            newest = acknowledged.newest;
            self.snd_una = ack;
            self.retries = 0;
            self.probing = false;
            self.rearm_retransmit(cx.now);
        }
        if self.peer.sack && segment.options.sack[0].is_some() {
            newest = match self.queue.mark_sacked(&segment.options.sack, self.snd_una, self.snd_nxt) {
                Some(sacked) => Some(sacked.or_later(newest)),
                None => newest,
            };
        }
        if let Some(newest) = newest {
            self.newest_delivered = Some(newest.or_later(self.newest_delivered));
            self.detect_losses(cx.now);
        } else if !self.peer.sack && !progress && segment.len() == 0 {
            self.on_duplicate(segment);
        }
        self.maybe_finished(cx);
    }

    /// A round trip took so long.
    pub(super) fn measured(&mut self, round_trip: Duration) {
        self.round_trip.sample(round_trip);
        self.inbox.set_limit(if self.round_trip.is_long() {
            MAX_LONG_WINDOW
        } else if self.link.capabilities.tso4 {
            MAX_RECEIVE_WINDOW
        } else {
            MAX_PLAIN_WINDOW
        });
    }

    /// The window of an acceptable segment, unless a newer one has been seen (RFC 9293 §3.10.7.4). A repetition says nothing: it may
    /// be as old as its bytes.
    pub(super) fn update_window(&mut self, segment: &Segment<'_>) {
        let ack = segment.tcp.ack;
        let (seq, window) = (segment.tcp.seq, u32::from(segment.tcp.window) << self.peer.window_scale.unwrap_or(0));
        if self.window_seq.before(seq) || (self.window_seq == seq && !ack.before(self.window_ack)) {
            self.snd_wnd = window;
            self.max_wnd = self.max_wnd.max(window);
            self.window_seq = seq;
            self.window_ack = ack;
        }
    }

    /// Without SACK, a repeated acknowledgement while data is out says that the first chunk is missing; on a link that is
    /// memory one is enough to try.
    fn on_duplicate(&mut self, segment: &Segment<'_>) {
        let same_window = u32::from(segment.tcp.window) << self.peer.window_scale.unwrap_or(0) == self.snd_wnd;
        if same_window
            && let Some(front) = self.queue.chunks.front_mut()
            && !front.sent_again
        {
            front.lost = true;
        }
    }

    pub(super) fn detect_losses(&mut self, now: Instant) {
        if let Some(newest) = self.newest_delivered {
            self.deadlines.reorder = self.queue.detect_losses(newest, self.round_trip.reorder_window(), now);
        }
    }

    /// Sends again what was found lost.
    fn repair<I: Io>(&mut self, cx: &mut Context<'_, I>) {
        let now = cx.now;
        for at in 0..self.queue.chunks.len() {
            if self.queue.chunks[at].lost {
                self.send_chunk_again(cx, at);
            }
        }
        if self.deadlines.retransmit.is_none() && !self.queue.is_empty() {
            self.rearm_retransmit(now);
        }
    }

    /// What is missing of a chunk.
    pub(super) fn send_chunk_again<I: Io>(&mut self, cx: &mut Context<'_, I>, at: usize) {
        let Some((mut start, end)) = self.note_repetition(cx.now, at) else { return };
        while let Some(hole) = self.queue.reported.hole(start, end) {
            self.send_part(cx, at, hole.0, hole.1);
            start = hole.1;
        }
    }

    /// The first of what is missing of a chunk.
    pub(super) fn send_hole_again<I: Io>(&mut self, cx: &mut Context<'_, I>, at: usize) {
        let Some((start, end)) = self.note_repetition(cx.now, at) else { return };
        let (start, end) = self.queue.reported.hole(start, end).unwrap_or((start, end));
        self.send_part(cx, at, start, end);
    }

    /// A chunk is about to be sent again: which bytes it has.
    fn note_repetition(&mut self, now: Instant, at: usize) -> Option<(Seq, Seq)> {
        let chunk = self.queue.chunks.get_mut(at)?;
        chunk.lost = false;
        chunk.sent_again = true;
        chunk.sent_at = now;
        Some((chunk.first(), chunk.end()))
    }

    /// How much may be read for the guest now: whole segments, unless less is all there is room for and nothing is under way.
    fn room<I: Io>(&self, cx: &Context<'_, I>) -> usize {
        if self.queue.is_full() {
            return 0;
        }
        let mut limit = self.snd_wnd.min(MAX_IN_FLIGHT);
        if cx.pool.is_full() {
            limit = limit.min(len32(CHUNK));
        }
        let room = (limit.saturating_sub(self.in_flight()) as usize).min(cx.io.room(self.link.endpoint));
        if room >= self.mss() {
            return room;
        }
        // Less than a segment: not for crumbs, unless nothing better has come for a while (RFC 9293 §3.8.6.2.1).
        if self.in_flight() == 0 && room > 0 && (room >= SILLY_WINDOW || self.persist_retries > 0) { room } else { 0 }
    }

    /// Everything that can move, moves: inbox to socket, repairs, socket to guest, FIN, the acknowledgement owed. True when the socket
    /// still has something and the budget, in chunks, is used up. What is left of the budget comes back in it.
    pub(crate) fn flush<I: Io>(&mut self, cx: &mut Context<'_, I>, budget: &mut usize) -> bool {
        if self.state != State::Established {
            if self.ack_due && self.state == State::TimeWait {
                self.send_ack(cx);
            }
            return false;
        }
        self.drain_inbox(cx);
        if self.state != State::Established {
            return false;
        }
        self.repair(cx);
        let more = self.pull(cx, budget);
        if self.state != State::Established {
            return false;
        }
        if self.socket.ended && self.fin_sent.is_none() {
            let seq = self.snd_nxt;
            self.fin_sent = Some(seq);
            self.snd_nxt = seq.add(1);
            self.send_fin(cx, seq);
            self.rearm_retransmit(cx.now);
            self.arm_keepalive(cx.now);
        }
        if self.ack_due {
            self.send_ack(cx);
        }
        self.arm_persist(cx.now);
        self.maybe_finished(cx);
        more
    }

    /// Reads the socket at the guest's pace. True when it still has something and the budget is used up.
    fn pull<I: Io>(&mut self, cx: &mut Context<'_, I>, budget: &mut usize) -> bool {
        while *budget > 0 {
            if self.socket.ended && self.socket.broken {
                self.host_lost(cx);
                return false;
            }
            if !self.socket.readable || self.socket.ended {
                return false;
            }
            let room = self.room(cx);
            if room == 0 {
                return false;
            }
            let (mss, most) = (self.mss(), room.min(CHUNK));
            // Whole segments, or the less that there is room for.
            let size = if most >= mss { most / mss * mss } else { most };
            let at_once = if self.socket.plenty { READ_AT_ONCE } else { 1 };
            let count = (room / size).min(at_once).min(*budget);
            let mut chunks: [Box<[u8]>; READ_AT_ONCE] =
                std::array::from_fn(|n| if n < count { cx.pool.take() } else { Box::default() });
            let received = if count == 1 {
                cx.io.tcp_receive(self.id, &mut chunks[0][..size])
            } else {
                let mut slices = chunks.each_mut().map(|chunk| {
                    let len = chunk.len().min(size);
                    IoSliceMut::new(&mut chunk[..len])
                });
                cx.io.tcp_receive_many(self.id, &mut slices[..count])
            };
            let len = if let Ok(Received::Data(len)) = received { len } else { 0 };
            let mut left = len;
            for chunk in chunks.into_iter().take(count) {
                let part = left.min(size);
                left -= part;
                if part > 0 {
                    self.send_new(cx, chunk, part);
                } else {
                    cx.pool.give_back(chunk);
                }
            }
            match received {
                Ok(Received::Data(_)) => {
                    // A short read has emptied the socket, and what comes next is a new event (epoll(7), question 9).
                    let full = len == size * count;
                    self.socket.readable = full || self.socket.ending || self.socket.broken;
                    *budget -= count;
                    self.socket.plenty = full;
                }
                // Of a broken connection everything has been read now. (Its error may have been taken by whoever reported it;
                // what is left then looks like an orderly end.)
                Ok(Received::Empty | Received::Closed) | Err(_) if self.socket.broken => {
                    self.host_lost(cx);
                    return false;
                }
                Ok(Received::Empty) => {
                    self.socket.readable = false;
                    self.socket.plenty = false;
                }
                Ok(Received::Closed) => self.socket.ended = true,
                Err(_) => {
                    self.host_lost(cx);
                    return false;
                }
            }
        }
        self.socket.readable && !self.socket.ended && self.room(cx) > 0
    }

    /// Sends `len` bytes that were read, and keeps them.
    fn send_new<I: Io>(&mut self, cx: &mut Context<'_, I>, bytes: Box<[u8]>, len: usize) {
        let seq = self.snd_nxt;
        let buffer = cx.pool.keep(bytes, len);
        self.snd_nxt = seq.add(len32(len));
        self.queue.push(seq, buffer, cx.now, cx.pool);
        self.send_part(cx, self.queue.chunks.len() - 1, seq, self.snd_nxt);
        if self.deadlines.retransmit.is_none() {
            self.rearm_retransmit(cx.now);
        }
        self.deadlines.persist = None;
    }

    /// True when FIN has been sent and acknowledged.
    pub(super) fn fin_acknowledged(&self) -> bool {
        self.fin_sent.is_some_and(|seq: Seq| self.snd_una.after(seq))
    }
}
