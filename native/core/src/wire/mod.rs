//! Bytes to fields and back. Nothing here knows about flows, guests or time, and nothing above looks at raw offsets.
//!
//! Parsers take a slice and give a small `Copy` header and the payload behind it, or the [`DropReason`] of its kind;
//! they never panic, whatever the bytes (the fuzz targets and property tests hold them to it).

pub mod arp;
pub mod checksum;
pub mod ethernet;
pub mod icmpv4;
pub mod ipv4;
pub mod tcp;
pub mod udp;
pub mod vnet;

use crate::drop::DropReason;

/// What parsers answer.
pub type Parsed<T> = Result<T, DropReason>;

/// Big-endian reads whose bounds the caller has checked by splitting a fixed-size array off.
pub(crate) const fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

pub(crate) const fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
