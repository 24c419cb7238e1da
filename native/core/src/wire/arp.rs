//! ARP for IPv4 over Ethernet (RFC 826).

use super::ethernet::Mac;
use super::{Parsed, be16, be32};
use crate::drop::DropReason;
use std::net::Ipv4Addr;

pub const LEN: usize = 28;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Request,
    Reply,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    pub operation: Operation,
    pub sender_mac: Mac,
    pub sender: Ipv4Addr,
    pub target_mac: Mac,
    pub target: Ipv4Addr,
}

impl Arp {
    /// # Errors
    /// [`DropReason::ArpMalformed`] for anything but Ethernet/IPv4 requests and replies.
    pub fn parse(bytes: &[u8]) -> Parsed<Self> {
        let (p, _) = bytes.split_first_chunk::<LEN>().ok_or(DropReason::ArpMalformed)?;
        if be16(p, 0) != 1 || be16(p, 2) != 0x0800 || p[4] != 6 || p[5] != 4 {
            return Err(DropReason::ArpMalformed);
        }
        let operation = match be16(p, 6) {
            1 => Operation::Request,
            2 => Operation::Reply,
            _ => return Err(DropReason::ArpMalformed),
        };
        let mac = |at: usize| Mac([p[at], p[at + 1], p[at + 2], p[at + 3], p[at + 4], p[at + 5]]);
        Ok(Self {
            operation,
            sender_mac: mac(8),
            sender: Ipv4Addr::from(be32(p, 14)),
            target_mac: mac(18),
            target: Ipv4Addr::from(be32(p, 24)),
        })
    }

    #[must_use]
    pub fn emit(&self) -> [u8; LEN] {
        let mut out = [0; LEN];
        out[..6].copy_from_slice(&[0, 1, 8, 0, 6, 4]);
        out[7] = match self.operation {
            Operation::Request => 1,
            Operation::Reply => 2,
        };
        out[8..14].copy_from_slice(&self.sender_mac.0);
        out[14..18].copy_from_slice(&self.sender.octets());
        out[18..24].copy_from_slice(&self.target_mac.0);
        out[24..].copy_from_slice(&self.target.octets());
        out
    }
}
