//! Memory for bytes on their way, in either direction.
//!
//! A socket is read into a pooled buffer of [`CHUNK`] bytes, which then stays with the flow until the guest has acknowledged it.
//! Little reads are moved into a pooled buffer of a smaller size, so that an idle flow does not pin 64 KiB. What a slow host
//! does not take from a guest waits in the same buffers. The rings that hold a flow's buffers come from here too, and go back when
//! they are empty: a flow with nothing under way owns no memory besides its entry, and once the pool is warm nothing is allocated.
//!
//! [`BufferPool::held`] counts what the flows' buffers cost, not what is in them, for all together and for each guest: one whose flows hold
//! its share is held short itself, and leaves the others theirs.

use super::limits::{MAX_FREE_BUFFERS, MAX_FREE_RINGS, MAX_HELD_BYTES, MAX_HELD_BYTES_PER_GUEST};
use super::queue::Chunk;
use crate::switch::EndpointId;
use slotmap::SecondaryMap;
use std::collections::VecDeque;

/// The largest read: what fits one super-frame beside its headers.
pub(crate) const CHUNK: usize = 65_535 - 40;

/// The sizes there are.
pub(crate) const SIZES: [usize; 3] = [512, 4096, CHUNK];

/// The smallest size that holds so many bytes.
fn size_for(len: usize) -> usize {
    SIZES.iter().position(|&size| len <= size).unwrap_or(SIZES.len() - 1)
}

/// A part of a pooled buffer that is in use.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Box<[u8]>,
    len: usize,
}

impl Buffer {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// What it takes of memory, however little of it is used.
    pub(crate) fn cost(&self) -> usize {
        self.bytes.len()
    }

    /// Adds as much as there is room for; says how much that was.
    pub(crate) fn append(&mut self, data: &[u8]) -> usize {
        let len = data.len().min(self.bytes.len() - self.len);
        self.bytes[self.len..self.len + len].copy_from_slice(&data[..len]);
        self.len += len;
        len
    }
}

/// Empty rings with their memory.
#[derive(Debug)]
struct Rings<T>(Vec<VecDeque<T>>);

impl<T> Rings<T> {
    /// Memory for an empty ring that has none.
    fn equip(&mut self, ring: &mut VecDeque<T>) {
        if ring.capacity() == 0
            && let Some(free) = self.0.pop()
        {
            *ring = free;
        }
    }

    fn give_back(&mut self, ring: &mut VecDeque<T>) {
        let ring = std::mem::take(ring);
        if ring.capacity() > 0 && self.0.len() < MAX_FREE_RINGS {
            self.0.push(ring);
        }
    }
}

#[derive(Debug)]
pub(crate) struct BufferPool {
    free: [Vec<Box<[u8]>>; SIZES.len()],
    chunk_rings: Rings<Chunk>,
    ready_rings: Rings<Buffer>,
    held: usize,
    limit: usize,
    /// What the flows of each guest hold.
    accounts: SecondaryMap<EndpointId, usize>,
    /// Whose flow is at work.
    at_work: EndpointId,
    share: usize,
}

impl Default for BufferPool {
    fn default() -> Self {
        Self {
            free: std::array::from_fn(|_| Vec::new()),
            chunk_rings: Rings(Vec::new()),
            ready_rings: Rings(Vec::new()),
            held: 0,
            limit: MAX_HELD_BYTES,
            accounts: SecondaryMap::new(),
            at_work: EndpointId::default(),
            share: MAX_HELD_BYTES_PER_GUEST,
        }
    }
}

impl BufferPool {
    /// Bytes held by all flows.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// For all guests, and for each of them.
    pub(crate) fn set_limit(&mut self, limit: usize, share: usize) {
        self.limit = limit;
        self.share = share;
    }

    /// What follows is for a flow of this guest.
    pub(crate) fn work_for(&mut self, guest: EndpointId) {
        if self.at_work != guest {
            self.at_work = guest;
            if let Some(account) = self.accounts.entry(guest) {
                account.or_default();
            }
        }
    }

    /// Its flows are gone.
    pub(crate) fn forget(&mut self, guest: EndpointId) {
        self.accounts.remove(guest);
    }

    /// Whether the guest at work may hold no more.
    pub(crate) fn is_full(&self) -> bool {
        self.held >= self.limit || self.accounts.get(self.at_work).is_some_and(|&own| own >= self.share)
    }

    fn take_size(&mut self, size: usize) -> Box<[u8]> {
        self.free[size].pop().unwrap_or_else(|| vec![0; SIZES[size]].into_boxed_slice())
    }

    /// A whole buffer to read into.
    pub(crate) fn take(&mut self) -> Box<[u8]> {
        self.take_size(SIZES.len() - 1)
    }

    pub(crate) fn give_back(&mut self, bytes: Box<[u8]>) {
        let size = size_for(bytes.len());
        if self.free[size].len() < MAX_FREE_BUFFERS[size] {
            self.free[size].push(bytes);
        }
    }

    /// Keeps the first `len` bytes of a buffer that was read into.
    pub(crate) fn keep(&mut self, bytes: Box<[u8]>, len: usize) -> Buffer {
        if size_for(len) == SIZES.len() - 1 {
            self.count(bytes.len());
            return Buffer { bytes, len };
        }
        let mut small = self.empty_for(len);
        small.append(&bytes[..len]);
        self.give_back(bytes);
        small
    }

    /// An empty buffer with room for `len` bytes, or as many as there can be.
    pub(crate) fn empty_for(&mut self, len: usize) -> Buffer {
        let bytes = self.take_size(size_for(len));
        self.count(bytes.len());
        Buffer { bytes, len: 0 }
    }

    pub(crate) fn release(&mut self, buffer: Buffer) {
        self.uncount(buffer.cost());
        self.give_back(buffer.bytes);
    }

    /// Counts memory that is held, but not pooled.
    pub(crate) fn count(&mut self, bytes: usize) {
        self.held += bytes;
        if let Some(own) = self.accounts.get_mut(self.at_work) {
            *own += bytes;
        }
    }

    pub(crate) fn uncount(&mut self, bytes: usize) {
        self.held -= bytes;
        if let Some(own) = self.accounts.get_mut(self.at_work) {
            *own -= bytes;
        }
    }

    pub(crate) fn equip_chunks(&mut self, ring: &mut VecDeque<Chunk>) {
        self.chunk_rings.equip(ring);
    }

    pub(crate) fn retire_chunks(&mut self, ring: &mut VecDeque<Chunk>) {
        self.chunk_rings.give_back(ring);
    }

    pub(crate) fn equip_ready(&mut self, ring: &mut VecDeque<Buffer>) {
        self.ready_rings.equip(ring);
    }

    pub(crate) fn retire_ready(&mut self, ring: &mut VecDeque<Buffer>) {
        self.ready_rings.give_back(ring);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_what_it_costs() {
        let mut pool = BufferPool::default();
        for (len, cost) in [(1, 512), (512, 512), (513, 4096), (4096, 4096), (4097, CHUNK), (CHUNK, CHUNK)] {
            let mut bytes = pool.take();
            bytes[len - 1] = 7;
            let buffer = pool.keep(bytes, len);
            assert_eq!((pool.held(), buffer.bytes().len(), buffer.bytes()[len - 1]), (cost, len, 7));
            pool.release(buffer);
            assert_eq!(pool.held(), 0);
        }
        assert_eq!(pool.free.each_ref().map(Vec::len), [1, 1, 1], "each came from what was given back");
    }
}
