//! Buffers for bytes on their way to a guest.
//!
//! A socket is read into a pooled buffer of [`CHUNK`] bytes, which then stays with the flow until the guest has acknowledged it.
//! Little reads are moved into a buffer of their own size, so that an idle flow does not pin 64 KiB.

/// The largest read: what fits one super-frame beside its headers.
pub(crate) const CHUNK: usize = 65_535 - 40;
/// Reads up to this are copied out of the pooled buffer.
const SMALL: usize = 4096;
/// Free buffers kept for reuse: 16 MiB.
const MAX_FREE: usize = 256;

#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Box<[u8]>,
    len: usize,
}

impl Buffer {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// What it costs, not what it holds.
    pub(crate) fn footprint(&self) -> usize {
        self.bytes.len()
    }
}

#[derive(Debug, Default)]
pub(crate) struct BufferPool {
    free: Vec<Box<[u8]>>,
    /// Bytes held by all flows; the flows keep it true.
    pub(crate) held: usize,
}

impl BufferPool {
    /// A whole buffer to read into.
    pub(crate) fn take(&mut self) -> Box<[u8]> {
        self.free.pop().unwrap_or_else(|| vec![0; CHUNK].into_boxed_slice())
    }

    pub(crate) fn give_back(&mut self, bytes: Box<[u8]>) {
        if bytes.len() == CHUNK && self.free.len() < MAX_FREE {
            self.free.push(bytes);
        }
    }

    /// Keeps the first `len` bytes of a buffer that was read into.
    pub(crate) fn keep(&mut self, bytes: Box<[u8]>, len: usize) -> Buffer {
        let buffer = if len <= SMALL {
            let small = Box::from(&bytes[..len]);
            self.give_back(bytes);
            Buffer { bytes: small, len }
        } else {
            Buffer { bytes, len }
        };
        self.held += buffer.footprint();
        buffer
    }

    pub(crate) fn release(&mut self, buffer: Buffer) {
        self.held -= buffer.footprint();
        self.give_back(buffer.bytes);
    }
}
