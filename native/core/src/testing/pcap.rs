//! Captures in the classic libpcap format (magic a1b2c3d4, microseconds, LINKTYPE_ETHERNET), so that a failing case can be
//! looked at with the usual tools.

use crate::time::Instant;
use std::io::{self, Write};

const MAGIC: u32 = 0xa1b2_c3d4;
const VERSION: [u16; 2] = [2, 4];
const SNAP_LENGTH: u32 = 256 << 10;
const LINKTYPE_ETHERNET: u32 = 1;
const MICROS: u64 = 1_000_000;

/// Writes frames to anything that takes bytes.
#[derive(Debug)]
pub struct PcapWriter<W: Write>(W);

impl<W: Write> PcapWriter<W> {
    /// Writes the file's header.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(&MAGIC.to_ne_bytes())?;
        for part in VERSION {
            out.write_all(&part.to_ne_bytes())?;
        }
        // Time zone and accuracy: nobody sets them.
        for word in [0, 0, SNAP_LENGTH, LINKTYPE_ETHERNET] {
            out.write_all(&word.to_ne_bytes())?;
        }
        Ok(Self(out))
    }

    /// One frame, without a virtio-net header.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&mut self, at: Instant, frame: &[u8]) -> io::Result<()> {
        let word = |n: u64| u32::try_from(n).unwrap_or(u32::MAX).to_ne_bytes();
        let length = frame.len() as u64;
        self.0.write_all(&word(at.as_micros() / MICROS))?;
        self.0.write_all(&word(at.as_micros() % MICROS))?;
        self.0.write_all(&word(length))?;
        self.0.write_all(&word(length))?;
        self.0.write_all(frame)
    }

    /// The writer, flushed.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.0.flush()?;
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_and_records_have_their_size() {
        let mut pcap = PcapWriter::new(Vec::new()).unwrap();
        pcap.write(Instant::from_micros(3_000_007), &[1, 2, 3]).unwrap();
        let bytes = pcap.finish().unwrap();
        assert_eq!(bytes.len(), 24 + 16 + 3);
        assert_eq!(bytes[..4], MAGIC.to_ne_bytes());
        assert_eq!(bytes[24..28], 3u32.to_ne_bytes());
        assert_eq!(bytes[28..32], 7u32.to_ne_bytes());
        assert_eq!(bytes[32..36], 3u32.to_ne_bytes());
    }
}
