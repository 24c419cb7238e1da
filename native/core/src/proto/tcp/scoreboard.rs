//! What the guest has reported by SACK: ranges of bytes beyond the acknowledged ones that it has (RFC 2018, RFC 6675 §4).

use super::limits::MAX_SACK_RANGES;
use crate::wire::tcp::Seq;

/// Ranges whose memory is kept when they have been acknowledged.
const KEPT: usize = 8;

/// Ranges in order that neither touch nor overlap.
#[derive(Debug, Default)]
pub(crate) struct Scoreboard {
    ranges: Vec<(Seq, Seq)>,
}

impl Scoreboard {
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.ranges.clear();
        if self.ranges.capacity() > KEPT {
            self.ranges = Vec::new();
        }
    }

    /// Whether [`Scoreboard::add`] finds a place for `start..end`.
    pub(crate) fn takes(&self, start: Seq, end: Seq) -> bool {
        if self.ranges.len() < MAX_SACK_RANGES {
            return true;
        }
        let at = self.ranges.partition_point(|range| range.1.before(start));
        self.ranges.get(at).is_some_and(|range| !range.0.after(end))
    }

    /// Adds `start..end`. Where there are too many ranges it is forgotten: its bytes are sent once more than they had to be.
    pub(crate) fn add(&mut self, start: Seq, end: Seq) {
        let from = self.ranges.partition_point(|range| range.1.before(start));
        let to = from + self.ranges[from..].partition_point(|range| !range.0.after(end));
        if from == to {
            if self.ranges.len() < MAX_SACK_RANGES {
                self.ranges.insert(from, (start, end));
            }
            return;
        }
        let (first, last) = (self.ranges[from].0, self.ranges[to - 1].1);
        self.ranges[from] = (if start.before(first) { start } else { first }, if end.after(last) { end } else { last });
        self.ranges.drain(from + 1..to);
    }

    /// Forgets what lies before `ack`.
    pub(crate) fn acknowledge(&mut self, ack: Seq) {
        if self.ranges.is_empty() {
            return;
        }
        let gone = self.ranges.partition_point(|range| !range.1.after(ack));
        self.ranges.drain(..gone);
        match self.ranges.first_mut() {
            Some(first) if first.0.before(ack) => first.0 = ack,
            Some(_) => {}
            None => self.clear(),
        }
    }

    /// The first part of `start..end` that has not been reported.
    pub(crate) fn hole(&self, start: Seq, end: Seq) -> Option<(Seq, Seq)> {
        let at = self.ranges.partition_point(|range| !range.1.after(start));
        let (from, next) = match self.ranges.get(at) {
            Some(range) if !range.0.after(start) => (range.1, self.ranges.get(at + 1)),
            next => (start, next),
        };
        if !from.before(end) {
            return None;
        }
        Some((from, next.map_or(end, |range| if range.0.before(end) { range.0 } else { end })))
    }

    /// All of them.
    pub(crate) fn holes(&self, start: Seq, end: Seq) -> impl Iterator<Item = (Seq, Seq)> + '_ {
        let mut at = start;
        std::iter::from_fn(move || {
            let hole = self.hole(at, end)?;
            at = hole.1;
            Some(hole)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        /// Against one flag a byte.
        #[test]
        fn says_what_is_missing(
            blocks in proptest::collection::vec((0u32..300, 1u32..60, proptest::bool::weighted(0.1)), 1..60),
            base in proptest::num::u32::ANY,
        ) {
            let at = |n: u32| Seq(base).add(n);
            let (mut board, mut flags, mut acknowledged) = (Scoreboard::default(), [false; 400], 0u32);
            for (start, len, is_ack) in blocks {
                let start = start.max(acknowledged);
                if is_ack {
                    acknowledged = start;
                    board.acknowledge(at(start));
                    flags[..start as usize].fill(false);
                } else {
                    board.add(at(start), at(start + len));
                    flags[start as usize..(start + len) as usize].fill(true);
                }
                let mut missing = [false; 400];
                let mut last = None;
                for (from, to) in board.holes(at(acknowledged), at(400)) {
                    proptest::prop_assert!(from.before(to) && last.is_none_or(|last: Seq| last.before(from)), "apart and in order");
                    missing[from.distance_from(Seq(base)) as usize..to.distance_from(Seq(base)) as usize].fill(true);
                    last = Some(to);
                }
                for n in acknowledged as usize..400 {
                    proptest::prop_assert_eq!(missing[n], !flags[n], "byte {}", n);
                }
            }
        }
    }

    #[test]
    fn is_bounded() {
        let mut board = Scoreboard::default();
        for n in 0..10_000 {
            board.add(Seq(n * 10), Seq(n * 10 + 5));
        }
        assert_eq!(board.ranges.len(), MAX_SACK_RANGES);
        assert!(!board.takes(Seq(20_000), Seq(30_000)) && !board.takes(Seq(6), Seq(9)));
        assert!(board.takes(Seq(2555), Seq(9000)) && board.takes(Seq(5), Seq(9)) && board.takes(Seq(7), Seq(10)));
        board.acknowledge(Seq(200_000));
        assert!(board.is_empty() && board.ranges.capacity() <= KEPT);
    }
}
