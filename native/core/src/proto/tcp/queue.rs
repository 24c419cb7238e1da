//! The two queues of a flow: `SendQueue` keeps chunks until the guest has acknowledged them, `Inbox` keeps what the guest
//! sent and the host's socket has not taken yet.

use super::buffer::{Buffer, BufferPool};
use super::limits::{
    INITIAL_RECEIVE_WINDOW, MAX_RECEIVE_WINDOW, MAX_REORDER_PIECES, READY_PIECE, RECEIVE_WINDOW_SCALE,
};
use crate::time::Instant;
use crate::wire::tcp::{MAX_SACK_BLOCKS, Seq};
use std::collections::VecDeque;

/// One read's bytes, sent as one frame.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) seq: Seq,
    pub(crate) buffer: Buffer,
    /// Bytes at the front that have been acknowledged.
    pub(crate) done: usize,
    pub(crate) sent_at: Instant,
    pub(crate) sent_again: bool,
    pub(crate) sacked: bool,
    /// Found lost, not sent again yet.
    pub(crate) lost: bool,
}

impl Chunk {
    pub(crate) fn first(&self) -> Seq {
        self.seq.add(len32(self.done))
    }

    pub(crate) fn end(&self) -> Seq {
        self.seq.add(len32(self.buffer.bytes().len()))
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.buffer.bytes()[self.done..]
    }

    pub(crate) fn sent(&self) -> Sent {
        Sent { at: self.sent_at, end: self.end() }
    }
}

/// Lengths inside a flow are bounded far below 4 GiB by its windows.
pub(crate) fn len32(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    pub(crate) chunks: VecDeque<Chunk>,
}

/// A place in the order of sending: the time, and among chunks of one moment (a whole batch has one) the sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    at: Instant,
    end: Seq,
}

impl Sent {
    pub(crate) fn is_after(self, other: Self) -> bool {
        self.at > other.at || (self.at == other.at && self.end.after(other.end))
    }

    /// The later of both.
    pub(crate) fn or_later(self, other: Option<Self>) -> Self {
        other.filter(|other| other.is_after(self)).unwrap_or(self)
    }
}

/// What an acknowledgement freed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Acknowledged {
    /// When the newest chunk that went out only once was sent: a sample of the round trip (Karn's rule).
    pub(crate) sample: Option<Instant>,
    /// The latest-sent of the delivered chunks.
    pub(crate) newest: Option<Sent>,
}

