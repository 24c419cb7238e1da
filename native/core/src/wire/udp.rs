//! UDP headers (RFC 768).

use super::checksum::Sum;
use super::{Parsed, be16};
use crate::drop::DropReason;

pub const HEADER_LEN: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Udp {
    pub source: u16,
    pub destination: u16,
}

/// Whether the bytes behind a header still need their checksum looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Compare with this pseudo header.
    Checksum(Sum),
    /// The sending kernel left it to the hardware, which is us: there is nothing to compare.
    Trusted,
}

impl Udp {
    /// # Errors
    /// [`DropReason::UdpMalformed`], [`DropReason::UdpChecksum`].
    pub fn parse(bytes: &[u8], verify: Verify) -> Parsed<(Self, &[u8])> {
        let (h, _) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(DropReason::UdpMalformed)?;
        let length = usize::from(be16(h, 4));
        if length < HEADER_LEN || length > bytes.len() {
            return Err(DropReason::UdpMalformed);
        }
        if let Verify::Checksum(pseudo) = verify {
            // Zero means "none" for IPv4.
            if be16(h, 6) != 0 && pseudo.plus(&bytes[..length]).finish() != 0 {
                return Err(DropReason::UdpChecksum);
            }
        }
        Ok((Self { source: be16(h, 0), destination: be16(h, 2) }, &bytes[HEADER_LEN..length]))
    }

    /// The header with `checksum` written as given.
    #[must_use]
    pub fn emit(&self, payload_len: usize, checksum: u16) -> [u8; HEADER_LEN] {
        let mut out = [0; HEADER_LEN];
        out[..2].copy_from_slice(&self.source.to_be_bytes());
        out[2..4].copy_from_slice(&self.destination.to_be_bytes());
        out[4..6].copy_from_slice(&u16::try_from(HEADER_LEN + payload_len).unwrap_or(0).to_be_bytes());
        out[6..].copy_from_slice(&checksum.to_be_bytes());
        out
    }
}
