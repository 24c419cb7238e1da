//! IPv4 headers (RFC 791). Options are skipped, never acted on.

use super::checksum::{Sum, checksum};
use super::{Parsed, be16, be32};
use crate::drop::DropReason;
use std::net::Ipv4Addr;

/// Header without options, the only kind that is sent.
pub const HEADER_LEN: usize = 20;
/// Largest total length.
pub const MAX_LEN: usize = 65_535;

pub const PROTOCOL_ICMP: u8 = 1;
pub const PROTOCOL_TCP: u8 = 6;
pub const PROTOCOL_UDP: u8 = 17;

const FLAG_DF: u16 = 0x4000;
const FLAG_MF: u16 = 0x2000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4 {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub protocol: u8,
    pub ttl: u8,
    /// The byte of DSCP and ECN.
    pub tos: u8,
    pub id: u16,
    pub dont_fragment: bool,
    pub more_fragments: bool,
    /// In bytes, a multiple of 8.
    pub fragment_offset: u16,
}

impl Ipv4 {
    /// Splits header and payload; bytes behind the total length (Ethernet padding) are cut off.
    ///
    /// # Errors
    /// [`DropReason::Ipv4Malformed`], [`DropReason::Ipv4Checksum`].
    pub fn parse(packet: &[u8]) -> Parsed<(Self, &[u8])> {
        let (h, _) = packet.split_first_chunk::<HEADER_LEN>().ok_or(DropReason::Ipv4Malformed)?;
        let header_len = usize::from(h[0] & 0x0f) * 4;
        let total = usize::from(be16(h, 2));
        if h[0] >> 4 != 4 || header_len < HEADER_LEN || total < header_len || total > packet.len() {
            return Err(DropReason::Ipv4Malformed);
        }
        if checksum(&packet[..header_len]) != 0 {
            return Err(DropReason::Ipv4Checksum);
        }
        let fragment = be16(h, 6);
        let header = Self {
            source: Ipv4Addr::from(be32(h, 12)),
            destination: Ipv4Addr::from(be32(h, 16)),
            protocol: h[9],
            ttl: h[8],
            tos: h[1],
            id: be16(h, 4),
            dont_fragment: fragment & FLAG_DF != 0,
            more_fragments: fragment & FLAG_MF != 0,
            fragment_offset: (fragment & 0x1fff) << 3,
        };
        Ok((header, &packet[header_len..total]))
    }

    #[must_use]
    pub const fn is_fragment(&self) -> bool {
        self.more_fragments || self.fragment_offset != 0
    }

    /// The header for a payload of `payload_len` bytes, which must fit [`MAX_LEN`].
    #[must_use]
    pub fn emit(&self, payload_len: usize) -> [u8; HEADER_LEN] {
        debug_assert!(payload_len <= MAX_LEN - HEADER_LEN, "callers bound what they send");
        let total = u16::try_from(HEADER_LEN + payload_len).unwrap_or(u16::MAX);
        let mut flags = self.fragment_offset >> 3;
        if self.dont_fragment {
            flags |= FLAG_DF;
        }
        if self.more_fragments {
            flags |= FLAG_MF;
        }
        let mut out = [0; HEADER_LEN];
        out[0] = 0x45;
        out[1] = self.tos;
        out[2..4].copy_from_slice(&total.to_be_bytes());
        out[4..6].copy_from_slice(&self.id.to_be_bytes());
        out[6..8].copy_from_slice(&flags.to_be_bytes());
        out[8] = self.ttl;
        out[9] = self.protocol;
        out[12..16].copy_from_slice(&self.source.octets());
        out[16..20].copy_from_slice(&self.destination.octets());
        let sum = checksum(&out);
        out[10..12].copy_from_slice(&sum.to_be_bytes());
        out
    }

    /// The pseudo header's sum for an upper layer of `length` bytes.
    #[must_use]
    pub fn pseudo(&self, length: usize) -> Sum {
        Sum::pseudo_v4(self.source, self.destination, self.protocol, u16::try_from(length).unwrap_or(u16::MAX))
    }
}
