//! Reassembly of IPv4 fragments from guests (RFC 791 §3.2), which is how a guest sends datagrams larger than its MTU.
//!
//! Reassembly is the classic place for memory exhaustion and overlap tricks, so: datagrams under way are bounded in number, bytes and
//! time, a full table refuses the new (the old either complete or time out), and any overlap ends the whole datagram (as
//! RFC 5722 decided for IPv6).

use crate::drop::DropReason;
use crate::switch::EndpointId;
use crate::time::Instant;
use crate::wire::ipv4::{self, Ipv4};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;

/// Datagrams under way, of all guests together and of one.
const MAX_DATAGRAMS: usize = 256;
const MAX_DATAGRAMS_PER_ENDPOINT: usize = 64;
/// Pieces of one datagram: 64 KiB at an MTU of 576, and some.
const MAX_PIECES: usize = 128;
/// From the first fragment to the last. Fragments of one guest come back to back.
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    endpoint: EndpointId,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    id: u16,
}

#[derive(Debug)]
struct Datagram {
    started: Instant,
    /// Sorted by offset, never overlapping.
    pieces: Vec<(usize, Vec<u8>)>,
    /// Known once the last fragment is here.
    total: Option<usize>,
    received: usize,
}

/// All datagrams under way.
#[derive(Debug, Default)]
pub struct Reassembler {
    datagrams: HashMap<Key, Datagram>,
    oldest: Option<Instant>,
}

impl Reassembler {
    /// Takes a fragment; gives the payload when it was the last one missing.
    ///
    /// # Errors
    /// [`DropReason::FragmentMalformed`], [`DropReason::FragmentLimit`].
    pub fn add(
        &mut self,
        endpoint: EndpointId,
        ip: &Ipv4,
        payload: &[u8],
        now: Instant,
    ) -> Result<Option<Vec<u8>>, DropReason> {
        let offset = usize::from(ip.fragment_offset);
        let end = offset + payload.len();
        let bad_length = payload.is_empty() || (ip.more_fragments && !payload.len().is_multiple_of(8));
        if bad_length || end > ipv4::MAX_LEN - ipv4::HEADER_LEN {
            return Err(DropReason::FragmentMalformed);
        }
        let key = Key { endpoint, source: ip.source, destination: ip.destination, protocol: ip.protocol, id: ip.id };
        if !self.datagrams.contains_key(&key) {
            let own = self.datagrams.keys().filter(|key| key.endpoint == endpoint).count();
            if self.datagrams.len() >= MAX_DATAGRAMS || own >= MAX_DATAGRAMS_PER_ENDPOINT {
                return Err(DropReason::FragmentLimit);
            }
        }
        self.oldest.get_or_insert(now);
        let datagram = self.datagrams.entry(key).or_insert_with(|| Datagram {
            started: now,
            pieces: Vec::new(),
            total: None,
            received: 0,
        });
        match datagram.add(offset, payload, !ip.more_fragments) {
            Ok(false) => Ok(None),
            Ok(true) => Ok(self.datagrams.remove(&key).map(Datagram::join)),
            Err(reason) => {
                self.datagrams.remove(&key);
                Err(reason)
            }
        }
    }

    /// When [`Reassembler::expire`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.oldest.map(|at| at + TIMEOUT)
    }

    /// Forgets what was not completed in time; says how many.
    pub fn expire(&mut self, now: Instant) -> usize {
        let before = self.datagrams.len();
        self.datagrams.retain(|_, datagram| now < datagram.started + TIMEOUT);
        self.oldest = self.datagrams.values().map(|datagram| datagram.started).min();
        before - self.datagrams.len()
    }

    pub(crate) fn forget_endpoint(&mut self, endpoint: EndpointId) {
        self.datagrams.retain(|key, _| key.endpoint != endpoint);
    }
}

