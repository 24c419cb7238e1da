//! Frames that wait for their time: first in, first out.
//!
//! They lie one behind the other in pieces of memory that are used again, so a link in steady use allocates nothing, and
//! growing copies nothing.

use super::limits::{MAX_BYTES, MAX_FRAMES, PIECE, SPARE_PIECES};
use crate::time::Instant;
use std::collections::VecDeque;

#[derive(Clone, Copy, Debug)]
struct Entry {
    due: Instant,
    len: usize,
}

#[derive(Debug, Default)]
pub(super) struct FrameQueue {
    entries: VecDeque<Entry>,
    /// No frame spans two; what does not fit into the last begins another.
    pieces: VecDeque<Vec<u8>>,
    /// Where the first frame begins in the first piece.
    at: usize,
    spare: Vec<Vec<u8>>,
    bytes: usize,
}

impl FrameQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a frame of `len` bytes may still come in.
    pub(super) fn has_room(&self, len: usize) -> bool {
        self.entries.len() < MAX_FRAMES && self.bytes + len <= MAX_BYTES
    }

    /// When the first one is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.entries.front().map(|entry| entry.due)
    }

    /// The due time of a frame is not earlier than that of the one before it: whoever pushes sees to it.
    pub(super) fn push(&mut self, due: Instant, parts: &[&[u8]]) {
        let len = parts.iter().map(|part| part.len()).sum();
        if self.pieces.back().is_none_or(|piece| piece.len() + len > piece.capacity()) {
            let piece = match self.spare.pop() {
                Some(piece) if piece.capacity() >= len => piece,
                _ => Vec::with_capacity(PIECE.max(len)),
            };
            self.pieces.push_back(piece);
        }
        if let Some(piece) = self.pieces.back_mut() {
            for part in parts {
                piece.extend_from_slice(part);
            }
        }
        self.entries.push_back(Entry { due, len });
        self.bytes += len;
    }

    /// Takes the first frame out when it is due by `now`.
    pub(super) fn pop_due(&mut self, now: Instant, take: impl FnOnce(&[u8])) -> bool {
        let Some(&Entry { due, len }) = self.entries.front() else { return false };
        if due > now {
            return false;
        }
        self.recycle();
        if let Some(frame) = self.pieces.front().and_then(|piece| piece.get(self.at..self.at + len)) {
            take(frame);
        }
        self.entries.pop_front();
        self.at += len;
        self.bytes -= len;
        self.recycle();
        true
    }

    /// Makes every frame due.
    pub(super) fn hurry(&mut self, now: Instant) {
        for entry in &mut self.entries {
            entry.due = entry.due.min(now);
        }
    }

    /// Forgets every frame; says how many there were.
    pub(super) fn clear(&mut self) -> usize {
        let frames = self.entries.len();
        *self = Self::default();
        frames
    }

    /// Takes the first piece away when all of it was read.
    fn recycle(&mut self) {
        if self.pieces.front().is_none_or(|piece| self.at < piece.len()) {
            return;
        }
        if let Some(mut piece) = self.pieces.pop_front() {
            piece.clear();
            if self.spare.len() < SPARE_PIECES {
                self.spare.push(piece);
            }
        }
        self.at = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(n: usize) -> Vec<u8> {
        vec![u8::try_from(n % 251).unwrap(); 1 + n * 7919 % 70_000]
    }

    #[test]
    fn frames_of_every_size_come_out_as_they_went_in_and_memory_is_used_again() {
        let mut queue = FrameQueue::default();
        let (mut pushed, mut popped) = (0, 0);
        for round in 0..400 {
            for _ in 0..(round % 13) {
                let bytes = frame(pushed);
                let (a, b) = bytes.split_at(bytes.len() / 3);
                queue.push(Instant::from_micros(pushed as u64), &[a, b, &[]]);
                pushed += 1;
            }
            for _ in 0..(round % 11).min(pushed - popped) {
                assert!(queue.pop_due(Instant::from_micros(popped as u64), |bytes| assert!(bytes == frame(popped))));
                popped += 1;
            }
        }
        assert_eq!(queue.next_due(), Some(Instant::from_micros(popped as u64)));
        while queue.pop_due(Instant::from_micros(u64::MAX), |bytes| assert!(bytes == frame(popped))) {
            popped += 1;
        }
        assert_eq!((pushed, queue.bytes, queue.pieces.len()), (popped, 0, 0));
        assert!(!queue.spare.is_empty() && queue.spare.len() <= SPARE_PIECES);

        let memory = |queue: &FrameQueue| queue.spare.len() + queue.pieces.len();
        let before = memory(&queue);
        for n in 0..1000 {
            queue.push(Instant::ZERO, &[&frame(n)]);
            assert!(queue.pop_due(Instant::ZERO, |_| ()));
        }
        assert_eq!(memory(&queue), before, "a link in steady use allocates nothing");
    }

    #[test]
    fn it_is_bounded_in_frames_and_in_bytes() {
        let mut queue = FrameQueue::default();
        while queue.has_room(1) {
            queue.push(Instant::ZERO, &[b"x"]);
        }
        assert_eq!(queue.clear(), MAX_FRAMES);
        let large = vec![0; 60_000];
        while queue.has_room(large.len()) {
            queue.push(Instant::ZERO, &[&large]);
        }
        assert_eq!(queue.bytes, MAX_BYTES / large.len() * large.len());
    }
}
