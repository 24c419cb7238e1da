//! TCP headers and the options that matter here (RFC 9293, RFC 7323, RFC 2018).

use super::udp::Verify;
use super::{Parsed, be16, be32};
use crate::drop::DropReason;
use std::fmt;

pub const HEADER_LEN: usize = 20;
/// SACK blocks that are looked at in one segment; four is all that fits.
pub const MAX_SACK_BLOCKS: usize = 4;
/// Largest shift of RFC 7323 §2.3.
pub const MAX_WINDOW_SCALE: u8 = 14;

const OPTION_END: u8 = 0;
const OPTION_NOP: u8 = 1;
const OPTION_MSS: u8 = 2;
const OPTION_WINDOW_SCALE: u8 = 3;
const OPTION_SACK_PERMITTED: u8 = 4;
const OPTION_SACK: u8 = 5;

/// A sequence number: order is by distance, modulo 2^32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seq(pub u32);

impl Seq {
    #[must_use]
    pub const fn add(self, n: u32) -> Self {
        Self(self.0.wrapping_add(n))
    }

    /// Signed distance `self - other`.
    #[must_use]
    pub const fn minus(self, other: Self) -> i32 {
        self.0.wrapping_sub(other.0).cast_signed()
    }

    #[must_use]
    pub const fn before(self, other: Self) -> bool {
        self.minus(other) < 0
    }

    #[must_use]
    pub const fn after(self, other: Self) -> bool {
        self.minus(other) > 0
    }

    /// Bytes from `other` up to `self`; zero when `self` is before.
    #[must_use]
    pub const fn distance_from(self, other: Self) -> u32 {
        let d = self.minus(other);
        if d < 0 { 0 } else { d.cast_unsigned() }
    }
}

/// Flag bits.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    pub const FIN: Self = Self(0x01);
    pub const SYN: Self = Self(0x02);
    pub const RST: Self = Self(0x04);
    pub const PSH: Self = Self(0x08);
    pub const ACK: Self = Self(0x10);
    pub const URG: Self = Self(0x20);

    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            [(Self::SYN, "SYN"), (Self::ACK, "ACK"), (Self::PSH, "PSH"), (Self::FIN, "FIN"), (Self::RST, "RST")];
        let set: Vec<_> = names.iter().filter(|(flag, _)| self.has(*flag)).map(|(_, name)| *name).collect();
        f.write_str(&set.join("|"))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp {
    pub source: u16,
    pub destination: u16,
    pub seq: Seq,
    pub ack: Seq,
    pub flags: Flags,
    /// As on the wire, unscaled.
    pub window: u16,
}

/// What the options said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub mss: Option<u16>,
    pub window_scale: Option<u8>,
    pub sack_permitted: bool,
    pub sack: [Option<(Seq, Seq)>; MAX_SACK_BLOCKS],
}

impl Tcp {
    /// Splits header, options and payload.
    ///
    /// # Errors
    /// [`DropReason::TcpMalformed`], [`DropReason::TcpChecksum`].
    pub fn parse(bytes: &[u8], verify: Verify) -> Parsed<(Self, Options, &[u8])> {
        let (h, _) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(DropReason::TcpMalformed)?;
        let header_len = usize::from(h[12] >> 4) * 4;
        if header_len < HEADER_LEN || header_len > bytes.len() {
            return Err(DropReason::TcpMalformed);
        }
        if let Verify::Checksum(pseudo) = verify
            && pseudo.plus(bytes).finish() != 0
        {
            return Err(DropReason::TcpChecksum);
        }
        let header = Self {
            source: be16(h, 0),
            destination: be16(h, 2),
            seq: Seq(be32(h, 4)),
            ack: Seq(be32(h, 8)),
            flags: Flags(h[13]),
            window: be16(h, 14),
        };
        let options = Options::parse(&bytes[HEADER_LEN..header_len])?;
        Ok((header, options, &bytes[header_len..]))
    }

    /// The header, with `options_len` bytes of options to follow and a zero checksum.
    #[must_use]
    pub fn emit(&self, options_len: usize) -> [u8; HEADER_LEN] {
        debug_assert!(options_len.is_multiple_of(4) && options_len <= 40, "options are padded by their writer");
        let mut out = [0; HEADER_LEN];
        out[..2].copy_from_slice(&self.source.to_be_bytes());
        out[2..4].copy_from_slice(&self.destination.to_be_bytes());
        out[4..8].copy_from_slice(&self.seq.0.to_be_bytes());
        out[8..12].copy_from_slice(&self.ack.0.to_be_bytes());
        out[12] = u8::try_from((HEADER_LEN + options_len) / 4).unwrap_or(5) << 4;
        out[13] = self.flags.0;
        out[14..16].copy_from_slice(&self.window.to_be_bytes());
        out
    }
}