impl Datagram {
    fn add(&mut self, offset: usize, payload: &[u8], last: bool) -> Result<bool, DropReason> {
        let end = offset + payload.len();
        if last {
            if self.total.is_some_and(|total| total != end) {
                return Err(DropReason::FragmentMalformed);
            }
            self.total = Some(end);
        }
        let at = self.pieces.partition_point(|(start, _)| *start < offset);
        if let Some((start, piece)) = self.pieces.get(at)
            && *start == offset
            && piece == payload
        {
            // A repetition, bit for bit: duplicated on the way.
            return Ok(false);
        }
        let overlaps_before = at > 0 && self.pieces[at - 1].0 + self.pieces[at - 1].1.len() > offset;
        let overlaps_after = self.pieces.get(at).is_some_and(|(start, _)| *start < end);
        let beyond = self.total.is_some_and(|total| {
            end > total || self.pieces.last().is_some_and(|(start, piece)| start + piece.len() > total)
        });
        if overlaps_before || overlaps_after || beyond {
            return Err(DropReason::FragmentMalformed);
        }
        if self.pieces.len() >= MAX_PIECES {
            return Err(DropReason::FragmentLimit);
        }
        self.received += payload.len();
        self.pieces.insert(at, (offset, payload.to_vec()));
        // No overlaps: as many bytes as the total means all of them.
        Ok(self.total == Some(self.received))
    }

    fn join(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.received);
        for (_, piece) in self.pieces {
            out.extend_from_slice(&piece);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(id: u16, offset: usize, more: bool) -> Ipv4 {
        Ipv4 {
            source: Ipv4Addr::new(172, 17, 0, 2),
            destination: Ipv4Addr::new(192, 0, 2, 1),
            protocol: 17,
            ttl: 64,
            tos: 0,
            id,
            dont_fragment: false,
            more_fragments: more,
            fragment_offset: u16::try_from(offset).unwrap(),
        }
    }

    fn add(
        r: &mut Reassembler,
        id: u16,
        data: &[u8],
        offset: usize,
        more: bool,
    ) -> Result<Option<Vec<u8>>, DropReason> {
        r.add(EndpointId::default(), &header(id, offset, more), data, Instant::ZERO)
    }

    #[test]
    fn any_order_and_repetitions() {
        let data: Vec<u8> = (0..=255).collect();
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
            let mut r = Reassembler::default();
            let mut done = None;
            for piece in order {
                let (from, to) = [(0, 96), (96, 200), (200, 256)][piece];
                assert_eq!(done, None);
                done = add(&mut r, 1, &data[from..to], from, to != 256).unwrap();
                if done.is_none() {
                    assert_eq!(add(&mut r, 1, &data[from..to], from, to != 256), Ok(None), "repeated");
                }
            }
            assert_eq!(done.as_deref(), Some(&data[..]), "{order:?}");
        }
    }

    #[test]
    fn overlaps_and_impossible_lengths_end_it() {
        let mut r = Reassembler::default();
        assert_eq!(add(&mut r, 1, &[1; 16], 0, true), Ok(None));
        assert_eq!(add(&mut r, 1, &[2; 16], 8, true), Err(DropReason::FragmentMalformed));
        assert_eq!(add(&mut r, 1, &[2; 8], 16, false), Ok(None), "the first was forgotten with the overlap");
        assert_eq!(add(&mut r, 2, &[1; 7], 0, true), Err(DropReason::FragmentMalformed));
        assert_eq!(add(&mut r, 3, &[1; 64], 65_528, false), Err(DropReason::FragmentMalformed));
        assert_eq!(add(&mut r, 4, &[1; 8], 64, false), Ok(None));
        assert_eq!(add(&mut r, 4, &[1; 8], 128, true), Err(DropReason::FragmentMalformed), "beyond the end");
    }

    #[test]
    fn bounded_in_number_and_time() {
        let mut r = Reassembler::default();
        for id in 0..MAX_DATAGRAMS_PER_ENDPOINT {
            assert_eq!(add(&mut r, u16::try_from(id).unwrap(), &[0; 8], 0, true), Ok(None));
        }
        assert_eq!(add(&mut r, 9999, &[0; 8], 0, true), Err(DropReason::FragmentLimit));
        let deadline = r.deadline().unwrap();
        assert_eq!(r.expire(deadline), MAX_DATAGRAMS_PER_ENDPOINT);
        assert_eq!(r.deadline(), None);
        assert_eq!(add(&mut r, 9999, &[0; 8], 0, true), Ok(None));
    }
}
