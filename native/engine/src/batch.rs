//! Frames read from one TAP before any of them is looked at.
//!
//! Each frame takes a read of its own, but what they carry for one connection can leave in one call, and wakes its reader once instead
//! of once a frame (`Stack::on_frames`). So frames are read behind one another into one buffer, until there are no more or the next might
//! not fit. Super-frames fill it after a few, which is meant so: what is read should still be in the processor's cache when it is sent.

use crate::limits::{BATCH_BYTES, TAP_BUDGET};
use crate::tap::FRAME_BUFFER;
use std::io;
use std::ops::Range;

const _: () = assert!(BATCH_BYTES >= FRAME_BUFFER, "a batch holds one frame of any size");

#[derive(Debug)]
pub(crate) struct FrameBatch {
    bytes: Box<[u8]>,
    spans: Vec<Range<usize>>,
}

impl Default for FrameBatch {
    fn default() -> Self {
        Self { bytes: vec![0; BATCH_BYTES].into_boxed_slice(), spans: Vec::with_capacity(TAP_BUDGET) }
    }
}

impl FrameBatch {
    /// Reads frames, `most` of them at most. An error ends it; what was read before that is there.
    pub(crate) fn fill(
        &mut self,
        most: usize,
        mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> Result<(), io::Error> {
        self.spans.clear();
        let mut at = 0;
        while self.spans.len() < most {
            let Some(free) = self.bytes.get_mut(at..at + FRAME_BUFFER) else { break };
            let len = read(free)?.min(FRAME_BUFFER);
            self.spans.push(at..at + len);
            at += len;
        }
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }

    pub(crate) fn frames(&self) -> impl Iterator<Item = &[u8]> {
        self.spans.iter().filter_map(|span| self.bytes.get(span.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    fn give(buffer: &mut [u8], len: usize, mark: u8) -> io::Result<usize> {
        buffer[..len].fill(mark);
        Ok(len)
    }

    #[test]
    fn frames_come_out_as_they_went_in_until_the_device_is_empty() {
        let mut batch = FrameBatch::default();
        let mut lengths = [60usize, 1514, FRAME_BUFFER, 42].into_iter();
        let mut mark = 0;
        let error = batch.fill(TAP_BUDGET, |buffer| {
            mark += 1;
            lengths.next().map_or_else(|| Err(ErrorKind::WouldBlock.into()), |len| give(buffer, len, mark))
        });
        assert_eq!(error.unwrap_err().kind(), ErrorKind::WouldBlock);
        let seen: Vec<_> = batch.frames().map(|frame| (frame.len(), frame[0], frame[frame.len() - 1])).collect();
        assert_eq!(seen, [(60, 1, 1), (1514, 2, 2), (FRAME_BUFFER, 3, 3), (42, 4, 4)]);
    }

    #[test]
    fn a_batch_ends_when_the_next_frame_might_not_fit_or_enough_are_there() {
        let mut batch = FrameBatch::default();
        batch.fill(TAP_BUDGET, |buffer| give(buffer, FRAME_BUFFER, 1)).unwrap();
        assert_eq!(batch.len(), BATCH_BYTES / FRAME_BUFFER);
        batch.fill(3, |buffer| give(buffer, 60, 1)).unwrap();
        assert_eq!(batch.len(), 3);
    }
}