impl Options {
    fn parse(mut bytes: &[u8]) -> Parsed<Self> {
        let mut options = Self::default();
        while let Some((&kind, rest)) = bytes.split_first() {
            match kind {
                OPTION_END => break,
                OPTION_NOP => {
                    bytes = rest;
                    continue;
                }
                _ => {}
            }
            let length = usize::from(*rest.first().ok_or(DropReason::TcpMalformed)?);
            if length < 2 || length > bytes.len() {
                return Err(DropReason::TcpMalformed);
            }
            let body = &bytes[2..length];
            match (kind, body.len()) {
                (OPTION_MSS, 2) => options.mss = Some(be16(body, 0)),
                (OPTION_WINDOW_SCALE, 1) => options.window_scale = Some(body[0].min(MAX_WINDOW_SCALE)),
                (OPTION_SACK_PERMITTED, 0) => options.sack_permitted = true,
                (OPTION_SACK, _) => {
                    for (slot, block) in options.sack.iter_mut().zip(body.chunks_exact(8)) {
                        *slot = Some((Seq(be32(block, 0)), Seq(be32(block, 4))));
                    }
                }
                _ => {}
            }
            bytes = &bytes[length..];
        }
        Ok(options)
    }

    /// Options of a SYN: MSS, and what else is offered. Always 12 bytes.
    #[must_use]
    pub fn emit_syn(mss: u16, window_scale: Option<u8>, sack_permitted: bool) -> [u8; 12] {
        let [high, low] = mss.to_be_bytes();
        let mut out = [OPTION_MSS, 4, high, low, OPTION_NOP, OPTION_NOP, OPTION_NOP, OPTION_NOP, 1, 1, 1, 1];
        if let Some(scale) = window_scale {
            out[5..8].copy_from_slice(&[OPTION_WINDOW_SCALE, 3, scale]);
        }
        if sack_permitted {
            out[8..10].copy_from_slice(&[OPTION_SACK_PERMITTED, 2]);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(options: &[u8], payload: &[u8]) -> Vec<u8> {
        let tcp = Tcp { source: 1, destination: 2, seq: Seq(3), ack: Seq(4), flags: Flags::ACK, window: 5 };
        let mut bytes = tcp.emit(options.len()).to_vec();
        bytes.extend_from_slice(options);
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn syn_options_survive_the_wire() {
        let bytes = segment(&Options::emit_syn(1460, Some(7), true), b"x");
        let (tcp, options, payload) = Tcp::parse(&bytes, Verify::Trusted).unwrap();
        assert_eq!((tcp.source, tcp.destination, tcp.seq, tcp.ack), (1, 2, Seq(3), Seq(4)));
        assert_eq!((options.mss, options.window_scale, options.sack_permitted), (Some(1460), Some(7), true));
        assert_eq!(payload, b"x");
    }

    #[test]
    fn sack_blocks_are_read_in_order() {
        let mut raw = vec![1, 1, 5, 18];
        for n in [10u32, 20, 30, 40] {
            raw.extend_from_slice(&n.to_be_bytes());
        }
        let (_, options, _) = Tcp::parse(&segment(&raw, b""), Verify::Trusted).unwrap();
        assert_eq!(options.sack, [Some((Seq(10), Seq(20))), Some((Seq(30), Seq(40))), None, None]);
    }

    #[test]
    fn bad_options_are_malformed() {
        for raw in [&[2, 0, 0, 0][..], &[2, 1, 0, 0], &[5, 40, 0, 0], &[1, 1, 1, 2]] {
            assert_eq!(Tcp::parse(&segment(raw, b""), Verify::Trusted), Err(DropReason::TcpMalformed), "{raw:?}");
        }
    }

    #[test]
    fn sequence_numbers_wrap() {
        let near_end = Seq(u32::MAX - 1);
        assert!(near_end.before(near_end.add(5)));
        assert_eq!(near_end.add(5).distance_from(near_end), 5);
        assert_eq!(near_end.distance_from(near_end.add(5)), 0);
    }
}
