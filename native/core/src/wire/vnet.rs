//! The virtio-net header that a TAP with `IFF_VNET_HDR` puts before each frame (VIRTIO 1.2 §5.1.6, `linux/virtio_net.h`).
//!
//! It is what makes this stack fast: one frame carries up to 64 KiB whatever the MTU, and no checksum is computed over
//! payload that never leaves the machine. Fields are in the byte order of the machine (the TAP's default).

use super::Parsed;
use crate::drop::DropReason;

/// With the `num_buffers` field, the size that the TAP is told (`TUNSETVNETHDRSZ`).
pub const LEN: usize = 12;

const FLAG_NEEDS_CSUM: u8 = 1;
const FLAG_DATA_VALID: u8 = 2;

const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
const GSO_ECN: u8 = 0x80;

/// How the frame is to be cut into segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gso {
    #[default]
    None,
    /// TCP segments of `size` bytes of payload each.
    TcpV4 {
        size: u16,
    },
    TcpV6 {
        size: u16,
    },
    /// UDP datagrams of `size` bytes of payload each.
    UdpL4 {
        size: u16,
    },
}

/// Who vouches for the transport checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksum {
    /// The field is complete and must be verified.
    #[default]
    Complete,
    /// The field holds the pseudo header's sum; the rest is left to the receiver, who may skip it.
    Partial { start: u16, offset: u16 },
    /// Somebody has verified it already.
    Valid,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vnet {
    pub checksum: Checksum,
    pub gso: Gso,
    /// Length of all headers of a GSO frame.
    pub header_len: u16,
}

impl Vnet {
    /// Splits the header off a buffer read from the TAP.
    ///
    /// # Errors
    /// [`DropReason::VnetMalformed`] for a truncated header, an unknown GSO kind, or a GSO size of zero.
    pub fn parse(bytes: &[u8]) -> Parsed<(Self, &[u8])> {
        let (h, frame) = bytes.split_first_chunk::<LEN>().ok_or(DropReason::VnetMalformed)?;
        let word = |at: usize| u16::from_ne_bytes([h[at], h[at + 1]]);
        let size = word(4);
        let gso = match h[1] & !GSO_ECN {
            GSO_NONE => Gso::None,
            GSO_TCPV4 => Gso::TcpV4 { size },
            GSO_TCPV6 => Gso::TcpV6 { size },
            GSO_UDP_L4 => Gso::UdpL4 { size },
            _ => return Err(DropReason::VnetMalformed),
        };
        if gso != Gso::None && size == 0 {
            return Err(DropReason::VnetMalformed);
        }
        let checksum = if h[0] & FLAG_NEEDS_CSUM != 0 {
            Checksum::Partial { start: word(6), offset: word(8) }
        } else if h[0] & FLAG_DATA_VALID != 0 {
            Checksum::Valid
        } else {
            Checksum::Complete
        };
        Ok((Self { checksum, gso, header_len: word(2) }, frame))
    }

    /// The same for what any device gives: without a header nothing is said of the frame.
    ///
    /// # Errors
    /// As [`Vnet::parse`].
    pub fn split(has_header: bool, bytes: &[u8]) -> Parsed<(Self, &[u8])> {
        if has_header { Self::parse(bytes) } else { Ok((Self::default(), bytes)) }
    }

    #[must_use]
    pub fn emit(&self) -> [u8; LEN] {
        let mut out = [0; LEN];
        match self.checksum {
            Checksum::Complete => {}
            Checksum::Partial { start, offset } => {
                out[0] = FLAG_NEEDS_CSUM;
                out[6..8].copy_from_slice(&start.to_ne_bytes());
                out[8..10].copy_from_slice(&offset.to_ne_bytes());
            }
            Checksum::Valid => out[0] = FLAG_DATA_VALID,
        }
        let (kind, size) = match self.gso {
            Gso::None => (GSO_NONE, 0),
            Gso::TcpV4 { size } => (GSO_TCPV4, size),
            Gso::TcpV6 { size } => (GSO_TCPV6, size),
            Gso::UdpL4 { size } => (GSO_UDP_L4, size),
        };
        out[1] = kind;
        out[2..4].copy_from_slice(&self.header_len.to_ne_bytes());
        out[4..6].copy_from_slice(&size.to_ne_bytes());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        for vnet in [
            Vnet::default(),
            Vnet { checksum: Checksum::Valid, ..Vnet::default() },
            Vnet {
                checksum: Checksum::Partial { start: 34, offset: 16 },
                gso: Gso::TcpV4 { size: 1460 },
                header_len: 54,
            },
            Vnet {
                checksum: Checksum::Partial { start: 34, offset: 6 },
                gso: Gso::UdpL4 { size: 1200 },
                header_len: 42,
            },
        ] {
            let mut bytes = vnet.emit().to_vec();
            bytes.push(9);
            assert_eq!(Vnet::parse(&bytes), Ok((vnet, &[9u8][..])));
        }
    }

    #[test]
    fn refuses_unknown_gso_and_zero_size() {
        let mut bytes = [0u8; LEN];
        bytes[1] = 3;
        assert_eq!(Vnet::parse(&bytes), Err(DropReason::VnetMalformed));
        bytes[1] = GSO_TCPV4;
        assert_eq!(Vnet::parse(&bytes), Err(DropReason::VnetMalformed));
        assert_eq!(Vnet::parse(&bytes[..11]), Err(DropReason::VnetMalformed));
    }
}
