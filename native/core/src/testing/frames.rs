//! Frames as a guest would write them, complete with checksums, and what a frame to a guest says.

use crate::switch::{EndpointConfig, HostAccess, NetworkId};
use crate::wire::arp::{Arp, Operation};
use crate::wire::ethernet::{ETHERTYPE_ARP, ETHERTYPE_IPV4, Ethernet, Mac};
use crate::wire::icmpv4::{ECHO_REQUEST, Icmpv4};
use crate::wire::ipv4::{Ipv4, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP};
use crate::wire::tcp::{Flags, Options, Seq, Tcp};
use crate::wire::udp::{Udp, Verify};
use std::net::{Ipv4Addr, SocketAddrV4};

/// Addresses on both ends of a guest's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wiring {
    pub guest: Ipv4Addr,
    pub guest_mac: Mac,
    /// The MAC that frames are sent to.
    pub next_hop: Mac,
}

impl Wiring {
    /// Guest `n` of [`network`](super::network), who sends to its gateway.
    #[must_use]
    pub fn of_guest(n: u8) -> Self {
        Self {
            guest: Ipv4Addr::new(172, 17, 0, n),
            guest_mac: Mac([2, 0x42, 0xac, 0x11, 0, n]),
            next_hop: super::GATEWAY_MAC,
        }
    }

    /// What its endpoint is made with.
    #[must_use]
    pub fn endpoint(&self, network: NetworkId, mtu: u16, host_access: HostAccess) -> EndpointConfig {
        EndpointConfig { network, address: self.guest, mac: self.guest_mac, mtu, host_access }
    }
}

/// A TCP segment as a test writes it.
#[derive(Clone, Copy, Debug)]
pub struct TestSegment<'a> {
    pub from_port: u16,
    pub to: SocketAddrV4,
    pub seq: Seq,
    pub ack: Seq,
    pub flags: Flags,
    pub window: u16,
    /// Padded to a multiple of four by its writer.
    pub options: &'a [u8],
    pub payload: &'a [u8],
}

/// What a TCP frame to a guest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenSegment {
    pub from: SocketAddrV4,
    pub to: SocketAddrV4,
    pub seq: Seq,
    pub ack: Seq,
    pub flags: Flags,
    pub window: u16,
    pub options: Options,
    pub payload: Vec<u8>,
}

impl SeenSegment {
    #[must_use]
    pub fn has(&self, flag: Flags) -> bool {
        self.flags.has(flag)
    }

    /// The sequence number behind it.
    #[must_use]
    pub fn end(&self) -> Seq {
        let marks = u32::from(self.has(Flags::SYN)) + u32::from(self.has(Flags::FIN));
        self.seq.add(u32::try_from(self.payload.len()).unwrap_or(u32::MAX) + marks)
    }
}

impl Wiring {
    #[must_use]
    pub fn ethernet(&self, ethertype: u16, payload: &[u8]) -> Vec<u8> {
        let header = Ethernet { destination: self.next_hop, source: self.guest_mac, ethertype };
        [&header.emit(), payload].concat()
    }

    #[must_use]
    pub fn header(&self, to: Ipv4Addr, protocol: u8) -> Ipv4 {
        Ipv4 {
            source: self.guest,
            destination: to,
            protocol,
            ttl: 64,
            tos: 0,
            id: 1,
            dont_fragment: false,
            more_fragments: false,
            fragment_offset: 0,
        }
    }

    #[must_use]
    pub fn ipv4(&self, ip: &Ipv4, payload: &[u8]) -> Vec<u8> {
        self.ethernet(ETHERTYPE_IPV4, &[&ip.emit(payload.len()), payload].concat())
    }