impl SendQueue {
    pub(crate) fn push(&mut self, seq: Seq, buffer: Buffer, now: Instant) {
        self.chunks.push_back(Chunk {
            seq,
            buffer,
            done: 0,
            sent_at: now,
            sent_again: false,
            sacked: false,
            lost: false,
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Forgets what lies before `ack`.
    pub(crate) fn acknowledge(&mut self, ack: Seq, pool: &mut BufferPool) -> Acknowledged {
        let mut result = Acknowledged::default();
        while let Some(front) = self.chunks.front_mut() {
            if front.end().after(ack) {
                if ack.after(front.first()) {
                    front.done = ack.distance_from(front.seq) as usize;
                }
                break;
            }
            if !front.sent_again {
                result.sample = result.sample.max(Some(front.sent_at));
            }
            result.newest = Some(front.sent().or_later(result.newest));
            if let Some(chunk) = self.chunks.pop_front() {
                pool.release(chunk.buffer);
            }
        }
        result
    }

    /// Marks what SACK blocks cover as delivered; gives the latest-sent of the newly marked.
    pub(crate) fn mark_sacked(&mut self, blocks: &[Option<(Seq, Seq)>; MAX_SACK_BLOCKS]) -> Option<Sent> {
        let mut newest = None;
        for (start, end) in blocks.iter().flatten() {
            for chunk in &mut self.chunks {
                if !chunk.sacked && !chunk.first().before(*start) && !chunk.end().after(*end) {
                    chunk.sacked = true;
                    chunk.lost = false;
                    newest = Some(chunk.sent().or_later(newest));
                }
            }
        }
        newest
    }

    pub(crate) fn clear(&mut self, pool: &mut BufferPool) {
        for chunk in self.chunks.drain(..) {
            pool.release(chunk.buffer);
        }
    }
}

/// A piece of data out of order.
#[derive(Debug)]
struct Piece {
    seq: Seq,
    data: Vec<u8>,
}

impl Piece {
    fn end(&self) -> Seq {
        self.seq.add(len32(self.data.len()))
    }
}

/// What the guest has sent. `next` is acknowledged; the bytes between what the socket took and `next` wait in `ready`.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// The next sequence number expected.
    pub(crate) next: Seq,
    /// Right edge offered; never moves back (RFC 9293 §3.8.6).
    edge: Seq,
    window: u32,
    scale: u8,
    ready: VecDeque<Vec<u8>>,
    /// Bytes of `ready`'s first piece that the socket has taken.
    taken: usize,
    ready_bytes: usize,
    pieces: VecDeque<Piece>,
    piece_bytes: usize,
    /// Bytes received since the window last grew.
    since_growth: u32,
    /// The guest's FIN: its sequence number.
    pub(crate) fin: Option<Seq>,
    /// Where the latest segment out of order began.
    pub(crate) latest: Option<Seq>,
}

impl Inbox {
    pub(crate) fn new(next: Seq, scaled: bool) -> Self {
        Self {
            next,
            edge: next,
            window: if scaled { INITIAL_RECEIVE_WINDOW } else { 65_535 },
            scale: if scaled { RECEIVE_WINDOW_SCALE } else { 0 },
            ready: VecDeque::new(),
            taken: 0,
            ready_bytes: 0,
            pieces: VecDeque::new(),
            piece_bytes: 0,
            since_growth: 0,
            fin: None,
            latest: None,
        }
    }

    pub(crate) fn held(&self) -> usize {
        self.ready_bytes + self.piece_bytes
    }

    pub(crate) fn edge(&self) -> Seq {
        self.edge
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.ready.is_empty()
    }

    /// The window field for the next segment; the edge moves with it.
    pub(crate) fn offer(&mut self) -> u16 {
        let wanted = self.window.saturating_sub(len32(self.ready_bytes));
        let already = self.edge.distance_from(self.next);
        let field = u16::try_from(wanted.max(already) >> self.scale).unwrap_or(u16::MAX);
        let edge = self.next.add(u32::from(field) << self.scale);
        if edge.after(self.edge) {
            self.edge = edge;
        }
        field
    }

    /// The window field of a SYN is never scaled (RFC 7323 §2.2).
    pub(crate) fn offer_unscaled(&mut self) -> u16 {
        let field = u16::try_from(self.window).unwrap_or(u16::MAX);
        self.edge = self.next.add(u32::from(field));
        field
    }

    /// Whether the edge could move far enough to be worth an acknowledgement of its own (RFC 9293 §3.8.6.2.2). While much is still
    /// offered it can wait for the next one that is owed anyway; so it does when the handshake is done.
    pub(crate) fn worth_an_update(&self, mss: usize) -> bool {
        let wanted = self.window.saturating_sub(len32(self.ready_bytes));
        let offered = self.edge.distance_from(self.next);
        wanted.saturating_sub(offered) >= (self.window / 2).min(len32(mss).saturating_mul(2)).max(1)
            && offered < self.window / 4
    }

    /// Counts bytes in order that the socket took at once; the window doubles when half of it went through since the last time.
    pub(crate) fn passed(&mut self, len: usize) {
        self.next = self.next.add(len32(len));
        self.since_growth = self.since_growth.saturating_add(len32(len));
        if self.scale > 0 && self.since_growth >= self.window / 2 && self.window < MAX_RECEIVE_WINDOW {
            self.window = (self.window * 2).min(MAX_RECEIVE_WINDOW);
            self.since_growth = 0;
        }
    }

    /// Keeps bytes in order that the socket did not take.
    pub(crate) fn keep_ready(&mut self, data: &[u8]) {
        self.next = self.next.add(len32(data.len()));
        self.ready_bytes += data.len();
        match self.ready.back_mut() {
            // A guest that sends single bytes to a slow peer must not make a million pieces of them.
            Some(last) if last.len() + data.len() <= READY_PIECE => last.extend_from_slice(data),
            _ => self.ready.push_back(data.to_vec()),
        }
    }

    /// The next bytes for the socket.
    pub(crate) fn front(&self) -> Option<&[u8]> {
        self.ready.front().map(|piece| &piece[self.taken..])
    }

    pub(crate) fn take(&mut self, len: usize) {
        self.taken += len;
        self.ready_bytes -= len;
        if self.ready.front().is_some_and(|piece| piece.len() == self.taken) {
            self.ready.pop_front();
            self.taken = 0;
        }
    }

    /// Keeps data out of order, inside the window. False when there are too many pieces.
    pub(crate) fn keep_piece(&mut self, mut seq: Seq, mut data: &[u8]) -> bool {
        // Cut to what lies between `next` and the edge.
        let skip = self.next.distance_from(seq) as usize;
        if skip >= data.len() {
            return true;
        }
        data = &data[skip..];
        seq = seq.add(len32(skip));
        let room = self.edge.distance_from(seq) as usize;
        data = &data[..data.len().min(room)];

        let mut at = self.pieces.partition_point(|piece| !piece.end().after(seq));
        while !data.is_empty() {
            // Bytes that a later piece already holds are skipped, so pieces never overlap.
            let until = self.pieces.get(at).map_or(data.len(), |next| next.seq.distance_from(seq) as usize);
            if until > 0 {
                if self.pieces.len() >= MAX_REORDER_PIECES {
                    return false;
                }
                let part = &data[..until.min(data.len())];
                self.piece_bytes += part.len();
                self.pieces.insert(at, Piece { seq, data: part.to_vec() });
                seq = seq.add(len32(part.len()));
                data = &data[part.len()..];
                at += 1;
            }
            let Some(next) = self.pieces.get(at) else { break };
            let covered = next.end().distance_from(seq) as usize;
            if covered >= data.len() {
                break;
            }
            data = &data[covered..];
            seq = seq.add(len32(covered));
            at += 1;
        }
        true
    }

    /// Moves pieces that `next` has reached to `ready`. True when any did.
    pub(crate) fn join_pieces(&mut self) -> bool {
        let mut joined = false;
        while self.pieces.front().is_some_and(|piece| !piece.seq.after(self.next)) {
            let Some(mut piece) = self.pieces.pop_front() else { break };
            self.piece_bytes -= piece.data.len();
            let skip = (self.next.distance_from(piece.seq) as usize).min(piece.data.len());
            piece.data.drain(..skip);
            if !piece.data.is_empty() {
                self.next = self.next.add(len32(piece.data.len()));
                self.ready_bytes += piece.data.len();
                self.ready.push_back(piece.data);
                joined = true;
            }
        }
        joined
    }

    /// Forgets everything; says how many bytes that were.
    pub(crate) fn discard(&mut self) -> usize {
        let held = self.held();
        self.ready.clear();
        self.pieces.clear();
        (self.taken, self.ready_bytes, self.piece_bytes) = (0, 0, 0);
        held
    }

    pub(crate) fn has_gap(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Up to `N` SACK blocks, neighbours merged; the one that holds `latest` first (RFC 2018 §4).
    pub(crate) fn sack_blocks(&self, latest: Option<Seq>) -> Vec<(Seq, Seq)> {
        let mut blocks: Vec<(Seq, Seq)> = Vec::new();
        for piece in &self.pieces {
            match blocks.last_mut() {
                Some((_, end)) if *end == piece.seq => *end = piece.end(),
                _ => blocks.push((piece.seq, piece.end())),
            }
        }
        if let Some(latest) = latest
            && let Some(at) = blocks.iter().position(|(start, end)| !latest.before(*start) && latest.before(*end))
        {
            blocks[..=at].rotate_right(1);
        }
        blocks.truncate(MAX_SACK_BLOCKS);
        blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(inbox: &mut Inbox) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some(front) = inbox.front() {
            let n = front.len();
            out.extend_from_slice(front);
            inbox.take(n);
        }
        out
    }

    #[test]
    fn window_never_moves_back_and_closes_with_what_is_held() {
        let mut inbox = Inbox::new(Seq(1000), true);
        let first = u32::from(inbox.offer()) << RECEIVE_WINDOW_SCALE;
        assert_eq!(first, INITIAL_RECEIVE_WINDOW);
        inbox.keep_ready(&[0; 1000]);
        let edge = inbox.edge();
        inbox.offer();
        assert_eq!(inbox.edge(), edge, "held bytes do not extend it");
        inbox.take(1000);
        inbox.offer();
        assert!(inbox.edge().after(edge));
    }

    proptest::proptest! {
        /// Whatever the order, overlap and repetition, the stream comes out as it was sent.
        #[test]
        fn reassembles_any_order(cuts in proptest::collection::vec((0usize..900, 1usize..200), 1..120), start in proptest::num::u32::ANY) {
            let stream: Vec<u8> = (0..1000u32).map(|n| (n % 251) as u8).collect();
            let mut inbox = Inbox::new(Seq(start), true);
            inbox.offer();
            let mut pieces: Vec<(usize, usize)> = cuts;
            pieces.push((0, 1000));
            let mut out = Vec::new();
            for (from, len) in pieces {
                let to = (from + len).min(1000);
                proptest::prop_assert!(inbox.keep_piece(Seq(start).add(from as u32), &stream[from..to]));
                let mut last = None;
                for piece in &inbox.pieces {
                    if let Some(end) = last { proptest::prop_assert!(!piece.seq.before(end), "pieces overlap"); }
                    last = Some(piece.end());
                }
                inbox.join_pieces();
                out.extend(drain(&mut inbox));
            }
            proptest::prop_assert_eq!(out, stream);
            proptest::prop_assert_eq!(inbox.held(), 0);
        }
    }
}
