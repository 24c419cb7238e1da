//! What is on its way to the guest: chunks, kept until the guest has acknowledged them.

use super::buffer::{Buffer, BufferPool};
use super::limits::{MAX_CHUNKS, MAX_HELD_IN_FLIGHT};
use super::scoreboard::Scoreboard;
use crate::time::Instant;
use crate::wire::tcp::{MAX_SACK_BLOCKS, Seq};
use std::collections::VecDeque;
use std::time::Duration;

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

    /// The bytes from `start` to `end`, both within the chunk.
    pub(crate) fn payload(&self, start: Seq, end: Seq) -> &[u8] {
        &self.buffer.bytes()[start.distance_from(self.seq) as usize..end.distance_from(self.seq) as usize]
    }

    /// When the bytes up to `end` were sent.
    fn sent(&self, end: Seq) -> Sent {
        Sent { at: self.sent_at, end }
    }
}

/// Lengths inside a flow are bounded far below 4 GiB by its windows.
pub(crate) fn len32(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    pub(crate) chunks: VecDeque<Chunk>,
    /// What the chunks' buffers cost.
    held: usize,
    pub(crate) reported: Scoreboard,
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
    /// A chunk that went out more than once is among them.
    pub(crate) sent_again: bool,
}

impl SendQueue {
    pub(crate) fn push(&mut self, seq: Seq, buffer: Buffer, now: Instant, pool: &mut BufferPool) {
        pool.equip_chunks(&mut self.chunks);
        self.held += buffer.cost();
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

    /// No more may be read before something has been acknowledged.
    pub(crate) fn is_full(&self) -> bool {
        self.chunks.len() >= MAX_CHUNKS || self.held >= MAX_HELD_IN_FLIGHT
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
            result.newest = Some(front.sent(front.end()).or_later(result.newest));
            result.sent_again |= front.sent_again;
            if let Some(chunk) = self.chunks.pop_front() {
                self.held -= chunk.buffer.cost();
                pool.release(chunk.buffer);
            }
        }
        self.reported.acknowledge(ack);
        if self.chunks.is_empty() {
            pool.retire_chunks(&mut self.chunks);
        }
        result
    }

    /// Notes what SACK blocks report within `una..nxt`; gives the latest-sent of what is new. What lies outside says nothing: it repeats
    /// what was acknowledged (RFC 2883), or lies. What cannot be remembered says nothing either: the same block would be news each time,
    /// and a guest that knows it could have all chunks walked over for every frame.
    pub(crate) fn mark_sacked(
        &mut self,
        blocks: &[Option<(Seq, Seq)>; MAX_SACK_BLOCKS],
        una: Seq,
        nxt: Seq,
    ) -> Option<Sent> {
        let Self { chunks, reported, .. } = self;
        let mut newest = None;
        for &(start, end) in blocks.iter().flatten() {
            if !start.before(end) || start.before(una) || end.after(nxt) || !reported.takes(start, end) {
                continue;
            }
            // Only what is new counts: a chunk of which a part is sent again was sent later than the part that had arrived.
            let mut any = false;
            for (from, to) in reported.holes(start, end) {
                any = true;
                let at = chunks.partition_point(|chunk| !chunk.end().after(from));
                for chunk in chunks.range(at..).take_while(|chunk| chunk.seq.before(to)) {
                    let end = if chunk.end().before(to) { chunk.end() } else { to };
                    newest = Some(chunk.sent(end).or_later(newest));
                }
            }
            if !any {
                continue;
            }
            reported.add(start, end);
            let at = chunks.partition_point(|chunk| !chunk.end().after(start));
            for chunk in chunks.range_mut(at..).take_while(|chunk| chunk.seq.before(end)) {
                if !chunk.sacked && reported.hole(chunk.first(), chunk.end()).is_none() {
                    chunk.sacked = true;
                    chunk.lost = false;
                }
            }
        }
        newest
    }

    /// RACK (RFC 8985 §6.2): marks as lost what was sent before something that has arrived, and has not, once `tolerance` has ruled out
    /// reordering. Gives the time when the next could be.
    pub(crate) fn detect_losses(&mut self, newest: Sent, tolerance: Duration, now: Instant) -> Option<Instant> {
        let Self { chunks, reported, .. } = self;
        let mut due: Option<Instant> = None;
        for chunk in chunks {
            if chunk.sacked || chunk.lost {
                continue;
            }
            // Of a chunk that has arrived in part, its first hole.
            let end = if reported.is_empty() { None } else { reported.hole(chunk.first(), chunk.end()) };
            if !newest.is_after(chunk.sent(end.map_or(chunk.end(), |hole| hole.1))) {
                continue;
            }
            let at = chunk.sent_at + tolerance;
            if at <= now {
                chunk.lost = true;
            } else {
                due = Some(due.map_or(at, |d| d.min(at)));
            }
        }
        due
    }

    /// What SACK reported may have been forgotten by its keeper (RFC 2018 §8), and whatever was found lost is missing like the rest.
    pub(crate) fn forget_reports(&mut self) {
        self.reported.clear();
        for chunk in &mut self.chunks {
            chunk.sacked = false;
            chunk.lost = false;
        }
    }

    pub(crate) fn clear(&mut self, pool: &mut BufferPool) {
        for chunk in self.chunks.drain(..) {
            pool.release(chunk.buffer);
        }
        self.held = 0;
        pool.retire_chunks(&mut self.chunks);
        self.reported.clear();
    }
}
