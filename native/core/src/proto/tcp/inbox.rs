//! What the guest has sent and the host's socket has not taken yet; the window that is offered for more.

use super::buffer::{Buffer, BufferPool};
use super::limits::{
    INITIAL_RECEIVE_WINDOW, MAX_RECEIVE_WINDOW, MAX_REORDER_PIECES, PRESSED_WINDOW, RECEIVE_WINDOW_SCALE,
};
use super::queue::len32;
use crate::wire::tcp::Seq;
use std::collections::VecDeque;

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
    /// What `window` may grow to.
    limit: u32,
    scale: u8,
    ready: VecDeque<Buffer>,
    /// Bytes of `ready`'s first buffer that the socket has taken.
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
            limit: if scaled { MAX_RECEIVE_WINDOW } else { 65_535 },
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

    pub(crate) fn edge(&self) -> Seq {
        self.edge
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.ready.is_empty()
    }

    /// How far the window may grow with use. It never shrinks.
    pub(crate) fn set_limit(&mut self, limit: u32) {
        if self.scale > 0 {
            self.limit = limit.max(self.window);
        }
    }

    /// Bytes that the guest may have under way. When memory is short a flow whose bytes wait offers nothing more, any other little.
    fn wanted(&self, short_of_memory: bool) -> u32 {
        match (short_of_memory, self.ready_bytes) {
            (false, held) => self.window.saturating_sub(len32(held)),
            (true, 0) => self.window.min(PRESSED_WINDOW),
            (true, _) => 0,
        }
    }

    /// The window field for the next segment; the edge moves with it.
    pub(crate) fn offer(&mut self, short_of_memory: bool) -> u16 {
        let wanted = self.wanted(short_of_memory);
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
    /// offered it can wait for the next one that is owed anyway; so it does when the handshake is done. Much means that a segment
    /// of `mss`, the largest that the guest sends, fits: a kernel with more to say than fits waits until it does, and asks by
    /// itself only after a fifth of a second.
    pub(crate) fn worth_an_update(&self, mss: usize, short_of_memory: bool) -> bool {
        let wanted = self.wanted(short_of_memory);
        let offered = self.edge.distance_from(self.next);
        let (gain, two) = (wanted.saturating_sub(offered), len32(mss).saturating_mul(2));
        gain >= (self.window / 2).min(two).max(1) && offered < (self.window / 4).max(two)
    }

    /// Counts bytes in order that the socket took at once; the window doubles when half of it went through since the last time.
    pub(crate) fn passed(&mut self, len: usize) {
        self.next = self.next.add(len32(len));
        self.since_growth = self.since_growth.saturating_add(len32(len));
        if self.window < self.limit && self.since_growth >= self.window / 2 {
            self.window = (self.window * 2).min(self.limit);
            self.since_growth = 0;
        }
    }

    /// Keeps bytes in order that the socket did not take.
    pub(crate) fn keep_ready(&mut self, data: &[u8], pool: &mut BufferPool) {
        self.next = self.next.add(len32(data.len()));
        self.ready_bytes += data.len();
        let mut rest = data;
        // A guest that sends single bytes to a slow peer must not make a million pieces of them.
        if let Some(last) = self.ready.back_mut() {
            rest = &rest[last.append(rest)..];
        }
        while !rest.is_empty() {
            let mut buffer = pool.empty_for(rest.len());
            rest = &rest[buffer.append(rest)..];
            pool.equip_ready(&mut self.ready);
            self.ready.push_back(buffer);
        }
    }

    /// The next bytes for the socket.
    pub(crate) fn front(&self) -> Option<&[u8]> {
        self.ready.front().map(|buffer| &buffer.bytes()[self.taken..])
    }

    pub(crate) fn take(&mut self, len: usize, pool: &mut BufferPool) {
        self.taken += len;
        self.ready_bytes -= len;
        if self.ready.front().is_some_and(|buffer| buffer.bytes().len() == self.taken) {
            if let Some(buffer) = self.ready.pop_front() {
                pool.release(buffer);
            }
            self.taken = 0;
            if self.ready.is_empty() {
                pool.retire_ready(&mut self.ready);
            }
        }
    }

    /// Keeps data out of order, inside the window. False when there are too many pieces.
    pub(crate) fn keep_piece(&mut self, mut seq: Seq, mut data: &[u8], pool: &mut BufferPool) -> bool {
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
                pool.count(part.len());
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

    /// Moves pieces that `next` has reached to `ready`.
    pub(crate) fn join_pieces(&mut self, pool: &mut BufferPool) {
        while self.pieces.front().is_some_and(|piece| !piece.seq.after(self.next)) {
            let Some(piece) = self.pieces.pop_front() else { break };
            self.piece_bytes -= piece.data.len();
            pool.uncount(piece.data.len());
            let skip = (self.next.distance_from(piece.seq) as usize).min(piece.data.len());
            if skip < piece.data.len() {
                self.keep_ready(&piece.data[skip..], pool);
            }
        }
        if self.pieces.is_empty() {
            // A gap is rare, and an idle flow keeps nothing of it.
            self.pieces = VecDeque::new();
        }
    }

    /// Forgets everything.
    pub(crate) fn discard(&mut self, pool: &mut BufferPool) {
        for buffer in self.ready.drain(..) {
            pool.release(buffer);
        }
        pool.retire_ready(&mut self.ready);
        pool.uncount(self.piece_bytes);
        self.pieces = VecDeque::new();
        (self.taken, self.ready_bytes, self.piece_bytes) = (0, 0, 0);
    }

    pub(crate) fn has_gap(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Neighbouring pieces as one, in order.
    fn islands(&self) -> impl Iterator<Item = (Seq, Seq)> + '_ {
        let mut pieces = self.pieces.iter().peekable();
        std::iter::from_fn(move || {
            let first = pieces.next()?;
            let mut end = first.end();
            while let Some(next) = pieces.next_if(|next| next.seq == end) {
                end = next.end();
            }
            Some((first.seq, end))
        })
    }

    /// Up to `N` SACK blocks and how many they are; the one with the latest segment first (RFC 2018 §4).
    pub(crate) fn sack_blocks<const N: usize>(&self) -> ([(Seq, Seq); N], usize) {
        let is_latest =
            |island: &(Seq, Seq)| self.latest.is_some_and(|seq| !seq.before(island.0) && seq.before(island.1));
        let first = self.islands().find(is_latest);
        let others = self.islands().filter(|island| !is_latest(island));
        let mut blocks = [(Seq(0), Seq(0)); N];
        let mut count = 0;
        for (slot, block) in blocks.iter_mut().zip(first.into_iter().chain(others)) {
            *slot = block;
            count += 1;
        }
        (blocks, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(inbox: &mut Inbox, pool: &mut BufferPool) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some(front) = inbox.front() {
            let n = front.len();
            out.extend_from_slice(front);
            inbox.take(n, pool);
        }
        out
    }

    #[test]
    fn window_never_moves_back_and_closes_with_what_is_held() {
        let mut pool = BufferPool::default();
        let mut inbox = Inbox::new(Seq(1000), true);
        let first = u32::from(inbox.offer(false)) << RECEIVE_WINDOW_SCALE;
        assert_eq!(first, INITIAL_RECEIVE_WINDOW);
        inbox.keep_ready(&[0; 1000], &mut pool);
        let edge = inbox.edge();
        inbox.offer(false);
        assert_eq!(inbox.edge(), edge, "held bytes do not extend it");
        inbox.take(1000, &mut pool);
        assert_eq!((pool.held(), inbox.ready.capacity()), (0, 0), "an idle flow keeps no memory");
        inbox.offer(true);
        assert_eq!(inbox.edge(), edge, "nor does it move back when memory is short");
        inbox.offer(false);
        assert!(inbox.edge().after(edge));
    }

    #[test]
    fn few_blocks_stand_for_many_pieces() {
        let mut pool = BufferPool::default();
        let mut inbox = Inbox::new(Seq(0), true);
        inbox.offer(false);
        for n in [9, 3, 4, 1, 7, 5] {
            assert!(inbox.keep_piece(Seq(n * 10), &[0; 10], &mut pool));
        }
        inbox.latest = Some(Seq(70));
        let expected = [(Seq(70), Seq(80)), (Seq(10), Seq(20)), (Seq(30), Seq(60))];
        assert_eq!(inbox.sack_blocks::<3>(), (expected, 3));
        inbox.latest = None;
        assert_eq!(inbox.sack_blocks::<4>().1, 4);
        inbox.discard(&mut pool);
        assert_eq!(pool.held(), 0);
    }

    proptest::proptest! {
        /// Whatever the order, overlap and repetition, the stream comes out as it was sent.
        #[test]
        fn reassembles_any_order(cuts in proptest::collection::vec((0usize..900, 1usize..200), 1..120), start in proptest::num::u32::ANY) {
            let stream: Vec<u8> = (0..1000u32).map(|n| (n % 251) as u8).collect();
            let mut inbox = Inbox::new(Seq(start), true);
            inbox.offer(false);
            let mut pool = BufferPool::default();
            let mut pieces: Vec<(usize, usize)> = cuts;
            pieces.push((0, 1000));
            let mut out = Vec::new();
            for (from, len) in pieces {
                let to = (from + len).min(1000);
                proptest::prop_assert!(inbox.keep_piece(Seq(start).add(from as u32), &stream[from..to], &mut pool));
                let mut last = None;
                for piece in &inbox.pieces {
                    if let Some(end) = last { proptest::prop_assert!(!piece.seq.before(end), "pieces overlap"); }
                    last = Some(piece.end());
                }
                inbox.join_pieces(&mut pool);
                out.extend(drain(&mut inbox, &mut pool));
            }
            proptest::prop_assert_eq!(out, stream);
            proptest::prop_assert_eq!(pool.held(), 0);
        }
    }
}