    #[must_use]
    pub fn tcp(&self, segment: &TestSegment<'_>) -> Vec<u8> {
        let tcp = Tcp {
            source: segment.from_port,
            destination: segment.to.port(),
            seq: segment.seq,
            ack: segment.ack,
            flags: segment.flags,
            window: segment.window,
        };
        let ip = self.header(*segment.to.ip(), PROTOCOL_TCP);
        let mut bytes = [&tcp.emit(segment.options.len()), segment.options, segment.payload].concat();
        let sum = ip.pseudo(bytes.len()).plus(&bytes).finish();
        bytes[16..18].copy_from_slice(&sum.to_be_bytes());
        self.ipv4(&ip, &bytes)
    }

    /// A UDP datagram without its IP header, checksum complete.
    #[must_use]
    pub fn udp_body(&self, from_port: u16, to: SocketAddrV4, data: &[u8]) -> Vec<u8> {
        let udp = Udp { source: from_port, destination: to.port() };
        let ip = self.header(*to.ip(), PROTOCOL_UDP);
        let mut bytes = [&udp.emit(data.len(), 0), data].concat();
        let sum = ip.pseudo(bytes.len()).plus(&bytes).finish();
        bytes[6..8].copy_from_slice(&if sum == 0 { 0xffff } else { sum }.to_be_bytes());
        bytes
    }

    #[must_use]
    pub fn udp(&self, from_port: u16, to: SocketAddrV4, data: &[u8]) -> Vec<u8> {
        self.ipv4(&self.header(*to.ip(), PROTOCOL_UDP), &self.udp_body(from_port, to, data))
    }

    #[must_use]
    pub fn echo(&self, to: Ipv4Addr, id: u16, sequence: u16, data: &[u8]) -> Vec<u8> {
        let message = Icmpv4 { kind: ECHO_REQUEST, code: 0, id, sequence }.emit(data);
        self.ipv4(&self.header(to, PROTOCOL_ICMP), &message)
    }

    /// The packet in fragments of at most `size` bytes of payload, a multiple of eight.
    #[must_use]
    pub fn fragments(&self, ip: &Ipv4, payload: &[u8], size: usize) -> Vec<Vec<u8>> {
        let count = payload.len().div_ceil(size);
        (0..count)
            .map(|n| {
                let part = &payload[n * size..payload.len().min((n + 1) * size)];
                let fragment = Ipv4 {
                    more_fragments: n + 1 < count,
                    fragment_offset: u16::try_from(n * size).unwrap_or(u16::MAX),
                    ..*ip
                };
                self.ipv4(&fragment, part)
            })
            .collect()
    }

    #[must_use]
    pub fn arp_request(&self, target: Ipv4Addr) -> Vec<u8> {
        let arp = Arp {
            operation: Operation::Request,
            sender_mac: self.guest_mac,
            sender: self.guest,
            target_mac: Mac([0; 6]),
            target,
        };
        let header = Ethernet { destination: Mac::BROADCAST, source: self.guest_mac, ethertype: ETHERTYPE_ARP };
        [&header.emit()[..], &arp.emit()].concat()
    }
}

/// The TCP segment in a frame; None when it is something else. Checksums are not looked at.
#[must_use]
pub fn parse_tcp(frame: &[u8]) -> Option<SeenSegment> {
    let (ip, body) = parse_ipv4(frame).filter(|(ip, _)| ip.protocol == PROTOCOL_TCP)?;
    let (tcp, options, payload) = Tcp::parse(body, Verify::Trusted).ok()?;
    Some(SeenSegment {
        from: SocketAddrV4::new(ip.source, tcp.source),
        to: SocketAddrV4::new(ip.destination, tcp.destination),
        seq: tcp.seq,
        ack: tcp.ack,
        flags: tcp.flags,
        window: tcp.window,
        options,
        payload: payload.to_vec(),
    })
}

/// The IPv4 packet in a frame.
#[must_use]
pub fn parse_ipv4(frame: &[u8]) -> Option<(Ipv4, &[u8])> {
    let (ethernet, packet) = Ethernet::parse(frame).ok()?;
    if ethernet.ethertype != ETHERTYPE_IPV4 {
        return None;
    }
    Ipv4::parse(packet).ok()
}
