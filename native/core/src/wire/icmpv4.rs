//! ICMP for IPv4 (RFC 792): echo, and the errors that a router sends.

use super::checksum::checksum;
use super::{Parsed, be16};
use crate::drop::DropReason;

pub const HEADER_LEN: usize = 8;

pub const ECHO_REPLY: u8 = 0;
pub const UNREACHABLE: u8 = 3;
pub const ECHO_REQUEST: u8 = 8;
pub const TIME_EXCEEDED: u8 = 11;

/// Codes of [`UNREACHABLE`] (RFC 792, RFC 1812 §5.2.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Unreachable {
    Network = 0,
    Host = 1,
    Protocol = 2,
    Port = 3,
    FragmentationNeeded = 4,
    AdministrativelyProhibited = 13,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmpv4 {
    pub kind: u8,
    pub code: u8,
    /// Identifier and sequence number of an echo; the "rest of header" of others.
    pub id: u16,
    pub sequence: u16,
}

impl Icmpv4 {
    /// # Errors
    /// [`DropReason::IcmpMalformed`], [`DropReason::IcmpChecksum`].
    pub fn parse(bytes: &[u8]) -> Parsed<(Self, &[u8])> {
        let (h, payload) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(DropReason::IcmpMalformed)?;
        if checksum(bytes) != 0 {
            return Err(DropReason::IcmpChecksum);
        }
        Ok((Self { kind: h[0], code: h[1], id: be16(h, 4), sequence: be16(h, 6) }, payload))
    }

    /// The whole message.
    #[must_use]
    pub fn emit(&self, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_LEN + payload.len());
        out.extend_from_slice(&[self.kind, self.code, 0, 0]);
        out.extend_from_slice(&self.id.to_be_bytes());
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(payload);
        let sum = checksum(&out);
        out[2..4].copy_from_slice(&sum.to_be_bytes());
        out
    }
}
