//! The Internet checksum (RFC 1071).

use std::net::Ipv4Addr;

/// A running sum in network order; finish with [`Sum::finish`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(u64);

impl Sum {
    /// Adds bytes. Only the last piece may be of odd length.
    #[must_use]
    pub fn plus(mut self, bytes: &[u8]) -> Self {
        // 32-bit words in a 64-bit sum cannot overflow below 16 GiB, and the loop vectorises.
        let (words, rest) = bytes.as_chunks::<4>();
        for word in words {
            self.0 += u64::from(u32::from_be_bytes(*word));
        }
        let mut last = [0u8; 4];
        last[..rest.len()].copy_from_slice(rest);
        self.0 += u64::from(u32::from_be_bytes(last));
        self
    }

    #[must_use]
    pub fn add_u16(mut self, value: u16) -> Self {
        self.0 += u64::from(value);
        self
    }

    /// The sum of an IPv4 pseudo header (RFC 9293 §3.1, RFC 768).
    #[must_use]
    pub fn pseudo_v4(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, length: u16) -> Self {
        Self(u64::from(u32::from(source)) + u64::from(u32::from(destination)) + u64::from(protocol) + u64::from(length))
    }

    /// The folded sum, not inverted: what stands in a checksum field under `VIRTIO_NET_HDR_F_NEEDS_CSUM`.
    #[must_use]
    pub fn fold(self) -> u16 {
        let mut sum = self.0;
        while sum >> 16 != 0 {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        u16::try_from(sum).unwrap_or(0)
    }

    /// The checksum to write, or zero when a sum over data and its checksum is right.
    #[must_use]
    pub fn finish(self) -> u16 {
        !self.fold()
    }
}

/// The checksum over one piece.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u16 {
    Sum::default().plus(bytes).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_1071_example() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(Sum::default().plus(&bytes).fold(), 0xddf2);
    }

    #[test]
    fn odd_lengths_pad_with_zero() {
        assert_eq!(checksum(&[0x12, 0x34, 0x56]), checksum(&[0x12, 0x34, 0x56, 0x00]));
        assert_eq!(checksum(&[0x12]), !0x1200);
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_a_plain_sum(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2048)) {
            let mut plain = 0u64;
            for pair in bytes.chunks(2) {
                plain += u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0));
            }
            while plain >> 16 != 0 { plain = (plain & 0xffff) + (plain >> 16); }
            proptest::prop_assert_eq!(u64::from(Sum::default().plus(&bytes).fold()), plain);
        }
    }
}
