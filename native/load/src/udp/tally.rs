//! What of a run has arrived.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::{MAX_SEQUENCE, numbers};

const BITS: u64 = u64::BITS as u64;

/// Counts datagrams by their numbers: a repeated one is no second delivery, and one of another run is none at all.
#[derive(Debug, Default)]
pub(super) struct Tally {
    run: u64,
    size: usize,
    seen: Vec<u64>,
    counts: Counts,
    first: Option<Instant>,
    last: Option<Instant>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counts {
    /// Different datagrams.
    pub(super) delivered: u64,
    pub(super) duplicates: u64,
    /// Of another length than they were sent with: a stack has cut or joined them wrongly.
    pub(super) malformed: u64,
    /// Arrived after one with a higher number.
    pub(super) late: u64,
    /// From the first to the last arrival.
    pub(super) arrival_seconds: f64,
    /// One more than the highest number that arrived.
    #[serde(skip)]
    highest: u64,
}

impl Tally {
    pub(super) fn new(run: u64, size: usize) -> Self {
        Self { run, size, ..Self::default() }
    }

    /// Takes what one receive gave: one datagram, or several of `segment` bytes that the kernel had joined.
    pub(super) fn add(&mut self, data: &[u8], segment: Option<usize>, now: Instant) {
        for datagram in data.chunks(segment.unwrap_or(data.len()).max(1)) {
            self.add_one(datagram, now);
        }
    }

    fn add_one(&mut self, datagram: &[u8], now: Instant) {
        let Some((run, sequence)) = numbers(datagram) else { return };
        if run != self.run || sequence >= MAX_SEQUENCE {
            return;
        }
        if datagram.len() != self.size {
            self.counts.malformed += 1;
            return;
        }
        let (word, bit) = ((sequence / BITS) as usize, 1 << (sequence % BITS));
        if word >= self.seen.len() {
            self.seen.resize((word + 1).next_power_of_two(), 0);
        }
        if self.seen[word] & bit != 0 {
            self.counts.duplicates += 1;
            return;
        }
        self.seen[word] |= bit;
        self.counts.delivered += 1;
        if sequence < self.counts.highest {
            self.counts.late += 1;
        } else {
            self.counts.highest = sequence + 1;
        }
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    pub(super) fn last(&self) -> Option<Instant> {
        self.last
    }

    pub(super) fn counts(&self) -> Counts {
        let arrival_seconds = self.first.zip(self.last).map_or(0.0, |(first, last)| (last - first).as_secs_f64());
        Counts { arrival_seconds, ..self.counts.clone() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Tally;
    use crate::udp::{MAX_SEQUENCE, stamp};

    fn datagram(size: usize, run: u64, sequence: u64) -> Vec<u8> {
        let mut data = vec![0; size];
        stamp(&mut data, run, sequence);
        data
    }

    #[test]
    fn different_ones_count_and_repeated_ones_do_not() {
        let mut tally = Tally::new(7, 64);
        let start = Instant::now();
        for (n, sequence) in [0, 1, 3, 3, 2, 200].into_iter().enumerate() {
            tally.add(&datagram(64, 7, sequence), None, start + Duration::from_millis(n as u64 * 100));
        }
        let counts = tally.counts();
        assert_eq!((counts.delivered, counts.duplicates, counts.late, counts.malformed), (5, 1, 1, 0));
        assert!((counts.arrival_seconds - 0.5).abs() < 1e-9);
    }

    #[test]
    fn joined_datagrams_are_taken_apart() {
        let mut tally = Tally::new(1, 100);
        let joined: Vec<u8> = (0..5).flat_map(|sequence| datagram(100, 1, sequence)).collect();
        tally.add(&joined, Some(100), Instant::now());
        assert_eq!(tally.counts().delivered, 5);
    }

    #[test]
    fn a_joined_packet_that_arrives_as_one_datagram_is_malformed() {
        let mut tally = Tally::new(1, 100);
        let joined: Vec<u8> = (0..5).flat_map(|sequence| datagram(100, 1, sequence)).collect();
        tally.add(&joined, None, Instant::now());
        let counts = tally.counts();
        assert_eq!((counts.delivered, counts.malformed), (0, 1));
    }

    #[test]
    fn what_is_not_of_this_run_is_passed_over() {
        let mut tally = Tally::new(1, 64);
        let now = Instant::now();
        tally.add(&datagram(64, 2, 0), None, now);
        tally.add(&datagram(64, 1, MAX_SEQUENCE), None, now);
        tally.add(&[1, 0, 0], None, now);
        tally.add(&[], None, now);
        assert_eq!(tally.counts(), Tally::new(1, 64).counts());
        assert_eq!(tally.last(), None);
    }

    #[test]
    fn one_moment_is_no_interval() {
        let mut tally = Tally::new(1, 64);
        tally.add(&datagram(64, 1, 0), None, Instant::now());
        assert_eq!(tally.counts().arrival_seconds.to_bits(), 0);
    }
}
